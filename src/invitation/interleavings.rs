//! Whatever fifty people do, in whatever order: nobody is in two chats, nothing rings without an
//! inviter, no invitation outlives its people, and every state is left again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use proptest::{prelude::*, test_runner::RngAlgorithm};

use super::*;
use crate::{
    clock::Now,
    common::name::Name,
    opentok::SessionId,
    presence::{
        Activity, Availability, DisconnectReason, RosterEntry, RosterQuery, TabConnected, UserId,
    },
    session::ConnectionId,
};

const PEOPLE: usize = 50;

/// One thing that somebody does.
#[derive(Clone, Copy, Debug)]
enum Move {
    Connect,
    Disconnect(DisconnectReason),
    AskForPage,
    /// Somebody not far away, so that invitations cross.
    Invite(usize),
    AnswerOwn(Answer, usize),
    AnswerAny(Answer, usize),
    JoinChat,
    LeaveChat(DisconnectReason),
    EndChat,
    Record(RecordingAction),
    Choose(Availability),
    Wait(u64),
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Accept,
    Decline,
    Cancel,
}

fn moves() -> impl Strategy<Value = Vec<(usize, Move)>> {
    let answer = prop_oneof![
        3 => Just(Answer::Accept),
        1 => Just(Answer::Decline),
        1 => Just(Answer::Cancel),
    ];
    let leaving = prop_oneof![Just(DisconnectReason::Closed), Just(DisconnectReason::Lost)];
    let availability = prop_oneof![
        3 => Just(Availability::Available),
        1 => Just(Availability::DoNotDisturb),
        1 => Just(Availability::Invisible),
    ];
    let recording = prop_oneof![
        3 => Just(RecordingAction::Ask),
        2 => Just(RecordingAction::Agree),
        1 => Just(RecordingAction::Refuse),
        1 => Just(RecordingAction::Stop),
    ];
    let one = prop_oneof![
        3 => Just(Move::Connect),
        3 => leaving.clone().prop_map(Move::Disconnect),
        1 => Just(Move::AskForPage),
        10 => (1..4_usize).prop_map(Move::Invite),
        6 => (answer.clone(), 0..100_usize).prop_map(|(answer, at)| Move::AnswerOwn(answer, at)),
        1 => (answer, 0..100_usize).prop_map(|(answer, at)| Move::AnswerAny(answer, at)),
        3 => Just(Move::JoinChat),
        1 => leaving.prop_map(Move::LeaveChat),
        1 => Just(Move::EndChat),
        1 => availability.prop_map(Move::Choose),
        2 => recording.prop_map(Move::Record),
        4 => (0..2500_u64).prop_map(Move::Wait),
        1 => (20_000..50_000_u64).prop_map(Move::Wait),
    ];
    // Most of it among a few, so that they get into each other's way.
    let who = prop_oneof![3 => 0..6_usize, 1 => 0..PEOPLE];
    prop::collection::vec((who, one), 1..60)
}

/// What a page knows from its news alone.
#[derive(Default)]
struct Heard {
    outgoing: Option<InvitationId>,
    rings: BTreeSet<InvitationId>,
    chat: Option<SessionId>,
}

struct World {
    switchboard: Switchboard,
    now: Now,
    people: Vec<UserId>,
    names: Vec<Name>,
    in_chat: BTreeMap<UserId, Vec<ConnectionId>>,
    heard: BTreeMap<UserId, Heard>,
    listed: BTreeMap<UserId, RosterEntry>,
    seq: u64,
    ever: Vec<InvitationId>,
    /// Chats that were started and not ended, as the database would have them.
    kept: BTreeSet<SessionId>,
    /// Chats in which one of the two asked for a recording.
    asked: BTreeSet<SessionId>,
}

