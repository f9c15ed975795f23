//! `topics` (what the relay counted), `registered_topics` and `topic_messages`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::PgConnection;

use crate::id::AppId;
use crate::limits;
use crate::model::event::NewEvent;
use crate::model::queue::Topic;
use crate::model::topic::{Access, Message, Window};

/// A topic's registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    pub access: Access,
    pub last_seq: u64,
}

/// What is there to be read of a topic, all at one moment.
#[derive(Debug)]
pub struct Read {
    pub access: Access,
    /// The number of the last message.
    pub last_seq: u64,
    /// In order, and none left out between two.
    pub messages: Vec<Message>,
    /// None are read, because the first has more bytes than that: so many.
    pub larger: Option<u64>,
}

/// How much of a topic is read at once: messages, and bytes of them.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub messages: i64,
    pub bytes: i64,
}

struct Row {
    name: String,
    published: i64,
    unmatched: i64,
    last_at: Option<DateTime<Utc>>,
    triggers: i64,
    access: Option<String>,
    last_seq: i64,
}

impl Row {
    fn topic(self) -> sqlx::Result<Topic> {
        let access = self.access.as_deref().map(access).transpose()?;
        Ok(Topic {
            name: self.name,
            registered: access.is_some(),
            access: access.unwrap_or_default(),
            published: super::natural("published", self.published)?,
            unmatched: super::natural("unmatched", self.unmatched)?,
            last_at: self.last_at,
            last_seq: super::natural("last_seq", self.last_seq)?,
            triggers: super::natural("triggers", self.triggers)?,
        })
    }
}

fn access(word: &str) -> sqlx::Result<Access> {
    super::word("access", word, Access::from_word)
}

/// An app's topics by name, after `after`: those that something was published to, and those that are registered.
pub async fn list(db: &mut PgConnection, app: AppId, after: &str, rows: i64) -> sqlx::Result<Vec<Topic>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT topic.name AS "name!", coalesce(topic.published, 0) AS "published!", coalesce(topic.unmatched, 0) AS "unmatched!",
                  topic.last_at AS "last_at?", topic.access AS "access?", topic.last_seq AS "last_seq!",
                  (SELECT count(*) FROM triggers t
                   WHERE t.app_id = $1 AND t.kind = 'pubsub' AND t.state = 'active' AND pattern_covers(t.pattern, topic.name)
                  ) AS "triggers!"
           FROM (
               SELECT coalesce(c.name, r.name) AS name, c.published, c.unmatched, c.last_at, r.access,
                      coalesce(r.last_seq, c.last_seq) AS last_seq
               FROM (SELECT * FROM topics WHERE app_id = $1 AND name > $2 ORDER BY name LIMIT $3) AS c
               FULL JOIN (SELECT * FROM registered_topics WHERE app_id = $1 AND name > $2 ORDER BY name LIMIT $3) AS r
                 ON r.name = c.name
               ORDER BY 1 LIMIT $3
           ) AS topic
           ORDER BY 1"#,
        app.0,
        after,
        rows
    );
    rows.fetch_all(db).await?.into_iter().map(Row::topic).collect()
}

/// A topic that something was published to, or that is registered.
pub async fn get(db: &mut PgConnection, app: AppId, name: &str) -> sqlx::Result<Option<Topic>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT $2 AS "name!", coalesce(c.published, 0) AS "published!", coalesce(c.unmatched, 0) AS "unmatched!",
                  c.last_at AS "last_at?", r.access AS "access?", coalesce(r.last_seq, c.last_seq) AS "last_seq!",
                  (SELECT count(*) FROM triggers t
                   WHERE t.app_id = $1 AND t.kind = 'pubsub' AND t.state = 'active' AND pattern_covers(t.pattern, $2)
                  ) AS "triggers!"
           FROM (SELECT * FROM topics WHERE app_id = $1 AND name = $2) AS c
           FULL JOIN (SELECT * FROM registered_topics WHERE app_id = $1 AND name = $2) AS r ON r.name = c.name"#,
        app.0,
        name
    );
    row.fetch_optional(db).await?.map(Row::topic).transpose()
}

/// A topic's registration.
pub async fn registered(db: &mut PgConnection, app: AppId, name: &str) -> sqlx::Result<Option<Registered>> {
    let row = sqlx::query!("SELECT access, last_seq FROM registered_topics WHERE app_id = $1 AND name = $2", app.0, name);
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    Ok(Some(Registered { access: access(&row.access)?, last_seq: super::natural("last_seq", row.last_seq)? }))
}

/// Who may subscribe, by an app's registered topics.
pub async fn accesses(db: &mut PgConnection, app: AppId) -> sqlx::Result<BTreeMap<String, Access>> {
    let rows = sqlx::query!("SELECT name, access FROM registered_topics WHERE app_id = $1", app.0).fetch_all(db).await?;
    rows.into_iter().map(|row| Ok((row.name, access(&row.access)?))).collect()
}

