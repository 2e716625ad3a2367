//! Application messages.

use std::time::Instant;

use serde_json::Value;

use super::{Connection, LiveSession};
use crate::session::{
    ConnectionId, Refusal,
    event::{Event, Outcome},
};

/// Characters of a signal's type.
const MAX_TYPE: usize = 128;

/// Bytes of a signal's data as JSON text.
const MAX_DATA: usize = 8192;

impl LiveSession {
    pub(super) fn signal(
        &mut self,
        from: ConnectionId,
        signal_type: Option<String>,
        data: Option<Value>,
        to: Option<ConnectionId>,
        now: Instant,
    ) -> Result<Outcome, Refusal> {
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
        self.send_signal(Some(from), signal_type, data, to)?;
        Ok(Outcome::Done {})
    }

    /// A signal of the server itself, which no client can forge.
    ///
    /// # Errors
    /// 400 or 413: type or data break the rules. 404: there is nobody to receive it.
    pub fn signal_from_server(
        &mut self,
        to: Option<ConnectionId>,
        signal_type: Option<String>,
        data: Option<Value>,
    ) -> Result<(), Refusal> {
        if self.connections.is_empty() {
            return Err(Refusal::no_connection(404));
        }
        self.send_signal(None, signal_type, data, to)
    }

    fn send_signal(
        &mut self,
        from: Option<ConnectionId>,
        signal_type: Option<String>,
        data: Option<Value>,
        to: Option<ConnectionId>,
    ) -> Result<(), Refusal> {
        let invalid = |code, message: String| Refusal::new(code, "OT_INVALID_PARAMETER", message);
        if signal_type.as_deref().is_some_and(|word| !is_type(word)) {
            return Err(invalid(
                400,
                format!("a signal's type is 1 to {MAX_TYPE} of A-Z a-z 0-9 - . _ ~"),
            ));
        }
        let too_long = data
            .as_ref()
            .is_some_and(|data| data.to_string().len() > MAX_DATA);
        if too_long {
            return Err(invalid(
                413,
                format!("a signal's data has at most {MAX_DATA} bytes as JSON"),
            ));
        }
        let event = Event::Signal {
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
