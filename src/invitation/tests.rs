//! The rules of invitations and chats, told as what people do and hear.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::{
    clock::Now,
    common::name::Name,
    opentok::SessionId,
    presence::{Availability, DisconnectReason, RosterQuery, TabConnected, UserId},
    session::ConnectionId,
};

/// A switchboard, with a clock to move by hand and an ear on everything.
struct Scene {
    switchboard: Switchboard,
    now: Now,
    heard: Vec<(UserId, Value)>,
    records: Vec<InvitationEvent>,
}

impl Scene {
    fn new() -> Scene {
        Scene {
            switchboard: Switchboard::default(),
            now: Now {
                at: Instant::now(),
                unix_ms: 1_795_316_400_000,
            },
            heard: Vec::new(),
            records: Vec::new(),
        }
    }

    fn with<const N: usize>(names: [&str; N]) -> (Scene, [UserId; N]) {
        let mut scene = Scene::new();
        let users = names.map(|name| {
            let user = UserId::random();
            scene.opens(user, name);
            user
        });
        scene.listen();
        (scene, users)
    }

    fn opens(&mut self, user: UserId, name: &str) -> ConnectionId {
        let connection = ConnectionId::random();
        let arrival = TabConnected {
            user,
            name: &Name::parse(name).unwrap(),
            connection,
            availability: None,
        };
        self.switchboard.tab_connected(arrival, self.now);
        connection
    }

    fn closes_all(&mut self, user: UserId, reason: DisconnectReason) {
        for tab in self.switchboard.roster().tabs(user).to_vec() {
            self.switchboard.tab_disconnected(tab, reason, self.now);
        }
    }

    fn wait_ms(&mut self, ms: u32) {
        self.now.at += Duration::from_millis(ms.into());
        self.now.unix_ms += i64::from(ms);
        self.listen();
    }

    fn listen(&mut self) {
        for event in self.switchboard.poll(self.now) {
            match event {
                InvitationEvent::UserNotified { to, message } => {
                    self.heard
                        .push((to, serde_json::to_value(message).unwrap()));
                }
                InvitationEvent::RosterChanged(_) => {}
                record => self.records.push(record),
            }
        }
    }

    /// What `user` has heard since it was last asked.
    fn hears(&mut self, user: UserId) -> Vec<Value> {
        self.listen();
        let (heard, others) = std::mem::take(&mut self.heard)
            .into_iter()
            .partition(|(to, _)| *to == user);
        self.heard = others;
        let heard: Vec<(UserId, Value)> = heard;
        heard.into_iter().map(|(_, message)| message).collect()
    }

    fn hears_types(&mut self, user: UserId) -> Vec<String> {
        self.hears(user)
            .iter()
            .map(|message| {
                let outcome = message.get("outcome").or(message.get("reason"));
                match outcome.and_then(Value::as_str) {
                    Some(outcome) => format!("{} {outcome}", message["type"].as_str().unwrap()),
                    None => message["type"].as_str().unwrap().to_owned(),
                }
            })
            .collect()
    }

    fn invites(&mut self, from: UserId, to: UserId) -> Result<InviteResult, InviteRefusal> {
        let session = SessionId::generate(1, "", self.now.unix_ms);
        self.invites_to(from, to, session)
    }

    fn invites_to(
        &mut self,
        from: UserId,
        to: UserId,
        session: SessionId,
    ) -> Result<InviteResult, InviteRefusal> {
        let tab = self.switchboard.roster().tabs(from).first().copied();
        let invite = Invite {
            from,
            to,
            session,
            tab,
        };
        self.switchboard.invite(invite, self.now)
    }

    fn rings(&mut self, from: UserId, to: UserId) -> InvitationId {
        match self.invites(from, to) {
            Ok(InviteResult::Ringing(outgoing)) => outgoing.invitation,
            other => panic!("it does not ring: {other:?}"),
        }
    }

    fn accepts(&mut self, user: UserId, id: InvitationId) -> Result<SessionId, AnswerError> {
        let tab = self.switchboard.roster().tabs(user).first().copied();
        self.switchboard.accept(id, user, tab, self.now)
    }

    fn chat(&mut self, inviter: UserId, invitee: UserId) -> SessionId {
        let id = self.rings(inviter, invitee);
        let session = self.accepts(invitee, id).unwrap();
        for user in [inviter, invitee] {
            self.hears(user);
        }
        session
    }

