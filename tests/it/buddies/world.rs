//! Buddies as people: a browser with its cookie, and tabs with a socket each that reads by itself.

use std::ops::Deref;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::people::{PATIENCE, Visitor, between};

/// One socket. What it hears is kept, in order.
pub struct Tab {
    pub id: String,
    pub welcome: Value,
    /// What `GET /presence` or `/chats` and `POST /users` gave.
    pub pass: Value,
    heard: watch::Receiver<Diary>,
    says: mpsc::Sender<Message>,
    reader: JoinHandle<()>,
    /// How much of what was heard has been looked at.
    read: usize,
    last_request: u64,
}

#[derive(Default)]
struct Diary {
    messages: Vec<Value>,
    is_closed: bool,
}

impl Tab {
    /// Connects, or is told why not.
    pub async fn try_open(base: &str, pass: &Value, quiet: bool) -> Result<Tab, Value> {
        let url = format!("ws{}/live", base.strip_prefix("http").unwrap());
        let (socket, _) = connect_async(url).await.unwrap();
        let (mut out, mut incoming) = socket.split();
        let (says, mut to_say) = mpsc::channel::<Message>(100);
        let (diary, heard) = watch::channel(Diary::default());
        let reader = tokio::spawn(async move {
            loop {
                tokio::select! {
                    message = incoming.next() => match message {
                        Some(Ok(Message::Text(text))) => {
                            let message = serde_json::from_str(&text).unwrap();
                            diary.send_modify(|diary| diary.messages.push(message));
                        }
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => break,
                    },
                    message = to_say.recv() => match message {
                        Some(message) => { let _ = out.send(message).await; }
                        None => break,
                    },
                }
            }
            diary.send_modify(|diary| diary.is_closed = true);
        });
        let mut tab = Tab {
            id: String::new(),
            welcome: Value::Null,
            pass: pass.clone(),
            heard,
            says,
            reader,
            read: 0,
            last_request: 0,
        };
        let hello = json!({
            "type": "hello", "versions": [1], "quiet": quiet,
            "sessionId": pass["sessionId"], "token": pass["token"],
        });
        tab.welcome = tab.ask(hello).await;
        if !tab.welcome["error"].is_null() {
            return Err(tab.welcome["error"].clone());
        }
        tab.id = text(&tab.welcome["connection"]["connectionId"]);
        Ok(tab)
    }

    pub async fn open(base: &str, pass: &Value) -> Tab {
        Tab::try_open(base, pass, false).await.unwrap()
    }

    /// Sends a request and returns its reply.
    pub async fn ask(&mut self, mut request: Value) -> Value {
        self.last_request += 1;
        let id = self.last_request;
        request["id"] = id.into();
        let text = request.to_string();
        self.says.send(Message::text(text)).await.unwrap();
        self.find(|message| message["re"] == id).await.1
    }

    /// Signals as the browser library does.
    pub async fn signals(&mut self, word: &str, data: &str, to: Option<&str>) -> Value {
        let mut signal = json!({ "type": "signal", "signalType": word, "data": data });
        if let Some(to) = to {
            signal["to"] = to.into();
        }
        self.ask(signal).await
    }

    /// The next message that is as wished; those before it are passed over.
    pub async fn hears(&mut self, wished: impl Fn(&Value) -> bool) -> Value {
        let read = self.read;
        let (at, message) = self
            .find_from(read, wished)
            .await
            .unwrap_or_else(|heard| panic!("waited in vain; heard: {heard:#?}"));
        self.read = at + 1;
        message
    }

    /// The next of the news of one kind.
    pub async fn news(&mut self, kind: &str) -> Value {
        let signal = self
            .hears(|message| news_of(message).is_some_and(|news| news["type"] == kind))
            .await;
        news_of(&signal).unwrap()
    }

    /// The next signal of a kit's page, `None` from the server.
    pub async fn word(&mut self, word: &str) -> Value {
        self.hears(|message| message["type"] == "signal" && message["signalType"] == word)
            .await
    }

    /// What was heard so far.
    pub fn heard(&self) -> Vec<Value> {
        self.heard.borrow().messages.clone()
    }

    /// The news so far, of one kind.
    pub fn all_news(&self, kind: &str) -> Vec<Value> {
        let heard = self.heard();
        let news = heard.iter().filter_map(news_of);
        news.filter(|news| news["type"] == kind).collect()
    }

    /// Waits until the server has closed the socket.
    pub async fn is_closed(&mut self) {
        let closed = self.heard.wait_for(|diary| diary.is_closed);
        drop(timeout(PATIENCE, closed).await.unwrap().unwrap());
    }

    /// Closes the tab, as a browser does.
    pub async fn close(self) {
        let away = CloseFrame {
            code: CloseCode::Away,
            reason: "".into(),
        };
        let _ = self.says.send(Message::Close(Some(away))).await;
        let mut heard = self.heard.clone();
        let closed = heard.wait_for(|diary| diary.is_closed);
        drop(timeout(PATIENCE, closed).await.unwrap());
    }

    /// The network goes: nobody says anything any more.
    pub fn vanish(self) {
        self.reader.abort();
    }

    async fn find(&mut self, wished: impl Fn(&Value) -> bool) -> (usize, Value) {
        self.find_from(0, wished)
            .await
            .unwrap_or_else(|heard| panic!("waited in vain; heard: {heard:#?}"))
    }

