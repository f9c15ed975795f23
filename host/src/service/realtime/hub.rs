//! Who subscribes on this node, and the one task that looks for them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::channel::{Channel, News};
use super::{Ending, Readers};
use crate::auth::token::Hash;
use crate::error::{Error, Result};
use crate::fair::{self, Ask, Fair, Size};
use crate::id::AppId;
use crate::limits;
use crate::model::topic::Access;
use crate::service::Services;
use crate::shutdown::Shutdown;
use crate::store;

/// Who subscribes on this node.
#[derive(Debug)]
pub struct Hub {
    state: Mutex<State>,
    /// How many.
    subscribers: watch::Sender<usize>,
    /// Nodes should look how far topics are.
    others: Notify,
    /// How often it was heard that who may subscribe was changed.
    changes: AtomicU64,
    /// Room for large messages: of those who read one by themselves, and of those who are told at once.
    large: Fair,
}

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    channels: HashMap<(AppId, String), Held>,
    /// Subscribers of each app.
    apps: HashMap<AppId, usize>,
    /// The tokens that subscribers came with.
    tokens: HashMap<Hash, Shown>,
}

#[derive(Debug)]
struct Held {
    subscribers: usize,
    channel: Arc<Channel>,
}

#[derive(Debug, Default)]
struct Shown {
    subscribers: usize,
    is_revoked: watch::Sender<bool>,
}

/// One of the places of subscribers, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) services: Arc<Services>,
    pub(super) app: AppId,
    pub(super) channel: Arc<Channel>,
    pub(super) topic: String,
    token: Option<(Hash, watch::Receiver<bool>)>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    Node,
    App,
    Stopping,
}

impl Default for Hub {
    fn default() -> Self {
        let size = |kept_bytes| Size { places: limits::SUBSCRIBERS_MAX, kept_bytes };
        let sizes = [size(0), size(limits::SUBSCRIBERS_LARGE_BYTES_KEPT)];
        Self {
            state: Mutex::default(),
            subscribers: watch::Sender::default(),
            others: Notify::new(),
            changes: AtomicU64::new(0),
            large: Fair::new(&sizes, limits::SUBSCRIBERS_LARGE_BYTES_MAX),
        }
    }
}

impl State {
    /// Ends the streams that there are; one that comes later has nothing of theirs.
    fn end(&mut self, ending: Ending) {
        self.channels.drain().for_each(|(_, held)| held.channel.end(ending));
    }
}

impl Hub {
    /// A message of that number was published on this node, and is committed.
    pub fn published(&self, app: AppId, topic: &str, seq: u64) {
        self.others.notify_one();
        if *self.subscribers.borrow() == 0 {
            return;
        }
        if let Some(held) = self.lock().channels.get(&(app, topic.to_owned())) {
            held.channel.reaches(seq);
        }
    }

    /// Something may have been published that nobody heard the end of: all nodes look.
    pub(in crate::service) fn doubt(&self) {
        self.others.notify_one();
    }

    /// How many subscribe on this node.
    pub fn subscribers(&self) -> usize {
        *self.subscribers.borrow()
    }

    /// Bytes of large messages that are held for subscribers.
    pub fn large_bytes(&self) -> u64 {
        self.large.bytes_held()
    }

    /// Room for a large message, held until it is dropped.
    pub(super) async fn hold(&self, app: AppId, weight: u32, bytes: u64, readers: Readers) -> Result<fair::Place, fair::Full> {
        let (class, wait_ms) = match readers {
            Readers::One => (0, limits::SUBSCRIBER_ROOM_WAIT_MS),
            Readers::All => (1, 0),
        };
        let ask = Ask { app, class, bytes, held_max: usize::MAX, weight };
        self.large.enter(ask, Duration::from_millis(wait_ms)).await
    }

    /// How often it was heard that who may subscribe was changed: what was read before may be forgotten by now.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The node cannot reach its database: every stream ends, so that whoever balances brings those that come back to another node.
    pub(in crate::service) fn leave(&self) {
        self.lock().end(Ending::Away);
    }

    /// Ends every stream, and lets nobody in any more.
    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.end(Ending::Stopping);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn topics(&self) -> Vec<(AppId, String)> {
        self.lock().channels.keys().cloned().collect()
    }

