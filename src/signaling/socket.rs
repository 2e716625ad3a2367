//! One WebSocket: from its first message to its close.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{CloseCode, CloseReason};
use tracing::{Instrument, Span, debug, debug_span, field::Empty};

use super::{
    close::{self, Close},
    frames::{Arrival, Broken, Frames},
    message::{self, FirstMessage, Message, Outcome, Refusal, Unreadable},
};
use crate::{
    clock,
    opentok::SessionId,
    session::{Admission, Admitted, Attachment, Newcomer, Outbox, Sessions, live},
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
    let (response, sender, stream) = actix_ws::handle(&request, body)?;
    let socket = Socket {
        sender,
        frames: Frames::new(stream),
        heard_at: Instant::now(),
    };
    let endpoint = endpoint.into_inner();
    let span = debug_span!("socket", session.id = Empty, connection.id = Empty);
    actix_web::rt::spawn(socket.serve(endpoint).instrument(span));
    Ok(response)
}

struct Socket {
    sender: actix_ws::Session,
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
        let end = match self.greet(&endpoint).await {
            Ok((attachment, outbox)) => self.converse(attachment, outbox).await,
            Err(end) => end,
        };
        match end {
            End::Lost => debug!("The socket broke"),
            End::Closed(reason) => {
                debug!("The client closed the socket");
                let _ = self.sender.close(reason).await;
            }
            End::Close(close) => {
                debug!(close.code, "The server closes the socket: {}", close.why);
                let reason = CloseReason {
                    code: CloseCode::from(close.code),
                    description: Some(close.why.to_owned()),
                };
                if self.sender.close(Some(reason)).await.is_ok() {
                    let drained = async { while self.frames.next().await.is_ok() {} };
                    let _ = tokio::time::timeout(LINGER, drained).await;
                }
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
        }) = serde_json::from_str(&text)
        else {
            let id = serde_json::from_str(&text).map_or(0, |Unreadable { id }| id);
            let refusal = Refusal::invalid("the first message of a socket is a hello");
            return Err(self.turn_away(id, refusal).await);
        };
        if !versions.contains(&live::VERSION) {
            let refusal = Refusal::connect_failed(format!(
                "the server speaks version {} of the protocol; load the page again",
                live::VERSION
            ));
            return Err(self.turn_away(id, refusal).await);
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
            Err(refusal) => Err(self.turn_away(id, refusal).await),
        }
    }

    async fn first_text(&mut self) -> Result<String, End> {
        loop {
            if let Some(text) = self.arrival().await? {
                return Ok(text);
            }
        }
    }

    /// Says why nobody is let in.
    async fn turn_away(&mut self, id: u64, refusal: Refusal) -> End {
        debug!(refusal.code, "Nobody is let in: {}", refusal.message);
        let outcome = Outcome::Error { error: refusal };
        let _ = self.sender.text(message::reply_text(id, &outcome)).await;
        End::Close(close::NOT_ADMITTED)
    }

    /// Requests in, replies and events out, until something ends it.
    async fn converse(&mut self, attachment: Attachment, mut outbox: Outbox) -> End {
        let end = self.exchange(&attachment, &mut outbox).await;
        let left =
            |reason: &CloseReason| matches!(reason.code, CloseCode::Normal | CloseCode::Away);
        match &end {
            End::Closed(Some(reason)) if left(reason) => attachment.closed(),
            End::Lost if self.is_silent() => attachment.lost(self.heard_at),
            _ => attachment.lost(Instant::now()),
        }
        end
    }

    async fn exchange(&mut self, attachment: &Attachment, outbox: &mut Outbox) -> End {
        let mut pings = tokio::time::interval(live::PING_PERIOD);
        pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last_chance = None;
        loop {
            let silence = self.heard_at + live::SOCKET_SILENCE;
            let deadline = last_chance
                .filter(|until| *until > silence)
                .unwrap_or(silence);
            tokio::select! {
                arrival = self.arrival() => match arrival {
                    Ok(None) => {}
                    Ok(Some(text)) => if let Err(close) = handle(attachment, &text) {
                        return End::Close(close);
                    },
                    Err(end) => return end,
                },
                message = outbox.next() => match message {
                    Ok(message) => {
                        let sent = self.sender.text(message::text(&message));
                        // A client that reads nothing for so long does not answer pings either.
                        match tokio::time::timeout(live::SOCKET_SILENCE, sent).await {
                            Ok(Ok(())) => {}
                            Ok(Err(_)) | Err(_) => return End::Lost,
                        }
                    }
                    Err(closing) => return End::Close(closing.into()),
                },
                _ = pings.tick() => if let Err(end) = self.ping().await {
                    return end;
                },
                () = tokio::time::sleep_until(deadline.into()) => {
                    if last_chance == Some(deadline) {
                        return End::Lost;
                    }
                    if let Err(end) = self.ping().await {
                        return end;
                    }
                    last_chance = Some(Instant::now() + LAST_CHANCE);
                }
            }
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        let ping = self.sender.ping(b"");
        match tokio::time::timeout(live::SOCKET_SILENCE, ping).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Lost),
        }
    }

    /// A text, or nothing of interest. Nothing is lost when the future is dropped while it waits.
    async fn arrival(&mut self) -> Result<Option<String>, End> {
        let arrival = self.frames.next().await.map_err(|broken| match broken {
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
                let _ = self.sender.pong(&bytes).await;
                Ok(None)
            }
            Arrival::Close(reason) => Err(End::Closed(reason)),
        }
    }

    fn is_silent(&self) -> bool {
        self.heard_at.elapsed() >= live::SOCKET_SILENCE
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
    let newcomer = Newcomer {
        claims,
        relayed,
        quiet,
    };
    endpoint.sessions.join(session_id, &newcomer, id)
}

/// Hands one message to the session. An error is one that cannot be replied to.
fn handle(attachment: &Attachment, text: &str) -> Result<(), Close> {
    match serde_json::from_str(text) {
        Ok(Message { id, request }) => attachment.request(id, request),
        Err(error) => {
            let Ok(Unreadable { id }) = serde_json::from_str(text) else {
                return Err(close::UNREADABLE);
            };
            let message = format!("the message cannot be read: {error}");
            attachment.refuse(id, Refusal::invalid(message));
        }
    }
    Ok(())
}
