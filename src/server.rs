//! A running Parlor: its sockets, its threads, and the order in which they end.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{HttpServer, dev::ServerHandle, web};
use anyhow::{Context, bail};
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::{info, warn};
use tracing_actix_web::TracingLogger;

use crate::{
    api::{self, Api},
    app::App,
    archive::{self, Archives, Resolution, download::Links, object::Objects, recording},
    buddies::Buddies,
    callback::{self, Callbacks, Schedule},
    clock,
    config::{self, Config, PlatformKind},
    data::DataFolder,
    moderator::SignInLimiter,
    platform::{
        Embedded, NullMedia, Platform, PresenceAdmission, Remote, RemoteSettings, SessionCache,
    },
    project::{self, Project},
    recorder::{self, Recorder, RecorderConfig, ffmpeg::Ffmpeg},
    session::{self, Admission, EndReason, Sessions, media},
    sfu::{self, Sfu, SfuConfig},
    signaling,
};

/// Events of the engine that wait for their session. Each worker holds back what finds no room.
const MEDIA_EVENTS: usize = 4_096;
/// Reports of recorders, and changes of sessions, that wait for the archives.
const ARCHIVE_EVENTS: usize = 256;
/// How often archives are looked at that run for too long.
const DURATION_CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// How long open requests may take while the server stops.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// How long recordings may take to be completed while the server stops; the next start does the rest.
const LAST_RECORDINGS: Duration = Duration::from_secs(20);
/// Tries to find a number that is free for TCP and UDP, when any will do.
const PORT_TRIES: usize = 20;