    async fn find_from(
        &mut self,
        from: usize,
        wished: impl Fn(&Value) -> bool,
    ) -> Result<(usize, Value), Vec<Value>> {
        let place = |diary: &Diary| {
            let new = diary.messages.get(from..)?;
            let at = new.iter().position(&wished)?;
            Some(from + at)
        };
        let mut heard = self.heard.clone();
        let found = heard.wait_for(|diary| place(diary).is_some() || diary.is_closed);
        let heard = match timeout(PATIENCE, found).await {
            Ok(Ok(diary)) => match place(&diary) {
                Some(at) => return Ok((at, diary.messages[at].clone())),
                None => diary.messages.clone(),
            },
            _ => self.heard.borrow().messages.clone(),
        };
        Err(heard)
    }
}

/// The news in a signal of the server; nobody else's count.
fn news_of(message: &Value) -> Option<Value> {
    let is_ours = message["type"] == "signal"
        && message["signalType"] == "buddy"
        && message["from"].is_null();
    is_ours.then(|| serde_json::from_str(message["data"].as_str().unwrap()).unwrap())
}

/// Somebody on the page of the buddies.
pub struct Buddy {
    visitor: Visitor,
    pub user: String,
    /// The pass to the presence session.
    pub pass: Value,
    pub tab: Tab,
}

impl Deref for Buddy {
    type Target = Visitor;

    fn deref(&self) -> &Visitor {
        &self.visitor
    }
}

impl Buddy {
    /// Says a name, opens a tab, and is there.
    pub async fn at(base: &str, name: &str) -> Buddy {
        Buddy::returns(Visitor::at(base), name).await
    }

    /// The same, with the cookie of an earlier visit.
    pub async fn returns(visitor: Visitor, name: &str) -> Buddy {
        let pass = visitor.says_name(name).await;
        let tab = Tab::open(visitor.base(), &pass).await;
        let (status, mine) = visitor.asks("/buddies/mine").await;
        assert_eq!(status, 200, "{mine}");
        Buddy {
            user: text(&mine["me"]["id"]),
            visitor,
            pass,
            tab,
        }
    }

    pub fn visitor(&self) -> Visitor {
        self.visitor.clone()
    }

    /// Another tab of the same browser.
    pub async fn opens_tab(&self) -> Tab {
        Tab::open(self.base(), &self.pass).await
    }

    pub async fn mine(&self) -> Value {
        let (status, mine) = self.asks("/buddies/mine").await;
        assert_eq!(status, 200, "{mine}");
        mine
    }

    /// Sends an invitation from the tab; the whole answer.
    pub async fn invites(&self, other: &Buddy) -> (u16, Value) {
        let invite = json!({ "to": other.user, "tab": self.tab.id });
        self.sends("/invitations", invite).await
    }

    /// Sends an invitation that rings; its id.
    pub async fn calls(&self, other: &Buddy) -> String {
        let (status, answer) = self.invites(other).await;
        assert_eq!(
            (status, &answer["type"]),
            (200, &json!("ringing")),
            "{answer}"
        );
        text(&answer["invitation"])
    }

    pub async fn accepts(&self, id: &str) -> (u16, Value) {
        let path = format!("/invitations/{id}/accept");
        self.sends(&path, json!({ "tab": self.tab.id })).await
    }

    pub async fn declines(&self, id: &str) -> (u16, Value) {
        self.sends(&format!("/invitations/{id}/decline"), json!({}))
            .await
    }

    pub async fn cancels(&self, id: &str) -> (u16, Value) {
        self.sends(&format!("/invitations/{id}/cancel"), json!({}))
            .await
    }

    /// Calls, and is accepted: the session of the chat.
    pub async fn talks_to(&self, other: &Buddy) -> String {
        let id = self.calls(other).await;
        let (status, chat) = other.accepts(&id).await;
        assert_eq!(status, 200, "{chat}");
        text(&chat["sessionId"])
    }

    /// Joins the session of a chat.
    pub async fn joins(&self, session: &str) -> Tab {
        let (status, pass) = self.asks(&format!("/chats?sessionId={session}")).await;
        assert_eq!(status, 200, "{pass}");
        Tab::open(self.base(), &pass).await
    }

    /// What others see of a buddy; `None`: nothing.
    pub async fn sees(&self, other: &Buddy) -> Option<String> {
        let (status, page) = self.asks("/buddies/roster").await;
        assert_eq!(status, 200, "{page}");
        let buddies = page["buddies"].as_array().unwrap();
        let entry = buddies.iter().find(|entry| entry["id"] == other.user);
        entry.map(|entry| text(&entry["state"]))
    }

    /// Waits until the deltas of the roster have made of a buddy what is wished.
    pub async fn waits_to_see(&mut self, other: &Buddy, wished: Option<&str>) {
        loop {
            if self.sees(other).await.as_deref() == wished {
                return;
            }
            self.tab
                .hears(|message| message["signalType"] == "roster")
                .await;
        }
    }
}

impl Visitor {
    /// Sends JSON as a script of the site does.
    pub async fn sends(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self.request("POST", path).json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    pub async fn asks(&self, path: &str) -> (u16, Value) {
        let answer = self.get(path).await;
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    /// `GET /presence` and `POST /users`: what it takes to connect.
    pub async fn says_name(&self, name: &str) -> Value {
        let (status, mut pass) = self.asks("/presence").await;
        if status == 501 {
            // Not for pages of the kit, but the page of the buddies knows.
            let page = self.page("/buddies").await;
            let boot = between(&page, r#"<script type="application/json" id="boot">"#, '<');
            pass = serde_json::from_str(boot).unwrap();
        }
        let (status, said) = self.sends("/users", json!({ "name": name })).await;
        assert_eq!(status, 200, "{said}");
        pass["token"] = said["token"].clone();
        pass
    }
}

pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}
