//! What browsers need of a platform that is not this server, and what they are therefore allowed.

/// The hosts of the OpenTok cloud: the API's own, and those that its library turns to for signaling, media and files.
const CLOUD: [&str; 4] = [
    "*.opentok.com",
    "*.tokbox.com",
    "*.vonage.com",
    "*.amazonaws.com",
];

/// A video platform as browsers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// Address of its browser library, a script that defines `OT`.
    pub library: String,
    /// What pages may load from and connect to for its sake, as sources of a Content-Security-Policy.
    pub sources: Vec<String>,
}

impl Outside {
    /// The platform whose API is at `api_url`.
    pub fn new(api_url: &str, library: &str) -> Outside {
        let mut sources = Vec::new();
        let mut allow = |source: String| {
            if !sources.contains(&source) {
                sources.push(source);
            }
        };
        for url in [library, api_url] {
            if let Some((scheme, host)) = origin(url) {
                let socket = if scheme == "https" { "wss" } else { "ws" };
                allow(format!("{scheme}://{host}"));
                allow(format!("{socket}://{host}"));
            }
        }
        if host(api_url).ends_with(".opentok.com") {
            for host in CLOUD {
                allow(format!("https://{host}"));
                allow(format!("wss://{host}"));
            }
        }
        Outside {
            library: library.to_owned(),
            sources,
        }
    }
}

/// Host and port of an address; empty if it is none.
pub(super) fn host(url: &str) -> &str {
    origin(url).map(|(_, host)| host).unwrap_or_default()
}

/// Scheme and host of an address. What is no character of a host would end a source of the policy.
fn origin(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let is_host = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter);
    (["http", "https"].contains(&scheme) && !host.is_empty() && host.chars().all(is_host))
        .then_some((scheme, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_parlor_is_allowed_its_own_origins_and_no_more() {
        let outside = Outside::new(
            "http://10.0.0.2:8080",
            "https://media.example/v2/js/opentok.js",
        );
        assert_eq!(
            outside.sources,
            [
                "https://media.example",
                "wss://media.example",
                "http://10.0.0.2:8080",
                "ws://10.0.0.2:8080"
            ]
        );
    }

    #[test]
    fn the_cloud_is_allowed_the_hosts_that_its_library_turns_to() {
        let outside = Outside::new(
            "https://api.opentok.com",
            "https://static.opentok.com/v2/js/opentok.min.js",
        );
        for source in [
            "https://static.opentok.com",
            "wss://*.opentok.com",
            "wss://*.tokbox.com",
        ] {
            assert!(
                outside.sources.iter().any(|each| each == source),
                "{source}"
            );
        }
    }

    #[test]
    fn what_could_end_a_source_is_no_host() {
        for url in [
            "https://a b",
            "https://a;script-src",
            "https://",
            "ftp://a",
            "a",
        ] {
            assert_eq!(origin(url), None, "{url}");
        }
        assert_eq!(host("https://a.example:8443/v2?x"), "a.example:8443");
    }
}
