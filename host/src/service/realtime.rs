//! Subscribers of topics: whoever may is given each message that is published from then on, or after the last one they have, once and in
//! the order of its numbers (`store/topics.rs` says why there is one).
//!
//! One task of the node listens while anybody subscribes at all, and looks how far the topics are when it hears that something was
//! published: `hub`. Subscribers of those wake; the first one reads what is new, for all of them. So one to whom nothing
//! happens asks the database nothing, and a node without subscribers neither. A signal that is lost with its connection is made up for: when it is
//! heard again, all look. What this node publishes itself its subscribers hear at once. Who comes back reads what was published before by
//! themselves: `channel`.
//!
//! Who may is judged when one comes, and again when anything of that was changed (a signal of its own): the topic's access, the token. A
//! token's end is known from the beginning.
//!
//! A subscriber keeps nothing but its place and one page, and holds no connection to the database while it is written to. A message has its
//! bytes once, whoever is given them; one that is larger than a page is counted until the last has let it go. Who does not read is ended by
//! the connection (`CONNECTION_UNTAKEN_MS`).

mod channel;
mod hub;
mod large;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use self::channel::News;
use self::hub::Place;
pub use self::hub::{Full, Hub, work};
use self::large::Large;
use super::Services;
use crate::auth::token::{self, Hash};
use crate::error::{Error, Kind, Result};
use crate::fair;
use crate::id::AppId;
use crate::limits;
use crate::model::topic::{Access, Message, Window, cover};
use crate::store;
use crate::store::topics::{Part, Read};

/// What of an app's paths is the platform's.
const RESERVED: &str = "/realtime/";
const TOPICS: &str = "/realtime/topics/";

/// What a path below [`RESERVED`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'p> {
    /// The topic of that name, as it is encoded.
    Topic(&'p str),
    Nothing,
}

/// What a path names, if it is one that the platform answers itself on an app's host.
pub fn asked(path: &str) -> Option<Asked<'_>> {
    if !path.starts_with(RESERVED) {
        return None;
    }
    let topic = path.strip_prefix(TOPICS).filter(|topic| !topic.is_empty() && !topic.contains('/'));
    Some(topic.map_or(Asked::Nothing, Asked::Topic))
}

/// 422 for a path of a route that would never be asked.
pub(super) fn leave_free(path: &str) -> Result<()> {
    if asked(path).is_none() {
        return Ok(());
    }
    let message = "path is below /realtime/, which the platform answers itself: topics are subscribed to there; choose another";
    Err(Error::invalid("path", message))
}

