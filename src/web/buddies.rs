//! The Buddies page, its roster, and a buddy's availability. Pages of the presence kit call `GET /presence` and
//! `POST /users`, too.

use actix_web::{HttpResponse, http::StatusCode, web};
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::{
    boot::{BuddiesBoot, Callee},
    error::WebError,
    headers::with_platform,
    json::Json,
    layout::{PageLayout, Section, filters, initials, no_store, page},
    visitor::{Buddy, Visitor},
};
use crate::{
    app::App,
    common::{connection_data::ConnectionData, name::Name},
    presence::{Availability, PresenceStatus, RosterEntry, RosterPage, RosterQuery, UserId},
};

/// Number of buddies on a page of the roster, unless the request has a `limit`.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "buddies.html")]
struct BuddiesPage<'a> {
    layout: &'a PageLayout,
    /// The initial value of the field for the name.
    name: &'a str,
    /// The buddy whose link the visitor opened.
    callee: Option<&'a Callee>,
    /// The first page of the roster; available buddies first.
    buddies: Vec<Row<'a>>,
    /// The number of buddies without the visitor.
    total: usize,
    boot: BuddiesBoot<'a>,
}

/// A row of the roster, ready to show.
struct Row<'a> {
    entry: &'a RosterEntry,
    /// "AL" of "Ann Lee".
    initials: String,
    /// Why the buddy cannot be called; `None` if they can.
    why_not: Option<&'static str>,
}

#[derive(Deserialize)]
pub struct PageQuery {
    #[serde(default)]
    name: String,
}

/// `GET /buddies`, `GET /buddies?name=NAME`
pub async fn buddies(
    app: web::Data<App>,
    visitor: Visitor,
    web::Query(query): web::Query<PageQuery>,
) -> Result<HttpResponse, WebError> {
    show(&app, &visitor, &query.name, None).await
}

/// `GET /buddies/call/{user}`: the page with an offer to call that buddy.
pub async fn call(
    app: web::Data<App>,
    visitor: Visitor,
    user: web::Path<String>,
    web::Query(query): web::Query<PageQuery>,
) -> Result<HttpResponse, WebError> {
    let id = UserId::parse(&user).ok_or(WebError::BuddyNotFound)?;
    let name = app.buddies.name(id).await?.ok_or(WebError::BuddyNotFound)?;
    show(&app, &visitor, &query.name, Some(Callee { id, name })).await
}

async fn show(
    app: &App,
    visitor: &Visitor,
    given_name: &str,
    callee: Option<Callee>,
) -> Result<HttpResponse, WebError> {
    let layout = visitor.layout(app, Section::Buddies).await?;
    // Creates the user before the first request of a script, so that two requests cannot create two users for one browser.
    let user = visitor.user()?;
    let buddy = visitor.buddy();
    let roster = buddy.as_ref().map(|buddy| {
        app.buddies.expect_back(buddy.user);
        app.buddies.roster(RosterQuery {
            limit: PAGE,
            except: Some(buddy.user),
            ..RosterQuery::default()
        })
    });
    let given_name = Name::parse(given_name).ok();
    let remembered = buddy.as_ref().map(|buddy| &buddy.name);
    let name = given_name.as_ref().or(remembered).map_or("", Name::as_str);
    let (session_id, api_key) = app.buddies.presence();
    // The page enters under the remembered name, so it saves and renews the name as `POST /users` does.
    let token = match &buddy {
        Some(buddy) if buddy.name.as_str() == name => Some(enter(app, visitor, user, &buddy.name)?),
        _ => None,
    };
    let entries = roster.as_ref().map_or(&[][..], |page| &page.buddies);
    let page = page(&BuddiesPage {
        layout: &layout,
        name,
        callee: callee.as_ref(),
        buddies: entries.iter().map(row).collect(),
        total: roster.as_ref().map_or(0, |page| page.total),
        boot: BuddiesBoot {
            csrf: &layout.csrf,
            api_key: api_key.to_string(),
            session_id,
            token,
            name,
            user: buddy.is_some().then_some(user),
            call: callee.as_ref(),
            roster: roster.as_ref(),
            is_moderator: layout.moderator.is_some(),
            library: app
                .platform
                .info()
                .browser_access
                .as_ref()
                .map(|access| &*access.library),
        },
    })?;
    with_platform(page, &*app.platform)
}

