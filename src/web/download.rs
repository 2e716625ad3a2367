//! The files of archives, for the player and for signed links, whole or in parts.

use std::future::{Ready, ready};

use actix_files::NamedFile;
use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header::{self, HeaderValue},
    middleware::Next,
    web,
};
use serde::Deserialize;

use super::{
    archive::{find, links, signed_link},
    error::WebError,
    visitor::found_by_guard,
};
use crate::{
    app::App,
    archive::{
        Archive, ArchiveId, Status,
        download::{Asset, LinkError, content_disposition, file, file_name},
        history,
    },
    clock::now_ms,
};

/// `GET /download/{id}`: redirects to a link that expires.
pub async fn download(
    app: web::Data<App>,
    id: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    let archive = find(&app, &id).await?;
    if archive.status != Status::Available {
        return Err(WebError::Conflict(
            "the file is not ready yet; the archive's page shows its status".to_owned(),
        ));
    }
    redirect_to_file(&app, &archive).await
}

/// Redirects to the file of an available archive, on this server or on the platform, by a link that expires.
///
/// # Errors
/// Those of the platform.
pub(super) async fn redirect_to_file(
    app: &App,
    archive: &Archive,
) -> Result<HttpResponse, WebError> {
    let link = if archive.has_file_here() {
        signed_link(app, archive.id, Asset::whole(archive.output_mode))
    } else {
        app.platform.remote_file_url(archive).await?
    };
    Ok(HttpResponse::Found()
        .insert_header((header::LOCATION, link))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish())
}

/// Maximum length of the response to an open range (`bytes=N-`), in bytes. A player stops reading when it has enough for now,
/// but keeps its connection, and a browser has six for each host. Lower: more requests; higher: a connection is held longer.
const MAX_PART_BYTES: u64 = 1 << 20;

/// Bounds a player's open range. A link to save a file has a query, and its ranges stay as they are.
///
/// # Errors
/// Those of the service inside.
pub async fn limit_range(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if request.query_string().is_empty()
        && let Some(part) = request
            .headers()
            .get(header::RANGE)
            .and_then(|range| range.to_str().ok())
            .and_then(bounded_range)
    {
        request.headers_mut().insert(header::RANGE, part);
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// The range `bytes=N-` with an end; `None` for any other range.
fn bounded_range(range: &str) -> Option<HeaderValue> {
    let from: u64 = range
        .strip_prefix("bytes=")?
        .strip_suffix('-')?
        .parse()
        .ok()?;
    let to = from.checked_add(MAX_PART_BYTES - 1)?;
    HeaderValue::from_str(&format!("bytes={from}-{to}")).ok()
}

#[derive(Deserialize)]
struct LinkQuery {
    /// Unix time in ms; `None` if the link is not signed.
    expires: Option<i64>,
    #[serde(default)]
    sig: String,
    /// If present, the browser saves the file instead of showing it.
    save: Option<String>,
}

/// The file of a link.
pub struct LinkedFile {
    pub archive: ArchiveId,
    pub asset: Asset,
    /// Whether the link is signed and has not expired; then its holder needs no account.
    pub by_link: bool,
    saves: bool,
}

/// Parses the link to a file and checks its signature.
///
/// # Errors
/// The path names no file, or the link has expired or is forged.
pub(super) fn linked_file(request: &HttpRequest) -> Result<LinkedFile, WebError> {
    let part = |name: &str| request.match_info().get(name).unwrap_or_default();
    let archive = ArchiveId::parse(part("id")).ok_or(WebError::ArchiveNotFound)?;
    let asset = Asset::parse(part("file")).ok_or(WebError::PageNotFound)?;
    let query = web::Query::<LinkQuery>::from_query(request.query_string())
        .map_err(|_| WebError::PageNotFound)?;
    let app = request.app_data::<web::Data<App>>();
    let app = app.ok_or_else(|| anyhow::anyhow!("the app is not registered"))?;
    let by_link = match query.expires {
        Some(expires) => match links(app).check(archive, asset, expires, &query.sig, now_ms()) {
            Ok(()) => true,
            Err(LinkError::Expired) => return Err(WebError::LinkExpired),
            Err(LinkError::Forged) => return Err(WebError::PageNotFound),
        },
        None => false,
    };
    Ok(LinkedFile {
        archive,
        asset,
        by_link,
        saves: by_link || query.save.is_some(),
    })
}

impl FromRequest for LinkedFile {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(found_by_guard(request))
    }
}

/// `GET /archives/{id}/files/{file}`: a file, for a moderator or with a signed link.
pub async fn archive_file(
    app: web::Data<App>,
    linked: LinkedFile,
    request: HttpRequest,
) -> Result<HttpResponse, WebError> {
    let (id, asset) = (linked.archive, linked.asset);
    let archive = if linked.by_link {
        let found = history::find_linked(app.db(), id).await?;
        found.ok_or(WebError::ArchiveNotFound)?
    } else {
        find(&app, &id.to_string()).await?
    };
    let is_whole = asset == Asset::whole(archive.output_mode);
    if is_whole && archive.status == Status::Available && !archive.has_file_here() {
        return redirect_to_file(&app, &archive).await;
    }
    let streams = history::streams(app.db(), &archive).await?;
    let path = file(&app.data.archives(), id, asset, &streams).ok_or(WebError::PageNotFound)?;
    let Ok(file) = NamedFile::open(path) else {
        return Err(WebError::ArchiveNotFound);
    };
    let mut response = file
        .set_content_type(asset.content_type().parse().map_err(anyhow::Error::from)?)
        .use_last_modified(true)
        .into_response(&request);
    let headers = response.headers_mut();
    // Recordings are compressed already: they go as they are, with their length and one ETag.
    headers.insert(
        header::CONTENT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=0"),
    );
    if linked.saves {
        let name = content_disposition(&file_name(&archive, asset, &streams));
        let name = HeaderValue::from_str(&name).map_err(anyhow::Error::from)?;
        headers.insert(header::CONTENT_DISPOSITION, name);
    } else {
        headers.insert(
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("inline"),
        );
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_open_range_is_cut_into_parts() {
        assert_eq!(bounded_range("bytes=0-").unwrap(), "bytes=0-1048575");
        assert_eq!(bounded_range("bytes=5-").unwrap(), "bytes=5-1048580");
        for range in [
            "bytes=2-4",
            "bytes=-5",
            "bytes=0-1,3-",
            "items=0-",
            "bytes=18446744073709551615-",
        ] {
            assert_eq!(bounded_range(range), None, "{range}");
        }
    }
}
