//! The HTTP client of webhooks: sends one request for one delivery attempt.
//!
//! The client resolves a host name, checks the resolved addresses, and connects to one of exactly these: a name that resolves to
//! another address a moment later (DNS rebinding) changes nothing. The client does not follow redirects, because they lead to unchecked
//! URLs. It does not use the proxies of the environment, because a proxy resolves names itself.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{
    StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::CONTENT_TYPE,
    redirect,
};
use tokio::net::lookup_host;
use tracing::warn;

use super::url_policy::{UrlError, check_url};
use crate::common::public_address::is_public;

/// The time limit from resolving the name to the head of the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection stays open for the next event.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends events to their URLs.
pub struct Client {
    http: reqwest::Client,
    allow_private: bool,
}

/// A signed request.
pub struct Request<'a> {
    pub url: &'a str,
    pub id: &'a str,
    pub timestamp_s: i64,
    pub signature: &'a str,
    pub body: String,
}

/// The reason why an event was not delivered. The messages go to the log, so they contain nothing secret: no path and no query.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("the server responds {0}")]
    Status(StatusCode),
    #[error("the server responds {0}, and redirects are not followed")]
    Redirect(StatusCode),
    #[error("the server does not respond within {} s", REQUEST_TIMEOUT.as_secs())]
    TooSlow,
    #[error("{0}")]
    Unreachable(String),
    #[error(transparent)]
    Refused(#[from] UrlError),
}

impl Client {
    /// Builds the client.
    ///
    /// # Errors
    /// Fails if not even a client without root certificates can be built.
    pub fn new(allow_private: bool) -> Result<Client, reqwest::Error> {
        Client::with_resolver(allow_private, Arc::new(Resolver { allow_private }))
    }

    fn with_resolver(
        allow_private: bool,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Client, reqwest::Error> {
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("Parlor/", env!("CARGO_PKG_VERSION")))
                .timeout(REQUEST_TIMEOUT)
                .pool_idle_timeout(POOL_IDLE_TIMEOUT)
                .pool_max_idle_per_host(1)
                .redirect(redirect::Policy::none())
                .referer(false)
                .no_proxy()
                .dns_resolver(Arc::clone(&resolver))
        };
        let http = builder().build().or_else(|error| {
            let error = innermost(&error);
            // Calls work without callbacks, so this does not stop the server.
            warn!(
                %error,
                "Callbacks to https URLs will fail: install root certificates (the package ca-certificates) and restart Parlor"
            );
            builder().tls_certs_only([]).build()
        })?;
        Ok(Client {
            http,
            allow_private,
        })
    }

    /// Posts an event. Only the status of the response counts; its body is not read.
    ///
    /// # Errors
    /// [`DeliveryError`] unless the server responds with a status of success (2xx).
    pub async fn post(&self, request: Request<'_>) -> Result<(), DeliveryError> {
        // The resolver does not see hosts that are IP addresses.
        check_url(request.url, self.allow_private)?;
        let response = self
            .http
            .post(request.url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", request.id)
            .header("webhook-timestamp", request.timestamp_s)
            .header("webhook-signature", request.signature)
            .body(request.body)
            .send()
            .await?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status if status.is_redirection() => Err(DeliveryError::Redirect(status)),
            status => Err(DeliveryError::Status(status)),
        }
    }
}

impl From<reqwest::Error> for DeliveryError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return DeliveryError::TooSlow;
        }
        let cause = innermost(&error);
        if let Some(refused) = cause.downcast_ref::<UrlError>() {
            return DeliveryError::Refused(refused.clone());
        }
        match cause.downcast_ref::<reqwest::Error>() {
            // Its message contains the URL.
            Some(_) => DeliveryError::Unreachable("the request could not be sent".to_owned()),
            None => DeliveryError::Unreachable(cause.to_string()),
        }
    }
}

/// Returns the root cause of an error.
fn innermost(error: &reqwest::Error) -> &(dyn Error + 'static) {
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}

/// Resolves host names to the addresses that events may go to.
struct Resolver {
    allow_private: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = lookup_host((name.as_str(), 0)).await?;
            Ok(allowed(name.as_str(), found, allow_private)?)
        })
    }
}

/// Filters the addresses of a host name by the URL policy.
fn allowed(
    name: &str,
    found: impl Iterator<Item = SocketAddr>,
    allow_private: bool,
) -> Result<Addrs, UrlError> {
    let allowed: Vec<_> = found
        .filter(|address| allow_private || is_public(address.ip()))
        .collect();
    if allowed.is_empty() {
        return Err(UrlError::Private(name.to_owned()));
    }
    Ok(Box::new(allowed.into_iter()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::TcpListener;

    use super::*;

    /// Resolves every name to these addresses in turn.
    struct Rotating {
        addresses: Vec<SocketAddr>,
        asked: AtomicUsize,
    }

    impl Resolve for Rotating {
        fn resolve(&self, name: Name) -> Resolving {
            let turn = self.asked.fetch_add(1, Ordering::Relaxed);
            let address = self.addresses[turn % self.addresses.len()];
            let found = allowed(name.as_str(), [address].into_iter(), false);
            Box::pin(async move { Ok(found?) })
        }
    }

    async fn post(client: &Client, url: &str) -> DeliveryError {
        let request = Request {
            url,
            id: "evt_1",
            timestamp_s: 1,
            signature: "v1,x",
            body: "{}".to_owned(),
        };
        client.post(request).await.unwrap_err()
    }

    #[tokio::test]
    async fn nothing_connects_to_a_private_address_whatever_its_name() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let names = Rotating {
            addresses: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            asked: AtomicUsize::new(0),
        };
        let client = Client::with_resolver(false, Arc::new(names)).unwrap();

        // The name looks public, and each connection resolves it to this machine.
        for _ in 0..2 {
            let refused = post(&client, &format!("http://inside.example:{port}/secret")).await;
            assert!(
                matches!(&refused, DeliveryError::Refused(UrlError::Private(name)) if name == "inside.example"),
                "{refused:?}"
            );
            assert!(!refused.to_string().contains("secret"));
        }
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            let refused = post(&client, &format!("http://{host}:{port}/")).await;
            assert!(matches!(refused, DeliveryError::Refused(_)), "{refused:?}");
        }
        tokio::select! {
            biased;
            _ = listener.accept() => panic!("the client connected"),
            () = std::future::ready(()) => {}
        }
    }

    #[tokio::test]
    async fn resolved_addresses_are_filtered() {
        let resolve = async |allow_private| {
            let resolver = Resolver { allow_private };
            resolver.resolve("localhost".parse().unwrap()).await
        };
        let refused = resolve(false).await.map(drop).unwrap_err();
        assert!(refused.is::<UrlError>(), "{refused}");
        let mut found = resolve(true).await.unwrap();
        assert!(found.all(|address| address.ip().is_loopback()));
        // Of several addresses the public ones remain.
        let both = ["10.0.0.1:0", "1.1.1.1:0"].map(|text| text.parse().unwrap());
        let found = allowed("both.example", both.into_iter(), false).unwrap();
        assert_eq!(found.collect::<Vec<_>>(), both[1..]);
    }
}
