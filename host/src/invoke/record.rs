//! Execution records and logs, written in batches behind the answers.
//!
//! A record waits in a bounded queue; when that is full it is dropped and counted, so that a database which cannot keep
//! up never slows a call. A batch that cannot be written is tried again a few times, then dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::limits::{
    RECORD_BATCH_DELAY_MS, RECORD_BATCH_EXECUTIONS_MAX, RECORD_QUEUE_EXECUTIONS_MAX, RECORD_QUEUE_LOG_BYTES_MAX,
    RECORD_WRITE_ATTEMPTS_MAX, RECORD_WRITE_RETRY_MS,
};
use crate::model::execution::Execution;
use crate::service::{self, Services};
use crate::shutdown;

#[derive(Debug)]
pub(super) struct Recorder {
    queue: mpsc::Sender<Message>,
    counts: Arc<Counts>,
}

/// What became of the records since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RecorderStatus {
    pub written: u64,
    /// Records lost: the queue was full, or the database refused them for too long.
    pub dropped: u64,
    /// Records kept whose log lines were lost, because the lines waiting were too many bytes.
    pub dropped_logs: u64,
    pub queued: usize,
}

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
    dropped_logs: AtomicU64,
    queued: AtomicUsize,
    queued_log_bytes: AtomicUsize,
}

#[derive(Debug)]
enum Message {
    Record(Box<Execution>),
    Flush(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

impl Recorder {
    pub(super) fn start(services: Arc<Services>) -> Self {
        let (queue, messages) = mpsc::channel(RECORD_QUEUE_EXECUTIONS_MAX);
        let counts = Arc::new(Counts::default());
        shutdown::spawn("recorder", work(services, messages, counts.clone()));
        Self { queue, counts }
    }

    /// Hands a record over; never waits.
    pub(super) fn record(&self, mut execution: Execution) {
        let counts = &self.counts;
        let log_bytes = log_bytes(&execution);
        if log_bytes > 0 && counts.queued_log_bytes.load(Ordering::Relaxed) + log_bytes > RECORD_QUEUE_LOG_BYTES_MAX {
            execution.logs_dropped =
                execution.logs_dropped.saturating_add(u32::try_from(execution.logs.len()).unwrap_or(u32::MAX));
            execution.logs = Vec::new();
            counts.dropped_logs.fetch_add(1, Ordering::Relaxed);
        } else {
            counts.queued_log_bytes.fetch_add(log_bytes, Ordering::Relaxed);
        }
        counts.queued.fetch_add(1, Ordering::Relaxed);
        if let Err(refused) = self.queue.try_send(Message::Record(Box::new(execution))) {
            if let Message::Record(execution) = refused.into_inner() {
                counts.taken(&execution);
            }
            counts.drop_records(1);
        }
    }

    pub(super) async fn flush(&self) {
        self.ask(Message::Flush).await;
    }

    pub(super) async fn close(&self) {
        self.ask(Message::Close).await;
    }

    pub(super) fn status(&self) -> RecorderStatus {
        let counts = &self.counts;
        RecorderStatus {
            written: counts.written.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
            dropped_logs: counts.dropped_logs.load(Ordering::Relaxed),
            queued: counts.queued.load(Ordering::Relaxed),
        }
    }

    async fn ask(&self, message: impl FnOnce(oneshot::Sender<()>) -> Message) {
        let (done, answered) = oneshot::channel();
        if self.queue.send(message(done)).await.is_ok() {
            // A worker that ended has nothing left to wait for.
            let _ = answered.await;
        }
    }
}

impl Counts {
    /// A record leaves the queue.
    fn taken(&self, execution: &Execution) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
        self.queued_log_bytes.fetch_sub(log_bytes(execution), Ordering::Relaxed);
    }

    fn drop_records(&self, records: usize) {
        let before = self.dropped.fetch_add(records as u64, Ordering::Relaxed);
        // Once at the first, then at every power of two: a flood must not flood the log.
        if (before + records as u64).ilog2() > before.checked_ilog2().unwrap_or(0) || before == 0 {
            tracing::warn!(
                records.dropped = before + records as u64,
                "execution records are dropped: the database does not keep up"
            );
        }
    }
}

async fn work(services: Arc<Services>, mut messages: mpsc::Receiver<Message>, counts: Arc<Counts>) {
    let mut batch: Vec<Execution> = Vec::new();
    loop {
        let mut waiting = Vec::new();
        let mut closing = false;
        match messages.recv().await {
            None => return,
            Some(message) => take(message, &mut batch, &mut waiting, &mut closing),
        }
        let due = Instant::now() + Duration::from_millis(RECORD_BATCH_DELAY_MS);
        while batch.len() < RECORD_BATCH_EXECUTIONS_MAX && waiting.is_empty() {
            match timeout_at(due, messages.recv()).await {
                Ok(Some(message)) => take(message, &mut batch, &mut waiting, &mut closing),
                Ok(None) => closing = true,
                Err(_) => break,
            }
            if closing {
                break;
            }
        }
        if closing {
            messages.close();
            while let Some(message) = messages.recv().await {
                take(message, &mut batch, &mut waiting, &mut closing);
            }
        }
        write(&services, &batch, &counts).await;
        batch.iter().for_each(|execution| counts.taken(execution));
        batch.clear();
        for done in waiting {
            // Whoever stopped waiting needs no answer.
            let _ = done.send(());
        }
        if closing {
            return;
        }
    }
}

fn take(message: Message, batch: &mut Vec<Execution>, waiting: &mut Vec<oneshot::Sender<()>>, closing: &mut bool) {
    match message {
        Message::Record(execution) => batch.push(*execution),
        Message::Flush(done) => waiting.push(done),
        Message::Close(done) => {
            waiting.push(done);
            *closing = true;
        }
    }
}

async fn write(services: &Services, batch: &[Execution], counts: &Counts) {
    if batch.is_empty() {
        return;
    }
    for attempt in 1..=RECORD_WRITE_ATTEMPTS_MAX {
        match service::executions::write_batch(services, batch).await {
            Ok(()) => {
                counts.written.fetch_add(batch.len() as u64, Ordering::Relaxed);
                return;
            }
            Err(error) => {
                tracing::warn!(attempt, records = batch.len(), cause = ?error.source, "execution records could not be written");
                if attempt < RECORD_WRITE_ATTEMPTS_MAX {
                    tokio::time::sleep(Duration::from_millis(RECORD_WRITE_RETRY_MS << attempt)).await;
                }
            }
        }
    }
    counts.drop_records(batch.len());
}

fn log_bytes(execution: &Execution) -> usize {
    execution.logs.iter().map(|line| line.message.len() + line.data.as_ref().map_or(0, String::len)).sum()
}
