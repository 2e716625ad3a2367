//! The rules of the roster, told as what people see.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::session::ConnectionId;

/// A roster with a clock to move by hand.
struct Scene {
    roster: Roster,
    now: Instant,
}

impl Scene {
    fn new() -> Scene {
        Scene {
            roster: Roster::default(),
            now: Instant::now(),
        }
    }

    fn opens(&mut self, user: UserId, name: &str) -> ConnectionId {
        let connection = ConnectionId::random();
        let tab = TabConnected {
            user,
            name: &Name::parse(name).unwrap(),
            connection,
            availability: None,
        };
        self.roster.tab_connected(tab, self.now);
        connection
    }

    fn newcomer(&mut self, name: &str) -> (UserId, ConnectionId) {
        let user = UserId::random();
        (user, self.opens(user, name))
    }

    fn disconnects(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        self.roster.tab_disconnected(connection, reason, self.now);
    }

    fn wait_ms(&mut self, ms: u64) -> ExpiredUsers {
        self.now += Duration::from_millis(ms);
        self.roster.advance(self.now)
    }

    fn delta(&mut self) -> Option<RosterDelta> {
        self.roster.delta(self.now)
    }

    fn names(&self, search: &str) -> Vec<String> {
        let query = RosterQuery {
            search,
            limit: 200,
            ..RosterQuery::default()
        };
        let page = self.roster.page(query);
        assert_eq!(page.total, page.buddies.len());
        page.buddies
            .iter()
            .map(|entry| match entry.person.number {
                1 => entry.person.name.to_string(),
                number => format!("{} #{number}", entry.person.name),
            })
            .collect()
    }
}

#[test]
fn everybody_learns_who_joins_changes_and_leaves() {
    let mut scene = Scene::new();
    let (ann, tab) = scene.newcomer("Ann");
    let joined = serde_json::to_value(scene.delta()).unwrap();
    assert_eq!(
        joined,
        json!({"seq": 1, "total": 1,
               "joined": [{"id": ann.to_string(), "name": "Ann", "state": "available"}],
               "changed": [], "left": []})
    );

    scene.wait_ms(250);
    scene
        .roster
        .set_availability(ann, Availability::DoNotDisturb, scene.now);
    let (ann2, _) = scene.newcomer("ann");
    let changed = serde_json::to_value(scene.delta()).unwrap();
    assert_eq!(
        changed,
        json!({"seq": 2, "total": 2,
               "joined": [{"id": ann2.to_string(), "name": "ann", "number": 2, "state": "available"}],
               "changed": [{"id": ann.to_string(), "name": "Ann", "state": "doNotDisturb"}],
               "left": []})
    );

    scene.disconnects(tab, DisconnectReason::Closed);
    scene.wait_ms(2000);
    let left = serde_json::to_value(scene.delta()).unwrap();
    assert_eq!(
        left,
        json!({"seq": 3, "total": 1, "joined": [], "changed": [], "left": [ann.to_string()]})
    );
}

#[test]
fn a_closed_tab_is_gone_within_two_seconds() {
    let mut scene = Scene::new();
    let (ann, tab) = scene.newcomer("Ann");
    scene.disconnects(tab, DisconnectReason::Closed);
    assert_eq!(scene.wait_ms(1750).departed, [ann]);
    assert!(scene.roster.is_empty());
}

#[test]
fn a_lost_network_is_forgiven_for_four_seconds() {
    let mut scene = Scene::new();
    let (ann, tab) = scene.newcomer("Ann");
    scene.disconnects(tab, DisconnectReason::Lost);
    assert!(scene.wait_ms(3999).departed.is_empty());
    assert_eq!(scene.wait_ms(1).departed, [ann]);
}

#[test]
fn a_reload_is_not_a_departure() {
    for page_comes_first in [true, false] {
        let mut scene = Scene::new();
        let (ann, tab) = scene.newcomer("Ann");
        scene.delta();
        scene.wait_ms(1000);
        if page_comes_first {
            scene.roster.expect_back(ann, scene.now);
            scene.disconnects(tab, DisconnectReason::Closed);
        } else {
            scene.disconnects(tab, DisconnectReason::Closed);
            scene.wait_ms(100);
            scene.roster.expect_back(ann, scene.now);
        }
        assert!(scene.wait_ms(4890).departed.is_empty());
        scene.opens(ann, "Ann");
        assert!(scene.wait_ms(60_000).departed.is_empty());
        assert_eq!(scene.delta(), None, "nobody noticed");
    }
}

