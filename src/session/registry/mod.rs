//! The live sessions of this process.
//!
//! Each session has its own lock, held while a request is applied and never across an `.await`.
//! Effects run under that lock, so sockets, engine and recorder get everything in the
//! session's order. None of them blocks the session.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{self, error::TrySendError};

use super::{
    ArchiveInfo, ConnectionId, ConnectionInfo, EndReason, Monitor, MonitorEvent, NewConnection,
    Observer, Refusal, Request, Rerouting, Resume, StreamId, StreamInfo,
    live::{Closing, Effect, LiveSession, OutboundMessage, RecordingPhase, SocketId},
    media::{self, EngineCommand, Media, Scope, Sink},
    outbox::{Nudge, Outbox, OutboxSender, outbox, resumed_outbox},
    recording::Recorder,
    timers::{self, WakeBatch},
};
use crate::{clock::Now, common::id::ArchiveId, opentok::SessionId};

/// How often due sessions are ticked.
const TICK: Duration = Duration::from_millis(250);

/// What changed for an archive because of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingUpdate {
    pub archive: ArchiveId,
    pub phase: RecordingPhase,
}

/// What the archives need to know of the sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryEvent {
    Recording(RecordingUpdate),
    /// The first stream was published since the session was empty.
    FirstStream(SessionId),
}

/// How much is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounts {
    pub sessions: usize,
    pub connections: usize,
    pub streams: usize,
}

/// All live sessions. Clones are the same sessions.
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

struct Shared {
    media: Arc<dyn Media>,
    recorder: Arc<dyn Recorder>,
    /// Set once, while the server starts.
    observer: OnceLock<Arc<dyn Observer>>,
    /// Likewise.
    monitor: OnceLock<Arc<dyn Monitor>>,
    events: mpsc::Sender<RegistryEvent>,
    /// To the task that wakes the sockets a batch at a time; set once that task runs.
    wake_batches: OnceLock<mpsc::Sender<WakeBatch>>,
    /// Locked for a look-up only, never while a session is locked by the same call before.
    sessions: Mutex<HashMap<SessionId, Arc<Mutex<Hosted>>>>,
    /// Sessions whose clients join another one; locked for a look-up only, with nothing else.
    aliases: Mutex<HashMap<SessionId, SessionId>>,
    /// When something is due, and in which session.
    alarms: Mutex<BTreeSet<(Instant, SessionId)>>,
    /// New connections are refused.
    stopping: AtomicBool,
    last_socket: AtomicU64,
    connections: AtomicUsize,
    streams: AtomicUsize,
}

/// A live session and what it is tied to.
struct Hosted {
    id: SessionId,
    live: LiveSession,
    outboxes: HashMap<SocketId, (ConnectionId, OutboxSender)>,
    /// Commands that the engine had no room for, in their order. While any wait, requests that
    /// would make more are refused; the rest is bounded by the people and streams there are.
    waiting_commands: VecDeque<EngineCommand>,
    /// What the archives had no room for; one or two for each archive, and one more.
    waiting_events: VecDeque<RegistryEvent>,
    /// The earliest alarm that is set.
    alarm: Option<Instant>,
    /// What the totals count of this session.
    counted: (usize, usize),
    /// It ended and is no longer in the map.
    retired: bool,
}

impl Sessions {
    /// The archives read `events`.
    pub fn new(
        media: Arc<dyn Media>,
        recorder: Arc<dyn Recorder>,
        events: mpsc::Sender<RegistryEvent>,
    ) -> Self {
        Sessions(Arc::new(Shared {
            media,
            recorder,
            observer: OnceLock::new(),
            monitor: OnceLock::new(),
            events,
            wake_batches: OnceLock::new(),
            sessions: Mutex::default(),
            aliases: Mutex::default(),
            alarms: Mutex::default(),
            stopping: AtomicBool::new(false),
            last_socket: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
        }))
    }

