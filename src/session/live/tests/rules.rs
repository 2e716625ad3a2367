//! One test for each rule.

use std::{collections::BTreeSet, time::Duration};

use super::world::{World, camera, signal, unpublish};
use crate::{
    opentok::Role,
    session::recording::{Arrangement, Layout, TimelineEvent},
    session::{
        ConnectionId, MonitorEventKind, StreamId,
        event::{EndReason, ReplyBody, SessionEvent},
        live::{Closing, Effect, OutboundMessage, RecordingPhase, TrackSelection},
        media::{EngineCommand, Scope},
        request::{Request, Resume, StreamUpdate, SubscriptionUpdate},
    },
};

const SECOND: Duration = Duration::from_secs(1);

fn show(slot: u16, stream_id: StreamId) -> Request {
    Request::Subscribe {
        slot,
        stream_id,
        wanted: SubscriptionUpdate::default(),
    }
}

fn audio(stream_id: StreamId, on: bool) -> Request {
    Request::UpdateStream {
        stream_id,
        change: StreamUpdate {
            has_audio: Some(on),
            ..StreamUpdate::default()
        },
    }
}

#[test]
fn a_stream_is_announced_when_its_offer_is_answered() {
    let mut world = World::new();
    let (ann, bob) = (world.join(Role::Publisher), world.join(Role::Publisher));
    let stream = world.publish(ann);
    world.offer(ann, 0);
    world.read_all();
    assert!(world.clients[bob].streams.is_empty());

    world.answer();
    world.read_all();

    assert!(world.clients[bob].streams.contains_key(&stream));
    assert!(world.clients[ann].streams.is_empty());
}

#[test]
fn who_joins_late_sees_everything_in_the_welcome() {
    let mut world = World::new();
    let (ann, stream) = world.join_and_publish(Role::Publisher);
    let archive = world.start_archive();
    let late = world.join(Role::Subscriber);
    world.read_all();
    let late = &world.clients[late];
    assert!(late.people.contains(&world.clients[ann].id));
    assert!(late.streams.contains_key(&stream));
    assert!(late.archives.contains(&archive));
    assert!(late.events.is_empty());
}

#[test]
fn who_is_quiet_hears_streams_and_signals_but_not_who_comes_and_goes() {
    let mut world = World::new();
    let ann = world.join(Role::Publisher);
    let quiet = world.join_quietly(Role::Publisher);
    let (bob, stream) = world.join_and_publish(Role::Publisher);
    world.ask(bob, signal(None));
    world.ask(quiet, signal(Some(world.clients[bob].id)));
    world.ask(bob, Request::Bye);
    world.read_all();

    let heard: Vec<_> = world.clients[quiet].events.iter().collect();
    assert!(
        matches!(
            heard[..],
            [
                SessionEvent::StreamCreated { stream: seen },
                SessionEvent::Signal { from: Some(from), .. },
                SessionEvent::StreamDestroyed { .. },
            ] if seen.stream_id == stream && *from == world.clients[bob].id
        ),
        "{heard:?}"
    );
    // The others see it like anybody.
    assert!(world.clients[ann].people.contains(&world.clients[quiet].id));
}

#[test]
fn a_coming_and_a_going_touch_none_of_the_quiet() {
    let mut world = World::new();
    for _ in 0..50 {
        world.join_quietly(Role::Subscriber);
    }
    let newcomer = world.join_quietly(Role::Subscriber);
    let (id, socket) = (
        world.clients[newcomer].id,
        world.clients[newcomer].socket.unwrap(),
    );
    world.live.socket_closed(id, socket, world.now);
    let effects = world.live.effects();
    assert!(
        matches!(
            effects[..],
            [
                Effect::Close { .. },
                Effect::Left { .. },
                Effect::Monitor(MonitorEventKind::ConnectionDestroyed { .. })
            ]
        ),
        "{effects:?}"
    );
    world.read_all();
    assert!(world.clients.iter().all(|client| client.events.is_empty()));
}

#[test]
fn a_signal_to_thousands_is_one_text() {
    let mut world = World::new();
    for _ in 0..2000 {
        world.join_quietly(Role::Subscriber);
    }
    world
        .live
        .signal_from_server(None, None, Some("roster".to_owned()), Some("x".into()))
        .unwrap();
    let mut texts = std::collections::HashSet::new();
    let effects = world.live.effects();
    for output in &effects {
        if let Effect::Send {
            message: OutboundMessage::Event { event, .. },
            ..
        } = output
        {
            texts.insert(event.json.as_ptr());
        }
    }
    assert_eq!((effects.len(), texts.len()), (2000, 1));
}

