//! One try to bring an event to its receiver.
//!
//! A name is resolved, what it stands for is looked at, and that is what is connected to: a name that stands for something
//! else a moment later changes nothing. Redirects are not followed, since they lead elsewhere. Proxies of the environment
//! are not used: one would resolve the name itself, somewhere where nothing can be looked at.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{
    Client, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::CONTENT_TYPE,
    redirect,
};
use tokio::net::lookup_host;
use tracing::warn;

use super::address::{UrlError, check_url, is_public};

/// From resolving the name to the head of the answer.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How long an open connection is kept for the next event.
const KEEP_FOR: Duration = Duration::from_secs(30);

/// Brings events to their receivers.
pub struct Poster {
    client: Client,
    allow_private: bool,
}

/// A request that is signed and ready.
pub struct Request<'a> {
    pub url: &'a str,
    pub id: &'a str,
    pub timestamp_s: i64,
    pub signature: &'a str,
    pub body: String,
}

/// Why a receiver has not taken an event. The sentences are for the log, and have nothing secret in them: no path, no query.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("redirects are not followed, and it answers {0}")]
    Redirect(StatusCode),
    #[error("it does not answer within {} s", TIME_LIMIT.as_secs())]
    TooSlow,
    #[error("{0}")]
    Unreachable(String),
    #[error(transparent)]
    Refused(#[from] UrlError),
}

impl Poster {
    /// # Errors
    /// When not even a client without certificates can be made.
    pub fn new(allow_private: bool) -> Result<Poster, reqwest::Error> {
        Poster::with_names(allow_private, Arc::new(Resolver { allow_private }))
    }

    fn with_names(allow_private: bool, names: Arc<dyn Resolve>) -> Result<Poster, reqwest::Error> {
        let prepared = || {
            Client::builder()
                .user_agent(concat!("Parlor/", env!("CARGO_PKG_VERSION")))
                .timeout(TIME_LIMIT)
                .pool_idle_timeout(KEEP_FOR)
                .pool_max_idle_per_host(1)
                .redirect(redirect::Policy::none())
                .referer(false)
                .no_proxy()
                .dns_resolver(Arc::clone(&names))
        };
        let client = prepared().build().or_else(|problem| {
            let problem = innermost(&problem).to_string();
            // Nobody may want callbacks, and calls do not need them.
            warn!(
                "Callbacks to https addresses will fail until this machine has certificates of authorities (the package \
                 ca-certificates) and Parlor is started again: {problem}"
            );
            prepared().tls_certs_only([]).build()
        })?;
        Ok(Poster {
            client,
            allow_private,
        })
    }

    /// Posts an event. Of the answer only the status counts; its body is not read.
    ///
    /// # Errors
    /// [`NotTaken`] unless the receiver answers with a status of success.
    pub async fn post(&self, request: Request<'_>) -> Result<(), NotTaken> {
        // Addresses without a name never come to the resolver.
        check_url(request.url, self.allow_private)?;
        let answer = self
            .client
            .post(request.url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", request.id)
            .header("webhook-timestamp", request.timestamp_s)
            .header("webhook-signature", request.signature)
            .body(request.body)
            .send()
            .await?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status if status.is_redirection() => Err(NotTaken::Redirect(status)),
            status => Err(NotTaken::Status(status)),
        }
    }
}

impl From<reqwest::Error> for NotTaken {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return NotTaken::TooSlow;
        }
        let cause = innermost(&error);
        if let Some(refused) = cause.downcast_ref::<UrlError>() {
            return NotTaken::Refused(refused.clone());
        }
        match cause.downcast_ref::<reqwest::Error>() {
            // Its own text has the address in it.
            Some(_) => NotTaken::Unreachable("the request could not be sent".to_owned()),
            None => NotTaken::Unreachable(cause.to_string()),
        }
    }
}

/// What is behind all that only says where it went wrong.
fn innermost(error: &reqwest::Error) -> &(dyn Error + 'static) {
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}

/// Finds the addresses of names, and gives those that events may go to.
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

/// Of what a name stands for, that which events may go to.
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

    /// Every name stands for these addresses, one after the other.
    struct Turning {
        addresses: Vec<SocketAddr>,
        asked: AtomicUsize,
    }

    impl Resolve for Turning {
        fn resolve(&self, name: Name) -> Resolving {
            let turn = self.asked.fetch_add(1, Ordering::Relaxed);
            let address = self.addresses[turn % self.addresses.len()];
            let found = allowed(name.as_str(), [address].into_iter(), false);
            Box::pin(async move { Ok(found?) })
        }
    }

    async fn post(poster: &Poster, url: &str) -> NotTaken {
        let request = Request {
            url,
            id: "evt_1",
            timestamp_s: 1,
            signature: "v1,x",
            body: "{}".to_owned(),
        };
        poster.post(request).await.unwrap_err()
    }

    #[tokio::test]
    async fn nothing_connects_to_a_private_address_whatever_its_name() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let names = Turning {
            addresses: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            asked: AtomicUsize::new(0),
        };
        let poster = Poster::with_names(false, Arc::new(names)).unwrap();

        // The name looks like any, and is found to be of this machine each time it is connected to.
        for _ in 0..2 {
            let refused = post(&poster, &format!("http://inside.example:{port}/secret")).await;
            assert!(
                matches!(&refused, NotTaken::Refused(UrlError::Private(name)) if name == "inside.example"),
                "{refused:?}"
            );
            assert!(!refused.to_string().contains("secret"));
        }
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            let refused = post(&poster, &format!("http://{host}:{port}/")).await;
            assert!(matches!(refused, NotTaken::Refused(_)), "{refused:?}");
        }
        tokio::select! {
            biased;
            _ = listener.accept() => panic!("somebody connected"),
            () = std::future::ready(()) => {}
        }
    }

    #[tokio::test]
    async fn what_this_machine_knows_of_a_name_is_filtered() {
        let resolve = async |allow_private| {
            let resolver = Resolver { allow_private };
            resolver.resolve("localhost".parse().unwrap()).await
        };
        let refused = resolve(false).await.map(drop).unwrap_err();
        assert!(refused.is::<UrlError>(), "{refused}");
        let mut found = resolve(true).await.unwrap();
        assert!(found.all(|address| address.ip().is_loopback()));
        // Of several, those that are public.
        let both = ["10.0.0.1:0", "1.1.1.1:0"].map(|text| text.parse().unwrap());
        let found = allowed("both.example", both.into_iter(), false).unwrap();
        assert_eq!(found.collect::<Vec<_>>(), both[1..]);
    }
}