    /// Sets the observer of all sessions. Later calls have no effect.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        let _ = self.0.observer.set(observer);
    }

    /// Sets the monitor of all sessions. Later calls have no effect.
    pub fn monitor(&self, monitor: Arc<dyn Monitor>) {
        let _ = self.0.monitor.set(monitor);
    }

    /// Carries the engine's events to the sessions, and time: to be spawned once. Ends when the
    /// engine does.
    pub async fn run(self, events: mpsc::Receiver<media::EngineEvent>) {
        let (wake_batches, waiting) = timers::channel();
        let _ = self.0.wake_batches.set(wake_batches);
        tokio::select! {
            () = self.follow(events) => {}
            () = timers::run(waiting) => {}
        }
    }

    async fn follow(&self, mut events: mpsc::Receiver<media::EngineEvent>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.media_event(event),
                    None => return,
                },
                _ = ticks.tick() => self.tick(Now::read()),
            }
        }
    }

    /// Connects a client over a new socket. The welcome, as the reply
    /// to `request`, is the first message in the outbox.
    ///
    /// # Errors
    /// The session is full, or the server is stopping.
    pub fn join(
        &self,
        session: &SessionId,
        new: &NewConnection,
        request: u64,
    ) -> Result<(Attachment, Outbox), Refusal> {
        if self.0.stopping.load(Ordering::Relaxed) {
            return Err(Refusal::connect_failed(
                "the server is stopping; try again in a moment",
            ));
        }
        let session = &self.joined_as(session);
        let now = Now::read();
        let key = uuid::Uuid::new_v4().simple().to_string();
        self.hosted(session, true, now, |hosted| {
            self.attach(hosted, outbox(), |live, socket| {
                live.join(socket, request, new, key, now)
            })
        })
        .unwrap_or_else(|| Err(Refusal::connect_failed("the session cannot be opened")))
    }

    /// Gives a connection a new socket. The reply to `request` and the events missed are the
    /// first messages in the outbox.
    ///
    /// # Errors
    /// The connection is gone, or cannot be told all it missed: the client has to connect anew.
    pub fn resume(
        &self,
        session: &SessionId,
        resume: &Resume,
        request: u64,
    ) -> Result<(Attachment, Outbox), Refusal> {
        let session = &self.joined_as(session);
        let now = Now::read();
        self.hosted(session, false, now, |hosted| {
            self.attach(hosted, resumed_outbox(), |live, socket| {
                live.resume(socket, request, resume, now)
            })
        })
        .unwrap_or_else(|| {
            Err(Refusal::gone(
                "the connection is gone; connect to the session anew",
            ))
        })
    }

    /// Changes a live session by one of its own methods, then carries out the effects.
    ///
    /// # Errors
    /// 404 when the session is not live, and the errors of `act`.
    pub fn with<T>(
        &self,
        session: &SessionId,
        now: Now,
        act: impl FnOnce(&mut LiveSession) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.hosted(session, false, now, |hosted| act(&mut hosted.live))
            .unwrap_or_else(|| Err(nobody_connected()))
    }

    /// Reads a live session; `None` when it is not live.
    pub fn read<T>(&self, session: &SessionId, read: impl FnOnce(&LiveSession) -> T) -> Option<T> {
        let hosted = lock(&self.0.sessions).get(session).cloned()?;
        let hosted = lock(&hosted);
        Some(read(&hosted.live))
    }

    /// The connections of the session, in the order in which they joined.
    pub fn people(&self, session: &SessionId) -> Vec<ConnectionInfo> {
        self.read(session, LiveSession::people).unwrap_or_default()
    }

    /// The streams that others can see, in the order in which they were published.
    pub fn streams(&self, session: &SessionId) -> Vec<StreamInfo> {
        self.read(session, LiveSession::streams).unwrap_or_default()
    }

    /// The archive in progress; the oldest if there are several.
    pub fn recording(&self, session: &SessionId) -> Option<ArchiveInfo> {
        self.read(session, |live| live.archives().into_iter().next())
            .flatten()
    }

    /// Records what `scope` says of a session into `sink` from now on and tells everybody in it.
    pub fn record(&self, session: &SessionId, archive: ArchiveInfo, sink: Sink, scope: Scope) {
        let now = Now::read();
        self.hosted(session, true, now, |hosted| {
            hosted.live.start_archive(archive, sink, scope, now.at);
        });
    }

    /// Ends a recording and tells everybody; `false` if there is none of this id.
    pub fn stop_recording(&self, session: &SessionId, archive: ArchiveId) -> bool {
        self.hosted(session, false, Now::read(), |hosted| {
            hosted.live.stop_archive(archive)
        })
        .unwrap_or(false)
    }

    /// A signal of the server itself: it has no sender, so no client can forge it.
    ///
    /// # Errors
    /// 400 or 413: type or data break the rules. 404: there is nobody to receive it.
    pub fn signal(
        &self,
        session: &SessionId,
        to: Option<ConnectionId>,
        signal_type: Option<String>,
        data: Option<serde_json::Value>,
    ) -> Result<(), Refusal> {
        self.with(session, Now::read(), |live| {
            live.signal_from_server(None, to, signal_type, data)
        })
    }

    /// Makes `from` an alias of `into`: clients that join `from` join `into`. Connections in `from` stay there.
    pub fn alias(&self, from: &SessionId, into: &SessionId) {
        lock(&self.0.aliases).insert(from.clone(), into.clone());
    }

    /// Removes the aliases of `into` and returns them.
    pub fn unalias(&self, into: &SessionId) -> Vec<SessionId> {
        let mut aliases = lock(&self.0.aliases);
        let gone = aliases.extract_if(|_, other| other == into);
        gone.map(|(from, _)| from).collect()
    }

    fn joined_as(&self, session: &SessionId) -> SessionId {
        lock(&self.0.aliases)
            .get(session)
            .unwrap_or(session)
            .clone()
    }

    /// Ends every connection of a session; nobody is told of the others.
    pub fn disconnect_everybody(&self, session: &SessionId, reason: EndReason) {
        let now = Now::read();
        self.hosted(session, false, now, |hosted| {
            hosted.live.disconnect_all(reason, now);
        });
    }

    /// Mutes everybody but the excluded streams, and whoever publishes later, until
    /// [`disable_force_mute`](Self::disable_force_mute) or the last one leaves.
    ///
    /// # Errors
    /// Nobody is connected.
    pub fn mute_all(&self, session: &SessionId, excluded: &[StreamId]) -> Result<(), Refusal> {
        self.inhabited(session, |live| live.mute_all(excluded))
    }

    /// Lets whoever publishes from now on be heard; those who are muted stay so.
    ///
    /// # Errors
    /// Nobody is connected.
    pub fn disable_force_mute(&self, session: &SessionId) -> Result<(), Refusal> {
        self.inhabited(session, LiveSession::end_mute_all)
    }

    fn inhabited(
        &self,
        session: &SessionId,
        act: impl FnOnce(&mut LiveSession),
    ) -> Result<(), Refusal> {
        self.with(session, Now::read(), |live| {
            if live.connection_count() == 0 {
                return Err(nobody_connected());
            }
            act(live);
            Ok(())
        })
    }

    /// Lets the media of a relayed session go through the server from now on, because it is to be recorded. Nothing
    /// happens when they do already.
    ///
    /// # Errors
    /// Nobody is connected.
    pub fn route(&self, session: &SessionId) -> Result<(), Refusal> {
        self.inhabited(session, |live| live.route(Rerouting::Recording))
    }

    /// Whether a session is live and its media go through the server.
    pub fn is_routed(&self, session: &SessionId) -> bool {
        self.read(session, |live| !live.is_relayed())
            .unwrap_or(false)
    }

    /// Ends every connection of every session and refuses new ones.
    pub fn disconnect_all(&self, reason: EndReason) {
        self.0.stopping.store(true, Ordering::Relaxed);
        let ids: Vec<_> = lock(&self.0.sessions).keys().cloned().collect();
        let now = Now::read();
        for id in ids {
            self.hosted(&id, false, now, |hosted| {
                hosted.live.disconnect_all(reason, now);
            });
        }
    }

    /// Totals over all sessions.
    pub fn counts(&self) -> SessionCounts {
        SessionCounts {
            sessions: lock(&self.0.sessions).len(),
            connections: self.0.connections.load(Ordering::Relaxed),
            streams: self.0.streams.load(Ordering::Relaxed),
        }
    }

    /// What the media engine has done since its start.
    pub fn media_statistics(&self) -> media::Statistics {
        self.0.media.statistics()
    }

    /// Passes an event of the engine to its session.
    pub fn media_event(&self, event: media::EngineEvent) {
        use media::EngineEvent;

        let now = Now::read();
        let (EngineEvent::Answered { session, .. }
        | EngineEvent::Refused { session, .. }
        | EngineEvent::Alive { session, .. }
        | EngineEvent::Closed { session, .. }) = &event;
        let session = session.clone();
        self.hosted(&session, false, now, |hosted| match event {
            EngineEvent::Answered {
                connection,
                request,
                generation,
                sdp,
                ..
            } => hosted
                .live
                .answered(connection, request, generation, sdp, now),
            EngineEvent::Refused {
                connection,
                request,
                message,
                ..
            } => hosted.live.refused(connection, request, message),
            EngineEvent::Alive { connection, .. } => hosted.live.media_alive(connection, now),
            EngineEvent::Closed { connection, .. } => hosted.live.media_closed(connection, now),
        });
    }

    /// Ticks the sessions that are due.
    pub fn tick(&self, now: Now) {
        loop {
            let (at, session) = {
                let mut alarms = lock(&self.0.alarms);
                if alarms.first().is_none_or(|(at, _)| *at > now.at) {
                    return;
                }
                let Some(due) = alarms.pop_first() else {
                    return;
                };
                due
            };
            self.hosted(&session, false, now, |hosted| {
                if hosted.alarm == Some(at) {
                    hosted.alarm = None;
                }
                hosted.live.tick(now);
            });
        }
    }

    fn attach(
        &self,
        hosted: &mut Hosted,
        (sender, receiver): (OutboxSender, Outbox),
        enter: impl FnOnce(&mut LiveSession, SocketId) -> Result<ConnectionId, Refusal>,
    ) -> Result<(Attachment, Outbox), Refusal> {
        let socket = SocketId(self.0.last_socket.fetch_add(1, Ordering::Relaxed) + 1);
        let connection = enter(&mut hosted.live, socket)?;
        hosted.outboxes.insert(socket, (connection, sender));
        let attachment = Attachment {
            sessions: self.clone(),
            session: hosted.id.clone(),
            connection,
            socket,
            gone: false,
        };
        Ok((attachment, receiver))
    }

    /// Does something to a session, and then all that the session wants done because of it.
    /// `None` if it is not live; with `open` it comes to life.
    fn hosted<T>(
        &self,
        session: &SessionId,
        open: bool,
        now: Now,
        act: impl FnOnce(&mut Hosted) -> T,
    ) -> Option<T> {
        loop {
            let hosted = {
                let mut sessions = lock(&self.0.sessions);
                match sessions.get(session) {
                    Some(hosted) => Arc::clone(hosted),
                    None if !open => return None,
                    None => {
                        let mut hosted = Hosted::new(session.clone());
                        let observer = self.0.observer.get();
                        if observer.is_some_and(|observer| observer.mediates(session)) {
                            hosted.live.set_mediated();
                        }
                        let hosted = Arc::new(Mutex::new(hosted));
                        sessions.insert(session.clone(), Arc::clone(&hosted));
                        hosted
                    }
                }
            };
            let mut hosted = lock(&hosted);
            if hosted.retired {
                // It ended between the look-up and the lock: look again.
                continue;
            }
            let result = act(&mut hosted);
            self.0.settle(&mut hosted, now);
            return Some(result);
        }
    }
}

