//! Application messages.

use std::time::Instant;

use serde_json::Value;

use super::{Connection, Effect, LiveSession, SocketId};
use crate::session::{
    ClientSignal, ConnectionId, Refusal,
    event::{ReplyBody, SessionEvent},
};

/// Characters of a signal's type.
const MAX_TYPE: usize = 128;

/// Bytes of a signal's data as JSON text.
const MAX_DATA: usize = 8192;

impl LiveSession {
    /// From now on an observer answers the signals of clients, and says who of them is seen.
    pub fn set_mediated(&mut self) {
        self.is_mediated = true;
    }

    /// The observer's answer to [`Effect::Mediate`].
    pub fn answer_mediated(
        &mut self,
        socket: SocketId,
        request: u64,
        verdict: Result<(), Refusal>,
    ) {
        let outcome = verdict.map_or_else(ReplyBody::from, |()| ReplyBody::Done {});
        self.reply(socket, request, outcome);
    }

    /// Hands a signal to the observer.
    pub(super) fn submit_signal(
        &mut self,
        socket: SocketId,
        request: u64,
        signal: ClientSignal,
        now: Instant,
    ) -> Result<(), Refusal> {
        self.may_signal(signal.from, now)?;
        check(signal.signal_type.as_deref(), as_json(signal.data.as_ref()))?;
        self.effects.push(Effect::Mediate {
            socket,
            request,
            signal,
        });
        Ok(())
    }

    pub(super) fn signal(
        &mut self,
        from: ConnectionId,
        signal_type: Option<String>,
        data: Option<Value>,
        to: Option<ConnectionId>,
        now: Instant,
    ) -> Result<ReplyBody, Refusal> {
        self.may_signal(from, now)?;
        check(signal_type.as_deref(), as_json(data.as_ref()))?;
        self.send_signal(Some(from), signal_type, data, to)?;
        Ok(ReplyBody::Done {})
    }

    fn may_signal(&mut self, from: ConnectionId, now: Instant) -> Result<(), Refusal> {
        let sender = self.connected(from)?;
        if !sender.role.may_signal() {
            return Err(Refusal::permission(
                403,
                "the token's role does not allow signals",
            ));
        }
        if !sender.limits.signal(now) {
            return Err(Refusal::rate(
                "too many signals; 50 a second are allowed, and one more for everybody who joins",
            ));
        }
        Ok(())
    }

    /// A signal of the server: without `from` its own, which no client can forge; with `from` in the name of a
    /// connection.
    ///
    /// # Errors
    /// 400 or 413: type or data break the rules. 404: there is nobody to receive it.
    pub fn signal_from_server(
        &mut self,
        from: Option<ConnectionId>,
        to: Option<ConnectionId>,
        signal_type: Option<String>,
        data: Option<Value>,
    ) -> Result<(), Refusal> {
        if self.connections.is_empty() {
            return Err(Refusal::no_connection(404));
        }
        let length = match &data {
            // An application counts the bytes of its text, a page those of its JSON.
            Some(Value::String(text)) => text.len(),
            other => as_json(other.as_ref()),
        };
        check(signal_type.as_deref(), length)?;
        self.send_signal(from, signal_type, data, to)
    }

    fn send_signal(
        &mut self,
        from: Option<ConnectionId>,
        signal_type: Option<String>,
        data: Option<Value>,
        to: Option<ConnectionId>,
    ) -> Result<(), Refusal> {
        let event = SessionEvent::Signal {
            signal_type,
            data,
            from,
        };
        match to {
            None => self.tell_everyone(None, event),
            Some(to) if self.connections.contains_key(&to) => self.tell(to, event),
            Some(_) => return Err(Refusal::no_connection(404)),
        }
        Ok(())
    }

    /// The connection that asks for something.
    pub(super) fn connected(&mut self, id: ConnectionId) -> Result<&mut Connection, Refusal> {
        self.connections
            .get_mut(&id)
            .ok_or_else(|| Refusal::gone("the connection is over"))
    }
}

/// Bytes of the data's JSON text.
fn as_json(data: Option<&Value>) -> usize {
    data.map_or(0, |data| data.to_string().len())
}

/// Whether type and data, of so many bytes, are within the bounds of signals.
fn check(signal_type: Option<&str>, length: usize) -> Result<(), Refusal> {
    let invalid = |code, message: String| Refusal::new(code, "OT_INVALID_PARAMETER", message);
    if signal_type.is_some_and(|word| !is_type(word)) {
        return Err(invalid(
            400,
            format!("a signal's type is 1 to {MAX_TYPE} of A-Z a-z 0-9 - . _ ~"),
        ));
    }
    if length > MAX_DATA {
        return Err(invalid(
            413,
            format!("a signal's data has at most {MAX_DATA} bytes"),
        ));
    }
    Ok(())
}

fn is_type(word: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (1..=MAX_TYPE).contains(&word.len()) && word.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use super::is_type;

    #[test]
    fn a_type_is_made_of_unreserved_characters() {
        for good in ["a", "chat-1._~", &"x".repeat(128)] {
            assert!(is_type(good), "{good}");
        }
        for bad in ["", " ", "a b", "ä", "a/b", "a:b", &"x".repeat(129)] {
            assert!(!is_type(bad), "{bad}");
        }
    }

    // The presence kit's signal types: a connection id, `~` and a word.
    #[test]
    fn a_connection_id_fits_into_a_type() {
        assert!(is_type("0b9d4c8e-7f0e-4b3e-9d0a-6a1f6c1d2e3f~status"));
    }
}
