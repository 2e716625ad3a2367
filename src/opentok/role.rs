//! The permissions of a token's holder in a session.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The role written into a token. OpenTok "role".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Subscribes and signals.
    Subscriber,
    /// Publishes, subscribes and signals. The role of a token without a role.
    #[default]
    Publisher,
    /// Publishes only: neither subscribes nor signals.
    PublisherOnly,
    /// Does what a publisher does, and moderates: disconnects, unpublishes and mutes others.
    Moderator,
}

impl Role {
    pub fn may_publish(self) -> bool {
        self != Role::Subscriber
    }

    pub fn may_subscribe(self) -> bool {
        self != Role::PublisherOnly
    }

    pub fn may_signal(self) -> bool {
        self != Role::PublisherOnly
    }

    pub fn may_moderate(self) -> bool {
        self == Role::Moderator
    }

    /// The word used on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Subscriber => "subscriber",
            Role::Publisher => "publisher",
            Role::PublisherOnly => "publisheronly",
            Role::Moderator => "moderator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not a role.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a recognized role")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        match word {
            "subscriber" => Ok(Role::Subscriber),
            "publisher" => Ok(Role::Publisher),
            "publisheronly" => Ok(Role::PublisherOnly),
            "moderator" => Ok(Role::Moderator),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}
