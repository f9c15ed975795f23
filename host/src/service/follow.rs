//! Following the log of an app: what is written is shown to whoever reads on, once and in order; `store/follow.rs` says in which.
//!
//! One task of the node listens while anybody follows at all, and looks for what was written when it hears that something was: up
//! to where it may be read, and for which of the apps that are followed (`hub`). Followers of those wake, and each reads its own.
//! So one to whom nothing happens asks the database only whether it still may, every `FOLLOW_JUDGE_IDLE_MS`, and a node without
//! followers asks nothing. A signal that is lost with its connection is made up for: when it is heard again, all look.
//!
//! A follower keeps nothing but its place and one page, and holds no connection to the database while it is written to: it reads
//! the next page when the one before was taken.

mod hub;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

pub use self::hub::{Hub, Lost, disown, work};
use self::hub::{News, Place};
use super::{Services, access};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, ExecutionId, ScriptId};
use crate::limits;
use crate::model::access::{Principal, Scope, Standing};
use crate::model::execution::LogLevel;
use crate::model::follow::{Asked, Cursor, END, Event, Filter, Lines, NOTHING, Position, arrange, foreign};
use crate::store;
use crate::store::follow::End;

/// Reads on in the log of one app.
#[derive(Debug)]
struct Reader {
    app: AppId,
    filter: Filter,
    at: Position,
    /// Records that the next look goes over.
    window: i64,
}

impl Reader {
    fn cursor(&self, at: Position) -> Cursor {
        Cursor { at, since: self.filter.since }
    }

    /// Each with what goes on after it.
    fn placed(&self, events: Vec<Event>) -> Vec<(Cursor, Event)> {
        events.into_iter().map(|event| (self.cursor(event.at), event)).collect()
    }

    /// What comes next, of transactions below `below`. May be nothing although there is more: then `at` has moved on.
    async fn read(&mut self, s: &Services, below: i64) -> Result<Vec<Event>> {
        let (rows, from) = (limits::FOLLOW_PAGE_EXECUTIONS, self.at);
        if from.txid >= below {
            return Ok(Vec::new());
        }
        let mut db = s.db.acquire().await?;
        let window = store::follow::window(&mut db, self.app, from.txid, below, self.window).await?;
        // A window ends between two transactions.
        let until = window.map_or(below, |txid| txid.max(from.txid + 1));
        let most = i64::try_from(rows).unwrap_or(i64::MAX);
        let ended = store::follow::ended(&mut db, self.app, &self.filter, from, until, most).await?;
        let Some(last) = ended.last().map(|ended| Position { txid: ended.txid, execution: ended.id.0, seq: END }) else {
            self.window = (self.window * 2).min(limits::FOLLOW_WINDOW_EXECUTIONS);
            self.at = Position::before(until);
            return Ok(Vec::new());
        };
        let is_first = ended.first().is_some_and(|first| (first.txid, first.id.0) == (from.txid, from.execution));
        let seq = if is_first { from.seq } else { NOTHING };
        let (lines, is_cut) =
            store::follow::lines(&mut db, &ended, &self.filter, seq, End::First, limits::FOLLOW_PAGE_LINES).await?;
        drop(db);
        let is_full = ended.len() >= rows;
        self.window = match is_full {
            true => most,
            false => (self.window * 2).min(limits::FOLLOW_WINDOW_EXECUTIONS),
        };
        let events = arrange(ended, lines, if is_cut { Lines::Cut } else { Lines::All }, from, &self.filter);
        self.at = match events.last() {
            Some(event) if is_cut => event.at,
            _ if is_full => last,
            _ => Position::before(until),
        };
        Ok(events)
    }

    /// The newest of transactions below `below`, so many at most, in order.
    async fn newest(&self, s: &Services, below: i64, most: u32) -> Result<Vec<Event>> {
        let rows = usize::try_from(most).unwrap_or(usize::MAX);
        if rows == 0 {
            return Ok(Vec::new());
        }
        let mut db = s.db.acquire().await?;
        let mut records = i64::from(most);
        let mut ended = loop {
            let from = store::follow::window_back(&mut db, self.app, below, records).await?;
            let ended =
                store::follow::ended_last(&mut db, self.app, &self.filter, from.unwrap_or(1), below, i64::from(most)).await?;
            if ended.len() >= rows || from.is_none() || records >= limits::FOLLOW_WINDOW_EXECUTIONS {
                break ended;
            }
            records = (records * 4).min(limits::FOLLOW_WINDOW_EXECUTIONS);
        };
        ended.reverse();
        let (lines, _) = store::follow::lines(&mut db, &ended, &self.filter, NOTHING, End::Last, rows).await?;
        drop(db);
        let mut events = arrange(ended, lines, Lines::All, Position::before(1), &self.filter);
        events.drain(..events.len().saturating_sub(rows));
        Ok(events)
    }
}

