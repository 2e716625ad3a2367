//! Limits sign-ins: shuts out guessers and not the owner of an account.
//!
//! An attempt counts for the account and the client's network together, and for the network alone. So strangers elsewhere never
//! use up the attempts of the owner. There is no limit for an account over all networks, because it would let strangers shut out
//! the owner. A device that has signed in to the account before has attempts of its own. A new password renews the attempts of the
//! account.
//!
//! An attempt is counted before its password is hashed, and uncounted when the password is right. Hashing takes 19 MiB and a core
//! for about 50 ms, so few attempts may wait for it, and fewer of one network or account. All others are refused at once.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::common::rate_limit::{KeyedRateLimiter, LimitedAction};

/// The most attempts that are hashed or wait for it.
const MAX_PENDING: usize = 16;
/// The part of them that unknown devices may use.
const MAX_PENDING_UNKNOWN: usize = 12;
/// The most pending attempts from unknown devices of one network.
const MAX_PENDING_OF_NETWORK: usize = 4;
/// The most pending attempts from unknown devices for one account.
const MAX_PENDING_FOR_ACCOUNT: usize = 8;
/// The most pending attempts from one known device.
const MAX_PENDING_OF_DEVICE: usize = 2;

/// The reason why an attempt is refused without looking at the password.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignInRefused {
    #[error("too many failed attempts")]
    TooManyAttempts { wait: Duration },
    #[error("too many people are signing in at the moment")]
    Busy,
}

impl SignInRefused {
    /// Returns the time after which another attempt is permitted.
    pub fn wait(self) -> Duration {
        match self {
            SignInRefused::TooManyAttempts { wait } => wait,
            SignInRefused::Busy => Duration::from_secs(1),
        }
    }
}

/// The origin of an attempt.
#[derive(Clone, Debug, Default)]
pub struct SignInClient {
    pub address: Option<IpAddr>,
    /// The device, if it has signed in to any account before.
    pub device: Option<KnownDevice>,
}

/// A device that has signed in to an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KnownDevice {
    /// A random id.
    pub id: String,
    /// The id of the account.
    pub account: i64,
}

impl SignInClient {
    /// Forgets a device that is not known to this account.
    pub(super) fn for_account(mut self, account: Option<i64>) -> SignInClient {
        self.device
            .take_if(|device| Some(device.account) != account);
        self
    }
}

/// What attempts are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Network(Option<IpAddr>),
    /// The folded name, or the stamp of an existing account, which changes with the password.
    Account(String),
    AccountFromNetwork(String, Option<IpAddr>),
    Device(String),
}

/// Counts the sign-ins of one server.
#[derive(Debug)]
pub struct SignInGuard(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The rate limits of each kind of key.
    account: KeyedRateLimiter<Key>,
    account_sustained: KeyedRateLimiter<Key>,
    network: KeyedRateLimiter<Key>,
    device: KeyedRateLimiter<Key>,
    pending: HashMap<Key, usize>,
    pending_total: usize,
    pending_unknown: usize,
}

impl Default for SignInGuard {
    fn default() -> Self {
        SignInGuard(Mutex::new(State {
            account: KeyedRateLimiter::new(LimitedAction::SignIn),
            account_sustained: KeyedRateLimiter::new(LimitedAction::SignInSustained),
            network: KeyedRateLimiter::new(LimitedAction::SignInFromNetwork),
            device: KeyedRateLimiter::new(LimitedAction::SignInFromDevice),
            pending: HashMap::new(),
            pending_total: 0,
            pending_unknown: 0,
        }))
    }
}