    fn joins(&mut self, user: UserId, session: &SessionId) -> ConnectionId {
        let connection = ConnectionId::random();
        assert!(
            self.switchboard
                .participant_connected(session, user, connection, self.now)
        );
        connection
    }

    fn state(&mut self, user: UserId) -> Option<Value> {
        self.wait_ms(250);
        let page = self.switchboard.roster().page(RosterQuery {
            limit: 200,
            ..RosterQuery::default()
        });
        let entry = page.buddies.iter().find(|entry| entry.person.id == user)?;
        Some(serde_json::to_value(entry.state).unwrap())
    }

    fn is_free(&mut self, user: UserId) -> bool {
        self.state(user) == Some(json!("available"))
            && self
                .switchboard
                .snapshot(user, self.now)
                .unwrap()
                .chat
                .is_none()
    }

    fn missed(&self, user: UserId) -> Vec<(UserId, u32, InvitationOutcome)> {
        let mine = self.switchboard.snapshot(user, self.now).unwrap();
        mine.missed
            .iter()
            .map(|call| (call.from.id, call.count, call.outcome))
            .collect()
    }
}

#[test]
fn an_invitation_rings_is_accepted_and_becomes_a_chat() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    let tabs = [ann, bob].map(|user| scene.switchboard.roster().tabs(user)[0]);
    let id = scene.rings(ann, bob);
    let person = |user: UserId, name: &str| json!({"id": user.to_string(), "name": name});
    assert_eq!(
        scene.hears(ann),
        [
            json!({"type": "calling", "invitation": id.to_string(), "to": person(bob, "Bob"),
                "ringsForMs": 45_000})
        ]
    );
    assert_eq!(
        scene.hears(bob),
        [
            json!({"type": "ringing", "invitation": id.to_string(), "from": person(ann, "Ann"),
                "ringsForMs": 45_000})
        ]
    );
    assert_eq!(scene.state(ann), Some(json!("inviting")));
    assert_eq!(scene.state(bob), Some(json!("available")));

    let session = scene.accepts(bob, id).unwrap();
    let started_at_ms = scene.now.unix_ms;
    for (user, other, name, is_inviter, tab) in [
        (ann, bob, "Bob", true, tabs[0]),
        (bob, ann, "Ann", false, tabs[1]),
    ] {
        let chat = json!({"sessionId": session.as_str(), "with": person(other, name),
            "isInviter": is_inviter, "startedAtMs": started_at_ms, "tab": tab.to_string()});
        let mut message = chat.clone();
        message["type"] = json!("chatStarted");
        assert_eq!(
            scene.hears(user),
            [
                json!({"type": "answered", "invitation": id.to_string(), "outcome": "accepted"}),
                message
            ]
        );
        assert_eq!(scene.state(user), Some(json!("chatting")));
        assert_eq!(
            serde_json::to_value(scene.switchboard.snapshot(user, scene.now)).unwrap(),
            json!({"me": person(user, if is_inviter { "Ann" } else { "Bob" }),
                   "availability": "available", "outgoing": null, "incoming": [],
                   "chat": chat, "missed": []})
        );
    }
}

#[test]
fn either_ends_the_chat_and_both_are_available_again() {
    for inviter_ends in [true, false] {
        let (mut scene, [ann, bob, eve]) = Scene::with(["Ann", "Bob", "Eve"]);
        let session = scene.chat(ann, bob);
        assert_eq!(
            scene.switchboard.end_chat(&session, eve, scene.now),
            Err(JoinError::Forbidden)
        );
        let by = if inviter_ends { ann } else { bob };
        assert_eq!(scene.switchboard.end_chat(&session, by, scene.now), Ok(()));
        for (user, other, name) in [(ann, bob, "Bob"), (bob, ann, "Ann")] {
            assert_eq!(
                scene.hears(user),
                [
                    json!({"type": "chatEnded", "sessionId": session.as_str(), "reason": "ended",
                        "with": {"id": other.to_string(), "name": name}, "by": by.to_string()})
                ]
            );
            assert!(scene.is_free(user));
            assert_eq!(
                scene.switchboard.end_chat(&session, user, scene.now),
                Err(JoinError::NotFound)
            );
        }
        assert!(matches!(
            &scene.records[..],
            [InvitationEvent::ChatStarted(_), InvitationEvent::ChatEnded(end)] if end.by == by && end.session == session
        ));
    }
}

