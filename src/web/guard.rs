//! Who may call a route. The table in [`super::router`] puts each route behind one of these guards.

use std::fmt;

use actix_session::SessionExt;
use actix_web::{
    Error, HttpMessage, Route,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    web::Data,
};

use super::{
    download::{self, LinkedFile},
    error::WebError,
    format::JsonRoute,
    visitor::{SignedIn, Visitor},
};
use crate::app::App;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    Anyone,
    /// A visitor who has entered a name on the Buddies page.
    Buddy,
    /// A visitor who has signed in.
    Moderator,
    /// A moderator, or anyone with a signed link.
    ModeratorOrLink,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Anyone => "anyone",
            Access::Buddy => "buddy",
            Access::Moderator => "moderator",
            Access::ModeratorOrLink => "moderator or link",
        })
    }
}

/// A route behind its guard. Only the functions below make one, so no route of the table is without.
pub struct Guarded {
    pub(super) access: Access,
    pub(super) route: Route,
}

/// A route for all visitors.
pub fn anyone(route: Route) -> Guarded {
    guarded(Access::Anyone, route)
}

/// A route for visitors with a name. Its handler may take a [`super::visitor::Buddy`].
pub fn buddy(route: Route) -> Guarded {
    guarded(Access::Buddy, route.wrap(from_fn(require_buddy)))
}

/// A route for moderators. Its handler may take a [`SignedIn`].
pub fn moderator(route: Route) -> Guarded {
    guarded(Access::Moderator, route.wrap(from_fn(require_moderator)))
}

/// A route to a file of an archive. Its handler takes a [`LinkedFile`].
pub fn moderator_or_link(route: Route) -> Guarded {
    guarded(
        Access::ModeratorOrLink,
        route.wrap(from_fn(require_moderator_or_link)),
    )
}

/// The same route for scripts: its errors are JSON whatever the request accepts.
pub fn json(route: Guarded) -> Guarded {
    Guarded {
        route: route.route.wrap(from_fn(mark_json)),
        ..route
    }
}

async fn mark_json(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    request.extensions_mut().insert(JsonRoute);
    next.call(request).await
}

fn guarded(access: Access, route: Route) -> Guarded {
    Guarded { access, route }
}

type Response = Result<ServiceResponse<BoxBody>, Error>;

async fn require_buddy(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Response {
    let buddy = Visitor::new(request.get_session()).buddy();
    let admitted = buddy.ok_or(WebError::NameRequired);
    admit(request, next, admitted).await
}

async fn require_moderator(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Response {
    let back = request
        .uri()
        .path_and_query()
        .map_or_else(|| "/".to_owned(), ToString::to_string);
    let admitted = signed_in(&request, back).await;
    admit(request, next, admitted).await
}

async fn require_moderator_or_link(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Response {
    let admitted = match download::linked_file(request.request()) {
        Ok(file) if !file.by_link => {
            let back = format!("/archives/{}", file.archive);
            signed_in(&request, back).await.map(|_| file)
        }
        linked => linked,
    };
    admit::<LinkedFile>(request, next, admitted).await
}

/// Passes a request on with the guard's result, or answers with the error.
async fn admit<T: 'static>(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    admitted: Result<T, WebError>,
) -> Response {
    match admitted {
        Ok(found) => {
            request.extensions_mut().insert(found);
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(error) => Ok(request.error_response(error)),
    }
}

async fn signed_in(request: &ServiceRequest, back: String) -> Result<SignedIn, WebError> {
    let visitor = Visitor::new(request.get_session());
    let app = request.app_data::<Data<App>>();
    let app = app.ok_or_else(|| anyhow::anyhow!("the app is not registered"))?;
    let moderator = visitor.moderator(app).await?;
    let moderator = moderator.ok_or(WebError::SignInRequired { back })?;
    Ok(SignedIn { moderator, visitor })
}
