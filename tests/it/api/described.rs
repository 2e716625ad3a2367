//! Checks the description of the API (`GET /openapi.json`) against real requests and answers: every call of the API's tests
//! goes through a [`Witness`].

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{Method, StatusCode},
    web::{self, Bytes, Data, PayloadConfig},
};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::world::http;

const DESCRIPTION: &str = include_str!("../../../src/api/openapi.json");
/// Longer than any body that the API accepts.
const LONGEST_BODY: usize = 8 << 20;

/// The parsed description.
pub struct Description {
    root: Value,
}

/// An operation and a status: method, template of the path, status.
pub type Answer = (String, String, String);

impl Description {
    pub fn read() -> Description {
        Description {
            root: serde_json::from_str(DESCRIPTION).unwrap(),
        }
    }

    fn paths(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.root["paths"].as_object().unwrap().iter()
    }

    /// Returns every operation as method and path template.
    pub fn operations(&self) -> Vec<(String, String)> {
        let mut operations = Vec::new();
        for (template, item) in self.paths() {
            for method in ["get", "post", "put", "patch", "delete"] {
                if item.get(method).is_some() {
                    operations.push((method.to_uppercase(), template.clone()));
                }
            }
        }
        operations
    }

    /// Returns every status that is described by its number.
    pub fn answers(&self) -> BTreeSet<Answer> {
        let mut answers = BTreeSet::new();
        for (method, template) in self.operations() {
            let operation = &self.root["paths"][&template][method.to_lowercase()];
            for status in operation["responses"].as_object().unwrap().keys() {
                if status != "default" {
                    answers.insert((method.clone(), template.clone(), status.clone()));
                }
            }
        }
        answers
    }

    /// Returns the path of an operation. Its parameters stay in braces.
    pub fn address(&self, template: &str, key: u32) -> String {
        match self.root["paths"][template].get("servers") {
            Some(_) => template.to_owned(),
            None => format!("/v2/project/{key}{template}"),
        }
    }

    /// Returns the template that matches a path; `None` outside the API.
    fn template(&self, path: &str) -> Option<Option<&str>> {
        if path.starts_with("/session/") || path.starts_with("/hl/") {
            let found = self.paths().find(|(template, _)| *template == path);
            return Some(found.map(|(template, _)| template.as_str()));
        }
        let rest = path
            .strip_prefix("/v2/project/")
            .or_else(|| path.strip_prefix("/v2/partner/"))?;
        let (_, rest) = rest.split_once('/')?;
        let parts: Vec<&str> = rest.split('/').collect();
        let found = self.paths().find(|(template, item)| {
            let described: Vec<&str> = template[1..].split('/').collect();
            item.get("servers").is_none()
                && described.len() == parts.len()
                && described
                    .iter()
                    .zip(&parts)
                    .all(|(a, b)| a.starts_with('{') || a == b)
        });
        Some(found.map(|(template, _)| template.as_str()))
    }

    /// Whether a value matches a schema.
    pub fn has(&self, schema: &str, value: &Value) -> bool {
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
        self.validator(&schema).is_valid(value)
    }

    fn validator(&self, schema: &Value) -> Validator {
        let mut schema = schema.clone();
        schema["components"] = self.root["components"].clone();
        schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        jsonschema::validator_for(&schema).unwrap()
    }

    fn check_body(
        &self,
        what: &str,
        content: &Value,
        kind: &str,
        body: &[u8],
    ) -> Result<(), String> {
        let Some(media) = content.get(kind) else {
            return Err(format!("{what} is of the type {kind:?}"));
        };
        if !kind.ends_with("/json") {
            return Ok(());
        }
        let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let validator = self.validator(&media["schema"]);
        let problems: Vec<String> = validator
            .iter_errors(&body)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        match problems.as_slice() {
            [] => Ok(()),
            problems => Err(format!("{what}: {}: {body}", problems.join("; "))),
        }
    }

