//! What every handler shares.

use std::sync::{Arc, Mutex};

use sqlx::SqlitePool;

use crate::{
    archive::Archives, buddies::Buddies, config::Config, data::DataFolder,
    moderator::SignInLimiter, platform::Platform, project::Project,
};

/// The running application, without its sockets.
pub struct App {
    pub config: Config,
    pub data: DataFolder,
    /// The project whose rooms the pages show.
    pub project: Project,
    pub platform: Arc<dyn Platform>,
    pub archives: Archives,
    pub buddies: Buddies,
    /// Failed attempts to sign in; held for a moment at each.
    pub sign_ins: Mutex<SignInLimiter>,
}

impl App {
    pub fn db(&self) -> &SqlitePool {
        &self.data.db
    }
}
