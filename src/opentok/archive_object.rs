//! The archive object: one archive in OpenTok's REST API and callbacks.
//!
//! It is written exactly as OpenTok's SDKs parse it, and read tolerantly: recordings of 2014 have nine fields,
//! today's have twenty, and some servers write null for an unknown value.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    SessionId,
    layout::Resolution,
    wire::{lenient, number, yes},
    wire_enum::wire_enum,
};

/// An archive as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ArchiveObject {
    /// A UUID.
    #[serde(deserialize_with = "lenient")]
    pub id: String,
    #[serde(deserialize_with = "lenient")]
    pub status: ArchiveStatus,
    /// The name that the application gave it. OpenTok writes both null and `""` for an archive without a name.
    #[serde(deserialize_with = "lenient")]
    pub name: Option<String>,
    /// Why it stopped or failed; empty during recording.
    #[serde(deserialize_with = "lenient")]
    pub reason: String,
    #[serde(deserialize_with = "session_id")]
    pub session_id: SessionId,
    /// The API key, as a number: OpenTok's Java SDK reads an `int`.
    #[serde(deserialize_with = "number")]
    pub project_id: u32,
    /// The API key again, under its name of 2014. When one of the two is missing, the other replaces it.
    #[serde(deserialize_with = "number")]
    pub partner_id: u32,
    /// Unix time, ms.
    #[serde(deserialize_with = "number")]
    pub created_at: i64,
    /// Unix time, ms; 0 if the server does not send it.
    #[serde(deserialize_with = "number")]
    pub updated_at: i64,
    /// Bytes; 0 until the file is made.
    #[serde(deserialize_with = "number")]
    pub size: u64,
    /// Seconds; 0 during recording. (The gem's documentation says milliseconds, but servers send
    /// seconds.)
    #[serde(deserialize_with = "number")]
    pub duration: u64,
    #[serde(deserialize_with = "lenient")]
    pub output_mode: OutputMode,
    #[serde(deserialize_with = "lenient")]
    pub stream_mode: StreamMode,
    /// The streams in it; only during recording with [`StreamMode::Manual`].
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub streams: Option<Vec<ArchiveStream>>,
    #[serde(deserialize_with = "yes")]
    pub has_audio: bool,
    #[serde(deserialize_with = "yes")]
    pub has_video: bool,
    /// The resolution of the composed video; absent for individual archives.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub multi_archive_tag: Option<String>,
    /// Bits per second.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub max_bitrate: Option<u32>,
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub quantization_parameter: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    pub sha256sum: String,
    #[serde(deserialize_with = "lenient")]
    pub password: String,
    #[serde(deserialize_with = "lenient")]
    pub certificate: String,
    /// Always `"archive"`; it identifies the callback.
    #[serde(deserialize_with = "lenient")]
    pub event: ArchiveEvent,
    /// The URL of the file, valid for some minutes; null unless the status is `available`.
    #[serde(deserialize_with = "lenient")]
    pub url: Option<String>,
    /// All other fields, so that the fields of a newer OpenTok are available.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Default for ArchiveObject {
    fn default() -> Self {
        ArchiveObject {
            id: String::new(),
            status: ArchiveStatus::Started,
            name: None,
            reason: String::new(),
            session_id: SessionId::from(""),
            project_id: 0,
            partner_id: 0,
            created_at: 0,
            updated_at: 0,
            size: 0,
            duration: 0,
            output_mode: OutputMode::Composed,
            stream_mode: StreamMode::Auto,
            streams: None,
            has_audio: true,
            has_video: true,
            resolution: None,
            multi_archive_tag: None,
            max_bitrate: None,
            quantization_parameter: None,
            sha256sum: String::new(),
            password: String::new(),
            certificate: String::new(),
            event: ArchiveEvent::Archive,
            url: None,
            more: Map::new(),
        }
    }
}

impl ArchiveObject {
    /// Parses the object in a server's reply.
    ///
    /// # Errors
    /// It is not JSON, or has no id. All other fields may be missing.
    pub fn from_json(json: &[u8]) -> Result<ArchiveObject, serde_json::Error> {
        serde_json::from_slice::<ArchiveObject>(json)?.checked()
    }

