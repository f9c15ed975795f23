//! The workers: from an event in the outbox to a settled delivery.
//!
//! `relay` makes deliveries of events, `clock` makes events of schedules that are due, `dispatcher` claims what is due and has it run,
//! `settler` writes what came of it, `held` knows what this node has claimed, `resume` goes on with what waited for its trigger, `sweep`
//! deletes what was kept long enough. A node whose roles are without `workers` has none of them but `resume`, and tells others. They meet the planes in the database only: a wake-up (`service::events`) says "look", never what to do.
//!
//! Each step is one transaction, and a crash between two leaves work that the next look finds:
//! - after the commit of a mutation: the event is in the outbox; a start relays it.
//! - after relaying: the delivery is due; a start claims it.
//! - after claiming, in the handler, or before settling: the lease ends, or a start that knows itself alone releases it, and the
//!   delivery is attempted again. So a handler may run more than once for one event, which has one id.
//!
//! Invariants: a delivery is one row from relaying to its end, so nothing is delivered twice that settled once. Only who holds the
//! number of a claim settles it. Nothing is queried while nothing is added, due or held.

mod attempt;
mod clock;
mod dispatcher;
mod held;
mod relay;
mod resume;
mod settler;
mod sweep;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use self::dispatcher::Dispatcher;
use self::held::Held;
use crate::error::{Error, Result};
use crate::invoke::Invoker;
use crate::limits;
use crate::service::{self, Services};
use crate::shutdown::{self, Shutdown};
use crate::store;

/// Whether other nodes work on the same database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// What is claimed at the start was claimed by a node that is gone.
    Alone,
    Others,
}

/// The workers of one node.
pub struct Workers {
    services: Arc<Services>,
    held: Arc<Held>,
    /// None on a node that leaves the work to others.
    dispatcher: Option<JoinHandle<()>>,
    /// What goes on while the node drains: requests that run until then add events, and claims are renewed.
    lasting: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts them on the current runtime; they begin nothing new once draining begins.
    ///
    /// # Errors
    /// What the database refuses when a node that is alone releases what was claimed.
    pub async fn start(services: Arc<Services>, invoker: Arc<Invoker>, company: Company, shutdown: &Shutdown) -> Result<Self> {
        if company == Company::Alone {
            let released = service::deliveries::release_all(&services).await?;
            if released > 0 {
                tracing::info!(deliveries = released, "deliveries that were under way when the node ended are attempted again");
            }
        }
        let held = Arc::new(Held::default());
        let (settlements, settled) = mpsc::channel(limits::DELIVERIES_CLAIMED_MAX);
        let mut lasting = vec![
            shutdown::spawn("settler", settler::work(services.clone(), held.clone(), settled)),
            shutdown::spawn("relay", relay::work(services.clone())),
            shutdown::spawn("leases", renew(services.clone(), held.clone())),
            shutdown::spawn("doubts", service::events::settle_doubts(services.clone())),
        ];
        let dispatcher =
            Dispatcher { services: services.clone(), invoker, held: held.clone(), settlements, shutdown: shutdown.clone() };
        let dispatcher = Some(shutdown::spawn("dispatcher", dispatcher.work()));
        until_draining("schedules", shutdown, clock::work(services.clone()));
        until_draining("resuming", shutdown, resume::work(services.clone()));
        until_draining("sweep", shutdown, sweep::work(services.clone()));
        until_draining("vacuum", shutdown, sweep::vacuum(services.clone()));
        if company == Company::Others {
            until_draining("events of others", shutdown, listen(services.clone()));
            lasting.push(shutdown::spawn("telling of events", service::events::tell_others(services.clone())));
        }
        services.events.wake();
        Ok(Self { services, held, dispatcher, lasting })
    }

    /// Those of a node that leaves the work to others: they tell of what its planes and scripts cause, and go on with what it caused
    /// itself by a change of triggers.
    pub fn elsewhere(services: Arc<Services>, shutdown: &Shutdown) -> Self {
        let lasting = vec![
            shutdown::spawn("doubts", service::events::settle_doubts(services.clone())),
            shutdown::spawn("telling of events", service::events::tell_others(services.clone())),
        ];
        until_draining("resuming", shutdown, resume::work(services.clone()));
        until_draining("telling of what is kept", shutdown, sweep::leave_to_others(services.clone()));
        Self { services, held: Arc::new(Held::default()), dispatcher: None, lasting }
    }

