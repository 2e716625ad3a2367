//! The media engine with real peers over loopback.

use std::{
    collections::BTreeSet,
    sync::mpsc::{Receiver as Queue, TryRecvError, sync_channel},
    time::{Duration, Instant},
};

use parlor::{
    archive::ArchiveId,
    opentok::SessionId,
    session::{
        ConnectionId, StreamId,
        media::{
            EngineCommand, EngineEvent, Media, MediaKind, Recorded, Scope, SubscriptionSettings,
        },
    },
    sfu::{Sfu, SfuConfig, WorkerSockets},
};
use tokio::sync::mpsc::{Receiver, channel};

use crate::peer::{Arrival, Client, run};

const BOTH: SubscriptionSettings = SubscriptionSettings {
    audio: true,
    video: true,
    height: None,
    frame_rate: None,
};

/// An engine with one session.
pub struct House {
    pub sfu: Sfu,
    events: Receiver<EngineEvent>,
    seen: Vec<EngineEvent>,
    session: SessionId,
}

impl House {
    pub fn new() -> House {
        House::with(|config| config)
    }

    fn with(change: impl FnOnce(SfuConfig) -> SfuConfig) -> House {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let sockets = WorkerSockets {
            sockets: vec![socket],
            public: Vec::new(),
            follows_addresses: false,
        };
        let (sender, events) = channel(1_024);
        House {
            sfu: Sfu::start(change(SfuConfig::new(vec![sockets])), sender).unwrap(),
            events,
            seen: Vec::new(),
            session: SessionId::from("2_session"),
        }
    }

    pub fn send(&self, command: EngineCommand) {
        self.sfu.send(&self.session, command).unwrap();
    }

    fn take_events(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.seen.push(event);
        }
    }

    /// Sends an offer of `client` and hands it the answer.
    pub fn negotiate(
        &mut self,
        client: &mut Client,
        connection: ConnectionId,
        offer: parlor::session::media::Offer,
    ) {
        let request = u64::from(offer.generation);
        self.take_events();
        self.seen.clear();
        self.send(EngineCommand::Offer {
            connection,
            request,
            offer,
        });
        let mut answer = None;
        run(&mut [&mut *client], |_| {
            self.take_events();
            for event in &self.seen {
                match event {
                    EngineEvent::Answered {
                        connection: to,
                        request: re,
                        sdp,
                        ..
                    } if (*to, *re) == (connection, request) => answer = Some(sdp.clone()),
                    EngineEvent::Refused { message, .. } => panic!("refused: {message}"),
                    _ => {}
                }
            }
            answer.is_some()
        });
        client.accept(&answer.unwrap());
    }

    /// A client that publishes a stream and has some slots.
    fn join(
        &mut self,
        streams: &[StreamId],
        layers: &[&str],
        slots: u16,
    ) -> (Client, ConnectionId) {
        let (mut client, connection) = (Client::new(), ConnectionId::random());
        let offer = client.offer(streams, layers, slots);
        self.negotiate(&mut client, connection, offer);
        run(&mut [&mut client], |clients| clients[0].connected);
        (client, connection)
    }

    fn subscribe(
        &self,
        connection: ConnectionId,
        slot: u16,
        stream: StreamId,
        wanted: SubscriptionSettings,
    ) {
        self.send(EngineCommand::Subscribe {
            connection,
            slot,
            stream,
            wanted,
        });
    }

    fn has_seen(&mut self, what: impl Fn(&EngineEvent) -> bool) -> bool {
        self.take_events();
        self.seen.iter().any(what)
    }
}

/// Sends a frame of 3 packets and some sound every 10 ms while `clients` run.
fn talk(
    publisher: usize,
    clients: &mut [&mut Client],
    mut done: impl FnMut(&mut [&mut Client]) -> bool,
) {
    let mut next = Instant::now();
    run(clients, |clients| {
        if Instant::now() >= next {
            next += Duration::from_millis(10);
            clients[publisher].send_frame(None, 0, 3, 600);
            clients[publisher].send_audio(80);
        }
        done(clients)
    });
}

fn sequences(client: &Client, slot: u16, kind: MediaKind) -> BTreeSet<u64> {
    let arrivals = client.arrived(slot, kind);
    arrivals.iter().map(|a| a.sequence).collect()
}