impl World {
    fn new() -> World {
        let mut world = World {
            switchboard: Switchboard::default(),
            now: Now {
                at: Instant::now(),
                unix_ms: 1_795_316_400_000,
            },
            people: (0..PEOPLE).map(|_| UserId::random()).collect(),
            names: (0..PEOPLE)
                .map(|at| Name::parse(&format!("Buddy {}", at % 40)).unwrap())
                .collect(),
            in_chat: BTreeMap::new(),
            heard: BTreeMap::new(),
            listed: BTreeMap::new(),
            seq: 0,
            ever: Vec::new(),
            kept: BTreeSet::new(),
            asked: BTreeSet::new(),
        };
        for who in 0..PEOPLE {
            world.connect(who);
        }
        world.carry_out();
        world
    }

    fn act(&mut self, who: usize, what: Move) {
        let (user, now) = (self.people[who], self.now);
        let first_tab = self.switchboard.roster().tabs(user).first().copied();
        match what {
            Move::Connect => self.connect(who),
            Move::Disconnect(reason) => {
                if let Some(tab) = first_tab {
                    self.switchboard.tab_disconnected(tab, reason, now);
                }
            }
            Move::AskForPage => self.switchboard.expect_back(user, now),
            Move::Invite(far) => {
                let to = self.people[(who + far) % PEOPLE];
                self.invite(user, to, first_tab);
            }
            Move::AnswerOwn(answer, at) => {
                let own = match answer {
                    Answer::Cancel => self.switchboard.pending.from(user).into_iter().collect(),
                    Answer::Accept | Answer::Decline => self.switchboard.pending.to(user),
                };
                if let Some(id) = own.get(at % own.len().max(1)) {
                    assert_eq!(self.answer(answer, *id, user, first_tab), Ok(()));
                }
            }
            Move::AnswerAny(answer, at) => {
                if let Some(id) = self.ever.get(at % self.ever.len().max(1)).copied() {
                    let ring = self.switchboard.pending.get(id).cloned();
                    let done = self.answer(answer, id, user, first_tab);
                    if done.is_ok() {
                        let ring = ring.unwrap();
                        let whose = match answer {
                            Answer::Cancel => ring.from.id,
                            Answer::Accept | Answer::Decline => ring.to.id,
                        };
                        assert_eq!(whose, user, "nobody answers for others");
                    }
                }
            }
            Move::JoinChat => {
                if let Some(session) = self.chat_of(user) {
                    let connection = ConnectionId::random();
                    assert_eq!(self.switchboard.may_join(&session, user), Ok(()));
                    assert!(
                        self.switchboard
                            .participant_connected(&session, user, connection, now)
                    );
                    self.in_chat.entry(user).or_default().push(connection);
                }
            }
            Move::LeaveChat(reason) => {
                if let Some(connection) = self.in_chat.get_mut(&user).and_then(Vec::pop) {
                    self.switchboard
                        .participant_disconnected(connection, reason, now);
                }
            }
            Move::EndChat => {
                if let Some(session) = self.chat_of(user) {
                    assert_eq!(self.switchboard.end_chat(&session, user, now), Ok(()));
                }
            }
            Move::Record(action) => {
                if let Some(session) = self.chat_of(user) {
                    // Whether it makes sense is the rule's to say; nobody is in the way of it.
                    let _ = self.switchboard.recording(&session, user, action, now);
                }
            }
            Move::Choose(availability) => {
                self.switchboard.set_availability(user, availability, now);
            }
            Move::Wait(ms) => {
                self.now.at += Duration::from_millis(ms);
                self.now.unix_ms += i64::try_from(ms).unwrap();
            }
        }
        self.carry_out();
    }

    fn connect(&mut self, who: usize) {
        let arrival = TabConnected {
            user: self.people[who],
            name: &self.names[who],
            connection: ConnectionId::random(),
            availability: None,
        };
        self.switchboard.tab_connected(arrival, self.now);
    }