#[test]
fn a_page_that_has_connected_holds_nobody_any_longer() {
    let mut scene = Scene::new();
    let (ann, first) = scene.newcomer("Ann");
    scene.roster.expect_back(ann, scene.now);
    let second = scene.opens(ann, "Ann");
    scene.disconnects(first, DisconnectReason::Closed);
    scene.disconnects(second, DisconnectReason::Closed);
    assert_eq!(scene.wait_ms(1750).departed, [ann]);
}

#[test]
fn a_reload_that_never_comes_is_given_up() {
    let mut scene = Scene::new();
    let (ann, tab) = scene.newcomer("Ann");
    scene.roster.expect_back(ann, scene.now);
    scene.disconnects(tab, DisconnectReason::Closed);
    for _ in 0..9 {
        assert!(scene.wait_ms(1000).departed.is_empty());
        scene.roster.expect_back(ann, scene.now);
    }
    assert_eq!(
        scene.wait_ms(1000).departed,
        [ann],
        "asking again does not help"
    );
}

#[test]
fn several_tabs_are_one_buddy() {
    let mut scene = Scene::new();
    let (ann, first) = scene.newcomer("Ann");
    let second = scene.opens(ann, "Ann");
    assert_eq!(scene.roster.tabs(ann), [first, second]);
    assert_eq!(scene.delta().unwrap().joined.len(), 1);
    scene.disconnects(first, DisconnectReason::Closed);
    assert!(scene.wait_ms(10_000).departed.is_empty());
    assert_eq!(scene.delta(), None);
    assert_eq!(scene.roster.user_of(second), Some(ann));
    assert_eq!(scene.roster.user_of(first), None);
}

#[test]
fn a_connection_told_of_twice_is_one_tab() {
    let mut scene = Scene::new();
    let (ann, tab) = scene.newcomer("Ann");
    let stranger = UserId::random();
    for user in [ann, stranger] {
        let tab = TabConnected {
            user,
            name: &Name::parse("Ann").unwrap(),
            connection: tab,
            availability: None,
        };
        scene.roster.tab_connected(tab, scene.now);
    }
    assert_eq!(scene.roster.tabs(ann), [tab]);
    assert_eq!(scene.roster.len(), 1, "it belongs to the first");
    scene.disconnects(tab, DisconnectReason::Closed);
    scene.disconnects(tab, DisconnectReason::Closed);
    assert_eq!(scene.wait_ms(2000).departed, [ann]);
}

#[test]
fn the_same_name_is_told_apart_for_as_long_as_it_is_worn() {
    let mut scene = Scene::new();
    let (_, first) = scene.newcomer("Ann");
    scene.newcomer("Ann");
    let (third, _) = scene.newcomer("ANN");
    scene.delta();
    assert_eq!(scene.names(""), ["Ann", "Ann #2", "ANN #3"]);

    scene.disconnects(first, DisconnectReason::Closed);
    scene.wait_ms(2000);
    scene.newcomer("ann");
    scene.opens(third, "Zoe");
    scene.wait_ms(250);
    scene.delta();
    assert_eq!(scene.names(""), ["ann", "Ann #2", "Zoe"]);
}

#[test]
fn the_available_come_first_then_those_in_a_call_then_the_rest() {
    let mut scene = Scene::new();
    let users: Vec<UserId> = ["Dora", "bob", "Ann", "Cid", "Eve", "Fay"]
        .into_iter()
        .map(|name| scene.newcomer(name).0)
        .collect();
    let now = scene.now;
    let roster = &mut scene.roster;
    roster.set_activity(users[2], Activity::Chatting, now);
    roster.set_activity(users[1], Activity::Inviting, now);
    roster.set_availability(users[3], Availability::DoNotDisturb, now);
    roster.set_availability(users[4], Availability::Invisible, now);
    scene.delta();
    assert_eq!(scene.names(""), ["Dora", "Fay", "Ann", "bob", "Cid"]);
}

#[test]
fn invisible_buddies_leave_and_return_like_others() {
    let mut scene = Scene::new();
    let (ann, _) = scene.newcomer("Ann");
    scene.delta();
    for (availability, left, joined) in [
        (Availability::Invisible, 1, 0),
        (Availability::Available, 0, 1),
    ] {
        scene.wait_ms(250);
        assert!(scene.roster.set_availability(ann, availability, scene.now));
        let delta = scene.delta().unwrap();
        assert_eq!((delta.left.len(), delta.joined.len()), (left, joined));
    }
}

