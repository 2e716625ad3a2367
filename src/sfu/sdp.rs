//! What an offer may contain, and what the answer must say beyond what str0m writes.
//!
//! Line-wise edits of RFC 8866 text; str0m has parsed the offer before anything is believed.

use std::net::SocketAddr;

use str0m::{
    Candidate,
    rtp::{Extension, ExtensionMap},
};

use crate::session::media::{MAX_MID, Offer, Slot};
pub use crate::session::media::{MAX_SDP, MAX_SLOTS};

/// 25 slots of two m-lines, 14 for publishing.
pub const MAX_MEDIA_LINES: usize = 64;
/// Simulcast layers of one track.
pub const MAX_LAYERS: usize = 4;

const TRANSPORT_WIDE_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// The RTP header extensions that are negotiated.
///
/// Not the video's orientation: browsers then turn the pixels before they encode, and a recording
/// is upright whatever plays it.
pub fn extensions() -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    map.set(1, Extension::AudioLevel);
    map.set(3, Extension::TransportSequenceNumber);
    map.set(4, Extension::RtpMid);
    map.set(10, Extension::RtpStreamId);
    map.set(11, Extension::RepairedRtpStreamId);
    map
}

/// Refuses what no client of ours sends, with a sentence for its developer.
pub fn check(offer: &Offer) -> Result<(), String> {
    let sdp = &offer.sdp;
    if sdp.len() > MAX_SDP {
        return Err(format!("the SDP is longer than {MAX_SDP} bytes"));
    }
    let count = |prefix: &str| sdp.lines().filter(|line| line.starts_with(prefix)).count();
    if count("m=") > MAX_MEDIA_LINES {
        return Err(format!("the SDP has more than {MAX_MEDIA_LINES} m-lines"));
    }
    if count("a=rid:") > MAX_MEDIA_LINES * MAX_LAYERS {
        return Err(format!("a track has {MAX_LAYERS} layers at most"));
    }
    if offer.tracks.len() > MAX_MEDIA_LINES || offer.slots.len() > usize::from(MAX_SLOTS) {
        return Err("there are more tracks or slots than m-lines".into());
    }
    if let Some(slot) = offer.slots.iter().find(|slot| slot.slot >= MAX_SLOTS) {
        return Err(format!("slot {} is not below {MAX_SLOTS}", slot.slot));
    }
    let mut mids: Vec<&str> = offer.tracks.iter().map(|track| &*track.mid).collect();
    for slot in &offer.slots {
        mids.extend([&*slot.audio_mid, &*slot.video_mid]);
    }
    if mids.iter().any(|mid| mid.is_empty() || mid.len() > MAX_MID) {
        return Err(format!("a mid has 1 to {MAX_MID} characters"));
    }
    let number = mids.len();
    mids.sort_unstable();
    mids.dedup();
    if mids.len() != number {
        return Err("an m-line is named twice".into());
    }
    Ok(())
}

/// The client's certificate as the offer names it; another one means another peer connection.
pub fn fingerprint(sdp: &str) -> Option<&str> {
    sdp.lines()
        .find_map(|line| line.strip_prefix("a=fingerprint:"))
}

/// Takes transport-wide feedback out of the m-lines that only receive: the engine does not estimate
/// its receivers' bandwidth, and the feedback would cost both sides a packet in twenty.
pub fn without_feedback_on_slots(sdp: &str) -> String {
    let mut out = String::with_capacity(sdp.len());
    for section in sections(sdp) {
        let receives = section.lines().any(|line| line == "a=recvonly");
        for line in section.split_inclusive('\n') {
            if !(receives && line.starts_with("a=extmap:") && line.contains(TRANSPORT_WIDE_CC)) {
                out.push_str(line);
            }
        }
    }
    out
}

/// Finishes an answer: audio and video of a slot share one `MediaStream` id, by which browsers play
/// them in step (RFC 8830), and `public` addresses join the candidates.
pub fn finish(answer: &str, slots: &[Slot], public: &[SocketAddr]) -> String {
    let mut out = String::with_capacity(answer.len() + 256);
    for section in sections(answer) {
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:"));
        let slot = slots
            .iter()
            .find(|slot| mid.is_some_and(|mid| mid == slot.audio_mid || mid == slot.video_mid));
        let mut more = public;
        for line in section.split_inclusive('\n') {
            if line.starts_with("a=candidate:") {
                for address in std::mem::take(&mut more) {
                    if let Ok(candidate) = Candidate::host(*address, "udp") {
                        out.push_str(&format!("a={}\r\n", candidate.to_sdp_string()));
                    }
                }
            }
            match slot {
                Some(slot) => out.push_str(&in_stream(line, slot.slot)),
                None => out.push_str(line),
            }
        }
    }
    out
}

