//! The counters of this server's live sessions and media engine, for `/metrics`.

use crate::session::Sessions;

/// One metric in Prometheus' sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Without the prefix `parlor_`; counters end in `_total`.
    pub name: &'static str,
    pub help: &'static str,
    pub value: u64,
}

/// The metrics of the live sessions and of the engine that carries their media.
pub fn engine_metrics(sessions: &Sessions) -> Vec<Metric> {
    let metric = |name, help, value| Metric { name, help, value };
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let live = sessions.counts();
    let media = sessions.media_statistics();
    vec![
        metric("sessions", "Live sessions", count(live.sessions)),
        metric("connections", "Connected clients", count(live.connections)),
        metric("streams", "Published streams", count(live.streams)),
        metric(
            "udp_packets_received_total",
            "UDP packets received",
            media.packets_in,
        ),
        metric(
            "udp_packets_unknown_total",
            "UDP packets from unknown senders",
            media.packets_unknown,
        ),
        metric(
            "udp_packets_sent_total",
            "UDP packets sent",
            media.packets_out,
        ),
        metric(
            "udp_packets_dropped_total",
            "UDP packets dropped because the system's send buffer was full",
            media.packets_dropped,
        ),
        metric(
            "rtp_packets_received_total",
            "RTP packets received from publishers",
            media.media_in,
        ),
        metric(
            "rtp_packets_forwarded_total",
            "RTP packets forwarded to subscribers",
            media.media_forwarded,
        ),
    ]
}