#[test]
fn a_stream_whose_offer_is_refused_stays_unknown() {
    let mut world = World::new();
    let (ann, bob) = (world.join(Role::Publisher), world.join(Role::Publisher));
    world.publish(ann);
    world.offer(ann, 0);
    world.refuse_offer();
    world.read_all();
    assert!(world.clients[bob].streams.is_empty());
    let (_, last) = world.clients[ann].replies.last().unwrap();
    assert!(matches!(last, ReplyBody::Error { error } if error.code == 1013));
}

#[test]
fn a_signal_to_all_reaches_its_sender_too() {
    let mut world = World::new();
    let (ann, bob) = (world.join(Role::Subscriber), world.join(Role::Publisher));
    world.ask(ann, signal(None));
    world.read_all();
    for who in [ann, bob] {
        let last = world.clients[who].events.last().unwrap();
        assert!(
            matches!(last, SessionEvent::Signal { from, .. } if *from == Some(world.clients[ann].id))
        );
    }
}

#[test]
fn a_signal_to_one_reaches_nobody_else() {
    let mut world = World::new();
    let (ann, bob, eve) = (
        world.join(Role::Publisher),
        world.join(Role::Publisher),
        world.join(Role::Publisher),
    );
    let to = world.clients[bob].id;
    world.ask(ann, signal(Some(to)));
    world.read_all();
    let heard = |who: usize| {
        let events = &world.clients[who].events;
        events
            .iter()
            .any(|e| matches!(e, SessionEvent::Signal { .. }))
    };
    assert_eq!([heard(ann), heard(bob), heard(eve)], [false, true, false]);
}

#[test]
fn a_signal_to_who_has_left_is_refused() {
    let mut world = World::new();
    let ann = world.join(Role::Publisher);
    let refusal = world.refusal(ann, signal(Some(ConnectionId::random())));
    assert_eq!((refusal.code, refusal.name), (404, "OT_NOT_FOUND"));
}

#[test]
fn where_an_observer_mediates_nobody_is_seen_before_it_says_so() {
    let mut world = World::new();
    world.live.set_mediated();
    let (ann, bob) = (world.join(Role::Subscriber), world.join(Role::Subscriber));
    let [anns, bobs] = [ann, bob].map(|who| world.clients[who].id);
    let knows = |world: &mut World, who: usize| {
        world.settle();
        world.read_all();
        world.clients[who].people.clone()
    };
    assert_eq!(knows(&mut world, ann), BTreeSet::from([anns]));
    assert_eq!(knows(&mut world, bob), BTreeSet::from([bobs]));

    for _ in 0..2 {
        world.live.show(anns, true);
    }
    assert_eq!(knows(&mut world, bob), BTreeSet::from([anns, bobs]));
    let late = world.join(Role::Subscriber);
    let lates = world.clients[late].id;
    assert_eq!(knows(&mut world, late), BTreeSet::from([anns, lates]));

    for _ in 0..2 {
        world.live.show(anns, false);
    }
    assert_eq!(knows(&mut world, bob), BTreeSet::from([bobs]));
    assert_eq!(knows(&mut world, ann), BTreeSet::from([anns]));
    let heard = world.clients[bob].events.len();
    world.close(ann);
    world.read_all();
    assert_eq!(world.clients[bob].events.len(), heard);
}

#[test]
fn signals_are_checked() {
    let mut world = World::new();
    let ann = world.join(Role::Publisher);
    let typed = |text: &str, data: String| Request::Signal {
        signal_type: Some(text.to_owned()),
        data: Some(data.into()),
        to: None,
    };
    assert_eq!(world.refusal(ann, typed("a b", String::new())).code, 400);
    assert_eq!(world.refusal(ann, typed("a", "x".repeat(8191))).code, 413);
    assert_eq!(
        world.ask(ann, typed("a", "x".repeat(8190))),
        ReplyBody::Done {}
    );
}