#[test]
fn what_a_buddy_chose_outlives_its_departure() {
    let mut scene = Scene::new();
    let (ann, tab) = scene.newcomer("Ann");
    scene
        .roster
        .set_availability(ann, Availability::Invisible, scene.now);
    scene.disconnects(tab, DisconnectReason::Closed);
    scene.wait_ms(2000);
    assert!(scene.roster.is_former(ann));
    scene.opens(ann, "Ann");
    assert_eq!(
        scene.roster.availability_and_activity(ann),
        Some((Availability::Invisible, Activity::Idle))
    );
}

#[test]
fn who_left_is_forgotten_after_a_day_or_after_many_others() {
    let mut scene = Scene::new();
    let (ann, tab) = scene.newcomer("Ann");
    scene.disconnects(tab, DisconnectReason::Closed);
    scene.wait_ms(2000);
    assert_eq!(scene.wait_ms(24 * 60 * 60 * 1000).forgotten, [ann]);
    assert!(!scene.roster.is_former(ann));

    let users: Vec<UserId> = (0..10_001)
        .map(|_| {
            let (user, tab) = scene.newcomer("Ann");
            scene.disconnects(tab, DisconnectReason::Closed);
            scene.wait_ms(1500);
            user
        })
        .collect();
    assert!(!scene.roster.is_former(users[0]));
    assert!(scene.roster.is_former(users[1]));
}

#[test]
fn changes_are_told_four_times_a_second_at_most() {
    let mut scene = Scene::new();
    scene.newcomer("Ann");
    assert!(scene.delta().is_some(), "the first at once");
    let (_, tab) = scene.newcomer("Bob");
    scene.newcomer("Cid");
    assert!(scene.delta().is_none());
    assert_eq!(
        scene.roster.due(),
        Some(scene.now + Duration::from_millis(250))
    );
    scene.wait_ms(249);
    assert!(scene.delta().is_none());
    scene.wait_ms(1);
    assert_eq!(scene.delta().unwrap().joined.len(), 2);
    assert_eq!(scene.roster.due(), None);

    scene.disconnects(tab, DisconnectReason::Closed);
    scene.wait_ms(1500);
    assert_eq!(scene.delta().unwrap().left.len(), 1, "after a calm at once");
}

#[test]
fn a_crowd_of_thousands_is_told_once_a_second_unless_much_happens() {
    let mut scene = Scene::new();
    let mut tabs = Vec::new();
    for at in 0..8_000 {
        tabs.push(scene.newcomer(&format!("Buddy {at}")).1);
    }
    while scene.delta().is_some() {
        scene.wait_ms(250);
    }
    scene.wait_ms(1000);
    scene.newcomer("First");
    assert!(scene.delta().is_some(), "after a calm at once");
    scene.newcomer("Second");
    scene.wait_ms(999);
    assert!(scene.delta().is_none());
    scene.wait_ms(1);
    assert!(scene.delta().is_some());

    scene.newcomer("Third");
    for at in 0..100 {
        scene.newcomer(&format!("Newcomer {at}"));
    }
    scene.wait_ms(250);
    assert!(scene.delta().is_some(), "enough for a full one");
}

#[test]
fn a_crowd_is_told_in_portions_that_a_signal_can_carry() {
    let mut scene = Scene::new();
    for at in 0..500 {
        scene.newcomer(&match at % 3 {
            0 => "\"\\".repeat(30),
            1 => "😀".repeat(60),
            _ => format!("Buddy {at}"),
        });
    }
    let mut told = 0;
    while told < 500 {
        let delta = scene.delta().unwrap();
        told += delta.joined.len();
        assert_eq!(delta.total, told);
        assert!(serde_json::to_string(&delta).unwrap().len() < 8192);
        scene.wait_ms(250);
    }
    assert_eq!(scene.delta(), None);
}