    /// Takes in how far topics are; those that are not there any more are nobody's.
    fn tell(&self, asked: &[(AppId, String)], found: Vec<(AppId, String, store::topics::Registered)>) {
        let found: HashMap<_, _> = found.into_iter().map(|(app, name, registered)| ((app, name), registered)).collect();
        let state = self.lock();
        for topic in asked {
            let Some(held) = state.channels.get(topic) else { continue };
            let registered = found.get(topic);
            let access = registered.map_or(Access::Internal, |registered| registered.access);
            held.channel.news.send_if_modified(|news| {
                let told = News {
                    last_seq: news.last_seq.max(registered.map_or(0, |registered| registered.last_seq)),
                    access: Some(access),
                    ..*news
                };
                let is_news = told != *news;
                *news = told;
                is_news
            });
        }
    }

    fn tokens(&self) -> Vec<Hash> {
        self.lock().tokens.keys().copied().collect()
    }

    /// Of tokens that were asked about, those that are not known are taken back.
    fn revoke(&self, asked: &[Hash], known: &[Vec<u8>]) {
        let state = self.lock();
        for hash in asked.iter().filter(|hash| !known.iter().any(|known| known.as_slice() == hash.as_slice())) {
            if let Some(shown) = state.tokens.get(hash) {
                shown.is_revoked.send_replace(true);
            }
        }
    }

    /// Resolves once somebody subscribes.
    async fn somebody(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.subscribers.subscribe().wait_for(|subscribers| *subscribers > 0).await;
    }

    /// Resolves once nobody does.
    async fn nobody(&self) {
        let _ = self.subscribers.subscribe().wait_for(|subscribers| *subscribers == 0).await;
    }
}

impl Place {
    /// A place for one that subscribes to the topic with that token, and what it is told.
    pub(super) fn take(
        services: &Arc<Services>,
        app: AppId,
        topic: &str,
        token: Option<Hash>,
        places: usize,
    ) -> Result<(Self, watch::Receiver<News>), Full> {
        let hub = &services.realtime;
        let mut state = hub.lock();
        let State { is_closed, channels, apps, tokens } = &mut *state;
        if *is_closed {
            return Err(Full::Stopping);
        }
        if *hub.subscribers.borrow() >= places {
            return Err(Full::Node);
        }
        let of_app = apps.entry(app).or_default();
        if *of_app >= limits::SUBSCRIBERS_PER_APP_MAX.min((places / 2).max(1)) {
            return Err(Full::App);
        }
        *of_app += 1;
        let held = channels.entry((app, topic.to_owned())).or_insert_with(|| Held { subscribers: 0, channel: Arc::default() });
        held.subscribers += 1;
        let token = token.map(|hash| {
            let shown = tokens.entry(hash).or_default();
            shown.subscribers += 1;
            (hash, shown.is_revoked.subscribe())
        });
        let channel = held.channel.clone();
        let news = channel.news.subscribe();
        hub.subscribers.send_modify(|subscribers| *subscribers += 1);
        Ok((Self { services: services.clone(), app, channel, topic: topic.to_owned(), token }, news))
    }

    pub(super) fn is_revoked(&self) -> bool {
        self.token.as_ref().is_some_and(|(_, is_revoked)| *is_revoked.borrow())
    }

