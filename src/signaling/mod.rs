//! The browser protocol over one WebSocket, `GET /live`.
//!
//! This page tells the conversation; `message.rs` has the types of what is sent, and
//! `session/request.rs` and `session/event.rs` what is in them. The browser's half is
//! `static/js/opentok/signaling.js`.
//!
//! # Terms
//!
//! A **connection** is one client in a session. It outlives its **socket**: when that is lost, the
//! client opens another and *resumes*. Frames are text, each one JSON object. The client sends
//! **requests**, numbered by an `id` of its own choice; the server sends one **reply** to each,
//! `{"re":id,…}`, and **events**, `{"n":1,…}`, numbered from 1 for each connection without holes, over
//! all its sockets. Fields that the server does not know are ignored.
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
//! The first message of every socket, within 5 s. The token travels in it and not in the URL, so it is
//! in nobody's log. The welcome carries all that is there: every connection, this one included; the
//! streams that others publish; the archives that record now. Whatever happens later comes as events, so a
//! signal is never heard before its sender was seen. Who is not let in hears why (code 1004: the token;
//! 1005: the session; 1006: the server; 1027: the session is full), and the socket is closed with 4003.
//!
//! With `"quiet":true` a client is told nothing of who comes and goes: of `connections` the welcome lists itself
//! alone, and no `connectionCreated` or `connectionDestroyed` follows. Streams and signals come as ever, also from
//! connections that it has not heard of. Others hear of it, unless they are quiet, too. Joining a session of
//! quiet clients costs the same however many there are.
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
//! The client always offers, and counts its offers in `generation`. `tracks` says what the m-lines are that it
//! sends on, `slots` names the pairs of m-lines that it receives on. Others hear of a stream when
//! the first offer that carries it has been answered; its publisher hears no event of its own streams, but when
//! somebody else ends or mutes them. `updateStream` (`hasAudio`, `hasVideo`, `width`, `height`) changes a
//! stream and is heard by others as `streamChanged` with the whole stream; `unpublish` ends it (`mediaStopped`: true
//! when the person ended it in the browser, and others hear that as the reason).
//!
//! # Subscribing
//!
//! ```text
//! → {"id":4,"type":"subscribe","slot":0,"streamId":"4e…","height":360}
//! ← {"re":4}
//! ```
//!
//! Shows a stream in a negotiated slot, without any further SDP. `updateSubscription` changes `audio`, `video`,
//! `height` and `frameRate` of what is shown, `unsubscribe` frees the slot, and so does the end of the stream.
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
//! In a session that was made relayed, media do not pass the server, and `offer` and `subscribe` are refused. Others
//! hear of a stream when its publisher says `peer.open`. A *pair* is one subscriber's view of one stream, numbered by
//! the subscriber: it asks by `peer.want`, once more whenever it wants `audio`, `video`, `height` or `frameRate`
//! otherwise, and with `"restart":true` when the way between the two broke. The publisher offers on a peer connection
//! for this pair alone, the other answers; both send their candidates, several in a message, and either may end the
//! pair. The server hands all of it on, from connection to connection, when one side publishes the stream and the other
//! may subscribe; it keeps nothing of it but what a resumed connection missed.
//!
//! Browsers that found no way to one another within 5 s, or lost it, say `peer.failed`. Then, or when the session is to
//! be recorded (`"reason":"recording"`), everybody hears `sessionRouted`, and whoever joins later reads
//! `"relayed":false`: what is published has to be offered to the server, and may be subscribed to at once, since the
//! server makes who subscribes wait for the stream. A session stays routed until the last has left it. The server does
//! not see whether media flow from browser to browser, so a connection without a socket is kept for 4 s.
//!
//! # Signals
//!
//! ```text
//! → {"id":5,"type":"signal","signalType":"chat","data":"hi","to":"6f…"}
//! ← {"re":5}
//! ← {"n":2,"type":"signal","signalType":"chat","data":"hi","from":"1a…"}                   (to 6f…)
//! ```
//!
//! Without `to`, everybody hears it, the sender too. `from` is null when the server itself signals.
//! Signals of one sender to one receiver stay in order. All roles but publisheronly may signal.
//!
//! # Moderating
//!
//! With a moderator's token: `forceDisconnect` (`connectionId`), `forceUnpublish`, `forceMute` (`streamId`),
//! `forceMuteAll` (`excludedStreamIds`), `disableForceMute`. A muted publisher hears `streamMuted`, the others
//! `streamChanged`; the server drops its sound until it unmutes itself by `updateStream`. `forceMuteAll` also mutes
//! whoever publishes later, until `disableForceMute`; everybody hears `muteForced`. Who is disconnected hears
//! `{"n":…,"type":"disconnected","reason":"forceDisconnected"}` last of all.
//!
//! # Leaving, losing, resuming
//!
//! ```text
//! → {"id":9,"type":"bye"}                      or a close frame with 1000 or 1001: gone at once
//!
//! → {"id":10,"type":"hello","versions":[1],"sessionId":"2_MX…","token":"",
//!    "resume":{"connectionId":"6f…","key":"9c41…","last":17}}
//! ← {"re":10,"resumed":true}
//! ← {"n":18,…}                                 all that was missed, then what happens
//! ```
//!
//! The server pings who was silent for 1.5 s; a socket on which nothing arrives for 3.5 s is dead. A connection without a
//! socket is kept for 4 s after it was last heard, or as long as its media flow, for `graceMs` at most; who
//! vanishes is gone for everybody within 5 s. A resume is refused (code 4001) when the connection is gone or its missed
//! events are: the server keeps the latest 1536, or 1.5 MiB, that the client has not acknowledged by
//! `{"type":"ack","last":17}`, which it should send every few seconds. The token is not looked at when resuming. The
//! resuming socket replaces one that the server believed alive.
//!
//! A request whose reply was lost with its socket may have been carried out, or not. Numbers of requests need not
//! begin anew on a new socket.
//!
//! # Errors
//!
//! ```text
//! ← {"re":5,"error":{"code":404,"name":"OT_NOT_FOUND","message":"there is no such connection in the session; …"}}
//! ```
//!
//! Codes and names are OpenTok's: 1011 the message, 1013 an offer that cannot be answered, 1500 publishing,
//! 1501 subscribing, 1520, 1530 and 1540 moderating, 1605 too many streams, 2000 the media engine has too much to
//! do, 429 too fast, and for signals 400, 403, 404 and 413. The sentence is for the page's developer.
//!
//! # Limits
//!
//! | what | how much | beyond |
//! |---|---|---|
//! | bytes of a message | 128 KiB, of SDP 64 KiB | closed with 1009; 1011 |
//! | messages | 200 a second, 400 at once and one more for each other connection, unless quiet | connection ended, 4029 |
//! | signals | 50 a second, 100 at once and one more for each other connection, unless quiet | 429 |
//! | signal type, data | 128 characters, 8192 bytes as JSON | 400, 413 |
//! | offers | 5 a second, 10 at once, 4 unanswered | 429 |
//! | messages to other browsers | 50 a second, 300 at once | 429 |
//! | candidates of a message | 64, each 1024 bytes | 1011 |
//! | streams, slots | 16, 64 a connection | 1605, 1011 |
//! | connections | 20,000 a session | 1027 |
//! | messages waiting for a client that does not read | 1000, or 1 MiB | closed with 4008 |
//!
//! # Close codes
//!
//! | code | why | the client |
//! |---|---|---|
//! | 1000 | goodbye | is done |
//! | 1001 | the server is stopping | may try again later |
//! | 1002, 1003, 1009 | not the WebSocket protocol; binary; too long | has a bug |
//! | 4000 | no JSON object with a numeric `id` | has a bug |
//! | 4001, 4003 | no hello in time; not let in | connects anew, if at all |
//! | 4004 | ended; the last event says why | is done |
//! | 4008 | reads too slowly | resumes |
//! | 4009 | another socket has taken over | is done with this socket |
//! | 4029 | flood | is done |

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
