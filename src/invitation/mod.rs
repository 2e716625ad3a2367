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
//! tabs the [`InvitationMessage`] that concern it. Whoever (re)connects starts from [`BuddySnapshot`].

mod chat;
mod lifecycle;
mod message;
mod missed;
mod recently_ended;
mod recording_consent;
pub mod store;
mod switchboard;

use serde::Serialize;

pub use chat::{ChatEnd, ChatEndReason, ChatRecord};
pub use lifecycle::{AnswerError, Invitation, Invite, InviteRefusal, InviteResult};
pub use message::{
    BuddySnapshot, ChatRecording, ChatView, IncomingInvitation, InvitationEvent, InvitationMessage,
    OutgoingInvitation,
};
pub use missed::MissedCall;
pub use recording_consent::{RecordingAction, RecordingError, RecordingState};
pub use switchboard::{JoinError, Switchboard};

pub use crate::common::id::InvitationId;

/// How an invitation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum InvitationOutcome {
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

impl InvitationOutcome {
    /// The inviter's doing, not an answer.
    pub fn is_inviters(self) -> bool {
        matches!(
            self,
            InvitationOutcome::Cancelled
                | InvitationOutcome::InviterTookAnother
                | InvitationOutcome::InviterGone
        )
    }

    /// The invitee did not answer by itself, so the call is listed as missed.
    pub fn is_missed(self) -> bool {
        !matches!(
            self,
            InvitationOutcome::Accepted | InvitationOutcome::Declined
        )
    }
}

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;
