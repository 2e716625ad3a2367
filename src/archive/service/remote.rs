//! The archives of another video platform. Subscribers are notified of their changes as of all others.

use super::Archives;
use crate::archive::{
    Archive, ArchiveId, Status,
    remote::{self, LocalContext, RemoteArchive},
};

impl Archives {
    /// Calls [`remote::adopt`].
    ///
    /// # Errors
    /// The database query fails.
    pub async fn adopt(
        &self,
        archive: &RemoteArchive,
        context: &LocalContext,
    ) -> Result<Option<Archive>, sqlx::Error> {
        let adopted = remote::adopt(&self.inner.db, archive, context, self.now_ms()).await?;
        Ok(adopted.map(|archive| self.notify(archive)))
    }

    /// Calls [`remote::apply`].
    ///
    /// # Errors
    /// The database query fails.
    pub async fn apply_remote(
        &self,
        archive: &RemoteArchive,
    ) -> Result<Option<Archive>, sqlx::Error> {
        let applied = remote::apply(&self.inner.db, archive, self.now_ms()).await?;
        Ok(applied.map(|archive| self.notify(archive)))
    }

    /// Calls [`remote::mark_lost`].
    ///
    /// # Errors
    /// The database query fails.
    pub async fn mark_lost(&self, id: ArchiveId) -> Result<Option<Archive>, sqlx::Error> {
        let lost = remote::mark_lost(&self.inner.db, id, self.now_ms()).await?;
        Ok(lost.map(|archive| self.notify(archive)))
    }

    /// Calls [`remote::fail_others`].
    ///
    /// # Errors
    /// The database query fails.
    pub async fn fail_others(&self, platform: &str) -> Result<(), sqlx::Error> {
        let now_ms = self.now_ms();
        for archive in remote::fail_others(&self.inner.db, platform, now_ms).await? {
            self.notify(archive);
        }
        Ok(())
    }

    /// Calls [`remote::delete`], and removes the copied file.
    ///
    /// # Errors
    /// The database query fails.
    pub async fn delete_remote(&self, id: ArchiveId) -> Result<Option<Archive>, sqlx::Error> {
        let deleted = remote::delete(&self.inner.db, id, self.now_ms()).await?;
        let deleted = deleted.map(|archive| self.notify(archive));
        if deleted.is_some() {
            self.clear(id).await;
        }
        Ok(deleted)
    }

    /// Calls [`remote::mark_pulled`], and removes the copied file if the archive was deleted meanwhile.
    ///
    /// # Errors
    /// The database query fails.
    pub async fn mark_pulled(
        &self,
        id: ArchiveId,
        size_bytes: u64,
    ) -> Result<Option<Archive>, sqlx::Error> {
        let db = &self.inner.db;
        let pulled = remote::mark_pulled(db, id, size_bytes, self.now_ms()).await?;
        match pulled {
            Some(archive) => Ok(Some(self.notify(archive))),
            None => {
                let archive = crate::archive::store::find(db, id).await?;
                if archive.is_none_or(|archive| archive.status == Status::Deleted) {
                    self.clear(id).await;
                }
                Ok(None)
            }
        }
    }
}