/// `a=msid:STREAM TRACK` and `a=ssrc:N msid:STREAM TRACK` with the slot's stream; other lines as
/// they are.
fn in_stream(line: &str, slot: u16) -> String {
    let attribute = line.starts_with("a=msid:") || line.starts_with("a=ssrc:");
    let parts = line
        .split_once("msid:")
        .filter(|_| attribute)
        .and_then(|(before, ids)| Some((before, ids.split_once(' ')?.1)));
    match parts {
        Some((before, track)) => format!("{before}msid:slot{slot} {track}"),
        None => line.to_owned(),
    }
}

/// The session part, then one part per m-line.
fn sections(sdp: &str) -> impl Iterator<Item = &str> {
    let starts = sdp.match_indices("\nm=").map(|(index, _)| index + 1);
    let mut bounds: Vec<usize> = std::iter::once(0).chain(starts).collect();
    bounds.push(sdp.len());
    (1..bounds.len()).filter_map(move |i| sdp.get(bounds[i - 1]..bounds[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{
        StreamId,
        media::{MediaKind, PublishedTrack},
    };

    fn offer(sdp: &str) -> Offer {
        Offer {
            generation: 1,
            sdp: sdp.to_owned(),
            tracks: Vec::new(),
            slots: Vec::new(),
        }
    }

    fn slot(slot: u16, audio_mid: &str, video_mid: &str) -> Slot {
        Slot {
            slot,
            audio_mid: audio_mid.into(),
            video_mid: video_mid.into(),
        }
    }

    #[test]
    fn offers_out_of_bounds_are_refused() {
        assert!(check(&offer("v=0\r\n")).is_ok());
        assert!(check(&offer(&"x".repeat(MAX_SDP + 1))).is_err());
        assert!(check(&offer(&"m=audio 9\r\n".repeat(65))).is_err());
        let mut twice = offer("v=0\r\n");
        twice.slots = vec![slot(0, "0", "1"), slot(1, "1", "2")];
        assert!(check(&twice).is_err());
        let mut far = offer("v=0\r\n");
        far.slots = vec![slot(64, "0", "1")];
        assert!(check(&far).is_err());
        let mut long = offer("v=0\r\n");
        long.tracks = vec![PublishedTrack {
            mid: "x".repeat(17),
            stream_id: StreamId::random(),
            kind: MediaKind::Audio,
        }];
        assert!(check(&long).is_err());
    }

    #[test]
    fn sound_and_picture_of_a_slot_share_a_stream_and_others_do_not() {
        let answer = "v=0\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=msid:aaa ta\r\n\
            a=ssrc:1 cname:c\r\na=ssrc:1 msid:aaa ta\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=msid:bbb tb\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\na=msid:ccc tc\r\n";
        let finished = finish(answer, &[slot(3, "0", "1")], &[]);
        assert_eq!(
            finished,
            answer.replace("aaa", "slot3").replace("bbb", "slot3")
        );
    }

    #[test]
    fn public_addresses_come_first_and_once() {
        let answer = "v=0\r\nm=audio 9 x 111\r\na=mid:0\r\n\
            a=candidate:1 1 udp 1 10.0.0.1 80 typ host\r\n\
            a=candidate:2 1 udp 1 10.0.0.2 80 typ host\r\n";
        let public = "203.0.113.9:8080".parse().unwrap();
        let finished = finish(answer, &[], &[public]);
        let candidates: Vec<&str> = finished
            .lines()
            .filter(|line| line.starts_with("a=candidate:"))
            .collect();
        assert_eq!(candidates.len(), 3);
        assert!(candidates[0].contains("203.0.113.9 8080 typ host"));
    }

    #[test]
    fn feedback_stays_on_m_lines_that_send() {
        let extension = format!("a=extmap:5 {TRANSPORT_WIDE_CC}\r\n");
        let offer = format!(
            "v=0\r\nm=audio 9 x 111\r\n{extension}a=sendonly\r\n\
             m=audio 9 x 111\r\n{extension}a=recvonly\r\n"
        );
        let cut = without_feedback_on_slots(&offer);
        assert_eq!(cut.matches(TRANSPORT_WIDE_CC).count(), 1);
        assert!(cut.find(TRANSPORT_WIDE_CC) < cut.find("a=sendonly"));
        assert_eq!(cut.replace(&extension, ""), offer.replace(&extension, ""));
    }

    #[test]
    fn the_orientation_of_a_video_is_not_negotiated() {
        assert_eq!(extensions().id_of(Extension::VideoOrientation), None);
    }
}
