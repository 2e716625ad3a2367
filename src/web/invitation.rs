//! Sending, accepting, declining and cancelling invitations. Signals inform the pages of both users.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Deserialize;

use super::{
    error::WebError,
    json::{EmptyJson, Json},
    layout::no_store,
    visitor::Buddy,
};
use crate::{app::App, invitation::InvitationId, presence::UserId, session::ConnectionId};

#[derive(Deserialize)]
pub struct InvitationRequest {
    to: UserId,
    /// The tab that sent the invitation.
    tab: Option<ConnectionId>,
}

/// `POST /invitations`
pub async fn send(
    app: web::Data<App>,
    buddy: Buddy,
    Json(invite): Json<InvitationRequest>,
) -> Result<HttpResponse, WebError> {
    let sent = app.buddies.invite(buddy.user, invite.to, invite.tab);
    Ok(no_store().json(sent.await?))
}

#[derive(Deserialize)]
pub struct AcceptRequest {
    /// The tab that accepted it.
    tab: Option<ConnectionId>,
}

/// `POST /invitations/{id}/accept`
pub async fn accept(
    app: web::Data<App>,
    buddy: Buddy,
    id: web::Path<String>,
    Json(accept): Json<AcceptRequest>,
) -> Result<HttpResponse, WebError> {
    let chat = app.buddies.accept(parse(&id)?, buddy.user, accept.tab)?;
    Ok(no_store().json(chat))
}

/// `POST /invitations/{id}/decline`
pub async fn decline(
    app: web::Data<App>,
    buddy: Buddy,
    id: web::Path<String>,
    _: EmptyJson,
) -> Result<HttpResponse, WebError> {
    app.buddies.decline(parse(&id)?, buddy.user)?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /invitations/{id}/cancel`
pub async fn cancel(
    app: web::Data<App>,
    buddy: Buddy,
    id: web::Path<String>,
    _: EmptyJson,
) -> Result<HttpResponse, WebError> {
    app.buddies.cancel(parse(&id)?, buddy.user)?;
    Ok(HttpResponse::NoContent().finish())
}

fn parse(id: &str) -> Result<InvitationId, WebError> {
    InvitationId::parse(id)
        .ok_or_else(|| WebError::rejected(StatusCode::NOT_FOUND, "there is no such invitation"))
}
