//! The tasks that apply the effects of the switchboard.
//!
//! Signals are sent at once. A second task does the database writes, and a third the calls of the platform, so a ring never waits
//! for a disk, and a write never for another server.

use tokio::sync::{
    broadcast::{self, error::RecvError},
    mpsc,
};
use tracing::{error, warn};

use super::{
    Buddies, Inner, now,
    state::{Effect, Persist, PlatformCall, Recipients},
};
use crate::{
    archive::{ArchiveId, ArchiveUpdate, Status},
    clock, invitation,
    opentok::SessionId,
    platform::{PlatformError, Signal, StartArchive},
    presence,
    session::ConnectionId,
};

/// Capacity of the queues of database writes and of platform calls. Beyond it, chats go on, but are not saved or not closed.
const QUEUE_CAPACITY: usize = 4_096;

impl Buddies {
    /// Applies effects, polls the timers, and follows the archives of chats. Spawn it once.
    pub async fn run(self, archives: broadcast::Receiver<ArchiveUpdate>) {
        let (to_database, persist_queue) = mpsc::channel(QUEUE_CAPACITY);
        let (to_platform, call_queue) = mpsc::channel(QUEUE_CAPACITY);
        tokio::join!(
            self.0.run_effects(to_database, to_platform),
            self.0.run_persistence(persist_queue),
            self.0.run_platform_calls(call_queue),
            self.0.follow_archives(archives),
            self.0.poll_remote_chats(),
        );
    }
}

impl Inner {
    async fn run_effects(
        &self,
        to_database: mpsc::Sender<Persist>,
        to_platform: mpsc::Sender<PlatformCall>,
    ) {
        loop {
            let (effects, due) = {
                let mut state = self.state();
                state.settle(now());
                let effects = std::mem::take(&mut state.effects);
                (effects, state.switchboard.due())
            };
            if effects.is_empty() {
                match due {
                    Some(due) => {
                        tokio::select! {
                            () = self.effects_ready.notified() => {}
                            () = tokio::time::sleep_until(due.into()) => {}
                        }
                    }
                    None => self.effects_ready.notified().await,
                }
                continue;
            }
            for effect in effects {
                match effect {
                    Effect::Signal {
                        from,
                        to,
                        signal_type,
                        data,
                    } => self.signal(from, to, &signal_type, &data),
                    Effect::SetTabVisibility { tab, is_visible } => {
                        self.local_presence.show(&self.presence, tab, is_visible);
                    }
                    Effect::Alias { from, into } => self.local_presence.alias(&from, &into),
                    Effect::Persist(keep) => {
                        if let Err(lost) = to_database.try_send(keep) {
                            error!("Too much waits for the database; this is lost: {lost:?}");
                        }
                    }
                    Effect::PlatformCall(perform) => {
                        if let Err(lost) = to_platform.try_send(perform) {
                            error!("Too much waits for the platform; this is lost: {lost:?}");
                        }
                    }
                }
            }
        }
    }

    fn signal(&self, from: Option<ConnectionId>, to: Recipients, signal_type: &str, data: &str) {
        let receivers = match to {
            Recipients::Everyone => vec![None],
            Recipients::Tabs(tabs) => tabs.into_iter().map(Some).collect(),
        };
        for to in receivers {
            let signal = Signal {
                from,
                to,
                signal_type: signal_type.to_owned(),
                data: data.to_owned(),
            };
            match self.local_presence.signal(&self.presence, signal) {
                // Whoever has left meanwhile will ask for what was missed.
                Ok(()) | Err(PlatformError::NotFound(_)) => {}
                Err(problem) => error!("A signal to buddies is lost: {problem}"),
            }
        }
    }

