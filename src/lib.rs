//! Parlor: video rooms you host yourself. This page is the map of the code.
//!
//! # Vocabulary
//!
//! | term | meaning |
//! |---|---|
//! | *project* | an API key and its secret; sessions belong to it |
//! | *session* | an OpenTok session: where connections meet. A browser's cookie session is a *visitor* |
//! | *connection* | one client in a session |
//! | *stream* | what a connection publishes; a *track* is one medium of it |
//! | *signal* | an application's message to others in the session |
//! | *signaling* | the protocol between the browser library and the server |
//! | *room* | a named place with a session |
//! | *archive* | the recording of a session; a *recorder* writes it |
//! | *moderator* | a person with an account, who may record and moderate; all other people are *guests* |
//! | *buddy* | a visitor with a name on the page of the buddies, listed on the *roster* |
//! | *invitation* | one buddy asks another for a call; accepted, it becomes a *chat*, a session of two |
//! | *callback* | where one kind of event of a project is posted: to its application's server |
//! | *platform* | creates sessions, tokens and archives for the pages: the embedded engine, or a remote server that speaks OpenTok's API |
//! | *event* | a fact that the domain reports, named in the past tense |
//! | *command*, *effect* | an intent: a caller sends a command; the domain returns effects, which an edge applies |
//! | *store* | the only place with the SQL of a module |
//! | *outbox* | the bounded queue of messages to one connection |
//! | *journal* | the append-only file that the recorder writes while a session is recorded |
//! | *deltas* | the changes of the roster since the last message |
//! | *local presence* | the session where buddies meet; always on this server |
//!
//! # Arrows
//!
//! ```text
//! main → server → { web, api, signaling, callback } → app → buddies → platform → domain ← { sfu, recorder }
//! domain: room, session, archive, presence, invitation, moderator, project        opentok: depends on nothing of ours
//! ```
//!
//! The domain is plain structs and functions: input and `now` go in, events come out. Sockets, clocks,
//! processes and SQL stand at the rim: edges translate and decide nothing, engines carry out commands
//! whose words the domain owns ([`session::media`], [`archive::recording`]). `tests/it/layering.rs`
//! keeps this true.
//!
//! # A person joins a room
//!
//! 1. `GET /rooms/{room}` renders the prejoin with who is there. The name goes by `POST /rooms/{room}/join`,
//!    and a token comes back that carries the role of a publisher ([`web`], [`platform`], [`opentok::token`]).
//! 2. `static/opentok.js` opens `/live` and says hello with the token. [`signaling`] has it checked and
//!    hands every message to the [`session`], a plain struct behind a lock, which answers with events.
//! 3. The client offers, [`sfu`] answers on the thread that owns the session; from then on packets go from
//!    its UDP socket to the sockets of those who subscribe, and nothing else touches them.
//!
//! In a session that was made *relayed* packets go from browser to browser, and [`session`] only hands on what the two
//! say to one another to find a way. If they find none, or the session is to be recorded, everybody changes over to
//! step 3 in the middle of the call (`session/live/relaying.rs`).
//!
//! # A moderator records
//!
//! 1. `POST /archives` asks the [`platform`]: a row is written ([`archive`]), the [`recorder`] opens a
//!    journal, the engine copies packets into it, and everybody in the session hears `archiveStarted`.
//! 2. While people talk, packets are appended as they come; a few seconds behind, the journal becomes one
//!    WebM a stream. `POST /archives/{id}/stop` finishes their tails: the archive can be watched.
//! 3. ffmpeg composes the MP4 at low priority, or the streams' files are packed into a ZIP; when it is in place the archive
//!    becomes available.
//! 4. If the process dies on the way, the next start finishes from the journals and marks it recovered.
//!
//! # An application's server calls
//!
//! `POST /v2/project/{key}/archive` is signed with the project's secret. [`api`] finds the project, then the session in
//! it, asks the same engine as the pages, and answers as OpenTok does; [`opentok`] has the shapes, for both sides.
//! What a call changes while an archive records, its streams and its layout, goes through the [`session`] into the
//! recorder's journal as a note, so the file is composed the same whenever that is. `src/api/openapi.json` describes every call.
//!
//! # An application's server receives callbacks
//!
//! `POST /v2/project/{key}/callback` says what it wants to hear, and where ([`api`], [`callback`]). From then on every change of an
//! archive's status writes an event in its own transaction, and the [`session`] reports who comes, goes and publishes to a queue that never
//! makes it wait. What waits in the database is posted, signed with the project's secret, and again later if nobody took it.
//!
//! # Calls on another platform
//!
//! With `PLATFORM=opentok` a [`platform::Remote`] asks another server by [`opentok::OpenTok`]. Browsers load that server's library
//! and join its sessions with tokens that are made here; the presence session stays on `/live`. Rows of archives follow
//! what the platform says ([`archive::remote`]), and who is in a chat is told by the pages and confirmed by the
//! platform's list (`buddies/remote_participants.rs`).
//!
//! # One buddy invites another
//!
//! 1. `GET /buddies` renders the first page of the roster. A name goes by `POST /users`, and a token comes back
//!    for the presence session, the one session that all buddies connect to ([`web`]).
//! 2. Whoever connects to it, or leaves it, is reported by the [`session`] to [`buddies`], where the
//!    [`invitation::Switchboard`] and its [`presence::Roster`] stand behind one lock. Everybody hears of changes as
//!    deltas, at most four times a second.
//! 3. `POST /invitations` asks the switchboard, which lets the invitee's tabs ring, or answers at once with
//!    the reason. Accepting, declining, cancelling and waiting too long all end in `invitation/lifecycle.rs`.
//!    The switchboard returns effects, which one task applies in order: signals, rows, archives.
//! 4. An accepted invitation is a chat: both hear of it, the database keeps it, and only these two get a token
//!    of its session from `GET /chats`. It is recorded while both agree (`invitation/recording_consent.rs`), and over when
//!    either ends it or is gone; both hear why, and nobody is let into its session any more.
//!
//! Pages of OpenTok's presence kit signal to one another instead of asking the server. In the presence session such
//! signals end at the server, which applies the same rules and answers in the kit's words (`buddies/presence_kit.rs`).

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
