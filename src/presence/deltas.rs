//! What everybody has been told of the roster: told in deltas, few and small.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{RosterEntry, UserId};
use crate::common::name::{MAX_NAME_CHARS, fold};

/// Between two deltas, at least. Higher: fewer frames; lower: fresher lists.
const MIN_INTERVAL: Duration = Duration::from_millis(250);

/// For so many buddies there is a delta in [`MIN_INTERVAL`]. For more there is one so much later, up to
/// [`MAX_INTERVAL`], since each costs a frame for everybody; but not if there is enough to tell to fill one.
const BUDDIES_PER_INTERVAL: usize = 2_500;

/// Between two deltas of a crowd to which little happens, at most.
const MAX_INTERVAL: Duration = Duration::from_millis(1_000);

/// Changes that fill a delta.
const FULL_DELTA_CHANGES: usize = MAX_DELTA_BYTES / (ENTRY_BYTES_WITHOUT_NAME + 16);

/// Bytes of a delta's JSON, at most: a signal may carry 8192 (OpenTok). What does not fit waits for the
/// next one, so that a crowd that comes at once cannot flood those who are there.
const MAX_DELTA_BYTES: usize = 7500;

/// Bytes of a listed buddy's JSON without its name, at most.
const ENTRY_BYTES_WITHOUT_NAME: usize = 112;

/// Bytes of a departed buddy's JSON.
const LEFT_ENTRY_BYTES: usize = 39;

/// Buddies on one page, at most.
const MAX_PAGE_LEN: usize = 200;

/// What changed on the roster. Sent to everybody in the presence session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RosterDelta {
    /// Counts deltas from 1 without a gap.
    pub seq: u64,
    /// How many are listed now.
    pub total: usize,
    pub joined: Vec<RosterEntry>,
    pub changed: Vec<RosterEntry>,
    pub left: Vec<UserId>,
}

/// Which part of the roster somebody looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct RosterQuery<'a> {
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
pub struct RosterPage {
    pub seq: u64,
    /// How many there are on all pages of this query.
    pub total: usize,
    pub buddies: Vec<RosterEntry>,
}

#[derive(Debug, Default)]
pub(super) struct DeltaPublisher {
    seq: u64,
    published: HashMap<UserId, RosterEntry>,
    order: BTreeSet<RosterEntry>,
    /// Those who may have changed, the longest first; each once.
    dirty: VecDeque<UserId>,
    is_dirty: HashSet<UserId>,
    /// When the next delta may be made; of no meaning while nothing is dirty.
    due: Option<Instant>,
    last_sent_at: Option<Instant>,
}

impl DeltaPublisher {
    /// Notes that something about `user` may have changed.
    pub(super) fn mark_dirty(&mut self, user: UserId, now: Instant) {
        if self.is_dirty.insert(user) {
            let was_clean = self.dirty.is_empty();
            self.dirty.push_back(user);
            if was_clean || self.dirty.len() == FULL_DELTA_CHANGES {
                self.due = Some(
                    self.last_sent_at
                        .map_or(now, |last| now.max(last + self.interval())),
                );
            }
        }
    }

    fn interval(&self) -> Duration {
        if self.dirty.len() >= FULL_DELTA_CHANGES {
            return MIN_INTERVAL;
        }
        let intervals = u32::try_from(self.published.len().div_ceil(BUDDIES_PER_INTERVAL).max(1))
            .unwrap_or(u32::MAX);
        MIN_INTERVAL.saturating_mul(intervals).min(MAX_INTERVAL)
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| !self.dirty.is_empty())
    }

    /// The next delta, if it is time for one; `entry` tells how a buddy is listed now.
    pub(super) fn next_delta(
        &mut self,
        now: Instant,
        entry: impl Fn(UserId) -> Option<RosterEntry>,
    ) -> Option<RosterDelta> {
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        let mut delta = RosterDelta {
            seq: self.seq + 1,
            total: 0,
            joined: Vec::new(),
            changed: Vec::new(),
            left: Vec::new(),
        };
        let mut bytes = 0;
        while bytes < MAX_DELTA_BYTES - max_entry_bytes()
            && let Some(user) = self.dirty.pop_front()
        {
            self.is_dirty.remove(&user);
            let entry = entry(user);
            if self.published.get(&user) == entry.as_ref() {
                continue;
            }
            let before = match &entry {
                Some(entry) => self.published.insert(user, entry.clone()),
                None => self.published.remove(&user),
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
                    bytes += LEFT_ENTRY_BYTES;
                    delta.left.push(user);
                }
            }
        }
        if bytes == 0 {
            return None;
        }
        self.seq = delta.seq;
        self.last_sent_at = Some(now);
        self.due = Some(now + self.interval());
        delta.total = self.published.len();
        Some(delta)
    }

    pub(super) fn page(&self, query: RosterQuery<'_>) -> RosterPage {
        let search = fold(query.search);
        let mut total = 0;
        let mut buddies = Vec::new();
        let end = query
            .offset
            .saturating_add(query.limit.clamp(1, MAX_PAGE_LEN));
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
        RosterPage {
            seq: self.seq,
            total,
            buddies,
        }
    }
}

/// What the longest name of the costliest characters takes.
const fn max_entry_bytes() -> usize {
    ENTRY_BYTES_WITHOUT_NAME + MAX_NAME_CHARS * 4
}

fn entry_bytes(entry: &RosterEntry) -> usize {
    let name = entry.person.name.as_str();
    let escaped = name.bytes().filter(|byte| matches!(byte, b'"' | b'\\'));
    ENTRY_BYTES_WITHOUT_NAME + name.len() + escaped.count()
}
