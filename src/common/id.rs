//! The ids of connections, streams, archives, users and invitations.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// A UUID. Pages of the presence kit put ids into signal types, where `~` and whitespace are not allowed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(uuid::Uuid);

        impl $name {
            pub fn random() -> Self {
                $name(uuid::Uuid::new_v4())
            }

            /// `None` if `text` is not a UUID.
            pub fn parse(text: &str) -> Option<Self> {
                uuid::Uuid::try_parse(text).ok().map($name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}
id! {
    /// One client in a session. OpenTok "connectionId".
    ConnectionId
}
id! {
    /// A stream that a connection publishes. OpenTok "streamId".
    StreamId
}
id! {
    /// A recording of a session. OpenTok archive "id".
    ArchiveId
}
id! {
    /// A visitor: one browser, with any number of tabs.
    UserId
}
id! {
    /// An invitation of one user by another.
    InvitationId
}