fn is_unbroken(sequences: &BTreeSet<u64>) -> bool {
    let (first, last) = (sequences.first().unwrap(), sequences.last().unwrap());
    last - first + 1 == sequences.len() as u64
}

#[test]
fn a_subscriber_gets_every_packet_from_a_key_frame_on() {
    let mut house = House::new();
    let stream = StreamId::random();
    let (mut alice, _) = house.join(&[stream], &[], 0);
    let (mut bob, bob_id) = house.join(&[], &[], 1);
    // The call has lasted for a while: sequence numbers have gone past 65,535.
    talk(0, &mut [&mut alice], |_| {
        house.sfu.statistics().media_in > 200
    });
    house.subscribe(bob_id, 0, stream, BOTH);
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrivals.len() > 400
    });

    let video = bob.arrived(0, MediaKind::Video);
    assert!(video[0].starts_key_frame());
    assert!(video[0].sequence < 32_768);
    for kind in [MediaKind::Audio, MediaKind::Video] {
        assert!(is_unbroken(&sequences(&bob, 0, kind)), "{kind:?}");
    }
    let pictures: BTreeSet<u16> = video.iter().map(Arrival::picture_id).collect();
    assert_eq!(
        pictures.len(),
        video.last().unwrap().picture_id() as usize + 1
    );
    assert!(video.iter().any(|a| a.marker));
    // One request at the beginning, however many packets passed meanwhile.
    assert!(
        alice.key_frames_asked.len() <= 2,
        "{:?}",
        alice.key_frames_asked
    );
}

#[test]
fn without_batching_every_packet_comes_through_as_well() {
    let mut house = House::with(|mut config| {
        config.batched = false;
        config
    });
    let stream = StreamId::random();
    let (mut alice, _) = house.join(&[stream], &[], 0);
    let (mut bob, bob_id) = house.join(&[], &[], 1);
    house.subscribe(bob_id, 0, stream, BOTH);
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrivals.len() > 200
    });
    assert!(is_unbroken(&sequences(&bob, 0, MediaKind::Video)));
}

#[test]
fn a_slot_shows_another_stream_and_its_numbers_go_on() {
    let mut house = House::new();
    let (first, second) = (StreamId::random(), StreamId::random());
    let (mut alice, _) = house.join(&[first], &[], 0);
    let (mut carol, _) = house.join(&[second], &[], 0);
    let (mut bob, bob_id) = house.join(&[], &[], 1);
    house.subscribe(bob_id, 0, first, BOTH);
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrivals.len() > 50
    });
    house.subscribe(bob_id, 0, second, BOTH);
    let before = bob.arrivals.len();
    talk(0, &mut [&mut carol, &mut bob], |clients| {
        clients[1].arrivals.len() > before + 100
    });
    for kind in [MediaKind::Audio, MediaKind::Video] {
        assert!(is_unbroken(&sequences(&bob, 0, kind)), "{kind:?}");
    }
    let keys = bob.arrived(0, MediaKind::Video);
    assert!(keys.iter().filter(|a| a.starts_key_frame()).count() >= 2);
}

#[test]
fn a_medium_that_is_off_is_dropped_and_comes_back_without_a_hole() {
    let mut house = House::new();
    let stream = StreamId::random();
    let (mut alice, _) = house.join(&[stream], &[], 0);
    let (mut bob, bob_id) = house.join(&[], &[], 1);
    house.subscribe(bob_id, 0, stream, BOTH);
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrivals.len() > 100
    });
    let switch = |audio, video| {
        house.send(EngineCommand::SetStream {
            stream,
            audio,
            video,
        });
    };
    switch(false, true);
    let mut before = (0, 0);
    let mut settled = None;
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        let count = |kind| clients[1].arrived(0, kind).len();
        let now = (count(MediaKind::Audio), count(MediaKind::Video));
        // Sound has stopped once 30 packets of video came without any.
        if now.0 != before.0 {
            before = now;
        } else if now.1 > before.1 + 30 {
            settled = Some(now);
        }
        settled.is_some()
    });
    switch(true, true);
    let heard = settled.unwrap().0;
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrived(0, MediaKind::Audio).len() > heard + 30
    });
    assert!(is_unbroken(&sequences(&bob, 0, MediaKind::Audio)));
    assert!(is_unbroken(&sequences(&bob, 0, MediaKind::Video)));
}

