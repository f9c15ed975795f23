//! Dead letters: read, delivered again, declared done.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Services;
use super::audit::{self, Change};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, DeliveryId, EventId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::dead_letter::{DeadLetter, LetterDetail, LetterFilter, LetterQuery};
use crate::model::event::{Origin, Source};
use crate::model::page::{Page, PageQuery, check_limit, id_cursor};
use crate::model::queue::message_text;
use crate::model::text;
use crate::store;

/// An app's letters without their attempts, newest first. A page ends early rather than tell more than
/// `DEAD_LETTER_PAGE_BYTES_MAX` bytes, but holds one letter if there is one.
pub async fn list(s: &Services, app: AppId, filter: &LetterFilter, query: &PageQuery) -> Result<Page<DeadLetter>> {
    let before = query.after_id()?;
    let (rows, is_cut) = store::dead_letters::list(&mut *s.db.acquire().await?, app, filter, before, query.rows()).await?;
    let mut page = Page::cut(rows, query.limit, |letter| id_cursor(letter.id.0));
    if is_cut {
        page.cursor = page.items.last().map(|letter| id_cursor(letter.id.0));
    }
    Ok(page)
}

/// How many letters the app has, and how many that nobody resolved.
pub async fn count(s: &Services, app: AppId) -> Result<(u64, u64)> {
    let (all, unresolved) = store::dead_letters::count(&mut *s.db.acquire().await?, app).await?;
    Ok((all.unsigned_abs(), unresolved.unsigned_abs()))
}

/// A letter with every attempt; 404, also for another app's.
pub async fn get(s: &Services, app: AppId, id: DeliveryId) -> Result<LetterDetail> {
    let mut db = s.db.acquire().await?;
    let letter = store::dead_letters::get(&mut db, app, id).await?.ok_or_else(gone)?;
    let attempts = store::dead_letters::attempts(&mut db, id).await?;
    Ok(LetterDetail { letter, attempts })
}

/// Has the letter's event delivered again, and resolves the letter; the new delivery. 404; 409 `trigger_gone`.
pub async fn replay(s: &Services, by: Option<&Principal>, app: AppId, id: DeliveryId) -> Result<DeliveryId> {
    replay_at(s, by, app, id, 0).await
}

async fn replay_at(s: &Services, by: Option<&Principal>, app: AppId, id: DeliveryId, depth: i32) -> Result<DeliveryId> {
    let done = replay_all(s, by, app, &[id], depth).await?;
    if let Some((_, new)) = done.first() {
        return Ok(*new);
    }
    store::dead_letters::get(&mut *s.db.acquire().await?, app, id).await?.ok_or_else(gone)?;
    Err(forsaken())
}

/// Has another message (JSON text) delivered in place of the one that a letter of a queue or a topic tells, for the same trigger,
/// and resolves the letter; the new delivery. It is a new event, from where and as deep in its chain as the letter's; what else that
/// one tells stays. 404; 409 `trigger_gone`; 422 for a message that no queue takes, and for a letter of anything else.
pub async fn replay_edited(s: &Services, by: &Principal, app: AppId, id: DeliveryId, message: Vec<u8>) -> Result<DeliveryId> {
    let message = message_text(message)?;
    let letter = store::dead_letters::get(&mut *s.db.acquire().await?, app, id).await?.ok_or_else(gone)?;
    if !matches!(letter.event.source, Source::Queue | Source::Pubsub) {
        let source = letter.event.source.as_str();
        let message = format!("only letters of queues and topics have a message; this one is of {source}");
        return Err(Error::invalid("message", message));
    }
    let about = with_message(&letter.event.about, message)?;
    let (now, mut tx) = (s.now(), store::begin(&s.db).await?);
    let event = EventId::at(now);
    let made = store::dead_letters::replay_edited(&mut tx, now, app, id, by.user_id, event, &about).await?;
    let delivery = made.ok_or_else(forsaken)?;
    let after = json!({ "dead_letters": 1, "deliveries": [delivery], "event_id": event, "bytes": about.len() });
    audit::append(&mut tx, now, Some(by), changed("dead_letter.replay", app, id.to_string(), after)).await?;
    let doubt = s.events.doubt();
    tx.commit().await?;
    doubt.settle_changed();
    s.events.held.notify_one();
    s.events.kept.notify_one();
    tracing::info!(app.id = %app, letter = %id, event.id = %event, user.id = %by.user_id, "dead letter replayed with another message");
    Ok(delivery)
}

/// What an event tells, with another message.
fn with_message(about: &str, message: Box<RawValue>) -> Result<String> {
    let mut told: BTreeMap<String, Box<RawValue>> = serde_json::from_str(about).map_err(Error::internal)?;
    told.insert("message".to_owned(), message);
    serde_json::to_string(&told).map_err(Error::internal)
}

