//! Traces and logs for the one collector that the owner of the node has named (`OTEL_EXPORTER_OTLP_ENDPOINT`): OTLP over HTTP, as JSON.
//!
//! Whoever has something to tell hands it over and never waits: what finds the queue full is dropped and counted. One task takes what has
//! gathered, writes it (`lines`), and sends it over one connection (`wire`). Without anything to tell it does nothing.
//!
//! The collector's address is the owner's word, as that of the mail relay is, and not judged. A crash loses what was not sent.

mod lines;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use url::Url;

use crate::config::Hidden;
use crate::id::RequestId;
use crate::limits;
use crate::model::trace::Trace;
use crate::shutdown;
use crate::telemetry::Line;

pub use self::lines::{Log, Resource, Span, SpanKind};
use self::wire::{Trouble, Wire};

/// Where the collector is, and what it is told.
#[derive(Debug, Clone)]
pub struct Settings {
    endpoint: Url,
    /// Names and values that go with every request.
    headers: Vec<(String, String)>,
    /// Of traces that nobody else began, the part that is told of.
    ratio: f64,
}

/// The way to the collector. A clone is a handle.
#[derive(Debug, Clone)]
pub struct Exporter {
    queue: mpsc::Sender<Item>,
    counts: Arc<Counts>,
    ratio: f64,
}

/// What became of spans and lines since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    pub sent: u64,
    /// Lost: the queue was full.
    pub dropped: u64,
    /// Lost: the collector did not take them.
    pub failed: u64,
    pub queued: usize,
}

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    queued: AtomicUsize,
    queued_bytes: AtomicUsize,
}

#[derive(Debug)]
enum Item {
    Span(Box<Span>),
    Log(Box<Log>),
    Close(oneshot::Sender<()>),
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Span(span) => span.bytes(),
            Self::Log(log) => log.bytes(),
            Self::Close(_) => 0,
        }
    }
}

impl Settings {
    /// As the settings of a node have it: a URL to which `/v1/traces` and `/v1/logs` are added, headers as `name=value,…` with
    /// percent-encoded values, a part from 0 to 1.
    ///
    /// # Errors
    /// A line that says what is wrong; never with a header's value.
    pub fn read(endpoint: &str, headers: Option<&Hidden>, ratio: f64) -> Result<Self, String> {
        let wrong =
            || "OTEL_EXPORTER_OTLP_ENDPOINT: write http:// or https:// with a host, such as http://127.0.0.1:4318".to_owned();
        let endpoint = Url::parse(endpoint.trim()).map_err(|_| wrong())?;
        if !matches!(endpoint.scheme(), "http" | "https")
            || endpoint.host_str().is_none_or(str::is_empty)
            || !endpoint.username().is_empty()
        {
            return Err(wrong());
        }
        if !(0.0..=1.0).contains(&ratio) {
            return Err("OTEL_TRACES_SAMPLER_ARG: write a number from 0 to 1".to_owned());
        }
        let headers = headers.map_or_else(|| Ok(Vec::new()), |headers| read_headers(headers.expose()))?;
        Ok(Self { endpoint, headers, ratio })
    }
}

fn read_headers(text: &str) -> Result<Vec<(String, String)>, String> {
    let wrong = || "OTEL_EXPORTER_OTLP_HEADERS: write name=value, with commas between them and values percent-encoded".to_owned();
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().map_err(|_| wrong())?;
            let name = hyper::header::HeaderName::try_from(name.trim()).map_err(|_| wrong())?;
            hyper::header::HeaderValue::try_from(value.as_ref()).map_err(|_| wrong())?;
            Ok((name.as_str().to_owned(), value.into_owned()))
        })
        .collect()
}

impl Exporter {
    /// An exporter whose task runs on the current runtime until [`Exporter::close`].
    pub fn start(settings: Settings, resource: Resource) -> Self {
        let (queue, items) = mpsc::channel(limits::OTLP_QUEUE_ITEMS_MAX);
        let (counts, ratio) = (Arc::new(Counts::default()), settings.ratio);
        let worker =
            Worker { wire: Wire::to(settings.endpoint, settings.headers), resource, counts: counts.clone(), is_lost: false };
        shutdown::spawn("telling of traces", worker.work(items));
        Self { queue, counts, ratio }
    }