impl Shared {
    /// Carries out what a session wants done, and puts it away when it is over.
    fn settle(&self, hosted: &mut Hosted, now: Now) {
        loop {
            let effects = hosted.live.effects();
            if effects.is_empty() {
                break;
            }
            let mut batch = WakeBatch::new();
            for (place, effect) in effects.into_iter().enumerate() {
                let can_wait = (place >= timers::AT_ONCE).then_some(&mut batch);
                self.carry_out(hosted, effect, can_wait, now);
            }
            self.wake(batch);
        }
        hosted.send_commands(&*self.media);
        hosted.send_events(&self.events);

        let counted = (hosted.live.connection_count(), hosted.live.stream_count());
        let before = std::mem::replace(&mut hosted.counted, counted);
        count(&self.connections, before.0, counted.0);
        count(&self.streams, before.1, counted.1);

        if hosted.live.is_over() && hosted.is_settled() {
            hosted.retired = true;
            lock(&self.sessions).remove(&hosted.id);
            return;
        }
        let unsettled = (!hosted.is_settled()).then(|| now.at + TICK);
        let due = hosted.live.deadline().into_iter().chain(unsettled).min();
        if let Some(due) = due
            && hosted.alarm.is_none_or(|alarm| due < alarm)
        {
            hosted.alarm = Some(due);
            lock(&self.alarms).insert((due, hosted.id.clone()));
        }
    }

