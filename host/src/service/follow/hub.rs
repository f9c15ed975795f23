//! Who follows on this node, and the one task that looks for them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::error::{Error, Kind, Result};
use crate::id::AppId;
use crate::limits;
use crate::service::Services;
use crate::shutdown::Shutdown;
use crate::store;
use crate::store::follow::Horizon;

/// Who follows on this node.
#[derive(Debug, Default)]
pub struct Hub {
    state: Mutex<State>,
    /// How many.
    followers: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    /// Up to where this node has looked.
    below: i64,
    apps: HashMap<AppId, Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    followers: usize,
    news: watch::Sender<News>,
}

/// What followers of an app are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct News {
    /// There may be records of transactions below this one.
    pub(super) below: i64,
    pub(super) lost: Lost,
    pub(super) is_closed: bool,
}

/// What an app logged, and was not kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Records, with their lines.
    pub records: u64,
    /// Lines of records that were kept.
    pub lines: u64,
}

/// One of the places of followers, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) services: Arc<Services>,
    pub(super) app: AppId,
}

impl Hub {
    /// Some of what an app logged is lost: its followers on this node are told. What another node loses is not known here.
    pub fn lost(&self, app: AppId, more: Lost) {
        if *self.followers.borrow() == 0 {
            return;
        }
        if let Some(followed) = self.lock().apps.get(&app) {
            followed.news.send_modify(|news| {
                news.lost = Lost { records: news.lost.records + more.records, lines: news.lost.lines + more.lines };
            });
        }
    }

    /// How many follow on this node.
    pub fn followers(&self) -> usize {
        *self.followers.borrow()
    }

