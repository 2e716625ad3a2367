//! Security headers: pages load only their own scripts and styles, cannot be framed, and send no referrer to other
//! sites.

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_SECURITY_POLICY, HeaderValue},
    middleware::DefaultHeaders,
};

use super::error::WebError;
use crate::platform::{BrowserAccess, Platform};

/// The Content Security Policy. Pages have no inline scripts and no inline styles.
///
/// Captured and recorded media have `blob:` URLs. Everything else comes from this server or, on the pages that need it, from
/// the video platform.
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

/// Allows a page to load from the video platform and to connect to it.
///
/// # Errors
/// A URL of the platform is not a valid header value.
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
