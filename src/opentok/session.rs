//! A session as the server of an application holds it.

use std::{fmt, net::Ipv4Addr};

use super::{Error, Resolution, SessionId, TokenOptions, credentials::Credentials};

/// How a new session is to be.
///
/// The default is a routed session, as in the gem 2.2.0; newer SDKs make relayed ones unless told
/// otherwise, and those cannot be archived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionOptions {
    pub media_mode: MediaMode,
    /// An IPv4 address near which the media should be.
    pub location: Option<String>,
    pub archive_mode: ArchiveMode,
    /// Name of the archives made by [`ArchiveMode::Always`]; at most 80 characters.
    pub archive_name: Option<String>,
    /// Resolution of the archives made by [`ArchiveMode::Always`].
    pub archive_resolution: Option<Resolution>,
}

/// Which way media go. OpenTok "p2p.preference".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaMode {
    /// Through the server.
    #[default]
    Routed,
    /// From browser to browser where that is possible.
    Relayed,
}

/// When a session is archived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArchiveMode {
    /// When the application says so.
    #[default]
    Manual,
    /// As long as somebody is in it.
    Always,
}

impl SessionOptions {
    pub(super) fn check(&self) -> Result<(), Error> {
        let refuse = |sentence: &str| Err(Error::Validation(sentence.to_owned()));
        if let Some(location) = &self.location
            && location.parse::<Ipv4Addr>().is_err()
        {
            return refuse("location must be an IPv4 address");
        }
        match self.archive_mode {
            ArchiveMode::Always if self.media_mode == MediaMode::Relayed => {
                refuse("a session that is always archived must be routed")
            }
            ArchiveMode::Manual
                if self.archive_name.is_some() || self.archive_resolution.is_some() =>
            {
                refuse("archive_name and archive_resolution go with archive mode always only")
            }
            _ if (self.archive_name.as_ref()).is_some_and(|name| name.chars().count() > 80) => {
                refuse("archive_name must be at most 80 characters")
            }
            ArchiveMode::Always | ArchiveMode::Manual => Ok(()),
        }
    }

    /// The fields of `POST /session/create`. What is not asked for is not sent, so that a server of
    /// 2014 understands them.
    pub(super) fn form(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        if let Some(location) = &self.location {
            fields.push(("location", location.clone()));
        }
        let preference = match self.media_mode {
            MediaMode::Relayed => "enabled",
            MediaMode::Routed => "disabled",
        };
        fields.push(("p2p.preference", preference.to_owned()));
        if self.archive_mode == ArchiveMode::Always {
            fields.push(("archiveMode", "always".to_owned()));
        }
        if let Some(name) = &self.archive_name {
            fields.push(("archiveName", name.clone()));
        }
        if let Some(resolution) = self.archive_resolution {
            fields.push(("archiveResolution", resolution.to_string()));
        }
        fields
    }
}

/// A session, with what is needed to let people into it. Displays as its id.
#[derive(Clone, Debug)]
pub struct Session {
    pub session_id: SessionId,
    pub media_mode: MediaMode,
    /// The hint it was made with.
    pub location: Option<String>,
    pub archive_mode: ArchiveMode,
    credentials: Credentials,
}

impl Session {
    /// A session that was made earlier: routed, without a hint, archived by hand; change the fields
    /// if it is otherwise.
    ///
    /// # Errors
    /// [`Error::Argument`]: the key is not a number, or the secret is empty.
    pub fn new(
        api_key: impl ToString,
        api_secret: &str,
        session_id: impl Into<SessionId>,
    ) -> Result<Session, Error> {
        let credentials = Credentials::new(&api_key.to_string(), api_secret)?;
        Ok(Session::created(
            credentials,
            session_id.into(),
            &SessionOptions::default(),
        ))
    }

    pub(super) fn created(
        credentials: Credentials,
        session_id: SessionId,
        options: &SessionOptions,
    ) -> Session {
        Session {
            session_id,
            media_mode: options.media_mode,
            location: options.location.clone(),
            archive_mode: options.archive_mode,
            credentials,
        }
    }

    pub fn api_key(&self) -> u32 {
        self.credentials.api_key
    }

    pub fn api_secret(&self) -> &str {
        self.credentials.secret()
    }

    /// A token with which a page connects to the session.
    ///
    /// # Errors
    /// As [`OpenTok::generate_token`](super::OpenTok::generate_token).
    pub fn generate_token(&self, options: &TokenOptions) -> Result<String, Error> {
        self.credentials.generate_token(&self.session_id, options)
    }

    /// Whether `session_id` was made for `api_key`, by what the id itself says. (The gem asks whether
    /// the key's digits are anywhere in it.)
    pub fn belongs_to_api_key(session_id: &SessionId, api_key: u32) -> bool {
        session_id.api_key() == Some(api_key)
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.session_id.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "1_MX4xMjM0NTZ-flNhdCBNYXIgMTUgMTQ6NDI6MjMgUERUIDIwMTR-MC40OTAxMzAyNX4";

    fn session() -> Session {
        Session::new(123_456, "very secret", SESSION).unwrap()
    }

    #[test]
    fn a_session_of_earlier_is_routed_and_displays_as_its_id() {
        let session = session();
        assert_eq!(session.api_key(), 123_456);
        assert_eq!(session.media_mode, MediaMode::Routed);
        assert_eq!(session.location, None);
        assert_eq!(session.to_string(), SESSION);
    }

    #[test]
    fn a_session_makes_its_own_tokens() {
        let token = session().generate_token(&TokenOptions::default()).unwrap();
        assert!(token.starts_with("T1=="));
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert!(!format!("{:?}", session()).contains("very secret"));
    }

    #[test]
    fn a_session_belongs_to_the_key_in_its_id_and_to_no_part_of_it() {
        let id = SessionId::from(SESSION);
        assert!(Session::belongs_to_api_key(&id, 123_456));
        assert!(!Session::belongs_to_api_key(&id, 12_345));
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        let options = SessionOptions::default;
        let at = |location: &str| SessionOptions {
            location: Some(location.to_owned()),
            ..options()
        };
        let named = |archive_mode, name: String| SessionOptions {
            archive_mode,
            archive_name: Some(name),
            ..options()
        };
        for location in ["", "localhost", "1.2.3", "1.2.3.256", "::1", "1.2.3.4 "] {
            let error = at(location).check().unwrap_err();
            assert!(matches!(error, Error::Validation(_)));
            assert_eq!(
                error.to_string(),
                "location must be an IPv4 address",
                "{location}"
            );
        }
        let relayed_always = SessionOptions {
            media_mode: MediaMode::Relayed,
            archive_mode: ArchiveMode::Always,
            ..options()
        };
        assert!(relayed_always.check().is_err());
        assert!(named(ArchiveMode::Manual, "n".to_owned()).check().is_err());
        assert!(named(ArchiveMode::Always, "n".repeat(81)).check().is_err());
        assert!(named(ArchiveMode::Always, "n".repeat(80)).check().is_ok());
        assert!(at("12.34.56.78").check().is_ok());
    }
}
