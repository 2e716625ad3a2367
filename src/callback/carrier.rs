//! Delivers what waits: one event of a receiver after the other, to several receivers at once.
//!
//! A receiver is who takes a project's events at one url (there may be one for each topic). One that is not there delays nothing
//! of the others. Within a receiver an event that is not taken holds up the next ones for its first tries, and is put off from
//! then on. Once the receiver takes something it seems to be back, so what has failed meanwhile is tried at once; but it may as
//! well be that it never takes just these. So each try that fails in its turn earns one early try, and an early one that fails
//! earns none: what comes too often is at most every second try.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{task, task::JoinSet, time::timeout};
use tracing::{debug, error, info, warn};

use super::{
    Callbacks, count,
    post::Request,
    schedule::millis,
    signature::sign,
    store::{self, Receiver, Waiting},
};
use crate::archive::{ArchiveId, snapshot};

/// Tries at once. A receiver that does not answer takes one of them for ten seconds.
const AT_ONCE: usize = 64;
/// How often it is looked for events of which nobody told.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long the database is left alone when it did not answer.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long tries may take that are on their way when the server stops.
const LAST_TRIES: Duration = Duration::from_secs(2);

/// The receivers for which events wait.
#[derive(Default)]
struct Lanes {
    /// When it is looked again for an event of a receiver to whom none is on its way. Unix time, ms.
    due: HashMap<Receiver, i64>,
    on_their_way: JoinSet<Outcome>,
    /// What they are, and to whom.
    tries: HashMap<task::Id, (Receiver, Arc<Waiting>)>,
    /// How many tries of a receiver have failed since it took an event.
    failing: HashMap<Receiver, u32>,
}

impl Lanes {
    fn is_busy(&self, receiver: &Receiver) -> bool {
        self.tries.values().any(|(busy, _)| busy == receiver)
    }

    /// Also to another receiver than now: its url may have changed meanwhile.
    fn is_on_its_way(&self, event: &Waiting) -> bool {
        self.tries.values().any(|(_, other)| other.seq == event.seq)
    }
}

/// What came of a try.
enum Outcome {
    Taken,
    /// Why, as a sentence for the log. The event is put off, or given up.
    NotTaken(String),
    /// There is nothing to deliver any more.
    Void,
    /// The database did not answer, so the event is as it was.
    Unknown,
}

/// Runs until callbacks are closed.
pub async fn carry(callbacks: Callbacks) {
    let mut lanes = Lanes::default();
    let mut look_everywhere = true;
    loop {
        if look_everywhere {
            callbacks.look(&mut lanes).await;
        }
        callbacks.send(&mut lanes).await;
        let wait = callbacks.until_due(&lanes);
        tokio::select! {
            () = callbacks.closed() => break,
            () = callbacks.0.work.notified() => look_everywhere = true,
            Some(done) = lanes.on_their_way.join_next_with_id() => {
                look_everywhere = false;
                callbacks.note(&mut lanes, done).await;
            }
            () = tokio::time::sleep(wait) => look_everywhere = true,
        }
    }
    let ended = async { while lanes.on_their_way.join_next().await.is_some() {} };
    // What does not end is delivered again after the next start.
    let _ = timeout(LAST_TRIES, ended).await;
}

impl Callbacks {
    /// Finds the receivers for which events wait.
    async fn look(&self, lanes: &mut Lanes) {
        let now_ms = self.now_ms();
        let receivers = match store::receivers(&self.0.db).await {
            Ok(receivers) => receivers,
            Err(problem) => {
                error!("Events for callbacks cannot be found: {problem}");
                return;
            }
        };
        lanes
            .failing
            .retain(|failing, _| receivers.contains(failing));
        for receiver in receivers {
            if !lanes.is_busy(&receiver) {
                let at = lanes.due.entry(receiver).or_insert(now_ms);
                *at = now_ms.min(*at);
            }
        }
    }

