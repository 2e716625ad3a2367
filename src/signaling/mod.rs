//! The browser protocol over one WebSocket, `GET /live`.
//!
//! This page describes the conversation. `message.rs` has the types of the messages;
//! `session/request.rs` and `session/event.rs` have what is in them. The browser's side is
//! `static/js/opentok/signaling.js`.
//!
//! # Terms
//!
//! A **connection** is one client in a session. It outlives its **socket**: when the socket is lost, the
//! client opens another one and *resumes*. A message is a text frame with one JSON object. The client sends
//! **requests**, each with an `id` that the client chooses. The server sends one **reply** to each request,
//! `{"re":id,…}`, and **events**, `{"n":1,…}`. The server numbers the events of a connection from 1 without
//! gaps, across all its sockets. It ignores fields that it does not know.
//!
//! # Hello
//!
//! ```text
//! → {"id":1,"type":"hello","versions":[1],"sessionId":"2_MX…","token":"T1==…"}
//! ← {"re":1,"version":1,"connection":{"connectionId":"6f…","creationTime":1763779200000,"data":"{\"name\":\"Ann\"}"},
//!    "key":"9c41…","role":"publisher","graceMs":30000,"relayed":false,
//!    "connections":[…],"streams":[…],"archives":[{"id":"b7…","name":"talk","startedAt":1763779100000}]}
//! ```
//!
//! Hello is the first message of every socket and has to arrive within 5 s. It carries the token, because a
//! URL would put the token into logs. The reply is a snapshot: all connections including this one, the
//! streams of the others, and the archives that are recording. Later changes arrive as events, so a client
//! knows the sender of every signal. When the server refuses a client, the reply has the reason (code 1004: the
//! token; 1005: the session; 1006: the server; 1027: the session is full), and the server closes the socket with 4003.
//!
//! With `"quiet":true` a client gets no `connectionCreated` and no `connectionDestroyed`, and `connections` in
//! its welcome lists only itself. It still gets streams and signals, also from connections that it does not
//! know. Others see it, unless they are quiet too. In a session of quiet clients, the cost of a join does not
//! depend on the number of connections.
//!
//! # Publishing
//!
//! ```text
//! → {"id":2,"type":"publish","name":"","hasAudio":true,"hasVideo":true,"videoType":"camera","width":640,"height":480}
//! ← {"re":2,"streamId":"4e…"}
//! → {"id":3,"type":"offer","generation":1,"sdp":"v=0…",
//!    "tracks":[{"mid":"0","streamId":"4e…","kind":"audio"},{"mid":"1","streamId":"4e…","kind":"video"}],
//!    "slots":[{"slot":0,"audioMid":"2","videoMid":"3"}]}
//! ← {"re":3,"generation":1,"sdp":"v=0…"}
//! ← {"n":1,"type":"streamCreated","stream":{"streamId":"4e…","connectionId":"6f…",…}}      (to the others)
//! ```
//!
//! The client always offers, and numbers its offers in `generation`. `tracks` maps the m-lines that the client
//! sends on to its streams. `slots` names the pairs of m-lines that it receives on. The others get
//! `streamCreated` when the server has answered the first offer that carries the stream. A publisher gets no
//! events about its own streams, except when another client ends or mutes them. `updateStream` (`hasAudio`,
//! `hasVideo`, `width`, `height`) changes a stream, and the others get `streamChanged` with the whole stream.
//! `unpublish` ends it; with `"mediaStopped":true` the others get that reason, for a screen share that the
//! person ended in the browser.
//!
//! # Subscribing
//!
//! ```text
//! → {"id":4,"type":"subscribe","slot":0,"streamId":"4e…","height":360}
//! ← {"re":4}
//! ```
//!
//! `subscribe` shows a stream in a negotiated slot and needs no further SDP. `updateSubscription` changes
//! `audio`, `video`, `height` and `frameRate`. `unsubscribe` frees the slot; the end of the stream frees it too.
//!
//! # From browser to browser
//!
//! ```text
//! ← {"re":1,…,"relayed":true,…}                                                            (the welcome)
//! → {"id":2,"type":"publish",…}
//! ← {"re":2,"streamId":"4e…"}
//! → {"id":3,"type":"peer.open","streamId":"4e…"}
//! ← {"n":1,"type":"streamCreated",…}                                                       (to the others)
//!
//! → {"id":2,"type":"peer.want","to":"6f…","streamId":"4e…","pair":1,"height":360}          (1a… subscribes)
//! ← {"n":2,"type":"peer.want","from":"1a…","streamId":"4e…","pair":1,"height":360,"restart":false}
//! → {"id":4,"type":"peer.sdp","to":"1a…","streamId":"4e…","pair":1,"description":{"type":"offer","sdp":"v=0…"}}
//! → {"id":3,"type":"peer.sdp","to":"6f…","streamId":"4e…","pair":1,"description":{"type":"answer","sdp":"v=0…"}}
//! → {"id":5,"type":"peer.ice","to":"1a…","streamId":"4e…","pair":1,"candidates":[{"candidate":"…","sdpMid":"0",…}]}
//! → {"id":9,"type":"peer.bye","to":"6f…","streamId":"4e…","pair":1}
//!
//! → {"id":7,"type":"peer.failed","streamId":"4e…"}
//! ← {"n":8,"type":"sessionRouted","reason":"fallback"}                                     (to everybody)
//! ```
//!
//! In a relayed session media do not pass through the server, and the server refuses `offer` and `subscribe`.
//! The others get `streamCreated` when the publisher sends `peer.open`. A *pair* is one subscriber's view of one
//! stream; the subscriber numbers it. The subscriber sends `peer.want` to ask for the stream, sends it again to
//! change `audio`, `video`, `height` or `frameRate`, and sets `"restart":true` when the path between the two
//! broke. The publisher offers on a peer connection of its own for each pair, and the subscriber answers. Both
//! send their candidates, several in one message, and either may end the pair. The server forwards these
//! messages if one side publishes the stream and the other may subscribe. It stores them only for a client
//! that may resume.
//!
//! A browser sends `peer.failed` when it finds no path within 5 s or loses the path. Then, or when the
//! session is to be recorded (`"reason":"recording"`), everyone gets `sessionRouted`, and clients that join
//! later read `"relayed":false`. From then on publishers offer their streams to the server. Subscribers may
//! subscribe at once: the server starts each subscription when the stream arrives. A session stays routed until
//! the last client leaves. The server does not see media between browsers, so a connection without a socket
//! may resume for 4 s only.
//!
//! # Signals
//!
//! ```text
//! → {"id":5,"type":"signal","signalType":"chat","data":"hi","to":"6f…"}
//! ← {"re":5}
//! ← {"n":2,"type":"signal","signalType":"chat","data":"hi","from":"1a…"}                   (to 6f…)
//! ```
//!
//! Without `to`, everyone gets the signal, the sender included. `from` is null when the server itself signals.
//! Signals of one sender to one receiver stay in order. Every role except publisheronly may signal.
//!
//! # Moderating
//!
//! These requests need a moderator's token: `forceDisconnect` (`connectionId`), `forceUnpublish`, `forceMute`
//! (`streamId`), `forceMuteAll` (`excludedStreamIds`), `disableForceMute`. When a stream is muted, its publisher
//! gets `streamMuted` and the others get `streamChanged`. The server drops its audio until the publisher unmutes it with
//! `updateStream`. `forceMuteAll` also mutes later streams until `disableForceMute`; everyone gets
//! `muteForced`. The last event of a disconnected client is
//! `{"n":…,"type":"disconnected","reason":"forceDisconnected"}`.
//!
//! # Leaving, losing, resuming
//!
//! ```text
//! → {"id":9,"type":"bye"}                      or a close frame with 1000 or 1001: ends the connection
//!
//! → {"id":10,"type":"hello","versions":[1],"sessionId":"2_MX…","token":"",
//!    "resume":{"connectionId":"6f…","key":"9c41…","last":17}}
//! ← {"re":10,"resumed":true}
//! ← {"n":18,…}                                 the missed events, then new ones
//! ```
//!
//! The server pings a client that is silent for 1.5 s. A socket is dead when nothing arrives for 3.5 s. A
//! connection without a socket may resume for 4 s after its last message, and for up to `graceMs` while its media
//! flow. When a client vanishes, the others know within 5 s. The server refuses to resume (code 4001) when
//! the connection has ended, or when it no longer has all missed events. It stores the latest 1536 events, at most
//! 1.5 MiB, that the client has not acknowledged; the client should send `{"type":"ack","last":17}` every few
//! seconds. Resuming does not check the token. The new socket replaces the old one, even if the server
//! still considers the old one alive.
//!
//! When a reply is lost with its socket, the client does not know whether the server applied the request. Request
//! ids need not restart on a new socket.
//!
//! # Errors
//!
//! ```text
//! ← {"re":5,"error":{"code":404,"name":"OT_NOT_FOUND","message":"there is no such connection in the session; …"}}
//! ```
//!
//! Codes and names are those of OpenTok:
//!
//! | code | about |
//! |---|---|
//! | 400, 403, 404, 413 | a signal |
//! | 429 | too many requests |
//! | 1011 | an invalid message |
//! | 1013 | an offer that cannot be answered |
//! | 1500, 1501 | publishing, subscribing |
//! | 1520, 1530, 1540 | moderating |
//! | 1605 | too many streams |
//! | 2000 | the media engine is overloaded |
//!
//! The message is for the developer of the page.
//!
//! # Limits
//!
//! | what | limit | beyond it |
//! |---|---|---|
//! | size of a message; of its SDP | 128 KiB; 64 KiB | close code 1009; error 1011 |
//! | messages | 200 per second; a burst of 400, plus one per other connection unless quiet | close code 4029, the connection ends |
//! | signals | 50 per second; a burst of 100, plus one per other connection unless quiet | error 429 |
//! | signal type; data | 128 characters; 8192 bytes as JSON | error 400; 413 |
//! | offers | 5 per second; a burst of 10; 4 unanswered | error 429 |
//! | messages to other browsers | 50 per second; a burst of 300 | error 429 |
//! | candidates in a message | 64, of 1024 bytes each | error 1011 |
//! | streams; slots per connection | 16; 64 | error 1605; 1011 |
//! | connections per session | 20,000 | error 1027 |
//! | messages queued for a slow client | 1000, or 1 MiB | close code 4008 |
//!
//! # Close codes
//!
//! | code | reason | the client |
//! |---|---|---|
//! | 1000 | the client left | is finished |
//! | 1001 | the server is stopping | may try again later |
//! | 1002, 1003, 1009 | a WebSocket protocol error; a binary message; a message too long | has a bug |
//! | 4000 | not a JSON object with a numeric `id` | has a bug |
//! | 4001, 4003 | no hello in time; refused | may connect again |
//! | 4004 | the connection ended; the last event has the reason | is finished |
//! | 4008 | the client reads too slowly | resumes |
//! | 4009 | another socket took over the connection | is finished with this socket |
//! | 4029 | too many messages; the connection ended | is finished |

mod body;
pub mod close;
mod frames;
pub mod message;
mod socket;

use std::sync::Arc;

use actix_web::web;

use crate::session::{Admission, Sessions};

pub use body::WRITE_BUFFER;

/// Serves `GET /live`.
pub fn routes(
    sessions: Sessions,
    admission: Arc<dyn Admission>,
) -> impl FnOnce(&mut web::ServiceConfig) {
    let endpoint = web::Data::new(socket::Endpoint {
        sessions,
        admission,
    });
    move |config| {
        config.service(
            web::resource("/live")
                .app_data(endpoint)
                .route(web::get().to(socket::connect)),
        );
    }
}
