//! Hello, World: the smallest group chat, as an example to copy.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::{
    error::WebError,
    headers::with_platform,
    layout::{PageLayout, Section, filters, page},
    room::default_room,
    visitor::Visitor,
};
use crate::{
    app::App,
    common::{connection_data::ConnectionData, name::Name},
    opentok::Role,
};

#[derive(Template)]
#[template(path = "hello.html")]
struct HelloPage {
    layout: PageLayout,
    /// URL of the browser library.
    library: String,
    api_key: u32,
    session_id: String,
    token: String,
}

/// `GET /hello`: the page joins the default room with a publisher's token.
pub async fn hello(app: web::Data<App>, visitor: Visitor) -> Result<HttpResponse, WebError> {
    let layout = visitor.layout(&app, Section::None).await?;
    let room = default_room(&app).await?;
    let name = visitor.name();
    let data = ConnectionData::named(name.as_ref().map_or("Guest", Name::as_str));
    let info = app.platform.info();
    let access = info.browser_access.as_ref();
    let page = page(&HelloPage {
        layout,
        library: access.map_or_else(
            || "/v2/js/opentok.js".to_owned(),
            |access| access.library.clone(),
        ),
        api_key: info.api_key,
        session_id: room.session.to_string(),
        token: app
            .platform
            .token(&room.session, Role::Publisher, &data.to_json())
            .await?,
    })?;
    with_platform(page, &*app.platform)
}
