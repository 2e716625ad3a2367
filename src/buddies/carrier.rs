//! The tasks that carry out what the switchboard decides.
//!
//! Signals go out at once. What may have to wait for the database is handed to a second task, and what the platform of
//! the calls does to a third, so that nobody's ring waits for a disk, and no name for another server.

use tokio::sync::{
    broadcast::{self, error::RecvError},
    mpsc,
};
use tracing::{error, warn};

use super::{
    Buddies, Inner,
    desk::{Audience, Keep, Order, Perform},
    now,
};
use crate::{
    archive::{ArchiveId, ArchiveUpdate, Status},
    clock, invitation,
    opentok::SessionId,
    platform::{PlatformError, Signal, StartArchive},
    presence,
    session::ConnectionId,
};

/// Orders that wait for the database, and for the platform. Behind a database that has not answered for so many calls,
/// chats go on, but are not kept; behind such a platform, they are not closed.
const SLOW_ORDERS: usize = 4_096;

impl Buddies {
    /// Carries out orders, lets time pass, and follows the archives of chats: to be spawned once.
    pub async fn run(self, archives: broadcast::Receiver<ArchiveUpdate>) {
        let (to_keep, orders_to_keep) = mpsc::channel(SLOW_ORDERS);
        let (to_perform, orders_to_perform) = mpsc::channel(SLOW_ORDERS);
        tokio::join!(
            self.0.carry(to_keep, to_perform),
            self.0.keep(orders_to_keep),
            self.0.perform(orders_to_perform),
            self.0.follow_archives(archives),
            self.0.watch(),
        );
    }
}

impl Inner {
    async fn carry(&self, to_keep: mpsc::Sender<Keep>, to_perform: mpsc::Sender<Perform>) {
        loop {
            let (orders, due) = {
                let mut desk = self.desk();
                desk.settle(now());
                let orders = std::mem::take(&mut desk.orders);
                (orders, desk.switchboard.due())
            };
            if orders.is_empty() {
                match due {
                    Some(due) => {
                        tokio::select! {
                            () = self.work.notified() => {}
                            () = tokio::time::sleep_until(due.into()) => {}
                        }
                    }
                    None => self.work.notified().await,
                }
                continue;
            }
            for order in orders {
                match order {
                    Order::Signal {
                        from,
                        to,
                        signal_type,
                        data,
                    } => self.signal(from, to, &signal_type, &data),
                    Order::Show { tab, is_seen } => {
                        self.lobby.show(&self.presence, tab, is_seen);
                    }
                    Order::Unite { from, into } => self.lobby.alias(&from, &into),
                    Order::Keep(keep) => {
                        if let Err(lost) = to_keep.try_send(keep) {
                            error!("Too much waits for the database; this is lost: {lost:?}");
                        }
                    }
                    Order::Perform(perform) => {
                        if let Err(lost) = to_perform.try_send(perform) {
                            error!("Too much waits for the platform; this is lost: {lost:?}");
                        }
                    }
                }
            }
        }
    }

    fn signal(&self, from: Option<ConnectionId>, to: Audience, signal_type: &str, data: &str) {
        let receivers = match to {
            Audience::Everybody => vec![None],
            Audience::Tabs(tabs) => tabs.into_iter().map(Some).collect(),
        };
        for to in receivers {
            let signal = Signal {
                from,
                to,
                signal_type: signal_type.to_owned(),
                data: data.to_owned(),
            };
            match self.lobby.signal(&self.presence, signal) {
                // Whoever has left meanwhile will ask for what was missed.
                Ok(()) | Err(PlatformError::NotFound(_)) => {}
                Err(problem) => error!("A signal to buddies is lost: {problem}"),
            }
        }
    }

    async fn keep(&self, mut orders: mpsc::Receiver<Keep>) {
        while let Some(order) = orders.recv().await {
            match order {
                Keep::Chat(chat) => {
                    if let Err(problem) = invitation::store::add(&self.db, &chat).await {
                        error!(session.id = %chat.session, "A chat is not kept: {problem}");
                    }
                }
                Keep::End(end) => {
                    if let Err(problem) = invitation::store::end(&self.db, &end).await {
                        error!(session.id = %end.session, "The end of a chat is not kept: {problem}");
                    }
                }
                Keep::Name(user, name) => {
                    let kept = presence::store::save_name(&self.db, user, &name, clock::now_ms());
                    if let Err(problem) = kept.await {
                        error!("The name of a buddy is not kept: {problem}");
                    }
                }
                Keep::Choice(user, availability) => {
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

    async fn perform(&self, mut orders: mpsc::Receiver<Perform>) {
        while let Some(order) = orders.recv().await {
            match order {
                Perform::Record {
                    session,
                    name,
                    started_by,
                } => self.record(session, name, started_by).await,
                Perform::StopRecording(session) => self.stop_recording(&session).await,
                Perform::HangUp(session) => {
                    self.stop_recording(&session).await;
                    self.close(&session).await;
                }
                Perform::Close(session) => self.close(&session).await,
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
                    let mut desk = self.desk();
                    desk.recordings.insert(archive, session.clone());
                    // If the chat is over by now, its end is among the orders and stops the archive.
                    desk.act(|board, _| board.recording_started(&session));
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
                self.desk()
                    .act(|board, _| board.recording_ended(&session, Some(told)));
            }
        }
        self.work.notify_one();
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
        let mut desk = self.desk();
        if let Some(session) = desk.recordings.remove(&archive) {
            desk.act(|board, _| board.recording_ended(&session, problem));
            drop(desk);
            self.work.notify_one();
        }
    }
}