#[test]
fn the_roster_is_searched_and_paged() {
    let mut scene = Scene::new();
    let me = scene.newcomer("Buddy me").0;
    for at in 0..450 {
        scene.newcomer(&format!("Buddy {at:03}"));
    }
    scene.newcomer("Ünal");
    while scene.roster.due().is_some() {
        scene.wait_ms(250);
        scene.delta();
    }
    let page = |search, offset, limit| {
        let page = scene.roster.page(RosterQuery {
            search,
            offset,
            limit,
            except: Some(me),
        });
        let names: Vec<String> = page
            .buddies
            .iter()
            .map(|entry| entry.person.name.to_string())
            .collect();
        (page.total, names)
    };
    assert_eq!(
        page("", 448, 10),
        (
            451,
            vec!["Buddy 448".into(), "Buddy 449".into(), "Ünal".into()]
        )
    );
    assert_eq!(
        page(" DDY 44", 1, 2),
        (10, vec!["Buddy 441".into(), "Buddy 442".into()])
    );
    assert_eq!(page("ÜN", 0, 0), (1, vec!["Ünal".into()]), "one at least");
    assert_eq!(page("", 0, usize::MAX).1.len(), 200, "200 at most");
    assert_eq!(page("", usize::MAX, 1), (451, Vec::new()));
    assert_eq!(page("nobody", 0, 10), (0, Vec::new()));
}

#[test]
fn only_the_available_who_are_idle_may_be_invited() {
    let mut scene = Scene::new();
    let (ann, tab) = scene.newcomer("Ann");
    let roster = &mut scene.roster;
    let now = scene.now;
    assert_eq!(roster.may_be_invited(ann), Ok(()));
    for (availability, activity, why) in [
        (
            Availability::Available,
            Activity::Inviting,
            Unavailable::Inviting,
        ),
        (
            Availability::Available,
            Activity::Chatting,
            Unavailable::Chatting,
        ),
        (
            Availability::DoNotDisturb,
            Activity::Idle,
            Unavailable::DoNotDisturb,
        ),
        (
            Availability::DoNotDisturb,
            Activity::Chatting,
            Unavailable::Chatting,
        ),
        (
            Availability::Invisible,
            Activity::Idle,
            Unavailable::Offline,
        ),
        (
            Availability::Invisible,
            Activity::Chatting,
            Unavailable::Offline,
        ),
    ] {
        roster.set_availability(ann, availability, now);
        roster.set_activity(ann, activity, now);
        assert_eq!(roster.may_be_invited(ann), Err(why));
    }
    scene.disconnects(tab, DisconnectReason::Closed);
    scene.wait_ms(2000);
    assert_eq!(scene.roster.may_be_invited(ann), Err(Unavailable::Offline));
    assert_eq!(
        scene.roster.may_be_invited(UserId::random()),
        Err(Unavailable::Unknown)
    );
}

proptest! {
    /// Whoever applies the deltas knows what the roster is, whatever happens and whenever deltas are made.
    #[test]
    fn deltas_add_up_to_the_roster(moves in prop::collection::vec((0..7_u8, 0..12_usize, 0..400_u64), 1..200)) {
        let mut scene = Scene::new();
        let users: Vec<UserId> = (0..12).map(|_| UserId::random()).collect();
        let mut mirror: BTreeMap<UserId, RosterEntry> = BTreeMap::new();
        let mut seq = 0;
        for (what, who, ms) in moves {
            let user = users[who];
            match what {
                0 | 1 => { scene.opens(user, ["Ann", "Bob", "ann"][who % 3]); }
                2 => if let Some(tab) = scene.roster.tabs(user).first().copied() {
                    scene.disconnects(tab, DisconnectReason::Lost);
                },
                3 => {
                    let choice = [Availability::Available, Availability::DoNotDisturb, Availability::Invisible];
                    scene.roster.set_availability(user, choice[(ms % 3) as usize], scene.now);
                }
                4 => {
                    let choice = [Activity::Idle, Activity::Inviting, Activity::Chatting];
                    scene.roster.set_activity(user, choice[(ms % 3) as usize], scene.now);
                }
                5 => { scene.opens(user, "Cid"); }
                _ => scene.roster.expect_back(user, scene.now),
            }
            scene.wait_ms(ms);
            if let Some(delta) = scene.delta() {
                seq += 1;
                prop_assert_eq!(delta.seq, seq);
                for entry in delta.joined {
                    prop_assert!(mirror.insert(entry.person.id, entry).is_none());
                }
                for entry in delta.changed {
                    prop_assert!(mirror.insert(entry.person.id, entry).is_some());
                }
                for user in delta.left {
                    prop_assert!(mirror.remove(&user).is_some());
                }
                prop_assert_eq!(delta.total, mirror.len());
            }
            let page = scene.roster.page(RosterQuery { limit: 200, ..RosterQuery::default() });
            prop_assert_eq!(page.seq, seq);
            let mut told: Vec<RosterEntry> = mirror.values().cloned().collect();
            told.sort();
            prop_assert_eq!(page.buddies, told);
        }
    }
}