    fn invite(&mut self, from: UserId, to: UserId, tab: Option<ConnectionId>) {
        let crossing = self
            .switchboard
            .pending
            .from(to)
            .is_some_and(|id| self.switchboard.pending.get(id).unwrap().to.id == from);
        let session = SessionId::generate(1, "", self.now.unix_ms);
        let may = self.switchboard.may_invite(from, to, self.now);
        let invite = Invite {
            from,
            to,
            session,
            tab,
        };
        match self.switchboard.invite(invite, self.now) {
            Ok(InviteResult::Ringing(outgoing)) => self.ever.push(outgoing.invitation),
            Ok(InviteResult::Connected(session)) => {
                assert!(crossing);
                assert_eq!(self.chat_of(from), Some(session));
            }
            Ok(InviteResult::Answered(outcome)) => assert!(!crossing && outcome.is_missed()),
            Err(refused) => {
                assert_eq!(may, Err(refused));
                return;
            }
        }
        assert_eq!(may, Ok(()));
    }

    fn answer(
        &mut self,
        answer: Answer,
        id: InvitationId,
        user: UserId,
        tab: Option<ConnectionId>,
    ) -> Result<(), AnswerError> {
        match answer {
            Answer::Accept => {
                let session = self.switchboard.accept(id, user, tab, self.now)?;
                assert_eq!(self.chat_of(user), Some(session));
                Ok(())
            }
            Answer::Decline => self.switchboard.decline(id, user, self.now),
            Answer::Cancel => self.switchboard.cancel(id, user, self.now),
        }
    }

    fn chat_of(&self, user: UserId) -> Option<SessionId> {
        let chat = self.switchboard.chats.of(user)?;
        Some(chat.session().clone())
    }

    /// Pages hear the news, and the roster.
    fn carry_out(&mut self) {
        for event in self.switchboard.poll(self.now) {
            match event {
                InvitationEvent::UserNotified { to, message } => self.hear(to, message),
                InvitationEvent::RosterChanged(delta) => {
                    self.seq += 1;
                    assert_eq!(delta.seq, self.seq);
                    for entry in delta.joined {
                        assert!(self.listed.insert(entry.person.id, entry).is_none());
                    }
                    for entry in delta.changed {
                        assert!(self.listed.insert(entry.person.id, entry).is_some());
                    }
                    for user in delta.left {
                        assert!(self.listed.remove(&user).is_some());
                    }
                }
                InvitationEvent::ChatStarted(chat) => assert!(self.kept.insert(chat.session)),
                InvitationEvent::ChatEnded(end) => {
                    assert!(self.kept.remove(&end.session));
                    assert_eq!(
                        self.switchboard.may_join(&end.session, end.by),
                        Err(JoinError::NotFound)
                    );
                }
                InvitationEvent::RecordingAgreed { session, .. } => {
                    assert!(self.asked.contains(&session), "nobody asked");
                    // The platform takes a moment; the chat may be over by now.
                    let goes_on = self.switchboard.chats.get(&session).is_some();
                    assert_eq!(self.switchboard.recording_started(&session), goes_on);
                }
                InvitationEvent::RecordingStopRequested(session) => {
                    self.switchboard.recording_ended(&session, None);
                }
            }
        }
    }

    fn hear(&mut self, user: UserId, message: InvitationMessage) {
        let heard = self.heard.entry(user).or_default();
        match message {
            InvitationMessage::Calling(outgoing) => {
                assert_eq!(heard.outgoing.replace(outgoing.invitation), None);
            }
            InvitationMessage::Ringing(incoming) => {
                assert!(heard.rings.insert(incoming.invitation));
            }
            InvitationMessage::Answered { invitation, .. }
            | InvitationMessage::Cancelled { invitation, .. } => {
                if heard.outgoing == Some(invitation) {
                    heard.outgoing = None;
                } else {
                    assert!(heard.rings.remove(&invitation), "it was told of before");
                }
            }
            InvitationMessage::ChatStarted(chat) => {
                assert_eq!(heard.chat.replace(chat.session_id), None);
            }
            InvitationMessage::ChatEnded { session_id, .. } => {
                assert_eq!(heard.chat.take(), Some(session_id));
            }
            InvitationMessage::Recording {
                session_id, state, ..
            } => {
                if state == RecordingState::Asked {
                    self.asked.insert(session_id);
                }
            }
            InvitationMessage::Missed { .. }
            | InvitationMessage::MissedSeen { .. }
            | InvitationMessage::Availability { .. } => {}
        }
    }

