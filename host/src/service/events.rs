//! Events: added in the transaction of what they tell of, and the wake-ups that follow the commit.
//!
//! A wake-up costs no query: the workers of this node hear it in the process, those of other nodes by a signal that one task
//! sends for many (`tell_others`). It may come too often, and it may be lost with its node: then what waits is found when a
//! node starts, loses its connection, or is woken by anything else. Whoever writes holds a [`Doubt`]: a caller that is gone
//! before it has heard of the commit, at a deadline or because it hung up, leaves the wake-up to `settle_doubts`.

mod backlog;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use tokio::sync::Notify;

use super::{Services, audit};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, EventId, RequestId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::event::{NewEvent, Op, Origin, Source, Target, Told};
use crate::store;

/// What the workers of this node wait for. Each is heard by one of them, also when it comes while that one is busy.
#[derive(Debug, Default)]
pub struct Events {
    /// Something may be in the outbox.
    pub outbox: Notify,
    /// Something may be due.
    pub due: Notify,
    /// The next tick may have changed.
    pub ticks: Notify,
    /// A trigger may have become active.
    pub activated: Notify,
    /// Something was made held.
    pub held: Notify,
    /// Something may wait for a trigger that is gone.
    pub forsaken: Notify,
    /// Much was settled since the remains of it were cleared away.
    pub remains: Notify,
    /// Something that is kept for a time was added.
    pub kept: Notify,
    /// Other nodes should look.
    others: Notify,
    /// A write may have been committed that nobody heard of.
    doubts: Notify,
    backlog: backlog::Backlog,
}

impl Events {
    /// How a write at that time is told of.
    pub(super) fn tell(&self, now: DateTime<Utc>, origin: Origin) -> Told {
        Told { event: EventId::at(now), origin }
    }

    /// To be held from before a write is committed until that is known.
    pub(super) fn doubt(&self) -> Doubt<'_> {
        Doubt(Some(self))
    }

    /// An event was committed.
    pub fn added(&self) {
        self.outbox.notify_one();
        self.others.notify_one();
    }

    /// Deliveries were made: other nodes need to know when they, or the leases that they are claimed under, come due.
    pub(super) fn relayed(&self) {
        self.due.notify_one();
        self.others.notify_one();
    }

    /// Deliveries or schedules were changed otherwise.
    pub fn changed(&self) {
        self.wake();
        self.others.notify_one();
    }

    /// Has the workers of other nodes look.
    pub fn tell_of_more(&self) {
        self.others.notify_one();
    }

    /// Has every worker of this node look.
    pub fn wake(&self) {
        self.outbox.notify_one();
        self.due.notify_one();
        self.ticks.notify_one();
        self.activated.notify_one();
    }
}

/// A write that may add an event, or make something due, and whose end is not known yet. Dropped, it has the workers look at
/// once, and again when the write must have come to its end.
#[must_use]
pub(super) struct Doubt<'a>(Option<&'a Events>);

impl Doubt<'_> {
    /// The write is done; it added an event, or it did not.
    pub(super) fn settle(mut self, added: bool) {
        if let Some(events) = self.0.take().filter(|_| added) {
            events.added();
        }
    }

    /// The write is done; deliveries or schedules were changed.
    pub(super) fn settle_changed(mut self) {
        if let Some(events) = self.0.take() {
            events.changed();
        }
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if let Some(events) = self.0 {
            events.doubts.notify_one();
        }
    }
}

/// Has the workers look for what came of writes that nobody heard the end of.
pub async fn settle_doubts(services: Arc<Services>) {
    loop {
        services.events.doubts.notified().await;
        services.events.changed();
        services.realtime.doubt();
        tokio::time::sleep(Duration::from_millis(limits::EVENT_DOUBT_MS)).await;
        services.events.changed();
        services.events.forsaken.notify_one();
        services.realtime.doubt();
    }
}

