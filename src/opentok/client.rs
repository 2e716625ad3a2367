//! The server SDK: what the server of an application asks of OpenTok.
//!
//! It does what OpenTok's Ruby SDK 2.2.0 does, and what newer SDKs do on the same API. Differences
//! from the gem are where the gem is at fault, and each is named where it is: a client's address and
//! credentials are its own ([`OpenTok`]), expiries are numbers and an empty session id is
//! refused in words ([`TokenOptions`]), an archive stays readable after it was stopped or deleted
//! ([`Archive`](super::Archive)), and a failed stop does not say that a start failed.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;

use super::{
    Archives, Error, Session, SessionId, SessionOptions, TokenOptions,
    credentials::Credentials,
    http::{Call, Http, Settings},
    xml,
};

/// The OpenTok cloud.
pub const API_URL: &str = "https://api.opentok.com";

/// What the SDK calls itself in `User-Agent`.
pub const USER_AGENT: &str = concat!("Parlor-OpenTok-SDK/", env!("CARGO_PKG_VERSION"));

/// A client for one project of one OpenTok server.
///
/// Cheap to clone; clones share connections, other clients share nothing (in the gem 2.2.0 all
/// clients used the address and the credentials of the last one made).
///
/// What is idempotent is tried a second time when the connection breaks or a proxy answers 502, 503
/// or 504; a request that never left is tried a second time in any case. Nothing else is.
///
/// ```no_run
/// use parlor::opentok::{OpenTok, Role, SessionOptions, TokenOptions};
///
/// # async fn example() -> Result<(), parlor::opentok::Error> {
/// let opentok = OpenTok::builder("123456", "the secret")
///     .api_url("https://meet.example.org")
///     .build()?;
/// let session = opentok.create_session(&SessionOptions::default()).await?;
/// let token = session.generate_token(&TokenOptions {
///     role: Role::Moderator,
///     ..TokenOptions::default()
/// })?;
/// let mut archive = opentok.archives().start(&session.session_id, &Default::default()).await?;
/// archive.stop().await?;
/// println!("{token} {} {}", archive.id, archive.status);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OpenTok {
    pub(super) http: Http,
}

/// What a client may be told beside its credentials.
#[must_use]
pub struct OpenTokBuilder {
    api_key: String,
    api_secret: String,
    settings: Settings,
}

impl OpenTok {
    /// A client of the OpenTok cloud. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Argument`]: the key is not a number, or the secret is empty.
    pub fn new(api_key: impl ToString, api_secret: impl Into<String>) -> Result<OpenTok, Error> {
        OpenTok::builder(api_key, api_secret).build()
    }

    /// A client of another server, or with other waits.
    pub fn builder(api_key: impl ToString, api_secret: impl Into<String>) -> OpenTokBuilder {
        OpenTokBuilder {
            api_key: api_key.to_string(),
            api_secret: api_secret.into(),
            settings: Settings {
                api_url: API_URL.to_owned(),
                connect_timeout: Duration::from_secs(5),
                timeout: Duration::from_secs(30),
                user_agent: USER_AGENT.to_owned(),
            },
        }
    }

    pub fn api_key(&self) -> u32 {
        self.http.credentials().api_key
    }

    pub fn api_secret(&self) -> &str {
        self.http.credentials().secret()
    }

    /// Where the server is, without a slash at the end.
    pub fn api_url(&self) -> &str {
        self.http.url()
    }

    /// Makes a session.
    ///
    /// # Errors
    /// [`Error::Validation`] when the options do not go together, with the gem's sentence when the
    /// location is no IPv4 address; [`Error::Authentication`] and [`Error::Refused`] as the server
    /// says; [`Error::Connection`] and [`Error::Reply`] when it did not say anything sensible.
    pub async fn create_session(&self, options: &SessionOptions) -> Result<Session, Error> {
        options.check()?;
        let call = Call::new(Method::POST, ["session", "create"]).form(&options.form());
        let reply = self.http.send(&call).await?;
        match reply.status {
            200..300 => Ok(Session::created(
                self.http.credentials().clone(),
                created_id(&reply.body)?,
                options,
            )),
            401 | 403 => Err(Error::Authentication(reply.refusal(format!(
                "Authentication failed while creating a session. API Key: {}",
                self.api_key()
            )))),
            status => Err(Error::Refused(reply.refusal(format!(
                "Failed to create session. Response code: {status}"
            )))),
        }
    }

    /// A token with which a page connects to `session_id`. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Validation`], with the gem's sentences: the session is of another key, the expiry is
    /// not within the next 30 days, or the data is too long.
    pub fn generate_token(
        &self,
        session_id: &SessionId,
        options: &TokenOptions,
    ) -> Result<String, Error> {
        self.http.credentials().generate_token(session_id, options)
    }

    /// The project's archives.
    pub fn archives(&self) -> Archives<'_> {
        Archives { opentok: self }
    }
}

impl OpenTokBuilder {
    /// The server's address: `http` or `https`, with a path if it is behind one.
    pub fn api_url(mut self, url: impl Into<String>) -> Self {
        self.settings.api_url = url.into();
        self
    }

    /// The longest wait for a whole reply. 30 s unless said otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// The longest wait for a connection. 5 s unless said otherwise.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// What stands behind the SDK's own name in `User-Agent`, such as `my-app/1.0`.
    pub fn user_agent(mut self, addition: &str) -> Self {
        self.settings.user_agent = format!("{USER_AGENT} {addition}");
        self
    }

    /// # Errors
    /// [`Error::Argument`]: the key is not a number, the secret is empty, or the address is none.
    pub fn build(self) -> Result<OpenTok, Error> {
        let credentials = Credentials::new(&self.api_key, &self.api_secret)?;
        Ok(OpenTok {
            http: Http::new(self.settings, credentials)?,
        })
    }
}

/// The id in the reply to `session/create`. Its first byte says whether it is JSON or XML: some
/// servers answer XML whatever they are asked for, and some call it by another type.
fn created_id(body: &[u8]) -> Result<SessionId, Error> {
    #[derive(Deserialize)]
    struct Created {
        session_id: String,
    }

    let id = if body.trim_ascii_start().starts_with(b"<") {
        xml::session_id(body)
    } else {
        let created: Vec<Created> = serde_json::from_slice(body)?;
        created.into_iter().next().map(|created| created.session_id)
    };
    id.filter(|id| !id.is_empty())
        .map(SessionId::from)
        .ok_or_else(|| Error::Reply("there is no session id in it".to_owned()))
}
