//! The state that all handlers share.

use std::sync::Arc;

use sqlx::SqlitePool;

use crate::{
    archive::Archives,
    buddies::Buddies,
    config::Config,
    data::DataFolder,
    moderator::SignInGuard,
    platform::{Metric, Platform, Rooms},
    project::Project,
};

/// The running application, without its sockets.
pub struct App {
    pub config: Config,
    pub data: DataFolder,
    /// The project whose rooms the pages show.
    pub project: Project,
    pub platform: Arc<dyn Platform>,
    pub rooms: Rooms,
    pub archives: Archives,
    pub buddies: Buddies,
    /// Reads the metrics of the live sessions and the media engine, for `/metrics`.
    pub engine_metrics: Arc<dyn Fn() -> Vec<Metric> + Send + Sync>,
    /// Limits sign-ins.
    pub sign_ins: SignInGuard,
}

impl App {
    pub fn db(&self) -> &SqlitePool {
        &self.data.db
    }
}