#[test]
fn a_storm_of_signals_is_refused_one_by_one() {
    let mut world = World::new();
    let ann = world.join(Role::Publisher);
    let refused = (0..150)
        .map(|_| world.ask(ann, signal(None)))
        .filter(|outcome| matches!(outcome, ReplyBody::Error { error } if error.code == 429))
        .count();
    assert_eq!(refused, 50);
    world.pass(SECOND);
    assert_eq!(world.ask(ann, signal(None)), ReplyBody::Done {});
}

#[test]
fn a_flood_ends_the_connection() {
    let mut world = World::new();
    let (ann, bob) = (world.join(Role::Publisher), world.join(Role::Publisher));
    for _ in 0..500 {
        world.send(ann, Request::Ping);
    }
    assert_eq!(world.clients[ann].closed, Some(Closing::Flood));
    assert!(!world.is_there(ann) && world.is_there(bob));
    assert!(world.resume(ann).is_err());
}

#[test]
fn offers_in_a_hurry_are_refused() {
    let mut world = World::new();
    let ann = world.join(Role::Publisher);
    for _ in 0..20 {
        world.offer(ann, 1);
        world.answer();
    }
    world.read_all();
    let answered = world.clients[ann]
        .replies
        .iter()
        .filter(|(_, outcome)| matches!(outcome, ReplyBody::Answer { .. }))
        .count();
    assert_eq!(answered, 10);
}

#[test]
fn roles_are_enforced() {
    let mut world = World::new();
    let (guest, stream) = world.join_and_publish(Role::Publisher);
    let target = world.clients[guest].id;
    let subscriber = world.join(Role::Subscriber);
    let publisher_only = world.join(Role::PublisherOnly);
    let denied = |world: &mut World, who, request| {
        let refusal = world.refusal(who, request);
        assert_eq!(refusal.name, "OT_PERMISSION_DENIED");
        refusal.code
    };

    let code = denied(&mut world, subscriber, Request::Publish(camera()));
    assert_eq!(code, 1500);
    assert_eq!(denied(&mut world, publisher_only, signal(None)), 403);
    assert_eq!(denied(&mut world, publisher_only, show(0, stream)), 1501);
    for who in [guest, subscriber, publisher_only] {
        let disconnect = Request::ForceDisconnect {
            connection_id: target,
        };
        let unpublish = Request::ForceUnpublish { stream_id: stream };
        let mute = Request::ForceMute { stream_id: stream };
        let mute_all = Request::ForceMuteAll {
            excluded_stream_ids: Vec::new(),
        };
        assert_eq!(denied(&mut world, who, disconnect), 1520);
        assert_eq!(denied(&mut world, who, unpublish), 1530);
        assert_eq!(denied(&mut world, who, mute), 1540);
        assert_eq!(denied(&mut world, who, mute_all), 1540);
        assert_eq!(denied(&mut world, who, Request::DisableForceMute), 1540);
    }
}

#[test]
fn a_stream_of_somebody_else_cannot_be_touched() {
    let mut world = World::new();
    let (_, stream) = world.join_and_publish(Role::Publisher);
    let eve = world.join(Role::Publisher);
    assert_eq!(world.refusal(eve, audio(stream, false)).code, 1500);
    assert_eq!(world.refusal(eve, unpublish(stream)).code, 1500);
    world.clients[eve].own.push(stream);
    world.offer(eve, 0);
    world.read(eve);
    let (_, last) = world.clients[eve].replies.last().unwrap();
    assert!(matches!(last, ReplyBody::Error { error } if error.name == "OT_STREAM_NOT_FOUND"));
}

#[test]
fn others_hear_whether_a_page_or_the_person_in_the_browser_ended_a_stream() {
    let mut world = World::new();
    let watcher = world.join(Role::Subscriber);
    for (media_stopped, reason) in [
        (false, EndReason::ClientDisconnected),
        (true, EndReason::MediaStopped),
    ] {
        let (publisher, stream_id) = world.join_and_publish(Role::Publisher);
        let request = Request::Unpublish {
            stream_id,
            media_stopped,
        };
        world.ask(publisher, request);
        world.read_all();
        let ended = SessionEvent::StreamDestroyed { stream_id, reason };
        assert_eq!(world.clients[watcher].events.last(), Some(&ended));
    }
}