impl SignInGuard {
    /// Counts an attempt before its password is checked. `account` is the stamp of the account, or the name if there is none.
    ///
    /// # Errors
    /// [`SignInRefused`]; the attempt is not counted.
    pub(super) fn begin(
        &self,
        account: &str,
        client: &SignInClient,
        now: Instant,
    ) -> Result<Attempt<'_>, SignInRefused> {
        let keys = match &client.device {
            Some(device) => Keys::Known(Key::Device(device.id.clone())),
            None => {
                let network = client.address.map(network);
                let account = account.to_owned();
                Keys::Unknown {
                    both: Key::AccountFromNetwork(account.clone(), network),
                    account: Key::Account(account),
                    network: Key::Network(network),
                }
            }
        };
        let mut state = self.state();
        state.check(&keys, now)?;
        state.enter(&keys)?;
        state.count(&keys, now);
        Ok(Attempt { guard: self, keys })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The keys of one attempt.
enum Keys {
    Known(Key),
    Unknown {
        account: Key,
        network: Key,
        both: Key,
    },
}

impl State {
    fn check(&self, keys: &Keys, now: Instant) -> Result<(), SignInRefused> {
        let checks = match keys {
            Keys::Known(device) => vec![self.device.check(device, now)],
            Keys::Unknown { network, both, .. } => vec![
                self.account.check(both, now),
                self.account_sustained.check(both, now),
                self.network.check(network, now),
            ],
        };
        match checks.into_iter().filter_map(Result::err).max() {
            Some(wait) => Err(SignInRefused::TooManyAttempts { wait }),
            None => Ok(()),
        }
    }

    /// Takes a place in the queue for hashing.
    fn enter(&mut self, keys: &Keys) -> Result<(), SignInRefused> {
        let pending = |key: &Key| self.pending.get(key).copied().unwrap_or_default();
        let has_room = self.pending_total < MAX_PENDING
            && match keys {
                Keys::Known(device) => pending(device) < MAX_PENDING_OF_DEVICE,
                Keys::Unknown {
                    account, network, ..
                } => {
                    self.pending_unknown < MAX_PENDING_UNKNOWN
                        && pending(network) < MAX_PENDING_OF_NETWORK
                        && pending(account) < MAX_PENDING_FOR_ACCOUNT
                }
            };
        if !has_room {
            return Err(SignInRefused::Busy);
        }
        self.pending_total += 1;
        self.pending_unknown += usize::from(matches!(keys, Keys::Unknown { .. }));
        for key in keys.queued() {
            *self.pending.entry(key.clone()).or_default() += 1;
        }
        Ok(())
    }

    fn leave(&mut self, keys: &Keys) {
        self.pending_total -= 1;
        self.pending_unknown -= usize::from(matches!(keys, Keys::Unknown { .. }));
        for key in keys.queued() {
            if let Some(count) = self.pending.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    self.pending.remove(key);
                }
            }
        }
    }

    /// Counts an attempt that [`State::check`] has permitted.
    fn count(&mut self, keys: &Keys, now: Instant) {
        let counted = match keys {
            Keys::Known(device) => self.device.take(device.clone(), now),
            Keys::Unknown { network, both, .. } => self
                .account
                .take(both.clone(), now)
                .and(self.account_sustained.take(both.clone(), now))
                .and(self.network.take(network.clone(), now)),
        };
        debug_assert!(counted.is_ok());
    }

    fn succeeded(&mut self, keys: &Keys) {
        match keys {
            Keys::Known(device) => self.device.reset(device),
            Keys::Unknown { network, both, .. } => {
                self.account.reset(both);
                self.account_sustained.reset(both);
                self.network.give_back(network);
            }
        }
    }
}

impl Keys {
    /// The keys by which places in the queue are counted.
    fn queued(&self) -> impl Iterator<Item = &Key> {
        let (first, second) = match self {
            Keys::Known(device) => (device, None),
            Keys::Unknown {
                account, network, ..
            } => (account, Some(network)),
        };
        [Some(first), second].into_iter().flatten()
    }
}

/// An attempt whose password is being checked. It has failed unless it [succeeded](Attempt::succeeded).
pub(super) struct Attempt<'a> {
    guard: &'a SignInGuard,
    keys: Keys,
}

impl Attempt<'_> {
    /// The password is right: uncounts the attempt and the failed ones of this client for the account, but not those of the
    /// network for other accounts.
    pub(super) fn succeeded(self) {
        self.guard.state().succeeded(&self.keys);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.guard.state().leave(&self.keys);
    }
}

