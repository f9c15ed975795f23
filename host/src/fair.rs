//! Places that tenants share: how many there are, how much memory their holders may need together, and who waits.
//!
//! A tenant of the usual weight may hold half of what the others leave free (of 32 places: one 16, a second 8, a third 4, …),
//! of places and of memory, so however many take what they can, another still finds some; one that weighs w may hold
//! w / (w + 100) of it. Who finds none waits; what is given back goes to the tenant that holds the least for its weight.
//!
//! Whoever is given a place while he waits may come to run much later: on a busy machine, everything else that is ready stands
//! before him. Until then the next one of the same app who asks, and runs already, takes that place over, and he waits on.
//!
//! Places are of several classes. Each class has its own number; the memory is one, of which a part is kept for each class:
//! no class can keep another from running.

mod seat;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use self::seat::{Seat, Seated, Waits};
use crate::id::AppId;
use crate::limits::{
    ADMISSION_QUEUE_MAX, ADMISSION_QUEUE_PER_APP_MAX, ADMISSION_RETRY_MS, ADMISSION_WAIT_MS, RETRY_AFTER_S_MAX, WEIGHT_DEFAULT,
};

/// How many places a class has, and how much of the memory is kept for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub places: usize,
    pub kept_bytes: u64,
}

/// What somebody wants to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub app: AppId,
    /// Which of the sizes it is of.
    pub class: usize,
    /// Memory that the holder may come to need.
    pub bytes: u64,
    /// Places of this class that the app may hold.
    pub held_max: usize,
    /// What it holds counts for less, the more this is.
    pub weight: u32,
}

/// No place, and none within the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// When there may be one, by what places were held for lately.
    pub retry_after: Duration,
}

/// Held until it is dropped.
#[derive(Debug)]
pub struct Place {
    ask: Ask,
    since: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
pub struct Fair {
    state: Arc<Mutex<State>>,
    is_full: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    pub places: usize,
    /// What one app may hold where nobody else does.
    pub places_per_app: usize,
    pub running: usize,
    pub waiting: usize,
    pub refused: u64,
    /// Places that were given to who had waited, and how long these had together.
    pub waits: u64,
    pub waited: Duration,
}

enum Asked {
    Granted(Place),
    Waits(Waits),
    Full,
}

#[derive(Debug)]
struct State {
    /// Somebody was refused because a queue was full, and nobody has left one since.
    is_full: Arc<AtomicBool>,
    bytes: u64,
    bytes_held: u64,
    /// Places given so far.
    given: u64,
    classes: Vec<Class>,
}

#[derive(Debug)]
struct Class {
    size: Size,
    running: usize,
    bytes_held: u64,
    waiting: usize,
    refused: u64,
    waits: u64,
    waited: Duration,
    /// How long a place is held, on average over the last few.
    held_for: Duration,
    /// Apps that hold a place or wait for one.
    apps: HashMap<AppId, App>,
}

#[derive(Debug, Default)]
struct App {
    held: usize,
    bytes_held: u64,
    weight: u32,
    /// The number of the last place that it was given.
    served: u64,
    waiters: VecDeque<Waiter>,
    /// Those that were given a place lately, and may not have taken it up yet.
    given: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    ask: Ask,
    since: Instant,
    seat: Arc<Seat>,
}

impl Fair {
    /// Classes of places of these sizes over `bytes` of memory.
    pub fn new(sizes: &[Size], bytes: u64) -> Self {
        let class = |size: &Size| Class {
            size: *size,
            running: 0,
            bytes_held: 0,
            waiting: 0,
            refused: 0,
            waits: 0,
            waited: Duration::ZERO,
            held_for: Duration::ZERO,
            apps: HashMap::new(),
        };
        let (is_full, classes) = (Arc::<AtomicBool>::default(), sizes.iter().map(class).collect());
        let state = State { is_full: is_full.clone(), bytes, bytes_held: 0, given: 0, classes };
        Self { state: Arc::new(Mutex::new(state)), is_full }
    }

