//! The archives of a project: start, find, list, stop, delete, set the layout.

use std::ops::Deref;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Archive, ArchiveObject, Error, Layout, OpenTok, OutputMode, Resolution, SessionId, StreamMode,
    http::{Call, Reply},
};

/// The maximum number of archives in one list. (The gem 2.2.0 allowed 100, against its
/// documentation; later ones 1000.)
const LONGEST_LIST: u32 = 1000;

/// The options of a new archive. A `None` is not sent, and the server uses OpenTok's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveOptions {
    /// The name in lists; sent as `""` when there is none.
    #[serde(skip)]
    pub name: Option<String>,
    /// Whether audio is recorded. Yes by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_audio: Option<bool>,
    /// Whether video is recorded. Yes by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_video: Option<bool>,
    /// Composed by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_mode: Option<OutputMode>,
    /// 640x480 by default; for composed archives only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// Best fit by default; for composed archives only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// Auto by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_mode: Option<StreamMode>,
    /// Archives with different tags may record one session at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_archive_tag: Option<String>,
    /// Bits per second, from 100,000 to 6,000,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bitrate: Option<u32>,
    /// From 15 (best quality) to 40 (smallest file); excludes `max_bitrate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantization_parameter: Option<u32>,
}

impl ArchiveOptions {
    fn check(&self) -> Result<(), Error> {
        let refuse = |sentence: &str| Err(Error::Argument(sentence.to_owned()));
        if self.output_mode == Some(OutputMode::Individual) && self.resolution.is_some() {
            return refuse("an individual archive has no resolution");
        }
        if self.max_bitrate.is_some() && self.quantization_parameter.is_some() {
            return refuse("max_bitrate and quantization_parameter exclude each other");
        }
        self.layout.as_ref().map_or(Ok(()), check_layout)
    }
}

/// Which archives to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// The number of newest archives to skip.
    pub offset: Option<u32>,
    /// The maximum number of archives, 0 to 1000; the server's default is 50.
    pub count: Option<u32>,
    /// Only the archives of this session.
    pub session_id: Option<SessionId>,
}

/// A part of the project's archives, the newest first. It dereferences to a slice.
#[derive(Clone, Debug)]
pub struct ArchiveList {
    /// The number of all archives, in this part or not. OpenTok "count".
    pub total: u64,
    pub items: Vec<Archive>,
}

impl Deref for ArchiveList {
    type Target = [Archive];

    fn deref(&self) -> &[Archive] {
        &self.items
    }
}

impl IntoIterator for ArchiveList {
    type Item = Archive;
    type IntoIter = std::vec::IntoIter<Archive>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

/// The archives of a client's project: [`OpenTok::archives`].
///
/// All calls may fail with [`Error::Authentication`], [`Error::Archive`], [`Error::Connection`] and
/// [`Error::Reply`]; an [`Error::Argument`] is returned before a request is sent.
#[derive(Clone, Copy, Debug)]
pub struct Archives<'a> {
    pub(super) opentok: &'a OpenTok,
}