#[test]
fn declining_frees_the_inviter() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    let id = scene.rings(ann, bob);
    scene.switchboard.decline(id, bob, scene.now).unwrap();
    assert_eq!(scene.hears_types(ann), ["calling", "answered declined"]);
    assert_eq!(scene.hears_types(bob), ["ringing", "answered declined"]);
    assert!(scene.is_free(ann));
    assert_eq!(scene.missed(bob), [], "it was answered");
    scene.rings(ann, bob);
}

#[test]
fn the_inviter_may_cancel_until_it_is_answered() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    let id = scene.rings(ann, bob);
    scene.switchboard.cancel(id, ann, scene.now).unwrap();
    assert_eq!(
        scene.hears_types(bob),
        ["ringing", "cancelled cancelled", "missed"]
    );
    assert!(scene.is_free(ann));
    assert_eq!(scene.missed(bob), [(ann, 1, InvitationOutcome::Cancelled)]);
}

#[test]
fn of_accept_and_cancel_the_first_wins_and_both_learn_it() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    let id = scene.rings(ann, bob);
    scene.switchboard.cancel(id, ann, scene.now).unwrap();
    assert_eq!(
        scene.accepts(bob, id),
        Err(AnswerError::Ended(InvitationOutcome::Cancelled))
    );
    assert!(scene.is_free(bob));

    let id = scene.rings(ann, bob);
    scene.accepts(bob, id).unwrap();
    let late = AnswerError::Ended(InvitationOutcome::Accepted);
    assert_eq!(scene.switchboard.cancel(id, ann, scene.now), Err(late));
    assert_eq!(scene.accepts(bob, id), Err(late), "in another tab");
    assert_eq!(scene.switchboard.decline(id, bob, scene.now), Err(late));
    assert_eq!(scene.hears_types(ann).last().unwrap(), "chatStarted");
}

#[test]
fn an_invitation_is_answered_by_its_own_people_only() {
    let (mut scene, [ann, bob, eve]) = Scene::with(["Ann", "Bob", "Eve"]);
    let id = scene.rings(ann, bob);
    let forbidden = Err(AnswerError::Forbidden);
    for stranger in [ann, eve, UserId::random()] {
        assert_eq!(scene.accepts(stranger, id), Err(AnswerError::Forbidden));
        assert_eq!(
            scene.switchboard.decline(id, stranger, scene.now),
            forbidden
        );
    }
    for stranger in [bob, eve] {
        assert_eq!(scene.switchboard.cancel(id, stranger, scene.now), forbidden);
    }
    let unknown = InvitationId::random();
    assert_eq!(scene.accepts(bob, unknown), Err(AnswerError::NotFound));
    scene.switchboard.cancel(id, ann, scene.now).unwrap();
    assert_eq!(
        scene.accepts(eve, id),
        Err(AnswerError::Forbidden),
        "strangers do not learn how it ended"
    );
}

#[test]
fn who_has_sent_an_invitation_cannot_receive_one() {
    let (mut scene, [ann, bob, eve]) = Scene::with(["Ann", "Bob", "Eve"]);
    scene.rings(ann, bob);
    assert_eq!(
        scene.invites(eve, ann),
        Ok(InviteResult::Answered(InvitationOutcome::Inviting))
    );
    assert_eq!(scene.hears_types(ann), ["calling", "missed"]);
    assert_eq!(scene.missed(ann), [(eve, 1, InvitationOutcome::Inviting)]);
    assert!(scene.is_free(eve));
    assert_eq!(
        scene.invites(ann, eve),
        Err(InviteRefusal::Inviting),
        "one at a time"
    );
}

#[test]
fn an_invited_user_may_receive_more_and_send_one() {
    let (mut scene, [ann, bob, eve, dan]) = Scene::with(["Ann", "Bob", "Eve", "Dan"]);
    let first = scene.rings(ann, bob);
    let second = scene.rings(eve, bob);
    let mine = scene.switchboard.snapshot(bob, scene.now).unwrap();
    let rings: Vec<InvitationId> = mine.incoming.iter().map(|ring| ring.invitation).collect();
    assert_eq!(rings, [first, second]);
    scene.rings(bob, dan);
}