/// How many topics of an app are registered.
pub async fn count_registered(db: &mut PgConnection, app: AppId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM registered_topics WHERE app_id = $1"#, app.0).fetch_one(db).await
}

/// Registers a topic, or gives it another access. Numbers go on where they were.
pub async fn register(db: &mut PgConnection, now: DateTime<Utc>, app: AppId, name: &str, access: Access) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO registered_topics (app_id, name, access, last_seq, published_bytes, last_at, created_at, updated_at)
         VALUES ($1, $2, $3, coalesce((SELECT last_seq FROM topics WHERE app_id = $1 AND name = $2), 0), 0, $4, $4, $4)
         ON CONFLICT ON CONSTRAINT registered_topics_pkey DO UPDATE
         SET access = excluded.access, updated_at = greatest(excluded.updated_at, registered_topics.created_at)",
        app.0,
        name,
        access.as_str(),
        now
    )
    .execute(db)
    .await
    .map(drop)
}

/// Forgets what was kept of a topic.
pub async fn forget_messages(db: &mut PgConnection, app: AppId, name: &str) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM topic_messages WHERE app_id = $1 AND topic = $2", app.0, name).execute(db).await.map(drop)
}

/// Takes a registration back, with what was kept; how far its numbers went is noted. Whether there was one.
pub async fn unregister(db: &mut PgConnection, now: DateTime<Utc>, app: AppId, name: &str) -> sqlx::Result<bool> {
    let gone =
        sqlx::query_scalar!("DELETE FROM registered_topics WHERE app_id = $1 AND name = $2 RETURNING last_seq", app.0, name);
    let Some(last_seq) = gone.fetch_optional(&mut *db).await? else { return Ok(false) };
    if last_seq > 0 {
        sqlx::query!(
            "INSERT INTO topics (app_id, name, published, unmatched, last_at, last_seq) VALUES ($1, $2, 0, 0, $3, $4)
             ON CONFLICT ON CONSTRAINT topics_pkey DO UPDATE SET last_seq = excluded.last_seq",
            app.0,
            name,
            now,
            last_seq
        )
        .execute(db)
        .await?;
    }
    Ok(true)
}

/// Adds the event of a published message, whoever listens. Where the topic can be subscribed to, the message is kept besides, with the
/// next number, and what is outside of the window goes; that number then. The topic's row is locked from there to the commit, and the
/// app's before it, as whoever deletes the app does.
pub async fn publish(db: &mut PgConnection, event: &NewEvent, message: &RawValue, window: Window) -> sqlx::Result<Option<u64>> {
    let seq = sqlx::query_scalar!(
        r#"WITH topic AS (
               UPDATE registered_topics t
               SET last_seq = last_seq + 1, published_bytes = published_bytes + octet_length($11::text), last_at = greatest(last_at, $5)
               FROM (SELECT id FROM apps WHERE id = $2 FOR KEY SHARE) AS app
               WHERE t.app_id = $2 AND t.app_id = app.id AND t.name = $10 AND t.access <> 'internal'
               RETURNING t.last_seq, t.published_bytes, t.last_at
           ), kept AS (
               INSERT INTO topic_messages (app_id, topic, seq, event_id, message, start_bytes, published_at)
               SELECT $2, $10, last_seq, $1, $11, published_bytes - octet_length($11::text), last_at FROM topic
           ), share AS (
               SELECT $13::bigint / greatest(count(*), 1) AS bytes FROM registered_topics
               WHERE app_id = $2 AND access <> 'internal' AND EXISTS (SELECT FROM topic)
           ), gone AS (
               DELETE FROM topic_messages m USING topic, share, (
                   SELECT seq, start_bytes FROM topic_messages
                   WHERE app_id = $2 AND topic = $10 AND EXISTS (SELECT FROM topic) ORDER BY seq LIMIT $14
               ) AS oldest
               WHERE m.app_id = $2 AND m.topic = $10 AND m.seq = oldest.seq
                 AND (oldest.seq <= topic.last_seq - $12 OR topic.published_bytes - oldest.start_bytes > share.bytes)
           ), event AS (
               INSERT INTO events (id, app_id, source, op, at, depth, request_id, about, trace)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $15)
           ), waits AS (
               INSERT INTO outbox (event_id, app_id, source, op, name, depth, due_at) VALUES ($1, $2, $3, $4, $10, $6, $9)
           )
           SELECT (SELECT last_seq FROM topic) AS "seq""#,
        event.id.0,
        event.app_id.0,
        event.source.as_str(),
        event.op,
        event.at,
        event.origin.next_depth(),
        event.origin.request_id.0,
        event.about,
        event.due_at,
        event.name,
        message.get(),
        window.messages,
        window.app_bytes,
        limits::TOPIC_CLEARED_MESSAGES,
        event.origin.trace_bytes()
    )
    .fetch_one(db)
    .await?;
    seq.map(|seq| super::natural("seq", seq)).transpose()
}