    /// Resolves once the token is taken back.
    pub(super) async fn revoked(&mut self) {
        match &mut self.token {
            // The sender lives as long as this place.
            Some((_, is_revoked)) if !*is_revoked.borrow() => {
                let _ = is_revoked.changed().await;
            }
            _ => std::future::pending::<()>().await,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let hub = &self.services.realtime;
        let mut state = hub.lock();
        let State { channels, apps, tokens, .. } = &mut *state;
        if let Entry::Occupied(mut held) = channels.entry((self.app, std::mem::take(&mut self.topic)))
            && Arc::ptr_eq(&held.get().channel, &self.channel)
        {
            held.get_mut().subscribers -= 1;
            if held.get().subscribers == 0 {
                held.remove();
            }
        }
        if let Entry::Occupied(mut subscribers) = apps.entry(self.app) {
            *subscribers.get_mut() -= 1;
            if *subscribers.get() == 0 {
                subscribers.remove();
            }
        }
        if let Some((hash, _)) = &self.token
            && let Entry::Occupied(mut shown) = tokens.entry(*hash)
        {
            shown.get_mut().subscribers -= 1;
            if shown.get().subscribers == 0 {
                shown.remove();
            }
        }
        hub.subscribers.send_modify(|subscribers| *subscribers -= 1);
    }
}

/// Signals nodes that something was published, once for all that came within `TOPIC_SIGNAL_MS`.
async fn tell_others(services: &Services) {
    let mut pause = Duration::from_millis(limits::TOPIC_SIGNAL_MS);
    while !services.db.is_closed() {
        services.realtime.others.notified().await;
        if let Err(error) = tell_others_once(services).await
            && !services.db.is_closed()
        {
            tracing::warn!(%error, cause = ?error.source, "subscribers on other nodes could not be told of a message; trying again");
            services.realtime.others.notify_one();
            pause = Duration::from_millis(limits::WORKER_RETRY_MS_CEILING);
        }
        sleep(pause).await;
        pause = Duration::from_millis(limits::TOPIC_SIGNAL_MS);
    }
}

async fn tell_others_once(services: &Services) -> Result<()> {
    Ok(store::signals::published(&mut *services.db.acquire().await?).await?)
}

/// Tells other nodes what this one publishes; and looks for what is published, for all who subscribe here, until draining begins: then
/// every stream ends.
pub async fn work(services: Arc<Services>, shutdown: Shutdown) {
    let attending = async {
        tokio::select! {
            biased;
            () = shutdown.draining() => {}
            () = attend(&services) => {}
        }
        services.realtime.close();
    };
    tokio::join!(attending, tell_others(&services));
}

/// Ends when the pool is closed.
async fn attend(s: &Services) {
    let ceiling = Duration::from_millis(limits::ROUTING_RETRY_MS_CEILING);
    let mut pause = Duration::from_millis(limits::ROUTING_RETRY_MS);
    let mut is_lost = false;
    while !s.db.is_closed() {
        s.realtime.somebody().await;
        match listen(s, &mut is_lost).await {
            Ok(()) => pause = Duration::from_millis(limits::ROUTING_RETRY_MS),
            Err(error) => {
                if !is_lost && !s.db.is_closed() {
                    tracing::warn!(%error, cause = ?error.source, "subscribers are not told of what is published; trying again");
                }
                is_lost = true;
                sleep(pause).await;
                pause = (pause * 2).min(ceiling);
            }
        }
    }
}

/// Which signals came.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    /// Something was published.
    topics: bool,
    /// Who may subscribe was changed.
    subscribers: bool,
}

impl Heard {
    const ALL: Self = Self { topics: true, subscribers: true };

    fn add(&mut self, channel: &str) {
        self.topics |= channel == store::signals::TOPICS;
        self.subscribers |= channel == store::signals::SUBSCRIBERS;
    }
}

/// Hears of what is published and changed, and looks, until nobody subscribes any more.
async fn listen(s: &Services, is_lost: &mut bool) -> Result<()> {
    let mut listener = PgListener::connect_with(&s.db).await?;
    // Lost signals are made up for by listening first and looking then.
    listener.eager_reconnect(false);
    listener.listen_all([store::signals::TOPICS, store::signals::SUBSCRIBERS]).await?;
    if std::mem::take(is_lost) {
        tracing::info!("subscribers are told again");
    }
    let mut heard = Heard::ALL;
    while *s.realtime.subscribers.borrow() > 0 {
        look(s, heard).await?;
        // However much is signalled now is answered by one look.
        heard = heard_within(&mut listener, Duration::from_millis(limits::TOPIC_LOOK_MS)).await?;
        if heard.topics || heard.subscribers {
            continue;
        }
        tokio::select! {
            biased;
            () = s.realtime.nobody() => {}
            signal = listener.try_recv() => heard.add(signal?.ok_or_else(closed)?.channel()),
        }
    }
    Ok(())
}

/// What is signalled within that time; waits for all of it.
async fn heard_within(listener: &mut PgListener, time: Duration) -> Result<Heard> {
    let over = sleep(time);
    tokio::pin!(over);
    let mut heard = Heard::default();
    loop {
        tokio::select! {
            biased;
            () = &mut over => return Ok(heard),
            signal = listener.try_recv() => heard.add(signal?.ok_or_else(closed)?.channel()),
        }
    }
}

fn closed() -> Error {
    Error::internal("the connection that listens was closed")
}

/// Tells subscribers how far their topics are and who may subscribe, and of tokens that are not good any more.
async fn look(s: &Services, heard: Heard) -> Result<()> {
    if heard.subscribers {
        s.realtime.changes.fetch_add(1, Ordering::AcqRel);
    }
    // Whoever comes after this judges what is there then.
    let (topics, tokens) = (s.realtime.topics(), s.realtime.tokens());
    let mut db = s.db.acquire().await?;
    let found = store::topics::latest(&mut db, &topics).await?;
    s.realtime.tell(&topics, found);
    if heard.subscribers && !tokens.is_empty() {
        let hashes: Vec<_> = tokens.iter().map(|hash| hash.to_vec()).collect();
        let known = store::subscriber_tokens::known(&mut db, &hashes).await?;
        s.realtime.revoke(&tokens, &known);
    }
    Ok(())
}