    /// Wakes sockets a few at a time.
    fn wake(&self, batch: WakeBatch) {
        if batch.is_empty() {
            return;
        }
        let left = match self.wake_batches.get() {
            Some(wake_batches) => wake_batches
                .try_send(batch)
                .map_err(TrySendError::into_inner),
            None => Err(batch),
        };
        if let Err(batch) = left {
            batch.iter().for_each(Nudge::wake);
        }
    }

    /// An event that `can_wait` does not wake its socket, which joins the batch instead.
    fn carry_out(
        &self,
        hosted: &mut Hosted,
        effect: Effect,
        can_wait: Option<&mut WakeBatch>,
        now: Now,
    ) {
        match effect {
            Effect::Send { socket, message } => {
                let Some((connection, outbox)) = hosted.outboxes.get(&socket) else {
                    return;
                };
                let connection = *connection;
                let fits = match (can_wait, &message) {
                    (Some(batch), OutboundMessage::Event { .. }) => {
                        batch.push(outbox.nudge());
                        outbox.put(message)
                    }
                    _ => outbox.send(message),
                };
                if !fits {
                    hosted.close(socket, Closing::Overflow);
                    hosted.live.socket_lost(connection, socket, now.at, now);
                }
            }
            Effect::Close { socket, why } => hosted.close(socket, why),
            Effect::Joined(connection) => {
                if let Some(observer) = self.observer.get() {
                    observer.joined(&hosted.id, &connection);
                }
            }
            Effect::Left { connection, reason } => {
                if let Some(observer) = self.observer.get() {
                    observer.left(&hosted.id, connection, reason);
                }
            }
            Effect::Monitor(kind) => {
                if let Some(monitor) = self.monitor.get() {
                    monitor.report(MonitorEvent {
                        session: hosted.id.clone(),
                        at_ms: now.unix_ms,
                        kind,
                    });
                }
            }
            Effect::Mediate {
                socket,
                request,
                signal,
            } => {
                let verdict = match self.observer.get() {
                    Some(observer) => observer.signalled(&hosted.id, signal),
                    None => Ok(()),
                };
                hosted.live.answer_mediated(socket, request, verdict);
            }
            Effect::Media(command) => hosted.waiting_commands.push_back(command),
            Effect::Note { archive, note } => self.recorder.record(archive, now.at, note),
            Effect::Recording { archive, phase } => {
                // Only the latest matters to an archive, but that it was abandoned.
                hosted.waiting_events.retain(|waiting| match waiting {
                    RegistryEvent::Recording(change) => {
                        change.archive != archive || change.phase == RecordingPhase::Abandoned
                    }
                    RegistryEvent::FirstStream(_) => true,
                });
                let change = RegistryEvent::Recording(RecordingUpdate { archive, phase });
                hosted.waiting_events.push_back(change);
            }
            Effect::FirstStream => {
                let begun = RegistryEvent::FirstStream(hosted.id.clone());
                if !hosted.waiting_events.contains(&begun) {
                    hosted.waiting_events.push_back(begun);
                }
            }
        }
        if hosted.waiting_commands.len() == 1 {
            hosted.send_commands(&*self.media);
        }
    }
}

