//! Archives that another video platform has, for watchers like all others.

use super::Archives;
use crate::archive::{
    Archive, ArchiveId, Status,
    elsewhere::{self, Adoption, Told},
};

impl Archives {
    /// As [`elsewhere::adopt`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn adopt(
        &self,
        told: &Told,
        adoption: &Adoption,
    ) -> Result<Option<Archive>, sqlx::Error> {
        let adopted = elsewhere::adopt(&self.inner.db, told, adoption, self.now_ms()).await?;
        Ok(adopted.map(|archive| self.tell(archive)))
    }

    /// As [`elsewhere::follow`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn follow(&self, told: &Told) -> Result<Option<Archive>, sqlx::Error> {
        let followed = elsewhere::follow(&self.inner.db, told, self.now_ms()).await?;
        Ok(followed.map(|archive| self.tell(archive)))
    }

    /// As [`elsewhere::give_up`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn give_up(&self, id: ArchiveId) -> Result<Option<Archive>, sqlx::Error> {
        let given_up = elsewhere::give_up(&self.inner.db, id, self.now_ms()).await?;
        Ok(given_up.map(|archive| self.tell(archive)))
    }

    /// As [`elsewhere::give_up_others`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn give_up_others(&self, platform: &str) -> Result<(), sqlx::Error> {
        let now_ms = self.now_ms();
        for archive in elsewhere::give_up_others(&self.inner.db, platform, now_ms).await? {
            self.tell(archive);
        }
        Ok(())
    }

    /// As [`elsewhere::delete`]; what was pulled of it goes, too.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget(&self, id: ArchiveId) -> Result<Option<Archive>, sqlx::Error> {
        let deleted = elsewhere::delete(&self.inner.db, id, self.now_ms()).await?;
        let deleted = deleted.map(|archive| self.tell(archive));
        if deleted.is_some() {
            self.clear(id).await;
        }
        Ok(deleted)
    }

    /// As [`elsewhere::note_pulled`]; if the archive was deleted meanwhile, the file goes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_pulled(
        &self,
        id: ArchiveId,
        size_bytes: u64,
    ) -> Result<Option<Archive>, sqlx::Error> {
        let db = &self.inner.db;
        let pulled = elsewhere::note_pulled(db, id, size_bytes, self.now_ms()).await?;
        match pulled {
            Some(archive) => Ok(Some(self.tell(archive))),
            None => {
                let archive = super::store::find(db, id).await?;
                if archive.is_none_or(|archive| archive.status == Status::Deleted) {
                    self.clear(id).await;
                }
                Ok(None)
            }
        }
    }
}
