//! The static files, embedded in the binary: the scripts and styles of the pages, and the browser library at the paths
//! from which pages written for OpenTok load it.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, ETag, EntityTag, Header as _, IfNoneMatch},
    web::Path,
};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::error::WebError;

#[derive(RustEmbed)]
#[folder = "static/"]
#[include = "css/*"]
#[include = "vendor/*"]
#[include = "js/*"]
#[include = "icon.svg"]
#[include = "opentok.js"]
#[exclude = "*.test.js"]
#[exclude = "js/*/testing/*"]
struct Static;

/// The paths from which pages written for OpenTok load the browser library.
pub const LIBRARY_PATHS: [&str; 7] = [
    "/v2/js/opentok.js",
    "/v2/js/opentok.min.js",
    "/webrtc/v2.2/js/opentok.js",
    "/webrtc/v2.2/js/opentok.min.js",
    "/webrtc/v2.2/js/TB.js",
    "/webrtc/v2.2/js/TB.min.js",
    "/webrtc/v2/js/opentok.min.js",
];

/// `GET /static/{path}`
pub async fn file(request: HttpRequest, path: Path<String>) -> Result<HttpResponse, WebError> {
    let found = Static::get(&path).ok_or(WebError::PageNotFound)?;
    Ok(answer(&request, found))
}

/// The browser library. Pages of other sites load it, too.
pub async fn library(request: HttpRequest) -> Result<HttpResponse, WebError> {
    let found = Static::get("opentok.js").ok_or(WebError::PageNotFound)?;
    let mut response = answer(&request, found);
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"),
    ] {
        response
            .headers_mut()
            .insert(name, header::HeaderValue::from_static(value));
    }
    Ok(response)
}

/// Browsers cache the file and revalidate it each time, so an upgrade takes effect immediately.
fn answer(request: &HttpRequest, file: EmbeddedFile) -> HttpResponse {
    let hash = file.metadata.sha256_hash();
    let hash: String = hash[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // Weak, because compression changes the bytes.
    let tag = EntityTag::new_weak(hash);
    let is_known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|other| other.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = if is_known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header(ETag(tag))
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    if is_known {
        return response.finish();
    }
    response
        .content_type(content_type(file.metadata.mimetype()))
        .body(file.data.into_owned())
}

fn content_type(mime: &str) -> String {
    match mime {
        "text/css" | "text/javascript" | "application/javascript" => {
            format!("{mime}; charset=utf-8")
        }
        _ => mime.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pages_load_is_inside_and_what_developers_use_is_not() {
        for path in [
            "css/theme.css",
            "vendor/bootstrap/bootstrap.min.css",
            "vendor/bootstrap-icons/icons.svg",
            "js/theme.js",
        ] {
            assert!(Static::get(path).is_some(), "{path}");
        }
        let inside: Vec<_> = Static::iter().collect();
        for path in ["package.json", "tsconfig.json", "biome.json"] {
            assert!(Static::get(path).is_none(), "{path}");
        }
        assert!(
            inside
                .iter()
                .all(|path| !path.contains("node_modules") && !path.contains(".test.")),
            "{inside:?}"
        );
    }
}