#[test]
fn a_moderator_removes_somebody() {
    let mut world = World::new();
    let moderator = world.join(Role::Moderator);
    let (guest, stream) = world.join_and_publish(Role::Publisher);
    let connection_id = world.clients[guest].id;
    world.ask(moderator, Request::ForceDisconnect { connection_id });
    world.read_all();

    let reason = EndReason::ForceDisconnected;
    let events = &world.clients[moderator].events;
    let stream_id = stream;
    assert_eq!(
        events[events.len() - 2..],
        [
            SessionEvent::StreamDestroyed { stream_id, reason },
            SessionEvent::ConnectionDestroyed {
                connection_id,
                reason
            },
        ]
    );
    let gone = &world.clients[guest];
    assert_eq!(
        gone.events.last(),
        Some(&SessionEvent::Disconnected { reason })
    );
    assert_eq!(gone.closed, Some(Closing::Ended(reason)));
    assert!(world.engine.peers.is_empty() && world.engine.streams.is_empty());
}

#[test]
fn a_moderator_ends_a_stream() {
    let mut world = World::new();
    let moderator = world.join(Role::Moderator);
    let (guest, stream_id) = world.join_and_publish(Role::Publisher);
    world.ask(moderator, Request::ForceUnpublish { stream_id });
    world.read_all();
    let ended = SessionEvent::StreamDestroyed {
        stream_id,
        reason: EndReason::ForceUnpublished,
    };
    for who in [moderator, guest] {
        assert_eq!(world.clients[who].events.last(), Some(&ended));
    }
    assert!(world.is_there(guest));
}

#[test]
fn a_muted_publisher_may_unmute() {
    let mut world = World::new();
    let moderator = world.join(Role::Moderator);
    let (guest, stream) = world.join_and_publish(Role::Publisher);
    world.ask(moderator, Request::ForceMute { stream_id: stream });
    world.read_all();
    assert!(world.engine.audio_off.contains(&stream));
    assert!(!world.clients[moderator].streams[&stream].has_audio);
    let muted = SessionEvent::StreamMuted { stream_id: stream };
    assert_eq!(world.clients[guest].events.last(), Some(&muted));

    world.ask(guest, audio(stream, true));
    world.read_all();
    assert!(world.engine.audio_off.is_empty());
    assert!(world.clients[moderator].streams[&stream].has_audio);
}

#[test]
fn muting_all_spares_the_excluded_and_mutes_who_comes_later() {
    let mut world = World::new();
    let (moderator, own) = world.join_and_publish(Role::Moderator);
    let (_, first) = world.join_and_publish(Role::Publisher);
    world.ask(
        moderator,
        Request::ForceMuteAll {
            excluded_stream_ids: vec![own],
        },
    );
    let (late, second) = world.join_and_publish(Role::Publisher);
    world.read_all();
    let is_on = |stream: StreamId| {
        let streams = world.live.streams();
        streams.iter().any(|s| s.stream_id == stream && s.has_audio)
    };
    assert_eq!(
        [is_on(own), is_on(first), is_on(second)],
        [true, false, false]
    );
    assert!(world.engine.audio_off.contains(&second));
    let muted = SessionEvent::StreamMuted { stream_id: second };
    assert_eq!(world.clients[late].events, [muted]);

    world.ask(moderator, Request::DisableForceMute);
    let (_, third) = world.join_and_publish(Role::Publisher);
    assert!(!world.engine.audio_off.contains(&third));
}

#[test]
fn the_server_of_the_application_moderates_without_being_there() {
    let mut world = World::new();
    let (ann, of_ann) = world.join_and_publish(Role::Publisher);
    let (bob, of_bob) = world.join_and_publish(Role::Publisher);
    world.live.mute_stream(of_ann).unwrap();
    world.settle();
    world.read_all();
    assert!(world.engine.audio_off.contains(&of_ann));
    let muted = |stream_id| SessionEvent::StreamMuted { stream_id };
    assert_eq!(world.clients[ann].events.last(), Some(&muted(of_ann)));

    world.live.mute_all(&[of_bob]);
    let (_, of_cid) = world.join_and_publish(Role::Publisher);
    assert!(world.engine.audio_off.contains(&of_cid));
    assert!(!world.engine.audio_off.contains(&of_bob));
    world.live.end_mute_all();
    let (_, of_dan) = world.join_and_publish(Role::Publisher);
    assert!(!world.engine.audio_off.contains(&of_dan));

    let (gone, now) = (world.clients[bob].id, world.now.at);
    world.live.disconnect(gone, now).unwrap();
    world.settle();
    world.read_all();
    let reason = EndReason::ForceDisconnected;
    let over = SessionEvent::Disconnected { reason };
    assert_eq!(world.clients[bob].events.last(), Some(&over));
    let refused = world.live.disconnect(gone, now).unwrap_err();
    assert_eq!(refused.name, "OT_NOT_FOUND");
    let refused = world.live.mute_stream(of_bob).unwrap_err();
    assert_eq!(refused.name, "OT_STREAM_NOT_FOUND");
}

