//! Where work goes on that takes long: in threads of low priority, shared between apps by weight.
//!
//! The threads that serve everybody run an invocation for its first moments ([`Paced`]), which is all that most take. What
//! takes longer, and what nobody waits for, goes on in a lane. Lanes are as many as cores and give way to those threads by
//! the kernel's own scheduling, within microseconds, without being starved by them.
//!
//! In the lanes, work is served in slices: a guest's yield interval of fuel at most, unless a host call or one large copy of
//! memory takes longer. Requests and background
//! work each have their share (2 : 1), whatever the other does; within each, apps share by weight: whoever got the least
//! goes first (start-time fair queueing, Goyal et al. 1996). A newcomer begins at what the others have got by now.
//!
//! Of an app's requests so many wait in the lanes for a slice, and one more is turned away (`ADMISSION_QUEUE_PER_APP_MAX`, as of those that wait
//! for a place).
//!
//! An app whose invocations take long as a rule has them begin in a lane, all but one now and then, that tells whether they
//! still do; and so has one that takes more than its part of the common threads while others are there.

mod priority;

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_task::{FallibleTask, Runnable};
use futures_util::FutureExt as _;
use futures_util::future::CatchUnwind;
use tokio::runtime::Handle;

use crate::id::AppId;
use crate::limits::{
    ADMISSION_QUEUE_PER_APP_MAX, ALLOWANCES_SWEEP, CROWD_MS, EXPRESS_BURST_US, EXPRESS_LONG_US, EXPRESS_PERCENT, EXPRESS_US,
    LANE_CLASS_WEIGHTS, LANE_SLICE_NS, WEIGHT_DEFAULT,
};

/// Whether somebody waits for the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Request = 0,
    Background = 1,
}

/// Whose work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub app: AppId,
    pub class: Class,
    pub weight: u32,
}

/// The lanes of a process. Their threads end when it is dropped.
pub(super) struct Lanes {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
    runtime: Handle,
    express: Mutex<Express>,
    /// Some app's line is full.
    is_full: AtomicBool,
    turned_away: AtomicU64,
}

/// In its box before anything is put around it: wrapping a future copies it whole.
type Work<F> = CatchUnwind<AssertUnwindSafe<Pin<Box<F>>>>;

/// Work that begins where it is waited for, goes on in a lane when it takes long, and ends even when nobody waits any more.
/// Resolves to what it came to, or to nothing when it panicked.
pub(super) struct Paced<F: Future<Output: Send> + Send + 'static> {
    state: State<F>,
    owner: Owner,
    lanes: Arc<Shared>,
    /// What it has taken of the common threads so far.
    taken: Duration,
}

enum State<F: Future> {
    Here(Work<F>),
    Away(FallibleTask<Result<F::Output, Box<dyn Any + Send>>>),
    Over,
}

impl Lanes {
    /// `lanes` threads, one for each core, over the runtime that this is called on.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(lanes: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            ready: Condvar::new(),
            runtime: Handle::current(),
            express: Mutex::new(Express::new(lanes)),
            is_full: AtomicBool::new(false),
            turned_away: AtomicU64::new(0),
        });
        for number in 0..lanes.max(1) {
            let shared = shared.clone();
            std::thread::Builder::new().name(format!("lane {number}")).spawn(move || shared.serve())?;
        }
        Ok(Self { shared })
    }

    /// What is ready to go on, by class.
    pub(super) fn waiting(&self) -> [usize; 2] {
        let queue = lock(&self.shared.queue);
        queue.classes.each_ref().map(|line| line.waiting)
    }

    /// Whether any request may be turned away by [`Lanes::turn_away`].
    pub(super) fn is_full(&self) -> bool {
        self.shared.is_full.load(Ordering::Relaxed)
    }

    /// Whether a request of the app is not begun, because it would wait in a line that is full.
    pub(super) fn turn_away(&self, app: AppId) -> bool {
        let shared = &self.shared;
        let is_long = self.is_full() && !lock(&shared.express).would_admit(app, Instant::now());
        let is_turned_away = is_long && lock(&shared.queue).is_full_for(app);
        if is_turned_away {
            shared.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        is_turned_away
    }

    /// Requests that were turned away since the start.
    pub(super) fn turned_away(&self) -> u64 {
        self.shared.turned_away.load(Ordering::Relaxed)
    }

    /// Work of `owner` that somebody waits for: its first moments are spent where it is waited for, unless the app has had its part.
    pub(super) fn pace<F: Future<Output: Send> + Send + 'static>(&self, owner: Owner, work: F) -> Paced<F> {
        let lanes = self.shared.clone();
        let work: Work<F> = AssertUnwindSafe(Box::pin(work)).catch_unwind();
        let begins_here = owner.class == Class::Request && lock(&lanes.express).admit(owner.app, Instant::now());
        let state = if begins_here { State::Here(work) } else { State::Away(lanes.send(owner, work)) };
        Paced { state, owner, lanes, taken: Duration::ZERO }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        let left = {
            let mut queue = lock(&self.shared.queue);
            queue.is_over = true;
            queue.empty()
        };
        self.shared.ready.notify_all();
        drop(left);
    }
}

