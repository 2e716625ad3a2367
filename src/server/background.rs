//! The background tasks of a server.

use std::time::Duration;

use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    archive::{RunTimes, recording},
    clock,
    config::Config,
    platform::{Backend, Embedded, Remote},
    session,
};

/// Between two checks for archives at their maximum duration.
const DURATION_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The events that the embedded platform handles.
pub(super) struct Events {
    pub sessions: mpsc::Receiver<session::RegistryEvent>,
    pub recorders: mpsc::Receiver<recording::RecorderEvent>,
}

/// Starts the tasks of the platform.
pub(super) fn spawn(
    backend: &Backend,
    events: Events,
    config: &Config,
    min_free_bytes: u64,
) -> Vec<JoinHandle<()>> {
    match backend {
        Backend::Embedded(embedded) => {
            let max_minutes = config.archives.archive_max_minutes;
            vec![
                tokio::spawn(handle_session_events(embedded.clone(), events.sessions)),
                tokio::spawn(handle_recorder_events(embedded.clone(), events.recorders)),
                tokio::spawn(stop_overlong_archives(embedded.clone(), max_minutes)),
            ]
        }
        // Nothing is recorded here, so there is no reader of `events`.
        Backend::Remote(remote) => spawn_remote(remote, config, min_free_bytes),
    }
}

fn spawn_remote(remote: &Remote, config: &Config, min_free_bytes: u64) -> Vec<JoinHandle<()>> {
    let mut tasks = vec![tokio::spawn(remote.clone().sync_archives())];
    if config.platform.archive_pull {
        tasks.push(tokio::spawn(remote.clone().mirror_files(min_free_bytes)));
    }
    tasks
}

async fn handle_session_events(
    embedded: Embedded,
    mut events: mpsc::Receiver<session::RegistryEvent>,
) {
    while let Some(event) = events.recv().await {
        embedded.apply_session_event(event).await;
    }
}

async fn handle_recorder_events(
    embedded: Embedded,
    mut events: mpsc::Receiver<recording::RecorderEvent>,
) {
    while let Some(event) = events.recv().await {
        embedded.apply_recorder_event(event).await;
    }
}

async fn stop_overlong_archives(embedded: Embedded, max_minutes: u32) {
    if max_minutes == 0 {
        return;
    }
    let max = Duration::from_secs(u64::from(max_minutes) * 60);
    let mut times = RunTimes::default();
    let mut ticks = tokio::time::interval(DURATION_CHECK_INTERVAL);
    loop {
        ticks.tick().await;
        embedded
            .stop_overlong(&mut times, max, clock::instant())
            .await;
    }
}
