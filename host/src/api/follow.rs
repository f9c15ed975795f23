//! The log of an app as it is written: a stream of server-sent events for who waits for them, pages for who asks again.
//!
//! What a script said goes out as JSON on one line, with what steers a terminal escaped: nothing of it ends or begins an event.

use std::convert::Infallible;
use std::fmt::Write as _;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Api;
use super::describe::{Content, Operation, Output};
use super::error::Answer;
use super::executions::as_json;
use super::gate::Caller;
use super::openapi::schemas::Schemas;
use super::query::{Given, OfApp, Parameter, Parameters, Query};
use crate::error::{Error, Result};
use crate::id::{ExecutionId, ScriptId, TriggerId};
use crate::limits;
use crate::model::execution::{Failure, LogLevel, Outcome, Usage};
use crate::model::follow::{Asked, Cursor, Ended, Event, What, outcomes};
use crate::model::text;
use crate::service;
use crate::service::follow::{Ending, Follower, Lost, Read, Told};

const MEDIA_TYPE: &str = "text/event-stream";
/// What a client that lost its stream sends: the id of the last event that it saw.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A page, or a stream.
pub(super) enum Followed {
    Page(Box<Json<PageJson>>),
    Stream(Box<Follower>),
}

/// A page of what was logged, the oldest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FollowPage", example = example())]
pub(super) struct PageJson {
    items: Vec<ItemJson>,
    /// Goes on after the last item: never null, because more will come.
    cursor: String,
    /// Whether more is there already.
    has_more: bool,
}

/// A line, or the end of an execution. In a stream the three are the fields of an event.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FollowItem")]
struct ItemJson {
    /// Goes on after it, as a cursor or as `Last-Event-ID`.
    id: String,
    event: Word,
    data: DataJson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "FollowWord")]
enum Word {
    Line,
    Execution,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "FollowData")]
enum DataJson {
    Line(LineJson),
    Execution(Box<EndJson>),
}

/// A line that a script logged.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FollowLine")]
struct LineJson {
    /// Its place in the execution's log, from 0.
    seq: i32,
    execution_id: ExecutionId,
    script_id: ScriptId,
    script_name: String,
    version: i32,
    at: DateTime<Utc>,
    level: LogLevel,
    message: String,
    /// Any JSON value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Value")]
    data: Option<Box<RawValue>>,
}

/// The end of an execution: it comes after its lines.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FollowEnd")]
struct EndJson {
    execution_id: ExecutionId,
    script_id: ScriptId,
    script_name: String,
    version: i32,
    /// When it ended.
    at: DateTime<Utc>,
    started_at: DateTime<Utc>,
    /// Of what an event caused.
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger_id: Option<TriggerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    outcome: Outcome,
    /// Of the answer, as over HTTP.
    status: u16,
    usage: Usage,
    /// Null when it answered.
    error: Option<Failure>,
    /// Lines that were too many.
    logs_dropped: u32,
}

/// What was lost: its records could not be kept.
#[derive(Debug, Serialize)]
struct LostJson {
    records: u64,
    lines: u64,
}

fn example() -> Value {
    json!({
        "items": [{
            "id": "000000000000080f0190aaaabbbb7ccc8dddeeeeffff0000000000010000000000000000",
            "event": "line",
            "data": {
                "seq": 0,
                "execution_id": "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000",
                "script_id": "01990a6e-8888-7a10-8f3c-5e2d1c0b9a88",
                "script_name": "users",
                "version": 3,
                "at": "2026-01-02T03:04:05.678999Z",
                "level": "info",
                "message": "hello",
                "data": { "n": 1 }
            }
        }],
        "cursor": "000000000000080f0190aaaabbbb7ccc8dddeeeeffff0000000000010000000000000000",
        "has_more": false
    })
}

impl From<(Cursor, Event)> for ItemJson {
    fn from((cursor, event): (Cursor, Event)) -> Self {
        let Event { at: _, execution_id, script_id, script_name, version, what } = event;
        let (event, data) = match what {
            What::Line { seq, line } => {
                let data = line.data.and_then(as_json);
                let (at, level, message) = (line.at, line.level, line.message);
                let line = LineJson { seq, execution_id, script_id, script_name, version, at, level, message, data };
                (Word::Line, DataJson::Line(line))
            }
            What::End(ended) => (Word::Execution, DataJson::Execution(Box::new(EndJson::from(*ended)))),
        };
        Self { id: cursor.to_string(), event, data }
    }
}

