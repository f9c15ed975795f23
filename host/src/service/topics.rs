//! Topics: messages for every trigger that is for them, and for subscribers where the app lets some in.
//!
//! A topic is for triggers alone until it is registered as `public` or `token`. From then on each message is kept besides, in the
//! transaction that publishes it, under the lock of the topic: so numbers have no gap, and come to light in their order.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use sqlx::PgConnection;

use super::Services;
use super::audit::{self, Change};
use super::events::{about, refusal};
use crate::error::{Error, Result};
use crate::id::{AppId, EventId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::event::{NewEvent, Origin, Source, Target};
use crate::model::page::{Page, PageQuery, text_cursor};
use crate::model::queue::{Topic, message_text};
use crate::model::topic::{Access, Window, check_registered, check_registry, too_many};
use crate::model::trigger::check_topic;
use crate::store;

/// What a handler sees of a message.
#[derive(Serialize)]
struct About<'a> {
    topic: &'a str,
    message: &'a RawValue,
    published_at: DateTime<Utc>,
}

/// Publishes a message (JSON text, at most `MESSAGE_BYTES_MAX` bytes); its id. Nobody has to listen: it is counted. 422; 404 when the
/// app is gone.
pub async fn publish(
    s: &Services,
    by: Option<&Principal>,
    app: AppId,
    origin: Origin,
    topic: &str,
    message: Vec<u8>,
) -> Result<EventId> {
    check_topic(topic)?;
    let message = message_text(message)?;
    let now = s.now();
    let event = NewEvent {
        id: EventId::at(now),
        app_id: app,
        source: Source::Pubsub,
        op: "publish",
        at: now,
        origin,
        about: about(&About { topic, message: &message, published_at: now })?,
        name: topic.to_owned(),
        due_at: now,
        target: Target::Matching,
    };
    super::events::admit(s, &event).await?;
    let (seq, doubt);
    if by.is_some() {
        let mut tx = store::begin(&s.script_db).await.map_err(refusal)?;
        seq = store::topics::publish(&mut tx, &event, &message, Window::at(now)).await.map_err(refusal)?;
        super::events::note(&mut tx, now, by, &event).await?;
        doubt = s.events.doubt();
        tx.commit().await?;
    } else {
        let mut db = s.script_db.acquire().await.map_err(refusal)?;
        doubt = s.events.doubt();
        seq = store::topics::publish(&mut db, &event, &message, Window::at(now)).await.map_err(refusal)?;
        db.done();
    }
    doubt.settle(true);
    if let Some(seq) = seq {
        s.events.kept.notify_one();
        s.realtime.published(app, topic, seq);
    }
    Ok(event.id)
}

/// An app's topics by name: those that something was published to, and those that are registered.
pub async fn list(s: &Services, app: AppId, query: &PageQuery) -> Result<Page<Topic>> {
    let after = query.after_text()?.unwrap_or_default();
    let rows = store::topics::list(&mut *s.db.acquire().await?, app, &after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |topic| text_cursor(&topic.name)))
}

/// A topic that something was published to, or that is registered; 404.
pub async fn get(s: &Services, app: AppId, name: &str) -> Result<Topic> {
    check_topic(name)?;
    get_of(&mut *s.db.acquire().await?, app, name).await
}

async fn get_of(db: &mut PgConnection, app: AppId, name: &str) -> Result<Topic> {
    store::topics::get(db, app, name).await?.ok_or_else(gone)
}

/// Registers a topic, or gives it another access; whether it is new. What was kept of one that becomes internal is gone. 422 for a
/// name that is none, and for one topic too many (`limit_reached`); 404 when the app is gone.
pub async fn register(s: &Services, by: &Principal, app: AppId, name: &str, access: Access) -> Result<(Topic, bool)> {
    check_registered(name)?;
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    store::apps::lock(&mut tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
    let before = store::topics::registered(&mut tx, app, name).await?.map(|registered| registered.access);
    let allowed = limits::TOPICS_PER_APP_MAX;
    if before.is_none() && store::topics::count_registered(&mut tx, app).await? >= allowed {
        return Err(too_many("registered topics", allowed));
    }
    set(&mut tx, now, app, name, access).await?;
    let topic = get_of(&mut tx, app, name).await?;
    store::signals::subscribers_changed(&mut tx).await?;
    super::deployments::record(&mut tx, app, Some(by), "topic.set", "", now).await?;
    audit::append(&mut tx, now, Some(by), changed("topic.set", app, name, before, Some(access))).await?;
    tx.commit().await?;
    tracing::info!(app.id = %app, topic = name, access = access.as_str(), user.id = %by.user_id, "topic registered");
    Ok((topic, before.is_none()))
}

/// Takes a topic's registration back: it is for triggers alone again, and what was kept is gone. 404.
pub async fn unregister(s: &Services, by: &Principal, app: AppId, name: &str) -> Result<()> {
    check_topic(name)?;
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    store::wait_briefly(&mut tx).await?;
    store::apps::lock(&mut tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
    let before = store::topics::registered(&mut tx, app, name).await?.ok_or_else(gone)?;
    store::topics::unregister(&mut tx, now, app, name).await?;
    store::signals::subscribers_changed(&mut tx).await?;
    super::deployments::record(&mut tx, app, Some(by), "topic.delete", "", now).await?;
    audit::append(&mut tx, now, Some(by), changed("topic.delete", app, name, Some(before.access), None)).await?;
    tx.commit().await?;
    tracing::info!(app.id = %app, topic = name, user.id = %by.user_id, "topic not registered any more");
    Ok(())
}

/// Registers topics as they are to be, and takes back the others; under a lock of the app. What was kept of those, and of one that becomes
/// internal, is gone. 422 for more topics than an app may have, unless there were.
pub(super) async fn put(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    app: AppId,
    before: &BTreeMap<String, Access>,
    wanted: &BTreeMap<String, Access>,
) -> Result<()> {
    if before == wanted {
        return Ok(());
    }
    if wanted.len() > before.len() {
        check_registry(wanted)?;
    }
    for name in before.keys().filter(|name| !wanted.contains_key(*name)) {
        store::topics::unregister(tx, now, app, name).await?;
    }
    for (name, access) in wanted.iter().filter(|(name, access)| before.get(*name) != Some(*access)) {
        set(tx, now, app, name, *access).await?;
    }
    Ok(store::signals::subscribers_changed(tx).await?)
}

async fn set(tx: &mut PgConnection, now: DateTime<Utc>, app: AppId, name: &str, access: Access) -> Result<()> {
    store::topics::register(tx, now, app, name, access).await.map_err(store::refusal)?;
    if access == Access::Internal {
        store::topics::forget_messages(tx, app, name).await?;
    }
    Ok(())
}

fn gone() -> Error {
    Error::not_found("topic")
}

fn changed(action: &'static str, app: AppId, name: &str, before: Option<Access>, after: Option<Access>) -> Change {
    let told = |access: Access| json!({ "access": access });
    Change { action, app_id: Some(app), target: name.to_owned(), before: before.map(told), after: after.map(told) }
}