#[derive(Serialize)]
struct Data<'a> {
    topic: &'a str,
    seq: i64,
    message: &'a RawValue,
    published_at: DateTime<Utc>,
}

/// What comes after a number, as far as it is kept, and a part of it. `None`: the topic is not registered.
pub async fn read(
    db: &mut PgConnection,
    app: AppId,
    name: &str,
    after: u64,
    window: Window,
    part: Part,
) -> sqlx::Result<Option<Read>> {
    let rows = sqlx::query!(
        r#"WITH topic AS (
               SELECT access, last_seq, published_bytes,
                      $5::bigint / greatest((SELECT count(*) FROM registered_topics WHERE app_id = $1 AND access <> 'internal'), 1)
                        AS share
               FROM registered_topics WHERE app_id = $1 AND name = $2
           ), first AS (
               SELECT m.seq, m.start_bytes
               FROM topic, topic_messages m
               WHERE m.app_id = $1 AND m.topic = $2 AND m.seq > $3 AND m.seq > topic.last_seq - $4 AND m.published_at > $6
                 AND (topic.published_bytes - m.start_bytes <= topic.share OR m.seq = topic.last_seq)
               ORDER BY m.seq LIMIT 1
           ), page AS (
               SELECT m.seq, m.published_at, octet_length(m.message) AS bytes,
                      CASE WHEN octet_length(m.message) <= $7::bigint THEN m.message END AS message
               FROM first, topic_messages m
               WHERE m.app_id = $1 AND m.topic = $2 AND m.seq >= first.seq
                 AND (m.seq = first.seq OR m.start_bytes + octet_length(m.message) <= first.start_bytes + $7::bigint)
               ORDER BY m.seq LIMIT $8
           )
           SELECT topic.access, topic.last_seq, page.seq AS "seq?", page.message AS "message?", page.published_at AS "published_at?",
                  page.bytes AS "bytes?"
           FROM topic LEFT JOIN page ON true
           ORDER BY page.seq"#,
        app.0,
        name,
        i64::try_from(after).unwrap_or(i64::MAX),
        window.messages,
        window.app_bytes,
        window.after,
        part.bytes,
        part.messages
    )
    .fetch_all(db)
    .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (access, last_seq) = (access(&first.access)?, super::natural("last_seq", first.last_seq)?);
    let mut read = Read { access, last_seq, messages: Vec::new(), larger: None };
    for row in rows {
        let (Some(seq), Some(published_at), Some(bytes)) = (row.seq, row.published_at, row.bytes) else { continue };
        let Some(message) = row.message else {
            read.larger = Some(super::natural("bytes", bytes)?);
            break;
        };
        let unreadable = |_| super::unreadable("message", "what is kept");
        let message = RawValue::from_string(message).map_err(unreadable)?;
        let data = serde_json::to_string(&Data { topic: name, seq, message: &message, published_at }).map_err(unreadable)?;
        // A line end stands between values only: in a string it is escaped.
        let data = if data.contains(['\n', '\r']) { data.replace(['\n', '\r'], " ") } else { data };
        read.messages.push(Message::new(super::natural("seq", seq)?, &data));
    }
    Ok(Some(read))
}

/// Of topics of apps, those that are registered, with how far they are.
pub async fn latest(db: &mut PgConnection, topics: &[(AppId, String)]) -> sqlx::Result<Vec<(AppId, String, Registered)>> {
    let (apps, names): (Vec<_>, Vec<_>) = topics.iter().map(|(app, name)| (app.0, name.clone())).unzip();
    let rows = sqlx::query!(
        r#"SELECT t.app_id AS "app_id: AppId", t.name, t.access, t.last_seq
           FROM unnest($1::uuid[], $2::text[]) AS asked (app_id, name)
           JOIN registered_topics t ON t.app_id = asked.app_id AND t.name = asked.name"#,
        &apps,
        &names
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let registered = Registered { access: access(&row.access)?, last_seq: super::natural("last_seq", row.last_seq)? };
        Ok((row.app_id, row.name, registered))
    });
    found.collect()
}

/// Deletes up to `rows` messages that were published by then; how many. It waits for nobody: those that a publisher is about to delete
/// are left to that one. So of a topic a message may go before one that was published earlier; neither is in the window any more.
pub async fn sweep_messages(db: &mut PgConnection, published_by: DateTime<Utc>, rows: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM topic_messages m USING (
             SELECT app_id, topic, seq FROM topic_messages WHERE published_at <= $1 ORDER BY published_at, seq LIMIT $2
             FOR UPDATE SKIP LOCKED
         ) AS old
         WHERE m.app_id = old.app_id AND m.topic = old.topic AND m.seq = old.seq",
        published_by,
        rows
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