    /// Checks for an id, and makes the two names of the project equal.
    pub(super) fn checked(mut self) -> Result<ArchiveObject, serde_json::Error> {
        if self.id.is_empty() {
            return Err(serde::de::Error::missing_field("id"));
        }
        if self.project_id == 0 {
            self.project_id = self.partner_id;
        }
        if self.partner_id == 0 {
            self.partner_id = self.project_id;
        }
        Ok(self)
    }
}

/// The status of an archive. OpenTok "status".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ArchiveStatus {
    /// Recording.
    Started,
    /// Recording while no stream is published.
    Paused,
    /// Recording is over; the file is being made.
    Stopped,
    /// The file is at `url`.
    Available,
    /// The file is in the project's own storage.
    Uploaded,
    /// The file was deleted after its retention time.
    Expired,
    /// `reason` says why.
    Failed,
    Deleted,
    /// A status that OpenTok did not have when this was written. Never send it: OpenTok's SDKs fail
    /// on unknown statuses.
    Other(String),
}

impl ArchiveStatus {
    /// The word used on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            ArchiveStatus::Started => "started",
            ArchiveStatus::Paused => "paused",
            ArchiveStatus::Stopped => "stopped",
            ArchiveStatus::Available => "available",
            ArchiveStatus::Uploaded => "uploaded",
            ArchiveStatus::Expired => "expired",
            ArchiveStatus::Failed => "failed",
            ArchiveStatus::Deleted => "deleted",
            ArchiveStatus::Other(word) => word,
        }
    }
}

impl Default for ArchiveStatus {
    fn default() -> Self {
        ArchiveStatus::Other(String::new())
    }
}

impl From<String> for ArchiveStatus {
    fn from(word: String) -> Self {
        match word.as_str() {
            "started" => ArchiveStatus::Started,
            "paused" => ArchiveStatus::Paused,
            "stopped" => ArchiveStatus::Stopped,
            "available" => ArchiveStatus::Available,
            "uploaded" => ArchiveStatus::Uploaded,
            "expired" => ArchiveStatus::Expired,
            "failed" => ArchiveStatus::Failed,
            "deleted" => ArchiveStatus::Deleted,
            _ => ArchiveStatus::Other(word),
        }
    }
}

impl From<ArchiveStatus> for String {
    fn from(status: ArchiveStatus) -> String {
        status.as_str().to_owned()
    }
}

impl fmt::Display for ArchiveStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

wire_enum! {
    /// The kind of file that is made of the streams. OpenTok "outputMode".
    #[derive(Default)]
    OutputMode {
        /// One MP4 with all streams.
        #[default]
        Composed = "composed",
        /// A ZIP with one file for each stream.
        Individual = "individual",
    }
}

impl OutputMode {
    /// The name of the file's format.
    pub fn file_kind(self) -> &'static str {
        match self {
            OutputMode::Composed => "MP4",
            OutputMode::Individual => "ZIP",
        }
    }
}

wire_enum! {
    /// How the streams to record are selected. OpenTok "streamMode".
    #[derive(Default)]
    StreamMode {
        /// All streams of the session are recorded.
        #[default]
        Auto = "auto",
        /// The application adds the streams to record.
        Manual = "manual",
    }
}

/// A stream in an archive in manual mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveStream {
    pub stream_id: String,
    #[serde(default = "default_yes")]
    pub has_audio: bool,
    #[serde(default = "default_yes")]
    pub has_video: bool,
}

/// The word that marks archive objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArchiveEvent {
    #[default]
    Archive,
}

fn default_yes() -> bool {
    true
}

