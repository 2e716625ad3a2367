//! Invitations: sent, accepted, declined, cancelled. The server decides; everybody hears of it by signals.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Deserialize;

use super::{
    ask::{Anything, Ask, AskError},
    buddies::fresh,
    visitor::Buddy,
};
use crate::{app::App, invitation::InvitationId, presence::UserId, session::ConnectionId};

#[derive(Deserialize)]
pub struct Invite {
    to: UserId,
    /// The tab in which it was asked for.
    tab: Option<ConnectionId>,
}

/// `POST /invitations`
pub async fn send(
    app: web::Data<App>,
    buddy: Buddy,
    Ask(invite): Ask<Invite>,
) -> Result<HttpResponse, AskError> {
    let sent = app.buddies.invite(buddy.user, invite.to, invite.tab);
    Ok(fresh().json(sent.await?))
}

#[derive(Deserialize)]
pub struct Accept {
    /// The tab in which it was accepted.
    tab: Option<ConnectionId>,
}

/// `POST /invitations/{id}/accept`
pub async fn accept(
    app: web::Data<App>,
    buddy: Buddy,
    id: web::Path<String>,
    Ask(accept): Ask<Accept>,
) -> Result<HttpResponse, AskError> {
    let chat = app.buddies.accept(parse(&id)?, buddy.user, accept.tab)?;
    Ok(fresh().json(chat))
}

/// `POST /invitations/{id}/decline`
pub async fn decline(
    app: web::Data<App>,
    buddy: Buddy,
    id: web::Path<String>,
    _: Anything,
) -> Result<HttpResponse, AskError> {
    app.buddies.decline(parse(&id)?, buddy.user)?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /invitations/{id}/cancel`
pub async fn cancel(
    app: web::Data<App>,
    buddy: Buddy,
    id: web::Path<String>,
    _: Anything,
) -> Result<HttpResponse, AskError> {
    app.buddies.cancel(parse(&id)?, buddy.user)?;
    Ok(HttpResponse::NoContent().finish())
}

fn parse(id: &str) -> Result<InvitationId, AskError> {
    InvitationId::parse(id)
        .ok_or_else(|| AskError::new(StatusCode::NOT_FOUND, "there is no such invitation"))
}
