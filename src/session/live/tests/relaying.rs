//! The rules of media from browser to browser.

use super::world::{World, peer, unpublish};
use crate::{
    opentok::Role,
    session::{
        ConnectionId, StreamId,
        event::Rerouting,
        event::{ReplyBody, SessionEvent},
        request::{Candidate, PeerLink, Request, SubscriptionUpdate},
    },
};

const WANT: u8 = 0;
const OFFER: u8 = 1;
const ANSWER: u8 = 2;
const ICE: u8 = 3;
const BYE: u8 = 4;

/// Ann publishes, Bob is there.
fn pair(bob: Role) -> (World, usize, usize, StreamId) {
    let mut world = World::relayed();
    let ann = world.join(Role::Publisher);
    let bob = world.join(bob);
    let stream = world.publish(ann);
    open(&mut world, ann, stream);
    world.read_all();
    (world, ann, bob, stream)
}

fn open(world: &mut World, who: usize, stream_id: StreamId) {
    let opened = world.ask(who, Request::PeerOpen { stream_id });
    assert_eq!(opened, ReplyBody::Done {});
}

fn id(world: &World, who: usize) -> ConnectionId {
    world.clients[who].id
}

#[test]
fn a_stream_is_announced_when_its_publisher_says_so_and_the_engine_has_nothing_to_do() {
    let mut world = World::relayed();
    let (ann, bob) = (world.join(Role::Publisher), world.join(Role::Subscriber));
    let stream = world.publish(ann);
    world.read_all();
    assert!(world.clients[bob].streams.is_empty());
    assert_eq!(
        world
            .refusal(bob, Request::PeerOpen { stream_id: stream })
            .name,
        "OT_STREAM_NOT_FOUND"
    );
    open(&mut world, ann, stream);
    world.read_all();
    assert!(world.clients[bob].streams.contains_key(&stream));
    assert!(world.clients[bob].relayed);
    world.ask(ann, unpublish(stream));
    world.read_all();
    assert!(world.clients[bob].streams.is_empty());
    assert!(world.engine.peers.is_empty());
}

#[test]
fn browsers_reach_one_another_through_the_session() {
    let (mut world, ann, bob, stream) = pair(Role::Subscriber);
    let (ann_id, bob_id) = (id(&world, ann), id(&world, bob));
    for (from, to, what) in [
        (bob, ann_id, WANT),
        (ann, bob_id, OFFER),
        (bob, ann_id, ANSWER),
        (ann, bob_id, ICE),
        (bob, ann_id, ICE),
        (bob, ann_id, BYE),
    ] {
        assert_eq!(world.ask(from, peer(to, stream, what)), ReplyBody::Done {});
    }
    world.read_all();
    let heard = |who: usize| {
        let events = world.clients[who].events.iter();
        let of = |event: &SessionEvent| match event {
            SessionEvent::PeerWant { .. } => Some("want"),
            SessionEvent::PeerSdp { .. } => Some("sdp"),
            SessionEvent::PeerIce { .. } => Some("ice"),
            SessionEvent::PeerBye { .. } => Some("bye"),
            _ => None,
        };
        events.filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(heard(ann), ["want", "sdp", "ice", "bye"]);
    assert_eq!(heard(bob), ["sdp", "ice"]);
}

#[test]
fn only_a_publisher_offers_its_stream_and_only_who_may_subscribe_asks_for_it() {
    let (mut world, ann, bob, stream) = pair(Role::Publisher);
    let eve = world.join(Role::PublisherOnly);
    let (ann_id, bob_id, eve_id) = (id(&world, ann), id(&world, bob), id(&world, eve));
    for (from, to, what, code) in [
        (bob, ann_id, OFFER, 1011),
        (ann, bob_id, ANSWER, 1011),
        (ann, bob_id, WANT, 1011),
        // The stream of a third person.
        (bob, eve_id, WANT, 1501),
        (bob, eve_id, ICE, 1501),
        // Whoever may not subscribe.
        (eve, ann_id, WANT, 1501),
        (ann, eve_id, OFFER, 1501),
        // Oneself, and nobody.
        (ann, ann_id, OFFER, 1501),
        (ann, ConnectionId::random(), OFFER, 1501),
    ] {
        let refusal = world.refusal(from, peer(to, stream, what));
        assert_eq!(refusal.code, code, "{what} from {from}: {refusal}");
    }
    let refusal = world.refusal(bob, peer(ann_id, StreamId::random(), WANT));
    assert_eq!(refusal.name, "OT_STREAM_NOT_FOUND");
    world.read_all();
    for who in [ann, bob, eve] {
        let peers = |event: &&SessionEvent| {
            matches!(
                event,
                SessionEvent::PeerWant { .. } | SessionEvent::PeerSdp { .. }
            )
        };
        assert_eq!(world.clients[who].events.iter().find(peers), None);
    }
}

#[test]
fn what_browsers_say_is_bounded() {
    let (mut world, ann, bob, stream) = pair(Role::Subscriber);
    let to = id(&world, bob);
    let Request::PeerSdp {
        pair,
        mut description,
    } = peer(to, stream, OFFER)
    else {
        unreachable!("an offer")
    };
    description.sdp = "x".repeat(64 * 1024 + 1);
    let refusal = world.refusal(ann, Request::PeerSdp { pair, description });
    assert_eq!(refusal.code, 1011);

    let candidate = |bytes: usize| Candidate {
        candidate: "x".repeat(bytes),
        sdp_mid: None,
        sdp_m_line_index: None,
        username_fragment: None,
    };
    for candidates in [vec![candidate(1025)], vec![candidate(1); 65]] {
        let refusal = world.refusal(ann, Request::PeerIce { pair, candidates });
        assert_eq!(refusal.code, 1011);
    }
    let candidates = vec![candidate(1024); 64];
    let done = world.ask(ann, Request::PeerIce { pair, candidates });
    assert_eq!(done, ReplyBody::Done {});

    let outcomes: Vec<_> = (0..310)
        .map(|_| world.ask(ann, peer(to, stream, ICE)))
        .collect();
    let refused = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, ReplyBody::Error { error } if error.code == 429));
    assert_eq!(refused.count(), 14);
    assert!(world.is_there(ann));
}