#[test]
fn an_unpublished_stream_stops_and_its_slot_can_be_used_again() {
    let mut house = House::new();
    let (stream, other) = (StreamId::random(), StreamId::random());
    let (mut alice, _) = house.join(&[stream], &[], 0);
    let (mut carol, _) = house.join(&[other], &[], 0);
    let (mut bob, bob_id) = house.join(&[], &[], 1);
    house.subscribe(bob_id, 0, stream, BOTH);
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrivals.len() > 50
    });
    house.send(EngineCommand::Unpublish { stream });
    let mut last = house.sfu.statistics();
    talk(0, &mut [&mut alice, &mut bob], |_| {
        let now = house.sfu.statistics();
        // It has stopped once 200 packets came and none went on.
        if now.media_forwarded != last.media_forwarded {
            last = now;
        }
        now.media_in > last.media_in + 200
    });
    house.subscribe(bob_id, 0, other, BOTH);
    let before = bob.arrivals.len();
    talk(0, &mut [&mut carol, &mut bob], |clients| {
        clients[1].arrivals.len() > before + 50
    });
}

#[test]
fn an_ice_restart_from_another_address_keeps_the_call() {
    let mut house = House::new();
    let stream = StreamId::random();
    let (mut alice, alice_id) = house.join(&[stream], &[], 0);
    let (mut bob, bob_id) = house.join(&[], &[], 1);
    house.subscribe(bob_id, 0, stream, BOTH);
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrivals.len() > 50
    });
    alice.roam();
    let offer = alice.offer_restart();
    house.negotiate(&mut alice, alice_id, offer);
    let before = bob.arrivals.len();
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrivals.len() > before + 100
    });
    // Sound sent on the way is lost for good; after the move nothing is.
    let heard = sequences(&bob, 0, MediaKind::Audio);
    let latest = heard.iter().rev().take(15).copied().collect();
    assert!(is_unbroken(&latest));
}

#[test]
fn a_new_peer_connection_of_the_same_client_takes_the_old_ones_place() {
    let mut house = House::new();
    let stream = StreamId::random();
    let (mut alice, _) = house.join(&[stream], &[], 0);
    let (mut bob, bob_id) = house.join(&[], &[], 1);
    house.subscribe(bob_id, 0, stream, BOTH);
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrivals.len() > 50
    });
    let mut again = Client::new();
    let offer = again.offer(&[], &[], 1);
    house.negotiate(&mut again, bob_id, offer);
    talk(0, &mut [&mut alice, &mut again], |clients| {
        clients[1].arrivals.len() > 50
    });
    assert!(again.arrived(0, MediaKind::Video)[0].starts_key_frame());
}

#[test]
fn a_layer_is_chosen_by_height_and_frame_rate() {
    let mut house = House::new();
    let stream = StreamId::random();
    let (mut alice, _) = house.join(&[stream], &["q", "h", "f"], 0);
    let (mut bob, bob_id) = house.join(&[], &[], 1);
    house.subscribe(bob_id, 0, stream, BOTH);
    let mut next = Instant::now();
    let mut frame = 0_usize;
    let mut send = |client: &mut Client| {
        if Instant::now() < next {
            return;
        }
        next += Duration::from_millis(10);
        let temporal_id = [0, 2, 1, 2][frame % 4];
        frame += 1;
        for (rid, size) in [("q", 200), ("h", 500), ("f", 1_000)] {
            client.send_frame(Some(rid), temporal_id, 2, size);
        }
    };
    let sizes = |client: &Client, last: usize| -> BTreeSet<usize> {
        let video = client.arrived(0, MediaKind::Video);
        let latest = video.iter().rev().take(last);
        latest.map(|a| a.payload.len()).collect()
    };
    run(&mut [&mut alice, &mut bob], |clients| {
        send(clients[0]);
        sizes(clients[1], 50) == BTreeSet::from([1_000])
    });
    house.subscribe(
        bob_id,
        0,
        stream,
        SubscriptionSettings {
            height: Some(180),
            frame_rate: Some(7),
            ..BOTH
        },
    );
    run(&mut [&mut alice, &mut bob], |clients| {
        send(clients[0]);
        sizes(clients[1], 30) == BTreeSet::from([200])
    });
    let video = bob.arrived(0, MediaKind::Video);
    let temporal: BTreeSet<u8> = video
        .iter()
        .rev()
        .take(20)
        .map(|a| a.payload[5] >> 6)
        .collect();
    assert_eq!(temporal, BTreeSet::from([0]));
    assert!(is_unbroken(&sequences(&bob, 0, MediaKind::Video)));
    let times: Vec<u64> = video.iter().map(|a| a.time).collect();
    assert!(times.is_sorted());
}

