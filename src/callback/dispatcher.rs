//! The dispatcher of webhooks: delivers waiting events, one at a time per receiver, to several receivers at once.
//!
//! A receiver is one URL of a project; several topics may share it. A failing receiver delays no other receiver.
//!
//! - Backoff: a failed event waits for its next attempt, exponentially longer each time, with jitter ([`Schedule`](super::Schedule)). After a day it is
//!   given up.
//! - Order: events are delivered in order. A failing event blocks the later ones for its first four attempts, about a minute. Then
//!   they overtake it.
//! - Circuit: ten consecutive failures of a receiver open its circuit. Then one event at a time probes it, at growing intervals. A
//!   probe prefers an event that was not overtaken, so that an event that always fails does not keep the circuit open. Otherwise it
//!   sends the event that is due first, before its time.
//! - Recovery: the first delivery after four or more consecutive failures closes the circuit and makes the waiting events due now.
//!   Events that have failed eight times are excepted: the receiver refuses these, and they keep their backoff.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{task, task::JoinSet, time::timeout};
use tracing::{debug, error, info, warn};

use super::{
    Callbacks,
    client::Request,
    count,
    schedule::millis,
    signature::sign,
    store::{self, Receiver, WaitingEvent},
};
use crate::archive::{ArchiveId, snapshot};

/// The failed attempts from which on an event is not made due by a recovery.
const MAX_EARLY_ATTEMPTS: u32 = 8;
/// The most requests in flight. A receiver that does not respond occupies one of them for ten seconds.
const MAX_IN_FLIGHT: usize = 64;
/// How often the dispatcher polls for events of which it was not notified.
const POLL_INTERVAL: Duration = Duration::from_secs(60);
/// The delay before the next query after the database failed.
const DATABASE_RETRY_DELAY: Duration = Duration::from_secs(5);
/// How long requests in flight may take after the server begins to stop.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// The receivers that have waiting events, and the requests in flight.
#[derive(Default)]
struct Queues {
    /// The next poll of each receiver that has no request in flight. Unix time, ms.
    due: HashMap<Receiver, i64>,
    in_flight: JoinSet<Outcome>,
    /// The receiver and the event of each request in flight.
    attempts: HashMap<task::Id, (Receiver, Arc<WaitingEvent>)>,
    /// The circuits of the receivers that have failed since their last delivery.
    circuits: HashMap<Receiver, Circuit>,
}

/// The state of a failing receiver.
#[derive(Clone, Copy, Default)]
struct Circuit {
    /// Consecutive failures.
    failures: u32,
    /// The time of the next probe; `None`: the circuit is closed. Unix time, ms.
    probe_at_ms: Option<i64>,
}

impl Queues {
    fn circuit(&self, receiver: &Receiver) -> Circuit {
        self.circuits.get(receiver).copied().unwrap_or_default()
    }

    fn is_busy(&self, receiver: &Receiver) -> bool {
        self.attempts.values().any(|(busy, _)| busy == receiver)
    }

    /// Whether the event is in flight to any receiver: its URL may have changed meanwhile.
    fn is_in_flight(&self, event: &WaitingEvent) -> bool {
        self.attempts
            .values()
            .any(|(_, other)| other.seq == event.seq)
    }
}

/// The outcome of an attempt.
enum Outcome {
    Delivered,
    /// The attempt failed for this reason. The event waits for its next attempt, or was given up.
    Failed(String),
    /// The event no longer exists.
    Gone,
    /// The database failed, so the event is unchanged.
    Unchanged,
}