/// Why somebody may not subscribe.
#[derive(Debug)]
pub enum Refused {
    /// There is nothing to subscribe to.
    NotFound,
    /// No token, or none that is good.
    Unauthenticated,
    /// A good token, for other topics.
    Forbidden,
    /// As many subscribe as may.
    Full(Full),
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What a subscriber is told next.
#[derive(Debug)]
pub enum Told {
    Messages(Vec<Message>),
    /// Messages of these numbers, the first and the last, are not kept any more; it goes on after them.
    Gap {
        from: u64,
        to: u64,
    },
    /// The number that was asked for was never given out here; it goes on after this one.
    Reset(u64),
    /// Nothing for a while.
    Quiet,
    /// Nothing more.
    Ended(Ending),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The node is stopping.
    Stopping,
    /// The node cannot reach its database.
    Away,
    /// It was long enough.
    Long,
    /// The topic is not theirs to subscribe to any more.
    Refused,
}

/// Somebody who is told what is published to a topic.
#[derive(Debug)]
pub struct Subscriber {
    place: Place,
    /// The last number that they have.
    after: u64,
    /// How far the topic was when they came.
    known: u64,
    /// To be told first.
    reset: bool,
    news: watch::Receiver<News>,
    /// The end of the token that lets them in, where one does.
    expires_at: Option<DateTime<Utc>>,
    told_at: Instant,
    ends_at: Instant,
}

/// Begins to subscribe: after the number `after`, or from now on. `places` for all on this node.
pub async fn subscribe(
    s: &Arc<Services>,
    app: AppId,
    topic: &str,
    token: Option<&str>,
    after: Option<u64>,
    places: usize,
) -> Result<Subscriber, Refused> {
    let hash = token.and_then(token::read_subscriber);
    // Before anything is judged: a change from here on is heard.
    let (place, news) = Place::take(s, app, topic, hash, places).map_err(Refused::Full)?;
    let (last_seq, expires_at) = admit(s, app, topic, hash).await?;
    let now = Instant::now();
    let reset = after.is_some_and(|after| after > last_seq);
    let after = after.filter(|after| *after <= last_seq).unwrap_or(last_seq);
    let ends_at = now + Duration::from_millis(limits::SUBSCRIBE_STREAM_MS);
    let mut subscriber = Subscriber { place, after, known: last_seq, reset, news, expires_at, told_at: now, ends_at };
    subscriber.hear().await;
    Ok(subscriber)
}

/// How far the topic is, and how long they may, for one who may subscribe.
async fn admit(s: &Services, app: AppId, topic: &str, hash: Option<Hash>) -> Result<(u64, Option<DateTime<Utc>>), Refused> {
    let failed = |error: sqlx::Error| Refused::Failed(super::events::refusal(error));
    let mut db = s.script_db.acquire().await.map_err(failed)?;
    let registered = store::topics::registered(&mut db, app, topic).await.map_err(failed)?;
    let Some(registered) = registered.filter(|registered| registered.access != Access::Internal) else {
        db.done();
        return Err(Refused::NotFound);
    };
    if registered.access == Access::Public {
        db.done();
        return Ok((registered.last_seq, None));
    }
    let Some(hash) = hash else {
        db.done();
        return Err(Refused::Unauthenticated);
    };
    let token = store::subscriber_tokens::live(&mut db, app, &hash, s.now()).await.map_err(failed)?;
    db.done();
    let token = token.ok_or(Refused::Unauthenticated)?;
    if !cover(&token.topics, topic) {
        return Err(Refused::Forbidden);
    }
    Ok((registered.last_seq, Some(token.expires_at)))
}

impl Subscriber {
    /// Where it stands.
    pub fn after(&self) -> u64 {
        self.after
    }

    /// Waits for the node to hear of the change that let them in, where others were there before it.
    async fn hear(&mut self) {
        let until = Instant::now() + Duration::from_millis(limits::SUBSCRIBE_HEARD_MS);
        loop {
            let news = *self.news.borrow_and_update();
            if !self.is_refused(news) || timeout_at(until, self.news.changed()).await.is_err() {
                return;
            }
        }
    }

    /// What comes next, within `SUBSCRIBE_HEARTBEAT_MS`.
    ///
    /// # Errors
    /// What the database refuses; whoever has the last number goes on later.
    pub async fn next(&mut self) -> Result<Told> {
        let told = self.wait().await?;
        self.told_at = Instant::now();
        Ok(told)
    }

    async fn wait(&mut self) -> Result<Told> {
        if std::mem::take(&mut self.reset) {
            return Ok(Told::Reset(self.after));
        }
        loop {
            let (news, now) = (*self.news.borrow_and_update(), Instant::now());
            if let Some(ending) = news.ending {
                return Ok(Told::Ended(ending));
            }
            if self.is_refused(news) {
                return Ok(Told::Ended(Ending::Refused));
            }
            if now >= self.ends_at {
                return Ok(Told::Ended(Ending::Long));
            }
            if news.last_seq.max(self.known) > self.after {
                return self.read().await;
            }
            let quiet_at = self.told_at + Duration::from_millis(limits::SUBSCRIBE_HEARTBEAT_MS);
            if now >= quiet_at {
                return Ok(Told::Quiet);
            }
            // One that has ended is not looked at any more where the topic is everybody's by now.
            let left =
                self.expires_at.and_then(|at| (at - self.place.services.now()).to_std().ok()).filter(|left| !left.is_zero());
            let expires_at = left.map_or(quiet_at, |left| now + left);
            tokio::select! {
                biased;
                // The sender lives as long as this one's place.
                _ = self.news.changed() => {}
                () = self.place.revoked() => {}
                () = sleep_until(quiet_at.min(self.ends_at).min(expires_at)) => {}
            }
        }
    }