impl Archives<'_> {
    /// Starts to record `session_id`. The gem's `create`.
    ///
    /// # Errors
    /// [`Error::Archive`] by status: 400 no client is connected, 404 there is no such session, 409 it is
    /// relayed or already recorded.
    pub async fn start(
        &self,
        session_id: &SessionId,
        options: &ArchiveOptions,
    ) -> Result<Archive, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            session_id: &'a SessionId,
            name: &'a str,
            #[serde(flatten)]
            options: &'a ArchiveOptions,
        }

        if session_id.as_str().is_empty() {
            return Err(Error::Argument("session_id not provided".to_owned()));
        }
        options.check()?;
        let call = Call::new(Method::POST, ["archive"]).json(&Body {
            session_id,
            name: options.name.as_deref().unwrap_or_default(),
            options,
        });
        let reply = self.opentok.http.project(call).await?;
        match reply.status {
            200..300 => self.archive(&reply),
            400 => Err(archive_error(
                &reply,
                "The archive could not be started. The request was invalid or the session has \
                 no connected clients.",
            )),
            401 | 403 => Err(self.authentication_error(&reply, "while starting an archive")),
            404 => Err(archive_error(
                &reply,
                &format!(
                    "The archive could not be started. The Session ID does not exist: {session_id}"
                ),
            )),
            409 => Err(archive_error(
                &reply,
                "The archive could not be started. The session could be peer-to-peer or the \
                 session is already being recorded.",
            )),
            _ => Err(archive_error(&reply, "The archive could not be started")),
        }
    }

    /// Returns an archive.
    ///
    /// # Errors
    /// [`Error::Archive`] when there is none with this id.
    pub async fn find(&self, archive_id: &str) -> Result<Archive, Error> {
        let id = provided(archive_id)?;
        let call = Call::new(Method::GET, ["archive", id]);
        let reply = self.opentok.http.project(call).await?;
        match reply.status {
            200..300 => self.archive(&reply),
            400 => Err(archive_error(
                &reply,
                &format!("The archive could not be retrieved. The Archive ID was invalid: {id}"),
            )),
            401 | 403 => Err(self.authentication_error(&reply, "while retrieving an archive")),
            _ => Err(archive_error(&reply, "The archive could not be retrieved.")),
        }
    }

    /// The project's archives, newest first.
    ///
    /// # Errors
    /// [`Error::Argument`] `Limit is invalid` when more than 1000 are asked for.
    pub async fn all(&self, options: &ListOptions) -> Result<ArchiveList, Error> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(deserialize_with = "super::wire::number")]
            count: u64,
            items: Option<Vec<ArchiveObject>>,
        }

        if options.count.is_some_and(|count| count > LONGEST_LIST) {
            return Err(Error::Argument("Limit is invalid".to_owned()));
        }
        let call = Call::new(Method::GET, ["archive"])
            .query("offset", options.offset)
            .query("count", options.count)
            .query("sessionId", options.session_id.as_ref());
        let reply = self.opentok.http.project(call).await?;
        match reply.status {
            200..300 => {
                let page: Page = reply.read()?;
                let items = page.items.unwrap_or_default().into_iter();
                Ok(ArchiveList {
                    total: page.count,
                    items: items
                        .map(|object| Ok(self.attach(object.checked()?)))
                        .collect::<Result<_, Error>>()?,
                })
            }
            401 | 403 => Err(self.authentication_error(&reply, "while retrieving archives")),
            _ => Err(archive_error(
                &reply,
                "The archives could not be retrieved.",
            )),
        }
    }

    /// Ends a recording. The gem's `stop_by_id`.
    ///
    /// # Errors
    /// [`Error::Archive`] by status: 404 there is no such archive, 409 it is not recording.
    pub async fn stop(&self, archive_id: &str) -> Result<Archive, Error> {
        let id = provided(archive_id)?;
        let call = Call::new(Method::POST, ["archive", id, "stop"]).json(&json!({}));
        let reply = self.opentok.http.project(call).await?;
        match reply.status {
            200..300 => self.archive(&reply),
            400 => Err(archive_error(
                &reply,
                "The archive could not be stopped. The request was invalid.",
            )),
            401 | 403 => Err(self.authentication_error(&reply, "while stopping an archive")),
            404 => Err(archive_error(
                &reply,
                &format!("The archive could not be stopped. The Archive ID does not exist: {id}"),
            )),
            409 => Err(archive_error(
                &reply,
                "The archive could not be stopped. The archive is not currently recording.",
            )),
            // The gem 2.2.0 says "started" here; later versions do not.
            _ => Err(archive_error(&reply, "The archive could not be stopped.")),
        }
    }

    /// Deletes an archive and its file. The gem's `delete_by_id`.
    ///
    /// # Errors
    /// [`Error::Archive`] by status: 409 it is not finished yet. OpenTok's cloud answers 403 for an
    /// id that it does not know, so an [`Error::Authentication`] may mean that.
    pub async fn delete(&self, archive_id: &str) -> Result<(), Error> {
        let id = provided(archive_id)?;
        let call = Call::new(Method::DELETE, ["archive", id]);
        let reply = self.opentok.http.project(call).await?;
        match reply.status {
            200..300 => Ok(()),
            // The first attempt deleted it, and its reply was lost.
            404 if reply.is_second_try => Ok(()),
            401 | 403 => Err(Error::Authentication(reply.refusal(format!(
                "Authentication failed or an invalid Archive ID was given while deleting an \
                 archive. API Key: {}, Archive ID: {id}",
                self.opentok.api_key()
            )))),
            409 => Err(archive_error(
                &reply,
                &format!(
                    "The archive could not be deleted. The status must be 'available', 'deleted', \
                 or 'uploaded'. Archive ID: {id}"
                ),
            )),
            _ => Err(archive_error(&reply, "The archive could not be deleted.")),
        }
    }

    /// Changes the layout of a composed archive during recording.
    ///
    /// # Errors
    /// [`Error::Argument`] when the layout's fields conflict.
    pub async fn set_layout(&self, archive_id: &str, layout: &Layout) -> Result<(), Error> {
        let id = provided(archive_id)?;
        check_layout(layout)?;
        let call = Call::new(Method::PUT, ["archive", id, "layout"]).json(layout);
        let reply = self.opentok.http.project(call).await?;
        self.done(
            &reply,
            id,
            "The archive's layout could not be set.",
            "while setting an archive's layout",
        )
    }

    /// Adds a stream to an archive whose stream mode is manual.
    ///
    /// # Errors
    /// [`Error::Archive`] by status: 404 no such archive or stream, 405 the archive's stream mode is
    /// auto.
    pub async fn add_stream(
        &self,
        archive_id: &str,
        stream_id: &str,
        media: StreamMedia,
    ) -> Result<(), Error> {
        let StreamMedia {
            has_audio,
            has_video,
        } = media;
        let body = json!({ "addStream": stream_id, "hasAudio": has_audio, "hasVideo": has_video });
        self.patch_streams(archive_id, stream_id, &body).await
    }

    /// Removes a stream from an archive whose stream mode is manual.
    ///
    /// # Errors
    /// The same as [`add_stream`](Self::add_stream).
    pub async fn remove_stream(&self, archive_id: &str, stream_id: &str) -> Result<(), Error> {
        let body = json!({ "removeStream": stream_id });
        self.patch_streams(archive_id, stream_id, &body).await
    }

    async fn patch_streams(
        &self,
        archive_id: &str,
        stream_id: &str,
        body: &serde_json::Value,
    ) -> Result<(), Error> {
        let id = provided(archive_id)?;
        if stream_id.is_empty() {
            return Err(Error::Argument("stream_id not provided".to_owned()));
        }
        let call = Call::new(Method::PATCH, ["archive", id, "streams"]).json(body);
        let reply = self.opentok.http.project(call).await?;
        if reply.status == 405 {
            return Err(archive_error(
                &reply,
                "The archive's streams could not be changed. Its stream mode is not manual.",
            ));
        }
        self.done(
            &reply,
            id,
            "The archive's streams could not be changed.",
            "while changing an archive's streams",
        )
    }

    /// The result of a call without a return value.
    fn done(&self, reply: &Reply, id: &str, failure: &str, doing: &str) -> Result<(), Error> {
        match reply.status {
            200..300 => Ok(()),
            400 => Err(archive_error(
                reply,
                &format!("{failure} The request was invalid."),
            )),
            401 | 403 => Err(self.authentication_error(reply, doing)),
            404 => Err(archive_error(
                reply,
                &format!("{failure} There is no such archive or stream. Archive ID: {id}"),
            )),
            _ => Err(archive_error(reply, failure)),
        }
    }

    fn authentication_error(&self, reply: &Reply, doing: &str) -> Error {
        let key = self.opentok.api_key();
        Error::Authentication(
            reply.refusal(format!("Authentication failed {doing}. API Key: {key}")),
        )
    }

    fn archive(&self, reply: &Reply) -> Result<Archive, Error> {
        Ok(self.attach(ArchiveObject::from_json(&reply.body)?))
    }

    fn attach(&self, object: ArchiveObject) -> Archive {
        Archive::new(self.opentok.clone(), object)
    }
}

/// The media of a stream that go into an archive. Both by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamMedia {
    pub has_audio: bool,
    pub has_video: bool,
}

impl Default for StreamMedia {
    fn default() -> Self {
        StreamMedia {
            has_audio: true,
            has_video: true,
        }
    }
}

fn provided(archive_id: &str) -> Result<&str, Error> {
    if archive_id.is_empty() {
        return Err(Error::Argument("archive_id not provided".to_owned()));
    }
    Ok(archive_id)
}

fn check_layout(layout: &Layout) -> Result<(), Error> {
    layout
        .check()
        .map_err(|sentence| Error::Argument(sentence.to_owned()))
}

fn archive_error(reply: &Reply, message: &str) -> Error {
    Error::Archive(reply.refusal(message))
}
