//! How often a password may be tried: by name and by address, whether or not there is anybody of that name.
//!
//! Attempts count when they begin and are given back when they succeed, so that many at once are no way around the bound.
//! A name that is under attack stays open to addresses from which its person has logged in before: those count by themselves.
//! What is counted is bounded and of this process alone; forgetting it (a restart, more names than are remembered) gives a guesser
//! another `LOGIN_FAILURES_PER_USER_MAX` tries.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use quick_cache::sync::Cache;
use serde_json::json;

use crate::error::{Error, Kind, Result};
use crate::limits;

/// Counts attempts.
#[derive(Debug)]
pub struct Throttle {
    names: Cache<Name, Arc<Tally>>,
    addresses: Cache<IpAddr, Arc<Tally>>,
    /// Where a name has logged in from.
    known: Cache<(String, IpAddr), ()>,
}

/// A name from anywhere, or from one address that is known for it.
type Name = (String, Option<IpAddr>);

/// Attempts that failed or have not ended, in one window.
#[derive(Debug)]
struct Tally {
    window: Mutex<Window>,
    allowed: u32,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    began_at: DateTime<Utc>,
    attempts: u32,
}

/// One attempt, counted as failed unless it says otherwise.
#[derive(Debug)]
#[must_use = "an attempt that never succeeds counts against the name and the address"]
pub struct Attempt<'t> {
    throttle: &'t Throttle,
    name: String,
    address: Option<IpAddr>,
    tallies: Vec<Arc<Tally>>,
}

impl Default for Throttle {
    fn default() -> Self {
        let items = limits::LOGIN_TALLIES_MAX;
        Self { names: Cache::new(items), addresses: Cache::new(items), known: Cache::new(items) }
    }
}

impl Throttle {
    /// Begins an attempt. 429 `rate_limited` with `retry_after_s` when the name or the address has had its share of wrong ones
    /// in this window of `LOGIN_WINDOW_S`: the same for names that exist and that do not.
    pub fn attempt(&self, username: &str, address: Option<IpAddr>, now: DateTime<Utc>) -> Result<Attempt<'_>> {
        // A name longer than any name is nobody's, and must not be kept.
        let name: String = username.chars().take(limits::USERNAME_CHARS_MAX + 1).collect::<String>().to_lowercase();
        let address = address.map(network_of);
        let from = address.filter(|address| self.known.get(&(name.clone(), *address)).is_some());
        let mut tallies: Vec<Arc<Tally>> = Vec::with_capacity(2);
        // An address that many share, such as a proxy's, shuts out nobody who was let in from there before.
        if let Some(address) = address.filter(|_| from.is_none()) {
            let tally = find(&self.addresses, address, limits::LOGIN_FAILURES_PER_ADDRESS_MAX, now)?;
            tally.count(now)?;
            tallies.push(tally);
        }
        // Only now: an address that had its share puts no more names into what is remembered.
        let tally = find(&self.names, (name.clone(), from), limits::LOGIN_FAILURES_PER_USER_MAX, now)?;
        if let Err(error) = tally.count(now) {
            tallies.iter().for_each(|tally| tally.give_back());
            return Err(error);
        }
        tallies.push(tally);
        Ok(Attempt { throttle: self, name, address, tallies })
    }
}

fn find<K: Eq + std::hash::Hash + Clone>(
    tallies: &Cache<K, Arc<Tally>>,
    key: K,
    allowed: u32,
    now: DateTime<Utc>,
) -> Result<Arc<Tally>> {
    let new = || Ok::<_, Error>(Arc::new(Tally { window: Mutex::new(Window { began_at: now, attempts: 0 }), allowed }));
    tallies.get_or_insert_with(&key, new)
}

impl Tally {
    fn count(&self, now: DateTime<Utc>) -> Result<()> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let ends_at = window.began_at + Duration::seconds(limits::LOGIN_WINDOW_S);
        if now >= ends_at {
            *window = Window { began_at: now, attempts: 0 };
        }
        if window.attempts >= self.allowed {
            let wait_s = (ends_at - now).num_seconds().max(0) + 1;
            let message = format!("too many wrong logins; try again in {wait_s} seconds");
            return Err(Error::new(Kind::RateLimited, "rate_limited", message).with_details(json!({ "retry_after_s": wait_s })));
        }
        window.attempts += 1;
        Ok(())
    }

    fn give_back(&self) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.attempts = window.attempts.saturating_sub(1);
    }
}

impl Attempt<'_> {
    /// What was needed to judge the password. Where that failed on our side the attempt does not count.
    pub fn unless_failed<T, E>(&self, needed: std::result::Result<T, E>) -> std::result::Result<T, E> {
        if needed.is_err() {
            self.tallies.iter().for_each(|tally| tally.give_back());
        }
        needed
    }

    /// The password was right: it does not count, and the address is known for the name.
    pub fn succeeded(self) {
        self.tallies.iter().for_each(|tally| tally.give_back());
        if let Some(address) = self.address {
            self.throttle.known.insert((self.name, address), ());
        }
    }
}

