//! The table of all pages: for each route its method, its path, who may call it, and its handler.

use actix_web::{
    Route, Scope,
    error::QueryPayloadError,
    http::Method,
    middleware::from_fn,
    web::{PathConfig, QueryConfig, scope, to},
};

use super::{
    archive, assets, buddies, chat, download,
    error::WebError,
    guard::{Access, Guarded, anyone, buddy, json, moderator, moderator_or_link},
    health, hello, history, home, invitation, metrics, room, sign_in,
};

#[rustfmt::skip]
fn table() -> Table {
    let table = Table::default()
        .get("/", anyone(to(home::home)))
        .post("/rooms", moderator(to(home::create_room)))
        .get("/rooms/{room}", anyone(to(room::guest)))
        .get("/rooms/{room}/host", moderator(to(room::host)))
        .get("/rooms/{room}/status", json(anyone(to(room::status))))
        .post("/rooms/{room}/join", json(anyone(to(room::join))))
        .post("/rooms/{room}/host/join", json(moderator(to(room::join_as_host))))
        .post("/rooms/{room}/rename", moderator(to(home::rename_room)))
        .post("/rooms/{room}/delete", moderator(to(home::delete_room)))
        .get("/host", moderator(to(room::default_host)))
        .get("/participant", anyone(to(room::participant)))
        .get("/hello", anyone(to(hello::hello)))
        .get("/history", moderator(to(history::list)))
        .post("/archives", moderator(to(archive::start)))
        .get("/archives/events", moderator(to(history::events)))
        .get("/archives/{id}", moderator(to(archive::show)))
        .post("/archives/{id}/stop", moderator(to(archive::stop)))
        .post("/archives/{id}/delete", moderator(to(archive::delete)))
        .get("/archives/{id}/files/{file}",
            moderator_or_link(to(download::archive_file).wrap(from_fn(download::limit_range))))
        .get("/download/{id}", moderator(to(download::download)))
        .get("/presence", json(anyone(to(buddies::presence))))
        .post("/users", json(anyone(to(buddies::name))))
        .get("/buddies", anyone(to(buddies::buddies)))
        .get("/buddies/call/{user}", anyone(to(buddies::call)))
        .get("/buddies/roster", json(buddy(to(buddies::roster))))
        .get("/buddies/mine", json(buddy(to(buddies::mine))))
        .post("/buddies/availability", json(buddy(to(buddies::set_availability))))
        .post("/buddies/missed/forget", json(buddy(to(buddies::forget_missed))))
        .get("/buddies/recordings", anyone(to(chat::recordings)))
        .get("/buddies/recordings/{id}", anyone(to(chat::recording)))
        .post("/invitations", json(buddy(to(invitation::send))))
        .post("/invitations/{id}/accept", json(buddy(to(invitation::accept))))
        .post("/invitations/{id}/decline", json(buddy(to(invitation::decline))))
        .post("/invitations/{id}/cancel", json(buddy(to(invitation::cancel))))
        .get("/chats", json(buddy(to(chat::join))))
        .post("/chats", json(buddy(to(chat::create))))
        .post("/chats/{session}/end", json(buddy(to(chat::end))))
        .post("/chats/{session}/connection", json(buddy(to(chat::connected))))
        .post("/chats/{session}/recording", json(buddy(to(chat::record))))
        .get("/sign-in", anyone(to(sign_in::form)))
        .post("/sign-in", anyone(to(sign_in::sign_in)))
        .post("/sign-out", anyone(to(sign_in::sign_out)))
        .get("/healthz", anyone(to(health::health)))
        .get("/metrics", anyone(to(metrics::metrics)))
        .get("/static/{path:.*}", anyone(to(assets::file)));
    let library = |table: Table, path| table.get(path, anyone(to(assets::library)));
    assets::LIBRARY_PATHS.into_iter().fold(table, library)
}

/// A row of the table without its handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
}

/// All routes of the pages, for tests.
pub fn routes() -> Vec<RouteInfo> {
    table().0.into_iter().map(|(info, _)| info).collect()
}

/// The pages as a service. Any other address is [`WebError::PageNotFound`].
pub(super) fn service() -> Scope {
    let pages = table().0.into_iter();
    let pages = pages.fold(scope(""), |pages, (info, route)| {
        pages.route(info.path, route)
    });
    pages
        .app_data(QueryConfig::default().error_handler(|error, _| {
            let cause = match &error {
                QueryPayloadError::Deserialize(error) => error.to_string(),
                error => error.to_string(),
            };
            WebError::BadInput(format!("part of the address is not valid: {cause}")).into()
        }))
        .app_data(PathConfig::default().error_handler(|_, _| WebError::PageNotFound.into()))
        .default_service(to(|| async { Err::<String, _>(WebError::PageNotFound) }))
}

#[derive(Default)]
struct Table(Vec<(RouteInfo, Route)>);

impl Table {
    fn get(self, path: &'static str, guarded: Guarded) -> Table {
        self.add(Method::GET, path, guarded)
    }

    fn post(self, path: &'static str, guarded: Guarded) -> Table {
        self.add(Method::POST, path, guarded)
    }

    fn add(mut self, method: Method, path: &'static str, guarded: Guarded) -> Table {
        let Guarded { access, route } = guarded;
        let route = route.method(method.clone());
        self.0.push((
            RouteInfo {
                method,
                path,
                access,
            },
            route,
        ));
        self
    }
}