impl Shared {
    fn send<T: Send + 'static>(
        self: &Arc<Self>,
        owner: Owner,
        work: impl Future<Output = T> + Send + 'static,
    ) -> FallibleTask<T> {
        let lanes = Arc::downgrade(self);
        let schedule = move |runnable| {
            // Once the lanes are over, what is woken is dropped.
            if let Some(lanes) = lanes.upgrade() {
                lanes.push(owner, runnable);
            }
        };
        let (runnable, task) = async_task::spawn(work, schedule);
        runnable.schedule();
        task.fallible()
    }

    fn push(&self, owner: Owner, runnable: Runnable) {
        let refused = {
            let mut queue = lock(&self.queue);
            let refused = if queue.is_over { Some(runnable) } else { queue.push(owner, runnable) };
            self.is_full.store(queue.full > 0, Ordering::Relaxed);
            refused
        };
        self.ready.notify_one();
        drop(refused);
    }

    fn serve(&self) {
        if let Err(error) = priority::lower() {
            tracing::debug!(%error, "a lane keeps its priority");
        }
        let _runtime = self.runtime.enter();
        let mut queue = lock(&self.queue);
        loop {
            if queue.is_over {
                return;
            }
            let Some((owner, runnable)) = queue.pop() else {
                queue = self.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            self.is_full.store(queue.full > 0, Ordering::Relaxed);
            drop(queue);
            let began = processor_ns();
            runnable.run();
            // What it took of the processor, not of the day: who gives way to others is not charged for them. A slice ends when
            // a guest has burnt its yield interval; what is done in one piece may take longer, and costs what it takes.
            let took = processor_ns().saturating_sub(began);
            queue = lock(&self.queue);
            queue.charge(owner, took);
        }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Paced<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Here(work) => {
                    let polled = timed(&mut this.taken, || work.poll_unpin(cx));
                    if let Poll::Ready(done) = polled {
                        this.state = State::Over;
                        lock(&this.lanes.express).charge(this.owner.app, this.taken);
                        return Poll::Ready(done.ok());
                    }
                    if this.taken < Duration::from_micros(EXPRESS_US) {
                        return Poll::Pending;
                    }
                    lock(&this.lanes.express).charge(this.owner.app, this.taken);
                    let State::Here(work) = std::mem::replace(&mut this.state, State::Over) else { continue };
                    this.state = State::Away(this.lanes.send(this.owner, work));
                }
                State::Away(task) => {
                    let done = std::task::ready!(Pin::new(task).poll(cx));
                    this.state = State::Over;
                    return Poll::Ready(done.and_then(Result::ok));
                }
                State::Over => return Poll::Ready(None),
            }
        }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Paced<F> {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Here(work) => self.lanes.send(self.owner, work).detach(),
            State::Away(task) => task.detach(),
            State::Over => {}
        }
    }
}

