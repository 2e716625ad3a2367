//! The body of `POST /archive`, and its validation.

use serde::Deserialize;

use super::{error::ApiError, request_body::truth};
use crate::{
    archive::{
        self, NewArchive, Quality,
        lifecycle::{MAX_NAME_CHARS, MAX_TAG_CHARS},
    },
    opentok::{Layout, OutputMode, Resolution, SessionId, StreamMode},
};

/// The body. A null field counts as absent, because one of the SDKs writes every field.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StartRequest {
    session_id: Option<String>,
    name: Option<String>,
    #[serde(deserialize_with = "truth")]
    has_audio: Option<bool>,
    #[serde(deserialize_with = "truth")]
    has_video: Option<bool>,
    output_mode: Option<OutputMode>,
    stream_mode: Option<StreamMode>,
    resolution: Option<Resolution>,
    layout: Option<Layout>,
    multi_archive_tag: Option<String>,
    max_bitrate: Option<i64>,
    quantization_parameter: Option<i64>,
    #[serde(deserialize_with = "truth")]
    has_transcription: Option<bool>,
}

impl StartRequest {
    /// # Errors
    /// 400: a field is not valid, or fields conflict. 501: this server does not offer the feature.
    pub fn checked(self, api_key: u32) -> Result<NewArchive, ApiError> {
        let refuse = |sentence: &str| Err(ApiError::bad_request(sentence));
        let session = self.session_id.unwrap_or_default();
        if session.is_empty() {
            return refuse("sessionId is missing");
        }
        let (has_audio, has_video) = (
            self.has_audio.unwrap_or(true),
            self.has_video.unwrap_or(true),
        );
        if !has_audio && !has_video {
            return refuse("an archive needs audio, video or both");
        }
        let output_mode = self.output_mode.unwrap_or(OutputMode::Composed);
        if output_mode == OutputMode::Individual && self.resolution.is_some() {
            return refuse("only a composed archive has a resolution");
        }
        if output_mode == OutputMode::Individual && self.layout.is_some() {
            return refuse("only a composed archive has a layout");
        }
        let name = self.name.unwrap_or_default();
        if name.chars().count() > MAX_NAME_CHARS {
            return refuse(&format!("a name has at most {MAX_NAME_CHARS} characters"));
        }
        let tag = self.multi_archive_tag.unwrap_or_default();
        if tag.chars().count() > MAX_TAG_CHARS {
            return refuse(&format!(
                "a multiArchiveTag has at most {MAX_TAG_CHARS} characters"
            ));
        }
        let layout = self.layout.as_ref().map(supported).transpose()?;
        let quality = quality(self.max_bitrate, self.quantization_parameter)?;
        if output_mode == OutputMode::Individual && quality != Quality::Usual {
            return refuse("only a composed archive has maxBitrate or quantizationParameter");
        }
        if self.has_transcription == Some(true) {
            return Err(ApiError::not_offered(
                "this server does not offer transcription",
            ));
        }
        Ok(NewArchive {
            name,
            output_mode,
            has_audio,
            has_video,
            resolution: self.resolution,
            layout: layout.unwrap_or_default(),
            quality,
            stream_mode: self.stream_mode.unwrap_or(StreamMode::Auto),
            multi_archive_tag: tag,
            ..NewArchive::of(api_key, SessionId::from(session))
        })
    }
}

fn quality(
    max_bitrate: Option<i64>,
    quantization_parameter: Option<i64>,
) -> Result<Quality, ApiError> {
    let refuse = |sentence: &str| Err(ApiError::bad_request(sentence));
    match (max_bitrate, quantization_parameter) {
        (None, None) => Ok(Quality::Usual),
        (Some(_), Some(_)) => refuse("maxBitrate and quantizationParameter exclude each other"),
        (Some(rate), None) => match u32::try_from(rate) {
            Ok(rate @ 100_000..=6_000_000) => Ok(Quality::MaxBitrate(rate)),
            _ => refuse("maxBitrate must be 100000 to 6000000"),
        },
        (None, Some(parameter)) => match u8::try_from(parameter) {
            Ok(parameter @ 15..=40) => Ok(Quality::Quantization(parameter)),
            _ => refuse("quantizationParameter must be 15 to 40"),
        },
    }
}