    async fn run_persistence(&self, mut effects: mpsc::Receiver<Persist>) {
        while let Some(effect) = effects.recv().await {
            match effect {
                Persist::Chat(chat) => {
                    if let Err(problem) = invitation::store::add(&self.db, &chat).await {
                        error!(session.id = %chat.session, "A chat is not kept: {problem}");
                    }
                }
                Persist::ChatEnd(end) => {
                    if let Err(problem) = invitation::store::end(&self.db, &end).await {
                        error!(session.id = %end.session, "The end of a chat is not kept: {problem}");
                    }
                }
                Persist::Name(user, name) => {
                    let kept = presence::store::save_name(&self.db, user, &name, clock::now_ms());
                    if let Err(problem) = kept.await {
                        error!("The name of a buddy is not kept: {problem}");
                    }
                }
                Persist::Availability(user, availability) => {
                    let now_ms = clock::now_ms();
                    let kept =
                        presence::store::save_availability(&self.db, user, availability, now_ms);
                    if let Err(problem) = kept.await {
                        error!("What a buddy chose is not kept: {problem}");
                    }
                }
            }
        }
    }

    async fn run_platform_calls(&self, mut effects: mpsc::Receiver<PlatformCall>) {
        while let Some(effect) = effects.recv().await {
            match effect {
                PlatformCall::StartRecording {
                    session,
                    name,
                    started_by,
                } => self.record(session, name, started_by).await,
                PlatformCall::StopRecording(session) => self.stop_recording(&session).await,
                PlatformCall::EndChat(session) => {
                    self.stop_recording(&session).await;
                    self.close(&session).await;
                }
                PlatformCall::CloseSession(session) => self.close(&session).await,
            }
        }
    }

    async fn close(&self, session: &SessionId) {
        if let Err(problem) = self.platform.close_session(session).await {
            error!(session.id = %session, "The session of a chat is not closed: {problem}");
        }
    }

    async fn record(&self, session: SessionId, name: String, started_by: String) {
        let options = StartArchive {
            name,
            started_by,
            ..StartArchive::default()
        };
        let started = async {
            self.platform.route(&session).await?;
            self.platform.start_archive(&session, options).await
        };
        match started.await {
            Ok(archive) => {
                {
                    let mut state = self.state();
                    state.recordings.insert(archive, session.clone());
                    // If the chat is over by now, its end is among the effects and stops the archive.
                    state.act(|switchboard, _| switchboard.recording_started(&session));
                }
                // It may have ended before anybody followed it.
                if let Ok(None) = self.platform.recording(&session).await {
                    self.recording_ended(archive, None);
                }
            }
            Err(problem) => {
                warn!(session.id = %session, "A chat is not recorded: {problem}");
                let told = match problem {
                    PlatformError::Internal(_) => "the server could not record".to_owned(),
                    problem => problem.to_string(),
                };
                self.state()
                    .act(|switchboard, _| switchboard.recording_ended(&session, Some(told)));
            }
        }
        self.effects_ready.notify_one();
    }

    async fn stop_recording(&self, session: &SessionId) {
        let stopped = match self.platform.recording(session).await {
            Ok(Some(recording)) => self.platform.stop_archive(recording.id).await,
            Ok(None) => Ok(()),
            Err(problem) => Err(problem),
        };
        match stopped {
            // It ended by itself a moment ago.
            Ok(()) | Err(PlatformError::Conflict(_)) => {}
            Err(problem) => {
                error!(session.id = %session, "The recording of a chat is not stopped: {problem}");
            }
        }
    }

    /// Tells the two when their recording ends, whoever or whatever ends it.
    async fn follow_archives(&self, mut archives: broadcast::Receiver<ArchiveUpdate>) {
        loop {
            let archive = match archives.recv().await {
                Ok(change) => change.archive,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            if archive.status.is_running() {
                continue;
            }
            // Another platform has a reason at most.
            let told = [&archive.problem, &archive.reason];
            let problem = (archive.status == Status::Failed)
                .then(|| told.into_iter().find(|told| !told.is_empty()))
                .map(|told| told.cloned().unwrap_or_default());
            self.recording_ended(archive.id, problem);
        }
    }

    fn recording_ended(&self, archive: ArchiveId, problem: Option<String>) {
        let mut state = self.state();
        if let Some(session) = state.recordings.remove(&archive) {
            state.act(|switchboard, _| switchboard.recording_ended(&session, problem));
            drop(state);
            self.effects_ready.notify_one();
        }
    }
}