/// Runs until [`Callbacks::close`].
pub async fn run(callbacks: Callbacks) {
    let mut queues = Queues::default();
    let mut is_poll_due = true;
    loop {
        if is_poll_due {
            callbacks.poll(&mut queues).await;
        }
        callbacks.send(&mut queues).await;
        let wait = callbacks.until_due(&queues);
        tokio::select! {
            () = callbacks.closed() => break,
            () = callbacks.0.work.notified() => is_poll_due = true,
            Some(done) = queues.in_flight.join_next_with_id() => {
                is_poll_due = false;
                callbacks.record(&mut queues, done).await;
            }
            () = tokio::time::sleep(wait) => is_poll_due = true,
        }
    }
    let ended = async { while queues.in_flight.join_next().await.is_some() {} };
    // Events of unfinished requests are delivered again after the next start.
    let _ = timeout(SHUTDOWN_GRACE, ended).await;
}

impl Callbacks {
    /// Finds the receivers that have waiting events.
    async fn poll(&self, queues: &mut Queues) {
        let now_ms = self.now_ms();
        let receivers = match store::receivers(&self.0.db).await {
            Ok(receivers) => receivers,
            Err(error) => {
                error!(%error, "Finding callback events failed");
                return;
            }
        };
        queues
            .circuits
            .retain(|failing, _| receivers.contains(failing));
        for receiver in receivers {
            if !queues.is_busy(&receiver) {
                let probe_at = queues.circuit(&receiver).probe_at_ms;
                let earliest = probe_at.map_or(now_ms, |at| at.max(now_ms));
                let at = queues.due.entry(receiver).or_insert(earliest);
                *at = earliest.min(*at);
            }
        }
    }

    /// Sends the events that are due, up to the limit of requests in flight. The receiver that has waited longest is first.
    async fn send(&self, queues: &mut Queues) {
        let now_ms = self.now_ms();
        let due = queues.due.iter().filter(|(_, at)| **at <= now_ms);
        let mut due: Vec<(i64, Receiver)> = due.map(|(to, at)| (*at, to.clone())).collect();
        due.sort_unstable();
        for (_, receiver) in due {
            if queues.in_flight.len() >= MAX_IN_FLIGHT {
                return;
            }
            let again = now_ms.saturating_add(millis(DATABASE_RETRY_DELAY));
            let circuit = queues.circuit(&receiver);
            let next = match self.next(&receiver, circuit, now_ms).await {
                Ok(Next::Deliver(event)) if queues.is_in_flight(&event) => Some(again),
                Ok(Next::Deliver(event)) => {
                    queues.due.remove(&receiver);
                    let (this, to, sent) = (self.clone(), receiver.clone(), Arc::clone(&event));
                    let deliver = async move { this.deliver(&to, circuit, &sent).await };
                    let task = queues.in_flight.spawn(deliver);
                    queues.attempts.insert(task.id(), (receiver, event));
                    continue;
                }
                Ok(Next::PollAt(at)) => at,
                Err(error) => {
                    error!(%error, project.key = receiver.api_key, "Reading a callback event failed");
                    Some(again)
                }
            };
            match next {
                Some(at) => queues.due.insert(receiver, at),
                None => queues.due.remove(&receiver),
            };
        }
    }

    /// Returns the time until an event is due that may be sent.
    fn until_due(&self, queues: &Queues) -> Duration {
        if queues.in_flight.len() >= MAX_IN_FLIGHT {
            return POLL_INTERVAL;
        }
        let first = queues.due.values().min();
        let wait = first.map_or(i64::MAX, |at| at.saturating_sub(self.now_ms()));
        Duration::from_millis(wait.try_into().unwrap_or_default()).min(POLL_INTERVAL)
    }

    async fn next(
        &self,
        receiver: &Receiver,
        circuit: Circuit,
        now_ms: i64,
    ) -> Result<Next, sqlx::Error> {
        let db = &self.0.db;
        let blocking = self.0.settings.schedule.blocking_attempts;
        if circuit.probe_at_ms.is_some() {
            // No event is due before this time, so these are the events that were not overtaken.
            let mut probe = store::next(db, receiver, blocking, i64::MIN).await?;
            if probe.is_none()
                && let Some(due) = store::due_at_ms(db, receiver).await?
            {
                probe = store::next(db, receiver, blocking, due.max(now_ms)).await?;
            }
            return Ok(match probe {
                Some(event) => Next::Deliver(Arc::new(event)),
                None => Next::PollAt(None),
            });
        }
        let event = store::next(db, receiver, blocking, now_ms).await?;
        Ok(match event {
            Some(event) if event.due_at_ms <= now_ms => Next::Deliver(Arc::new(event)),
            Some(event) => Next::PollAt(Some(event.due_at_ms)),
            None => Next::PollAt(store::due_at_ms(db, receiver).await?),
        })
    }