fn row(entry: &RosterEntry) -> Row<'_> {
    Row {
        entry,
        initials: initials(entry.person.name.as_str()),
        why_not: match entry.state {
            PresenceStatus::Available => None,
            PresenceStatus::Inviting => Some("Waiting for an answer"),
            PresenceStatus::Chatting => Some("In a call"),
            PresenceStatus::DoNotDisturb => Some("Do not disturb"),
        },
    }
}

/// `GET /presence`, as in the presence kit: the presence session without a token.
pub async fn presence(app: web::Data<App>) -> Result<HttpResponse, WebError> {
    require_embedded_calls(&app)?;
    let (session_id, api_key) = app.buddies.presence();
    Ok(no_store().json(json!({ "apiKey": api_key.to_string(), "sessionId": session_id })))
}

/// Pages of the presence kit load one library for presence and calls, so they work only if calls are on this server.
///
/// # Errors
/// 501 if calls are on another platform.
pub(super) fn require_embedded_calls(app: &App) -> Result<(), WebError> {
    if !app.platform.info().is_remote() {
        return Ok(());
    }
    Err(WebError::rejected(
        StatusCode::NOT_IMPLEMENTED,
        "calls are on another video platform than presence, which pages of the presence kit do not support; \
         use /buddies instead",
    ))
}

#[derive(Deserialize)]
pub struct NameRequest {
    name: String,
}

/// `POST /users`: saves the visitor's name, and returns a token of the presence session.
pub async fn name(
    app: web::Data<App>,
    visitor: Visitor,
    Json(user): Json<NameRequest>,
) -> Result<HttpResponse, WebError> {
    let name = Name::parse(&user.name)?;
    let user = visitor.user()?;
    let token = enter(&app, &visitor, user, &name)?;
    Ok(no_store().json(json!({ "token": token })))
}

/// Saves the name of a visitor, and issues a token of the presence session for it.
fn enter(app: &App, visitor: &Visitor, user: UserId, name: &Name) -> Result<String, WebError> {
    visitor.remember_buddy(name)?;
    app.buddies.save_name(user, name.clone());
    Ok(app.buddies.presence_token(&connection_data(name, user)))
}

/// The connection data in the tokens of a buddy.
pub(super) fn connection_data(name: &Name, user: UserId) -> String {
    let data = ConnectionData {
        user: Some(user),
        ..ConnectionData::named(name)
    };
    data.to_json()
}

#[derive(Deserialize)]
pub struct RosterParams {
    #[serde(default)]
    search: String,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

/// `GET /buddies/roster`
pub async fn roster(
    app: web::Data<App>,
    buddy: Buddy,
    web::Query(query): web::Query<RosterParams>,
) -> HttpResponse {
    let page: RosterPage = app.buddies.roster(RosterQuery {
        search: &query.search,
        offset: query.offset,
        limit: query.limit.unwrap_or(PAGE),
        except: Some(buddy.user),
    });
    no_store().json(page)
}

/// `GET /buddies/mine`: the state with which a page starts once it is connected.
pub async fn mine(app: web::Data<App>, buddy: Buddy) -> Result<HttpResponse, WebError> {
    let mine = app
        .buddies
        .snapshot(buddy.user)
        .ok_or(WebError::NotConnected)?;
    Ok(no_store().json(mine))
}

#[derive(Deserialize)]
pub struct AvailabilityRequest {
    availability: Availability,
}

/// `POST /buddies/availability`
pub async fn set_availability(
    app: web::Data<App>,
    buddy: Buddy,
    Json(choice): Json<AvailabilityRequest>,
) -> Result<HttpResponse, WebError> {
    if app
        .buddies
        .set_availability(buddy.user, choice.availability)
    {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(WebError::NotConnected)
    }
}

#[derive(Deserialize)]
pub struct ForgetMissedRequest {
    from: Option<UserId>,
}

/// `POST /buddies/missed/forget`
pub async fn forget_missed(
    app: web::Data<App>,
    buddy: Buddy,
    Json(seen): Json<ForgetMissedRequest>,
) -> HttpResponse {
    app.buddies.clear_missed(buddy.user, seen.from);
    HttpResponse::NoContent().finish()
}