#[test]
fn a_slot_is_free_again_when_its_stream_ends() {
    let mut world = World::new();
    let (ann, stream_id) = world.join_and_publish(Role::Publisher);
    let bob = world.join(Role::Subscriber);
    world.offer(bob, 1);
    world.answer();
    assert_eq!(world.ask(bob, show(0, stream_id)), ReplyBody::Done {});
    assert_eq!(world.engine.slots.len(), 1);
    world.ask(ann, unpublish(stream_id));
    assert!(world.engine.slots.is_empty());
    assert_eq!(
        world.ask(bob, Request::Unsubscribe { slot: 0 }),
        ReplyBody::Done {}
    );
    assert_eq!(
        world.refusal(bob, show(0, stream_id)).name,
        "OT_STREAM_NOT_FOUND"
    );
}

#[test]
fn a_slot_has_to_be_negotiated() {
    let mut world = World::new();
    let (ann, stream) = world.join_and_publish(Role::Publisher);
    assert_eq!(world.refusal(ann, show(2, stream)).code, 1011);
    // Subscribing to one's own stream tests the network.
    assert_eq!(world.ask(ann, show(1, stream)), ReplyBody::Done {});
}

#[test]
fn a_new_peer_connection_finds_everything_as_it_was() {
    let mut world = World::new();
    let (ann, stream) = world.join_and_publish(Role::Publisher);
    let bob = world.join(Role::Subscriber);
    world.offer(bob, 1);
    world.answer();
    world.ask(bob, show(0, stream));
    world.ask(ann, audio(stream, false));
    // The engine forgets all about Ann.
    world.live.media_closed(world.clients[ann].id, world.now);
    world.engine.slots.clear();
    world.engine.audio_off.clear();

    world.offer(ann, 2);
    world.answer();

    assert_eq!(world.engine.slots.len(), 1);
    assert!(world.engine.audio_off.contains(&stream));
}

#[test]
fn a_lost_socket_is_resumed_and_nothing_is_missed() {
    let mut world = World::new();
    let (ann, bob) = (world.join(Role::Publisher), world.join(Role::Publisher));
    world.ask(bob, signal(None));
    // Ann has not read it yet.
    world.lose(ann);
    world.ask(bob, signal(None));
    world.pass(3 * SECOND);
    assert!(world.is_there(ann));
    world.resume(ann).unwrap();
    world.read(ann);
    let signals = world.clients[ann].events.iter();
    assert_eq!(
        signals
            .filter(|e| matches!(e, SessionEvent::Signal { .. }))
            .count(),
        2
    );
    world.pass(60 * SECOND);
    assert!(world.is_there(ann));
}

#[test]
fn a_connection_without_media_is_gone_in_five_seconds() {
    let mut world = World::new();
    let (ann, bob) = (world.join(Role::Publisher), world.join(Role::Publisher));
    world.lose(ann);
    world.pass(Duration::from_millis(3900));
    assert!(world.is_there(ann));
    world.pass(Duration::from_millis(200));
    assert!(!world.is_there(ann));
    world.read(bob);
    assert!(matches!(
        world.clients[bob].events.last(),
        Some(SessionEvent::ConnectionDestroyed {
            reason: EndReason::NetworkDisconnected,
            ..
        })
    ));
    assert_eq!(world.resume(ann).unwrap_err().code, 4001);
}

#[test]
fn a_client_that_fell_silent_is_gone_in_five_seconds_too() {
    let mut world = World::new();
    let ann = world.join(Role::Publisher);
    let vanished_at = world.now.at;
    world.pass(super::super::SOCKET_SILENCE);
    let client = &mut world.clients[ann];
    let socket = client.socket.take().unwrap();
    world
        .live
        .socket_lost(client.id, socket, vanished_at, world.now);
    world.pass(SECOND);
    assert!(!world.is_there(ann));
}

