//! `POST /session/create`.

use std::net::Ipv4Addr;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ACCEPT, CONTENT_TYPE},
    web,
};
use serde_json::json;
use time::{OffsetDateTime, macros::format_description};

use super::{
    auth::Caller,
    error::ApiError,
    request_body::{Body, bytes},
    state::Api,
};
use crate::{
    clock,
    opentok::{MediaMode, SessionId},
    project::{self, AutoArchive, SessionRecord},
};

/// The maximum length of the name of automatic archives, in characters. OpenTok's limit.
const MAX_ARCHIVE_NAME: usize = 80;

/// The parameters of a new session.
#[derive(Debug, PartialEq, Eq)]
struct SessionRequest {
    media_mode: MediaMode,
    /// An IPv4 address, or empty.
    location: String,
    always_archived: Option<AutoArchive>,
}

/// `POST /session/create`: replies with JSON if the caller accepts it, else with XML, as the SDKs expect.
pub async fn create(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let new = read_request(&bytes(body)?)?;
    let now_ms = clock::now_ms();
    let session = SessionRecord {
        id: SessionId::generate(caller.api_key, &new.location, now_ms),
        platform: String::new(),
        api_key: caller.api_key,
        media_mode: new.media_mode,
        always_archived: new.always_archived,
        is_closed: false,
    };
    project::add_session(&api.platform.db, &session, now_ms).await?;
    let created = created(now_ms);
    let (id, api_key) = (session.id, session.api_key);
    if wants_json(&request) {
        // The type has no charset, because one of the SDKs compares the whole header.
        return Ok(HttpResponse::Ok().json(json!([{
            "session_id": id,
            "project_id": api_key.to_string(),
            "partner_id": api_key.to_string(),
            "create_dt": created,
            "media_server_url": "",
        }])));
    }
    // Base64url, digits and a date need no escaping.
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><sessions><Session>\
         <session_id>{id}</session_id><partner_id>{api_key}</partner_id><create_dt>{created}</create_dt>\
         </Session></sessions>"
    );
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/xml"))
        .body(xml))
}

fn wants_json(request: &HttpRequest) -> bool {
    request.headers().get_all(ACCEPT).any(|accept| {
        accept
            .to_str()
            .is_ok_and(|types| types.contains("application/json"))
    })
}

/// Reads the form. Empty fields count as absent. Unknown fields are ignored, because SDKs pass on all options.
fn read_request(form: &[u8]) -> Result<SessionRequest, ApiError> {
    let refuse = |sentence: &str| Err(ApiError::bad_request(sentence));
    let mut new = SessionRequest {
        media_mode: MediaMode::Routed,
        location: String::new(),
        always_archived: None,
    };
    let mut is_always_archived = false;
    let mut archive = AutoArchive::default();
    for (name, value) in form_urlencoded::parse(form) {
        if value.is_empty() {
            continue;
        }
        match (&*name, &*value) {
            ("p2p.preference", "enabled") => new.media_mode = MediaMode::Relayed,
            ("p2p.preference", "disabled") => new.media_mode = MediaMode::Routed,
            ("p2p.preference", _) => return refuse("p2p.preference must be enabled or disabled"),
            ("location", location) => {
                if location.parse::<Ipv4Addr>().is_err() {
                    return refuse("location must be an IPv4 address");
                }
                new.location = value.into_owned();
            }
            ("archiveMode", "always") => is_always_archived = true,
            ("archiveMode", "manual") => is_always_archived = false,
            ("archiveMode", _) => return refuse("archiveMode must be manual or always"),
            ("archiveName", name) => {
                if name.chars().count() > MAX_ARCHIVE_NAME {
                    return refuse(&format!(
                        "archiveName has at most {MAX_ARCHIVE_NAME} characters"
                    ));
                }
                archive.name = value.into_owned();
            }
            ("archiveResolution", size) => {
                archive.resolution = match size.parse() {
                    Ok(resolution) => Some(resolution),
                    Err(error) => return refuse(&format!("archiveResolution: {error}")),
                };
            }
            ("e2ee", word) if word.eq_ignore_ascii_case("true") => {
                return Err(ApiError::not_offered(
                    "this server does not offer end-to-end encryption",
                ));
            }
            _ => {}
        }
    }
    if is_always_archived && new.media_mode == MediaMode::Relayed {
        return refuse("a session that is always archived must be routed");
    }
    if !is_always_archived && archive != AutoArchive::default() {
        return refuse("archiveName and archiveResolution require archiveMode=always");
    }
    new.always_archived = is_always_archived.then_some(archive);
    Ok(new)
}

impl Api {
    /// Returns a session of the caller's project.
    ///
    /// # Errors
    /// 404: there is no such session in the project.
    pub(super) async fn session(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<SessionRecord, ApiError> {
        let id = SessionId::from(id);
        project::find_session(&self.platform.db, &id)
            .await?
            .filter(|session| session.api_key == caller.api_key && session.platform.is_empty())
            .ok_or_else(|| ApiError::not_found("there is no such session in this project"))
    }
}

/// `Fri Nov 18 15:50:36 UTC 2016`
fn created(now_ms: i64) -> String {
    let format = format_description!(
        "[weekday repr:short] [month repr:short] [day] [hour]:[minute]:[second] UTC [year]"
    );
    OffsetDateTime::from_unix_timestamp(now_ms / 1000)
        .ok()
        .and_then(|time| time.format(&format).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;
    use crate::opentok::Resolution;

    fn status(form: &str) -> u16 {
        read_request(form.as_bytes())
            .unwrap_err()
            .status_code()
            .as_u16()
    }

    #[test]
    fn forms_of_all_sdks_are_read() {
        let read = |form: &str| read_request(form.as_bytes()).unwrap();
        let routed = SessionRequest {
            media_mode: MediaMode::Routed,
            location: String::new(),
            always_archived: None,
        };
        for form in [
            "",
            "p2p.preference=disabled",
            "location=&p2p.preference=disabled&archiveMode=manual&e2ee=False",
            "mediaMode=relayed&api_key=123456&archiveName=",
        ] {
            assert_eq!(read(form), routed, "{form}");
        }
        let near = read("location=12.34.56.78&p2p.preference=enabled");
        assert_eq!(near.media_mode, MediaMode::Relayed);
        assert_eq!(near.location, "12.34.56.78");
        let always = read("archiveMode=always&archiveName=talk&archiveResolution=1280x720");
        let auto = always.always_archived.unwrap();
        assert_eq!(auto.name, "talk");
        assert_eq!(auto.resolution, Some(Resolution::R1280X720));
        let plain = read("archiveMode=always").always_archived;
        assert_eq!(plain, Some(AutoArchive::default()));
    }

    #[test]
    fn conflicting_fields_are_refused_and_missing_features_answer_501() {
        for form in [
            "p2p.preference=maybe",
            "location=localhost",
            "location=1.2.3.256",
            "archiveMode=sometimes",
            "archiveMode=always&p2p.preference=enabled",
            "archiveName=talk",
            "archiveResolution=640x480&archiveMode=manual",
            "archiveResolution=1x1&archiveMode=always",
        ] {
            assert_eq!(status(form), 400, "{form}");
        }
        let long = "n".repeat(81);
        assert_eq!(
            status(&format!("archiveMode=always&archiveName={long}")),
            400
        );
        assert_eq!(status("e2ee=True"), 501);
    }

    #[test]
    fn the_date_is_written_as_open_tok_does() {
        assert_eq!(created(1_479_484_236_000), "Fri Nov 18 15:50:36 UTC 2016");
    }
}
