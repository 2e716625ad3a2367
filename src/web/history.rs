//! The list of past archives, and the events that update an open list.

use actix_web::{
    HttpResponse,
    http::header,
    web::{self, Bytes},
};
use askama::Template;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Duration, timeout},
};

use super::{
    archive::title,
    archive_view::{Badge, badge, delete_question, explanation, iso_time, plain_time},
    error::WebError,
    layout::{PageLayout, Section, clock_time, filters, page, people_count, size},
    visitor::SignedIn,
};
use crate::{
    app::App,
    archive::{
        Archive, ArchiveUpdate, Status,
        history::{self, ArchiveFilter, Search},
    },
};

/// Interval of keep-alive comments. Proxies close a connection after a minute without data.
const KEEP_ALIVE: Duration = Duration::from_secs(25);

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    layout: PageLayout,
    rows: Vec<Row>,
    /// "128 archives · 41 GB · newest first"
    summary: String,
    /// "Page 1 of 26"; empty in a search, because its number of results is unknown.
    place: String,
    newer: Option<String>,
    older: Option<String>,
    text: String,
    status: String,
    statuses: Vec<(&'static str, &'static str)>,
}

impl HistoryPage {
    fn is_filtered(&self) -> bool {
        !self.text.is_empty() || !self.status.is_empty()
    }
}

struct Row {
    id: String,
    title: String,
    /// "Main room · 4 people"
    facts: String,
    iso_time: String,
    plain_time: String,
    duration: String,
    size: String,
    badge: Badge,
    explanation: String,
    delete_question: &'static str,
    poster: Option<String>,
    is_running: bool,
    is_playable: bool,
    is_downloadable: bool,
    is_deletable: bool,
    thumb_class: &'static str,
}

#[derive(Deserialize)]
pub struct HistoryQuery {
    page: Option<u64>,
    #[serde(default)]
    q: String,
    #[serde(default)]
    status: String,
    /// Where a search continues.
    from: Option<i64>,
}

/// `GET /history?page=N&status=…`, or `?q=…&from=…` to search.
pub async fn list(
    app: web::Data<App>,
    host: SignedIn,
    web::Query(query): web::Query<HistoryQuery>,
) -> Result<HttpResponse, WebError> {
    let layout = host.layout(Section::History)?;
    let text: String = query.q.trim().chars().take(100).collect();
    let status: Option<Status> = query.status.parse().ok();
    let shown = HistoryPage {
        layout,
        rows: Vec::new(),
        summary: String::new(),
        place: String::new(),
        newer: None,
        older: None,
        status: status.map(Status::as_str).unwrap_or_default().to_owned(),
        statuses: vec![
            ("started", "Recording"),
            ("stopped", "Preparing"),
            ("available", "Available"),
            ("failed", "Failed"),
            ("expired", "Expired"),
        ],
        text,
    };
    if shown.text.is_empty() {
        show_page(&app, shown, status, query.page.unwrap_or(1)).await
    } else {
        show_results(&app, shown, status, query.from).await
    }
}

async fn show_page(
    app: &App,
    mut shown: HistoryPage,
    status: Option<Status>,
    number: u64,
) -> Result<HttpResponse, WebError> {
    let api_key = app.project.api_key;
    let list = status.map_or(ArchiveFilter::Project(api_key), |status| {
        ArchiveFilter::Status(api_key, status)
    });
    let found = history::page(app.db(), &list, number, app.config.archives.history_page).await?;
    if number == 0 || (found.archives.is_empty() && number > 1 && number > found.last()) {
        return Err(WebError::PageNotFound);
    }
    let link = |page: u64| match status {
        Some(status) => format!("/history?status={status}&page={page}"),
        None => format!("/history?page={page}"),
    };
    shown.newer = found.newer().map(link);
    shown.older = found.older().map(link);
    shown.summary = format!(
        "{} · {} · newest first",
        match found.total {
            1 => "1 archive".to_owned(),
            total => format!("{total} archives"),
        },
        size(found.size_bytes)
    );
    shown.place = format!("Page {} of {}", found.number, found.last());
    shown.rows = found
        .archives
        .iter()
        .map(|archive| row(app, archive))
        .collect();
    page(&shown)
}

