//! What people hear of invitations and chats, in the JSON their pages read.

use serde::Serialize;

use super::{
    ChatEnd, ChatEndReason, ChatRecord, InvitationId, InvitationOutcome, MissedCall, RecordingState,
};
use crate::{
    opentok::SessionId,
    presence::{Availability, Person, RosterDelta, UserId},
    session::ConnectionId,
};

/// What the caller of the switchboard has to carry out, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum InvitationEvent {
    /// Tell everybody in the presence session.
    RosterChanged(RosterDelta),
    /// Tell every tab that the user has open now ([`Roster::tabs`](crate::presence::Roster::tabs)).
    UserNotified {
        to: UserId,
        message: InvitationMessage,
    },
    /// Keep the chat ([`store::add`](super::store::add)).
    ChatStarted(ChatRecord),
    /// Keep the end of the chat ([`store::end`](super::store::end)), and disconnect whoever is still
    /// in its session; what records it is to be stopped before.
    ChatEnded(ChatEnd),
    /// Both have agreed: record the session, and report by
    /// [`Switchboard::recording_started`](super::Switchboard::recording_started) or
    /// [`recording_ended`](super::Switchboard::recording_ended).
    RecordingAgreed {
        session: SessionId,
        /// What to call the archive: both names.
        name: String,
        /// The name of the one who asked.
        started_by: String,
    },
    /// One of the two has stopped the recording.
    RecordingStopRequested(SessionId),
}

/// What concerns one user; all of the user's tabs hear it.
///
/// ```json
/// {"type": "calling",    "invitation": "…", "to":   {"id": "…", "name": "Bob"}, "ringsForMs": 45000}
/// {"type": "ringing",    "invitation": "…", "from": {"id": "…", "name": "Ann", "number": 2}, "ringsForMs": 45000}
/// {"type": "answered",   "invitation": "…", "outcome": "declined"}
/// {"type": "cancelled",  "invitation": "…", "outcome": "inviterGone"}
/// {"type": "missed",     "call": {"from": {"id": "…", "name": "Ann"}, "atMs": 1795316400000, "count": 1, "outcome": "noAnswer"}}
/// {"type": "missedSeen", "from": "…"}
/// {"type": "chatStarted", "sessionId": "2_…", "with": {"id": "…", "name": "Bob"}, "isInviter": true,
///                         "startedAtMs": 1795316400000, "tab": "…"}
/// {"type": "chatEnded",  "sessionId": "2_…", "with": {"id": "…", "name": "Bob"}, "reason": "ended", "by": "…"}
/// {"type": "availability", "availability": "doNotDisturb"}
/// {"type": "recording",  "sessionId": "2_…", "state": "asked", "by": "…", "message": null}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum InvitationMessage {
    /// To the inviter: the invitation is on its way.
    Calling(OutgoingInvitation),
    /// To the invitee: somebody calls.
    Ringing(IncomingInvitation),
    /// To both: the invitation is over by the doing (or the absence) of the invitee.
    Answered {
        invitation: InvitationId,
        outcome: InvitationOutcome,
    },
    /// To both: the invitation is over by the doing (or the absence) of the inviter.
    Cancelled {
        invitation: InvitationId,
        outcome: InvitationOutcome,
    },
    /// To the invitee, after a call that was not answered: what is now listed of this caller, instead of
    /// what was listed before.
    Missed { call: MissedCall },
    /// Missed calls of this person (`null`: of everybody) are off the list.
    MissedSeen { from: Option<UserId> },
    /// To both.
    ChatStarted(ChatView),
    /// To both, and whatever either was told before, both are free again.
    ChatEnded {
        session_id: SessionId,
        with: Person,
        reason: ChatEndReason,
        /// Who ended it, or went away.
        by: UserId,
    },
    /// What the user chose to be, perhaps in another tab.
    Availability { availability: Availability },
    /// To both: a step of recording their chat.
    Recording {
        session_id: SessionId,
        state: RecordingState,
        /// Who asked, agreed, refused (or did not answer), or stopped it.
        by: UserId,
        /// Why it failed, as a sentence.
        message: Option<String>,
    },
}

/// An invitation, as its inviter sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutgoingInvitation {
    pub invitation: InvitationId,
    pub to: Person,
    /// How much longer it waits for an answer.
    pub rings_for_ms: u64,
}

/// An invitation, as its invitee sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IncomingInvitation {
    pub invitation: InvitationId,
    pub from: Person,
    /// How much longer it waits for an answer.
    pub rings_for_ms: u64,
}

/// A chat, as one of the two sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatView {
    pub session_id: SessionId,
    pub with: Person,
    pub is_inviter: bool,
    /// Unix time, ms.
    pub started_at_ms: i64,
    /// The tab in which this user invited or accepted: it joins the chat, others only tell of it.
    /// `null`: it is unknown or closed, and any tab may join.
    pub tab: Option<ConnectionId>,
    /// Absent while nobody wants it recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<ChatRecording>,
}

/// Where the recording of a chat stands: `{"state": "asked", "by": "…"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ChatRecording {
    /// `asked`, `agreed` or `started`.
    pub state: RecordingState,
    pub by: UserId,
}

/// All that concerns one user now: where a page starts from.
///
/// ```json
/// {"me": {"id": "…", "name": "Ann"}, "availability": "available", "outgoing": null, "incoming": [],
///  "chat": null, "missed": []}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuddySnapshot {
    pub me: Person,
    pub availability: Availability,
    pub outgoing: Option<OutgoingInvitation>,
    /// The oldest first.
    pub incoming: Vec<IncomingInvitation>,
    pub chat: Option<ChatView>,
    /// The oldest first.
    pub missed: Vec<MissedCall>,
}