    /// Records the end of an attempt, so that the next event of the receiver may be sent.
    async fn record(
        &self,
        queues: &mut Queues,
        done: Result<(task::Id, Outcome), task::JoinError>,
    ) {
        let id = done
            .as_ref()
            .map_or_else(task::JoinError::id, |(id, _)| *id);
        let Some((receiver, event)) = queues.attempts.remove(&id) else {
            return;
        };
        let key = receiver.api_key;
        let outcome = match done {
            Ok((_, outcome)) => outcome,
            Err(panic) => {
                error!(%panic, event.id = %event.id, "Delivering a callback event panicked");
                self.retry_later(&receiver, &event, "an internal error".to_owned())
                    .await
            }
        };
        if matches!(outcome, Outcome::Unchanged) {
            // The pause counts as a request in flight, so nothing queries the database for this receiver meanwhile.
            let pause = async {
                tokio::time::sleep(DATABASE_RETRY_DELAY).await;
                Outcome::Gone
            };
            let task = queues.in_flight.spawn(pause);
            queues.attempts.insert(task.id(), (receiver, event));
            return;
        }
        queues.due.insert(receiver.clone(), self.now_ms());
        match outcome {
            Outcome::Delivered => {
                let circuit = queues.circuits.remove(&receiver).unwrap_or_default();
                // Fewer failures may be due to one event.
                if circuit.failures > self.0.settings.schedule.blocking_attempts {
                    info!(
                        project.key = key,
                        failed_attempts = circuit.failures,
                        "Callbacks are delivered again"
                    );
                }
            }
            Outcome::Failed(reason) => {
                let circuit = queues.circuits.entry(receiver.clone()).or_default();
                circuit.failures = circuit.failures.saturating_add(1);
                let was_open = circuit.probe_at_ms.is_some();
                let schedule = &self.0.settings.schedule;
                circuit.probe_at_ms =
                    schedule.next_probe(&receiver.url, circuit.failures, self.now_ms());
                if let Some(at) = circuit.probe_at_ms {
                    queues.due.insert(receiver, at);
                    if !was_open {
                        warn!(project.key = key, %reason, "Callbacks are paused; probing");
                    }
                }
                if circuit.failures == 1 {
                    warn!(
                        project.key = key,
                        event.id = %event.id,
                        %reason,
                        "Delivering a callback event failed; retrying for a day"
                    );
                } else {
                    debug!(project.key = key, event.id = %event.id, %reason, "Delivering a callback event failed");
                }
            }
            Outcome::Gone | Outcome::Unchanged => {}
        }
    }