impl Hosted {
    fn new(id: SessionId) -> Self {
        Hosted {
            id,
            live: LiveSession::default(),
            outboxes: HashMap::new(),
            waiting_commands: VecDeque::new(),
            waiting_events: VecDeque::new(),
            alarm: None,
            counted: (0, 0),
            retired: false,
        }
    }

    fn close(&mut self, socket: SocketId, why: Closing) {
        if let Some((_, outbox)) = self.outboxes.remove(&socket) {
            outbox.close(why);
        }
    }

    fn send_commands(&mut self, media: &dyn Media) {
        while let Some(command) = self.waiting_commands.front() {
            if media.send(&self.id, command.clone()).is_err() {
                return;
            }
            self.waiting_commands.pop_front();
        }
    }

    fn send_events(&mut self, events: &mpsc::Sender<RegistryEvent>) {
        while let Some(event) = self.waiting_events.front() {
            let sent = events.try_send(event.clone());
            if let Err(TrySendError::Full(_)) = sent {
                return;
            }
            self.waiting_events.pop_front();
        }
    }

    /// Nothing waits for the engine or for the archives.
    fn is_settled(&self) -> bool {
        self.waiting_commands.is_empty() && self.waiting_events.is_empty()
    }
}

fn nobody_connected() -> Refusal {
    Refusal::new(404, "OT_NOT_FOUND", "nobody is connected to the session")
}

