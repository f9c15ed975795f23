//! The places of one plane's connections: who has one, who must give his up for somebody new.
//!
//! - Nobody waits in front of a plane. Whoever finds it full takes the place of the connection that has asked nothing for the
//!   longest; where every one has begun to ask, of the one whose request has been on its way for the longest. A request that
//!   is there whole keeps its connection until its answer is taken. Where all are so, the newcomer is turned away.
//! - One address holds a part of the places, so that it takes several to fill a plane. An address is what one network is
//!   given: of IPv6 that is a /64. Loopback is not counted: a reverse proxy on this machine brings everybody, as do those
//!   of `PICLOUD_TRUSTED_PROXIES`.
//! - How far a connection has come (`progress`) is one atomic word: a request takes no lock. Only those who come and go do, and a plane
//!   that is full is looked through once for as many newcomers as there are connections to look at (`CONNECTIONS_LOOKED_AT`
//!   each): what a newcomer costs does not grow with the plane.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::progress::{Phase, Progress};
use crate::limits;

/// What a plane has, and for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    pub(super) places: usize,
    pub(super) per_address: usize,
    /// As what an address is counted, if it is.
    pub(super) counted_as: fn(IpAddr) -> Option<IpAddr>,
}

/// The places of one plane. A clone is a handle.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Shared>);

/// One place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    number: u64,
    progress: Arc<Progress>,
}

/// Why somebody was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The address has its part.
    Address,
    /// Every connection is being answered.
    Plane,
}

#[derive(Debug)]
struct Shared {
    policy: Policy,
    epoch: Instant,
    seated: Mutex<Seated>,
}

#[derive(Debug, Default)]
struct Seated {
    seats: HashMap<u64, Seat>,
    addresses: HashMap<IpAddr, usize>,
    next: u64,
    /// Who could go at the last look: words and numbers, the first to go at the end.
    could_go: Vec<(u64, u64)>,
    /// Connections that may be looked at.
    looks: usize,
}

#[derive(Debug)]
struct Seat {
    address: Option<IpAddr>,
    progress: Arc<Progress>,
}

impl Policy {
    /// For a plane of so many connections.
    pub(super) fn of(places: usize) -> Self {
        let per_address = (places / limits::CONNECTIONS_PER_ADDRESS_PART).max(1);
        Self { places, per_address, counted_as }
    }
}

/// An address as it is counted: itself, of IPv6 its /64, and loopback not at all.
pub(super) fn counted_as(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V4(address) => Some(IpAddr::V4(address)),
        IpAddr::V6(address) => Some(IpAddr::V6(Ipv6Addr::from_bits((address.to_bits() >> 64) << 64))),
    }
}

impl Places {
    pub(super) fn new(policy: Policy) -> Self {
        let seated = Mutex::new(Seated { looks: policy.places, ..Seated::default() });
        Self(Arc::new(Shared { policy, epoch: Instant::now(), seated }))
    }

    /// A place for a connection from `peer`, if need be that of another one, which ends.
    ///
    /// # Errors
    /// When the address has its part, or no connection can go.
    pub(super) fn take(&self, peer: IpAddr) -> Result<Place, Full> {
        let Policy { places, per_address, counted_as } = self.0.policy;
        let address = counted_as(peer);
        let mut seated = self.0.lock();
        if address.is_some_and(|address| seated.addresses.get(&address).is_some_and(|n| *n >= per_address)) {
            return Err(Full::Address);
        }
        if seated.seats.len() >= places && !seated.make_room(places) {
            return Err(Full::Plane);
        }
        let progress = Arc::new(Progress::new(self.0.epoch));
        let number = seated.next;
        seated.next += 1;
        seated.seats.insert(number, Seat { address, progress: progress.clone() });
        if let Some(address) = address {
            *seated.addresses.entry(address).or_default() += 1;
        }
        Ok(Place { shared: self.0.clone(), number, progress })
    }
}

