//! Headers that keep a page to itself: only our own scripts and styles, no frames around us, no
//! address of ours told to others.

use actix_web::middleware::DefaultHeaders;

/// What a page may load and do. There is no inline script and no inline style.
///
/// `blob:` is what recorded and captured pictures are; everything else comes from this server.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
    script-src 'self'; \
    style-src 'self'; \
    img-src 'self' data: blob:; \
    media-src 'self' blob: mediastream:; \
    connect-src 'self' ws: wss:; \
    font-src 'self'; \
    form-action 'self'; \
    frame-ancestors 'none'; \
    base-uri 'none'";

pub fn security() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("Content-Security-Policy", CONTENT_SECURITY_POLICY))
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("X-Frame-Options", "DENY"))
        .add(("Referrer-Policy", "same-origin"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add((
            "Permissions-Policy",
            "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
        ))
}