/// The same for the letters that a filter matches, `DEAD_LETTER_REPLAY_BATCH` of them at most, newest first; how many, how many cannot
/// be because their trigger is gone, and whether there are more that can.
pub async fn replay_matching(s: &Services, by: &Principal, app: AppId, filter: &LetterFilter) -> Result<Replayed> {
    let rows = limits::DEAD_LETTER_REPLAY_BATCH;
    let (mut ids, forsaken) = {
        let mut db = s.db.acquire().await?;
        let ids = store::dead_letters::replayable(&mut db, app, filter, rows + 1).await?;
        (ids, store::dead_letters::forsaken(&mut db, app, filter).await?)
    };
    let more = i64::try_from(ids.len()).unwrap_or(i64::MAX) > rows;
    ids.truncate(usize::try_from(rows).unwrap_or(usize::MAX));
    let replayed = replay_all(s, Some(by), app, &ids, 0).await?.len();
    Ok(Replayed { replayed, trigger_gone: usize::try_from(forsaken).unwrap_or(usize::MAX), more })
}

/// What became of letters that were to be replayed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Replayed {
    pub replayed: usize,
    pub trigger_gone: usize,
    pub more: bool,
}

async fn replay_all(
    s: &Services,
    by: Option<&Principal>,
    app: AppId,
    ids: &[DeliveryId],
    depth: i32,
) -> Result<Vec<(DeliveryId, DeliveryId)>> {
    // Two who replay one letter at once draw one number: the later one draws again.
    let done = super::unless_raced(|| {
        Box::pin(async move {
            let mut tx = store::begin(&s.db).await?;
            let author = by.map(|by| by.user_id);
            let done = store::dead_letters::replay(&mut tx, s.now(), app, ids, author, depth).await?;
            if by.is_some() && !done.is_empty() {
                let of: Vec<_> = done.iter().map(|(letter, _)| letter.to_string()).collect();
                let after =
                    json!({ "dead_letters": of.len(), "deliveries": done.iter().map(|(_, new)| new).collect::<Vec<_>>() });
                let change = changed("dead_letter.replay", app, of.join(" "), after);
                audit::append(&mut tx, s.now(), by, change).await?;
            }
            let doubt = s.events.doubt();
            tx.commit().await?;
            doubt.settle_changed();
            s.events.held.notify_one();
            Ok(done)
        })
    })
    .await?;
    s.events.kept.notify_one();
    if !done.is_empty() {
        tracing::info!(app.id = %app, letters = done.len(), user.id = by.map(|by| tracing::field::display(by.user_id)), "dead letters replayed");
    }
    Ok(done)
}

/// Declares a letter done; whether nobody had. 404; 422 for a reason that is empty or longer than `DEAD_LETTER_REASON_CHARS_MAX`.
pub async fn resolve(s: &Services, by: Option<&Principal>, app: AppId, id: DeliveryId, reason: &str) -> Result<bool> {
    if reason.trim().is_empty() {
        return Err(Error::invalid("reason", "reason must not be empty: say why this needs no more attempts"));
    }
    text::at_most("reason", reason, limits::DEAD_LETTER_REASON_CHARS_MAX)?;
    let mut tx = store::begin(&s.db).await?;
    let resolved = store::dead_letters::resolve(&mut tx, s.now(), app, id, by.map(|by| by.user_id), reason).await?;
    if !resolved {
        store::dead_letters::get(&mut tx, app, id).await?.ok_or_else(gone)?;
    } else if by.is_some() {
        let change = changed("dead_letter.resolve", app, id.to_string(), json!({ "reason": reason }));
        audit::append(&mut tx, s.now(), by, change).await?;
    }
    tx.commit().await?;
    s.events.kept.notify_one();
    Ok(resolved)
}

/// A page of letters for a script, each as JSON text. The limit is 1..=`DEAD_LETTER_PAGE_ITEMS_MAX`.
pub async fn list_json(s: &Services, app: AppId, query: LetterQuery) -> Result<Page<Vec<u8>>> {
    check_limit(query.limit, limits::DEAD_LETTER_PAGE_ITEMS_MAX)?;
    let filter = LetterFilter { unresolved: query.unresolved, ..LetterFilter::default() };
    let page = list(s, app, &filter, &PageQuery { cursor: query.after, limit: query.limit }).await?;
    let items = page.items.iter().map(|letter| shown(letter).to_string().into_bytes()).collect();
    Ok(Page { items, cursor: page.cursor })
}

