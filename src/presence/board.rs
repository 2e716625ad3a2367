//! What everybody has been told of the roster: told in deltas, few and small.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{Entry, UserId, name};

/// Between two deltas, at least. Higher: fewer frames; lower: fresher lists.
const BETWEEN_DELTAS: Duration = Duration::from_millis(250);

/// For so many buddies there is a delta in [`BETWEEN_DELTAS`]. For more there is one so much later, up to
/// [`CROWD_WAITS`], since each costs a frame for everybody; but not if there is enough to tell to fill one.
const CROWD: usize = 2_500;

/// Between two deltas of a crowd to which little happens, at most.
const CROWD_WAITS: Duration = Duration::from_millis(1_000);

/// Changes that fill a delta.
const FULL: usize = DELTA_BYTES / (ENTRY_BYTES + 16);

/// Bytes of a delta's JSON, at most: a signal may carry 8192 (OpenTok). What does not fit waits for the
/// next one, so that a crowd that comes at once cannot flood those who are there.
const DELTA_BYTES: usize = 7500;

/// Bytes of a listed buddy's JSON without its name, at most.
const ENTRY_BYTES: usize = 112;

/// Bytes of a departed buddy's JSON.
const LEFT_BYTES: usize = 39;

/// Buddies on one page, at most.
const PAGE_MAX: usize = 200;

/// What changed on the roster. Sent to everybody in the presence session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delta {
    /// Counts deltas from 1 without a gap.
    pub seq: u64,
    /// How many are listed now.
    pub total: usize,
    pub joined: Vec<Entry>,
    pub changed: Vec<Entry>,
    pub left: Vec<UserId>,
}

/// Which part of the roster somebody looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'a> {
    /// Part of a name, whatever its case; empty: everybody.
    pub search: &'a str,
    /// How many to skip.
    pub offset: usize,
    /// How many to show: at least 1, at most 200.
    pub limit: usize,
    /// The one who looks: not a buddy of itself.
    pub except: Option<UserId>,
}

/// A part of the roster, as it is when all deltas up to `seq` have been applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    pub seq: u64,
    /// How many there are on all pages of this query.
    pub total: usize,
    pub buddies: Vec<Entry>,
}

#[derive(Debug, Default)]
pub(super) struct Board {
    seq: u64,
    shown: HashMap<UserId, Entry>,
    order: BTreeSet<Entry>,
    /// Those who may have changed, the longest first; each once.
    dirty: VecDeque<UserId>,
    is_dirty: HashSet<UserId>,
    /// When the next delta may be made; of no meaning while nothing is dirty.
    due: Option<Instant>,
    last: Option<Instant>,
}

impl Board {
    /// Notes that something about `user` may have changed.
    pub(super) fn mark(&mut self, user: UserId, now: Instant) {
        if self.is_dirty.insert(user) {
            let was_calm = self.dirty.is_empty();
            self.dirty.push_back(user);
            if was_calm || self.dirty.len() == FULL {
                self.due = Some(self.last.map_or(now, |last| now.max(last + self.between())));
            }
        }
    }

    fn between(&self) -> Duration {
        if self.dirty.len() >= FULL {
            return BETWEEN_DELTAS;
        }
        let crowd = u32::try_from(self.shown.len().div_ceil(CROWD).max(1)).unwrap_or(u32::MAX);
        BETWEEN_DELTAS.saturating_mul(crowd).min(CROWD_WAITS)
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| !self.dirty.is_empty())
    }

    /// The next delta, if it is time for one; `entry` tells how a buddy is listed now.
    pub(super) fn flush(
        &mut self,
        now: Instant,
        entry: impl Fn(UserId) -> Option<Entry>,
    ) -> Option<Delta> {
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        let mut delta = Delta {
            seq: self.seq + 1,
            total: 0,
            joined: Vec::new(),
            changed: Vec::new(),
            left: Vec::new(),
        };
        let mut bytes = 0;
        while bytes < DELTA_BYTES - max_entry_bytes()
            && let Some(user) = self.dirty.pop_front()
        {
            self.is_dirty.remove(&user);
            let entry = entry(user);
            if self.shown.get(&user) == entry.as_ref() {
                continue;
            }
            let before = match &entry {
                Some(entry) => self.shown.insert(user, entry.clone()),
                None => self.shown.remove(&user),
            };
            if let Some(before) = &before {
                self.order.remove(before);
            }
            match entry {
                Some(entry) => {
                    bytes += entry_bytes(&entry);
                    self.order.insert(entry.clone());
                    if before.is_some() {
                        delta.changed.push(entry);
                    } else {
                        delta.joined.push(entry);
                    }
                }
                None => {
                    bytes += LEFT_BYTES;
                    delta.left.push(user);
                }
            }
        }
        if bytes == 0 {
            return None;
        }
        self.seq = delta.seq;
        self.last = Some(now);
        self.due = Some(now + self.between());
        delta.total = self.shown.len();
        Some(delta)
    }

    pub(super) fn page(&self, query: Query<'_>) -> Page {
        let search = name::fold(query.search);
        let mut total = 0;
        let mut buddies = Vec::new();
        let end = query.offset.saturating_add(query.limit.clamp(1, PAGE_MAX));
        for entry in &self.order {
            if Some(entry.person.id) == query.except
                || !entry.person.name.folded().contains(&search)
            {
                continue;
            }
            if (query.offset..end).contains(&total) {
                buddies.push(entry.clone());
            }
            total += 1;
        }
        Page {
            seq: self.seq,
            total,
            buddies,
        }
    }
}

/// What the longest name of the costliest characters takes.
const fn max_entry_bytes() -> usize {
    ENTRY_BYTES + 100 * 4
}

fn entry_bytes(entry: &Entry) -> usize {
    let name = entry.person.name.as_str();
    let escaped = name.bytes().filter(|byte| matches!(byte, b'"' | b'\\'));
    ENTRY_BYTES + name.len() + escaped.count()
}
