//! Each credential opens its own door and no other: a table of all credentials at all doors.

use parlor::{
    archive::{
        ArchiveId, NewArchive,
        download::{Asset, Links},
    },
    callback::signature,
    clock, moderator,
    opentok::{Role, Session, SessionId, TokenOptions},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{Client, KEY, OTHER_KEY, OTHER_SECRET, SECRET, World, hello};
use crate::people::Visitor;

/// Where a credential is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// `X-OPENTOK-AUTH` of the REST API.
    RestJwt,
    /// `X-TB-PARTNER-AUTH` of the REST API.
    RestSecret,
    /// The token of a socket's first message.
    Session,
    /// The key that resumes a connection.
    Resume,
    /// The signature of a link to a file.
    File,
    /// The one-time link that creates an account.
    SignIn,
    /// The CSRF token of a form.
    Form,
}

const DOORS: [Door; 7] = [
    Door::RestJwt,
    Door::RestSecret,
    Door::Session,
    Door::Resume,
    Door::File,
    Door::SignIn,
    Door::Form,
];

struct Proof {
    name: &'static str,
    text: String,
    opens: Option<Door>,
}

fn proof(name: &'static str, text: impl Into<String>, opens: Option<Door>) -> Proof {
    Proof {
        name,
        text: text.into(),
        opens,
    }
}

fn jwt(secret: &str, claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}

/// A client token as OpenTok's newer SDKs make it.
fn client_jwt(session: &Session, role: &str) -> String {
    let now = clock::now_s();
    let claims = json!({
        "iss": KEY.to_string(), "ist": "project", "iat": now, "exp": now + 300, "nonce": 0.5,
        "role": role, "scope": "session.connect", "session_id": session.session_id,
        "initial_layout_class_list": "",
    });
    jwt(SECRET, &claims)
}

/// What stands behind the doors.
struct House {
    world: World,
    base: String,
    session: Session,
    token: String,
    client: Client,
    visitor: Visitor,
    archive: ArchiveId,
    expires: String,
}

impl House {
    async fn open() -> (House, Vec<Proof>) {
        let world = World::start().await;
        let base = format!("http://{}", world.server.addr());
        let session = world.session().await;
        let token = session.generate_token(&TokenOptions::default()).unwrap();
        let client = world.enter(&session.session_id, &token).await;
        let app = world.server.app();
        let recorded = NewArchive::of(KEY, SessionId::generate(KEY, "", clock::now_ms()));
        let archive = app.archives.start(recorded).await.unwrap().id;
        let folder = app.data.archives().join(archive.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("archive.mp4"), b"film").unwrap();
        let query = Links::new(SECRET.as_bytes()).query(archive, Asset::Composed, clock::now_ms());
        let (expires, signature) = query.split_once("&sig=").unwrap();
        let link = moderator::make_link(app.db(), clock::now_ms())
            .await
            .unwrap();
        let visitor = Visitor::at(&base);
        let csrf = visitor.csrf().await;
        let mut proofs = proofs(&session, &token);
        proofs.extend([
            proof("resume key", &client.key, Some(Door::Resume)),
            proof("signature of a file", signature, Some(Door::File)),
            proof("sign-in link", link, Some(Door::SignIn)),
            proof("CSRF token", csrf, Some(Door::Form)),
        ]);
        let expires = expires.to_owned();
        let house = House {
            world,
            base,
            session,
            token,
            client,
            visitor,
            archive,
            expires,
        };
        (house, proofs)
    }

    async fn opens(&self, door: Door, text: &str) -> bool {
        match door {
            Door::RestJwt => self.calls("X-OPENTOK-AUTH", text).await,
            Door::RestSecret => self.calls("X-TB-PARTNER-AUTH", text).await,
            Door::Session => {
                let refusal = self.world.refusal(&self.session.session_id, text).await;
                refusal.is_null()
            }
            Door::Resume => {
                let hello = hello(&self.session.session_id, &self.token);
                let refusal = self.world.resume_refusal(&self.client, hello, text).await;
                refusal.is_none()
            }
            Door::File => {
                let sig: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
                let path = format!(
                    "/archives/{}/files/archive.mp4?{}&sig={sig}",
                    self.archive, self.expires
                );
                Visitor::at(&self.base).get(&path).await.status() == 200
            }
            Door::SignIn => {
                let form = [
                    ("name", "Stranger"),
                    ("password", "correct horse"),
                    ("link", text),
                ];
                let answer = Visitor::at(&self.base).post("/sign-in", &form).await;
                // Without a link it is an ordinary sign-in, with a wrong password.
                answer.status() == 303
            }
            Door::Form => {
                let form = [("name", "Ann")];
                let join = self
                    .visitor
                    .post_with("/rooms/main/join", &form, Some(text));
                join.await.status() == 200
            }
        }
    }

    async fn calls(&self, header: &str, value: &str) -> bool {
        let archives = format!("{}/v2/project/{KEY}/archive", self.world.url);
        let call = self.world.http.request(Method::GET, archives);
        let answer = call.header(header, value).send().await.unwrap();
        assert!([200, 403].contains(&answer.status().as_u16()), "{answer:?}");
        answer.status() == 200
    }
}

/// The credentials that are texts of their own.
fn proofs(session: &Session, token: &str) -> Vec<Proof> {
    let now = clock::now_s();
    let project = json!({ "iss": KEY.to_string(), "ist": "project", "iat": now, "exp": now + 180 });
    let other = json!({ "iss": OTHER_KEY.to_string(), "ist": "project", "exp": now + 180 });
    let mut proofs = vec![
        proof("nothing", "", None),
        proof("project token", jwt(SECRET, &project), Some(Door::RestJwt)),
        proof("another project's token", jwt(OTHER_SECRET, &other), None),
        proof(
            "key and secret",
            format!("{KEY}:{SECRET}"),
            Some(Door::RestSecret),
        ),
        proof("secret alone", SECRET, None),
        proof(
            "another project's secret",
            format!("{OTHER_KEY}:{OTHER_SECRET}"),
            None,
        ),
        proof("T1 token of the default role", token, Some(Door::Session)),
        proof(
            "signature of a callback",
            signature::sign(SECRET.as_bytes(), "msg_1", now, "{}"),
            None,
        ),
    ];
    for (role, name) in [
        (Role::Subscriber, "T1 subscriber"),
        (Role::Publisher, "T1 publisher"),
        (Role::Moderator, "T1 moderator"),
    ] {
        let options = TokenOptions {
            role,
            ..TokenOptions::default()
        };
        let token = session.generate_token(&options).unwrap();
        proofs.push(proof(name, token, Some(Door::Session)));
    }
    for role in ["subscriber", "publisher", "moderator"] {
        proofs.push(proof(
            "client JWT",
            client_jwt(session, role),
            Some(Door::Session),
        ));
    }
    // A client token of another kind joins no session either.
    let scoped = json!({
        "iss": KEY.to_string(), "iat": now, "exp": now + 300, "session_id": session.session_id,
        "scope": "archive.start",
    });
    proofs.push(proof("JWT of another scope", jwt(SECRET, &scoped), None));
    proofs
}

#[tokio::test(flavor = "multi_thread")]
async fn each_credential_opens_its_own_door_and_no_other() {
    let (house, proofs) = House::open().await;
    for proof in &proofs {
        for door in DOORS {
            let opened = house.opens(door, &proof.text).await;
            assert_eq!(
                opened,
                proof.opens == Some(door),
                "{} at {door:?}",
                proof.name
            );
        }
    }
    house.world.server.stop().await;
}
