//! Where a visitor returns to after signing in: a page of this server.

use url::Url;

/// A stand-in for this server's origin. Only whether a URL leaves it matters.
const ORIGIN: &str = "http://parlor.invalid";

/// The path and query of `back`, or `/` if `back` leads to another site, to no URL or to a page of signing in.
///
/// Anyone may have written `back` into a link. Browsers ignore tabs and line breaks in a URL and read `\` as `/`; the
/// parser does the same. The result has no character that a header cannot carry.
pub fn return_path(back: &str) -> String {
    local_path(back).unwrap_or_else(|| "/".to_owned())
}

fn local_path(back: &str) -> Option<String> {
    let origin = Url::parse(ORIGIN).ok()?;
    let url = origin.join(back).ok()?;
    let path = url.path();
    // A browser reads a path that begins with two slashes as the name of another host.
    if url.origin() != origin.origin() || path.starts_with("//") || path.starts_with("/sign-") {
        return None;
    }
    Some(match url.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_of_this_server_is_returned_to() {
        for back in [
            "/",
            "/history?page=2",
            "/rooms/main/host",
            "/archives/x?a=%0A",
        ] {
            assert_eq!(return_path(back), back);
        }
    }

    #[test]
    fn a_link_never_leads_to_another_site() {
        for back in [
            "",
            "//evil.example",
            "///evil.example",
            "https://evil.example",
            "https:/evil.example",
            "https:evil.example",
            "http:\\\\evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "\t//evil.example",
            "/\n/evil.example",
            "/\r\n/evil.example",
            " //evil.example",
            "\u{1}//evil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/x/..//evil.example",
            "/%2e//evil.example",
            "//user@evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "/sign-in",
            "/sign-out",
            "/x/../sign-in",
        ] {
            assert_eq!(return_path(back), "/", "{back:?}");
        }
    }

    #[test]
    fn control_characters_are_encoded() {
        assert_eq!(return_path("/rooms/\u{1}x"), "/rooms/%01x");
        assert_eq!(return_path("/x\r\nset-cookie: a=b"), "/xset-cookie:%20a=b");
    }

    proptest! {
        #[test]
        fn every_result_is_a_path_and_a_header_value(back in "[/\\\\.:?#@%\t\n\r\u{0}a-f0-9é ]{0,24}|\\PC{0,24}") {
            let path = return_path(&back);
            prop_assert!(path.starts_with('/') && !path.starts_with("//"), "{}", path);
            prop_assert!(HeaderValue::from_str(&path).is_ok());
            let origin = Url::parse(ORIGIN).unwrap();
            prop_assert_eq!(origin.join(&path).unwrap().origin(), origin.origin());
        }
    }
}
