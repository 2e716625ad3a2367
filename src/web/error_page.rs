//! Answers with a [`WebError`]: as a page for people, as JSON for scripts. Nothing else chooses between the two.

use actix_session::SessionExt;
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
    web,
};
use askama::Template;
use tracing::error;

use super::{
    error::{Problem, WebError},
    format::is_json,
    layout::{PageLayout, Section, filters, see_other},
    visitor::Visitor,
};
use crate::app::App;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    layout: PageLayout,
    problem: Problem,
}

/// Turns a [`WebError`] of a handler, guard or extractor into the answer.
///
/// # Errors
/// Those of the inner service.
pub async fn render(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let Some(error) = response
        .response()
        .error()
        .and_then(|error| error.as_error::<WebError>())
    else {
        return Ok(response);
    };
    if let WebError::Internal(cause) = error {
        error!(error = format!("{cause:#}"), "Request failed");
    }
    let shown = answer(response.request(), error).await;
    Ok(response.into_response(shown))
}

async fn answer(request: &HttpRequest, error: &WebError) -> HttpResponse {
    let problem = error.problem();
    let mut response = HttpResponse::build(problem.status);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some(seconds) = error.retry_after() {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    if is_json(request) {
        return response.json(error.body());
    }
    if matches!(error, WebError::SignInRequired { .. }) && request.method() == Method::GET {
        return see_other(&problem.href);
    }
    let visitor = Visitor::new(request.get_session());
    let layout = match request.app_data::<web::Data<App>>() {
        Some(app) => visitor.layout(app, Section::None).await.ok(),
        None => None,
    };
    let layout = layout.unwrap_or_else(|| PageLayout::new(Section::None, None, String::new()));
    let page = ErrorPage { layout, problem }.render().unwrap_or_default();
    response.content_type("text/html; charset=utf-8").body(page)
}
