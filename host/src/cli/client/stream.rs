//! Server-sent events, read piece by piece, and opened anew where they were when they break off.

use std::time::Duration;

use hyper::header::{ACCEPT, HeaderName};
use tokio::time::{sleep, timeout};

use super::api::{Api, Ask, Opened, not_a_node};
use super::refusal::Refusal;
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::say;
use crate::limits;

const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// `message` where none was given.
    pub(super) kind: String,
    pub(super) data: String,
}

/// Reads the fields of events.
#[derive(Debug, Default)]
struct Reader {
    /// What came of a line that has not ended.
    rest: Vec<u8>,
    kind: String,
    data: Vec<String>,
    /// Of the event that has not ended, or of the last one.
    id: Option<String>,
    /// What the next opening says it saw last: only of an event that came whole.
    last_id: Option<String>,
    /// Bytes of the event that has not ended.
    held: usize,
}

impl Reader {
    /// The events that end in this piece; none when one is longer than `CLIENT_STREAM_EVENT_BYTES_MAX`.
    fn take(&mut self, piece: &[u8]) -> Option<Vec<Event>> {
        let mut events = Vec::new();
        self.rest.extend_from_slice(piece);
        let bytes = std::mem::take(&mut self.rest);
        let mut lines = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            if lines.peek().is_none() {
                self.rest = line.to_vec();
                break;
            }
            self.held += line.len();
            if self.held > limits::CLIENT_STREAM_EVENT_BYTES_MAX {
                return None;
            }
            events.extend(self.line(&String::from_utf8_lossy(line)));
        }
        (self.held + self.rest.len() <= limits::CLIENT_STREAM_EVENT_BYTES_MAX).then_some(events)
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            self.held = 0;
            self.last_id.clone_from(&self.id);
            let kind = std::mem::take(&mut self.kind);
            let data = std::mem::take(&mut self.data);
            let kind = if kind.is_empty() { "message".to_owned() } else { kind };
            return (!data.is_empty()).then(|| Event { kind, data: data.join("\n") });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => self.data.push(value.to_owned()),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // A comment, which has no field, keeps the line open.
            _ => {}
        }
        None
    }

    /// What a broken line leaves is not part of the next connection.
    fn begin_anew(&mut self) {
        let last_id = self.last_id.take();
        *self = Self { id: last_id.clone(), last_id, ..Self::default() };
    }
}

/// Hands every event to `seen` until the node says for good that there is no more to be had.
///
/// # Errors
/// What the first opening fails with; later only a refusal that will not change by waiting.
pub(super) async fn follow(api: &Api, ask: impl Fn() -> Result<Ask>, mut seen: impl FnMut(Event) -> Result<()>) -> Result<()> {
    let mut reader = Reader::default();
    let (mut wait_ms, mut is_first, mut is_told) = (limits::CLIENT_RECONNECT_MS, true, false);
    loop {
        match open(api, &ask, &reader).await {
            Ok(opened) => {
                is_first = false;
                if read(opened, &mut reader, &mut seen).await? {
                    (wait_ms, is_told) = (limits::CLIENT_RECONNECT_MS, false);
                }
            }
            Err(failure) if is_first || !matches!(failure.exit(), Exit::Unreachable | Exit::Busy) => return Err(failure),
            Err(_) if is_told => {}
            Err(failure) => {
                say(&format!("{}; going on from where it was as soon as it can be", failure.into_line()));
                is_told = true;
            }
        }
        sleep(Duration::from_millis(wait_ms)).await;
        wait_ms = wait_ms.saturating_mul(2).min(limits::CLIENT_RECONNECT_MS_CEILING);
        reader.begin_anew();
    }
}

async fn open(api: &Api, ask: &impl Fn() -> Result<Ask>, reader: &Reader) -> Result<Opened> {
    let mut asked = ask()?.header(ACCEPT, EVENT_STREAM)?;
    if let Some(id) = &reader.last_id {
        asked = asked.header(LAST_EVENT_ID, id)?;
    }
    let opened = api.open(asked).await?;
    if !opened.status.is_success() {
        let late = || Failure::new(Exit::Unreachable, format!("{} broke off the connection", api.origin.as_str()));
        let reply = timeout(Duration::from_millis(limits::CLIENT_ANSWER_MS), opened.read()).await.map_err(|_| late())??;
        let refusal = Refusal::of(&reply).ok_or_else(not_a_node)?;
        return Err(refusal.into_failure(&api.origin));
    }
    if opened.is(EVENT_STREAM) { Ok(opened) } else { Err(not_a_node()) }
}

/// Reads until the stream ends or falls silent; whether any event came.
async fn read(mut opened: Opened, reader: &mut Reader, seen: &mut impl FnMut(Event) -> Result<()>) -> Result<bool> {
    let silent = Duration::from_millis(limits::CLIENT_STREAM_SILENT_MS);
    let mut came = false;
    while let Ok(Ok(Some(piece))) = timeout(silent, opened.next()).await {
        let too_long =
            || Failure::new(Exit::Other, format!("an event has more than {} bytes", limits::CLIENT_STREAM_EVENT_BYTES_MAX));
        for event in reader.take(&piece).ok_or_else(too_long)? {
            came = true;
            seen(event)?;
        }
    }
    Ok(came)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, data: &str) -> Event {
        Event { kind: kind.to_owned(), data: data.to_owned() }
    }

    const STREAM: &str = "retry: 1000\n\n: hello\n\nid: 1-1\nevent: line\ndata: {\"a\": \"é\"}\n\n\
                          id: 1-2\r\nevent: execution\r\ndata: one\r\ndata:two\r\n\r\ndata\n\nevent: line\n\n";

    #[test]
    fn events_are_the_same_wherever_the_pieces_end() {
        let expected = [event("line", "{\"a\": \"é\"}"), event("execution", "one\ntwo"), event("message", "")];
        for size in 1..STREAM.len() {
            let mut reader = Reader::default();
            let events: Vec<Event> = STREAM.as_bytes().chunks(size).flat_map(|piece| reader.take(piece).unwrap()).collect();
            assert_eq!(events, expected, "in pieces of {size}");
            assert_eq!(reader.last_id.as_deref(), Some("1-2"));
        }
    }

    #[test]
    fn half_an_event_is_no_event_and_leaves_nothing_behind() {
        let mut reader = Reader::default();
        assert_eq!(reader.take(b"id: 7\ndata: a\n\nid: 8\nevent: line\ndata: half").unwrap(), [event("message", "a")]);
        reader.begin_anew();
        assert_eq!(reader.last_id.as_deref(), Some("7"));
        assert_eq!(reader.take(b"data: b\n\n").unwrap(), [event("message", "b")]);
    }

    #[test]
    fn an_event_is_bounded_however_it_comes() {
        let most = limits::CLIENT_STREAM_EVENT_BYTES_MAX;
        let line = |bytes: usize| format!("data: {}", "a".repeat(bytes - "data: ".len()));
        assert!(Reader::default().take(format!("{}\n\n", line(most)).as_bytes()).is_some());
        assert!(Reader::default().take(format!("{}\n\n", line(most + 1)).as_bytes()).is_none());
        assert!(Reader::default().take(line(most + 1).as_bytes()).is_none());
        let mut reader = Reader::default();
        assert!(reader.take(format!("{}\n", line(most / 2)).as_bytes()).is_some());
        assert!(reader.take(format!("{}\n", line(most / 2 + 1)).as_bytes()).is_none());
    }
}