#[test]
fn a_connection_whose_media_flow_has_half_a_minute() {
    let mut world = World::new();
    let (ann, _) = world.join_and_publish(Role::Publisher);
    world.lose(ann);
    for _ in 0..29 {
        world.pass(SECOND);
        world.live.media_alive(world.clients[ann].id, world.now);
        assert!(world.is_there(ann));
    }
    world.pass(SECOND);
    assert!(!world.is_there(ann));
}

#[test]
fn a_connection_whose_media_stop_is_gone_soon() {
    let mut world = World::new();
    let (ann, _) = world.join_and_publish(Role::Publisher);
    world.lose(ann);
    for _ in 0..10 {
        world.pass(SECOND);
        world.live.media_alive(world.clients[ann].id, world.now);
    }
    world.pass(2 * SECOND);
    assert!(world.is_there(ann));
    world.pass(SECOND);
    assert!(!world.is_there(ann));
}

#[test]
fn a_closed_page_is_gone_at_once() {
    for closing in [World::close as fn(&mut World, usize), |world, who| {
        world.send(who, Request::Bye);
    }] {
        let mut world = World::new();
        let (ann, _) = world.join_and_publish(Role::Publisher);
        closing(&mut world, ann);
        assert!(!world.is_there(ann));
        assert!(world.live.is_over());
    }
}

#[test]
fn a_closed_peer_and_a_lost_socket_are_a_departure() {
    let mut world = World::new();
    for peer_first in [true, false] {
        let (ann, _) = world.join_and_publish(Role::Publisher);
        let id = world.clients[ann].id;
        if peer_first {
            world.live.media_closed(id, world.now);
            assert!(world.is_there(ann));
            world.lose(ann);
        } else {
            world.lose(ann);
            assert!(world.is_there(ann));
            world.live.media_closed(id, world.now);
            world.settle();
        }
        assert!(!world.is_there(ann));
    }
}

#[test]
fn a_second_socket_replaces_the_first() {
    let mut world = World::new();
    let ann = world.join(Role::Publisher);
    let first = world.clients[ann].socket.unwrap();
    world.read(ann);
    let resume = Resume {
        connection_id: world.clients[ann].id,
        key: world.clients[ann].key.clone(),
        last: 0,
    };
    let second = super::super::SocketId(99);
    world.live.resume(second, 1, &resume, world.now).unwrap();
    world.settle();
    assert_eq!(world.clients[ann].closed, Some(Closing::Replaced));
    // What the first still sends or loses is of no interest.
    let id = world.clients[ann].id;
    world.live.request(id, first, 9, Request::Bye, world.now);
    world.live.socket_lost(id, first, world.now.at, world.now);
    world.pass(60 * SECOND);
    assert!(world.is_there(ann));
}

#[test]
fn a_wrong_key_resumes_nothing() {
    let mut world = World::new();
    let ann = world.join(Role::Publisher);
    world.clients[ann].key.push('x');
    assert_eq!(world.resume(ann).unwrap_err().name, "OT_DISCONNECTED");
    assert!(world.is_there(ann));
}

#[test]
fn who_missed_too_much_has_to_connect_anew() {
    let mut world = World::new();
    let (ann, bob) = (world.join(Role::Publisher), world.join(Role::Publisher));
    world.lose(ann);
    for _ in 0..2000 {
        world.live.media_alive(world.clients[ann].id, world.now);
        world.pass(Duration::from_millis(10));
        world
            .live
            .signal_from_server(None, None, None, None)
            .unwrap();
    }
    world.settle();
    assert!(world.is_there(ann));
    assert!(world.resume(ann).is_err());
    assert!(!world.is_there(ann) && world.is_there(bob));
}

#[test]
fn a_server_that_stops_says_so() {
    let mut world = World::new();
    let (ann, _) = world.join_and_publish(Role::Publisher);
    let bob = world.join(Role::Publisher);
    world
        .live
        .disconnect_all(EndReason::ServerStopping, world.now);
    world.settle();
    let end = SessionEvent::Disconnected {
        reason: EndReason::ServerStopping,
    };
    for who in [ann, bob] {
        assert_eq!(world.clients[who].events.last(), Some(&end));
    }
    assert!(world.live.is_over() && world.engine.peers.is_empty());
}