#[test]
fn accepting_declines_all_others_the_own_one_included() {
    let (mut scene, [ann, bob, eve, dan, fay]) = Scene::with(["Ann", "Bob", "Eve", "Dan", "Fay"]);
    scene.rings(fay, ann); // rings the later inviter
    let accepted = scene.rings(ann, bob);
    scene.rings(eve, bob);
    scene.rings(bob, dan);
    for user in [ann, bob, eve, dan, fay] {
        scene.hears(user);
    }
    scene.accepts(bob, accepted).unwrap();

    assert_eq!(scene.hears_types(eve), ["answered tookAnother"]);
    assert_eq!(scene.hears_types(fay), ["answered tookAnother"]);
    assert_eq!(
        scene.hears_types(dan),
        ["cancelled inviterTookAnother", "missed"]
    );
    for user in [eve, fay, dan] {
        assert!(scene.is_free(user));
    }
    let mine = scene.switchboard.snapshot(bob, scene.now).unwrap();
    assert!(mine.incoming.is_empty() && mine.outgoing.is_none());
    assert_eq!(mine.chat.unwrap().with.id, ann);
    assert_eq!(
        scene.missed(bob),
        [(eve, 1, InvitationOutcome::TookAnother)]
    );
}

#[test]
fn two_who_invite_each_other_are_connected() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    let session = SessionId::from("2_first");
    scene.invites_to(ann, bob, session.clone()).unwrap();
    assert_eq!(
        scene.invites(bob, ann),
        Ok(InviteResult::Connected(session.clone()))
    );
    for (user, first) in [(ann, "calling"), (bob, "ringing")] {
        assert_eq!(
            scene.hears_types(user),
            [first, "answered accepted", "chatStarted"]
        );
        assert_eq!(scene.switchboard.may_join(&session, user), Ok(()));
    }
}

#[test]
fn who_does_not_want_to_be_disturbed_can_still_be_called_back_at_once() {
    for availability in [Availability::DoNotDisturb, Availability::Invisible] {
        let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
        scene
            .switchboard
            .set_availability(ann, availability, scene.now);
        scene.rings(ann, bob);
        assert!(matches!(
            scene.invites(bob, ann),
            Ok(InviteResult::Connected(_))
        ));
    }
}

#[test]
fn who_cannot_be_rung_answers_at_once_with_the_reason() {
    let (mut scene, [ann, bob, eve, dan, fay, gus]) =
        Scene::with(["Ann", "Bob", "Eve", "Dan", "Fay", "Gus"]);
    scene.chat(bob, eve);
    scene
        .switchboard
        .set_availability(dan, Availability::DoNotDisturb, scene.now);
    scene
        .switchboard
        .set_availability(fay, Availability::Invisible, scene.now);
    scene.closes_all(gus, DisconnectReason::Closed);
    scene.wait_ms(2000);
    for (to, outcome) in [
        (bob, InvitationOutcome::Busy),
        (dan, InvitationOutcome::DoNotDisturb),
        (fay, InvitationOutcome::Gone),
        (gus, InvitationOutcome::Gone),
    ] {
        assert_eq!(scene.invites(ann, to), Ok(InviteResult::Answered(outcome)));
        assert!(scene.is_free(ann));
    }
    for (user, outcome) in [
        (bob, InvitationOutcome::Busy),
        (dan, InvitationOutcome::DoNotDisturb),
    ] {
        assert_eq!(scene.missed(user), [(ann, 1, outcome)]);
    }
    scene.opens(gus, "Gus");
    assert_eq!(
        scene.missed(gus),
        [(ann, 1, InvitationOutcome::Gone)],
        "told on return"
    );
}

#[test]
fn impossible_invitations_are_refused() {
    let (mut scene, [ann, bob, eve]) = Scene::with(["Ann", "Bob", "Eve"]);
    assert_eq!(scene.invites(ann, ann), Err(InviteRefusal::Oneself));
    assert_eq!(
        scene.invites(ann, UserId::random()),
        Err(InviteRefusal::Unknown)
    );
    assert_eq!(
        scene.invites(UserId::random(), ann),
        Err(InviteRefusal::NotHere)
    );
    let session = scene.chat(ann, bob);
    assert_eq!(scene.invites(ann, eve), Err(InviteRefusal::Chatting));
    assert_eq!(
        scene.invites_to(eve, ann, session),
        Err(InviteRefusal::SessionTaken)
    );
    assert_eq!(scene.missed(ann), []);
}