/// A letter for a script, as JSON text with its attempts; none when there is no such letter, or the id is none.
pub async fn get_json(s: &Services, app: AppId, id: &str) -> Result<Option<Vec<u8>>> {
    let Ok(id) = id.parse() else { return Ok(None) };
    match get(s, app, id).await {
        Ok(detail) => Ok(Some(shown_whole(&detail).to_string().into_bytes())),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// As [`replay`], for a script. It is one hop of the chain, which ends as any other: 429 `limit_exceeded` past `EVENT_DEPTH_MAX`.
pub async fn replay_by_script(s: &Services, app: AppId, origin: Origin, id: &str) -> Result<DeliveryId> {
    let depth = origin.next_depth();
    let most = limits::EVENT_DEPTH_MAX.min(s.quota(app).event_depth);
    if depth > i32::try_from(most).unwrap_or(i32::MAX) {
        let message = format!("a chain of events is at most {most} hops long; a person may replay this");
        return Err(Error::new(Kind::RateLimited, "limit_exceeded", message));
    }
    replay_at(s, None, app, id.parse().map_err(|_| gone())?, depth).await
}

/// As [`resolve`], for a script.
pub async fn resolve_by_script(s: &Services, app: AppId, id: &str, reason: &str) -> Result<bool> {
    resolve(s, None, app, id.parse().map_err(|_| gone())?, reason).await
}

/// A letter as scripts and the control plane show it.
pub fn shown(letter: &DeadLetter) -> Value {
    let event = &letter.event;
    let about = parsed(&event.about);
    json!({
        "id": letter.id,
        "app_id": letter.app_id,
        "event": {
            "id": event.id,
            "source": event.source,
            "op": event.op,
            "time": event.at,
            "depth": event.depth,
            event.source.as_str(): about,
        },
        "trigger_id": letter.trigger_id,
        "script_id": letter.script_id,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "last_error": letter.last_error,
        "first_attempt_at": letter.first_attempt_at,
        "last_attempt_at": letter.last_attempt_at,
        "dead_at": letter.dead_at,
        "resolved": letter.resolved.as_ref().map(|r| json!({ "at": r.at, "by": r.by, "reason": r.reason })),
        "replayed_as": letter.replayed_as,
        "handler_failed": letter.handler_failed.as_ref().map(|failed| json!({ "at": failed.at, "error": failed.error })),
    })
}

/// A letter with its attempts beside: `attempt_log`, the first one first.
pub fn shown_whole(detail: &LetterDetail) -> Value {
    let mut whole = shown(&detail.letter);
    let attempts = detail.attempts.iter().map(|attempt| {
        let logs = attempt.logs.iter().map(|line| {
            let data: Option<Value> = line.data.as_deref().map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into()));
            json!({ "at": line.at, "level": line.level, "message": line.message, "data": data })
        });
        json!({
            "number": attempt.number,
            "execution_id": attempt.execution_id,
            "version": attempt.version,
            "outcome": attempt.outcome,
            "error": attempt.error,
            "logs": logs.collect::<Vec<_>>(),
            "started_at": attempt.started_at,
            "wall_us": attempt.wall_us,
        })
    });
    let attempts: Vec<_> = attempts.collect();
    if let Some(whole) = whole.as_object_mut() {
        whole.insert("attempt_log".to_owned(), attempts.into());
    }
    whole
}

/// What an event tells, as deep as values may be with what is around them; deeper than anything that is let in, as a string.
fn parsed(json: &str) -> Value {
    if text::json_depth(json) > limits::JSON_WRAPPED_DEPTH_MAX {
        return json.into();
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.disable_recursion_limit();
    Value::deserialize(&mut reader).unwrap_or_default()
}

fn changed(action: &'static str, app: AppId, target: String, after: Value) -> Change {
    Change { action, app_id: Some(app), target, before: None, after: Some(after) }
}

fn gone() -> Error {
    Error::not_found("dead letter")
}

fn forsaken() -> Error {
    Error::new(Kind::Conflict, "trigger_gone", "the trigger that this was for is gone; resolve the letter instead")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_put_in_place_of_another_and_all_else_stays() {
        let about = r#"{"name":"q","message":{"n": [1.50]},"enqueued_at":"2026-01-02T03:04:05Z"}"#;
        let message = message_text(br#"{ "b": 1.0, "a": 1e3 }"#.to_vec()).unwrap();
        let told = with_message(about, message).unwrap();
        assert_eq!(told, r#"{"enqueued_at":"2026-01-02T03:04:05Z","message":{ "b": 1.0, "a": 1e3 },"name":"q"}"#);
        let nothing = with_message(about, message_text(b"null".to_vec()).unwrap()).unwrap();
        assert_eq!(parsed(&nothing)["message"], Value::Null);
        assert!(with_message("[1]", message_text(b"1".to_vec()).unwrap()).is_err());
    }
}