impl From<Ended> for EndJson {
    fn from(ended: Ended) -> Self {
        let took = TimeDelta::microseconds(i64::try_from(ended.usage.wall_us).unwrap_or(i64::MAX));
        Self {
            execution_id: ended.id,
            script_id: ended.script_id,
            script_name: ended.script_name,
            version: ended.version,
            at: ended.started_at.checked_add_signed(took).unwrap_or(ended.started_at),
            started_at: ended.started_at,
            trigger_id: ended.trigger_id,
            attempt: ended.attempt,
            outcome: ended.outcome,
            status: ended.status,
            usage: ended.usage,
            error: ended.error,
            logs_dropped: ended.logs_dropped,
        }
    }
}

impl From<Read> for PageJson {
    fn from(Read { events, cursor, has_more }: Read) -> Self {
        Self { items: events.into_iter().map(ItemJson::from).collect(), cursor: cursor.to_string(), has_more }
    }
}

impl Parameters for Asked {
    fn describe() -> Vec<Parameter> {
        let levels = LogLevel::ALL.map(LogLevel::as_str);
        let outcomes: Vec<_> = std::iter::once("failed").chain(Outcome::ALL.map(Outcome::as_str)).collect();
        let level = "Lines of this level and above. The end of an execution counts as `error` where it failed, else as `info`.";
        let since = "Executions that began then or later: a time, or how long ago (`90s`, `5m`, `2h`, `1d`).";
        let tail = "So many of the newest first. Left out, with `since` and `cursor` too: of a page 50, of a stream none.";
        let text = json!({ "type": "string", "maxLength": limits::FOLLOW_TEXT_BYTES_MAX });
        let most = json!({ "type": "integer", "minimum": 0, "maximum": limits::FOLLOW_TAIL_MAX });
        vec![
            Parameter::text("script", "Of this script, by id or name."),
            Parameter::id("execution", "Of this execution."),
            Parameter::one_of("level", level, &levels),
            Parameter::one_of("outcome", "Of executions that ended so; `failed`: of all that did not succeed.", &outcomes),
            Parameter::new("text", "Lines whose message contains this, and failures whose message does.", text),
            Parameter::text("since", since),
            Parameter::new("tail", tail, most),
            Parameter::text("cursor", "Goes on after it: the `cursor` of a page, or an `id`. `Last-Event-ID` goes before it."),
        ]
    }

    fn read(given: &mut Given) -> Result<Self> {
        let level = match given.take::<String>("level", "text")? {
            Some(word) => Some(LogLevel::from_word(&word).ok_or_else(|| {
                let words = LogLevel::ALL.map(LogLevel::as_str).join(", ");
                Error::invalid("level", format!("level is one of {words}"))
            })?),
            None => None,
        };
        let outcomes = match given.take::<String>("outcome", "text")? {
            Some(word) => outcomes(&word).ok_or_else(|| {
                let words = Outcome::ALL.map(Outcome::as_str).join(", ");
                Error::invalid("outcome", format!("outcome is failed, or one of {words}"))
            })?,
            None => Vec::new(),
        };
        let cursor = given.take::<String>("cursor", "text")?;
        let asked = Self {
            script: given.take("script", "text")?,
            execution: given.take("execution", "an id")?,
            level,
            outcomes,
            text: given.take("text", "text")?.unwrap_or_default(),
            since: given.take("since", "a time such as 2026-01-02T03:04:05Z, or how long ago, such as 5m")?,
            tail: given.take("tail", "a number")?,
            cursor: cursor.map(|cursor| cursor.parse::<Cursor>()).transpose()?,
        };
        asked.check()?;
        Ok(asked)
    }
}

impl Output for Followed {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let about = "A page; with `Accept: text/event-stream` a stream: `line` and `execution` with `data` as in a page's items, \
                     `dropped` with how many records and lines this node had to drop, and a comment at least every 15 seconds.";
        let page = schemas.answer::<PageJson>();
        let sample = "retry: 1000\nid: 000000000000080f00000000000000000000000000000000000000000000000000000000\n\n";
        let stream = Content { media_type: MEDIA_TYPE, schema: json!({ "type": "string" }), example: Some(sample.into()) };
        operation.answers("200", about, Some(page)).other = Some(stream);
    }
}

