//! `GET /openapi.json`: this API, described for programs (`OpenAPI` 3.1). The API's tests hold every answer against it.

use actix_web::HttpResponse;

const DESCRIPTION: &str = include_str!("openapi.json");

pub async fn description() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(DESCRIPTION)
}