#[test]
fn a_recorder_hears_of_every_stream() {
    let mut world = World::new();
    let (ann, early) = world.join_and_publish(Role::Publisher);
    let (sink, _) = std::sync::mpsc::sync_channel(1);
    let info = super::super::super::ArchiveInfo {
        id: crate::common::id::ArchiveId::random(),
        name: String::new(),
        started_at: 0,
    };
    world
        .live
        .start_archive(info, sink, Scope::ALL, world.now.at);
    let notes = |world: &mut World| -> Vec<TimelineEvent> {
        let effects = world.live.effects().into_iter();
        effects
            .filter_map(|output| match output {
                Effect::Note { note, .. } => Some(note),
                _ => None,
            })
            .collect()
    };
    assert_eq!(
        notes(&mut world),
        [TimelineEvent::StreamCreated {
            stream: early,
            connection: world.clients[ann].id,
            name: "client 0".to_owned(),
            connection_data: r#"{"name":"client 0"}"#.to_owned(),
            video_type: "camera".to_owned(),
            has_audio: true,
            has_video: true,
            classes: Vec::new(),
        }]
    );
    let client = &world.clients[ann];
    let (id, socket) = (client.id, client.socket.unwrap());
    world
        .live
        .request(id, socket, 50, audio(early, false), world.now);
    world
        .live
        .request(id, socket, 51, unpublish(early), world.now);
    assert_eq!(
        notes(&mut world),
        [
            TimelineEvent::StreamChanged {
                stream: early,
                has_audio: false,
                has_video: true
            },
            TimelineEvent::StreamDestroyed { stream: early }
        ]
    );
}

#[test]
fn a_recorder_hears_of_the_streams_that_were_chosen_by_hand_and_of_no_other() {
    let mut world = World::new();
    let (ann, one) = world.join_and_publish(Role::Publisher);
    let (_, other) = world.join_and_publish(Role::Publisher);
    let by_hand = Scope {
        by_hand: true,
        ..Scope::ALL
    };
    let archive = world.start_archive_of(by_hand);
    let heard = |world: &mut World| {
        let effects = world.live.effects().into_iter();
        let heard: Vec<_> = effects
            .filter_map(|output| match output {
                Effect::Note { note, .. } => Some(Ok(note)),
                Effect::Media(EngineCommand::Choose { audio, video, .. }) => {
                    Some(Err((audio, video)))
                }
                _ => None,
            })
            .collect();
        heard
    };
    let choose = |world: &mut World, stream, chosen| {
        let now = world.now.at;
        world.live.choose_stream(archive, stream, chosen, now)
    };
    let sound = TrackSelection {
        audio: true,
        video: false,
    };
    assert_eq!(world.live.chosen_streams(archive), []);
    assert!(choose(&mut world, one, None).is_err(), "it is not in it");
    assert!(choose(&mut world, StreamId::random(), Some(sound)).is_err());
    assert_eq!(heard(&mut world), []);

    choose(&mut world, one, Some(sound)).unwrap();
    let noted = heard(&mut world);
    assert!(matches!(
        noted[..],
        [
            Ok(TimelineEvent::StreamCreated { stream: created, .. }),
            Ok(TimelineEvent::StreamChosen { stream, has_audio: true, has_video: false }),
            Err((true, false)),
        ] if created == one && stream == one
    ));
    assert_eq!(world.live.chosen_streams(archive), [(one, sound)]);
    // The other one's changes are none of its business.
    let id = world.clients[1].id;
    let socket = world.clients[1].socket.unwrap();
    let mute = audio(other, false);
    world.live.request(id, socket, 60, mute, world.now);
    assert_eq!(heard(&mut world), []);

    choose(&mut world, one, None).unwrap();
    let gone = TimelineEvent::StreamChosen {
        stream: one,
        has_audio: false,
        has_video: false,
    };
    assert_eq!(heard(&mut world), [Ok(gone), Err((false, false))]);
    assert_eq!(world.live.chosen_streams(archive), []);
    choose(&mut world, one, Some(sound)).unwrap();
    assert_eq!(heard(&mut world).len(), 2, "it is known already");
    let (id, socket) = (world.clients[ann].id, world.clients[ann].socket.unwrap());
    world
        .live
        .request(id, socket, 61, unpublish(one), world.now);
    assert_eq!(
        heard(&mut world),
        [Ok(TimelineEvent::StreamDestroyed { stream: one })]
    );
    assert_eq!(world.live.chosen_streams(archive), []);
}