fn session_id<'de, D: serde::Deserializer<'de>>(input: D) -> Result<SessionId, D::Error> {
    lenient::<D, String>(input).map(SessionId::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_available_archive_is_written_field_by_field_as_open_tok_does() {
        let archive = ArchiveObject {
            id: "f6e7ee58-d6cf-4a59-896b-6d56b158ec71".to_owned(),
            status: ArchiveStatus::Available,
            name: Some(String::new()),
            reason: "user initiated".to_owned(),
            session_id: SessionId::from("2_x"),
            project_id: 123_456,
            partner_id: 123_456,
            created_at: 1_395_187_836_000,
            updated_at: 1_395_187_899_000,
            size: 8_347_554,
            duration: 62,
            resolution: Some(Resolution::R640X480),
            url: Some("https://host/a.mp4?expires=1&sig=2".to_owned()),
            ..ArchiveObject::default()
        };

        let written = json!({
            "id": "f6e7ee58-d6cf-4a59-896b-6d56b158ec71", "status": "available", "name": "",
            "reason": "user initiated", "sessionId": "2_x", "projectId": 123_456,
            "partnerId": 123_456, "createdAt": 1_395_187_836_000_i64,
            "updatedAt": 1_395_187_899_000_i64, "size": 8_347_554, "duration": 62,
            "outputMode": "composed", "streamMode": "auto", "hasAudio": true, "hasVideo": true,
            "resolution": "640x480", "sha256sum": "", "password": "", "certificate": "",
            "event": "archive", "url": "https://host/a.mp4?expires=1&sig=2",
        });
        assert_eq!(serde_json::to_value(&archive).unwrap(), written);
        assert_eq!(
            ArchiveObject::from_json(written.to_string().as_bytes()).unwrap(),
            archive
        );
    }

    #[test]
    fn fields_absent_in_individual_mode_are_not_written() {
        let archive = ArchiveObject {
            output_mode: OutputMode::Individual,
            stream_mode: StreamMode::Manual,
            streams: Some(vec![ArchiveStream {
                stream_id: "s".to_owned(),
                has_audio: true,
                has_video: false,
            }]),
            multi_archive_tag: Some("b".to_owned()),
            ..ArchiveObject::default()
        };
        let written = serde_json::to_value(&archive).unwrap();

        assert_eq!(written["outputMode"], "individual");
        assert_eq!(
            written["streams"],
            json!([{ "streamId": "s", "hasAudio": true, "hasVideo": false }])
        );
        assert_eq!(written["multiArchiveTag"], "b");
        assert_eq!(
            (&written["url"], &written["name"]),
            (&json!(null), &json!(null))
        );
        for absent in ["resolution", "maxBitrate", "quantizationParameter"] {
            assert!(written.get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn an_archive_of_2014_is_read() {
        let archive = ArchiveObject::from_json(
            br#"{
                "createdAt" : 1395187836000, "duration" : 62, "id" : "f6e7", "name" : "",
                "partnerId" : 123456, "reason" : "", "sessionId" : "SESSIONID",
                "size" : 8347554, "status" : "available", "url" : "http://host/f6e7/archive.mp4"
            }"#,
        )
        .unwrap();

        assert_eq!(archive.duration, 62);
        assert_eq!((archive.partner_id, archive.project_id), (123_456, 123_456));
        assert!(archive.has_audio && archive.has_video);
        assert_eq!(archive.output_mode, OutputMode::Composed);
        assert_eq!(archive.more, Map::new());
    }

    #[test]
    fn nulls_other_types_and_new_words_do_not_hide_an_archive() {
        let archive = ArchiveObject::from_json(
            br#"{
                "id": "f6e7", "status": "frozen", "name": null, "reason": null, "sessionId": null,
                "projectId": "123456", "partnerId": null, "createdAt": null, "updatedAt": 1.5e3,
                "size": -1, "duration": "62", "outputMode": "holographic", "streamMode": null,
                "streams": null, "hasAudio": null, "hasVideo": false, "resolution": "big",
                "url": null, "event": null, "hasTranscription": true
            }"#,
        )
        .unwrap();

        assert_eq!(archive.status, ArchiveStatus::Other("frozen".to_owned()));
        assert_eq!((archive.partner_id, archive.project_id), (123_456, 123_456));
        assert_eq!((archive.created_at, archive.updated_at), (0, 1500));
        assert_eq!((archive.size, archive.duration), (0, 62));
        assert_eq!((archive.has_audio, archive.has_video), (true, false));
        assert_eq!((archive.resolution, archive.url), (None, None));
        assert_eq!(archive.more["hasTranscription"], true);
    }

    #[test]
    fn an_object_without_an_id_is_no_archive() {
        for json in ["{}", "[]", "null", "{\"status\":\"started\"}", "<html>", ""] {
            assert!(ArchiveObject::from_json(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn every_status_is_read_as_it_is_written() {
        for word in [
            "started",
            "paused",
            "stopped",
            "available",
            "uploaded",
            "expired",
            "failed",
            "deleted",
        ] {
            let status = ArchiveStatus::from(word.to_owned());
            assert!(!matches!(status, ArchiveStatus::Other(_)), "{word}");
            assert_eq!(serde_json::to_value(&status).unwrap(), word);
        }
    }
}