    /// A place, at the latest after `wait`.
    pub async fn enter(&self, ask: Ask, wait: Duration) -> Result<Place, Full> {
        let granted = match self.ask(ask) {
            Asked::Granted(place) => return Ok(place),
            Asked::Full => return Err(self.full(ask)),
            Asked::Waits(granted) => granted,
        };
        // A waiter that gives up leaves its seat: whoever gives places out passes it by.
        match timeout(wait, granted.place()).await {
            Ok(place) => Ok(place),
            Err(_) => {
                drop(granted);
                {
                    let mut state = lock(&self.state);
                    if let Some(class) = state.classes.get_mut(ask.class) {
                        class.refused += 1;
                        class.forget_gone_waiters(ask.app);
                    }
                    state.is_full.store(false, Ordering::Relaxed);
                }
                // It may have stood before others that ask for less.
                grant(&self.state);
                Err(self.full(ask))
            }
        }
    }

    /// Whether anybody may be turned away by [`Fair::turn_away`].
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Refuses, as [`Fair::enter`] would at once, who would come to a full queue: for who can be told so before anything is done for
    /// him. Who need not wait comes to none.
    pub fn turn_away(&self, ask: &Ask) -> Option<Full> {
        if !self.is_full() {
            return None;
        }
        {
            let mut state = lock(&self.state);
            let class = state.classes.get_mut(ask.class)?;
            let first = class.apps.get(&ask.app).and_then(|app| app.waiters.front());
            if first.is_some_and(|waiter| waiter.seat.is_gone()) {
                class.forget_gone_waiters(ask.app);
            }
            if !class.is_full_for(ask.app) || (!state.has_waiters(ask) && state.may_hold(ask)) {
                return None;
            }
            state.classes.get_mut(ask.class)?.refused += 1;
        }
        Some(self.full(*ask))
    }

    /// As [`Fair::enter`], however long it takes.
    pub async fn enter_patiently(&self, ask: Ask) -> Place {
        loop {
            match self.ask(ask) {
                Asked::Granted(place) => return place,
                Asked::Waits(granted) => return granted.place().await,
                Asked::Full => tokio::time::sleep(Duration::from_millis(ADMISSION_RETRY_MS)).await,
            }
        }
    }

    pub fn status(&self, class: usize) -> Status {
        let state = lock(&self.state);
        let Some(class) = state.classes.get(class) else {
            return Status::default();
        };
        Status {
            places: class.size.places,
            places_per_app: share(class.size.places as u64, WEIGHT_DEFAULT) as usize,
            running: class.running,
            waiting: class.waiting,
            refused: class.refused,
            waits: class.waits,
            waited: class.waited,
        }
    }

    /// What all holders together may come to need.
    pub fn bytes_held(&self) -> u64 {
        lock(&self.state).bytes_held
    }

    /// Places of that class that the app holds, and calls of it that wait.
    pub fn of_app(&self, class: usize, app: AppId) -> (usize, usize) {
        let state = lock(&self.state);
        let app = state.classes.get(class).and_then(|class| class.apps.get(&app));
        app.map_or((0, 0), |app| (app.held, app.waiters.len()))
    }

    fn ask(&self, ask: Ask) -> Asked {
        let mut state = lock(&self.state);
        if state.may_hold(&ask) && !state.has_waiters(&ask) {
            state.take(&ask);
            return Asked::Granted(Place { ask, since: Instant::now(), state: self.state.clone() });
        }
        if let Some(place) = state.take_over(&ask) {
            return Asked::Granted(place);
        }
        let State { is_full, classes, .. } = &mut *state;
        let Some(class) = classes.get_mut(ask.class) else { return Asked::Full };
        // Who stopped waiting stands in nobody's way.
        class.forget_gone_waiters(ask.app);
        if class.is_full_for(ask.app) {
            class.refused += 1;
            is_full.store(true, Ordering::Relaxed);
            return Asked::Full;
        }
        let seat = Arc::new(Seat::default());
        class.waiting += 1;
        class.apps.entry(ask.app).or_default().waiters.push_back(Waiter { ask, since: Instant::now(), seat: seat.clone() });
        Asked::Waits(Waits::at(seat))
    }

    /// As many holders as are before it, at the pace of late.
    fn full(&self, ask: Ask) -> Full {
        let state = lock(&self.state);
        let Some(class) = state.classes.get(ask.class) else { return Full { retry_after: Duration::from_secs(1) } };
        let (held, waiting) = class.apps.get(&ask.app).map_or((0, 0), |app| (app.held, app.waiters.len()));
        let rounds = (waiting + 1).div_ceil(held.max(1));
        let after = class.held_for.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX));
        Full { retry_after: after.clamp(Duration::from_secs(1), Duration::from_secs(RETRY_AFTER_S_MAX)) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.state).give_back(&self.ask, self.since.elapsed());
        grant(&self.state);
    }
}

