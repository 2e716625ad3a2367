//! A proxy in front of a platform that answers some requests itself.

use std::sync::Arc;

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

use super::world::{Pair, Tier, on_platform, with_key};
use crate::{
    people::PATIENCE,
    sdk::service::{Answer, read},
};

/// Returns the answer to a request with this first line; `None` forwards it.
type Rule = Box<dyn Fn(&str) -> Option<Answer> + Send + Sync>;

pub struct Proxy {
    /// Without a slash at the end.
    pub url: String,
    rule: Arc<watch::Sender<Rule>>,
    /// First lines of the requests that the proxy answered.
    answered: watch::Receiver<Vec<String>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy in front of the server at `base` that forwards everything.
    pub async fn before(base: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behind = base.strip_prefix("http://").unwrap().to_owned();
        let rule = Arc::new(watch::Sender::new(Box::new(|_: &str| None) as Rule));
        let (answers, answered) = watch::channel(Vec::new());
        let (answers, rules) = (Arc::new(answers), rule.clone());
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (behind, rules, answers) = (behind.clone(), rules.clone(), answers.clone());
                tokio::spawn(async move {
                    // The client may have disconnected.
                    let _ = serve(socket, &behind, &rules, &answers).await;
                });
            }
        });
        Proxy {
            url,
            rule,
            answered,
            task,
        }
    }

    /// From now on the proxy answers the requests for which `rule` has an answer.
    pub fn answers(&self, rule: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) {
        drop(self.rule.send_replace(Box::new(rule)));
    }

    pub fn lets_everything_through(&self) {
        self.answers(|_| None);
    }

    /// Returns the number of answered requests whose first line contains `part`.
    pub fn count(&self, part: &str) -> usize {
        let answered = self.answered.borrow();
        answered.iter().filter(|line| line.contains(part)).count()
    }

    /// Waits until the proxy has answered `count` requests whose first line contains `part`.
    pub async fn has_answered(&mut self, count: usize, part: &str) {
        let enough = |answered: &Vec<String>| {
            answered.iter().filter(|line| line.contains(part)).count() >= count
        };
        let answered = timeout(PATIENCE, self.answered.wait_for(enough)).await;
        drop(answered.unwrap().unwrap());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts pages that reach their platform through a proxy. Browsers reach it directly.
pub async fn pair_with_proxy() -> (Pair, Proxy) {
    let media = Tier::start(with_key).await;
    let proxy = Proxy::before(&media.base).await;
    let web = Tier::start(|config| on_platform(config, &proxy.url)).await;
    (Pair { media, web }, proxy)
}

/// One request per connection.
async fn serve(
    mut socket: TcpStream,
    behind: &str,
    rules: &watch::Sender<Rule>,
    answers: &watch::Sender<Vec<String>>,
) -> std::io::Result<()> {
    let Some(request) = read(&mut socket).await else {
        return Ok(());
    };
    let line = format!("{} HTTP/1.1", request.line);
    let answer = rules.borrow()(&line);
    if let Some(answer) = answer {
        // Count before the answer arrives.
        answers.send_modify(|answered| answered.push(line));
        let silent = answer.give(socket).await;
        if silent.is_some() {
            std::future::pending::<()>().await;
        }
        return Ok(());
    }
    let mut server = TcpStream::connect(behind).await?;
    let mut head = format!("{line}\r\nconnection: close\r\n");
    for (name, value) in request.headers {
        if name != "connection" {
            head += &format!("{name}: {value}\r\n");
        }
    }
    server.write_all(head.as_bytes()).await?;
    server.write_all(b"\r\n").await?;
    server.write_all(request.body.as_bytes()).await?;
    tokio::io::copy(&mut server, &mut socket).await?;
    socket.shutdown().await
}