#[test]
fn a_receivers_request_for_a_key_frame_reaches_the_publisher() {
    let mut house = House::new();
    let stream = StreamId::random();
    let (mut alice, _) = house.join(&[stream], &[], 0);
    let (mut bob, bob_id) = house.join(&[], &[], 1);
    house.subscribe(bob_id, 0, stream, BOTH);
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrivals.len() > 50
    });
    let keys = |client: &Client| {
        let video = client.arrived(0, MediaKind::Video);
        video.iter().filter(|a| a.starts_key_frame()).count()
    };
    let before = keys(&bob);
    bob.ask_key_frame(0);
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        keys(clients[1]) > before
    });
}

#[test]
fn a_peer_is_alive_while_packets_come_and_closed_when_it_says_so() {
    let mut house = House::new();
    let stream = StreamId::random();
    let (mut alice, alice_id) = house.join(&[stream], &[], 0);
    let alive = |house: &mut House| {
        house.take_events();
        let alive = |e: &&EngineEvent| matches!(e, EngineEvent::Alive { connection, .. } if *connection == alice_id);
        house.seen.iter().filter(alive).count()
    };
    talk(0, &mut [&mut alice], |_| alive(&mut house) >= 3);
    alice.close();
    run(&mut [&mut alice], |_| {
        house.has_seen(
            |e| matches!(e, EngineEvent::Closed { connection, .. } if *connection == alice_id),
        )
    });
}

#[test]
fn a_peer_that_vanished_is_not_alive_and_costs_nothing() {
    let mut house = House::new();
    let stream = StreamId::random();
    let (mut alice, _) = house.join(&[stream], &[], 0);
    let (mut bob, bob_id) = house.join(&[], &[], 1);
    house.subscribe(bob_id, 0, stream, BOTH);
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrivals.len() > 50
    });
    bob.vanished = true;
    // Forwarding to a peer that has been silent for seconds stops.
    let mut last = (0, Instant::now());
    talk(0, &mut [&mut alice, &mut bob], |_| {
        let forwarded = house.sfu.statistics().media_forwarded;
        if forwarded != last.0 {
            last = (forwarded, Instant::now());
        }
        last.1.elapsed() > Duration::from_millis(500)
    });
    house.send(EngineCommand::Close { connection: bob_id });
}

#[test]
fn closing_a_connection_tells_the_client() {
    let mut house = House::new();
    let (mut alice, connection) = house.join(&[], &[], 1);
    house.send(EngineCommand::Close { connection });
    run(&mut [&mut alice], |clients| clients[0].closed);
}

#[test]
fn garbage_is_dropped_and_the_call_goes_on() {
    let mut house = House::new();
    let stream = StreamId::random();
    let (mut alice, _) = house.join(&[stream], &[], 0);
    let (mut bob, bob_id) = house.join(&[], &[], 1);
    let server = house.sfu.addresses()[0];
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut byte = 0_u8;
    for length in 0..500 {
        byte = byte.wrapping_mul(31).wrapping_add(7);
        let first = [0, 1, 20, 63, 128, 191, byte][length % 7];
        let mut packet = vec![byte; length];
        if let Some(head) = packet.first_mut() {
            *head = first;
        }
        stranger.send_to(&packet, server).unwrap();
    }
    house.subscribe(bob_id, 0, stream, BOTH);
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrivals.len() > 50 && house.sfu.statistics().packets_unknown > 100
    });
}

#[test]
fn bad_offers_are_refused_with_a_sentence() {
    let mut house = House::new();
    let connection = ConnectionId::random();
    let mut client = Client::new();
    let good = client.offer(&[], &[], 1);
    for (request, sdp) in [(1, "hello".to_owned()), (2, "x".repeat(70_000))] {
        let offer = parlor::session::media::Offer {
            sdp,
            ..good.clone()
        };
        house.send(EngineCommand::Offer {
            connection,
            request,
            offer,
        });
        run(&mut [], |_| {
            house.has_seen(|e| {
                matches!(e, EngineEvent::Refused { request: re, message, .. } if *re == request && !message.is_empty())
            })
        });
    }
    house.seen.clear();
    house.negotiate(&mut client, connection, good);
    run(&mut [&mut client], |clients| clients[0].connected);
}

