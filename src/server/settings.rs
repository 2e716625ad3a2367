//! The settings of each service, from the configuration.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tracing::warn;

use crate::{
    archive::{self, Archives},
    callback::{self, Schedule},
    clock,
    config::{self, Config, PlatformKind},
    data::DataFolder,
    platform::RemoteSettings,
    project::{self, Project},
    recorder::{RecorderConfig, ffmpeg::Ffmpeg},
};

/// The project of the pages: the configured one, or the stored one while calls are on another platform.
pub(super) async fn project(
    config: &Config,
    is_remote: bool,
    data: &DataFolder,
) -> anyhow::Result<Project> {
    let none = config::KeyConfig::none();
    let keys = if is_remote { &none } else { &config.keys };
    let given = match (keys.api_key, &keys.api_secret) {
        (Some(api_key), Some(api_secret)) => Some(Project {
            api_key,
            api_secret: api_secret.clone(),
        }),
        (None, None) => None,
        _ => bail!("API_KEY and API_SECRET belong together: set both or neither"),
    };
    project::of_pages(&data.db, given, clock::now_ms())
        .await
        .context("reading the API key")
}

/// The other server that has the calls, if the configuration names one.
pub(super) fn remote(config: &Config) -> anyhow::Result<Option<RemoteSettings>> {
    let config::PlatformConfig {
        kind,
        opentok_api_url,
        ..
    } = &config.platform;
    if *kind == PlatformKind::Embedded {
        return Ok(None);
    }
    let (Some(api_key), Some(api_secret)) = (config.keys.api_key, config.keys.api_secret.clone())
    else {
        bail!(
            "PLATFORM=opentok needs API_KEY and API_SECRET: set those of a project at {opentok_api_url}"
        );
    };
    Ok(Some(RemoteSettings {
        project: Project {
            api_key,
            api_secret,
        },
        api_url: opentok_api_url.clone(),
        library: config.platform.library(),
        allow_private_files: config.callbacks.callback_allow_private,
    }))
}

pub(super) fn archives(config: &config::ArchiveConfig, data: &DataFolder) -> Archives {
    let days = u64::from(config.archive_keep_days);
    let settings = archive::Settings {
        keep: (days > 0).then(|| Duration::from_secs(days * 24 * 60 * 60)),
        ..archive::Settings::new(data.archives(), clock::now_ms)
    };
    let composer = Ffmpeg::new(config.ffmpeg.clone(), config.ffprobe());
    if let Err(error) = composer.find() {
        warn!(?error, "Recordings get no MP4: a program is missing");
    }
    Archives::new(data.db.clone(), Arc::new(composer), settings)
}

pub(super) fn recorder(config: &Config, data: &DataFolder) -> RecorderConfig {
    RecorderConfig {
        min_free_bytes: min_free_bytes(config),
        ..RecorderConfig::new(data.path())
    }
}

/// The space on the disk that recordings leave free.
pub(super) fn min_free_bytes(config: &Config) -> u64 {
    config.data.min_free_mib.saturating_mul(1024 * 1024)
}

pub(super) fn callbacks(config: &Config, addr: SocketAddr) -> callback::Settings {
    let allow_private = config.callbacks.callback_allow_private;
    let public_url = config.network.public_url.clone();
    let public_url = public_url.or_else(|| callback::reached_at(addr, allow_private));
    let mut schedule = Schedule::default();
    if !config.callbacks.retry_delays.is_empty() {
        schedule.delays.clone_from(&config.callbacks.retry_delays);
    }
    if !config.callbacks.probe_delays.is_empty() {
        schedule
            .probe_delays
            .clone_from(&config.callbacks.probe_delays);
    }
    callback::Settings {
        allow_private,
        schedule,
        ..callback::Settings::new(public_url, clock::now_ms)
    }
}