/// Returns the network of an address: IPv6 clients choose among 2^64 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> SignInClient {
        SignInClient {
            address: Some(address.parse().unwrap()),
            device: None,
        }
    }

    fn known(device: &str) -> SignInClient {
        SignInClient {
            device: Some(KnownDevice {
                id: device.to_owned(),
                account: 1,
            }),
            ..from("192.0.2.1")
        }
    }

    fn fail(guard: &SignInGuard, account: &str, client: &SignInClient, now: Instant) -> bool {
        guard.begin(account, client, now).map(drop).is_ok()
    }

    #[test]
    fn attempts_are_counted_before_they_end() {
        let (guard, now) = (SignInGuard::default(), Instant::now());
        let pending: Vec<_> = (0..200)
            .map(|_| guard.begin("ada", &from("192.0.2.1"), now))
            .collect();
        assert_eq!(pending.iter().filter(|begun| begun.is_ok()).count(), 4);
        assert_eq!(pending[199].as_ref().err(), Some(&SignInRefused::Busy));
        drop(pending);
        let further = (0..200).filter(|_| fail(&guard, "ada", &from("192.0.2.1"), now));
        assert_eq!(further.count(), 4);
        let refused = guard.begin("ada", &from("192.0.2.1"), now).err();
        let wait = Duration::from_secs(60);
        assert_eq!(refused, Some(SignInRefused::TooManyAttempts { wait }));
    }

    #[test]
    fn the_right_password_uncounts_the_attempts_of_the_account_and_none_of_others() {
        let (guard, now) = (SignInGuard::default(), Instant::now());
        let client = from("192.0.2.1");
        for _ in 0..100 {
            for _ in 0..3 {
                guard.begin("ada", &client, now).unwrap().succeeded();
            }
        }
        for name in 0..30 {
            guard.begin("ada", &client, now).unwrap().succeeded();
            assert!(fail(&guard, &format!("name {name}"), &client, now));
        }
        assert!(!fail(&guard, "ada", &client, now), "the network is closed");
        assert!(fail(&guard, "ada", &from("192.0.2.2"), now));
    }

    #[test]
    fn strangers_never_shut_out_the_owner() {
        let (guard, now) = (SignInGuard::default(), Instant::now());
        for stranger in 0..200 {
            let client = from(&format!("198.51.100.{stranger}"));
            while fail(&guard, "ada", &client, now) {}
        }
        assert!(fail(&guard, "ada", &from("192.0.2.1"), now));
        // On one network with a guesser: by the known device, or with a new password.
        while fail(&guard, "ada", &from("192.0.2.1"), now) {}
        assert!(fail(&guard, "ada", &known("laptop"), now));
        assert!(fail(
            &guard,
            "ada with a new password",
            &from("192.0.2.1"),
            now
        ));
        // A stolen device does not guess faster.
        while fail(&guard, "ada", &known("laptop"), now) {}
        assert!(!fail(&guard, "ada", &known("laptop"), now));
    }

    #[test]
    fn the_waits_of_a_guesser_grow() {
        let (guard, start) = (SignInGuard::default(), Instant::now());
        let (mut now, mut waits) = (start, Vec::new());
        for _ in 0..30 {
            while let Err(refused) = guard.begin("ada", &from("192.0.2.1"), now).map(drop) {
                waits.push(refused.wait().as_secs());
                now += refused.wait();
            }
        }
        assert!(waits.is_sorted(), "{waits:?}");
        assert_eq!((waits[0], *waits.last().unwrap()), (60, 900));
    }

    #[test]
    fn a_crowd_of_strangers_keeps_no_moderator_waiting() {
        let (guard, now) = (SignInGuard::default(), Instant::now());
        let one_network: Vec<_> = (0..300)
            .map(|name| guard.begin(&format!("name {name}"), &from("2001:db8::1"), now))
            .collect();
        assert_eq!(one_network.iter().filter(|begun| begun.is_ok()).count(), 4);
        assert!(guard.begin("ada", &from("2001:db8::2"), now).is_err());
        let owner = guard.begin("ada", &from("192.0.2.1"), now).unwrap();
        let many: Vec<_> = (0..250)
            .map(|n| guard.begin(&format!("name {n}"), &from(&format!("198.51.100.{n}")), now))
            .collect();
        assert_eq!(many.iter().filter(|begun| begun.is_ok()).count(), 7);
        assert!(guard.begin("ada", &known("laptop"), now).is_ok());
        drop((one_network, many, owner));
        let state = guard.state();
        assert_eq!((state.pending_total, state.pending_unknown), (0, 0));
        assert!(state.pending.is_empty());
    }
}