/// Gives what is free to those who wait.
fn grant(shared: &Arc<Mutex<State>>) {
    let mut grants = Vec::new();
    {
        let mut state = lock(shared);
        while let Some(waiter) = state.next_waiter() {
            let ask = waiter.ask;
            state.is_full.store(false, Ordering::Relaxed);
            state.take(&ask);
            grants.push((waiter.seat.clone(), Place { ask, since: Instant::now(), state: shared.clone() }));
            state.note_given(waiter);
        }
    }
    // A grant to a waiter that has just gone comes back as a place dropped here, outside the lock.
    for (seat, place) in grants {
        drop(seat.give(place));
    }
}

impl State {
    fn may_hold(&self, ask: &Ask) -> bool {
        let Some(class) = self.classes.get(ask.class) else { return false };
        let (held, bytes_held) = class.apps.get(&ask.app).map_or((0, 0), |app| (app.held, app.bytes_held));
        let free = class.size.places - class.running;
        if free == 0 || held >= ask.held_max.min(share((free + held) as u64, ask.weight) as usize) {
            return false;
        }
        let mut bytes_free = self.bytes_free_for(ask.class);
        if held > 0 {
            bytes_free = bytes_free.saturating_sub(self.bytes_long_wanted(ask.app));
        }
        if ask.bytes > bytes_free {
            return false;
        }
        // A second one only has to leave room for another's first: on a small board half of what is left is less than one.
        let leaves_room = held == 1 && bytes_free - ask.bytes >= ask.bytes;
        held == 0 || leaves_room || bytes_held + ask.bytes <= share(bytes_free + bytes_held, ask.weight)
    }

    /// What is free, less what other classes have not taken yet of what is kept for them.
    fn bytes_free_for(&self, class: usize) -> u64 {
        let others = self.classes.iter().enumerate().filter(|(index, _)| *index != class);
        let kept: u64 = others.map(|(_, other)| other.size.kept_bytes.saturating_sub(other.bytes_held)).sum();
        self.bytes.saturating_sub(self.bytes_held).saturating_sub(kept)
    }

    /// The most that another app has been waiting for long: small newcomers must not take it from under its eyes for ever.
    fn bytes_long_wanted(&self, app: AppId) -> u64 {
        let long = Duration::from_millis(ADMISSION_WAIT_MS / 2);
        let waiting = self.classes.iter().filter(|class| class.waiting > 0).flat_map(|class| &class.apps);
        let fronts = waiting.filter(|(other, _)| **other != app).filter_map(|(_, other)| other.waiters.front());
        fronts.filter(|waiter| waiter.since.elapsed() > long).map(|waiter| waiter.ask.bytes).max().unwrap_or(0)
    }

    /// Whether calls of the app wait already: none goes before them.
    fn has_waiters(&self, ask: &Ask) -> bool {
        let app = self.classes.get(ask.class).and_then(|class| class.apps.get(&ask.app));
        app.is_some_and(|app| app.waiters.iter().any(|waiter| !waiter.seat.is_gone()))
    }

    /// The place of one of the app's who was given it and has not taken it up: he waits again, before all others of the app.
    fn take_over(&mut self, ask: &Ask) -> Option<Place> {
        let class = self.classes.get_mut(ask.class)?;
        let app = class.apps.get_mut(&ask.app)?;
        let mut on_their_way = 0;
        while let Some(waiter) = app.given.iter().rev().nth(on_their_way) {
            if waiter.ask.bytes < ask.bytes || waiter.ask.weight != ask.weight {
                return None;
            }
            let place = waiter.seat.take(Seated::Waits);
            if place.is_none() && !waiter.seat.is_gone() {
                // Its place is being brought.
                on_their_way += 1;
                continue;
            }
            let waiter = app.given.remove(app.given.len() - 1 - on_their_way)?;
            if let Some(mut place) = place {
                place.since = Instant::now();
                app.waiters.push_front(waiter);
                class.waiting += 1;
                return Some(place);
            }
        }
        None
    }