    /// Sends what is due, as long as there is room; who has waited longest is first.
    async fn send(&self, lanes: &mut Lanes) {
        let now_ms = self.now_ms();
        let due = lanes.due.iter().filter(|(_, at)| **at <= now_ms);
        let mut due: Vec<(i64, Receiver)> = due.map(|(to, at)| (*at, to.clone())).collect();
        due.sort_unstable();
        for (_, receiver) in due {
            if lanes.on_their_way.len() >= AT_ONCE {
                return;
            }
            let again = now_ms.saturating_add(millis(AGAIN_AFTER));
            let next = match self.next(&receiver, now_ms).await {
                Ok(Next::Now(event)) if lanes.is_on_its_way(&event) => Some(again),
                Ok(Next::Now(event)) => {
                    lanes.due.remove(&receiver);
                    let (this, to, what) = (self.clone(), receiver.clone(), Arc::clone(&event));
                    let deliver = async move { this.deliver(&to, &what).await };
                    let task = lanes.on_their_way.spawn(deliver);
                    lanes.tries.insert(task.id(), (receiver, event));
                    continue;
                }
                Ok(Next::Later(at)) => at,
                Err(problem) => {
                    let key = receiver.api_key;
                    error!(
                        project.key = key,
                        "An event of project {key} cannot be read: {problem}"
                    );
                    Some(again)
                }
            };
            match next {
                Some(at) => lanes.due.insert(receiver, at),
                None => lanes.due.remove(&receiver),
            };
        }
    }

    /// How long nothing will be due that could be sent.
    fn until_due(&self, lanes: &Lanes) -> Duration {
        if lanes.on_their_way.len() >= AT_ONCE {
            return LOOK_EVERY;
        }
        let first = lanes.due.values().min();
        let wait = first.map_or(i64::MAX, |at| at.saturating_sub(self.now_ms()));
        Duration::from_millis(wait.try_into().unwrap_or_default()).min(LOOK_EVERY)
    }

    async fn next(&self, receiver: &Receiver, now_ms: i64) -> Result<Next, sqlx::Error> {
        let holding_tries = self.0.settings.schedule.holding_tries;
        let event = store::next(&self.0.db, receiver, holding_tries, now_ms).await?;
        Ok(match event {
            Some(event) if event.due_at_ms <= now_ms => Next::Now(Arc::new(event)),
            Some(event) => Next::Later(Some(event.due_at_ms)),
            None => Next::Later(store::due_at_ms(&self.0.db, receiver).await?),
        })
    }

    /// Takes note of a try that is over: the receiver's next event may come.
    async fn note(&self, lanes: &mut Lanes, done: Result<(task::Id, Outcome), task::JoinError>) {
        let id = done
            .as_ref()
            .map_or_else(task::JoinError::id, |(id, _)| *id);
        let Some((receiver, event)) = lanes.tries.remove(&id) else {
            return;
        };
        let key = receiver.api_key;
        let outcome = match done {
            Ok((_, outcome)) => outcome,
            Err(panic) => {
                error!("Delivering event `{}` failed: {panic}", event.id);
                self.put_off(key, &event, "it cannot be delivered".to_owned())
                    .await
            }
        };
        if matches!(outcome, Outcome::Unknown) {
            // Nobody else asks the database for this receiver meanwhile.
            let rest = async {
                tokio::time::sleep(AGAIN_AFTER).await;
                Outcome::Void
            };
            let task = lanes.on_their_way.spawn(rest);
            lanes.tries.insert(task.id(), (receiver, event));
            return;
        }
        lanes.due.insert(receiver.clone(), self.now_ms());
        match outcome {
            Outcome::Taken => {
                let failed = lanes.failing.remove(&receiver).unwrap_or_default();
                // Fewer were the trouble of one event.
                if failed > self.0.settings.schedule.holding_tries {
                    info!(
                        project.key = key,
                        "Events of project {key} are taken again, after {failed} tries that failed"
                    );
                }
            }
            Outcome::NotTaken(why) => {
                let failed = lanes.failing.entry(receiver).or_default();
                *failed += 1;
                if *failed == 1 {
                    warn!(
                        project.key = key,
                        "An event of project {key} is not taken: {why}. It is tried again, for a day"
                    );
                } else {
                    debug!(
                        project.key = key,
                        "An event of project {key} is not taken: {why}"
                    );
                }
            }
            Outcome::Void | Outcome::Unknown => {}
        }
    }