    /// Waits for what is under way, at most until `deadline` or until stopping; gives back what is not settled by then. Whether all
    /// was settled. Other nodes are told to look at what is left.
    pub async fn close(self, deadline: Instant, shutdown: &Shutdown) -> bool {
        // Claims of a moment ago are known once it has ended.
        let dispatched = match self.dispatcher {
            Some(dispatcher) => tokio::time::timeout_at(deadline.into(), dispatcher).await.is_ok(),
            None => true,
        };
        let finished = tokio::select! {
            () = self.held.empty() => dispatched,
            () = tokio::time::sleep_until(deadline.into()) => false,
            () = shutdown.stopping() => false,
        };
        if !finished {
            let claims = self.held.claims();
            let given_back = service::deliveries::give_back(&self.services, &claims);
            let within = Duration::from_millis(limits::GIVE_BACK_MS);
            if !matches!(tokio::time::timeout(within, given_back).await, Ok(Ok(()))) {
                tracing::warn!("claimed deliveries could not be given back; their leases will end");
            }
        }
        self.lasting.iter().for_each(JoinHandle::abort);
        // A database that hangs must not keep a node from ending.
        let told = service::events::tell_others_once(&self.services);
        match tokio::time::timeout(Duration::from_millis(limits::GIVE_BACK_MS), told).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, cause = ?error.source, "other nodes could not be told to go on"),
            Err(_) => tracing::warn!("other nodes could not be told to go on: the database does not answer"),
        }
        finished
    }
}

fn until_draining(name: &'static str, shutdown: &Shutdown, work: impl Future<Output = ()> + Send + 'static) {
    let shutdown = shutdown.clone();
    shutdown::spawn(name, async move {
        tokio::select! {
            biased;
            () = shutdown.draining() => {}
            () = work => {}
        }
    });
}

/// Hears other nodes, and looks for what was missed whenever the connection was lost.
async fn listen(services: Arc<Services>) {
    let mut trouble = Trouble::new("events of other nodes cannot be heard");
    while !services.db.is_closed() {
        let listening = async {
            let mut listener = PgListener::connect_with(&services.db).await?;
            listener.eager_reconnect(false);
            listener.listen(store::signals::EVENTS).await?;
            Ok::<_, Error>(listener)
        };
        let error = match listening.await {
            Ok(mut listener) => {
                trouble.over(&services);
                services.events.wake();
                loop {
                    match listener.try_recv().await {
                        Ok(Some(_)) => {
                            services.events.wake();
                            // One that has no sweep of its own may have added what has to go one day.
                            services.events.kept.notify_one();
                        }
                        Ok(None) => break Error::internal("the connection that listens was closed"),
                        Err(error) => break error.into(),
                    }
                }
            }
            Err(error) => error,
        };
        store::reach::lost();
        trouble.wait(&services, &error).await;
    }
}

/// Renews the leases of what is held.
async fn renew(services: Arc<Services>, held: Arc<Held>) {
    let mut trouble = Trouble::new("leases cannot be renewed");
    while !services.db.is_closed() {
        held.some().await;
        tokio::time::sleep(Duration::from_millis(limits::DELIVERY_RENEW_MS)).await;
        let claims = held.claims();
        if claims.is_empty() {
            continue;
        }
        match service::deliveries::renew(&services, &claims).await {
            Ok(_) => trouble.over(&services),
            Err(error) => trouble.wait(&services, &error).await,
        }
    }
}

/// A worker's trouble with the database: told once, waited out ever longer.
struct Trouble {
    what: &'static str,
    pause: Duration,
    is_on: bool,
}

impl Trouble {
    fn new(what: &'static str) -> Self {
        Self { what, pause: Duration::from_millis(limits::WORKER_RETRY_MS), is_on: false }
    }

    async fn wait(&mut self, services: &Services, error: &Error) {
        if !self.is_on && !services.db.is_closed() {
            tracing::warn!(%error, cause = ?error.source, "{}; trying again", self.what);
        }
        self.is_on = true;
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(Duration::from_millis(limits::WORKER_RETRY_MS_CEILING));
    }

    /// What was refused may have been committed all the same, so that nothing is found by a second try: everybody looks.
    fn over(&mut self, services: &Services) {
        if self.is_on {
            tracing::info!("no longer: {}", self.what);
            services.events.wake();
            *self = Self::new(self.what);
        }
    }
}

/// Waits for a wake-up, or until that time by the clock; without a time, for a wake-up alone.
async fn woken_or(services: &Services, wake: &Notify, at: Option<DateTime<Utc>>) {
    /// So that a clock that was set is noticed: looking at it is no query.
    const LONGEST: Duration = Duration::from_secs(3600);
    loop {
        let Some(at) = at else { return wake.notified().await };
        let left = (at - services.clock.now()).to_std().unwrap_or_default();
        if left.is_zero() {
            return;
        }
        tokio::select! {
            () = wake.notified() => return,
            () = tokio::time::sleep(left.min(LONGEST)) => {}
        }
    }
}