    /// The beginning of a trace that nobody else began: whether it is told of is known by its id, alike on every node.
    pub fn begins(&self, request: RequestId) -> Trace {
        // Of the digits that nobody chooses.
        let chance = (request.0.as_u64_pair().1 & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64;
        Trace::of_request(request, chance < self.ratio)
    }

    /// Hands a span over; never waits.
    pub fn span(&self, span: Span) {
        self.hand_over(Item::Span(Box::new(span)));
    }

    /// Hands a line over; never waits.
    pub fn log(&self, log: Log) {
        self.hand_over(Item::Log(Box::new(log)));
    }

    /// The same of a line of the node's own log.
    pub fn line(&self, at: DateTime<Utc>, line: Line) {
        self.log(Log::of_node(at, line));
    }

    pub fn told(&self) -> Told {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Told {
            sent: read(&self.counts.sent),
            dropped: read(&self.counts.dropped),
            failed: read(&self.counts.failed),
            queued: self.counts.queued.load(Ordering::Relaxed),
        }
    }

    /// Sends what is left, and ends the task; `OTLP_CLOSE_MS` at most.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        let closing = async {
            if self.queue.send(Item::Close(done)).await.is_ok() {
                let _ = closed.await;
            }
        };
        let _ = timeout(Duration::from_millis(limits::OTLP_CLOSE_MS), closing).await;
    }

    fn hand_over(&self, item: Item) {
        let (counts, bytes) = (&self.counts, item.bytes());
        let has_room = counts.queued_bytes.load(Ordering::Relaxed) + bytes <= limits::OTLP_QUEUE_BYTES_MAX;
        if has_room {
            counts.queued.fetch_add(1, Ordering::Relaxed);
            counts.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
            if self.queue.try_send(item).is_ok() {
                return;
            }
            counts.queued.fetch_sub(1, Ordering::Relaxed);
            counts.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        counts.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

struct Worker {
    wire: Wire,
    resource: Resource,
    counts: Arc<Counts>,
    is_lost: bool,
}

impl Worker {
    async fn work(mut self, mut items: mpsc::Receiver<Item>) {
        let mut batch = Vec::new();
        loop {
            let mut closing = None;
            if items.recv_many(&mut batch, limits::OTLP_BATCH_ITEMS_MAX).await == 0 {
                return;
            }
            let until = Instant::now() + Duration::from_millis(limits::OTLP_BATCH_DELAY_MS);
            while batch.len() < limits::OTLP_BATCH_ITEMS_MAX && !batch.iter().any(|item| matches!(item, Item::Close(_))) {
                let room = limits::OTLP_BATCH_ITEMS_MAX - batch.len();
                if !matches!(timeout_at(until, items.recv_many(&mut batch, room)).await, Ok(1..)) {
                    break;
                }
            }
            let bytes = batch.iter().map(Item::bytes).sum();
            let (mut spans, mut logs) = (Vec::new(), Vec::new());
            for item in batch.drain(..) {
                match item {
                    Item::Span(span) => spans.push(*span),
                    Item::Log(log) => logs.push(*log),
                    Item::Close(done) => closing = Some(done),
                }
            }
            if !spans.is_empty() {
                let (count, body) = (spans.len(), lines::traces(&self.resource, &spans));
                self.send("v1/traces", body, count).await;
            }
            if !logs.is_empty() {
                let (count, body) = (logs.len(), lines::logs(&self.resource, &logs));
                self.send("v1/logs", body, count).await;
            }
            // Until now they were held.
            self.counts.queued.fetch_sub(spans.len() + logs.len(), Ordering::Relaxed);
            self.counts.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            if let Some(done) = closing {
                let _ = done.send(());
                return;
            }
        }
    }

    async fn send(&mut self, path: &str, body: Vec<u8>, count: usize) {
        let mut pause = Duration::from_millis(limits::OTLP_RETRY_MS);
        for tried in 1..=limits::OTLP_TRIES_MAX {
            match self.wire.post(path, body.clone()).await {
                Ok(()) => {
                    if std::mem::take(&mut self.is_lost) {
                        tracing::info!("the collector of traces takes them again");
                    }
                    self.counts.sent.fetch_add(count as u64, Ordering::Relaxed);
                    return;
                }
                Err(Trouble::Passing(_)) if tried < limits::OTLP_TRIES_MAX => sleep(pause).await,
                Err(Trouble::Passing(why) | Trouble::Lasting(why)) => {
                    if !std::mem::replace(&mut self.is_lost, true) {
                        tracing::warn!("the collector of traces does not take them, and they are lost: {why}");
                    }
                    break;
                }
            }
            pause *= 2;
        }
        self.counts.failed.fetch_add(count as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(endpoint: &str, headers: Option<&str>, ratio: f64) -> Result<Settings, String> {
        Settings::read(endpoint, headers.map(|headers| Hidden::new(headers.to_owned())).as_ref(), ratio)
    }

    #[test]
    fn settings_are_read_or_refused_without_a_secret() {
        let read = settings("http://127.0.0.1:4318", Some("authorization=Basic%20aHVzaA%3D%3D, x-tenant=a"), 0.5).unwrap();
        let expected = [("authorization", "Basic aHVzaA=="), ("x-tenant", "a")];
        assert_eq!(read.headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for wrong in ["", "127.0.0.1:4318", "ftp://host", "http://", "http://u@host"] {
            assert!(settings(wrong, None, 1.0).is_err(), "{wrong:?}");
        }
        for wrong in ["hush", "a b=hush", "a=hush%ff", "a=hush%0a"] {
            let line = settings("http://host", Some(wrong), 1.0).unwrap_err();
            assert!(!line.contains("hush"), "{line}");
        }
        for (ratio, is_one) in [(0.0, true), (1.0, true), (-0.1, false), (1.1, false), (f64::NAN, false)] {
            assert_eq!(settings("http://host", None, ratio).is_ok(), is_one, "{ratio}");
        }
    }

    #[tokio::test]
    async fn a_trace_is_told_of_by_its_id_and_the_part_that_is_asked_for() {
        let (queue, _items) = mpsc::channel(1);
        let exporter = |ratio| Exporter { queue: queue.clone(), counts: Arc::default(), ratio };
        let ids: Vec<_> = (0..2_000).map(|_| RequestId::at(DateTime::UNIX_EPOCH)).collect();
        let told = |ratio: f64| ids.iter().filter(|id| exporter(ratio).begins(**id).sampled).count();
        assert_eq!((told(0.0), told(1.0)), (0, ids.len()));
        assert!((800..1_200).contains(&told(0.5)), "{}", told(0.5));
        assert_eq!(told(0.5), told(0.5));
    }

    #[tokio::test]
    async fn what_finds_the_queue_full_is_dropped_and_counted() {
        let (queue, _items) = mpsc::channel(2);
        let exporter = Exporter { queue, counts: Arc::default(), ratio: 1.0 };
        let line = |bytes: usize| Line { message: "x".repeat(bytes), ..Line::default() };
        for _ in 0..3 {
            exporter.line(DateTime::UNIX_EPOCH, line(1));
        }
        assert_eq!((exporter.told().queued, exporter.told().dropped), (2, 1));

        let (queue, _items) = mpsc::channel(limits::OTLP_QUEUE_ITEMS_MAX);
        let exporter = Exporter { queue, counts: Arc::default(), ratio: 1.0 };
        let fitting = limits::OTLP_QUEUE_BYTES_MAX / limits::OTLP_TEXT_BYTES_MAX;
        for _ in 0..=fitting {
            exporter.line(DateTime::UNIX_EPOCH, line(limits::OTLP_TEXT_BYTES_MAX));
        }
        assert!(exporter.told().dropped >= 1 && exporter.told().queued <= fitting, "{:?}", exporter.told());
    }
}
