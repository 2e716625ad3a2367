//! Parlor: video rooms you host yourself. This page is the map of the code.
//!
//! # Vocabulary
//!
//! | term | meaning |
//! |---|---|
//! | *project* | an API key and its secret; sessions belong to it |
//! | *session* | an OpenTok session: where connections meet. A browser's cookie session is a *visitor* |
//! | *connection* | one client in a session |
//! | *stream* | the media that a connection publishes; a *track* is its sound or its picture |
//! | *publication*, *subscription* | a client sends a stream; a client receives a stream |
//! | *signal* | an application's message to other clients of the session |
//! | *signaling* | the protocol between the browser library and the server |
//! | *room* | a named place with a session |
//! | *archive* | the recording of a session |
//! | *recorder*, *journal*, *composer* | writes an archive; its append-only file of packets; makes the MP4 or the ZIP |
//! | *moderator* | a person with an account, who may record and moderate; all other people are *guests* |
//! | *buddy* | a visitor with a name on the Buddies page |
//! | *roster*, *deltas* | the list of buddies; its changes since the last message |
//! | *grace period* | the time in which a lost connection may come back |
//! | *invitation*, *chat* | one buddy asks another for a call; the accepted call, a session of two |
//! | *callback* | a webhook: OpenTok's word for an HTTP request about an event to an application's server |
//! | *platform* | creates sessions, tokens and archives for the pages: this server, or a remote one with OpenTok's API |
//! | *local presence* | the session where buddies meet; always on this server |
//!
//! Words for roles in the code:
//!
//! | word | meaning |
//! |---|---|
//! | *event* | a fact that the domain reports, named in the past tense |
//! | *command*, *effect* | an intent: a caller sends a command; the domain returns effects, which an edge applies |
//! | *store* | the SQL of a module, checked at compile time |
//! | *service* | tasks and a handle to them, for example [`archive::Archives`] |
//! | *registry* | the live objects by their id, for example [`session::Sessions`] |
//! | *outbox* | a queue of messages: to one connection ([`session`]), or of webhooks in the database ([`callback`]) |
//! | *dispatcher* | delivers the messages of an outbox |
//! | *cache* | answers of a remote platform that are still valid |
//! | *reconcile*, *sync* | compare rows with a remote platform, and correct them |
//! | *snapshot* | a state at one moment |
//!
//! # Arrows
//!
//! ```text
//! main → server → { web, api, signaling, callback } → app → buddies → platform → domain ← { sfu, recorder }
//! domain: room, session, archive, presence, invitation, moderator, project        opentok: depends on no other module
//! ```
//!
//! The domain is plain structs and functions: input and `now` go in, events come out. Sockets, clocks, processes and SQL are
//! at the rim. Edges translate and decide nothing. Engines execute commands that the domain defines ([`session::media`],
//! [`archive::recording`]). `tests/it/layering.rs` checks the arrows of all modules but `web`, `api`, `app` and `server`.
//!
//! # A person joins a room
//!
//! 1. `GET /rooms/{room}` renders the page with the people in the room and, for a remembered name, a token. Another name goes to
//!    `POST /rooms/{room}/join`, which returns a token with the role of a publisher ([`web`], [`platform`], [`opentok::token`]).
//! 2. `static/opentok.js` opens the WebSocket `/live` and sends the token. [`signaling`] verifies it and passes every message to the
//!    [`session`], a plain struct behind a lock, which returns events.
//! 3. The client sends an SDP offer. The worker of [`sfu`] that owns the session answers. From then on, packets go from its UDP socket
//!    to the sockets of the subscribers; no other thread touches them.
//!
//! In a *relayed* session, packets go from browser to browser, and [`session`] forwards their negotiation. If the browsers
//! find no path, or the session is to be recorded, all clients switch to step 3 during the call (`session/live/relaying.rs`).
//!
//! # A moderator records
//!
//! 1. `POST /archives` asks the [`platform`]. [`archive`] inserts a row, the [`recorder`] opens a journal, the engine copies packets into
//!    it, and every client of the session receives `archiveStarted`.
//! 2. Packets are appended as they arrive. A few seconds behind, the journal becomes one WebM file per stream.
//!    `POST /archives/{id}/stop` completes these files: the archive can be watched.
//! 3. ffmpeg composes the MP4 at low priority, or the files are packed into a ZIP. The archive becomes available when the file is
//!    in place.
//! 4. If the process ends before that, the next start completes the archive from the journals and marks it as recovered.
//!
//! # An application's server makes a call
//!
//! `POST /v2/project/{key}/archive` is signed with the project's secret. [`api`] finds the project and its session, asks the same
//! engine as the pages, and answers as OpenTok does; [`opentok`] has the shapes for both sides. A change of the streams or the layout
//! of a running archive goes through the [`session`] into the recorder's journal, so the composed file is the same whenever it is
//! composed. `src/api/openapi.json` describes every call.
//!
//! # An application's server receives callbacks
//!
//! `POST /v2/project/{key}/callback` registers a URL for a kind of event ([`api`], [`callback`]). Every change of an archive's status
//! inserts an event in its own transaction. The [`session`] reports its connections and streams to a queue that never blocks it. The
//! dispatcher delivers waiting events, signed with the project's secret, and retries failed ones.
//!
//! # Calls on another platform
//!
//! With `PLATFORM=opentok`, [`platform::Remote`] asks another server through [`opentok::OpenTok`]. Browsers load that server's library
//! and join its sessions with tokens that are generated here. The presence session stays on `/live`. Rows of archives follow the
//! platform's answers ([`archive::remote`]). Pages report who is in a chat, and the platform's list confirms it
//! (`buddies/remote_participants.rs`).
//!
//! # One buddy invites another
//!
//! 1. `GET /buddies` renders the first page of the roster. A name goes to `POST /users`, which returns a token for the presence
//!    session, which all buddies connect to ([`web`]).
//! 2. The [`session`] reports each connection to [`buddies`], where the [`invitation::Switchboard`] and its [`presence::Roster`] are
//!    behind one lock. All pages receive the deltas, at most four times a second.
//! 3. `POST /invitations` asks the switchboard, which makes the invitee's tabs ring, or answers with the reason against it.
//!    Accepting, declining, cancelling and the timeout are all in `invitation/lifecycle.rs`. They return effects: signals are sent
//!    at once, database writes and calls of the platform have a task each, which keeps their order (`buddies/effects.rs`).
//! 4. An accepted invitation is a chat: both pages are notified, the database stores it, and only these two people get a token of its
//!    session from `GET /chats`. It is recorded while both agree (`invitation/recording_consent.rs`). It ends when one of them ends
//!    it or leaves; both pages are told the reason, and its session admits no one any more.
//!
//! Pages of OpenTok's presence kit signal to one another instead of calling the server. In the presence session, such
//! signals end at the server, which applies the same rules and answers in the kit's messages (`buddies/presence_kit.rs`).

#![cfg_attr(
    test,
    expect(clippy::disallowed_methods, reason = "tests read the clock")
)]

pub mod api;
pub mod app;
pub mod archive;
pub mod archive_object;
pub mod buddies;
pub mod callback;
pub mod clock;
pub mod common;
pub mod config;
pub mod data;
pub mod invitation;
pub mod moderator;
pub mod opentok;
pub mod platform;
pub mod presence;
pub mod project;
pub mod recorder;
pub mod room;
pub mod server;
pub mod session;
pub mod sfu;
pub mod signaling;
pub mod telemetry;
pub mod web;