    /// Remembers who was given a place, and forgets who has taken it up.
    fn note_given(&mut self, waiter: Waiter) {
        let Some(class) = self.classes.get_mut(waiter.ask.class) else { return };
        class.waits += 1;
        class.waited = class.waited.saturating_add(waiter.since.elapsed());
        let places = class.size.places;
        let given = &mut class.apps.entry(waiter.ask.app).or_default().given;
        while given.front().is_some_and(|first| first.seat.is_gone()) {
            given.pop_front();
        }
        if given.len() > places {
            given.retain(|waiter| !waiter.seat.is_gone());
        }
        given.push_back(waiter);
    }

    fn take(&mut self, ask: &Ask) {
        self.bytes_held += ask.bytes;
        self.given += 1;
        let given = self.given;
        let Some(class) = self.classes.get_mut(ask.class) else { return };
        class.running += 1;
        class.bytes_held += ask.bytes;
        let app = class.apps.entry(ask.app).or_default();
        app.held += 1;
        app.bytes_held += ask.bytes;
        app.weight = ask.weight.max(1);
        app.served = given;
    }

    fn give_back(&mut self, ask: &Ask, held_for: Duration) {
        self.bytes_held -= ask.bytes;
        let Some(class) = self.classes.get_mut(ask.class) else { return };
        class.running -= 1;
        class.bytes_held -= ask.bytes;
        class.held_for = (class.held_for * 7 + held_for) / 8;
        if let Some(holder) = class.apps.get_mut(&ask.app) {
            holder.held -= 1;
            holder.bytes_held -= ask.bytes;
            class.forget_if_gone(ask.app);
        }
    }

    /// The longest waiting call of the app that holds the least for its weight, if that app may hold one more; of apps that hold
    /// alike the one that was given a place the longest ago, or else has waited the longest.
    fn next_waiter(&mut self) -> Option<Waiter> {
        for index in 0..self.classes.len() {
            let class = self.classes.get_mut(index)?;
            if class.waiting == 0 || class.running == class.size.places {
                continue;
            }
            class.forget_gone_fronts();
            let class = self.classes.get(index)?;
            let first = |app: &App| app.waiters.front().map(|waiter| waiter.ask);
            let waiting = class.apps.values().filter(|app| first(app).is_some_and(|ask| self.may_hold(&ask)));
            // held / weight, without dividing.
            let least = waiting.min_by(|a, b| {
                let load = |app: &App, other: &App| app.held as u64 * u64::from(other.weight.max(1));
                let since = |app: &App| app.waiters.front().map(|waiter| waiter.since);
                load(a, b).cmp(&load(b, a)).then(a.served.cmp(&b.served)).then(since(a).cmp(&since(b)))
            });
            if let Some(ask) = least.and_then(first) {
                let class = self.classes.get_mut(index)?;
                let granted = class.apps.get_mut(&ask.app)?.waiters.pop_front()?;
                class.waiting -= 1;
                return Some(granted);
            }
        }
        None
    }
}

impl Class {
    /// Whether none of the app may wait any more.
    fn is_full_for(&self, app: AppId) -> bool {
        let waiters = self.apps.get(&app).map_or(0, |app| app.waiters.len());
        self.waiting >= ADMISSION_QUEUE_MAX || waiters >= ADMISSION_QUEUE_PER_APP_MAX
    }

    fn forget_gone_waiters(&mut self, app: AppId) {
        let Some(waiter) = self.apps.get_mut(&app) else { return };
        let before = waiter.waiters.len();
        waiter.waiters.retain(|waiter| !waiter.seat.is_gone());
        self.waiting -= before - waiter.waiters.len();
        self.forget_if_gone(app);
    }

    fn forget_gone_fronts(&mut self) {
        for app in self.apps.values_mut() {
            while app.waiters.front().is_some_and(|waiter| waiter.seat.is_gone()) {
                app.waiters.pop_front();
                self.waiting -= 1;
            }
        }
        self.apps.retain(|_, app| app.held > 0 || !app.waiters.is_empty());
    }

    fn forget_if_gone(&mut self, app: AppId) {
        if self.apps.get(&app).is_some_and(|app| app.held == 0 && app.waiters.is_empty()) {
            self.apps.remove(&app);
        }
    }
}

/// Of what is there, what an app of that weight may hold: half of it at the usual weight, never none.
fn share(all: u64, weight: u32) -> u64 {
    let (weight, usual) = (u128::from(weight), u128::from(WEIGHT_DEFAULT));
    u64::try_from(u128::from(all) * weight / (weight + usual)).unwrap_or(u64::MAX).max(1)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
