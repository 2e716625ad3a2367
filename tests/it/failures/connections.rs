//! Clients that hold connections and send nothing, or almost nothing.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

use crate::{
    people::{PATIENCE, Parlor, Visitor},
    process::{Data, Process},
};

/// Sends `head`, then a byte every 100 ms. Returns the answer and the time until the server closed the connection.
fn trickle(server: SocketAddr, head: &str) -> (String, Duration) {
    let mut socket = TcpStream::connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let begun = Instant::now();
    socket.write_all(head.as_bytes()).unwrap();
    let mut writer = socket.try_clone().unwrap();
    let writes = thread::spawn(move || {
        while writer.write_all(b"a").is_ok() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = socket.read_to_end(&mut answer);
    let held = begun.elapsed();
    let _ = socket.shutdown(std::net::Shutdown::Both);
    writes.join().unwrap();
    (String::from_utf8_lossy(&answer).into_owned(), held)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_trickles_in_is_given_up() {
    let parlor = Parlor::start().await;
    let server = parlor.server.addr();
    let body = "Content-Type: application/json\r\nContent-Length: 10000\r\n\r\n";
    let heads = [
        "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ".to_owned(),
        format!("POST /rooms/main/join HTTP/1.1\r\nHost: x\r\n{body}"),
        format!("POST /users HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\n{body}"),
        format!("POST /session/create HTTP/1.1\r\nHost: x\r\n{body}"),
        format!("POST /nowhere HTTP/1.1\r\nHost: x\r\n{body}"),
        // A header does not make it the socket of a call.
        format!("POST /rooms/main/join HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n{body}"),
        format!("GET / HTTP/1.1\r\nHost: x\r\n{body}"),
    ];
    let sockets = heads.map(|head| {
        thread::spawn(move || {
            let (answer, held) = trickle(server, &head);
            (head, answer, held)
        })
    });
    for socket in sockets {
        let (head, answer, held) = socket.join().unwrap();
        assert!(held < Duration::from_secs(30), "{held:?}: {head}{answer}");
    }
    parlor.server.stop().await;
}

/// A socket from another address of this machine, after one request on it.
async fn visit_from(address: [u8; 4], server: SocketAddr) -> Option<(tokio::net::TcpStream, u16)> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((address, 0))).unwrap();
    let mut socket = socket.connect(server).await.ok()?;
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    socket.write_all(request.as_bytes()).await.ok()?;
    let mut head = [0; 12];
    socket.read_exact(&mut head).await.ok()?;
    let status = std::str::from_utf8(&head[9..]).unwrap().parse().unwrap();
    Some((socket, status))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_take_all_connections() {
    let data = Data::with_moderator().await;
    let prefix = ["prlimit", "--nofile=1024:1024"];
    let flags = ["--min-free-mib", "1", "--trusted-proxies", "127.0.0.1"];
    let server = Process::start_under(&prefix, &data.path(), &flags);
    let address: SocketAddr = server
        .base
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();

    let mut held = Vec::new();
    let mut refused = 0;
    for _ in 0..1_000 {
        match visit_from([127, 0, 0, 2], address).await {
            Some((socket, 200)) => held.push(socket),
            Some((_, 503)) => refused += 1,
            other => panic!("{other:?} after {} connections", held.len()),
        }
    }

    assert!(refused > 500, "{refused}");
    let moderator = crate::people::Moderator::at(&server.base).await;
    moderator.page("/history").await;
    let (_, status) = visit_from([127, 0, 0, 3], address).await.unwrap();
    assert_eq!(status, 200);
    drop(held);
    // Places are free again.
    crate::people::until(|| async {
        let visit = visit_from([127, 0, 0, 2], address).await;
        visit.is_some_and(|(_, status)| status == 200)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_this_machine_or_the_token() {
    let parlor = Parlor::with(|config| {
        config.network.metrics_token = Some("a.token".to_owned().into());
    })
    .await;
    let status = |header: Option<(&'static str, &'static str)>| {
        let visitor = Visitor::at(&parlor.base);
        async move {
            let request = visitor.request("GET", "/metrics");
            let request = match header {
                Some((name, value)) => request.header(name, value),
                None => request,
            };
            request.send().await.unwrap().status().as_u16()
        }
    };
    assert_eq!(status(None).await, 200);
    // Through a proxy on this machine.
    assert_eq!(status(Some(("X-Forwarded-For", "203.0.113.5"))).await, 403);
    assert_eq!(status(Some(("Forwarded", "for=203.0.113.5"))).await, 403);
    assert_eq!(status(Some(("Authorization", "Bearer a.token"))).await, 200);
    assert_eq!(
        status(Some(("Authorization", "Bearer a.tokens"))).await,
        403
    );
    parlor.server.stop().await;
}