#[test]
fn a_flood_of_invitations_is_told_when_to_try_again() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    for _ in 0..10 {
        let id = scene.rings(ann, bob);
        scene.switchboard.decline(id, bob, scene.now).unwrap();
    }
    let refused = InviteRefusal::TooMany {
        retry_after: Duration::from_secs(3),
    };
    assert_eq!(scene.invites(ann, bob), Err(refused));
    assert_eq!(
        scene.switchboard.may_invite(ann, bob, scene.now),
        Err(refused)
    );
    scene.wait_ms(3000);
    scene.rings(ann, bob);
}

#[test]
fn more_than_twenty_do_not_ring_one_user() {
    let (mut scene, [bob]) = Scene::with(["Bob"]);
    let mut callers = Vec::new();
    for _ in 0..21 {
        let user = UserId::random();
        scene.opens(user, "Caller");
        callers.push(user);
    }
    for caller in &callers[..20] {
        scene.rings(*caller, bob);
    }
    assert_eq!(
        scene.invites(callers[20], bob),
        Ok(InviteResult::Answered(InvitationOutcome::Busy))
    );
}

#[test]
fn nobody_answers_for_45_seconds() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    let id = scene.rings(ann, bob);
    scene.wait_ms(44_999);
    assert_eq!(scene.hears_types(ann), ["calling"]);
    let mine = scene.switchboard.snapshot(bob, scene.now).unwrap();
    assert_eq!(mine.incoming[0].rings_for_ms, 1);
    assert_eq!(
        scene.switchboard.due(),
        Some(scene.now.at + Duration::from_millis(1))
    );
    // The timer is late, and so is the answer.
    scene.now.at += Duration::from_millis(1);
    assert_eq!(
        scene.accepts(bob, id),
        Err(AnswerError::Ended(InvitationOutcome::NoAnswer))
    );
    assert_eq!(scene.hears_types(ann), ["answered noAnswer"]);
    let heard = scene.hears(bob);
    assert_eq!(
        heard.last().unwrap(),
        &json!({"type": "missed", "call": {"from": {"id": ann.to_string(), "name": "Ann"},
                "atMs": scene.now.unix_ms, "count": 1, "outcome": "noAnswer"}})
    );
    assert!(scene.is_free(ann));
}

#[test]
fn an_invitation_ends_when_either_side_goes() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    scene.rings(ann, bob);
    scene.closes_all(bob, DisconnectReason::Lost);
    scene.wait_ms(4000);
    assert_eq!(scene.hears_types(ann), ["calling", "answered gone"]);
    assert!(scene.is_free(ann));
    scene.opens(bob, "Bob");
    assert_eq!(scene.missed(bob), [(ann, 1, InvitationOutcome::Gone)]);

    scene.hears(bob);
    scene.rings(ann, bob);
    scene.closes_all(ann, DisconnectReason::Closed);
    scene.wait_ms(1500);
    assert_eq!(
        scene.hears_types(bob),
        ["ringing", "cancelled inviterGone", "missed"]
    );
    assert_eq!(
        scene.missed(bob),
        [(ann, 2, InvitationOutcome::InviterGone)]
    );
}

#[test]
fn ringing_stops_when_the_invitee_hides() {
    for (availability, heard) in [
        (Availability::DoNotDisturb, "answered doNotDisturb"),
        (Availability::Invisible, "answered gone"),
    ] {
        let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
        scene.rings(ann, bob);
        scene
            .switchboard
            .set_availability(bob, availability, scene.now);
        assert_eq!(scene.hears_types(ann), ["calling", heard]);
        assert_eq!(
            scene.hears_types(bob),
            ["ringing", "availability", heard, "missed"]
        );
    }
}

#[test]
fn a_reload_keeps_what_rings() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    let id = scene.rings(ann, bob);
    for (user, name) in [(ann, "Ann"), (bob, "Bob")] {
        scene.switchboard.expect_back(user, scene.now);
        scene.closes_all(user, DisconnectReason::Closed);
        scene.wait_ms(4900);
        scene.opens(user, name);
    }
    assert_eq!(scene.hears_types(ann), ["calling"]);
    scene.accepts(bob, id).unwrap();
    let mine = scene.switchboard.snapshot(ann, scene.now).unwrap();
    assert_eq!(mine.chat.unwrap().tab, None, "the inviting tab is gone");
}