#[test]
fn an_archive_of_chosen_streams_pauses_when_the_last_is_taken_out() {
    let mut world = World::new();
    let (_, stream) = world.join_and_publish(Role::Publisher);
    let by_hand = Scope {
        by_hand: true,
        ..Scope::ALL
    };
    let archive = world.start_archive_of(by_hand);
    let both = TrackSelection {
        audio: true,
        video: true,
    };
    assert_eq!(world.phases, [], "an archive is born started");
    for (chosen, phase) in [
        (Some(both), None),
        (None, Some(RecordingPhase::Paused)),
        (Some(both), Some(RecordingPhase::Resumed)),
    ] {
        let now = world.now.at;
        let live = &mut world.live;
        live.choose_stream(archive, stream, chosen, now).unwrap();
        world.settle();
        assert_eq!(world.phases.last().map(|(_, phase)| *phase), phase);
    }
}

#[test]
fn layouts_and_classes_are_noted_for_those_who_record() {
    let mut world = World::new();
    let (ann, stream) = world.join_and_publish(Role::Publisher);
    let archive = world.start_archive();
    let layout = Layout {
        arrangement: Arrangement::Pip,
        screenshare: None,
    };
    let classes = vec!["full".to_owned()];
    world.live.set_layout(archive, layout).unwrap();
    world
        .live
        .set_layout_classes(vec![(stream, classes.clone())])
        .unwrap();
    let unknown = vec![(stream, Vec::new()), (StreamId::random(), Vec::new())];
    assert!(world.live.set_layout_classes(unknown).is_err());
    let notes: Vec<_> = world
        .live
        .effects()
        .into_iter()
        .map(|output| match output {
            Effect::Note { note, .. } => note,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        notes,
        [
            TimelineEvent::LayoutChanged { layout },
            TimelineEvent::StreamClasses {
                stream,
                classes: classes.clone()
            }
        ]
    );
    assert_eq!(world.live.layout_classes()[&stream], classes);
    world.stop_archive(archive);
    assert!(world.live.set_layout(archive, layout).is_err());
    assert!(world.is_there(ann));
}

#[test]
fn an_archive_pauses_and_resumes_with_those_who_publish() {
    let mut world = World::new();
    let ann = world.join(Role::Publisher);
    let archive = world.start_archive();
    assert_eq!(world.phases, [], "an archive is born started");
    let first = world.publish(ann);
    world.offer(ann, 0);
    world.answer();
    assert_eq!(world.phases, []);
    world.ask(ann, unpublish(first));
    assert_eq!(world.phases, [(archive, RecordingPhase::Paused)]);
    world.publish(ann);
    world.offer(ann, 0);
    world.answer();
    assert_eq!(
        world.phases.last(),
        Some(&(archive, RecordingPhase::Resumed))
    );
}

#[test]
fn a_session_begins_with_the_first_stream_and_anew_once_everybody_had_left() {
    let mut world = World::new();
    let (ann, first) = world.join_and_publish(Role::Publisher);
    assert_eq!(world.beginnings, 1);
    world.ask(ann, unpublish(first));
    world.join_and_publish(Role::Publisher);
    assert_eq!(world.beginnings, 1);
    world.close(0);
    world.close(1);
    world.join(Role::Publisher);
    assert_eq!(world.beginnings, 1, "nobody publishes yet");
    world.join_and_publish(Role::Publisher);
    assert_eq!(world.beginnings, 2);
}

#[test]
fn an_archive_is_abandoned_a_minute_after_everybody_left() {
    let mut world = World::new();
    let ann = world.join(Role::Publisher);
    let archive = world.start_archive();
    world.pass(600 * SECOND);
    world.close(ann);
    world.pass(59 * SECOND);
    let bob = world.join(Role::Publisher);
    world.pass(59 * SECOND);
    world.close(bob);
    world.pass(59 * SECOND);
    assert_eq!(world.phases, []);
    world.pass(2 * SECOND);
    world.pass(60 * SECOND);
    assert_eq!(world.phases, [(archive, RecordingPhase::Abandoned)]);
    assert!(!world.live.is_over());
    world.stop_archive(archive);
    assert!(world.live.is_over());
}

#[test]
fn nothing_is_due_while_everybody_is_there() {
    let mut world = World::new();
    let (ann, _) = world.join_and_publish(Role::Publisher);
    world.start_archive();
    assert_eq!(world.live.deadline(), None);
    world.lose(ann);
    assert_eq!(
        world.live.deadline(),
        Some(world.now.at + Duration::from_secs(4))
    );
}