/// What waits for a slice.
#[derive(Default)]
struct Queue {
    classes: [Line; 2],
    /// What the class served last had got by then.
    floor: u64,
    is_over: bool,
    /// Apps that have as many requests waiting as may wait.
    full: usize,
}

/// The work of a class.
#[derive(Default)]
struct Line {
    /// What it has got, by its weight.
    got: u64,
    waiting: usize,
    apps: HashMap<AppId, Turn>,
    /// What the app served last had got by then.
    floor: u64,
}

/// The work of an app in a class.
#[derive(Default)]
struct Turn {
    got: u64,
    weight: u32,
    running: usize,
    waiting: VecDeque<Runnable>,
}

impl Queue {
    /// Gives it back when there is no such class.
    fn push(&mut self, owner: Owner, runnable: Runnable) -> Option<Runnable> {
        let floor = self.floor;
        let Some(line) = self.classes.get_mut(owner.class as usize) else { return Some(runnable) };
        if line.waiting == 0 {
            line.got = line.got.max(floor);
        }
        line.waiting += 1;
        let least = line.floor;
        let turn = line.apps.entry(owner.app).or_default();
        if turn.waiting.is_empty() && turn.running == 0 {
            // A rest is not saved up.
            turn.got = turn.got.max(least);
        }
        turn.weight = owner.weight.max(1);
        turn.waiting.push_back(runnable);
        self.full += usize::from(owner.class == Class::Request && turn.waiting.len() == ADMISSION_QUEUE_PER_APP_MAX);
        None
    }

    fn is_full_for(&self, app: AppId) -> bool {
        let turn = self.classes.get(Class::Request as usize).and_then(|line| line.apps.get(&app));
        turn.is_some_and(|turn| turn.waiting.len() >= ADMISSION_QUEUE_PER_APP_MAX)
    }

    /// The next slice of whoever got the least. It is charged at once with what one usually takes, so that two lanes do not both choose the same.
    fn pop(&mut self) -> Option<(Owner, Runnable)> {
        let index = (0..self.classes.len())
            .filter(|index| self.classes.get(*index).is_some_and(|line| line.waiting > 0))
            .min_by_key(|index| self.classes.get(*index).map(|line| line.got))?;
        let line = self.classes.get_mut(index)?;
        let floor = line.floor;
        line.apps.retain(|_, turn| !turn.waiting.is_empty() || turn.running > 0 || turn.got > floor);
        let (app, turn) = line.apps.iter_mut().filter(|(_, turn)| !turn.waiting.is_empty()).min_by_key(|(_, turn)| turn.got)?;
        let runnable = turn.waiting.pop_front()?;
        turn.running += 1;
        line.waiting -= 1;
        line.floor = turn.got;
        self.floor = line.got;
        let class = if index == Class::Request as usize { Class::Request } else { Class::Background };
        self.full -= usize::from(class == Class::Request && turn.waiting.len() + 1 == ADMISSION_QUEUE_PER_APP_MAX);
        let owner = Owner { app: *app, class, weight: turn.weight };
        turn.got += cost(LANE_SLICE_NS, owner.weight);
        line.got += class_cost(LANE_SLICE_NS, class);
        Some((owner, runnable))
    }

    /// A slice has ended, and this is what it took.
    fn charge(&mut self, owner: Owner, took_ns: u64) {
        let Some(line) = self.classes.get_mut(owner.class as usize) else { return };
        let settled = |got: u64, of: &dyn Fn(u64) -> u64| (got + of(took_ns)).saturating_sub(of(LANE_SLICE_NS));
        line.got = settled(line.got, &|ns| class_cost(ns, owner.class));
        if let Some(turn) = line.apps.get_mut(&owner.app) {
            turn.running -= 1;
            turn.got = settled(turn.got, &|ns| cost(ns, owner.weight));
        }
    }

    fn empty(&mut self) -> Vec<Runnable> {
        self.full = 0;
        self.classes.iter_mut().flat_map(|line| line.apps.drain().flat_map(|(_, turn)| turn.waiting)).collect()
    }
}

fn cost(ns: u64, weight: u32) -> u64 {
    ns * u64::from(WEIGHT_DEFAULT) / u64::from(weight.max(1))
}

