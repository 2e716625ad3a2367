//! One WebSocket: from its first message to its close.

#![expect(
    clippy::disallowed_methods,
    reason = "this task is the rim that reads the clock for its socket"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_http::ws::{self, CloseCode, CloseReason};
use actix_web::{HttpRequest, HttpResponse, body::MessageBody, web};
use tracing::{Instrument, Span, debug, debug_span, field::Empty};

use super::{
    body::{self, Ended, Wire},
    close::{self, Close},
    frames::{Arrival, Broken, Frames},
    message::{self, FirstMessage, Message, Refusal, ReplyBody, Unreadable},
};
use crate::{
    clock,
    common::json::from_slice_lossy,
    opentok::SessionId,
    session::{Admission, Admitted, Attachment, NewConnection, Outbox, Sessions, live},
};

/// How long a client may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a silent client still has after one more ping. It may have been the server that stood still: the
/// client's answers are then waiting to be read.
const LAST_CHANCE: Duration = Duration::from_millis(400);

/// How long a socket that the server closes is read to its end, so that the network does not
/// throw away the close frame with what the client still sends.
const LINGER: Duration = Duration::from_secs(1);

/// What every socket needs.
pub(super) struct Endpoint {
    pub sessions: Sessions,
    pub admission: Arc<dyn Admission>,
}

/// `GET /live`. Any origin may connect: what counts is the token.
pub(super) async fn connect(
    request: HttpRequest,
    body: web::Payload,
    endpoint: web::Data<Endpoint>,
) -> actix_web::Result<HttpResponse> {
    let mut response = ws::handshake(request.head())?;
    let (wire, pieces) = body::wire();
    let socket = Socket {
        wire,
        frames: Frames::new(body),
        heard_at: Instant::now(),
    };
    let endpoint = endpoint.into_inner();
    let span = debug_span!("socket", session.id = Empty, connection.id = Empty);
    actix_web::rt::spawn(socket.serve(endpoint).instrument(span));
    Ok(response.message_body(pieces.boxed())?.into())
}

struct Socket {
    wire: Wire,
    frames: Frames,
    /// When something last arrived.
    heard_at: Instant,
}

/// How a socket ended.
enum End {
    /// The network broke, or the client fell silent.
    Lost,
    /// The client closed it.
    Closed(Option<CloseReason>),
    /// The server closes it.
    Close(Close),
}

impl Socket {
    async fn serve(mut self, endpoint: Arc<Endpoint>) {
        let end = match Box::pin(self.greet(&endpoint)).await {
            Ok((attachment, outbox)) => {
                self.wire.carry(outbox);
                self.converse(attachment).await
            }
            Err(end) => end,
        };
        match end {
            End::Lost => debug!("The socket broke"),
            End::Closed(reason) => {
                debug!("The client closed the socket");
                self.wire.close(reason);
            }
            End::Close(close) => {
                debug!(close.code, "The server closes the socket: {}", close.why);
                let reason = CloseReason {
                    code: CloseCode::from(close.code),
                    description: Some(close.why.to_owned()),
                };
                self.wire.close(Some(reason));
                let drained = async { while self.frames.next().await.is_ok() {} };
                let _ = tokio::time::timeout(LINGER, drained).await;
            }
        }
    }

