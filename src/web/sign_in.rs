//! Signing in and out, and the one-time link with which the first moderator creates an account.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use serde::Deserialize;
use tracing::info;

use super::{
    client_address::client_address,
    error::{WebError, sentence},
    form::{EmptyForm, Form},
    layout::{PageLayout, Section, filters, page, see_other},
    return_path::return_path,
    visitor::Visitor,
};
use crate::{
    app::App,
    clock::{instant, now_ms},
    moderator::{self, AccountError, SignInClient},
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    layout: PageLayout,
    /// The one-time link that creates an account; empty on a plain sign-in.
    link: String,
    back: String,
    name: String,
    /// What was wrong with the last attempt.
    problem: Option<String>,
    shortest_password: usize,
}

#[derive(Deserialize)]
pub struct SignInQuery {
    #[serde(default)]
    link: String,
    #[serde(default)]
    back: String,
}

#[derive(Deserialize)]
pub struct SignInForm {
    name: String,
    password: String,
    #[serde(default)]
    link: String,
    #[serde(default)]
    back: String,
}

/// `GET /sign-in`, with `?link=…` from the first start or `?back=…` from a page for moderators.
pub async fn form(
    app: web::Data<App>,
    visitor: Visitor,
    web::Query(query): web::Query<SignInQuery>,
) -> Result<HttpResponse, WebError> {
    let layout = visitor.layout(&app, Section::None).await?;
    if layout.moderator.is_some() && query.link.is_empty() {
        return Ok(see_other(&return_path(&query.back)));
    }
    let mut link = query.link;
    let mut problem = None;
    if !link.is_empty() && !moderator::link_is_good(app.db(), &link, now_ms()).await? {
        link.clear();
        problem = Some(
            "This link was already used or has expired. Sign in with your account, or create a new link with `parlor moderator link`."
                .to_owned(),
        );
    }
    page(&SignInPage {
        layout,
        link,
        back: query.back,
        name: String::new(),
        problem,
        shortest_password: moderator::SHORTEST_PASSWORD,
    })
}

/// `POST /sign-in`
pub async fn sign_in(
    app: web::Data<App>,
    visitor: Visitor,
    request: HttpRequest,
    Form(form): Form<SignInForm>,
) -> Result<HttpResponse, WebError> {
    let outcome = if form.link.is_empty() {
        let client = SignInClient {
            address: client_address(&request, &app),
            device: visitor.device(),
        };
        moderator::sign_in(
            app.db(),
            &app.sign_ins,
            &form.name,
            &form.password,
            client,
            instant(),
        )
        .await?
    } else {
        let made =
            moderator::use_link(app.db(), &form.link, &form.name, &form.password, now_ms()).await;
        match made {
            Ok(account) => Some(account),
            Err(error @ (AccountError::Database(_) | AccountError::Internal(_))) => {
                return Err(error.into());
            }
            Err(error) => {
                return show_form_again(
                    &app,
                    &visitor,
                    form,
                    sentence(&error.to_string()),
                    StatusCode::BAD_REQUEST,
                )
                .await;
            }
        }
    };
    let Some(account) = outcome else {
        let problem = "Wrong name or password.".to_owned();
        return show_form_again(&app, &visitor, form, problem, StatusCode::UNAUTHORIZED).await;
    };
    visitor.sign_in(&account)?;
    info!(moderator.id = account.id, "A moderator signed in");
    Ok(see_other(&return_path(&form.back)))
}

/// `POST /sign-out`
pub async fn sign_out(visitor: Visitor, _: Form<EmptyForm>) -> Result<HttpResponse, WebError> {
    visitor.sign_out()?;
    Ok(see_other("/"))
}

async fn show_form_again(
    app: &App,
    visitor: &Visitor,
    form: SignInForm,
    problem: String,
    status: StatusCode,
) -> Result<HttpResponse, WebError> {
    let mut response = page(&SignInPage {
        layout: visitor.layout(app, Section::None).await?,
        link: form.link,
        back: form.back,
        name: form.name,
        problem: Some(problem),
        shortest_password: moderator::SHORTEST_PASSWORD,
    })?;
    *response.status_mut() = status;
    Ok(response)
}
