//! A handle of one archive for an application's server.

use std::ops::Deref;

use serde::{Serialize, Serializer};

use super::{ArchiveObject, ArchiveStatus, Error, Layout, OpenTok, StreamMedia};

/// A handle of an archive. Its fields are those of [`ArchiveObject`], and it serializes as one.
///
/// The methods update the fields: after [`stop`](Self::stop) they are those of the server's
/// reply, after [`delete`](Self::delete) the status is `deleted`. (In the gem 2.2.0 the fields of
/// an archive were unreadable after either.)
#[derive(Clone, Debug)]
pub struct Archive {
    opentok: OpenTok,
    object: ArchiveObject,
}

impl Archive {
    pub(super) fn new(opentok: OpenTok, object: ArchiveObject) -> Archive {
        Archive { opentok, object }
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// The same as [`Archives::stop`](super::Archives::stop); the fields are unchanged then.
    pub async fn stop(&mut self) -> Result<(), Error> {
        self.object = self.opentok.archives().stop(&self.object.id).await?.object;
        Ok(())
    }

    /// Deletes the archive and its file.
    ///
    /// # Errors
    /// The same as [`Archives::delete`](super::Archives::delete); the fields are unchanged then.
    pub async fn delete(&mut self) -> Result<(), Error> {
        self.opentok.archives().delete(&self.object.id).await?;
        self.object.status = ArchiveStatus::Deleted;
        self.object.url = None;
        Ok(())
    }

    /// Fetches the archive again.
    ///
    /// # Errors
    /// The same as [`Archives::find`](super::Archives::find); the fields are unchanged then.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        self.object = self.opentok.archives().find(&self.object.id).await?.object;
        Ok(())
    }

    /// # Errors
    /// The same as [`Archives::set_layout`](super::Archives::set_layout).
    pub async fn set_layout(&self, layout: &Layout) -> Result<(), Error> {
        let archives = self.opentok.archives();
        archives.set_layout(&self.object.id, layout).await
    }

    /// # Errors
    /// The same as [`Archives::add_stream`](super::Archives::add_stream).
    pub async fn add_stream(&self, stream_id: &str, media: StreamMedia) -> Result<(), Error> {
        let archives = self.opentok.archives();
        archives.add_stream(&self.object.id, stream_id, media).await
    }

    /// # Errors
    /// The same as [`Archives::remove_stream`](super::Archives::remove_stream).
    pub async fn remove_stream(&self, stream_id: &str) -> Result<(), Error> {
        let archives = self.opentok.archives();
        archives.remove_stream(&self.object.id, stream_id).await
    }

    /// Returns the fields.
    pub fn into_object(self) -> ArchiveObject {
        self.object
    }
}

impl Deref for Archive {
    type Target = ArchiveObject;

    fn deref(&self) -> &ArchiveObject {
        &self.object
    }
}

impl Serialize for Archive {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        self.object.serialize(output)
    }
}
