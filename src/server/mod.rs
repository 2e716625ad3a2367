//! A running Parlor: its services in the order in which they start and stop.

mod background;
mod connections;
mod head;
mod http;
mod settings;
mod sockets;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{dev::ServerHandle, web};
use anyhow::Context;
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::{info, warn};

use self::background::Events;
use crate::{
    app::App,
    archive::{Archives, download::Links, recording},
    archive_object::ObjectWriter,
    buddies::Buddies,
    callback::Callbacks,
    clock::Clock,
    config::Config,
    data::DataFolder,
    moderator::SignInGuard,
    platform::{
        Backend, Embedded, LocalSessions, NullMedia, Remote, RemoteParts, Rooms, engine_metrics,
    },
    recorder::{self, Recorder},
    session::{EndReason, Sessions, media},
    sfu::{self, Sfu, SfuConfig},
};

/// Capacity of the queue of engine events. A worker holds back the events that the queue cannot take.
const MEDIA_EVENTS: usize = 4_096;
/// Capacity of the queues of recorder events and of session events for archives.
const ARCHIVE_EVENTS: usize = 256;
/// Time for recordings to be completed while the server stops. The next start completes the rest.
const RECORDING_GRACE: Duration = Duration::from_secs(20);

type Engine = Arc<dyn media::Media>;

/// A running server.
pub struct Server {
    addr: SocketAddr,
    app: web::Data<App>,
    sessions: Sessions,
    backend: Backend,
    callbacks: Callbacks,
    /// `None` when calls are on another platform.
    sfu: Option<Arc<Sfu>>,
    http: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    background: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts all services, and returns once pages are served.
    ///
    /// # Errors
    /// Each error names the cause and the operator's remedy, for example for a port in use or a read-only data folder.
    pub async fn start(config: Config) -> anyhow::Result<Server> {
        let resolution = config.archives.archive_resolution;
        let data = DataFolder::open(&config.data.folder, config.data.new_database).await?;
        let remote = settings::remote(&config)?;
        let project = settings::project(&config, remote.is_some(), &data).await?;
        let (listener, media_sockets) = sockets::bind(&config.network, remote.is_none())?;
        let addr = listener.local_addr()?;

        let (media_events, media_events_rx) = mpsc::channel(MEDIA_EVENTS);
        let (sfu, engine) = start_engine(media_sockets, media_events)?;
        let (recorder_events, recorders) = mpsc::channel(ARCHIVE_EVENTS);
        let recorder = Recorder::new(settings::recorder(&config, &data), recorder_events);
        let recorder: Arc<dyn recording::Recorder> = Arc::new(recorder);
        let (session_events, session_events_rx) = mpsc::channel(ARCHIVE_EVENTS);
        let sessions = Sessions::new(engine, Arc::clone(&recorder), session_events);
        let archives = settings::archives(&config.archives, &data);
        let objects = ObjectWriter {
            links: Links::new(project.api_secret.expose().as_bytes()),
            sessions: sessions.clone(),
        };
        let callbacks = Callbacks::start(
            data.db.clone(),
            objects.clone(),
            archives.subscribe(),
            settings::callbacks(&config, addr),
        )?;
        sessions.monitor(Arc::new(callbacks.clone()));
        recover_archives(&archives, &data).await?;

        let local = LocalSessions::new(data.db.clone(), project.clone(), sessions.clone());
        let backend = match remote {
            None => Backend::Embedded(Embedded::new(
                local.clone(),
                archives.clone(),
                recorder,
                resolution,
            )),
            Some(settings) => {
                let parts = RemoteParts {
                    db: data.db.clone(),
                    archives: archives.clone(),
                    api_key: project.api_key,
                    resolution,
                    clock: Clock::SYSTEM,
                };
                let remote = Remote::open(settings, parts).await;
                Backend::Remote(remote.context("opening the video platform")?)
            }
        };
        let platform = backend.platform();
        archives.fail_others(&platform.info().address).await?;
        let buddies = Buddies::open(
            Arc::clone(&platform),
            Arc::new(local.clone()),
            data.db.clone(),
            project.api_key,
        )
        .await
        .context("opening the presence session")?;
        let events = Events {
            sessions: session_events_rx,
            recorders,
        };
        let min_free_bytes = settings::min_free_bytes(&config);
        let mut background = background::spawn(&backend, events, &config, min_free_bytes);
        background.push(tokio::spawn(buddies.clone().run(archives.subscribe())));
        background.push(tokio::spawn(sessions.clone().run(media_events_rx)));

        let measured = sessions.clone();
        let rooms = Rooms::new(data.db.clone(), Arc::clone(&platform));
        let app = web::Data::new(App {
            config,
            data,
            project,
            platform,
            rooms,
            archives,
            buddies,
            engine_metrics: Arc::new(move || engine_metrics(&measured)),
            sign_ins: SignInGuard::default(),
        });
        let serving = http::serve(
            listener,
            &app,
            http::signaling_routes(&backend, &sessions, local, &app),
            http::api_routes(&backend, &app, objects),
            web::Data::new(callbacks.clone()),
        )?;
        Ok(Server {
            addr,
            app,
            sessions,
            backend,
            callbacks,
            sfu,
            http: serving.handle(),
            serving: tokio::spawn(serving),
            background,
        })
    }

