//! The URLs of webhooks: which ones events may go to.
//!
//! The owner of an API key chooses URLs that this server then requests. Events go to the public internet only, unless the operator
//! allows private addresses: otherwise a key would reach the machines behind the server's firewall (server-side request forgery). A
//! host name proves nothing, so the client checks the resolved addresses (`client.rs`). The same rule says whether receivers reach
//! this server by the address at which it listens.

use std::net::SocketAddr;

use reqwest::Url;

use crate::common::public_address::{is_private_host, is_public};

/// The most characters of a URL.
const MAX_URL: usize = 2048;

/// The reason why events cannot go to a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error(
        "the url of a callback must be an http or https address, as in https://example.org/events"
    )]
    NotWeb,
    #[error("the url of a callback must not have a name and a password in it")]
    Credentials,
    #[error("the url of a callback has at most {MAX_URL} characters")]
    TooLong,
    /// The host, or every address of the host name, is private.
    #[error(
        "{0} is not on the public internet: events go to private addresses only if the operator starts the server with \
         --callback-allow-private"
    )]
    Private(String),
}

/// Checks the URL itself, without resolving its host name.
///
/// # Errors
/// [`UrlError`] has a message for the caller who gave the URL.
pub fn check_url(text: &str, allow_private: bool) -> Result<(), UrlError> {
    if text.chars().count() > MAX_URL {
        return Err(UrlError::TooLong);
    }
    // The parser drops some of these.
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(UrlError::NotWeb);
    }
    let url = Url::parse(text).map_err(|_| UrlError::NotWeb)?;
    let host = url.host_str().unwrap_or_default();
    if !["http", "https"].contains(&url.scheme()) || host.is_empty() {
        return Err(UrlError::NotWeb);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials);
    }
    let is_private = is_private_host(host);
    if is_private && !allow_private {
        return Err(UrlError::Private(host.to_owned()));
    }
    Ok(())
}

/// Returns the URL under which receivers reach a server that listens at this address.
///
/// `None`: the address is unspecified (0.0.0.0), or it is private and receivers are on the public internet.
pub fn reached_at(listening: SocketAddr, allow_private: bool) -> Option<String> {
    let ip = listening.ip();
    let is_reached = is_public(ip) || allow_private && !ip.to_canonical().is_unspecified();
    is_reached.then(|| format!("http://{listening}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_public_one_of_the_web_without_credentials() {
        for good in [
            "https://example.org/events",
            "http://example.org:8080/a?b=c",
            "https://1.1.1.1/",
            "https://[2606:4700:4700::1111]/",
            "https://b\u{fc}cher.example",
        ] {
            assert_eq!(check_url(good, false), Ok(()), "{good}");
        }
        for (wrong, error) in [
            ("", UrlError::NotWeb),
            ("example.org", UrlError::NotWeb),
            ("ftp://example.org/", UrlError::NotWeb),
            ("file:///etc/passwd", UrlError::NotWeb),
            ("https://", UrlError::NotWeb),
            ("https:// example.org/", UrlError::NotWeb),
            ("https://exam\tple.org/", UrlError::NotWeb),
            ("https://example.org/\n", UrlError::NotWeb),
            ("https://user@example.org/", UrlError::Credentials),
            ("https://:word@example.org/", UrlError::Credentials),
        ] {
            assert_eq!(check_url(wrong, true), Err(error), "{wrong}");
        }
        let long = format!("https://example.org/{}", "x".repeat(MAX_URL));
        assert_eq!(check_url(&long, true), Err(UrlError::TooLong));
    }

    #[test]
    fn links_lead_to_addresses_that_receivers_can_use() {
        for (listening, public, private) in [
            ("0.0.0.0:8080", false, false),
            ("[::]:8080", false, false),
            ("[::ffff:0.0.0.0]:8080", false, false),
            ("127.0.0.1:8080", false, true),
            ("[::1]:8080", false, true),
            ("192.168.1.7:8080", false, true),
            ("9.9.9.9:8080", true, true),
            ("[2606:4700:4700::1111]:8080", true, true),
        ] {
            let address = listening.parse().unwrap();
            for (allow_private, is_reached) in [(false, public), (true, private)] {
                let link = is_reached.then(|| format!("http://{listening}"));
                assert_eq!(reached_at(address, allow_private), link, "{listening}");
            }
        }
    }

    #[test]
    fn private_addresses_are_refused_however_they_are_written() {
        for private in [
            "http://127.0.0.1:8080/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.0.0.1./",
            "http://0/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:8.8.8.8]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://localhost:3000/",
            "http://LOCALHOST/",
            "http://localhost./",
            "http://some.localhost/",
            "http://\u{ff11}27.0.0.1/",
        ] {
            let refused = check_url(private, false);
            assert!(
                matches!(refused, Err(UrlError::Private(_))),
                "{private}: {refused:?}"
            );
            assert_eq!(check_url(private, true), Ok(()), "{private}");
        }
    }
}