async fn show_results(
    app: &App,
    mut shown: HistoryPage,
    status: Option<Status>,
    from: Option<i64>,
) -> Result<HttpResponse, WebError> {
    let search = Search {
        api_key: app.project.api_key,
        text: shown.text.clone(),
        status,
        from,
    };
    let results = history::search(app.db(), &search, app.config.archives.history_page).await?;
    shown.older = results.next.map(|next| {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("q", &shown.text)
            .append_pair("status", &shown.status)
            .append_pair("from", &next.to_string())
            .finish();
        format!("/history?{query}")
    });
    shown.summary = format!("Archives with “{}”, newest first", shown.text);
    shown.rows = results
        .archives
        .iter()
        .map(|archive| row(app, archive))
        .collect();
    page(&shown)
}

fn row(app: &App, archive: &Archive) -> Row {
    let badge = badge(archive);
    let is_running = archive.status.is_running();
    let people = people_count(usize::try_from(archive.people).unwrap_or(0));
    let room = archive.room.as_str();
    let facts = [
        (!room.is_empty()).then_some(room),
        (archive.people > 0).then_some(people.as_str()),
    ];
    Row {
        id: archive.id.to_string(),
        title: title(archive).to_owned(),
        facts: facts.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        iso_time: iso_time(archive.created_at_ms),
        plain_time: plain_time(archive.created_at_ms),
        duration: if is_running {
            String::new()
        } else {
            clock_time(archive.duration_ms)
        },
        size: if is_running {
            "–".to_owned()
        } else {
            size(archive.size_bytes)
        },
        explanation: explanation(archive),
        delete_question: delete_question(archive, &*app.platform),
        poster: archive
            .has_poster
            .then(|| format!("/archives/{}/files/poster.jpg", archive.id)),
        is_running,
        is_playable: archive.is_playable(),
        is_downloadable: archive.status == Status::Available,
        is_deletable: archive.is_deletable(),
        thumb_class: match badge.class {
            "rec" => " thumb--rec",
            "bad" => " thumb--bad",
            _ => "",
        },
        badge,
    }
}

/// `GET /archives/events`: the changes of archives as server-sent events, until the page closes or the server stops.
pub async fn events(app: web::Data<App>) -> HttpResponse {
    let changes = app.archives.subscribe();
    let api_key = app.project.api_key;
    let events = stream::unfold(changes, move |mut changes| async move {
        let text = next_event(&mut changes, api_key).await?;
        Some((Ok::<_, actix_web::Error>(Bytes::from(text)), changes))
    });
    // Without an end, an open page would delay the server's stop.
    let closed = async move { app.archives.closed().await };
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Compression would delay an event until more follow.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Box::pin(events.take_until(closed)))
}

/// The text of the next event; `None` if there are no more.
async fn next_event(changes: &mut Receiver<ArchiveUpdate>, api_key: u32) -> Option<String> {
    loop {
        match timeout(KEEP_ALIVE, changes.recv()).await {
            Ok(Ok(change)) if change.archive.api_key == api_key => {
                let archive = &change.archive;
                let told = json!({
                    "id": archive.id,
                    "status": archive.status,
                    "percent": archive.composing.percent(),
                });
                return Some(format!("event: archive\ndata: {told}\n\n"));
            }
            Ok(Ok(_)) => {}
            // Some changes were skipped, so the page reloads the list.
            Ok(Err(RecvError::Lagged(_))) => {
                return Some("event: archive\ndata: {}\n\n".to_owned());
            }
            Ok(Err(RecvError::Closed)) => return None,
            Err(_) => return Some(": keep-alive\n\n".to_owned()),
        }
    }
}