/// Signals other nodes that something was added, once for all that came within `EVENT_SIGNAL_MS`.
pub async fn tell_others(services: Arc<Services>) {
    let mut pause = Duration::from_millis(limits::EVENT_SIGNAL_MS);
    while !services.db.is_closed() {
        services.events.others.notified().await;
        if let Err(error) = tell_others_once(&services).await
            && !services.db.is_closed()
        {
            tracing::warn!(%error, cause = ?error.source, "other nodes could not be told of an event; trying again");
            services.events.others.notify_one();
            pause = Duration::from_millis(limits::WORKER_RETRY_MS_CEILING);
        }
        tokio::time::sleep(pause).await;
        pause = Duration::from_millis(limits::EVENT_SIGNAL_MS);
    }
}

/// Signals other nodes to look.
pub async fn tell_others_once(services: &Services) -> Result<()> {
    Ok(store::signals::events_added(&mut *services.db.acquire().await?).await?)
}

/// Adds an event for what a script did to one of its things, if a trigger is there for it; whether there is. The commit goes
/// under a [`Doubt`].
pub(super) async fn append_change(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    origin: Origin,
    change: Change<'_>,
) -> Result<bool> {
    let event = NewEvent {
        id: EventId::at(now),
        app_id: app,
        source: change.source,
        op: change.op.as_str(),
        at: now,
        origin,
        about: change.about,
        name: change.collection.to_owned(),
        due_at: now,
        target: Target::Matching,
    };
    Ok(store::events::append_if_triggered(tx, &event).await?)
}

/// A write to a collection.
pub(super) struct Change<'a> {
    pub source: Source,
    pub op: Op,
    pub collection: &'a str,
    /// JSON text.
    pub about: String,
}

/// JSON text of what a handler sees.
pub(super) fn about(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

/// Adds one event by itself, durably; of one that a person asked for, the audit log tells. 404 when the app is gone; 503 while it has too
/// much waiting, or the database has no time.
pub(super) async fn append(s: &Services, by: Option<&Principal>, event: &NewEvent) -> Result<()> {
    admit(s, event).await?;
    if by.is_some() {
        let mut tx = store::begin(&s.script_db).await.map_err(refusal)?;
        store::events::append(&mut tx, event).await.map_err(refusal)?;
        note(&mut tx, event.at, by, event).await?;
        let doubt = s.events.doubt();
        tx.commit().await?;
        doubt.settle(true);
        return Ok(());
    }
    let mut db = s.script_db.acquire().await.map_err(refusal)?;
    let doubt = s.events.doubt();
    store::events::append(&mut db, event).await.map_err(refusal)?;
    db.done();
    doubt.settle(true);
    Ok(())
}

/// Notes an event that a person asked for.
pub(super) async fn note(tx: &mut PgConnection, now: DateTime<Utc>, by: Option<&Principal>, event: &NewEvent) -> Result<()> {
    if by.is_none() {
        return Ok(());
    }
    let action = if event.source == Source::Pubsub { "topic.publish" } else { "queue.send" };
    let after = Some(json!({ "event_id": event.id, "bytes": event.about.len() }));
    let change = audit::Change { action, app_id: Some(event.app_id), target: event.name.clone(), before: None, after };
    audit::append(tx, now, by, change).await
}

/// Whether the app may have one more event waiting; 503 otherwise.
pub(super) async fn admit(s: &Services, event: &NewEvent) -> Result<()> {
    s.events.backlog.admit(s, event.app_id, event.about.len()).await
}

/// What the database said to an event.
pub(super) fn refusal(error: sqlx::Error) -> Error {
    if matches!(error, sqlx::Error::PoolTimedOut) || store::is_out_of_time(&error) {
        return busy();
    }
    store::refusal(error)
}

fn busy() -> Error {
    Error::new(Kind::Overloaded, "overloaded", "the database is busy; try again shortly")
}

/// The origin of what begins a chain by itself: a schedule.
pub(super) fn beginning(now: DateTime<Utc>) -> Origin {
    Origin::of(RequestId::at(now))
}
