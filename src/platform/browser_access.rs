//! What browsers need to use a platform on another server: its library, and sources for the Content-Security-Policy.

/// The hosts of the OpenTok cloud: the API's, and those that its library uses for signaling and media.
const CLOUD: [&str; 3] = ["*.opentok.com", "*.tokbox.com", "*.vonage.com"];

/// The hosts of the cloud's files. Anyone can have a bucket there, so pages load no scripts from them.
const CLOUD_FILES: &str = "*.amazonaws.com";

/// How browsers reach a video platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserAccess {
    /// URL of its browser library, a script that defines `OT`.
    pub library: String,
    /// Sources of scripts and styles, for a Content-Security-Policy.
    pub scripts: Vec<String>,
    /// Sources of images and media, and hosts to connect to.
    pub sources: Vec<String>,
}

impl BrowserAccess {
    /// The platform whose API is at `api_url`.
    pub fn new(api_url: &str, library: &str) -> BrowserAccess {
        let (mut scripts, mut sources) = (Vec::new(), Vec::new());
        let allow = |sources: &mut Vec<String>, source: String| {
            if !sources.contains(&source) {
                sources.push(source);
            }
        };
        let is_cloud = host(api_url).ends_with(".opentok.com");
        let cloud = CLOUD.iter().filter(|_| is_cloud);
        let cloud = cloud.map(|host| ("https", *host));
        for (scheme, host) in [library, api_url]
            .into_iter()
            .filter_map(origin)
            .chain(cloud)
        {
            let socket = if scheme == "https" { "wss" } else { "ws" };
            allow(&mut scripts, format!("{scheme}://{host}"));
            allow(&mut sources, format!("{scheme}://{host}"));
            allow(&mut sources, format!("{socket}://{host}"));
        }
        if is_cloud {
            allow(&mut sources, format!("https://{CLOUD_FILES}"));
        }
        BrowserAccess {
            library: library.to_owned(),
            scripts,
            sources,
        }
    }
}

/// Host and port of a URL; empty if the text is not a URL.
pub(super) fn host(url: &str) -> &str {
    origin(url).map(|(_, host)| host).unwrap_or_default()
}

/// Scheme and host of a URL. A host with other characters is refused, since they could end a source of the policy.
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
        let access = BrowserAccess::new(
            "http://10.0.0.2:8080",
            "https://media.example/v2/js/opentok.js",
        );
        assert_eq!(
            access.scripts,
            ["https://media.example", "http://10.0.0.2:8080"]
        );
        assert_eq!(
            access.sources,
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
        let access = BrowserAccess::new(
            "https://api.opentok.com",
            "https://static.opentok.com/v2/js/opentok.min.js",
        );
        for source in [
            "https://static.opentok.com",
            "wss://*.opentok.com",
            "wss://*.tokbox.com",
        ] {
            assert!(access.sources.iter().any(|each| each == source), "{source}");
        }
    }

    #[test]
    fn nothing_runs_from_where_anybody_may_keep_files() {
        let access = BrowserAccess::new(
            "https://api.opentok.com",
            "https://static.opentok.com/v2/js/opentok.min.js",
        );
        let is_anybodys = |source: &String| source.contains("amazonaws");
        assert!(access.sources.iter().any(is_anybodys));
        assert_eq!(
            access.scripts,
            [
                "https://static.opentok.com",
                "https://api.opentok.com",
                "https://*.opentok.com",
                "https://*.tokbox.com",
                "https://*.vonage.com"
            ]
        );
    }

    #[test]
    fn a_host_that_could_end_a_policy_source_is_refused() {
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
