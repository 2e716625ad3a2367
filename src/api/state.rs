//! The state that all handlers of the API share.

use crate::{app::App, archive_object::ObjectWriter, platform::Embedded};

/// The state that all handlers of the API share.
pub struct Api {
    pub(super) platform: Embedded,
    pub(super) objects: ObjectWriter,
    /// Whether callbacks may go to private addresses.
    pub(super) private_callbacks: bool,
    /// The public URL of the server; `None`: the URL that the caller used.
    pub(super) public_url: Option<String>,
    /// Whether the header of old SDKs, which has the secret in it, is accepted.
    pub(super) legacy_auth: bool,
}

impl Api {
    pub fn new(app: &App, platform: Embedded, objects: ObjectWriter) -> Api {
        Api {
            platform,
            objects,
            private_callbacks: app.config.callbacks.callback_allow_private,
            public_url: app.config.network.public_url.clone(),
            legacy_auth: app.config.keys.legacy_auth,
        }
    }
}