fn drain(queue: &Queue<Recorded>, into: &mut Vec<Recorded>) {
    loop {
        match queue.try_recv() {
            Ok(recorded) => into.push(recorded),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
        }
    }
}

#[test]
fn a_recording_gets_every_track_also_those_to_come() {
    let mut house = House::new();
    let (first, second) = (StreamId::random(), StreamId::random());
    let (mut alice, _) = house.join(&[first], &[], 0);
    let archive = ArchiveId::random();
    let (sink, queue) = sync_channel(8_192);
    house.send(EngineCommand::Record {
        archive,
        sink,
        scope: Scope::ALL,
    });
    let (mut carol, _) = house.join(&[second], &[], 0);
    let mut recorded = Vec::new();
    let mut next = Instant::now();
    run(&mut [&mut alice, &mut carol], |clients| {
        if Instant::now() >= next {
            next += Duration::from_millis(10);
            for client in clients.iter_mut() {
                client.send_frame(None, 0, 3, 600);
                client.send_audio(80);
            }
        }
        drain(&queue, &mut recorded);
        let reports = recorded
            .iter()
            .filter(|r| matches!(r, Recorded::SenderReport { .. }))
            .count();
        recorded.len() > 800 && reports >= 2
    });
    for stream in [first, second] {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            let packets: Vec<_> = recorded
                .iter()
                .filter_map(|r| match r {
                    Recorded::Packet(p) if (p.stream, p.kind) == (stream, kind) => Some(p),
                    _ => None,
                })
                .collect();
            let numbers: BTreeSet<u64> = packets.iter().map(|p| p.sequence).collect();
            assert!(packets.len() > 50 && is_unbroken(&numbers), "{kind:?}");
            if kind == MediaKind::Video {
                assert_eq!(packets[0].payload[6] & 1, 0, "begins with a key frame");
                assert!(packets.iter().any(|p| p.marker));
            }
            let (from, to) = (packets[0].timestamp, packets.last().unwrap().timestamp);
            let reports = recorded.iter().filter_map(|r| match r {
                Recorded::SenderReport {
                    stream: s,
                    kind: k,
                    rtp,
                    ..
                } if (*s, *k) == (stream, kind) => Some(*rtp),
                _ => None,
            });
            for rtp in reports {
                assert!(
                    rtp + 90_000 > from && rtp < to + 90_000,
                    "{from} {rtp} {to}"
                );
            }
        }
    }
    house.send(EngineCommand::StopRecording { archive });
    run(&mut [&mut alice], |_| {
        matches!(queue.try_recv(), Err(TryRecvError::Disconnected))
    });
}

#[test]
fn a_recorder_that_lags_is_told_what_it_missed_and_holds_up_nobody() {
    let mut house = House::new();
    let stream = StreamId::random();
    let (mut alice, _) = house.join(&[stream], &[], 0);
    let (mut bob, bob_id) = house.join(&[], &[], 1);
    house.subscribe(bob_id, 0, stream, BOTH);
    let archive = ArchiveId::random();
    let (sink, queue) = sync_channel(8);
    house.send(EngineCommand::Record {
        archive,
        sink,
        scope: Scope::ALL,
    });
    talk(0, &mut [&mut alice, &mut bob], |clients| {
        clients[1].arrivals.len() > 300
    });
    assert!(is_unbroken(&sequences(&bob, 0, MediaKind::Video)));
    let mut recorded = Vec::new();
    talk(0, &mut [&mut alice, &mut bob], |_| {
        drain(&queue, &mut recorded);
        let video = recorded.iter().any(
            |r| matches!(r, Recorded::Dropped { kind: MediaKind::Video, packets, .. } if *packets > 100),
        );
        video && recorded.len() > 100
    });
    // What was dropped is what the numbers miss.
    let mut numbers = BTreeSet::new();
    let mut dropped = 0;
    for r in &recorded {
        match r {
            Recorded::Packet(p) if p.kind == MediaKind::Video => {
                numbers.insert(p.sequence);
            }
            Recorded::Dropped {
                kind: MediaKind::Video,
                packets,
                ..
            } => dropped += packets,
            _ => {}
        }
    }
    let span = numbers.last().unwrap() - numbers.first().unwrap() + 1;
    assert_eq!(span, numbers.len() as u64 + dropped);
}
