//! Rooms on the platform in use: how they are opened, joined, recorded and deleted.

use std::sync::Arc;

use sqlx::SqlitePool;
use tokio::sync::RwLock;

use super::{Platform, PlatformError, StartArchive};
use crate::{
    archive::ArchiveId,
    clock,
    common::name::Name,
    opentok::Role,
    project,
    room::{self, Room, RoomError, Slug},
};

/// The rooms and the platform of their sessions.
pub struct Rooms {
    db: SqlitePool,
    platform: Arc<dyn Platform>,
    /// Joining a room and recording it share this lock; deleting a room takes it alone. So no client and no archive gets
    /// into a room between the check that it is empty and its deletion.
    occupancy: RwLock<()>,
}

/// Why a room was not opened, joined, recorded or deleted.
#[derive(Debug, thiserror::Error)]
pub enum RoomsError {
    #[error("{0} is being recorded; stop the archive first")]
    Recorded(Name),
    #[error("someone is still in {0}")]
    Occupied(Name),
    #[error(transparent)]
    Room(#[from] RoomError),
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

impl From<sqlx::Error> for RoomsError {
    fn from(error: sqlx::Error) -> RoomsError {
        RoomsError::Platform(error.into())
    }
}

impl Rooms {
    pub fn new(db: SqlitePool, platform: Arc<dyn Platform>) -> Rooms {
        Rooms {
            db,
            platform,
            occupancy: RwLock::default(),
        }
    }

    /// The room with this slug, with a session that clients can join. The default room is created when it is missing.
    ///
    /// # Errors
    /// [`RoomError::NotFound`], the platform, or the database.
    pub async fn open(&self, slug: &Slug) -> Result<Room, RoomsError> {
        let room = if slug.as_str() == room::DEFAULT_SLUG {
            let new_session = async { Ok::<_, RoomsError>(self.platform.create_session().await?) };
            room::default_room(&self.db, new_session, clock::now_ms()).await?
        } else {
            self.stored(slug).await?
        };
        self.with_joinable_session(room).await
    }

    /// All rooms, the default one first. The default room is created when it is missing, unless the platform is down.
    ///
    /// # Errors
    /// The platform, or the database.
    pub async fn list(&self) -> Result<Vec<Room>, RoomsError> {
        use PlatformError::{Misconfigured, Unavailable};
        match self.open(&Slug::of_default_room()).await {
            Ok(_) | Err(RoomsError::Platform(Unavailable(_) | Misconfigured(_))) => {}
            Err(error) => return Err(error),
        }
        Ok(room::list(&self.db).await?)
    }

    /// Creates a room with a session of its own.
    ///
    /// # Errors
    /// [`RoomError::TooMany`], the platform, or the database.
    pub async fn create(&self, name: &Name) -> Result<Room, RoomsError> {
        let session = self.platform.create_session().await?;
        Ok(room::create(&self.db, name, &session, clock::now_ms()).await?)
    }

    /// A token for the room's session.
    ///
    /// # Errors
    /// The same as [`Rooms::open`].
    pub async fn join(
        &self,
        slug: &Slug,
        role: Role,
        data: &str,
    ) -> Result<(Room, String), RoomsError> {
        let _shared = self.occupancy.read().await;
        let room = self.open(slug).await?;
        let token = self.platform.token(&room.session, role, data).await?;
        Ok((room, token))
    }

    /// Starts to record the room.
    ///
    /// # Errors
    /// The same as [`Rooms::open`]; [`PlatformError::Conflict`] when an archive records the room already.
    pub async fn start_archive(
        &self,
        slug: &Slug,
        started_by: String,
    ) -> Result<ArchiveId, RoomsError> {
        let _shared = self.occupancy.read().await;
        let room = self.open(slug).await?;
        let options = StartArchive {
            name: room.name.to_string(),
            room: room.name.to_string(),
            started_by,
        };
        Ok(self.platform.start_archive(&room.session, options).await?)
    }

    /// Deletes a room without connections and without a running archive, and closes its session, so that earlier tokens
    /// admit no client to it. Archives stay.
    ///
    /// # Errors
    /// [`RoomsError::Recorded`], [`RoomsError::Occupied`], [`RoomError::Default`], [`RoomError::NotFound`], the platform, or
    /// the database.
    pub async fn delete_if_empty(&self, slug: &Slug) -> Result<(), RoomsError> {
        let _alone = self.occupancy.write().await;
        let room = self.stored(slug).await?;
        if self.platform.recording(&room.session).await?.is_some() {
            return Err(RoomsError::Recorded(room.name));
        }
        // Not `participants`, which may be some seconds old.
        if !self.platform.connections(&room.session).await?.is_empty() {
            return Err(RoomsError::Occupied(room.name));
        }
        room::delete(&self.db, slug).await?;
        self.platform.close_session(&room.session).await?;
        Ok(())
    }

    async fn stored(&self, slug: &Slug) -> Result<Room, RoomsError> {
        let found = room::find(&self.db, slug).await?;
        found.ok_or_else(|| RoomError::NotFound(slug.clone()).into())
    }

    /// The room with a session of the platform in use. A session of a former platform or API key admits no client, so the
    /// room gets a new one.
    async fn with_joinable_session(&self, room: Room) -> Result<Room, RoomsError> {
        let session = project::find_session(&self.db, &room.session).await?;
        if session.is_some_and(|session| self.platform.info().owns(&session)) {
            return Ok(room);
        }
        let session = self.platform.create_session().await?;
        Ok(room::change_session(&self.db, room, &session).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::{
        archive::Archive,
        opentok::SessionId,
        platform::{PlatformInfo, Recording},
        project::SessionRecord,
        session::ConnectionId,
    };

    /// A platform whose answer to `connections` the test holds back.
    struct Slow {
        db: SqlitePool,
        info: PlatformInfo,
        /// One permit for each answer to `connections`.
        answers: Semaphore,
        /// One permit for each query of `connections`.
        queries: Semaphore,
        connections: Mutex<Vec<ConnectionId>>,
        recording: Mutex<Option<Recording>>,
    }

    #[async_trait]
    impl Platform for Slow {
        fn info(&self) -> &PlatformInfo {
            &self.info
        }

        async fn create_session(&self) -> Result<SessionId, PlatformError> {
            let id = SessionId::generate(self.info.api_key, "", 1);
            let record = SessionRecord::routed(id, self.info.api_key);
            project::add_session(&self.db, &record, 1).await?;
            Ok(record.id)
        }

        async fn create_chat_session(&self) -> Result<SessionId, PlatformError> {
            self.create_session().await
        }

        async fn route(&self, _: &SessionId) -> Result<(), PlatformError> {
            Ok(())
        }

        async fn close_session(&self, session: &SessionId) -> Result<(), PlatformError> {
            Ok(project::close_session(&self.db, session, 2).await?)
        }

        async fn token(
            &self,
            session: &SessionId,
            _: Role,
            _: &str,
        ) -> Result<String, PlatformError> {
            self.connections
                .lock()
                .unwrap()
                .push(ConnectionId::random());
            Ok(session.to_string())
        }

        async fn participants(&self, _: &SessionId) -> Result<Vec<String>, PlatformError> {
            Ok(Vec::new())
        }

        async fn connections(&self, _: &SessionId) -> Result<Vec<ConnectionId>, PlatformError> {
            let now = self.connections.lock().unwrap().clone();
            self.queries.add_permits(1);
            self.answers.acquire().await.unwrap().forget();
            Ok(now)
        }

        async fn recording(&self, _: &SessionId) -> Result<Option<Recording>, PlatformError> {
            Ok(self.recording.lock().unwrap().clone())
        }

        async fn start_archive(
            &self,
            _: &SessionId,
            _: StartArchive,
        ) -> Result<ArchiveId, PlatformError> {
            let id = ArchiveId::random();
            *self.recording.lock().unwrap() = Some(Recording {
                id,
                started_at_ms: 1,
            });
            Ok(id)
        }

        async fn stop_archive(&self, _: ArchiveId) -> Result<(), PlatformError> {
            Ok(())
        }

        async fn delete_archive(&self, _: ArchiveId) -> Result<(), PlatformError> {
            Ok(())
        }

        async fn remote_file_url(&self, _: &Archive) -> Result<String, PlatformError> {
            Err(PlatformError::NotFound("archive"))
        }
    }

    async fn rooms(db: &SqlitePool) -> (Arc<Rooms>, Arc<Slow>, Room) {
        let project = project::of_pages(db, None, 1).await.unwrap();
        let slow = Arc::new(Slow {
            db: db.clone(),
            info: PlatformInfo {
                api_key: project.api_key,
                ..PlatformInfo::default()
            },
            answers: Semaphore::new(0),
            queries: Semaphore::new(0),
            connections: Mutex::default(),
            recording: Mutex::default(),
        });
        let session = slow.create_session().await.unwrap();
        let name = Name::parse("Review").unwrap();
        let room = room::create(db, &name, &session, 1).await.unwrap();
        let rooms = Rooms::new(db.clone(), Arc::clone(&slow) as Arc<dyn Platform>);
        (Arc::new(rooms), slow, room)
    }

    fn is_not_found<T>(result: &Result<T, RoomsError>) -> bool {
        matches!(result, Err(RoomsError::Room(RoomError::NotFound(_))))
    }

    #[sqlx::test]
    async fn no_client_joins_and_no_archive_starts_between_the_check_and_the_deletion(
        db: SqlitePool,
    ) {
        let (rooms, slow, room) = rooms(&db).await;
        let deletion = {
            let (rooms, slug) = (Arc::clone(&rooms), room.slug.clone());
            tokio::spawn(async move { rooms.delete_if_empty(&slug).await })
        };
        // The platform counts no connections now, and its answer is under way.
        slow.queries.acquire().await.unwrap().forget();
        let joining = rooms.join(&room.slug, Role::Publisher, "");
        let recording = rooms.start_archive(&room.slug, "Moni".to_owned());
        let answer = async {
            // Both wait for the deletion by now.
            tokio::task::yield_now().await;
            slow.answers.add_permits(1);
        };
        let (joined, started, ()) = tokio::join!(joining, recording, answer);

        deletion.await.unwrap().unwrap();
        assert!(is_not_found(&joined), "{joined:?}");
        assert!(is_not_found(&started), "{started:?}");
        assert!(slow.connections.lock().unwrap().is_empty());
        let session = project::find_session(&db, &room.session).await.unwrap();
        assert!(session.unwrap().is_closed, "earlier tokens admit no client");
    }

    #[sqlx::test]
    async fn a_room_with_a_client_or_an_archive_stays(db: SqlitePool) {
        let (rooms, slow, room) = rooms(&db).await;
        slow.answers.add_permits(1);
        rooms.join(&room.slug, Role::Publisher, "").await.unwrap();
        let refused = rooms.delete_if_empty(&room.slug).await;
        assert!(
            matches!(refused, Err(RoomsError::Occupied(_))),
            "{refused:?}"
        );
        rooms
            .start_archive(&room.slug, "Moni".to_owned())
            .await
            .unwrap();
        let refused = rooms.delete_if_empty(&room.slug).await;
        assert!(
            matches!(refused, Err(RoomsError::Recorded(_))),
            "{refused:?}"
        );
        assert_eq!(rooms.open(&room.slug).await.unwrap(), room);
    }
}
