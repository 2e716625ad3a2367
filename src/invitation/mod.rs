//! Invitations to one-to-one calls, and the calls they lead to.
//!
//! The [`Switchboard`] knows everything and decides everything, so that no two browsers can disagree:
//!
//! ```text
//!              ┌── decline, cancel, time-out, either side goes ──▶ over, both are told why
//! invite ──▶ ringing
//!    │         └── accept ──▶ chat ── either ends it or goes ──▶ over, both are told why
//!    ├── the other one is inviting you: connected at once
//!    └── the other one cannot be invited: answered at once, with the reason
//! ```
//!
//! It is a plain struct behind whatever lock its caller chooses. The caller reports what people ask (each
//! method says who may) and what happens in the presence session and in the sessions of chats; after every
//! call, and whenever [`Switchboard::due`] has come, it carries out what [`Switchboard::poll`] returns.
//!
//! What people hear is JSON: everybody the [`RosterDelta`](crate::presence::RosterDelta)s of the roster, each user's
//! tabs the [`News`] that concern it. Whoever (re)connects starts from [`Mine`].

mod chat;
mod consent;
mod lifecycle;
mod limit;
mod missed;
mod news;
mod over;
pub mod store;
mod switchboard;

use serde::Serialize;

pub use chat::{ChatEnd, ChatRecord, EndReason};
pub use consent::{RecordingAction, RecordingError, RecordingState};
pub use lifecycle::{AnswerError, Invitation, Invite, Invited, Refused};
pub use missed::MissedCall;
pub use news::{ChatRecording, ChatView, Event, Incoming, Mine, News, Outgoing};
pub use switchboard::{JoinError, Switchboard};

pub use crate::common::id::InvitationId;

/// How an invitation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The chat has begun.
    Accepted,
    /// The invitee said no.
    Declined,
    /// The invitee accepted another invitation, or was accepted by somebody else.
    TookAnother,
    /// Nobody answered in time.
    NoAnswer,
    /// The invitee is in a call.
    Busy,
    /// The invitee waits for an answer to an invitation of its own.
    Inviting,
    /// The invitee does not want to be disturbed.
    DoNotDisturb,
    /// The invitee is not here (or wants to seem so).
    Gone,
    /// The inviter took it back.
    Cancelled,
    /// The inviter accepted another invitation meanwhile.
    InviterTookAnother,
    /// The inviter left.
    InviterGone,
}

impl Outcome {
    /// The inviter's doing, not an answer.
    pub fn is_inviters(self) -> bool {
        matches!(
            self,
            Outcome::Cancelled | Outcome::InviterTookAnother | Outcome::InviterGone
        )
    }

    /// The invitee did not answer by itself, so the call is listed as missed.
    pub fn is_missed(self) -> bool {
        !matches!(self, Outcome::Accepted | Outcome::Declined)
    }
}

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;