/// The layout as the composer supports it.
///
/// # Errors
/// 400: it breaks OpenTok's rules, or it has a stylesheet.
pub fn supported(layout: &Layout) -> Result<archive::Layout, ApiError> {
    layout.check().map_err(ApiError::bad_request)?;
    archive::Layout::try_from(layout).map_err(|error| ApiError::bad_request(error.to_string()))
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use serde_json::{Value, json};

    use super::*;
    use crate::archive::layout::Arrangement;

    fn read(fields: Value) -> Result<NewArchive, u16> {
        let mut body = json!({ "sessionId": "2_x" });
        let more = fields.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        let start: StartRequest = serde_json::from_value(body).map_err(|_| 400_u16)?;
        start
            .checked(123_456)
            .map_err(|error| error.status_code().as_u16())
    }

    #[test]
    fn null_is_absent_and_unknown_fields_do_not_matter() {
        let new = read(json!({
            "name": null, "hasAudio": null, "hasVideo": null, "outputMode": null, "resolution": null,
            "layout": null, "streamMode": null, "multiArchiveTag": null, "maxBitrate": null,
            "quantizationParameter": null, "hasTranscription": false, "action": "start",
        }))
        .unwrap();
        assert_eq!((new.api_key, new.name.as_str()), (123_456, ""));
        assert!(new.has_audio && new.has_video);
        assert_eq!(new.output_mode, OutputMode::Composed);
        assert_eq!(
            (new.resolution, new.layout),
            (None, archive::Layout::default())
        );
    }

    #[test]
    fn a_request_sets_all_properties_of_the_archive() {
        let new = read(json!({
            "name": "talk", "hasVideo": false, "resolution": "1280x720", "multiArchiveTag": "b",
            "layout": { "type": "bestFit", "screenshareType": "focus" },
        }))
        .unwrap();
        assert_eq!(
            (new.name.as_str(), new.multi_archive_tag.as_str()),
            ("talk", "b")
        );
        assert_eq!((new.has_audio, new.has_video), (true, false));
        assert_eq!(new.resolution, Some(Resolution::R1280X720));
        assert_eq!(new.layout.screenshare, Some(Arrangement::Focus));
        assert_eq!(new.stream_mode, StreamMode::Auto);
        let new = read(json!({ "streamMode": "manual", "maxBitrate": 200_000 })).unwrap();
        assert_eq!(new.stream_mode, StreamMode::Manual);
        assert_eq!(new.quality, Quality::MaxBitrate(200_000));
        let new = read(json!({ "quantizationParameter": 20 })).unwrap();
        assert_eq!(new.quality, Quality::Quantization(20));
    }

    #[test]
    fn an_individual_archive_has_no_resolution() {
        let new = read(json!({ "outputMode": "individual", "resolution": null })).unwrap();
        assert_eq!(new.output_mode, OutputMode::Individual);
        assert_eq!(new.resolution, None);
    }

    #[test]
    fn bodies_that_break_the_rules_are_refused() {
        for fields in [
            json!({ "sessionId": null }),
            json!({ "sessionId": "" }),
            json!({ "sessionId": 5 }),
            json!({ "hasAudio": false, "hasVideo": false }),
            json!({ "hasAudio": "perhaps" }),
            json!({ "outputMode": "zip" }),
            json!({ "streamMode": "some" }),
            json!({ "resolution": "1x1" }),
            json!({ "resolution": "640x480", "outputMode": "individual" }),
            json!({ "layout": { "type": "pip" }, "outputMode": "individual" }),
            json!({ "name": "n".repeat(256) }),
            json!({ "multiArchiveTag": "n".repeat(129) }),
            json!({ "layout": { "type": "custom", "stylesheet": "stream {}" } }),
            json!({ "layout": { "type": "custom" } }),
            json!({ "layout": { "type": "focus" } }),
            json!({ "layout": { "type": "pip", "screenshareType": "focus" } }),
            json!({ "layout": { "type": "round" } }),
            json!({ "maxBitrate": 200_000, "outputMode": "individual" }),
            json!({ "maxBitrate": 5 }),
            json!({ "maxBitrate": 200_000, "quantizationParameter": 20 }),
            json!({ "quantizationParameter": 14 }),
        ] {
            assert_eq!(read(fields.clone()).unwrap_err(), 400, "{fields}");
        }
    }

    #[test]
    fn features_that_are_not_offered_answer_501() {
        assert_eq!(read(json!({ "hasTranscription": true })).unwrap_err(), 501);
    }
}