/// A running server.
pub struct Server {
    addr: SocketAddr,
    app: web::Data<App>,
    platform: Embedded,
    callbacks: Callbacks,
    /// `None`: calls are on another platform.
    sfu: Option<Arc<Sfu>>,
    http: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    background: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts everything and returns once pages are served.
    ///
    /// # Errors
    /// The sentences say what the operator can do: the port is in use, the folder cannot be written.
    pub async fn start(config: Config) -> anyhow::Result<Server> {
        let resolution = config.archives.archive_resolution.as_str();
        let resolution = resolution
            .parse::<Resolution>()
            .with_context(|| format!("--archive-resolution {resolution} will not do"))?;
        let data = DataFolder::open(&config.data.folder).await?;
        let remote = remote_settings(&config)?;
        let given = if remote.is_none() {
            &config.keys
        } else {
            &config::Keys::none()
        };
        let project = project_of_pages(given, &data).await?;
        let (listener, media_sockets) = bind(&config.network, remote.is_none())?;
        let addr = listener.local_addr()?;

        let (media_events, media_events_rx) = mpsc::channel(MEDIA_EVENTS);
        let (sfu, engine): (_, Arc<dyn media::Media>) = match media_sockets {
            Some(sockets) => {
                let sfu = Sfu::start(SfuConfig::new(sockets), media_events)
                    .context("starting the media engine")?;
                let sfu = Arc::new(sfu);
                (Some(Arc::clone(&sfu)), sfu)
            }
            None => {
                let events = media_events;
                (None, Arc::new(NullMedia { events }))
            }
        };
        let (recorder_events, recorder_events_rx) = mpsc::channel(ARCHIVE_EVENTS);
        let recorder = Recorder::new(
            RecorderConfig {
                min_free_bytes: config.data.min_free_mib.saturating_mul(1024 * 1024),
                ..RecorderConfig::new(data.path())
            },
            recorder_events,
        );
        let recorder: Arc<dyn recording::Recorder> = Arc::new(recorder);
        let (session_events, session_events_rx) = mpsc::channel(ARCHIVE_EVENTS);
        let sessions = Sessions::new(engine, Arc::clone(&recorder), session_events);
        let archives = archives(&config.archives, &data);
        let objects = Objects {
            links: Links::new(project.api_secret.expose().as_bytes()),
            sessions: sessions.clone(),
        };
        let callbacks = Callbacks::start(
            data.db.clone(),
            objects.clone(),
            archives.subscribe(),
            callback_settings(&config, addr),
        )?;
        sessions.monitor(Arc::new(callbacks.clone()));
        let platform = Embedded {
            db: data.db.clone(),
            project: project.clone(),
            sessions: sessions.clone(),
            session_cache: SessionCache::default(),
            archives: archives.clone(),
            recorder,
            resolution,
        };
        let recover_in = data.path().to_owned();
        archives
            .begin(Arc::new(move |id| {
                let dir = recorder::archive_dir(&recover_in, id);
                recorder::recover(&dir)
                    .map_err(|error| format!("what had been recorded could not be read: {error}"))
            }))
            .await?;

        let remote = match remote {
            Some(settings) => Some(Remote::open(settings, platform.clone()).await?),
            None => None,
        };
        let address = remote.as_ref().map_or("", Remote::address);
        archives.fail_others(address).await?;
        let shared: Arc<dyn Platform> = match &remote {
            Some(remote) => Arc::new(remote.clone()),
            None => Arc::new(platform.clone()),
        };
        let lobby = Arc::new(platform.clone());
        let buddies = Buddies::open(Arc::clone(&shared), lobby, data.db.clone(), project.api_key)
            .await
            .context("taking up the presence session")?;
        let mut background = vec![
            tokio::spawn(buddies.clone().run(archives.subscribe())),
            tokio::spawn(sessions.clone().run(media_events_rx)),
            tokio::spawn(handle_session_events(platform.clone(), session_events_rx)),
            tokio::spawn(handle_recorder_events(platform.clone(), recorder_events_rx)),
            tokio::spawn(stop_overlong(
                platform.clone(),
                config.archives.archive_max_minutes,
            )),
        ];
        if let Some(remote) = &remote {
            background.push(tokio::spawn(remote.clone().sync_archives()));
            if config.platform.archive_pull {
                let min_free_bytes = config.data.min_free_mib.saturating_mul(1024 * 1024);
                background.push(tokio::spawn(remote.clone().mirror_files(min_free_bytes)));
            }
        }
        let cookie_key = data.cookie_key()?;
        let is_secure = config.is_secure();
        let app = web::Data::new(App {
            config,
            data,
            project,
            platform: shared,
            archives,
            buddies,
            sign_ins: Mutex::new(SignInLimiter::default()),
        });
        let serving = {
            let app = app.clone();
            let admission: Arc<dyn Admission> = match &remote {
                Some(_) => Arc::new(PresenceAdmission {
                    home: platform.clone(),
                    presence: app.buddies.presence().0.clone(),
                }),
                None => Arc::new(platform.clone()),
            };
            let api = match &remote {
                Some(remote) => Err(remote.clone()),
                None => Ok(web::Data::new(Api::new(&app, platform.clone(), objects))),
            };
            let callbacks = web::Data::new(callbacks.clone());
            HttpServer::new(move || {
                let server = actix_web::App::new()
                    .wrap(TracingLogger::<crate::web::RequestSpan>::new())
                    .app_data(app.clone())
                    .app_data(callbacks.clone())
                    .configure(signaling::routes(sessions.clone(), admission.clone()));
                let server = match &api {
                    Ok(api) => server.configure(api::routes(api.clone())),
                    Err(remote) => server.configure(api::elsewhere(remote.clone())),
                };
                server.service(crate::web::pages(&cookie_key, is_secure))
            })
            .workers(2)
            .h1_write_buffer_size(signaling::WRITE_BUFFER)
            .shutdown_timeout(LAST_REQUESTS.as_secs())
            .disable_signals()
            .listen(listener)
            .context("serving pages")?
            .run()
        };
        let http = serving.handle();
        Ok(Server {
            addr,
            app,
            platform,
            callbacks,
            sfu,
            http,
            serving: tokio::spawn(serving),
            background,
        })
    }

    /// Where pages are served: the port is the real one, also when any was asked for.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The application behind the sockets.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The media engine's side of it.
    pub fn platform(&self) -> &Embedded {
        &self.platform
    }

    /// The live sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.platform.sessions
    }

    /// Stops in order: archives are finished, people are told, then everything ends.
    pub async fn stop(self) {
        info!("Parlor stops: archives are finished, people are told");
        let mut changes = self.app.archives.subscribe();
        self.platform.stop_all().await;
        let completed = async {
            while unfinished(&self.app).await {
                // A change, or a watcher that is behind: either way it is time to look again.
                let _ = changes.recv().await;
            }
        };
        if tokio::time::timeout(LAST_RECORDINGS, completed)
            .await
            .is_err()
        {
            warn!("Some archives are not complete yet; the next start completes them");
        }
        self.app.archives.close().await;
        self.platform
            .sessions
            .disconnect_all(EndReason::ServerStopping);
        self.http.stop(true).await;
        if let Ok(Err(error)) = self.serving.await {
            warn!("Pages ended with an error: {error}");
        }
        self.callbacks.close().await;
        if let Some(sfu) = self.sfu {
            let _ = tokio::task::spawn_blocking(move || sfu.stop()).await;
        }
        for task in self.background {
            task.abort();
            let _ = task.await;
        }
        self.app.db().close().await;
    }
}