#[test]
fn a_chat_is_for_two() {
    let (mut scene, [ann, bob, eve]) = Scene::with(["Ann", "Bob", "Eve"]);
    let session = SessionId::from("2_s");
    scene.invites_to(ann, bob, session.clone()).unwrap();
    let check = |scene: &mut Scene| {
        for user in [ann, bob] {
            assert_eq!(scene.switchboard.may_join(&session, user), Ok(()));
        }
        assert_eq!(
            scene.switchboard.may_join(&session, eve),
            Err(JoinError::Forbidden)
        );
    };
    check(&mut scene);
    let id = scene.switchboard.ringing_in(&session).unwrap().id;
    scene.accepts(bob, id).unwrap();
    check(&mut scene);
    let now = scene.now;
    assert!(
        !scene
            .switchboard
            .participant_connected(&session, eve, ConnectionId::random(), now)
    );
    scene.switchboard.end_chat(&session, ann, now).unwrap();
    for user in [ann, bob, eve] {
        assert_eq!(
            scene.switchboard.may_join(&session, user),
            Err(JoinError::NotFound)
        );
    }
}

#[test]
fn a_session_can_be_offered_before_the_invitation() {
    let (mut scene, [ann, bob, eve]) = Scene::with(["Ann", "Bob", "Eve"]);
    let session = SessionId::from("2_s");
    let now = scene.now;
    scene
        .switchboard
        .reserve_session(session.clone(), ann, now)
        .unwrap();
    assert_eq!(scene.switchboard.may_join(&session, ann), Ok(()));
    assert_eq!(
        scene.switchboard.may_join(&session, bob),
        Err(JoinError::Forbidden)
    );
    assert_eq!(
        scene.invites_to(eve, bob, session.clone()),
        Err(InviteRefusal::SessionTaken)
    );
    assert_eq!(
        scene.switchboard.reserve_session(session.clone(), eve, now),
        Err(InviteRefusal::SessionTaken)
    );
    scene.invites_to(ann, bob, session.clone()).unwrap();
    assert_eq!(scene.switchboard.may_join(&session, bob), Ok(()));

    let other = SessionId::from("2_t");
    scene
        .switchboard
        .reserve_session(other.clone(), eve, now)
        .unwrap();
    scene.wait_ms(60_000);
    assert_eq!(
        scene.switchboard.may_join(&other, eve),
        Err(JoinError::NotFound),
        "an offer does not last"
    );
}

#[test]
fn offers_are_counted_as_invitations() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    for at in 0..10 {
        let session = SessionId::from(format!("2_{at}"));
        scene
            .switchboard
            .reserve_session(session.clone(), ann, scene.now)
            .unwrap();
        assert!(scene.invites_to(ann, bob, session).is_ok());
        let id = scene
            .switchboard
            .snapshot(ann, scene.now)
            .unwrap()
            .outgoing
            .unwrap();
        scene
            .switchboard
            .cancel(id.invitation, ann, scene.now)
            .unwrap();
    }
    assert!(matches!(
        scene
            .switchboard
            .reserve_session(SessionId::from("2_x"), ann, scene.now),
        Err(InviteRefusal::TooMany { .. })
    ));
}

#[test]
fn a_tab_closed_in_a_call_ends_it_for_both() {
    for (reason, patience_ms) in [
        (DisconnectReason::Closed, 1500),
        (DisconnectReason::Lost, 4000),
    ] {
        let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
        scene.opens(ann, "Ann"); // another tab stays
        let session = scene.chat(ann, bob);
        let connection = scene.joins(ann, &session);
        scene.joins(bob, &session);
        scene
            .switchboard
            .participant_disconnected(connection, reason, scene.now);
        scene.wait_ms(patience_ms - 1);
        assert_eq!(scene.hears_types(bob), [""; 0]);
        scene.wait_ms(1);
        for user in [ann, bob] {
            let heard = scene.hears(user);
            assert_eq!(heard[0]["reason"], "gone");
            assert_eq!(heard[0]["by"], ann.to_string());
            assert!(scene.is_free(user));
        }
    }
}

