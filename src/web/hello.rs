//! Hello, World: the smallest group chat, the example to copy.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde_json::json;

use super::{
    error::PageError,
    headers::with_platform,
    room::default_room,
    shell::{Section, Shell, filters, page},
    visitor::Visitor,
};
use crate::{app::App, opentok::Role};

#[derive(Template)]
#[template(path = "hello.html")]
struct HelloPage {
    shell: Shell,
    /// Address of the script.
    library: String,
    api_key: u32,
    session_id: String,
    token: String,
}

/// `GET /hello`: everybody who opens it is in the default room, with a publisher's token.
pub async fn hello(app: web::Data<App>, visitor: Visitor) -> Result<HttpResponse, PageError> {
    let shell = visitor.shell(&app, Section::None).await?;
    let room = default_room(&app).await?;
    let data = json!({ "name": visitor.name().map_or_else(|| "Guest".to_owned(), |name| name.to_string()) });
    let outside = app.platform.outside();
    let page = page(&HelloPage {
        shell,
        library: outside.map_or_else(
            || "/v2/js/opentok.js".to_owned(),
            |outside| outside.library.clone(),
        ),
        api_key: app.platform.api_key(),
        session_id: room.session.to_string(),
        token: app
            .platform
            .token(&room.session, Role::Publisher, &data.to_string())
            .await?,
    })?;
    with_platform(page, &*app.platform)
}
