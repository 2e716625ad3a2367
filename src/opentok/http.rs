//! Requests to OpenTok's REST API, and their replies.
//!
//! Every client has its own connections, URL and credentials (in the Ruby SDK 2.2.0 all clients
//! shared those of the last one).

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use form_urlencoded::Serializer;
use reqwest::{
    Client, ClientBuilder, Method, Response, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use serde::Deserialize;

use super::{
    Error, Refusal,
    credentials::{Credentials, now},
};

/// The maximum length of a reply, in bytes. A full list of 1000 archives is below 1 MiB.
const LONGEST_REPLY: usize = 16 * 1024 * 1024;

/// The maximum length of the server's message in an error, in characters.
const LONGEST_REASON: usize = 500;

/// The delay before a retry: long enough for a proxy to notice a restart, too short for a user to
/// notice.
const PAUSE: Duration = Duration::from_millis(250);

/// The maximum number of redirects to follow.
const REDIRECTS: usize = 3;

#[derive(Clone)]
pub(super) struct Http {
    client: Client,
    files: FileClient,
    url: Url,
    credentials: Credentials,
}

/// The settings of a client.
pub(super) struct Settings {
    /// The URL. It may end in a slash and have a path.
    pub(super) api_url: String,
    pub(super) connect_timeout: Duration,
    /// The timeout of a whole request.
    pub(super) timeout: Duration,
    pub(super) user_agent: String,
    /// The addresses that files are fetched from, besides the host of `api_url`; `None`: all.
    pub(super) file_addresses: Option<AddressFilter>,
}

/// Whether requests may go to an address.
pub(super) type AddressFilter = fn(IpAddr) -> bool;

/// The client that fetches files. The server chooses their URLs.
#[derive(Clone)]
struct FileClient {
    client: Client,
    hosts: HostFilter,
}

/// Whether requests may go to a host.
#[derive(Clone)]
struct HostFilter {
    /// The host that the caller chose. It may have any address.
    trusted: String,
    addresses: Option<AddressFilter>,
}

pub(super) struct Call<'a> {
    method: Method,
    path: Vec<&'a str>,
    query: Vec<(&'static str, String)>,
    body: Option<(&'static str, String)>,
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// The first attempt got no reply, so it may have taken effect.
    pub(super) is_second_try: bool,
    retry_after: Option<Duration>,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, path: impl IntoIterator<Item = &'a str>) -> Call<'a> {
        Call {
            method,
            path: path.into_iter().collect(),
            query: Vec::new(),
            body: None,
        }
    }

    pub(super) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query
            .extend(value.map(|value| (name, value.to_string())));
        self
    }

    pub(super) fn json(mut self, body: &impl serde::Serialize) -> Self {
        let text = serde_json::to_string(body).expect("the SDK's bodies have text for keys");
        self.body = Some(("application/json", text));
        self
    }

    pub(super) fn form(mut self, fields: &[(&str, String)]) -> Self {
        let text = Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body = Some(("application/x-www-form-urlencoded", text));
        self
    }

    /// The call is idempotent.
    fn is_idempotent(&self) -> bool {
        [Method::GET, Method::PUT, Method::DELETE].contains(&self.method)
    }
}

impl Http {
    pub(super) fn new(settings: Settings, credentials: Credentials) -> Result<Http, Error> {
        let url = Url::parse(&settings.api_url)
            .ok()
            .filter(|url| ["http", "https"].contains(&url.scheme()))
            .filter(|url| url.username().is_empty() && url.password().is_none())
            .ok_or_else(|| {
                Error::Argument("api_url must be an http or https address".to_owned())
            })?;
        let builder = || {
            Client::builder()
                .user_agent(&settings.user_agent)
                .connect_timeout(settings.connect_timeout)
                .timeout(settings.timeout)
                .redirect(redirect::Policy::custom(follow))
        };
        let build = |builder: ClientBuilder| {
            builder
                .build()
                .map_err(|error| Error::Argument(innermost(&error)))
        };
        let client = build(builder())?;
        let hosts = HostFilter {
            trusted: url.host_str().unwrap_or_default().to_owned(),
            addresses: settings.file_addresses,
        };
        let files = FileClient {
            client: match hosts.addresses {
                // A proxy would resolve names itself, without the filter.
                Some(_) => build(builder().no_proxy().dns_resolver(Arc::new(hosts.clone())))?,
                None => client.clone(),
            },
            hosts,
        };
        Ok(Http {
            client,
            files,
            url,
            credentials,
        })
    }

    /// The URL without a slash at its end.
    pub(super) fn url(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Sends `call` to `/v2/project/{key}/…`.
    pub(super) async fn project(&self, mut call: Call<'_>) -> Result<Reply, Error> {
        let key = self.credentials.api_key.to_string();
        call.path.splice(0..0, ["v2", "project", &key]);
        self.send(&call).await
    }

    /// Sends `call`, and retries it once if that is safe: if no connection was made, or, for an
    /// idempotent call, if the connection broke or a proxy had no server behind it. A call that timed
    /// out is not retried, because the caller has waited long enough.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Reply, Error> {
        let first = self.attempt(call).await;
        let try_again = match &first {
            Ok(reply) => call.is_idempotent() && [502, 503, 504].contains(&reply.status),
            Err(NoReply::Setup(_)) => false,
            Err(NoReply::Failed(error)) => {
                !error.is_timeout() && (error.is_connect() || call.is_idempotent())
            }
        };
        if !try_again {
            return first.map_err(Error::from);
        }
        tokio::time::sleep(PAUSE).await;
        let mut second = self.attempt(call).await?;
        second.is_second_try = true;
        Ok(second)
    }

    /// Requests a file at any URL, without credentials. `longest` is the timeout until its last byte.
    pub(super) async fn fetch(&self, url: &str, longest: Duration) -> Result<Response, Error> {
        let url = Url::parse(url)
            .ok()
            .filter(|url| ["http", "https"].contains(&url.scheme()))
            .ok_or_else(|| Error::Argument("a file's url must be http or https".to_owned()))?;
        let host = url.host_str().unwrap_or_default();
        // The resolver does not see hosts that are IP addresses.
        if let Ok(address) = host.trim_matches(['[', ']']).parse()
            && !self.files.hosts.allows(host, address)
        {
            return Err(Error::Argument(private_address(host)));
        }
        Ok(self.files.client.get(url).timeout(longest).send().await?)
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<Reply, NoReply> {
        let mut auth = HeaderValue::try_from(self.credentials.request_jwt(now()))
            .expect("a JWT is plain ASCII");
        auth.set_sensitive(true);
        let mut request = self
            .client
            .request(call.method.clone(), self.address(call)?)
            .header("X-OPENTOK-AUTH", auth)
            .header(ACCEPT, "application/json");
        if let Some((content_type, body)) = &call.body {
            request = request
                .header(CONTENT_TYPE, *content_type)
                .body(body.clone());
        }

        let mut response = request.send().await?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > LONGEST_REPLY {
                return Err(NoReply::Setup(Error::Reply("it is too long".to_owned())));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status,
            body,
            is_second_try: false,
            retry_after,
        })
    }

    /// Encodes each id as one segment of the path, because ids may have any characters.
    fn address(&self, call: &Call<'_>) -> Result<Url, NoReply> {
        if call.path.iter().any(|part| ["", ".", ".."].contains(part)) {
            return Err(NoReply::Setup(Error::Argument(
                "an id is empty or no id".to_owned(),
            )));
        }
        let mut url = self.url.clone();
        url.path_segments_mut()
            .expect("an http address has a path")
            .pop_if_empty()
            .extend(&call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }
}

impl HostFilter {
    fn allows(&self, host: &str, address: IpAddr) -> bool {
        host == self.trusted || self.addresses.is_none_or(|allows| allows(address))
    }
}

/// Resolves a name to those of its addresses that requests may go to.
impl Resolve for HostFilter {
    fn resolve(&self, name: Name) -> Resolving {
        let hosts = self.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((host, 0)).await?;
            let allowed: Vec<_> = found
                .filter(|address| hosts.allows(host, address.ip()))
                .collect();
            if allowed.is_empty() {
                return Err(private_address(host).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn private_address(host: &str) -> String {
    format!("the file is at {host}, which is not on the public internet")
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("url", &self.url())
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

impl Reply {
    pub(super) fn read<T: for<'de> Deserialize<'de>>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(Error::from)
    }

    /// Returns the refusal with the SDK's sentence `message`.
    pub(super) fn refusal(&self, message: impl Into<String>) -> Refusal {
        let (code, reason) = complaint(&self.body);
        Refusal {
            message: message.into(),
            status: self.status,
            code,
            reason,
            retry_after: self.retry_after,
        }
    }
}

/// Why there is no reply.
enum NoReply {
    /// A retry would have the same result.
    Setup(Error),
    Failed(reqwest::Error),
}

impl From<reqwest::Error> for NoReply {
    fn from(error: reqwest::Error) -> Self {
        NoReply::Failed(error)
    }
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        NoReply::Failed(error).into()
    }
}

impl From<NoReply> for Error {
    fn from(none: NoReply) -> Self {
        match none {
            NoReply::Setup(error) => error,
            NoReply::Failed(error) => Error::Connection {
                cause: innermost(&error),
                timed_out: error.is_timeout(),
            },
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Error::Reply(error.to_string())
    }
}

/// A redirect must not send the signed request to another server.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let is_same_server = attempt
        .previous()
        .first()
        .is_some_and(|first| first.origin() == attempt.url().origin());
    if is_same_server && attempt.previous().len() <= REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Returns the code and message of an error body, which is JSON or XML.
fn complaint(body: &[u8]) -> (Option<i64>, Option<String>) {
    #[derive(Deserialize)]
    struct Complaint {
        #[serde(default, deserialize_with = "super::wire::lenient")]
        code: Option<i64>,
        #[serde(default, deserialize_with = "super::wire::lenient")]
        message: Option<String>,
        #[serde(default, deserialize_with = "super::wire::lenient")]
        description: Option<String>,
    }

    let (code, reason) = match serde_json::from_slice::<Complaint>(body) {
        Ok(complaint) => (complaint.code, complaint.message.or(complaint.description)),
        Err(_) => super::xml::complaint(body).unwrap_or_default(),
    };
    let reason = reason
        .map(|text| text.trim().chars().take(LONGEST_REASON).collect())
        .filter(|text: &String| !text.is_empty());
    (code, reason)
}

/// Returns the innermost cause of an error. The outer ones only say that sending failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