    /// The first message and its reply, which waits in the outbox.
    async fn greet(&mut self, endpoint: &Endpoint) -> Result<(Attachment, Outbox), End> {
        let text = tokio::time::timeout(HELLO_TIMEOUT, self.first_text())
            .await
            .unwrap_or(Err(End::Close(close::NO_HELLO)))?;
        let Ok(FirstMessage::Hello {
            id,
            versions,
            session_id,
            token,
            quiet,
            resume,
        }) = from_slice_lossy(text.as_bytes())
        else {
            let id = from_slice_lossy(text.as_bytes()).map_or(0, |Unreadable { id }| id);
            let refusal = Refusal::invalid("the first message of a socket is a hello");
            return Err(self.turn_away(id, refusal));
        };
        if !versions.contains(&live::VERSION) {
            let refusal = Refusal::connect_failed(format!(
                "the server speaks version {} of the protocol; load the page again",
                live::VERSION
            ));
            return Err(self.turn_away(id, refusal));
        }
        let span = Span::current();
        span.record("session.id", session_id.as_str());
        let admitted = match resume {
            // The key proves more than the token, which may have expired meanwhile.
            Some(resume) => endpoint.sessions.resume(&session_id, &resume, id),
            None => admit(endpoint, &session_id, &token, quiet, id).await,
        };
        match admitted {
            Ok((attachment, outbox)) => {
                let connection = attachment.connection();
                span.record("connection.id", tracing::field::display(connection));
                debug!("Connection {connection} has a socket");
                Ok((attachment, outbox))
            }
            Err(refusal) => Err(self.turn_away(id, refusal)),
        }
    }

    async fn first_text(&mut self) -> Result<String, End> {
        loop {
            let arrival = self.frames.next().await;
            if let Some(text) = self.heard(arrival)? {
                return Ok(text);
            }
        }
    }

    /// Says why nobody is let in.
    fn turn_away(&self, id: u64, refusal: Refusal) -> End {
        debug!(refusal.code, "Nobody is let in: {}", refusal.message);
        let outcome = ReplyBody::Error { error: refusal };
        self.wire.text(message::reply_text(id, &outcome));
        End::Close(close::NOT_ADMITTED)
    }

    /// Requests in, replies and events out, until something ends it.
    async fn converse(&mut self, attachment: Attachment) -> End {
        let end = self.exchange(&attachment).await;
        let left =
            |reason: &CloseReason| matches!(reason.code, CloseCode::Normal | CloseCode::Away);
        match &end {
            End::Closed(Some(reason)) if left(reason) => attachment.closed(),
            End::Lost if self.is_silent() => attachment.lost(self.heard_at),
            _ => attachment.lost(Instant::now()),
        }
        end
    }

    async fn exchange(&mut self, attachment: &Attachment) -> End {
        let mut patience = Patience::default();
        let alarm = tokio::time::sleep_until(patience.due(self.heard_at).into());
        tokio::pin!(alarm);
        loop {
            tokio::select! {
                arrival = self.frames.next() => match self.heard(arrival) {
                    Ok(None) => {}
                    Ok(Some(text)) => if let Err(close) = handle(attachment, &text) {
                        return End::Close(close);
                    },
                    Err(end) => return end,
                },
                ended = self.wire.ended() => return match ended {
                    Ended::Lost => End::Lost,
                    Ended::Closing(closing) => End::Close(closing.into()),
                },
                () = alarm.as_mut() => {
                    match patience.look(self.heard_at, Instant::now()) {
                        Look::Alive => {}
                        Look::Ping => self.wire.ping(),
                        Look::Dead => return End::Lost,
                    }
                    alarm.as_mut().reset(patience.due(self.heard_at).into());
                }
            }
        }
    }

    /// What has arrived: a text, or nothing of interest.
    fn heard(&mut self, arrival: Result<Arrival, Broken>) -> Result<Option<String>, End> {
        let arrival = arrival.map_err(|broken| match broken {
            Broken::Lost => End::Lost,
            Broken::TooLong => End::Close(close::TOO_LONG),
            Broken::Binary => End::Close(close::BINARY),
            Broken::Malformed => End::Close(close::MALFORMED),
        })?;
        self.heard_at = Instant::now();
        match arrival {
            Arrival::Text(text) => Ok(Some(text)),
            Arrival::Pong => Ok(None),
            Arrival::Ping(bytes) => {
                self.wire.pong(bytes);
                Ok(None)
            }
            Arrival::Close(reason) => Err(End::Closed(reason)),
        }
    }

    fn is_silent(&self) -> bool {
        self.heard_at.elapsed() >= live::SOCKET_SILENCE
    }
}

