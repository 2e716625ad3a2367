//! Whatever happens in whatever order, certain things stay true.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Duration,
};

use proptest::prelude::*;

use super::world::{World, camera, peer, signal, unpublish};
use crate::{
    opentok::Role,
    session::{
        ConnectionId, EndReason, Rerouting, StreamId,
        request::{Request, StreamUpdate, SubscriptionUpdate},
    },
};

/// Small numbers choose among the clients, streams and archives there are.
#[derive(Clone, Debug)]
enum Step {
    Join(Role),
    JoinQuietly(Role),
    Read(usize),
    Lose(usize),
    Close(usize),
    Resume(usize),
    Publish(usize),
    Offer(usize, u16),
    Answer,
    RefuseOffer,
    Unpublish(usize, usize),
    Update(usize, usize, bool, u16),
    Subscribe(usize, u16, usize),
    Adjust(usize, u16, u16),
    Unsubscribe(usize, u16),
    Peer(usize, usize, usize, u8),
    PeerOpen(usize, usize),
    PeerFailed(usize, usize),
    Route,
    Signal(usize, Option<usize>),
    ServerSignal,
    ForceDisconnect(usize, usize),
    ForceUnpublish(usize, usize),
    ForceMute(usize, usize),
    ForceMuteAll(usize, usize),
    DisableForceMute(usize),
    Ack(usize),
    Bye(usize),
    Alive(usize),
    Pass(u64),
    StartArchive,
    StopArchive(usize),
    DisconnectAll,
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![
        Just(Role::Subscriber),
        Just(Role::Publisher),
        Just(Role::Publisher),
        Just(Role::PublisherOnly),
        Just(Role::Moderator),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..6_usize;
    let other = || 0..6_usize;
    prop_oneof![
        5 => role().prop_map(Step::Join),
        2 => role().prop_map(Step::JoinQuietly),
        4 => who().prop_map(Step::Read),
        3 => who().prop_map(Step::Lose),
        1 => who().prop_map(Step::Close),
        4 => who().prop_map(Step::Resume),
        6 => who().prop_map(Step::Publish),
        8 => (who(), 0..3_u16).prop_map(|(who, slots)| Step::Offer(who, slots)),
        8 => Just(Step::Answer),
        1 => Just(Step::RefuseOffer),
        2 => (who(), other()).prop_map(|(who, of)| Step::Unpublish(who, of)),
        3 => (who(), other(), any::<bool>(), 0..3_u16)
            .prop_map(|(who, of, on, width)| Step::Update(who, of, on, width)),
        6 => (who(), 0..3_u16, other()).prop_map(|(who, slot, of)| Step::Subscribe(who, slot, of)),
        2 => (who(), 0..3_u16, 0..3_u16)
            .prop_map(|(who, slot, height)| Step::Adjust(who, slot, height)),
        2 => (who(), 0..3_u16).prop_map(|(who, slot)| Step::Unsubscribe(who, slot)),
        4 => (who(), proptest::option::of(other())).prop_map(|(who, to)| Step::Signal(who, to)),
        8 => (who(), other(), other(), 0..5_u8)
            .prop_map(|(who, to, of, what)| Step::Peer(who, to, of, what)),
        8 => (who(), other()).prop_map(|(who, of)| Step::PeerOpen(who, of)),
        1 => (who(), other()).prop_map(|(who, of)| Step::PeerFailed(who, of)),
        1 => Just(Step::Route),
        1 => Just(Step::ServerSignal),
        1 => (who(), other()).prop_map(|(who, of)| Step::ForceDisconnect(who, of)),
        2 => (who(), other()).prop_map(|(who, of)| Step::ForceUnpublish(who, of)),
        2 => (who(), other()).prop_map(|(who, of)| Step::ForceMute(who, of)),
        1 => (who(), other()).prop_map(|(who, of)| Step::ForceMuteAll(who, of)),
        1 => who().prop_map(Step::DisableForceMute),
        2 => who().prop_map(Step::Ack),
        1 => who().prop_map(Step::Bye),
        2 => who().prop_map(Step::Alive),
        3 => (0..5000_u64).prop_map(Step::Pass),
        1 => Just(Step::StartArchive),
        1 => (0..3_usize).prop_map(Step::StopArchive),
        1 => Just(Step::DisconnectAll),
    ]
}

/// The `number`th of the streams there are, announced or not.
fn stream(world: &World, number: usize) -> StreamId {
    let mut all: Vec<_> = world.clients.iter().flat_map(|c| c.own.clone()).collect();
    all.extend(world.live.streams().iter().map(|s| s.stream_id));
    if all.is_empty() {
        return StreamId::random();
    }
    all[number % all.len()]
}

fn take(world: &mut World, step: Step) {
    let count = world.clients.len();
    let pick = |number: usize| number % count.max(1);
    match step {
        Step::Join(role) => {
            world.join(role);
        }
        Step::JoinQuietly(role) => {
            world.join_quietly(role);
        }
        Step::Answer => world.answer(),
        Step::RefuseOffer => world.refuse_offer(),
        Step::Pass(ms) => world.pass(Duration::from_millis(ms)),
        Step::StartArchive => {
            world.start_archive();
        }
        Step::StopArchive(number) => {
            if let Some(archive) = world.live.archives().get(number) {
                world.stop_archive(archive.id);
            }
        }
        Step::DisconnectAll => {
            world
                .live
                .disconnect_all(EndReason::ServerStopping, world.now);
            world.settle();
        }
        Step::Route => {
            world.live.route(Rerouting::Recording);
            world.settle();
        }
        Step::ServerSignal => {
            let _ = world.live.signal_from_server(None, None, None, None);
            world.settle();
        }
        _ if count == 0 => {}
        Step::Read(who) => world.read(pick(who)),
        Step::Lose(who) => world.lose(pick(who)),
        Step::Close(who) => world.close(pick(who)),
        Step::Resume(who) => {
            let _ = world.resume(pick(who));
        }
        Step::Alive(who) => {
            let id = world.clients[pick(who)].id;
            world.live.media_alive(id, world.now);
        }
        Step::Offer(who, slots) => world.offer(pick(who), slots),
        step => {
            let (who, request) = request(world, &step, pick);
            world.send(who, request);
        }
    }
}

fn request(world: &World, step: &Step, pick: impl Fn(usize) -> usize) -> (usize, Request) {
    let id = |who: usize| world.clients[pick(who)].id;
    let stream_of = |number: &usize| stream(world, *number);
    let (who, request) = match step {
        Step::Publish(who) => (who, Request::Publish(camera())),
        Step::Unpublish(who, of) => {
            let stream_id = stream_of(of);
            (who, unpublish(stream_id))
        }
        Step::Update(who, of, on, width) => {
            let change = StreamUpdate {
                has_audio: Some(*on),
                width: Some(*width),
                ..StreamUpdate::default()
            };
            let stream_id = stream_of(of);
            (who, Request::UpdateStream { stream_id, change })
        }
        Step::Subscribe(who, slot, of) => (
            who,
            Request::Subscribe {
                slot: *slot,
                stream_id: stream_of(of),
                wanted: SubscriptionUpdate::default(),
            },
        ),
        Step::Adjust(who, slot, height) => {
            let wanted = SubscriptionUpdate {
                height: Some(*height),
                ..SubscriptionUpdate::default()
            };
            let slot = *slot;
            (who, Request::UpdateSubscription { slot, wanted })
        }
        Step::Unsubscribe(who, slot) => (who, Request::Unsubscribe { slot: *slot }),
        Step::Peer(who, to, of, what) => {
            let to = id(*to);
            (who, peer(to, stream_of(of), *what))
        }
        Step::PeerOpen(who, of) => {
            let stream_id = stream_of(of);
            (who, Request::PeerOpen { stream_id })
        }
        Step::PeerFailed(who, of) => {
            let stream_id = Some(stream_of(of));
            (who, Request::PeerFailed { stream_id })
        }
        Step::Signal(who, to) => (who, signal(to.map(id))),
        Step::ForceDisconnect(who, of) => {
            let connection_id = id(*of);
            (who, Request::ForceDisconnect { connection_id })
        }
        Step::ForceUnpublish(who, of) => {
            let stream_id = stream_of(of);
            (who, Request::ForceUnpublish { stream_id })
        }
        Step::ForceMute(who, of) => {
            let stream_id = stream_of(of);
            (who, Request::ForceMute { stream_id })
        }
        Step::ForceMuteAll(who, of) => {
            let excluded_stream_ids = vec![stream_of(of)];
            (
                who,
                Request::ForceMuteAll {
                    excluded_stream_ids,
                },
            )
        }
        Step::DisableForceMute(who) => (who, Request::DisableForceMute),
        Step::Ack(who) => {
            let last = world.clients[pick(*who)].last;
            (who, Request::Ack { last })
        }
        Step::Bye(who) => (who, Request::Bye),
        other => unreachable!("{other:?} is no request"),
    };
    (pick(*who), request)
}

/// What the session believes, its engine does; and nothing is left of those who are gone.
fn check(world: &World) {
    let live = &world.live;
    world.monitored.check(live);
    let mut shown = BTreeMap::new();
    for (id, connection) in &live.connections {
        assert_eq!(connection.socket.is_none(), connection.lost.is_some());
        assert_eq!(
            connection
                .lost
                .is_some_and(|lost| live.lost.contains(&(lost.looked_at, *id))),
            connection.lost.is_some()
        );
        for (slot, subscription) in &connection.slots {
            if let Some(subscription) = subscription {
                assert!(live.streams[&subscription.stream].announced);
                if live.is_carried(subscription.stream) {
                    shown.insert((*id, *slot), subscription.stream);
                }
            }
        }
        for stream in &connection.streams {
            assert_eq!(live.streams[stream].info.connection_id, *id);
        }
    }
    let lost = live.connections.values().filter(|c| c.lost.is_some());
    assert_eq!(lost.count(), live.lost.len());
    let is_quiet = |id: &ConnectionId| world.clients.iter().any(|c| c.id == *id && c.quiet);
    let curious = live.connections.keys().filter(|id| !is_quiet(id)).copied();
    assert_eq!(curious.collect::<HashSet<_>>(), live.curious);
    assert_eq!(shown, world.engine.slots);
    for (id, stream) in &live.streams {
        assert!(
            live.connections[&stream.info.connection_id]
                .streams
                .contains(id)
        );
        assert!(!stream.carried || stream.announced);
        assert!(!live.relayed || !stream.offered);
        if stream.carried {
            assert_eq!(!stream.info.has_audio, world.engine.audio_off.contains(id));
        }
    }
    if live.relayed {
        assert!(world.engine.peers.is_empty() && world.engine.recording.is_empty());
    }
    for stream in world.engine.streams.keys() {
        assert!(live.streams.contains_key(stream));
    }
    for peer in &world.engine.peers {
        assert!(live.connections.contains_key(peer));
    }
    let announced = live.streams.values().filter(|s| s.announced);
    let announced: HashSet<_> = announced.map(|s| s.info.stream_id).collect();
    for recorded in world.recorders.values() {
        assert_eq!(*recorded, announced);
    }
    for offer in live.offers.values() {
        assert!(live.connections.contains_key(&offer.connection));
    }
}

/// Everybody who is there and has read everything sees the same, and what is true.
fn check_views(world: &mut World) {
    world.read_all();
    let people: BTreeSet<_> = world
        .live
        .people()
        .iter()
        .map(|c| c.connection_id)
        .collect();
    let streams = world.live.streams();
    for client in world.clients.iter().filter(|c| c.socket.is_some()) {
        let told_of = if client.quiet {
            BTreeSet::from([client.id])
        } else {
            people.clone()
        };
        assert_eq!(client.people, told_of);
        assert_eq!(client.relayed, world.live.relayed);
        let others: BTreeMap<_, _> = streams
            .iter()
            .filter(|stream| stream.connection_id != client.id)
            .map(|stream| (stream.stream_id, stream.clone()))
            .collect();
        assert_eq!(client.streams, others);
        let archives: BTreeSet<_> = world.live.archives().iter().map(|a| a.id).collect();
        assert_eq!(client.archives, archives);
    }
}

proptest! {
    #[test]
    fn the_session_stays_true_whatever_happens(
        relayed in any::<bool>(),
        steps in prop::collection::vec(step(), 1..100),
    ) {
        let mut world = if relayed { World::relayed() } else { World::new() };
        for step in steps {
            take(&mut world, step);
            check(&world);
        }
        check_views(&mut world);

        for who in 0..world.clients.len() {
            world.lose(who);
        }
        world.pass(Duration::from_secs(40));
        check(&world);
        for archive in world.live.archives() {
            world.stop_archive(archive.id);
        }
        prop_assert!(world.live.is_over());
        prop_assert_eq!(world.live.stream_count(), 0);
        prop_assert!(world.live.offers.is_empty() && world.live.lost.is_empty());
        prop_assert_eq!(world.live.deadline(), None);
        prop_assert!(world.engine.peers.is_empty() && world.engine.streams.is_empty());
        prop_assert!(world.engine.recording.is_empty());
    }
}