impl IntoResponse for Followed {
    fn into_response(self) -> Response {
        let follower = match self {
            Self::Page(page) => return (*page).into_response(),
            Self::Stream(follower) => follower,
        };
        let pieces = stream::unfold(Streaming::Begins(follower), |streaming| async move {
            let (piece, next) = match streaming {
                Streaming::Begins(follower) => {
                    let begun = format!("retry: {}\nid: {}\n\n", limits::FOLLOW_RETRY_MS, follower.cursor());
                    (begun, Streaming::GoesOn(follower))
                }
                Streaming::GoesOn(mut follower) => {
                    let (piece, is_last) = piece(follower.next().await);
                    (piece, if is_last { Streaming::Over } else { Streaming::GoesOn(follower) })
                }
                Streaming::Over => return None,
            };
            Some((Ok::<_, Infallible>(Bytes::from(piece)), next))
        });
        // A proxy that gathers answers would hold events back.
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
            (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
        ];
        (headers, Body::from_stream(pieces)).into_response()
    }
}

/// How far a stream has come.
enum Streaming {
    Begins(Box<Follower>),
    GoesOn(Box<Follower>),
    Over,
}

/// What is sent for it, and whether it is the last.
fn piece(told: Result<Told>) -> (String, bool) {
    let mut piece = String::new();
    let last_words = match told {
        Ok(Told::Events(events)) => {
            for ItemJson { id, event, data } in events.into_iter().map(ItemJson::from) {
                let name = if event == Word::Line { "line" } else { "execution" };
                put(&mut piece, name, Some(&id), &data);
            }
            return (piece, false);
        }
        Ok(Told::Lost(Lost { records, lines })) => {
            put(&mut piece, "dropped", None, &LostJson { records, lines });
            return (piece, false);
        }
        // The place goes on, too: what was passed over is not looked through again.
        Ok(Told::Quiet(cursor)) => return (format!(":\nid: {cursor}\n\n"), false),
        Ok(Told::Ended(Ending::Stopping)) => "this node is stopping; go on from the last id",
        Ok(Told::Ended(Ending::Long)) => "this stream ends now; go on from the last id",
        Ok(Told::Ended(Ending::Refused)) => "the log of this app is not yours to read any more",
        Err(error) => {
            tracing::debug!(%error, cause = ?error.source, "a log that is followed could not be read");
            "the log cannot be read just now; go on from the last id"
        }
    };
    (format!(": {last_words}\n\n"), true)
}

/// One event.
fn put(to: &mut String, name: &str, id: Option<&str>, data: &impl Serialize) {
    let _ = writeln!(to, "event: {name}");
    if let Some(id) = id {
        let _ = writeln!(to, "id: {id}");
    }
    to.push_str("data: ");
    // Writing to memory does not fail, and whatever is written is JSON.
    one_line(to, &serde_json::to_string(data).unwrap_or_default());
    to.push_str("\n\n");
}

/// The same JSON on one line, and seen as it is: what is not seen stands in strings only, and is escaped there; line ends stand
/// between values only.
fn one_line(to: &mut String, json: &str) {
    for c in json.chars() {
        match c {
            '\n' | '\r' => to.push(' '),
            c if text::is_unseen(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(to, "\\u{unit:04x}");
                }
            }
            c => to.push(c),
        }
    }
}