/// Is there an archive whose recorder has not reported yet?
async fn unfinished(app: &App) -> bool {
    app.archives.is_completing().await.unwrap_or(false)
}

async fn project_of_pages(keys: &config::Keys, data: &DataFolder) -> anyhow::Result<Project> {
    let given = match (keys.api_key, &keys.api_secret) {
        (Some(api_key), Some(api_secret)) => Some(Project {
            api_key,
            api_secret: api_secret.clone(),
        }),
        (None, None) => None,
        _ => bail!("API_KEY and API_SECRET belong together: give both or neither"),
    };
    project::of_pages(&data.db, given, clock::now_ms())
        .await
        .context("reading the API key")
}

fn archives(config: &config::Archives, data: &DataFolder) -> Archives {
    let days = u64::from(config.archive_keep_days);
    let settings = archive::Settings {
        keep: (days > 0).then(|| Duration::from_secs(days * 24 * 60 * 60)),
        ..archive::Settings::new(data.archives(), clock::now_ms)
    };
    let composer = Ffmpeg::new(config.ffmpeg.clone());
    Archives::new(data.db.clone(), Arc::new(composer), settings)
}

fn callback_settings(config: &Config, addr: SocketAddr) -> callback::Settings {
    let allow_private = config.callbacks.callback_allow_private;
    let public_url = config.network.public_url.clone();
    let base = public_url.or_else(|| callback::reached_at(addr, allow_private));
    let mut schedule = Schedule::default();
    if !config.callbacks.retry_waits.is_empty() {
        schedule.waits.clone_from(&config.callbacks.retry_waits);
    }
    callback::Settings {
        allow_private,
        schedule,
        ..callback::Settings::new(base, clock::now_ms)
    }
}

/// The other server that calls are on, if the configuration says so.
fn remote_settings(config: &Config) -> anyhow::Result<Option<RemoteSettings>> {
    let config::Platform {
        kind,
        opentok_api_url,
        ..
    } = &config.platform;
    if *kind == PlatformKind::Embedded {
        return Ok(None);
    }
    let (Some(api_key), Some(api_secret)) = (config.keys.api_key, config.keys.api_secret.clone())
    else {
        bail!("PLATFORM=opentok needs API_KEY and API_SECRET of a project at {opentok_api_url}");
    };
    Ok(Some(RemoteSettings {
        project: Project {
            api_key,
            api_secret,
        },
        api_url: opentok_api_url.clone(),
        library: config.platform.library(),
    }))
}

/// One port number for pages (TCP) and, if there are any here, media (UDP).
fn bind(
    network: &config::Network,
    with_media: bool,
) -> anyhow::Result<(TcpListener, Option<Vec<sfu::WorkerSockets>>)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = match network.media_workers {
        0 if cores < 4 => 1,
        0 => cores - 1,
        given => given,
    };
    let workers = u16::try_from(workers).context("--media-workers is too large")?;
    let wanted = network.listen;
    let in_use = |what: &str, port: u16| {
        format!(
            "port {port} is in use ({what}): stop the other program, or choose another port with --listen {}:{}",
            wanted.ip(),
            port.wrapping_add(1).max(1024)
        )
    };
    let mut tries = if wanted.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let listener = TcpListener::bind(wanted).map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => anyhow::anyhow!(in_use("TCP", wanted.port())),
            _ => anyhow::anyhow!("listening on {wanted}: {error}"),
        })?;
        if !with_media {
            return Ok((listener, None));
        }
        let port = listener.local_addr()?.port();
        match sfu::bind(port, workers, &network.public_address) {
            Ok(sockets) => return Ok((listener, Some(sockets))),
            Err(error) if error.kind() == ErrorKind::AddrInUse && tries > 0 => {}
            Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(in_use("UDP", port)),
            Err(error) => return Err(error).context("listening for media"),
        }
    }
}

async fn handle_session_events(
    platform: Embedded,
    mut session_events: mpsc::Receiver<session::Happening>,
) {
    while let Some(event) = session_events.recv().await {
        platform.apply_session_event(event).await;
    }
}

async fn handle_recorder_events(
    platform: Embedded,
    mut events: mpsc::Receiver<recording::RecorderEvent>,
) {
    while let Some(event) = events.recv().await {
        platform.apply_recorder_event(event).await;
    }
}

async fn stop_overlong(platform: Embedded, minutes: u32) {
    if minutes == 0 {
        return;
    }
    let mut ticks = tokio::time::interval(DURATION_CHECK_INTERVAL);
    loop {
        ticks.tick().await;
        platform.stop_overlong(i64::from(minutes) * 60_000).await;
    }
}