#[test]
fn a_reload_in_a_call_keeps_it() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    let session = scene.chat(ann, bob);
    let connection = scene.joins(ann, &session);
    scene.joins(bob, &session);
    scene
        .switchboard
        .participant_disconnected(connection, DisconnectReason::Closed, scene.now);
    scene.closes_all(ann, DisconnectReason::Closed);
    scene.wait_ms(100);
    scene.switchboard.expect_back(ann, scene.now);
    scene.wait_ms(4500);
    scene.opens(ann, "Ann");
    let mine = scene.switchboard.snapshot(ann, scene.now).unwrap();
    assert_eq!(mine.chat.unwrap().session_id, session);
    scene.joins(ann, &session);
    scene.wait_ms(120_000);
    assert_eq!(scene.hears_types(bob), [""; 0]);
    assert_eq!(scene.state(ann), Some(json!("chatting")));
}

#[test]
fn a_call_that_somebody_never_joins_ends() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    let session = scene.chat(ann, bob);
    scene.joins(ann, &session);
    scene.wait_ms(60_000);
    let heard = scene.hears(ann);
    assert_eq!(heard[0]["reason"], "notConnected");
    assert_eq!(heard[0]["by"], bob.to_string());
    assert!(scene.is_free(ann) && scene.is_free(bob));
}

#[test]
fn who_leaves_the_page_leaves_the_call() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    scene.chat(ann, bob);
    scene.closes_all(ann, DisconnectReason::Closed);
    scene.wait_ms(1500);
    assert_eq!(scene.hears_types(bob), ["chatEnded gone"]);
    assert!(scene.is_free(bob));
    assert_eq!(scene.state(ann), None);
}

#[test]
fn missed_calls_stay_until_they_are_seen_to() {
    let (mut scene, [ann, bob, eve]) = Scene::with(["Ann", "Bob", "Eve"]);
    scene
        .switchboard
        .set_availability(bob, Availability::DoNotDisturb, scene.now);
    for caller in [ann, eve, ann] {
        scene.invites(caller, bob).unwrap();
    }
    let dnd = InvitationOutcome::DoNotDisturb;
    assert_eq!(scene.missed(bob), [(eve, 1, dnd), (ann, 2, dnd)]);
    scene.hears(bob);
    scene.switchboard.clear_missed(bob, Some(eve));
    scene.switchboard.clear_missed(bob, Some(eve));
    assert_eq!(
        scene.hears(bob),
        [json!({"type": "missedSeen", "from": eve.to_string()})]
    );

    let id = scene.rings(bob, ann);
    scene.accepts(ann, id).unwrap();
    assert_eq!(scene.missed(bob), [], "called back");
    assert_eq!(
        scene.hears_types(bob),
        ["calling", "answered accepted", "missedSeen", "chatStarted"]
    );
}

#[test]
fn missed_calls_are_bounded_and_forgotten_with_their_user() {
    let (mut scene, [bob]) = Scene::with(["Bob"]);
    scene
        .switchboard
        .set_availability(bob, Availability::DoNotDisturb, scene.now);
    for _ in 0..30 {
        let caller = UserId::random();
        scene.opens(caller, "Caller");
        scene.invites(caller, bob).unwrap();
    }
    assert_eq!(scene.missed(bob).len(), 20);
    scene.closes_all(bob, DisconnectReason::Closed);
    scene.wait_ms(1500);
    scene.wait_ms(24 * 60 * 60 * 1000);
    scene.opens(bob, "Bob");
    assert_eq!(scene.missed(bob), []);
}

#[test]
fn lost_sockets_in_every_state_leave_nobody_behind() {
    for ring in [false, true] {
        for accept in [false, true] {
            let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
            if ring {
                let id = scene.rings(ann, bob);
                if accept {
                    scene.accepts(bob, id).unwrap();
                }
            }
            scene.closes_all(ann, DisconnectReason::Lost);
            scene.wait_ms(4000);
            assert!(scene.is_free(bob));
            assert_eq!(scene.state(ann), None);
        }
    }
}