fn class_cost(ns: u64, class: Class) -> u64 {
    ns / u64::from(LANE_CLASS_WEIGHTS.get(class as usize).copied().unwrap_or(1))
}

/// What apps take of the common threads.
struct Express {
    /// What each app may take for each second, µs.
    per_s: u64,
    apps: HashMap<AppId, Taken>,
    last: Option<AppId>,
    /// When an app came after another one.
    crowded_at: Option<Instant>,
}

struct Taken {
    /// What may still be taken at once, µs; below nothing where more was taken.
    left_us: i64,
    at: Instant,
    /// What an invocation takes as a rule, µs.
    usual_us: u64,
}

impl Taken {
    /// What may be taken at once by then, of so much for each second.
    fn left_us(&self, per_s: u64, now: Instant) -> i64 {
        let filled = now.duration_since(self.at).as_micros().saturating_mul(per_s.into()) / 1_000_000;
        self.left_us.saturating_add(i64::try_from(filled).unwrap_or(i64::MAX)).min(EXPRESS_BURST_US as i64)
    }
}

impl Express {
    fn new(cores: usize) -> Self {
        Self { per_s: cores as u64 * 1_000_000 * EXPRESS_PERCENT / 100, apps: HashMap::new(), last: None, crowded_at: None }
    }

    /// Whether an invocation of the app may begin in the common threads.
    fn admit(&mut self, app: AppId, now: Instant) -> bool {
        if self.last.replace(app).is_some_and(|last| last != app) {
            self.crowded_at = Some(now);
        }
        let (is_crowded, per_s) = (self.is_crowded(now), self.per_s);
        if self.apps.len() >= ALLOWANCES_SWEEP && !self.apps.contains_key(&app) {
            self.apps.retain(|_, taken| now.duration_since(taken.at) < Duration::from_millis(CROWD_MS));
        }
        let taken = self.apps.entry(app).or_insert(Taken { left_us: EXPRESS_BURST_US as i64, at: now, usual_us: 0 });
        let left_us = taken.left_us(per_s, now);
        // What is full saves nothing up.
        if left_us > taken.left_us || left_us == EXPRESS_BURST_US as i64 {
            (taken.left_us, taken.at) = (left_us, now);
        }
        if taken.usual_us > EXPRESS_LONG_US {
            // Comes down until one is tried here again.
            taken.usual_us -= taken.usual_us / 64;
            return false;
        }
        !is_crowded || taken.left_us > 0
    }

    /// What [`Express::admit`] would say.
    fn would_admit(&self, app: AppId, now: Instant) -> bool {
        let has_part = |taken: &Taken| !self.is_crowded(now) || taken.left_us(self.per_s, now) > 0;
        self.apps.get(&app).is_none_or(|taken| taken.usual_us <= EXPRESS_LONG_US && has_part(taken))
    }

    /// Whether others are there.
    fn is_crowded(&self, now: Instant) -> bool {
        self.crowded_at.is_some_and(|at| now.duration_since(at) < Duration::from_millis(CROWD_MS))
    }

    fn charge(&mut self, app: AppId, took: Duration) {
        if let Some(taken) = self.apps.get_mut(&app) {
            let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            taken.left_us = taken.left_us.saturating_sub_unsigned(us);
            taken.usual_us = (taken.usual_us * 7 + us) / 8;
        }
    }
}

/// Adds what `work` takes of the processor. A thread that others push aside, on a busy machine, takes no more for it; only where it
/// seems to have taken long is the kernel asked a second time.
fn timed<T>(taken: &mut Duration, work: impl FnOnce() -> T) -> T {
    let (began, had_ns) = (Instant::now(), processor_ns());
    let done = work();
    let passed = began.elapsed();
    *taken += if passed < Duration::from_micros(EXPRESS_LONG_US) {
        passed
    } else {
        passed.min(Duration::from_nanos(processor_ns().saturating_sub(had_ns)))
    };
    done
}

/// What this thread has had of a processor so far, ns.
fn processor_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