impl Place {
    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Whether more than half of the places are taken, of the plane's or of those that its address may have.
    pub(super) fn is_crowded(&self) -> bool {
        let seated = self.shared.lock();
        let address = seated.seats.get(&self.number).and_then(|seat| seated.addresses.get(&seat.address?));
        let Policy { places, per_address, .. } = self.shared.policy;
        seated.seats.len() * 2 > places || address.is_some_and(|n| n * 2 > per_address)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.lock().leave(self.number);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seated> {
        self.seated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seated {
    /// Ends the connection that can best go, if one can.
    fn make_room(&mut self, looks_max: usize) -> bool {
        self.looks = (self.looks + limits::CONNECTIONS_LOOKED_AT).min(looks_max);
        loop {
            while let Some((word, number)) = self.could_go.pop() {
                if self.seats.get(&number).is_some_and(|seat| seat.progress.end(word)) {
                    self.leave(number);
                    return true;
                }
            }
            match self.looks.checked_sub(self.seats.len()) {
                Some(left) => self.looks = left,
                None => return false,
            }
            self.look();
            if self.could_go.is_empty() {
                return false;
            }
        }
    }

    fn look(&mut self) {
        let words = self.seats.iter().map(|(number, seat)| (seat.progress.word(), *number));
        let (mut idle, mut asking) = (Vec::new(), Vec::new());
        for (word, number) in words {
            match Phase::of(word) {
                Phase::Idle => idle.push((word, number)),
                Phase::Head | Phase::Body => asking.push((word, number)),
                Phase::Answering | Phase::Given | Phase::Ended => {}
            }
        }
        self.could_go = if idle.is_empty() { asking } else { idle };
        // Words begin with the time.
        self.could_go.sort_unstable_by(|one, other| other.cmp(one));
    }

    /// Once for each: who was ended has left already.
    fn leave(&mut self, number: u64) {
        let Some(Seat { address: Some(address), .. }) = self.seats.remove(&number) else { return };
        if let Some(n) = self.addresses.get_mut(&address) {
            *n -= 1;
            if *n == 0 {
                self.addresses.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOMEBODY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn places(places: usize, per_address: usize) -> Places {
        Places::new(Policy { places, per_address, counted_as: Some })
    }

    fn phase(place: &Place) -> Phase {
        place.progress().now().0
    }

    #[test]
    fn an_address_is_counted_as_its_network_and_loopback_not_at_all() {
        let counted = |address: &str| counted_as(address.parse().unwrap()).map(|address| address.to_string());
        for loopback in ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(counted(loopback), None, "{loopback}");
        }
        for (address, as_what) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("10.0.0.1", "10.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
            ("fe80::1", "fe80::"),
        ] {
            assert_eq!(counted(address).as_deref(), Some(as_what), "{address}");
        }
    }

    #[test]
    fn an_address_has_its_part_and_no_more() {
        let policy = Policy::of(8_192);
        assert_eq!((policy.places, policy.per_address, Policy::of(2).per_address), (8_192, 2_048, 1));
        let places = places(8, 2);
        let other = "192.0.2.2".parse().unwrap();
        let held = [places.take(SOMEBODY).unwrap(), places.take(SOMEBODY).unwrap()];
        assert_eq!(places.take(SOMEBODY).unwrap_err(), Full::Address);
        let _others = places.take(other).unwrap();
        drop(held);
        let _again = [places.take(SOMEBODY).unwrap(), places.take(SOMEBODY).unwrap()];
        assert_eq!(places.take(SOMEBODY).unwrap_err(), Full::Address);
    }

    #[test]
    fn a_newcomer_takes_the_place_of_the_one_that_was_idle_the_longest() {
        let places = places(4, 99);
        let held: Vec<_> = (0..4).map(|_| places.take(SOMEBODY).unwrap()).collect();
        // The first is being answered, the second was and is idle anew.
        assert!(held[0].progress().begin(true) && held[1].progress().begin(true));
        held[1].progress().give(1);
        held[1].progress().sent();
        let mut newcomers = Vec::new();
        for (gone, left) in [(2, [Phase::Idle, Phase::Ended, Phase::Idle]), (3, [Phase::Idle, Phase::Ended, Phase::Ended])] {
            newcomers.push(places.take(SOMEBODY).unwrap());
            assert_eq!([phase(&held[1]), phase(&held[2]), phase(&held[3])], left, "{gone}");
        }
        newcomers.push(places.take(SOMEBODY).unwrap());
        assert_eq!((phase(&held[0]), phase(&held[1])), (Phase::Answering, Phase::Ended));
        assert!(newcomers.iter().all(|place| phase(place) == Phase::Idle));
    }

    #[test]
    fn who_asks_goes_after_who_does_not_and_who_is_answered_never() {
        let places = places(4, 99);
        let held: Vec<_> = (0..4).map(|_| places.take(SOMEBODY).unwrap()).collect();
        assert_eq!(held[0].progress().read(), Phase::Head);
        assert!(held[1].progress().begin(false));
        assert!(held[2].progress().begin(true));
        let phases = || [phase(&held[0]), phase(&held[1]), phase(&held[2]), phase(&held[3])];
        let mut newcomers = vec![places.take(SOMEBODY).unwrap()];
        assert_eq!(phases(), [Phase::Head, Phase::Body, Phase::Answering, Phase::Ended]);
        assert!(newcomers[0].progress().begin(true));
        newcomers.push(places.take(SOMEBODY).unwrap());
        assert_eq!(phases()[..2], [Phase::Ended, Phase::Body], "its request has been on its way for longer");
        assert!(!held[0].progress().begin(true), "nothing comes of it any more");
        assert!(newcomers[1].progress().begin(true));
        held[1].progress().answer();
        held[2].progress().give(1);
        assert_eq!(places.take(SOMEBODY).unwrap_err(), Full::Plane);
        assert_eq!(phases(), [Phase::Ended, Phase::Answering, Phase::Given, Phase::Ended]);
        held[2].progress().sent();
        newcomers.push(places.take(SOMEBODY).unwrap());
        assert_eq!(phase(&held[2]), Phase::Ended);
    }

    #[test]
    fn who_is_turned_away_has_asked_if_it_is_still_there_and_between_two_requests() {
        let places = places(3, 99);
        let held: Vec<_> = (0..3).map(|_| places.take(SOMEBODY).unwrap()).collect();
        assert!(held[0].progress().turn() && held[1].progress().begin(true));
        assert!(!held[1].progress().turn());
        let _newcomer = places.take(SOMEBODY).unwrap();
        assert_eq!((phase(&held[0]), phase(&held[1]), phase(&held[2])), (Phase::Idle, Phase::Answering, Phase::Ended));
        assert!(!held[2].progress().turn());
    }

    #[test]
    fn who_was_ended_gives_its_place_back_once() {
        let places = places(2, 2);
        let held = [places.take(SOMEBODY).unwrap(), places.take("192.0.2.2".parse().unwrap()).unwrap()];
        let newcomer = places.take(SOMEBODY).unwrap();
        let counted = || {
            let seated = places.0.lock();
            (seated.seats.len(), seated.addresses.get(&SOMEBODY).copied())
        };
        assert_eq!((phase(&held[0]), counted()), (Phase::Ended, (2, Some(1))));
        drop(held);
        assert_eq!(counted(), (1, Some(1)));
        drop(newcomer);
        assert_eq!(counted(), (0, None));
    }

    #[test]
    fn the_plane_or_the_address_is_crowded_past_its_half() {
        let places = places(8, 4);
        let mut held = vec![places.take(SOMEBODY).unwrap(), places.take(SOMEBODY).unwrap()];
        assert!(!held[0].is_crowded());
        held.push(places.take(SOMEBODY).unwrap());
        assert!(held[0].is_crowded(), "three of four");
        let others: Vec<_> = (1..=2).map(|n| places.take([192, 0, 2, 10 * n].into()).unwrap()).collect();
        assert!(others[0].is_crowded(), "five of eight");
        held.pop();
        assert!(!others[0].is_crowded() && !held[0].is_crowded());
    }

    #[test]
    fn a_full_plane_is_not_looked_through_for_every_newcomer() {
        let n = 4 * limits::CONNECTIONS_LOOKED_AT;
        let places = places(n, 2 * n);
        let held: Vec<_> = (0..n).map(|_| places.take(SOMEBODY).unwrap()).collect();
        assert!(held.iter().all(|place| place.progress().begin(true)));
        assert_eq!(places.take(SOMEBODY).unwrap_err(), Full::Plane, "looked through");
        held[0].progress().give(1);
        held[0].progress().sent();
        for _ in 0..3 {
            assert_eq!(places.take(SOMEBODY).unwrap_err(), Full::Plane, "not again yet");
        }
        assert!(places.take(SOMEBODY).is_ok() && phase(&held[0]) == Phase::Ended);
    }
}