/// A socket's hold on its connection. Dropping it means that the socket broke.
pub struct Attachment {
    sessions: Sessions,
    session: SessionId,
    connection: ConnectionId,
    socket: SocketId,
    gone: bool,
}

impl Attachment {
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Carries out what the client asks; the reply comes through the outbox.
    pub fn request(&self, id: u64, request: Request) {
        let now = Now::read();
        self.with(now, |hosted| {
            hosted.send_commands(&*self.sessions.0.media);
            let (connection, socket) = (self.connection, self.socket);
            if needs_media(&request) && !hosted.waiting_commands.is_empty() {
                let refusal = Refusal::busy(media::EngineBusy.to_string());
                hosted.live.refuse(connection, socket, id, refusal, now);
            } else {
                hosted.live.request(connection, socket, id, request, now);
            }
        });
    }

    /// Answers a message that is no request.
    pub fn refuse(&self, id: u64, refusal: Refusal) {
        let now = Now::read();
        self.with(now, |hosted| {
            hosted
                .live
                .refuse(self.connection, self.socket, id, refusal, now);
        });
    }

    /// The client closed the socket in order, for good.
    pub fn closed(mut self) {
        self.gone = true;
        let now = Now::read();
        self.with(now, |hosted| {
            hosted.live.socket_closed(self.connection, self.socket, now);
            hosted.outboxes.remove(&self.socket);
        });
    }

    /// The socket broke or fell silent; `heard_at` is when it last gave a sign of life.
    pub fn lost(mut self, heard_at: Instant) {
        self.lose(heard_at);
    }

    fn lose(&mut self, heard_at: Instant) {
        if std::mem::replace(&mut self.gone, true) {
            return;
        }
        let now = Now::read();
        self.with(now, |hosted| {
            hosted
                .live
                .socket_lost(self.connection, self.socket, heard_at, now);
            hosted.outboxes.remove(&self.socket);
        });
    }

    fn with(&self, now: Now, act: impl FnOnce(&mut Hosted)) {
        self.sessions.hosted(&self.session, false, now, act);
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.lose(crate::clock::instant());
    }
}

/// Whether carrying the request out takes the engine. Leaving and moderating are never refused.
fn needs_media(request: &Request) -> bool {
    matches!(
        request,
        Request::Offer(_)
            | Request::UpdateStream { .. }
            | Request::Subscribe { .. }
            | Request::UpdateSubscription { .. }
            | Request::Unsubscribe { .. }
    )
}

/// A poisoned lock is used further: one panic must not end a session.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(total: &AtomicUsize, before: usize, after: usize) {
    if after > before {
        total.fetch_add(after - before, Ordering::Relaxed);
    } else {
        total.fetch_sub(before - after, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
