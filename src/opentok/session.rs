//! A handle of a session for an application's server.

use std::{fmt, net::Ipv4Addr};

use super::{
    Error, Resolution, SessionId, TokenOptions, credentials::Credentials, wire_enum::wire_enum,
};

/// The options of a new session.
///
/// The default is a routed session, as in the gem 2.2.0. The default of newer SDKs is a relayed
/// session, which cannot be archived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionOptions {
    pub media_mode: MediaMode,
    /// An IPv4 address as a hint for the location of the media server.
    pub location: Option<String>,
    pub archive_mode: ArchiveMode,
    /// The name of the archives made by [`ArchiveMode::Always`]; at most 80 characters.
    pub archive_name: Option<String>,
    /// Resolution of the archives made by [`ArchiveMode::Always`].
    pub archive_resolution: Option<Resolution>,
}

wire_enum! {
    /// The path of a session's media.
    #[derive(Default)]
    MediaMode {
        /// Through the server, which can record them.
        #[default]
        Routed = "routed",
        /// From browser to browser where that is possible.
        Relayed = "relayed",
    }
}

/// When a session is archived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArchiveMode {
    /// When the application starts it.
    #[default]
    Manual,
    /// While clients are connected.
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

    /// Returns the fields of `POST /session/create`. Defaults are not sent, so that a server of 2014
    /// accepts the form.
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

/// A session, with the credentials to generate its tokens. Displays as its id.
#[derive(Clone, Debug)]
pub struct Session {
    pub session_id: SessionId,
    pub media_mode: MediaMode,
    /// The location hint.
    pub location: Option<String>,
    pub archive_mode: ArchiveMode,
    credentials: Credentials,
}

impl Session {
    /// Returns a handle of an existing session: routed, without a hint, with archive mode manual.
    /// Change the fields if they differ.
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

    /// Generates a token with which a page connects to the session.
    ///
    /// # Errors
    /// The same as [`OpenTok::generate_token`](super::OpenTok::generate_token).
    pub fn generate_token(&self, options: &TokenOptions) -> Result<String, Error> {
        self.credentials.generate_token(&self.session_id, options)
    }

    /// Whether `session_id` belongs to `api_key`, according to the id. (The gem checks only that the
    /// key's digits are in the id.)
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