/// How a socket on which nothing arrives is taken. One alarm does it all, and nothing is set for a message that
/// arrives: thousands of clients have one each.
#[derive(Default)]
struct Patience {
    pinged_at: Option<Instant>,
    /// When a client that was silent for too long is given up.
    last_chance: Option<Instant>,
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Alive,
    Ping,
    Dead,
}

impl Patience {
    /// When to look next, if nothing arrives before.
    fn due(&self, heard_at: Instant) -> Instant {
        self.deadline(heard_at).min(self.next_ping(heard_at))
    }

    fn look(&mut self, heard_at: Instant, now: Instant) -> Look {
        let deadline = self.deadline(heard_at);
        if now >= deadline {
            if self.last_chance == Some(deadline) {
                return Look::Dead;
            }
            self.last_chance = Some(now + LAST_CHANCE);
        } else if now < self.next_ping(heard_at) {
            return Look::Alive;
        }
        self.pinged_at = Some(now);
        Look::Ping
    }

    fn deadline(&self, heard_at: Instant) -> Instant {
        let silence = heard_at + live::SOCKET_SILENCE;
        self.last_chance
            .filter(|until| *until > silence)
            .unwrap_or(silence)
    }

    /// Who has just been heard need not be asked.
    fn next_ping(&self, heard_at: Instant) -> Instant {
        self.pinged_at.map_or(heard_at, |at| at.max(heard_at)) + live::PING_PERIOD
    }
}

async fn admit(
    endpoint: &Endpoint,
    session_id: &SessionId,
    token: &str,
    quiet: bool,
    id: u64,
) -> Result<(Attachment, Outbox), Refusal> {
    let Admitted { claims, relayed } = endpoint
        .admission
        .admit(session_id, token, clock::now_s())
        .await?;
    let newcomer = NewConnection {
        claims,
        relayed,
        quiet,
    };
    endpoint.sessions.join(session_id, &newcomer, id)
}

/// Hands one message to the session. An error is one that cannot be replied to.
fn handle(attachment: &Attachment, text: &str) -> Result<(), Close> {
    match from_slice_lossy(text.as_bytes()) {
        Ok(Message { id, request }) => attachment.request(id, request),
        Err(error) => {
            let Ok(Unreadable { id }) = from_slice_lossy(text.as_bytes()) else {
                return Err(close::UNREADABLE);
            };
            let message = format!("the message cannot be read: {error}");
            attachment.refuse(id, Refusal::invalid(message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_client_is_pinged_thrice_and_given_up_within_four_seconds() {
        let heard_at = Instant::now();
        let mut patience = Patience::default();
        let mut looks = Vec::new();
        let gone = loop {
            let now = patience.due(heard_at);
            match patience.look(heard_at, now) {
                Look::Ping => looks.push((now - heard_at).as_millis()),
                Look::Alive => panic!("there was no reason to look"),
                Look::Dead => break now - heard_at,
            }
        };
        assert_eq!(looks, [1500, 3000, 3500]);
        assert_eq!(gone, live::SOCKET_SILENCE + LAST_CHANCE);
    }

    #[test]
    fn a_client_that_talks_is_not_pinged() {
        let began = Instant::now();
        let mut patience = Patience::default();
        let due = patience.due(began);
        let heard_at = began + Duration::from_secs(1);
        assert_eq!(patience.look(heard_at, due), Look::Alive);
        assert_eq!(patience.due(heard_at), heard_at + live::PING_PERIOD);
    }

    #[test]
    fn a_client_that_answers_in_time_is_kept_though_the_server_stood_still() {
        let heard_at = Instant::now();
        let mut patience = Patience::default();
        let late = heard_at + Duration::from_secs(9);
        assert_eq!(patience.look(heard_at, late), Look::Ping);
        let answered_at = late + Duration::from_millis(100);
        assert_eq!(patience.look(answered_at, late + LAST_CHANCE), Look::Alive);
    }
}