    /// Ends every stream, and lets nobody in any more.
    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        for followed in state.apps.values() {
            followed.news.send_modify(|news| news.is_closed = true);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in how far can be read; the apps that are followed, of which those with news are to be told.
    fn reach(&self, below: i64) -> Vec<AppId> {
        let mut state = self.lock();
        state.below = state.below.max(below);
        state.apps.keys().copied().collect()
    }

    fn tell(&self, apps: &[AppId], below: i64) {
        let state = self.lock();
        for followed in apps.iter().filter_map(|app| state.apps.get(app)) {
            followed.news.send_modify(|news| news.below = news.below.max(below));
        }
    }

    /// Resolves once somebody follows.
    async fn somebody(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.followers.subscribe().wait_for(|followers| *followers > 0).await;
    }

    /// Resolves once nobody does.
    async fn nobody(&self) {
        let _ = self.followers.subscribe().wait_for(|followers| *followers == 0).await;
    }
}

impl Place {
    /// A place for one that follows the app, what it is told, and up to where this node had looked by then. 503 when the node, or
    /// the app, has as many as there may be.
    pub(super) fn take(services: &Arc<Services>, app: AppId, places: usize) -> Result<(Self, watch::Receiver<News>, i64)> {
        let hub = &services.follow;
        let mut state = hub.lock();
        if state.is_closed {
            return Err(full("this node is stopping"));
        }
        if *hub.followers.borrow() >= places {
            return Err(full("as many logs are followed on this node as may be; try again later"));
        }
        let below = state.below;
        let followed = state.apps.entry(app).or_default();
        if followed.followers >= limits::FOLLOWERS_PER_APP_MAX {
            return Err(full("the log of this app is followed by as many as may; end one of them"));
        }
        followed.followers += 1;
        let news = followed.news.subscribe();
        hub.followers.send_modify(|followers| *followers += 1);
        Ok((Self { services: services.clone(), app }, news, below))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let hub = &self.services.follow;
        let mut state = hub.lock();
        if let Entry::Occupied(mut followed) = state.apps.entry(self.app) {
            followed.get_mut().followers -= 1;
            if followed.get().followers == 0 {
                followed.remove();
            }
        }
        hub.followers.send_modify(|followers| *followers -= 1);
    }
}

fn full(message: &'static str) -> Error {
    Error::new(Kind::Overloaded, "overloaded", message)
}

/// Looks for what is written, for all who follow on this node, until draining begins; then every stream ends.
pub async fn work(services: Arc<Services>, shutdown: Shutdown) {
    tokio::select! {
        biased;
        () = shutdown.draining() => {}
        () = attend(&services) => {}
    }
    services.follow.close();
}

/// Ends when the pool is closed.
async fn attend(s: &Services) {
    match disown(s).await {
        Ok(0) => {}
        Ok(records) => tracing::info!(records, "records of executions came from another server and cannot be followed"),
        Err(error) => tracing::warn!(%error, cause = ?error.source, "whether records came from another server is not known"),
    }
    let ceiling = Duration::from_millis(limits::ROUTING_RETRY_MS_CEILING);
    let mut pause = Duration::from_millis(limits::ROUTING_RETRY_MS);
    let mut is_lost = false;
    while !s.db.is_closed() {
        s.follow.somebody().await;
        match listen(s, &mut is_lost).await {
            Ok(()) => pause = Duration::from_millis(limits::ROUTING_RETRY_MS),
            Err(error) => {
                if !is_lost && !s.db.is_closed() {
                    tracing::warn!(%error, cause = ?error.source, "logs cannot be followed; trying again");
                }
                is_lost = true;
                sleep(pause).await;
                pause = (pause * 2).min(ceiling);
            }
        }
    }
}

/// Takes records out that came from another server, with a dump: numbers of transactions there mean nothing here. How many.
pub async fn disown(s: &Services) -> Result<u64> {
    let mut tx = store::begin(&s.db).await?;
    let records = store::follow::disown(&mut tx).await?;
    tx.commit().await?;
    Ok(records)
}

/// Hears of what is written, and looks, until nobody follows any more.
async fn listen(s: &Services, is_lost: &mut bool) -> Result<()> {
    let mut listener = PgListener::connect_with(&s.db).await?;
    // Lost signals are made up for by listening first and looking then.
    listener.eager_reconnect(false);
    listener.listen(store::signals::RECORDS).await?;
    if std::mem::take(is_lost) {
        tracing::info!("logs are followed again");
    }
    let (first, longest) = (Duration::from_millis(limits::FOLLOW_LOOK_MS), Duration::from_millis(limits::FOLLOW_HELD_MS_CEILING));
    let (mut looked, mut pause) = (None, first);
    while *s.follow.followers.borrow() > 0 {
        let horizon = look(s, looked).await?;
        looked = Some(looked.map_or(horizon.below, |before: i64| before.max(horizon.below)));
        pause = if horizon.is_held() { (pause * 2).min(longest) } else { first };
        // However much is signalled now is answered by one look.
        if !heard_within(&mut listener, first).await? {
            let held = async {
                match horizon.is_held() {
                    true => sleep(pause).await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = s.follow.nobody() => {}
                signal = listener.try_recv() => heard(signal?.is_some())?,
                () = held => {}
            }
        }
    }
    Ok(())
}

/// Whether something was signalled within that time; waits for all of it.
async fn heard_within(listener: &mut PgListener, time: Duration) -> Result<bool> {
    let over = sleep(time);
    tokio::pin!(over);
    let mut has_heard = false;
    loop {
        tokio::select! {
            biased;
            () = &mut over => return Ok(has_heard),
            signal = listener.try_recv() => {
                heard(signal?.is_some())?;
                has_heard = true;
            }
        }
    }
}

fn heard(is_signal: bool) -> Result<()> {
    if is_signal { Ok(()) } else { Err(Error::internal("the connection that listens was closed")) }
}

/// Tells followers of apps that something was written for since the last look; without one, all.
async fn look(s: &Services, looked: Option<i64>) -> Result<Horizon> {
    let mut db = s.db.acquire().await?;
    let horizon = store::follow::horizon(&mut db).await?;
    // Whoever comes after this is told by `Place::take` how far it was.
    let apps = s.follow.reach(horizon.below);
    let with_news = match looked {
        Some(looked) if looked >= horizon.below => Vec::new(),
        Some(looked) => store::follow::with_news(&mut db, &apps, looked, horizon.below).await?,
        None => apps,
    };
    s.follow.tell(&with_news, horizon.below);
    Ok(horizon)
}
