//! Topics: messages for every trigger that is for them.

use serde::Serialize;
use serde_json::value::RawValue;

use super::Services;
use super::events::about;
use crate::error::Result;
use crate::id::{AppId, EventId};
use crate::model::access::Principal;
use crate::model::event::{NewEvent, Origin, Source, Target};
use crate::model::page::{Page, PageQuery, text_cursor};
use crate::model::queue::{Topic, message_text};
use crate::model::trigger::check_topic;
use crate::store;

/// What a handler sees of a message.
#[derive(Serialize)]
struct About<'a> {
    topic: &'a str,
    message: &'a RawValue,
    published_at: chrono::DateTime<chrono::Utc>,
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
    super::events::append(s, by, &event).await?;
    Ok(event.id)
}

/// An app's topics by name.
pub async fn list(s: &Services, app: AppId, query: &PageQuery) -> Result<Page<Topic>> {
    let after = query.after_text()?.unwrap_or_default();
    let rows = store::queues::topics(&mut *s.db.acquire().await?, app, &after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |topic| text_cursor(&topic.name)))
}