pub(super) async fn logs(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    Query(mut asked): Query<Asked>,
    headers: HeaderMap,
) -> Answer<Followed> {
    if let Some(seen) = headers.get(LAST_EVENT_ID).filter(|seen| !seen.is_empty()) {
        asked.cursor = Some(seen.to_str().unwrap_or_default().parse()?);
    }
    // What this caller just ran is among it, or before it.
    api.invoker.flush_records().await;
    if !wants_stream(&headers) {
        let page = service::follow::page(&api.services, app.id, &asked).await?;
        return Ok(Followed::Page(Box::new(Json(page.into()))));
    }
    let places = (api.invoker.pool().connections / limits::FOLLOWERS_CONNECTIONS_PART).clamp(1, limits::FOLLOWERS_MAX);
    let follower = service::follow::follow(&api.services, by, app.id, &asked, places).await?;
    Ok(Followed::Stream(Box::new(follower)))
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(',')).filter_map(|range| range.split(';').next());
    types.any(|media_type| media_type.trim().eq_ignore_ascii_case(MEDIA_TYPE))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::execution::LogLine;
    use crate::model::follow::Position;

    fn read(query: &str) -> Result<Asked> {
        Asked::read(&mut Given::read(&format!("/x?{query}").parse().unwrap()).unwrap())
    }

    fn line(message: &str, data: &str) -> (Cursor, Event) {
        let at = Position { txid: 7, execution: Uuid::nil(), seq: 0 };
        let line =
            LogLine { at: DateTime::UNIX_EPOCH, level: LogLevel::Info, message: message.to_owned(), data: Some(data.to_owned()) };
        let event = Event {
            at,
            execution_id: ExecutionId(Uuid::nil()),
            script_id: ScriptId(Uuid::nil()),
            script_name: "users".to_owned(),
            version: 1,
            what: What::Line { seq: 0, line },
        };
        (Cursor { at, since: None }, event)
    }

    #[test]
    fn nothing_that_a_script_said_ends_an_event_or_steers_a_terminal() {
        let message = "a\n\ndata: x\r\u{1b}[31m\u{9b}\u{7f}\u{202e}\u{e0001}ü";
        let (text, is_last) = piece(Ok(Told::Events(vec![line(message, "{\n\"n\":\r\n1}")])));
        assert!(!is_last && text.ends_with("\n\n"));
        let lines: Vec<_> = text.trim_end().split('\n').collect();
        assert_eq!(lines[..2], ["event: line", &format!("id: {}", line("", "1").0)]);
        assert_eq!(lines.len(), 3, "{text}");
        let json = lines[2].strip_prefix("data: ").unwrap();
        assert!(json.chars().all(|c| !text::is_unseen(c) && c != '\r'), "{json}");
        let data: Value = serde_json::from_str(json).unwrap();
        assert_eq!((&data["message"], &data["data"]), (&json!(message), &json!({ "n": 1 })));
    }

    #[test]
    fn a_heartbeat_is_no_event_and_moves_the_place_on() {
        let cursor = line("", "1").0;
        assert_eq!(piece(Ok(Told::Quiet(cursor))), (format!(":\nid: {cursor}\n\n"), false));
    }

    #[test]
    fn last_words_are_a_comment() {
        let over = [Ending::Stopping, Ending::Long, Ending::Refused].map(|ending| Ok(Told::Ended(ending)));
        for told in over.into_iter().chain([Err(Error::internal("the database is away"))]) {
            let (text, is_last) = piece(told);
            assert!(is_last && text.starts_with(": ") && text.ends_with("\n\n") && !text.contains("database"), "{text}");
        }
    }

    #[test]
    fn what_is_lost_has_no_place_of_its_own() {
        let (text, is_last) = piece(Ok(Told::Lost(Lost { records: 2, lines: 9 })));
        assert_eq!((text.as_str(), is_last), ("event: dropped\ndata: {\"records\":2,\"lines\":9}\n\n", false));
    }

    #[test]
    fn a_stream_is_asked_for_by_name() {
        let accepts =
            |value: &'static str| wants_stream(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]));
        assert!(accepts("text/event-stream") && accepts("application/json, Text/Event-Stream;q=0.5"));
        assert!(!accepts("*/*") && !accepts("text/*") && !accepts("application/json") && !wants_stream(&HeaderMap::new()));
    }

    #[test]
    fn what_is_asked_is_read_strictly() {
        assert_eq!(read("").unwrap(), Asked::default());
        let cursor = line("", "1").0;
        let query = format!("script=users&level=warn&outcome=failed&text=a%20b&since=5m&tail=200&cursor={cursor}");
        let asked = read(&query).unwrap();
        assert_eq!((asked.script.as_deref(), asked.level, asked.text.as_str()), (Some("users"), Some(LogLevel::Warn), "a b"));
        assert_eq!((asked.outcomes.len(), asked.tail, asked.cursor), (Outcome::ALL.len() - 2, Some(200), Some(cursor)));
        for bad in ["level=loud", "outcome=late", "execution=x", "since=yesterday", "tail=201", "tail=-1", "cursor=x", "text=%00"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_example_is_what_is_answered() {
        let example: Value = example();
        let item = serde_json::to_value(ItemJson::from(line("hello", "{\"n\":1}"))).unwrap();
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
        assert_eq!((names(&example["items"][0]), names(&example["items"][0]["data"])), (names(&item), names(&item["data"])));
        assert_eq!(item["id"].as_str().unwrap().len(), example["cursor"].as_str().unwrap().len());
        assert!(example["cursor"].as_str().unwrap().parse::<Cursor>().is_ok());
    }
}
