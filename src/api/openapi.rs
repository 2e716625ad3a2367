//! `GET /openapi.json`: the description of this API (`OpenAPI` 3.1). The API's tests validate every response against it.

use actix_web::HttpResponse;

const DESCRIPTION: &str = include_str!("openapi.json");

pub async fn description() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(DESCRIPTION)
}
