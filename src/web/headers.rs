//! Headers that keep a page to itself: only our own scripts and styles, no frames around us, no
//! address of ours told to others.

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_SECURITY_POLICY, HeaderValue},
    middleware::DefaultHeaders,
};

use super::error::WebError;
use crate::platform::{BrowserAccess, Platform};

/// What a page may load and do. There is no inline script and no inline style.
///
/// `blob:` is what recorded and captured pictures are; everything else comes from this server, or, on the pages that need
/// it, from the video platform.
fn policy(access: Option<&BrowserAccess>) -> String {
    let also = |sources: Option<&[String]>| {
        let each = sources.unwrap_or_default().iter();
        each.map(|source| format!(" {source}")).collect::<String>()
    };
    let scripts = also(access.map(|access| access.scripts.as_slice()));
    let also = also(access.map(|access| access.sources.as_slice()));
    format!(
        "default-src 'none'; \
         script-src 'self'{scripts}; \
         style-src 'self'{scripts}; \
         img-src 'self' data: blob:{also}; \
         media-src 'self' blob: mediastream:{also}; \
         connect-src 'self' ws: wss:{also}; \
         font-src 'self'; \
         form-action 'self'; \
         frame-ancestors 'none'; \
         base-uri 'none'"
    )
}

/// Lets a page use the video platform, wherever that is.
///
/// # Errors
/// An address of the platform's that is no header.
pub fn with_platform(
    mut page: HttpResponse,
    platform: &dyn Platform,
) -> Result<HttpResponse, WebError> {
    if let Some(access) = &platform.info().browser_access {
        let policy = HeaderValue::from_str(&policy(Some(access))).map_err(anyhow::Error::from)?;
        page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(page)
}

pub fn security() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((CONTENT_SECURITY_POLICY, policy(None)))
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("X-Frame-Options", "DENY"))
        .add(("Referrer-Policy", "same-origin"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add((
            "Permissions-Policy",
            "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
        ))
}