    /// One try, and what it means for the event and those that were put off.
    async fn deliver(&self, receiver: &Receiver, event: &Waiting) -> Outcome {
        let body = match self.body(event).await {
            Ok(Some(body)) => body,
            Ok(None) => {
                let forgotten = store::forget(&self.0.db, event.seq).await;
                return settle(forgotten, Outcome::Void);
            }
            // It may be mended within the day; if not, it goes as what nobody takes.
            Err(damage @ (sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. })) => {
                let why = format!("it cannot be read: {damage}");
                return self.put_off(receiver.api_key, event, why).await;
            }
            Err(problem) => return settle(Err(problem), Outcome::Unknown),
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
        if let Err(why) = self.0.poster.post(request).await {
            return self.put_off(receiver.api_key, event, why.to_string()).await;
        }
        count(&self.0.counters.delivered, 1);
        let noted = async {
            store::forget(&self.0.db, event.seq).await?;
            store::hurry(&self.0.db, receiver, self.now_ms()).await
        };
        settle(noted.await, Outcome::Taken)
    }

    /// Notes that a try has failed: there will be another one, or it was the last.
    async fn put_off(&self, key: u32, event: &Waiting, why: String) -> Outcome {
        let counters = &self.0.counters;
        count(&counters.failed, 1);
        let tries = event.tries.saturating_add(1);
        let schedule = &self.0.settings.schedule;
        let noted = match schedule.next_try(tries, event.happened_at_ms, self.now_ms()) {
            Some(due) => store::put_off(&self.0.db, event.seq, tries, due).await,
            None => {
                count(&counters.given_up, 1);
                warn!(
                    project.key = key,
                    event.id = %event.id,
                    "Event `{}` of project {key} is given up after {tries} tries: {why}", event.id
                );
                store::forget(&self.0.db, event.seq).await
            }
        };
        settle(noted, Outcome::NotTaken(why))
    }

    /// What is posted. Of an archive it is written now, so that its link is good for ten minutes from now on. `None`: there is
    /// no such archive any more.
    pub(super) async fn body(&self, event: &Waiting) -> Result<Option<String>, sqlx::Error> {
        let Some(id) = &event.archive else {
            return Ok(Some(event.body.clone()));
        };
        let id = ArchiveId::parse(id)
            .ok_or_else(|| sqlx::Error::Decode("a damaged id of an archive".into()))?;
        let then = serde_json::from_str(&event.body)
            .map_err(|problem| sqlx::Error::Decode(Box::new(problem)))?;
        let archive = snapshot::find_as_of(&self.0.db, id, then).await?;
        let base = self.0.settings.base.as_deref();
        if base.is_none() {
            self.0.no_links.call_once(|| {
                warn!(
                    "Callbacks tell no links to the files of archives: say with --public-url where others reach this server"
                );
            });
        }
        Ok(archive.map(|archive| {
            let object = self.0.objects.write(&archive, base, self.now_ms());
            serde_json::to_string(&object).expect("an archive has string keys only")
        }))
    }

    fn now_ms(&self) -> i64 {
        (self.0.settings.now_ms)()
    }
}

/// What came of a try, if it could be noted.
fn settle(noted: Result<(), sqlx::Error>, outcome: Outcome) -> Outcome {
    match noted {
        Ok(()) => outcome,
        Err(problem) => {
            error!("An event for a callback cannot be read or changed: {problem}");
            Outcome::Unknown
        }
    }
}

/// What is to be done for a receiver.
enum Next {
    /// Deliver this.
    Now(Arc<Waiting>),
    /// Look again at this moment (Unix time, ms); `None`: nothing waits.
    Later(Option<i64>),
}