    /// Checks everybody who has ever heard anything; of others nobody knows.
    fn check(&self) {
        let switchboard = &self.switchboard;
        for invitation in switchboard.pending.all() {
            let (from, to) = (invitation.from.id, invitation.to.id);
            assert_eq!(switchboard.pending.from(from), Some(invitation.id));
            assert!(switchboard.pending.to(to).contains(&invitation.id));
            for user in [from, to] {
                assert!(
                    switchboard.roster.person(user).is_some(),
                    "it outlived somebody"
                );
                assert!(switchboard.chats.of(user).is_none(), "it rings into a chat");
                assert!(self.heard.contains_key(&user), "nobody knows of it");
            }
        }
        let mut chatting = BTreeSet::new();
        for chat in switchboard.chats.all() {
            assert!(self.kept.contains(chat.session()));
            for person in chat.people() {
                assert!(chatting.insert(person.id), "somebody is in two chats");
            }
        }
        assert_eq!(chatting.len(), 2 * self.kept.len());
        for (user, heard) in &self.heard {
            let rings = switchboard.pending.to(*user);
            assert_eq!(switchboard.pending.from(*user), heard.outgoing);
            assert_eq!(rings.len(), heard.rings.len());
            assert!(rings.iter().all(|id| heard.rings.contains(id)));
            let chat = switchboard.chats.of(*user).map(chat::Chat::session);
            assert_eq!(chat, heard.chat.as_ref());
            let activity = match (chat, heard.outgoing) {
                (Some(_), None) => Activity::Chatting,
                (None, Some(_)) => Activity::Inviting,
                (None, None) => Activity::Idle,
                (Some(_), Some(_)) => panic!("invites while in a chat"),
            };
            match switchboard.roster.availability_and_activity(*user) {
                Some((_, doing)) => assert_eq!(doing, activity),
                None => assert_eq!((activity, rings.len()), (Activity::Idle, 0)),
            }
        }
        for user in switchboard.missed.users() {
            assert!(
                switchboard.roster.name(user).is_some(),
                "nobody will ask for it"
            );
            assert!(switchboard.missed.of(user).len() <= 20);
        }
    }

    fn check_roster(&self) {
        let page = self.switchboard.roster.page(RosterQuery {
            limit: 200,
            ..RosterQuery::default()
        });
        let mut listed: Vec<RosterEntry> = self.listed.values().cloned().collect();
        listed.sort();
        assert_eq!(page.buddies, listed);
        assert_eq!(page.seq, self.seq);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 10_000,
        rng_algorithm: RngAlgorithm::XorShift, // the default one takes half of the time in a debug build
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_interleaving_breaks_the_rules(moves in moves()) {
        let mut world = World::new();
        for (who, what) in moves {
            world.act(who, what);
            world.check();
        }
        world.check_roster();

        // Who waits long enough is not ringing any more.
        world.act(0, Move::Wait(45_000));
        prop_assert!(world.switchboard.pending.is_empty());
        world.check();

        // Who leaves leaves nothing behind.
        for who in 0..PEOPLE {
            while let Some(tab) = world.switchboard.roster().tabs(world.people[who]).first().copied() {
                world.switchboard.tab_disconnected(tab, DisconnectReason::Lost, world.now);
            }
        }
        world.act(0, Move::Wait(5000));
        world.check();
        prop_assert!(world.switchboard.chats.is_empty());
        prop_assert!(world.switchboard.consents.is_empty());
        prop_assert!(world.switchboard.roster().is_empty());
        world.act(0, Move::Wait(250));
        world.check_roster();
        prop_assert!(world.listed.is_empty());
        prop_assert_eq!(world.switchboard.due(), None);
    }
}
