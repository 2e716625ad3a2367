//! Strangers send garbage to the media port during a call.

use std::{collections::BTreeSet, net::UdpSocket, time::Duration};

use parlor::session::media::MediaKind;

use crate::{
    client::{Part, Participant},
    people::{Parlor, Visitor, until},
};

async fn meter(visitor: &Visitor, name: &str) -> u64 {
    let text = visitor.page("/metrics").await;
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// Things that look like STUN, DTLS, RTP and RTCP, and some that look like nothing.
fn garbage(n: usize) -> Vec<u8> {
    let length = [0, 1, 3, 12, 20, 100, 1_200, 1_472][n % 8];
    let mut bytes: Vec<u8> = (0..length)
        .map(|i| u8::try_from((i * 31 + n * 7) % 256).unwrap())
        .collect();
    if let Some(first) = bytes.first_mut() {
        *first = [0, 1, 20, 22, 63, 128, 144, 255][n / 8 % 8];
    }
    if n.is_multiple_of(3) && bytes.len() >= 20 {
        // A STUN binding request by its looks (RFC 8489 §5), with attributes that make no sense.
        let attributes = u16::try_from(bytes.len() - 20).unwrap() & !3;
        bytes[..2].copy_from_slice(&[0, 1]);
        bytes[2..4].copy_from_slice(&attributes.to_be_bytes());
        bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_media_port_does_not_disturb_a_call() {
    let parlor = Parlor::start().await;
    let anonymous = parlor.anonymous();
    let ada = Participant::join(&anonymous, "main", "Ada", Part::Publisher).await;
    let mut bob = Participant::join(&anonymous, "main", "Bob", Part::Viewer).await;

    let strangers: Vec<UdpSocket> = (0..20)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    for stranger in &strangers {
        stranger.connect(parlor.server.addr()).unwrap();
        stranger.set_nonblocking(true).unwrap();
    }
    let before = meter(&anonymous, "parlor_udp_packets_unknown_total").await;
    let mut rounds = 0;
    let unknown = async || meter(&anonymous, "parlor_udp_packets_unknown_total").await - before;
    // Until Bob has seen some seconds of it.
    let seen = bob.received();
    while bob.received() < seen + 300 {
        for n in 0..200 {
            let stranger = &strangers[(rounds + n) % strangers.len()];
            let _ = stranger.send(&garbage(rounds * 200 + n));
        }
        rounds += 1;
        bob.turn(Duration::from_millis(5)).await;
        // What comes faster than the server reads pushes the call out of the socket's buffer.
        until(async || unknown().await + 100 >= rounds as u64 * 200).await;
    }
    let unknown = unknown().await;
    assert!(unknown > 1_000, "{unknown} of {}", rounds * 200);

    let (bob, mut ada) = (bob.leave(), ada);
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let sequences: BTreeSet<u64> = bob.arrived(0, kind).iter().map(|a| a.sequence).collect();
        let (first, last) = (sequences.first().unwrap(), sequences.last().unwrap());
        // What is still on its way back after a loss is not missed.
        let missing = last - first + 1 - sequences.len() as u64;
        assert!(missing <= 3, "{kind:?}: {missing} of {}", sequences.len());
    }
    ada.until(|diary| {
        diary
            .events
            .iter()
            .any(|e| e["type"] == "connectionDestroyed")
    })
    .await;
    assert_eq!(ada.closed(), None);
    ada.leave();
    parlor.server.stop().await;
}
