//! The server SDK: the client of an application's server for OpenTok's REST API.
//!
//! It offers what OpenTok's Ruby SDK 2.2.0 and newer SDKs offer on the same API. It differs from
//! the gem where the gem has a defect, and each place says so: a client's URL and
//! credentials are its own ([`OpenTok`]), expiries are numbers and an empty session id is
//! refused with an error ([`TokenOptions`]), an archive stays readable after it was stopped or deleted
//! ([`Archive`](super::Archive)), and a failed stop does not say that a start failed.

use std::{net::IpAddr, time::Duration};

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

/// The SDK's name in `User-Agent`.
pub const USER_AGENT: &str = concat!("Parlor-OpenTok-SDK/", env!("CARGO_PKG_VERSION"));

/// A client for one project of one OpenTok server.
///
/// Cheap to clone; clones share connections, other clients share nothing (in the gem 2.2.0 all
/// clients used the address and the credentials of the last one made).
///
/// An idempotent request is retried once if the connection breaks or a proxy answers 502, 503 or
/// 504. A request that was never sent is retried once in any case. No other request is retried.
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

/// The options of a client.
#[must_use]
pub struct OpenTokBuilder {
    api_key: String,
    api_secret: String,
    settings: Settings,
}

impl OpenTok {
    /// Creates a client of the OpenTok cloud. It sends no request.
    ///
    /// # Errors
    /// [`Error::Argument`]: the key is not a number, or the secret is empty.
    pub fn new(api_key: impl ToString, api_secret: impl Into<String>) -> Result<OpenTok, Error> {
        OpenTok::builder(api_key, api_secret).build()
    }

    /// Creates a client of another server, or with other timeouts.
    pub fn builder(api_key: impl ToString, api_secret: impl Into<String>) -> OpenTokBuilder {
        OpenTokBuilder {
            api_key: api_key.to_string(),
            api_secret: api_secret.into(),
            settings: Settings {
                api_url: API_URL.to_owned(),
                connect_timeout: Duration::from_secs(5),
                timeout: Duration::from_secs(30),
                user_agent: USER_AGENT.to_owned(),
                file_addresses: None,
            },
        }
    }

    pub fn api_key(&self) -> u32 {
        self.http.credentials().api_key
    }

    pub fn api_secret(&self) -> &str {
        self.http.credentials().secret()
    }

    /// The server's URL, without a slash at the end.
    pub fn api_url(&self) -> &str {
        self.http.url()
    }

    /// Creates a session.
    ///
    /// # Errors
    /// [`Error::Validation`] when the options conflict, with the gem's sentence when the location is
    /// not an IPv4 address; [`Error::Authentication`] and [`Error::Refused`] when the server refuses;
    /// [`Error::Connection`] and [`Error::Reply`] when there is no valid reply.
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

    /// Generates a token with which a page connects to `session_id`. It sends no request.
    ///
    /// # Errors
    /// [`Error::Validation`], with the gem's sentences: the session belongs to another key, the expiry is
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
    /// The server's URL: `http` or `https`, with a path if the server has one.
    pub fn api_url(mut self, url: impl Into<String>) -> Self {
        self.settings.api_url = url.into();
        self
    }

    /// The timeout of a whole request. The default is 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// The timeout of connecting. The default is 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// The text after the SDK's own name in `User-Agent`, such as `my-app/1.0`.
    pub fn user_agent(mut self, addition: &str) -> Self {
        self.settings.user_agent = format!("{USER_AGENT} {addition}");
        self
    }

    /// Downloads files only from these addresses and from the host of the API. Such downloads use no proxy. The default is all
    /// addresses.
    pub fn file_addresses(mut self, allows: fn(IpAddr) -> bool) -> Self {
        self.settings.file_addresses = Some(allows);
        self
    }

    /// # Errors
    /// [`Error::Argument`]: the key is not a number, the secret is empty, or the URL is not valid.
    pub fn build(self) -> Result<OpenTok, Error> {
        let credentials = Credentials::new(&self.api_key, &self.api_secret)?;
        Ok(OpenTok {
            http: Http::new(self.settings, credentials)?,
        })
    }
}

/// Returns the id in the reply to `session/create`. The first byte tells JSON from XML, because some
/// servers always answer XML, and some send a wrong content type.
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