    /// The address of the pages, with the actual port when the configuration left the choice to the system.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The application behind the sockets.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The embedded platform; `None` when calls are on another one.
    pub fn embedded(&self) -> Option<&Embedded> {
        match &self.backend {
            Backend::Embedded(embedded) => Some(embedded),
            Backend::Remote(_) => None,
        }
    }

    /// The live sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Stops in order: completes the recordings, disconnects the clients, then stops all services.
    pub async fn stop(self) {
        info!("Shutting down");
        let mut changes = self.app.archives.subscribe();
        if let Backend::Embedded(embedded) = &self.backend {
            embedded.stop_all().await;
        }
        let completed = async {
            while is_completing(&self.app).await {
                // A change, or a lagging subscription; check again after both.
                let _ = changes.recv().await;
            }
        };
        if tokio::time::timeout(RECORDING_GRACE, completed)
            .await
            .is_err()
        {
            warn!("Some archives are not complete; the next start completes them");
        }
        self.app.archives.close().await;
        self.sessions.disconnect_all(EndReason::ServerStopping);
        self.http.stop(true).await;
        if let Ok(Err(error)) = self.serving.await {
            warn!(%error, "The web server stopped with an error");
        }
        self.callbacks.close().await;
        if let Some(sfu) = self.sfu {
            let _ = tokio::task::spawn_blocking(move || sfu.stop()).await;
        }
        for task in self.background {
            task.abort();
            let _ = task.await;
        }
        self.app.data.close().await;
    }
}

/// Starts the media engine on its sockets; without sockets, an engine that refuses all media.
fn start_engine(
    sockets: Option<Vec<sfu::WorkerSockets>>,
    events: mpsc::Sender<media::EngineEvent>,
) -> anyhow::Result<(Option<Arc<Sfu>>, Engine)> {
    let Some(sockets) = sockets else {
        return Ok((None, Arc::new(NullMedia { events })));
    };
    let sfu = Sfu::start(SfuConfig::new(sockets), events).context("starting the media engine")?;
    let sfu = Arc::new(sfu);
    Ok((Some(Arc::clone(&sfu)), sfu))
}

/// Starts the archive service, which recovers the recordings that the last run did not complete.
async fn recover_archives(archives: &Archives, data: &DataFolder) -> anyhow::Result<()> {
    let folder = data.path().to_owned();
    archives
        .begin(Arc::new(move |id| {
            let dir = recorder::archive_dir(&folder, id);
            recorder::recover(&dir)
                .map_err(|error| format!("the recording could not be read: {error}"))
        }))
        .await?;
    Ok(())
}

/// Whether the recorder of an archive has not reported its end yet.
async fn is_completing(app: &App) -> bool {
    app.archives.is_completing().await.unwrap_or(false)
}
