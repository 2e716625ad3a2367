//! A server with one scripted answer for each request.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub struct Service {
    /// Without a slash at the end.
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method, path and query.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// The answer to a request.
pub enum Answer {
    Reply {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Closes the connection without an answer.
    Close,
    /// Sends nothing, until the client gives up.
    Silence,
}

impl Service {
    /// Serves `answers` in this order, one per request; further ones get 418.
    pub async fn start(answers: impl IntoIterator<Item = Answer>) -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let mut answers: VecDeque<_> = answers.into_iter().collect();
        let seen = requests.clone();
        let task = tokio::spawn(async move {
            let mut silent = Vec::new();
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let Some(request) = read(&mut socket).await else {
                    continue;
                };
                seen.lock().unwrap().push(request);
                let answer = answers.pop_front().unwrap_or_else(|| reply(418, ""));
                silent.extend(answer.give(socket).await);
            }
        });
        Service {
            url,
            requests,
            task,
        }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The only request that arrived.
    pub fn request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }
}

impl Answer {
    /// [`Answer::Silence`] returns the socket, to be kept open.
    pub async fn give(self, mut socket: TcpStream) -> Option<TcpStream> {
        match self {
            Answer::Reply {
                status,
                headers,
                body,
            } => write(&mut socket, status, headers, &body).await,
            Answer::Close => {}
            Answer::Silence => return Some(socket),
        }
        None
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Request {
    /// Returns the value of a header; `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(header, _)| header == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} was sent twice");
        value
    }

    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A JSON reply, or one without a body.
pub fn reply(status: u16, body: impl Into<String>) -> Answer {
    typed(status, "application/json", body)
}

pub fn typed(status: u16, content_type: &str, body: impl Into<String>) -> Answer {
    Answer::Reply {
        status,
        headers: vec![("Content-Type", content_type.to_owned())],
        body: body.into(),
    }
}

pub async fn read(socket: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap().trim_end_matches(" HTTP/1.1");
    let headers: Vec<_> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, value)| value.parse().unwrap());
    while bytes.len() < head_end + length {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request {
        line: line.to_owned(),
        headers,
        body: String::from_utf8(bytes.split_off(head_end)).unwrap(),
    })
}

async fn write(
    socket: &mut TcpStream,
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: &str,
) {
    let mut text = format!("HTTP/1.1 {status} -\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if status != 204 {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    text += body;
    // The client may have disconnected.
    let _ = socket.write_all(text.as_bytes()).await;
    let _ = socket.shutdown().await;
}