    /// Checks an exchange against the description. Returns its operation and status if the operation is described.
    fn check(&self, exchange: &Exchange) -> Result<Option<Answer>, String> {
        let Exchange {
            method,
            path,
            asked,
            status,
            kind,
            told,
        } = exchange;
        let Some(template) = self.template(path) else {
            return Ok(None);
        };
        let error =
            &json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
        let Some(template) = template else {
            // The paths that are not offered have subpaths.
            if ![403, 404, 501].contains(status) {
                return Err(format!("it is not described, and answers {status}"));
            }
            return self
                .check_body("the answer", error, kind, told)
                .map(|()| None);
        };
        let operation = &self.root["paths"][template][method.to_lowercase()];
        if operation.is_null() {
            if ![403, 405, 501].contains(status) {
                return Err(format!("the method is not described, and answers {status}"));
            }
            return self
                .check_body("the answer", error, kind, told)
                .map(|()| None);
        }
        let responses = &operation["responses"];
        let response = match responses.get(status.to_string()) {
            Some(response) => response,
            None if *status >= 500 || *status == 413 => &responses["default"],
            None => return Err(format!("{status} is not described")),
        };
        match response.get("content") {
            Some(content) => self.check_body("the answer", content, kind, told)?,
            None if told.is_empty() => {}
            None => return Err("the answer has a body".to_owned()),
        }
        if (200..300).contains(status) && !asked.is_empty() {
            let content = &operation["requestBody"]["content"];
            if content.get("application/json").is_some() {
                self.check_body("the request", content, "application/json", asked)?;
            }
        }
        Ok(Some((
            method.clone(),
            template.to_owned(),
            status.to_string(),
        )))
    }
}

/// A request and its answer.
struct Exchange {
    method: String,
    path: String,
    asked: Vec<u8>,
    status: u16,
    kind: String,
    told: Vec<u8>,
}

/// A proxy between callers and a server that checks every exchange against the description.
pub struct Witness {
    pub url: String,
    seen: Arc<Seen>,
    handle: ServerHandle,
}

struct Seen {
    description: Description,
    server: SocketAddr,
    answers: Mutex<BTreeSet<Answer>>,
    violations: Mutex<Vec<String>>,
}

impl Witness {
    pub async fn before(server: SocketAddr) -> Witness {
        let seen = Arc::new(Seen {
            description: Description::read(),
            server,
            answers: Mutex::default(),
            violations: Mutex::default(),
        });
        let shared = Arc::clone(&seen);
        let http = HttpServer::new(move || {
            let client = http().redirect(reqwest::redirect::Policy::none());
            App::new()
                .app_data(PayloadConfig::new(LONGEST_BODY))
                .app_data(Data::from(Arc::clone(&shared)))
                .app_data(Data::new(client.build().unwrap()))
                .default_service(web::to(forward))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let url = format!("http://{}", http.addrs()[0]);
        let running = http.run();
        let handle = running.handle();
        tokio::spawn(running);
        Witness { url, seen, handle }
    }

    /// Returns the described answers that have happened so far.
    pub fn answers(&self) -> BTreeSet<Answer> {
        self.seen.answers.lock().unwrap().clone()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // The command is sent even if the future is not awaited.
        drop(self.handle.stop(false));
        let violations = self.seen.violations.lock().unwrap();
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}

async fn forward(
    request: HttpRequest,
    body: Bytes,
    seen: Data<Seen>,
    client: Data<reqwest::Client>,
) -> HttpResponse {
    let url = format!("http://{}{}", seen.server, request.uri());
    let method = request.method().as_str();
    let mut call = client.request(method.parse().unwrap(), url);
    for (name, value) in request.headers() {
        if !is_hop_by_hop(name.as_str()) {
            call = call.header(name.as_str(), value.as_bytes());
        }
    }
    let reply = call.body(body.clone()).send().await.unwrap();
    let status = reply.status().as_u16();
    let headers: HashMap<String, Vec<u8>> = reply
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    let told = reply.bytes().await.unwrap();
    let kind = headers.get("content-type").cloned().unwrap_or_default();
    let exchange = Exchange {
        method: method.to_owned(),
        path: request.path().to_owned(),
        asked: body.to_vec(),
        status,
        kind: String::from_utf8(kind).unwrap(),
        told: told.to_vec(),
    };
    match seen.description.check(&exchange) {
        Ok(answer) => seen.answers.lock().unwrap().extend(answer),
        Err(problem) => {
            let told = format!("{} {}: {problem}", exchange.method, exchange.path);
            seen.violations.lock().unwrap().push(told);
        }
    }
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
    for (name, value) in &headers {
        if !is_hop_by_hop(name) {
            response.insert_header((name.as_str(), value.as_slice()));
        }
    }
    if request.method() == Method::HEAD || told.is_empty() {
        return response.finish();
    }
    response.body(told)
}

fn is_hop_by_hop(name: &str) -> bool {
    ["connection", "content-length", "transfer-encoding"].contains(&name)
}
