//! Limits of connections: how many the server holds, how many of one address, and how long a request may take to arrive.

use std::{
    any::Any,
    collections::HashMap,
    future::Future,
    io,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{Extensions, Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::{Method, header},
    middleware::Next,
    rt::net::TcpStream,
    web::Bytes,
};
use futures_util::Stream;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::time::Sleep;
use tracing::warn;

use crate::common::trusted_proxies::TrustedProxies;

/// Descriptors for everything but connections: the recorder, the database, ffmpeg and media sockets.
const RESERVED_DESCRIPTORS: u64 = 256;
/// The maximum number of connections. Each takes about 10 kB.
const MAX_CONNECTIONS: u64 = 50_000;
/// The share of one address in all connections, and its bounds. A browser in a call holds up to eight connections, and a school
/// may have one address.
const ADDRESS_SHARE: u64 = 4;
const ADDRESS_CONNECTIONS: std::ops::RangeInclusive<u64> = 64..=4_000;

/// The time for the head of a request to arrive.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The time for the body of a request to arrive. Bodies have at most 256 kB.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The time that a connection waits for its next request.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Raises the limit of open files to what the system allows, and returns the number of connections to hold.
pub fn max_connections() -> usize {
    let limit = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < hard => {
            let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
            if let Err(error) = raised {
                warn!(%error, limit = soft, "Raising the limit of open files failed");
            }
            if raised.is_ok() { hard } else { soft }
        }
        Ok((soft, _)) => soft,
        Err(_) => 1024,
    };
    let connections = limit.saturating_sub(RESERVED_DESCRIPTORS).max(limit / 2);
    usize::try_from(connections.min(MAX_CONNECTIONS)).unwrap_or(1)
}

/// Counts the open connections of each address.
#[derive(Clone)]
pub struct ConnectionLimiter(Arc<Inner>);

struct Inner {
    max_per_address: usize,
    /// Their connections are those of all their clients, so they are not limited.
    trusted: TrustedProxies,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection. Lives as long as its socket.
struct Connection {
    limiter: ConnectionLimiter,
    address: IpAddr,
    is_admitted: bool,
}

impl ConnectionLimiter {
    pub fn new(max_connections: usize, trusted: TrustedProxies) -> ConnectionLimiter {
        let share = max_connections as u64 / ADDRESS_SHARE;
        let share = share.clamp(*ADDRESS_CONNECTIONS.start(), *ADDRESS_CONNECTIONS.end());
        ConnectionLimiter(Arc::new(Inner {
            max_per_address: usize::try_from(share).unwrap_or(usize::MAX),
            trusted,
            open: Mutex::default(),
        }))
    }

    /// Counts a new connection; for `HttpServer::on_connect`.
    pub fn connected(&self, socket: &dyn Any, data: &mut Extensions) {
        let peer = socket.downcast_ref::<TcpStream>();
        let Some(peer) = peer.and_then(|socket| socket.peer_addr().ok()) else {
            return;
        };
        let address = peer.ip().to_canonical();
        if self.0.trusted.contains(address) {
            return;
        }
        let mut open = self.open();
        let count = open.entry(address).or_default();
        *count += 1;
        data.insert(Connection {
            limiter: self.clone(),
            address,
            is_admitted: *count <= self.0.max_per_address,
        });
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut open = self.limiter.open();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// Refuses requests on connections beyond the limit of their address, and bounds the time for a body to arrive.
///
/// # Errors
/// Those of the service inside.
pub async fn limit(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let connection = request.request().conn_data::<Connection>();
    if connection.is_some_and(|connection| !connection.is_admitted) {
        let refused = HttpResponse::ServiceUnavailable()
            .insert_header((header::CONNECTION, "close"))
            .insert_header((header::RETRY_AFTER, "10"))
            .body("Too many connections from your address. Close some and try again.");
        return Ok(request.into_response(refused));
    }
    // No handler reads the body of a GET, and the socket of a call is one that never ends.
    if request.method() != Method::GET {
        let body = request.take_payload();
        let body = TimedBody {
            body,
            deadline: Box::pin(tokio::time::sleep(BODY_TIMEOUT)),
        };
        request.set_payload(Payload::Stream {
            payload: Box::pin(body),
        });
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// A body that fails once its time is over.
struct TimedBody {
    body: Payload,
    deadline: Pin<Box<Sleep>>,
}

impl Stream for TimedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(part) = Pin::new(&mut self.body).poll_next(cx) {
            return Poll::Ready(part);
        }
        ready!(self.deadline.as_mut().poll(cx));
        let late = io::Error::new(io::ErrorKind::TimedOut, "the body did not arrive in time");
        Poll::Ready(Some(Err(PayloadError::Io(late))))
    }
}