#[test]
fn a_relayed_session_has_no_use_for_the_engine() {
    let (mut world, ann, _, stream) = pair(Role::Subscriber);
    world.offer(ann, 1);
    assert!(world.engine.offers.is_empty());
    let subscribe = Request::Subscribe {
        slot: 0,
        stream_id: stream,
        wanted: SubscriptionUpdate::default(),
    };
    assert_eq!(world.refusal(ann, subscribe).code, 1011);
}

#[test]
fn a_failure_routes_the_session_for_everybody_and_for_good() {
    let (mut world, ann, bob, stream) = pair(Role::Subscriber);
    let failed = || Request::PeerFailed {
        stream_id: Some(stream),
    };
    assert_eq!(world.ask(bob, failed()), ReplyBody::Done {});
    // The other side found out, too.
    assert_eq!(world.ask(ann, failed()), ReplyBody::Done {});
    world.read_all();
    for who in [ann, bob] {
        let routed = |event: &&SessionEvent| {
            matches!(
                event,
                SessionEvent::SessionRouted {
                    reason: Rerouting::Fallback
                }
            )
        };
        assert_eq!(world.clients[who].events.iter().filter(routed).count(), 1);
    }
    let to = id(&world, bob);
    assert_eq!(world.refusal(ann, peer(to, stream, OFFER)).code, 1011);
    let late = world.join(Role::Publisher);
    assert!(!world.clients[late].relayed);
}

#[test]
fn a_stream_that_has_ended_is_no_failure() {
    let (mut world, _, bob, _) = pair(Role::Subscriber);
    let failed = Request::PeerFailed {
        stream_id: Some(StreamId::random()),
    };
    assert_eq!(world.refusal(bob, failed).name, "OT_STREAM_NOT_FOUND");
    assert!(world.live.is_relayed());
}

#[test]
fn who_subscribes_before_the_publisher_has_come_to_the_engine_waits_for_the_stream() {
    let (mut world, ann, bob, stream) = pair(Role::Subscriber);
    world.live.route(Rerouting::Recording);
    world.settle();
    world.offer(bob, 1);
    world.answer();
    let subscribe = Request::Subscribe {
        slot: 0,
        stream_id: stream,
        wanted: SubscriptionUpdate::default(),
    };
    assert_eq!(world.ask(bob, subscribe), ReplyBody::Done {});
    assert!(world.engine.slots.is_empty());

    world.offer(ann, 0);
    world.answer();

    let bob_id = id(&world, bob);
    assert_eq!(world.engine.slots.get(&(bob_id, 0)), Some(&stream));
    world.read_all();
    // Nothing was told anew.
    let created = |event: &&SessionEvent| matches!(event, SessionEvent::StreamCreated { .. });
    assert_eq!(world.clients[bob].events.iter().filter(created).count(), 1);
}

#[test]
fn a_recording_routes_the_session() {
    let (mut world, ann, _, _) = pair(Role::Subscriber);
    world.start_archive();
    world.read_all();
    assert!(!world.live.is_relayed());
    assert!(!world.clients[ann].relayed);
}

#[test]
fn a_lost_socket_loses_nothing_that_browsers_say() {
    let (mut world, ann, bob, stream) = pair(Role::Subscriber);
    let to = id(&world, bob);
    world.lose(bob);
    world.ask(ann, peer(to, stream, OFFER));
    world.ask(ann, peer(to, stream, ICE));
    world.resume(bob).unwrap();
    world.read_all();
    let heard = &world.clients[bob].events;
    assert!(matches!(
        heard[..],
        [
            ..,
            SessionEvent::PeerSdp { .. },
            SessionEvent::PeerIce { .. }
        ]
    ));
}

#[test]
fn browsers_talk_in_relayed_sessions_only() {
    let mut world = World::new();
    let (ann, stream) = world.join_and_publish(Role::Publisher);
    let bob = world.join(Role::Subscriber);
    let pair = PeerLink {
        to: id(&world, ann),
        stream_id: stream,
        pair: 1,
    };
    let refusal = world.refusal(bob, Request::PeerBye { pair });
    assert_eq!(refusal.code, 1011);
    let failed = Request::PeerFailed { stream_id: None };
    assert_eq!(world.ask(bob, failed), ReplyBody::Done {});
    world.read_all();
    let routed = |event: &SessionEvent| matches!(event, SessionEvent::SessionRouted { .. });
    assert!(!world.clients[bob].events.iter().any(routed));
}
