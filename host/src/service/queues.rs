//! Queues: messages for one consumer. A message is an event that waits as a delivery until the consumer has handled it.

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Services;
use super::audit::{self, Change};
use super::events::about;
use crate::error::Result;
use crate::id::{AppId, EventId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::event::{NewEvent, Origin, SendOptions, Source, Target};
use crate::model::page::{Page, PageQuery, text_cursor};
use crate::model::queue::{Queue, check_delay, check_key, message_text};
use crate::model::trigger::check_queue;
use crate::store;

/// What a handler sees of a message.
#[derive(Serialize)]
struct About<'a> {
    name: &'a str,
    message: &'a RawValue,
    enqueued_at: DateTime<Utc>,
}

/// Adds a message (JSON text, at most `MESSAGE_BYTES_MAX` bytes) to a queue, which need not have a consumer yet; its id. With a
/// key that came with another message within `QUEUE_KEY_WINDOW_S`, adds nothing and gives that one's id. 422; 404 when the app is
/// gone.
pub async fn send(
    s: &Services,
    by: Option<&Principal>,
    app: AppId,
    origin: Origin,
    name: &str,
    message: Vec<u8>,
    options: SendOptions,
) -> Result<EventId> {
    check_queue(name)?;
    let message = message_text(message)?;
    let now = s.now();
    let delay_s = options.delay_s.unwrap_or(0);
    check_delay(delay_s)?;
    let event = NewEvent {
        id: EventId::at(now),
        app_id: app,
        source: Source::Queue,
        op: "send",
        at: now,
        origin,
        about: about(&About { name, message: &message, enqueued_at: now })?,
        name: name.to_owned(),
        due_at: now + Duration::seconds(delay_s),
        target: Target::Matching,
    };
    let Some(key) = options.dedup_key else {
        super::events::append(s, by, &event).await?;
        return Ok(event.id);
    };
    check_key(&key)?;
    let expires_at = now + Duration::seconds(limits::QUEUE_KEY_WINDOW_S);
    append_once(s, by, now, name, &key, expires_at, &event).await
}

/// Adds an event under a key, unless another one has it until some time to come; whichever has it.
pub(super) async fn append_once(
    s: &Services,
    by: Option<&Principal>,
    now: DateTime<Utc>,
    queue: &str,
    key: &str,
    expires_at: DateTime<Utc>,
    event: &NewEvent,
) -> Result<EventId> {
    super::events::admit(s, event).await?;
    let mut tx = store::begin(&s.script_db).await.map_err(super::events::refusal)?;
    let taken = store::queues::take_key(&mut tx, now, event.app_id, queue, key, event.id, expires_at).await;
    if let Some(holder) = taken.map_err(super::events::refusal)? {
        return Ok(holder);
    }
    store::events::append(&mut tx, event).await.map_err(super::events::refusal)?;
    super::events::note(&mut tx, now, by, event).await?;
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle(true);
    s.events.kept.notify_one();
    Ok(event.id)
}

/// Messages that are not settled: waiting, delayed, in the hands of a handler. Dead letters do not count.
pub async fn size(s: &Services, app: AppId, name: &str) -> Result<u64> {
    check_queue(name)?;
    let size = store::queues::size(&mut *s.script_db.acquire().await?, app, name).await?;
    Ok(size.unsigned_abs())
}

/// An app's queues by name: those that hold something, and those that have a consumer.
pub async fn list(s: &Services, app: AppId, query: &PageQuery) -> Result<Page<Queue>> {
    let after = query.after_text()?.unwrap_or_default();
    let rows = store::queues::list(&mut *s.db.acquire().await?, s.now(), app, &after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |queue| text_cursor(&queue.name)))
}

/// Where messages of a queue wait.
#[derive(Clone, Copy)]
enum Part {
    Outbox,
    Deliveries,
}

/// Deletes the messages that no handler has, and forgets their deduplication keys; how many. In transactions of `SWEEP_BATCH`: a crash leaves the rest.
pub async fn purge(s: &Services, by: &Principal, app: AppId, name: &str) -> Result<u64> {
    check_queue(name)?;
    // Before the first message goes: what a crash leaves undone was asked for all the same.
    let change = Change { action: "queue.purge", app_id: Some(app), target: name.to_owned(), before: None, after: None };
    let mut tx = store::begin(&s.db).await?;
    audit::append(&mut tx, s.now(), Some(by), change).await?;
    tx.commit().await?;
    let mut purged = 0;
    // What is relayed in the meantime is among the deliveries.
    for part in [Part::Outbox, Part::Deliveries] {
        loop {
            let (mut tx, rows) = (store::begin(&s.db).await?, limits::SWEEP_BATCH);
            let gone = match part {
                Part::Outbox => store::queues::purge_outbox(&mut tx, app, name, rows).await?,
                Part::Deliveries => store::queues::purge(&mut tx, app, name, rows).await?,
            };
            tx.commit().await?;
            purged += gone;
            if gone < rows.unsigned_abs() {
                break;
            }
        }
    }
    tracing::info!(app.id = %app, queue = name, purged, user.id = %by.user_id, "queue purged");
    Ok(purged)
}