    /// Makes one attempt and saves its outcome.
    async fn deliver(
        &self,
        receiver: &Receiver,
        circuit: Circuit,
        event: &WaitingEvent,
    ) -> Outcome {
        let body = match self.body(event).await {
            Ok(Some(body)) => body,
            Ok(None) => {
                let forgotten = store::delete(&self.0.db, event.seq).await;
                return settle(forgotten, Outcome::Gone);
            }
            // The row may be repaired within the day. Otherwise the event is given up like an undeliverable one.
            Err(damage @ (sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. })) => {
                let why = format!("the event cannot be read: {damage}");
                return self.retry_later(receiver, event, why).await;
            }
            Err(error) => return settle(Err(error), Outcome::Unchanged),
        };
        let timestamp_s = self.now_ms() / 1000;
        let secret = event.secret.expose().as_bytes();
        let request = Request {
            url: &receiver.url,
            id: &event.id,
            timestamp_s,
            signature: &sign(secret, &event.id, timestamp_s, &body),
            body,
        };
        if let Err(why) = self.0.client.post(request).await {
            return self.retry_later(receiver, event, why.to_string()).await;
        }
        count(&self.0.counters.delivered, 1);
        let saved = async {
            store::delete(&self.0.db, event.seq).await?;
            if circuit.failures >= self.0.settings.schedule.blocking_attempts {
                let now_ms = self.now_ms();
                store::retry_now(&self.0.db, receiver, MAX_EARLY_ATTEMPTS, now_ms).await?;
            }
            Ok(())
        };
        settle(saved.await, Outcome::Delivered)
    }

    /// Saves a failed attempt: schedules the next one, or gives the event up.
    async fn retry_later(&self, receiver: &Receiver, event: &WaitingEvent, why: String) -> Outcome {
        let counters = &self.0.counters;
        count(&counters.failed, 1);
        let attempts = event.attempts.saturating_add(1);
        let schedule = &self.0.settings.schedule;
        let now_ms = self.now_ms();
        let next = schedule.next_attempt(&event.id, attempts, event.occurred_at_ms, now_ms);
        let saved = match next {
            Some(due) => store::retry_later(&self.0.db, event.seq, attempts, due).await,
            None => {
                warn!(
                    project.key = receiver.api_key,
                    event.id = %event.id,
                    attempts,
                    reason = why,
                    "A callback event was given up"
                );
                count(&counters.given_up, 1);
                let before_ms = now_ms.saturating_sub(millis(schedule.give_up_after));
                self.give_up(receiver, event, before_ms).await
            }
        };
        settle(saved, Outcome::Failed(why))
    }

    /// Deletes an event, and those of the same receiver that became too old while the circuit was open.
    async fn give_up(
        &self,
        receiver: &Receiver,
        event: &WaitingEvent,
        before_ms: i64,
    ) -> Result<(), sqlx::Error> {
        store::delete(&self.0.db, event.seq).await?;
        let others = store::delete_before(&self.0.db, receiver, before_ms).await?;
        count(&self.0.counters.given_up, others);
        Ok(())
    }

    /// Returns the payload. The payload of an archive is written at the time of the attempt, because its link is valid for ten
    /// minutes. `None`: the archive no longer exists.
    pub(super) async fn body(&self, event: &WaitingEvent) -> Result<Option<String>, sqlx::Error> {
        let Some(id) = &event.archive else {
            return Ok(Some(event.body.clone()));
        };
        let id = ArchiveId::parse(id)
            .ok_or_else(|| sqlx::Error::Decode("a malformed archive id".into()))?;
        let then = serde_json::from_str(&event.body)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let archive = snapshot::find_as_of(&self.0.db, id, then).await?;
        let public_url = self.0.settings.public_url.as_deref();
        if public_url.is_none() {
            self.0.no_links_warning.call_once(|| {
                warn!("Callbacks contain no links to archive files: set --public-url to the URL of this server");
            });
        }
        Ok(archive.map(|archive| {
            let object = self.0.objects.write(&archive, public_url, self.now_ms());
            serde_json::to_string(&object).expect("an archive has string keys only")
        }))
    }

    fn now_ms(&self) -> i64 {
        (self.0.settings.now_ms)()
    }
}

/// Returns the outcome of an attempt if it was saved.
fn settle(saved: Result<(), sqlx::Error>, outcome: Outcome) -> Outcome {
    match saved {
        Ok(()) => outcome,
        Err(error) => {
            error!(%error, "Reading or saving a callback event failed");
            Outcome::Unchanged
        }
    }
}

/// The next step for a receiver.
enum Next {
    /// Deliver this event.
    Deliver(Arc<WaitingEvent>),
    /// Poll at this time (Unix time, ms); `None`: no event waits.
    PollAt(Option<i64>),
}
