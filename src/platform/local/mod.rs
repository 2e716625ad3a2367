//! The live sessions of this server: their tokens, admission and presence, wherever calls are.

mod admission;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::SqlitePool;

use super::{PlatformError, session_cache::SessionCache};
use crate::{
    clock,
    opentok::{MediaMode, NewToken, Role, SessionId, Token},
    project::{self, Project, SessionRecord},
    session::{self, ConnectionId, Observer, Sessions},
};

/// What buddies ask of this server's own sessions. The presence session is one of them, wherever calls are.
#[async_trait]
pub trait LocalPresence: Send + Sync {
    /// Creates a session for buddies to meet in.
    async fn create_presence_session(&self) -> Result<SessionId, PlatformError>;

    /// A token to join the presence session without publishing, valid for a day. All clients that see the token's holder
    /// can read `data`.
    fn presence_token(&self, session: &SessionId, data: &str) -> String;

    /// Subscribes to the connections of all sessions, and mediates between the clients of those that
    /// [`Observer::mediates`] names. Call it once, before the first client is admitted.
    fn observe(&self, observer: Arc<dyn Observer>);

    /// Sends a signal in a session.
    ///
    /// # Errors
    /// [`PlatformError::NotFound`] when the session has no such connection.
    fn signal(&self, session: &SessionId, signal: Signal) -> Result<(), PlatformError>;

    /// Shows a connection to the other clients of a mediated session, or hides it as if it had left.
    fn show(&self, session: &SessionId, connection: ConnectionId, is_seen: bool);

    /// Clients with a token of `from` join `into`, until `into` is closed. For clients that the server cannot redirect.
    fn alias(&self, from: &SessionId, into: &SessionId);
}

/// A signal that the server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The connection that it appears to come from; `None` for the server's own, which clients cannot forge.
    pub from: Option<ConnectionId>,
    /// `None` for all connections.
    pub to: Option<ConnectionId>,
    pub signal_type: String,
    /// At most 8192 bytes as JSON.
    pub data: String,
}

/// The live sessions of this server. Clones share their state.
#[derive(Clone)]
pub struct LocalSessions {
    db: SqlitePool,
    /// The project of the sessions that it creates. It admits clients to the sessions of all projects.
    project: Project,
    sessions: Sessions,
    session_cache: SessionCache,
}

impl LocalSessions {
    pub fn new(db: SqlitePool, project: Project, sessions: Sessions) -> LocalSessions {
        LocalSessions {
            db,
            project,
            sessions,
            session_cache: SessionCache::default(),
        }
    }

    pub(super) fn api_key(&self) -> u32 {
        self.project.api_key
    }

    pub(super) fn db(&self) -> &SqlitePool {
        &self.db
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(super) async fn create(&self, media_mode: MediaMode) -> Result<SessionId, PlatformError> {
        let now_ms = clock::now_ms();
        let id = SessionId::generate(self.project.api_key, "", now_ms);
        let record = SessionRecord {
            media_mode,
            ..SessionRecord::routed(id, self.project.api_key)
        };
        project::add_session(&self.db, &record, now_ms).await?;
        Ok(record.id)
    }

    pub(super) async fn close(&self, session: &SessionId) -> Result<(), PlatformError> {
        let reason = session::EndReason::ForceDisconnected;
        self.sessions.disconnect_everybody(session, reason);
        for closed in self.sessions.unalias(session).iter().chain([session]) {
            project::close_session(&self.db, closed, clock::now_ms()).await?;
            self.session_cache.invalidate(closed);
        }
        // A client may have been admitted since the first disconnect.
        self.sessions.disconnect_everybody(session, reason);
        Ok(())
    }

    pub(super) fn token(&self, session: &SessionId, role: Role, data: &str) -> String {
        let token = Token {
            api_key: self.project.api_key,
            api_secret: self.project.api_secret.expose(),
        };
        let claims = NewToken {
            session_id: session,
            role,
            data: Some(data),
            expires_at: None,
        };
        let nonce = uuid::Uuid::new_v4().to_string();
        token.generate(&claims, clock::now_s(), &nonce)
    }
}

#[async_trait]
impl LocalPresence for LocalSessions {
    async fn create_presence_session(&self) -> Result<SessionId, PlatformError> {
        self.create(MediaMode::Routed).await
    }

    fn presence_token(&self, session: &SessionId, data: &str) -> String {
        self.token(session, Role::Subscriber, data)
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.sessions.observe(observer);
    }

    fn signal(&self, session: &SessionId, signal: Signal) -> Result<(), PlatformError> {
        let Signal {
            from,
            to,
            signal_type,
            data,
        } = signal;
        let (signal_type, data) = (Some(signal_type), Some(data.into()));
        let sent = self.sessions.with(session, clock::Now::read(), |live| {
            live.signal_from_server(from, to, signal_type, data)
        });
        sent.map_err(|refusal| match refusal.code {
            404 => PlatformError::NotFound("connection"),
            _ => PlatformError::BadRequest(refusal.message),
        })
    }

    fn show(&self, session: &SessionId, connection: ConnectionId, is_seen: bool) {
        // A session that is not live has no connection to show.
        let _ = self.sessions.with(session, clock::Now::read(), |live| {
            live.show(connection, is_seen);
            Ok(())
        });
    }

    fn alias(&self, from: &SessionId, into: &SessionId) {
        self.sessions.alias(from, into);
    }
}