/// Who has one IPv6 address has 2⁶⁴ of them.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn address(n: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, n]))
    }

    fn fail(throttle: &Throttle, name: &str, from: Option<IpAddr>, times: u32) {
        for _ in 0..times {
            let _ = throttle.attempt(name, from, NOW).unwrap();
        }
    }

    #[test]
    fn a_name_has_so_many_tries_from_everywhere_together_and_then_waits_for_the_window() {
        let throttle = Throttle::default();
        for n in 0..limits::LOGIN_FAILURES_PER_USER_MAX {
            fail(&throttle, if n % 2 == 0 { "Ada" } else { "ada" }, address(u8::try_from(n).unwrap()), 1);
        }
        let refused = throttle.attempt("ADA", address(200), NOW).unwrap_err();
        assert_eq!((refused.kind, refused.code), (Kind::RateLimited, "rate_limited"));
        assert_eq!(refused.details.unwrap()["retry_after_s"], limits::LOGIN_WINDOW_S + 1);
        let _ = throttle.attempt("bob", address(200), NOW).unwrap();
        let _ = throttle.attempt("ada", address(200), NOW + Duration::seconds(limits::LOGIN_WINDOW_S)).unwrap();
    }

    #[test]
    fn an_address_has_so_many_tries_whatever_the_names() {
        let throttle = Throttle::default();
        for n in 0..limits::LOGIN_FAILURES_PER_ADDRESS_MAX {
            fail(&throttle, &format!("user{n}"), address(1), 1);
        }
        assert!(throttle.attempt("another", address(1), NOW).is_err());
        assert!(throttle.attempt("another", address(2), NOW).is_ok());
        assert!(throttle.attempt("another", None, NOW).is_ok());
    }

    #[test]
    fn a_refused_attempt_counts_nowhere() {
        let throttle = Throttle::default();
        fail(&throttle, "ada", address(1), limits::LOGIN_FAILURES_PER_USER_MAX);
        for _ in 0..limits::LOGIN_FAILURES_PER_ADDRESS_MAX {
            assert!(throttle.attempt("ada", address(2), NOW).is_err());
        }
        assert!(throttle.attempt("bob", address(2), NOW).is_ok());
    }

    #[test]
    fn right_passwords_are_not_counted() {
        let throttle = Throttle::default();
        for _ in 0..2 * limits::LOGIN_FAILURES_PER_ADDRESS_MAX {
            throttle.attempt("ada", address(1), NOW).unwrap().succeeded();
        }
    }

    #[test]
    fn a_name_under_attack_stays_open_to_where_its_person_was_before() {
        let throttle = Throttle::default();
        throttle.attempt("ada", address(1), NOW).unwrap().succeeded();
        fail(&throttle, "ada", address(2), limits::LOGIN_FAILURES_PER_USER_MAX);
        assert!(throttle.attempt("ada", address(3), NOW).is_err());
        fail(&throttle, "ada", address(1), limits::LOGIN_FAILURES_PER_USER_MAX);
        assert!(throttle.attempt("ada", address(1), NOW).is_err(), "there too it is bounded");
    }

    #[test]
    fn what_fails_on_our_side_is_not_counted() {
        let throttle = Throttle::default();
        for _ in 0..2 * limits::LOGIN_FAILURES_PER_ADDRESS_MAX {
            let attempt = throttle.attempt("ada", address(1), NOW).unwrap();
            assert!(attempt.unless_failed(Err::<(), _>("the database is away")).is_err());
        }
        assert!(throttle.attempt("ada", address(1), NOW).unwrap().unless_failed(Ok::<_, ()>(7)).is_ok());
    }

    #[test]
    fn an_address_that_many_share_shuts_out_nobody_who_is_known_there() {
        let throttle = Throttle::default();
        throttle.attempt("ada", address(1), NOW).unwrap().succeeded();
        for n in 0..limits::LOGIN_FAILURES_PER_ADDRESS_MAX {
            fail(&throttle, &format!("user{n}"), address(1), 1);
        }
        assert!(throttle.attempt("bob", address(1), NOW).is_err());
        assert!(throttle.attempt("ada", address(1), NOW).is_ok());
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let of = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..3 * limits::LOGIN_TALLIES_MAX {
            let _ = throttle.attempt(&format!("{n}{}", "x".repeat(1000)), None, NOW).unwrap();
        }
        assert!(throttle.names.len() <= limits::LOGIN_TALLIES_MAX);
    }
}