/// Where somebody begins.
struct Beginning {
    reader: Reader,
    /// Comes before all else.
    newest: Vec<Event>,
    below: i64,
}

/// `looked`: up to where it is known that one can read. `tail`: so many of the newest first, where nothing is said of where to
/// begin. 404 for a script that the app does not have; 422 for a cursor that this database did not give.
async fn begin(s: &Services, app: AppId, asked: &Asked, looked: i64, tail: u32) -> Result<Beginning> {
    asked.check()?;
    let mut db = s.db.acquire().await?;
    let script = match &asked.script {
        Some(named) => Some(script(&mut db, app, named).await?),
        None => None,
    };
    let horizon = store::follow::horizon(&mut db).await?;
    let (below, next) = (horizon.below.max(looked), horizon.next.max(looked));
    let since = match asked.cursor {
        Some(cursor) => cursor.since,
        None => asked.since.map(|since| since.at(s.now())),
    };
    let filter = Filter {
        script,
        execution: asked.execution,
        level: asked.level.unwrap_or(LogLevel::Trace),
        outcomes: asked.outcomes.clone(),
        text: asked.text.clone(),
        since,
    };
    let (at, tail) = match (asked.cursor, since, asked.tail) {
        (Some(cursor), _, _) if cursor.at.txid > next => return Err(foreign()),
        (Some(cursor), _, _) => (cursor.at, 0),
        (None, _, Some(tail)) => (Position::before(below), tail),
        (None, Some(since), None) => (Position::before(txid_of(&mut db, since).await?), 0),
        (None, None, None) => (Position::before(below), tail),
    };
    drop(db);
    let window = i64::try_from(limits::FOLLOW_PAGE_EXECUTIONS).unwrap_or(i64::MAX);
    let reader = Reader { app, filter, at, window };
    let newest = reader.newest(s, below, tail).await?;
    Ok(Beginning { reader, newest, below })
}

async fn script(db: &mut PgConnection, app: AppId, named: &str) -> Result<ScriptId> {
    let id = match named.parse::<ScriptId>() {
        Ok(id) => store::scripts::app_of(db, id).await?.filter(|of| *of == app).map(|_| id),
        // No name is longer than its bound, nor holds what a text of the database cannot.
        Err(_) if named.contains('\0') => None,
        Err(_) => store::scripts::by_name(db, app, named).await?,
    };
    id.ok_or_else(|| Error::not_found("script"))
}

/// A transaction from which on all is to be found that began at `since` or later.
async fn txid_of(db: &mut PgConnection, since: DateTime<Utc>) -> Result<i64> {
    let Some(late) = since.checked_sub_signed(TimeDelta::seconds(limits::FOLLOW_LATE_S)) else { return Ok(1) };
    let millis = u64::try_from(late.timestamp_millis()).unwrap_or(0);
    let before = ExecutionId(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid());
    Ok(store::follow::txid_of(db, before, late).await?)
}

/// A page of what was logged, with where the next one begins.
#[derive(Debug)]
pub struct Read {
    pub events: Vec<(Cursor, Event)>,
    pub cursor: Cursor,
    /// The next one is not empty, or may not be.
    pub has_more: bool,
}

/// What was logged: from where the cursor is, or from `since` on, or the newest. 404 for a script that the app does not have; 422
/// for a cursor that this database did not give, and what [`Asked::check`] refuses.
pub async fn page(s: &Services, app: AppId, asked: &Asked) -> Result<Read> {
    let Beginning { mut reader, newest: mut events, below } = begin(s, app, asked, 0, limits::FOLLOW_TAIL_DEFAULT).await?;
    for _ in 0..limits::FOLLOW_PAGE_LOOKS {
        if !events.is_empty() || reader.at.txid >= below {
            break;
        }
        events = reader.read(s, below).await?;
    }
    Ok(Read { events: reader.placed(events), cursor: reader.cursor(reader.at), has_more: reader.at.txid < below })
}

/// Somebody who is told what an app logs as it is written.
#[derive(Debug)]
pub struct Follower {
    place: Place,
    by: Arc<Principal>,
    reader: Reader,
    newest: Vec<Event>,
    below: i64,
    news: watch::Receiver<News>,
    lost: Lost,
    judged_at: Instant,
    told_at: Instant,
    ends_at: Instant,
}

