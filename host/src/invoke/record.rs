//! Execution records and logs, and what apps use, written in batches behind the answers.
//!
//! A record waits in a bounded queue; when that is full it is dropped and counted, so that a database which cannot keep
//! up never slows a call. A batch that cannot be written is tried again a few times, then dropped and counted. An app past its
//! `log_bytes_per_day` keeps its log lines no longer, then no records (`days`).
//!
//! Usage is counted of every invocation, whatever becomes of its record: by the worker as records come to it, and here of what
//! never does. It is written at most once a second; what cannot be written stays counted and is tried again. A node that is
//! killed loses what it counted since.

mod days;
mod worker;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::{Notify, mpsc, oneshot};

use self::worker::Worker;
use crate::limits::{RECORD_BATCH_EXECUTIONS_MAX, RECORD_QUEUE_EXECUTIONS_MAX, RECORD_REFUSALS_PER_S_MAX};
use crate::model::execution::{Execution, FailureCode};
use crate::model::usage::{Counted, Meter};
use crate::service::Services;
use crate::service::follow::Lost;
use crate::shutdown;

#[derive(Debug)]
pub(super) struct Recorder {
    services: Arc<Services>,
    queue: mpsc::Sender<Message>,
    counts: Arc<Counts>,
    /// Log lines that may wait, bytes.
    log_bytes_max: usize,
}

/// What became of the records since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RecorderStatus {
    pub written: u64,
    /// Records lost: the queue was full, or the database refused them for too long.
    pub dropped: u64,
    /// Records kept whose log lines were lost, because the lines waiting were too many bytes.
    pub dropped_logs: u64,
    /// Records not kept, because their app had its `log_bytes_per_day` already.
    pub records_over_quota: u64,
    pub queued: usize,
}

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
    dropped_logs: AtomicU64,
    over_quota: AtomicU64,
    queued: AtomicUsize,
    queued_log_bytes: AtomicUsize,
    /// Usage of what does not come to the worker.
    apart: Mutex<Meter>,
    /// There is some.
    counted: Notify,
    /// The second in which a call found no place last, and how many did in it.
    refusals: Mutex<(i64, u32)>,
    /// Who waits for what is in the queue.
    asking: AtomicUsize,
    /// What is in the queue is to be written now, rather than in a moment.
    urgent: Notify,
}

#[derive(Debug)]
enum Message {
    Record(Box<Execution>),
    Flush(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

impl Recorder {
    pub(super) fn start(services: Arc<Services>, log_bytes_max: usize) -> Self {
        let (queue, messages) = mpsc::channel(RECORD_QUEUE_EXECUTIONS_MAX);
        let counts = Arc::new(Counts::default());
        shutdown::spawn("recorder", Worker::new(services.clone(), counts.clone()).work(messages));
        Self { services, queue, counts, log_bytes_max }
    }

    /// Hands a record over; never waits. What its app's allowance refused is counted and has no record: there may be any number.
    /// Of what found no place, the first of each second have one (`RECORD_REFUSALS_PER_S_MAX`): past capacity, refusals must not
    /// take what answers need.
    pub(super) fn record(&self, mut execution: Execution) {
        let counts = &self.counts;
        match execution.error.as_ref().map(|failure| failure.code) {
            Some(FailureCode::RateLimited) => return counts.count_apart(&execution),
            Some(FailureCode::Overloaded) if !counts.keep_refusal(execution.started_at.timestamp()) => {
                self.services.follow.lost(execution.app_id, Lost { records: 1, lines: 0 });
                return counts.count_apart(&execution);
            }
            _ => {}
        }
        let bytes = log_bytes(&execution);
        if bytes > 0 && counts.queued_log_bytes.load(Ordering::Relaxed) + bytes > self.log_bytes_max {
            let lines = execution.logs.len() as u64;
            leave_lines_out(&mut execution);
            self.services.follow.lost(execution.app_id, Lost { records: 0, lines });
            counts.dropped_logs.fetch_add(1, Ordering::Relaxed);
        } else {
            counts.queued_log_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        counts.queued.fetch_add(1, Ordering::Relaxed);
        let sent = self.queue.try_send(Message::Record(Box::new(execution)));
        if RECORD_QUEUE_EXECUTIONS_MAX - self.queue.capacity() >= RECORD_BATCH_EXECUTIONS_MAX {
            counts.urgent.notify_one();
        }
        if let Err(refused) = sent {
            if let Message::Record(execution) = refused.into_inner() {
                counts.taken(1, log_bytes(&execution));
                counts.count_apart(&execution);
                self.services.follow.lost(execution.app_id, Lost { records: 1, lines: 0 });
            }
            counts.drop_records(1);
        }
    }

    /// Waits until all that was handed over is written, its usage too, or dropped.
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
            records_over_quota: counts.over_quota.load(Ordering::Relaxed),
            queued: counts.queued.load(Ordering::Relaxed),
        }
    }

    async fn ask(&self, message: impl FnOnce(oneshot::Sender<()>) -> Message) {
        let (done, answered) = oneshot::channel();
        let _asking = Asking::of(&self.counts);
        if self.queue.send(message(done)).await.is_ok() {
            // A worker that ended has nothing left to wait for.
            let _ = answered.await;
        }
    }
}

/// Somebody waits: nothing is gathered meanwhile.
struct Asking<'a>(&'a AtomicUsize);

impl<'a> Asking<'a> {
    fn of(counts: &'a Counts) -> Self {
        counts.asking.fetch_add(1, Ordering::Relaxed);
        counts.urgent.notify_one();
        Self(&counts.asking)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counts {
    /// Records leave the queue.
    fn taken(&self, records: usize, log_bytes: usize) {
        self.queued.fetch_sub(records, Ordering::Relaxed);
        self.queued_log_bytes.fetch_sub(log_bytes, Ordering::Relaxed);
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

    /// Whether one more call that found no place in that second has a record.
    fn keep_refusal(&self, second: i64) -> bool {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.0 != second {
            *refusals = (second, 0);
        }
        refusals.1 = refusals.1.saturating_add(1);
        refusals.1 <= RECORD_REFUSALS_PER_S_MAX
    }

    /// Counts an invocation whose record does not come to the worker.
    fn count_apart(&self, execution: &Execution) {
        let is_first = {
            let mut apart = self.apart.lock().unwrap_or_else(PoisonError::into_inner);
            let is_first = apart.is_empty();
            apart.count(execution);
            is_first
        };
        if is_first {
            self.counted.notify_one();
        }
    }

    /// What was counted so.
    fn take_apart(&self) -> Vec<Counted> {
        self.apart.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is_any_apart(&self) -> bool {
        !self.apart.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// What the lines take while they wait.
fn log_bytes(execution: &Execution) -> usize {
    execution.logs.iter().map(|line| line.message.len() + line.data.as_ref().map_or(0, String::len)).sum()
}

fn leave_lines_out(execution: &mut Execution) {
    let lines = u32::try_from(execution.logs.len()).unwrap_or(u32::MAX);
    execution.logs_dropped = execution.logs_dropped.saturating_add(lines);
    execution.logs = Vec::new();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_calls_that_found_no_place_so_many_have_a_record_in_each_second() {
        let counts = Counts::default();
        for second in [1, 2] {
            assert!((0..RECORD_REFUSALS_PER_S_MAX).all(|_| counts.keep_refusal(second)), "{second}");
            assert!(!counts.keep_refusal(second), "{second}");
        }
    }
}