    /// The topic is nobody's or others', the token is gone, or the app is.
    fn is_refused(&self, news: News) -> bool {
        let services = &self.place.services;
        let has_token = self.expires_at.is_some_and(|at| at > services.now() && !self.place.is_revoked());
        let may = match news.access {
            // Nobody looked yet: it is as it was when they came.
            None => self.expires_at.is_none() || has_token,
            Some(Access::Public) => true,
            Some(Access::Token) => has_token,
            Some(Access::Internal) => false,
        };
        !may || services.routing.current().app_by_id(self.place.app).is_none()
    }

    /// What is there after the last number.
    async fn read(&mut self) -> Result<Told> {
        let place = &self.place;
        let page = match self.after < self.known {
            true => page(&place.services, place.app, &place.topic, self.after, Readers::One).await?,
            false => place.channel.read(place, self.after).await?,
        };
        let (first, last) = match (page.messages.first(), page.messages.last()) {
            (Some(first), Some(last)) => (first.seq, last.seq),
            // All of it was too old.
            _ if page.last_seq > self.after => {
                let from = self.after + 1;
                self.after = page.last_seq;
                return Ok(Told::Gap { from, to: self.after });
            }
            _ => return Err(Error::internal("a topic's numbers went back")),
        };
        if first > self.after + 1 {
            let from = self.after + 1;
            self.after = first - 1;
            return Ok(Told::Gap { from, to: self.after });
        }
        self.after = last;
        Ok(Told::Messages(page.messages))
    }
}

/// What one look found.
#[derive(Debug)]
struct Page {
    last_seq: u64,
    /// In order, and none left out between two.
    messages: Vec<Message>,
    /// The one among them that is larger than a page, and alone.
    large: Option<Large>,
}

impl Page {
    /// Of one message at most, for which there is room.
    fn alone(last_seq: u64, messages: Vec<Message>, room: fair::Place) -> Self {
        let large = messages.into_iter().next().map(|message| Large::new(message, room));
        Self { last_seq, messages: large.iter().map(Large::message).collect(), large }
    }
}

/// Whom a page is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readers {
    One,
    /// All who wait for the same.
    All,
}

/// Reads what comes after a number from the database. A message that is larger than a page comes alone, once there is room for it.
async fn page(s: &Services, app: AppId, topic: &str, after: u64, readers: Readers) -> Result<Page> {
    let mut part = Part { messages: limits::TOPIC_PAGE_MESSAGES, bytes: limits::TOPIC_PAGE_BYTES };
    let mut room = None;
    loop {
        let Read { last_seq, messages, larger, .. } = read(s, app, topic, after, part).await?;
        let Some(bytes) = larger else {
            return Ok(match room {
                Some(room) => Page::alone(last_seq, messages, room),
                None => Page { last_seq, messages, large: None },
            });
        };
        // Whoever waits for room has none.
        drop(room.take());
        let full =
            |_| Error::new(Kind::Overloaded, "overloaded", "the app's subscribers hold as many large messages as they may");
        room = Some(s.realtime.hold(app, s.quota(app).weight, bytes, readers).await.map_err(full)?);
        part = Part { messages: 1, bytes: i64::try_from(bytes).unwrap_or(i64::MAX) };
    }
}

/// The same as one of the app's statements, of one part.
async fn read(s: &Services, app: AppId, topic: &str, after: u64, part: Part) -> Result<Read> {
    let busy = |_| Error::new(Kind::Overloaded, "overloaded", "the app's other statements take all of its share of the database");
    let place = s.statement(app, true, Duration::from_millis(limits::DATABASE_ACQUIRE_MS)).await.map_err(busy)?;
    let mut db = s.script_db.acquire().await?;
    let read = store::topics::read(&mut db, app, topic, after, Window::at(s.now()), part).await?;
    db.done();
    drop(place);
    // Whoever asked is told by the signal of that.
    read.filter(|read| read.access != Access::Internal).ok_or_else(|| Error::not_found("topic"))
}