/// The steps of a recording that `user` has heard of.
fn steps(scene: &mut Scene, user: UserId) -> Vec<String> {
    let message = scene.hears(user);
    let steps = message
        .iter()
        .filter(|message| message["type"] == "recording");
    steps
        .map(|message| message["state"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn nothing_is_recorded_before_the_other_one_agrees() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    let session = scene.chat(ann, bob);
    let now = scene.now;
    let refused = scene
        .switchboard
        .recording(&session, bob, RecordingAction::Agree, now);
    assert_eq!(refused, Err(RecordingError::NotAsked));
    scene
        .switchboard
        .recording(&session, ann, RecordingAction::Ask, now)
        .unwrap();
    for action in [RecordingAction::Ask, RecordingAction::Agree] {
        let refused = scene.switchboard.recording(&session, ann, action, now);
        assert_eq!(refused, Err(RecordingError::Asked));
    }
    scene.listen();
    assert!(
        !scene
            .records
            .iter()
            .any(|event| matches!(event, InvitationEvent::RecordingAgreed { .. }))
    );

    scene
        .switchboard
        .recording(&session, bob, RecordingAction::Agree, now)
        .unwrap();
    scene.listen();
    let record = InvitationEvent::RecordingAgreed {
        session: session.clone(),
        name: "Ann and Bob".to_owned(),
        started_by: "Ann".to_owned(),
    };
    assert_eq!(scene.records.last(), Some(&record));
    assert!(scene.switchboard.recording_started(&session));
    let mine = scene.switchboard.snapshot(bob, now).unwrap();
    let shown = mine.chat.unwrap().recording;
    assert_eq!(
        shown,
        Some(ChatRecording {
            state: RecordingState::Started,
            by: ann
        })
    );
    scene
        .switchboard
        .recording(&session, bob, RecordingAction::Stop, now)
        .unwrap();
    scene.switchboard.recording_ended(&session, None);
    for user in [ann, bob] {
        assert_eq!(
            steps(&mut scene, user),
            ["asked", "agreed", "started", "stopped"]
        );
    }
    assert_eq!(
        scene.records.last(),
        Some(&InvitationEvent::RecordingStopRequested(session.clone()))
    );
    let refused = scene
        .switchboard
        .recording(&session, bob, RecordingAction::Stop, now);
    assert_eq!(refused, Err(RecordingError::NotRecording));
    assert!(scene.switchboard.consents.is_empty());
}

#[test]
fn whoever_does_not_answer_for_thirty_seconds_refuses() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    let session = scene.chat(ann, bob);
    for user in [ann, bob] {
        let now = scene.now;
        assert!(scene.switchboard.participant_connected(
            &session,
            user,
            ConnectionId::random(),
            now
        ));
    }
    let now = scene.now;
    scene
        .switchboard
        .recording(&session, ann, RecordingAction::Ask, now)
        .unwrap();
    scene.wait_ms(29_999);
    assert_eq!(steps(&mut scene, ann), ["asked"]);
    scene.wait_ms(1);
    let told = scene.hears(ann);
    assert_eq!(
        told,
        [
            json!({ "type": "recording", "sessionId": session, "state": "refused", "by": bob, "message": null })
        ]
    );
    assert!(scene.switchboard.consents.is_empty());
}

#[test]
fn the_end_of_a_chat_ends_what_was_asked_in_it() {
    for agreed in [false, true] {
        let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
        let session = scene.chat(ann, bob);
        let now = scene.now;
        scene
            .switchboard
            .recording(&session, ann, RecordingAction::Ask, now)
            .unwrap();
        if agreed {
            scene
                .switchboard
                .recording(&session, bob, RecordingAction::Ask, now)
                .unwrap();
        }
        scene.switchboard.end_chat(&session, bob, now).unwrap();
        assert!(!scene.switchboard.recording_started(&session), "too late");
        assert!(scene.switchboard.consents.is_empty());
        let refused = scene
            .switchboard
            .recording(&session, ann, RecordingAction::Ask, now);
        assert_eq!(refused, Err(JoinError::NotFound.into()));
    }
}

#[test]
fn a_recording_that_cannot_be_is_told_with_its_reason() {
    let (mut scene, [ann, bob]) = Scene::with(["Ann", "Bob"]);
    let session = scene.chat(ann, bob);
    let now = scene.now;
    for user in [bob, ann] {
        scene
            .switchboard
            .recording(&session, user, RecordingAction::Ask, now)
            .unwrap();
    }
    scene
        .switchboard
        .recording_ended(&session, Some("the disk is full".to_owned()));
    let told = scene.hears(ann);
    let last = told.last().unwrap();
    assert_eq!(
        (&last["state"], &last["message"]),
        (&json!("failed"), &json!("the disk is full"))
    );
    scene
        .switchboard
        .recording(&session, ann, RecordingAction::Ask, now)
        .unwrap();
}