/// What a follower is told next.
#[derive(Debug)]
pub enum Told {
    Events(Vec<(Cursor, Event)>),
    /// So much more is lost, of what this node had to keep.
    Lost(Lost),
    /// Nothing for a while; from here it goes on.
    Quiet(Cursor),
    /// Nothing more.
    Ended(Ending),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The node is stopping.
    Stopping,
    /// It was long enough.
    Long,
    /// The app is gone, or the right to its log.
    Refused,
}

/// Begins to follow: where the cursor is, at `since`, with the newest, or now. 503 when as many follow as may, on this node
/// `places`; for the rest as [`page`].
pub async fn follow(s: &Arc<Services>, by: Arc<Principal>, app: AppId, asked: &Asked, places: usize) -> Result<Follower> {
    let (place, mut news, looked) = Place::take(s, app, places)?;
    let Beginning { reader, newest, below } = begin(s, app, asked, looked, 0).await?;
    let lost = news.borrow_and_update().lost;
    let now = Instant::now();
    let ends_at = now + Duration::from_millis(limits::FOLLOW_STREAM_MS);
    Ok(Follower { place, by, reader, newest, below, news, lost, judged_at: now, told_at: now, ends_at })
}

impl Follower {
    /// Where it stands before it is told anything.
    pub fn cursor(&self) -> Cursor {
        self.reader.cursor(self.newest.first().map_or(self.reader.at, Event::before))
    }

    /// What comes next, within `FOLLOW_HEARTBEAT_MS`.
    ///
    /// # Errors
    /// What the database refuses; whoever has the last cursor goes on later.
    pub async fn next(&mut self) -> Result<Told> {
        let told = self.wait().await?;
        self.told_at = Instant::now();
        Ok(told)
    }

    async fn wait(&mut self) -> Result<Told> {
        let services = self.place.services.clone();
        let (busy, idle) = (Duration::from_millis(limits::FOLLOW_JUDGE_MS), Duration::from_millis(limits::FOLLOW_JUDGE_IDLE_MS));
        loop {
            let (news, now) = (*self.news.borrow_and_update(), Instant::now());
            if news.is_closed {
                return Ok(Told::Ended(Ending::Stopping));
            }
            if now >= self.ends_at {
                return Ok(Told::Ended(Ending::Long));
            }
            self.below = self.below.max(news.below);
            let has_news = self.reader.at.txid < self.below;
            if now >= self.judged_at + if has_news { busy } else { idle } {
                if !may(&services, &self.by, self.place.app).await? {
                    return Ok(Told::Ended(Ending::Refused));
                }
                self.judged_at = now;
            }
            if !self.newest.is_empty() {
                let newest = std::mem::take(&mut self.newest);
                return Ok(Told::Events(self.reader.placed(newest)));
            }
            if news.lost != self.lost {
                let before = std::mem::replace(&mut self.lost, news.lost);
                let more = |now: u64, before: u64| now.saturating_sub(before);
                let (records, lines) = (more(news.lost.records, before.records), more(news.lost.lines, before.lines));
                return Ok(Told::Lost(Lost { records, lines }));
            }
            let quiet_at = self.told_at + Duration::from_millis(limits::FOLLOW_HEARTBEAT_MS);
            if now >= quiet_at {
                return Ok(Told::Quiet(self.reader.cursor(self.reader.at)));
            }
            if has_news {
                let events = self.reader.read(&services, self.below).await?;
                if !events.is_empty() {
                    return Ok(Told::Events(self.reader.placed(events)));
                }
                continue;
            }
            tokio::select! {
                biased;
                // The sender lives as long as this one's place.
                _ = self.news.changed() => {}
                () = sleep_until(quiet_at.min(self.ends_at).min(self.judged_at + idle)) => {}
            }
        }
    }
}

/// Whether they may still read the app's log: their login or key is good, and the app is there and theirs.
async fn may(s: &Services, by: &Principal, app: AppId) -> Result<bool> {
    if s.routing.current().app_by_id(app).is_none() {
        return Ok(false);
    }
    let mut db = s.db.acquire().await?;
    let by = match access::again(&mut db, s.now(), by).await {
        Ok(by) => by,
        Err(error) if error.kind == Kind::Unauthenticated => return Ok(false),
        Err(error) => return Err(error),
    };
    let role = if by.sees_all_apps() { None } else { store::members::role(&mut db, app, by.user_id).await? };
    Ok(by.decide_on(Standing { app_id: app, role }, Scope::LogRead).is_ok())
}
