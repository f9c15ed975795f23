//! The one task that writes what the recorder was handed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::days::{Days, Fate};
use super::{Counts, Message, leave_lines_out, log_bytes};
use crate::error::Result;
use crate::limits::{
    RECORD_BATCH_DELAY_MS, RECORD_BATCH_EXECUTIONS_MAX, RECORD_WRITE_ATTEMPTS_MAX, RECORD_WRITE_RETRY_MS,
    USAGE_FLUSH_MINUTES_MAX, USAGE_FLUSH_MS,
};
use crate::model::execution::Execution;
use crate::model::usage::{self, Counted, Meter, Used};
use crate::service::follow::Lost;
use crate::service::usage::{Ending, Transaction};
use crate::service::{self, Services};

pub(super) struct Worker {
    services: Arc<Services>,
    counts: Arc<Counts>,
    /// Out of the queue, and not judged yet.
    batch: Vec<Execution>,
    /// To be written.
    kept: Vec<Execution>,
    /// Who waits for what was handed over before.
    waiting: Vec<oneshot::Sender<()>>,
    is_closing: bool,
    /// Usage that is not written yet.
    meter: Meter,
    /// Usage of which nobody knows whether it is written.
    in_doubt: Option<(Transaction, Vec<Counted>)>,
    /// When usage is written next; nothing while there is none.
    usage_due: Option<Instant>,
    /// The last try to write usage failed, and was told of.
    is_failing: bool,
    days: Days,
}

/// Why the worker looks.
enum Woken {
    By(Message),
    /// Usage is due, or some was counted apart.
    ForUsage,
    /// Nobody can hand over anything any more.
    AtTheEnd,
}

impl Worker {
    pub(super) fn new(services: Arc<Services>, counts: Arc<Counts>) -> Self {
        Self {
            services,
            counts,
            batch: Vec::new(),
            kept: Vec::new(),
            waiting: Vec::new(),
            is_closing: false,
            meter: Meter::default(),
            in_doubt: None,
            usage_due: None,
            is_failing: false,
            days: Days::default(),
        }
    }

    pub(super) async fn work(mut self, mut messages: mpsc::Receiver<Message>) {
        while !self.is_closing {
            match self.wait(&mut messages).await {
                Woken::By(message) => {
                    self.take(message);
                    self.gather(&mut messages).await;
                    self.write().await;
                }
                Woken::ForUsage => {}
                Woken::AtTheEnd => self.is_closing = true,
            }
            if self.is_closing {
                self.write_last_usage().await;
            } else if !self.waiting.is_empty() || self.usage_due.is_some_and(|due| due <= Instant::now()) {
                self.write_usage().await;
            }
            if self.usage_due.is_none() && self.has_usage() {
                self.usage_due = Some(Instant::now() + Duration::from_millis(USAGE_FLUSH_MS));
            }
            for done in self.waiting.drain(..) {
                // Whoever stopped waiting needs no answer.
                let _ = done.send(());
            }
        }
    }

    async fn wait(&self, messages: &mut mpsc::Receiver<Message>) -> Woken {
        let due = async {
            match self.usage_due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            message = messages.recv() => message.map_or(Woken::AtTheEnd, Woken::By),
            () = due => Woken::ForUsage,
            () = self.counts.counted.notified() => Woken::ForUsage,
        }
    }

    /// Takes what comes within a moment, or until there is a batch or somebody waits for it. No single record wakes it.
    async fn gather(&mut self, messages: &mut mpsc::Receiver<Message>) {
        if self.counts.asking.load(Ordering::Relaxed) == 0 && messages.len() < RECORD_BATCH_EXECUTIONS_MAX {
            tokio::select! {
                () = sleep(Duration::from_millis(RECORD_BATCH_DELAY_MS)) => {}
                () = self.counts.urgent.notified() => {}
            }
        }
        while self.batch.len() < RECORD_BATCH_EXECUTIONS_MAX
            && !self.is_closing
            && let Ok(message) = messages.try_recv()
        {
            self.take(message);
        }
        if self.is_closing {
            messages.close();
            while let Some(message) = messages.recv().await {
                self.take(message);
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Record(execution) => {
                self.meter.count(&execution);
                self.batch.push(*execution);
            }
            Message::Flush(done) => self.waiting.push(done),
            Message::Close(done) => {
                self.waiting.push(done);
                self.is_closing = true;
            }
        }
    }

    /// Writes the batch, or drops it.
    async fn write(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let (records, bytes) = (self.batch.len(), self.batch.iter().map(log_bytes).sum::<usize>());
        for attempt in 1..=RECORD_WRITE_ATTEMPTS_MAX {
            match self.try_write().await {
                Ok(()) => {
                    self.counts.written.fetch_add(self.kept.len() as u64, Ordering::Relaxed);
                    self.kept.clear();
                    break;
                }
                Err(error) => {
                    tracing::warn!(attempt, records, cause = ?error.source, "execution records could not be written");
                    if attempt < RECORD_WRITE_ATTEMPTS_MAX {
                        sleep(Duration::from_millis(RECORD_WRITE_RETRY_MS << attempt)).await;
                    }
                }
            }
        }
        let lost = self.batch.len() + self.kept.len();
        if lost > 0 {
            self.counts.drop_records(lost);
            for execution in self.batch.iter().chain(&self.kept) {
                self.services.follow.lost(execution.app_id, Lost { records: 1, lines: 0 });
            }
            self.batch.clear();
            self.kept.clear();
        }
        self.counts.taken(records, bytes);
    }

    async fn try_write(&mut self) -> Result<()> {
        if !self.batch.is_empty() {
            let unknown = self.days.unknown(&self.batch);
            if !unknown.is_empty() {
                self.days.learn(&service::usage::log_bytes(&self.services, &unknown).await?);
            }
            self.judge();
        }
        service::executions::write_batch(&self.services, &self.kept).await
    }

    /// Of the batch, keeps what the apps' quotas of the day allow.
    fn judge(&mut self) {
        std::mem::swap(&mut self.batch, &mut self.kept);
        let Self { services, counts, kept, meter, days, .. } = self;
        kept.retain_mut(|execution| {
            let (app, at) = (execution.app_id, execution.started_at);
            let quota = services.quota(app).log_bytes_per_day;
            let (fate, is_first) = days.judge(app, at, usage::log_bytes(&execution.logs), quota);
            if is_first {
                tracing::info!(
                    app.id = %app,
                    log_bytes_per_day = quota,
                    "the app has as much of records and log lines as it may of this day (UTC): no more of them are kept"
                );
            }
            let bytes = match fate {
                Fate::Kept(bytes) => bytes,
                Fate::Bare(bytes) => {
                    services.follow.lost(app, Lost { records: 0, lines: execution.logs.len() as u64 });
                    leave_lines_out(execution);
                    bytes
                }
                Fate::Left => {
                    counts.over_quota.fetch_add(1, Ordering::Relaxed);
                    services.follow.lost(app, Lost { records: 1, lines: 0 });
                    return false;
                }
            };
            meter.add(app, execution.script_id, at, &Used { log_bytes: bytes, ..Used::default() });
            true
        });
    }

    fn has_usage(&self) -> bool {
        !self.meter.is_empty() || self.in_doubt.is_some() || self.counts.is_any_apart()
    }

    /// Writes what was counted, as far as it can be written now; the rest stays counted.
    async fn write_usage(&mut self) {
        self.usage_due = None;
        match self.try_usage().await {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                tracing::info!("usage is written again");
            }
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::warn!(%error, cause = ?error.source, "usage could not be written; it stays counted and is tried again");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// The same for the last time, with patience.
    async fn write_last_usage(&mut self) {
        for attempt in 1..=RECORD_WRITE_ATTEMPTS_MAX {
            self.write_usage().await;
            if !self.has_usage() {
                return;
            }
            if attempt < RECORD_WRITE_ATTEMPTS_MAX {
                sleep(Duration::from_millis(RECORD_WRITE_RETRY_MS << attempt)).await;
            }
        }
        tracing::warn!("what apps used last is not written, and lost");
    }

    async fn try_usage(&mut self) -> Result<()> {
        self.meter.give_back(self.counts.take_apart());
        if !self.is_out_of_doubt().await? {
            return Ok(());
        }
        let mut counted = self.meter.take();
        while !counted.is_empty() {
            let rest = counted.split_off(counted.len().min(USAGE_FLUSH_MINUTES_MAX));
            match service::usage::add(&self.services, &counted).await {
                Ok(done) => {
                    self.meter.give_back(done.held);
                    match done.ending {
                        Ending::Committed(sums) => self.days.written(&done.added, &sums),
                        Ending::InDoubt(transaction) => {
                            self.in_doubt = Some((transaction, done.added));
                            self.meter.give_back(rest);
                            return Ok(());
                        }
                    }
                }
                Err(error) => {
                    self.meter.give_back(counted);
                    self.meter.give_back(rest);
                    return Err(error);
                }
            }
            counted = rest;
        }
        Ok(())
    }

    /// Finds out what became of usage that may be written; whether that is known now.
    async fn is_out_of_doubt(&mut self) -> Result<bool> {
        let Some((transaction, _)) = &self.in_doubt else { return Ok(true) };
        let Some(is_written) = service::usage::was_committed(&self.services, transaction).await? else { return Ok(false) };
        if let Some((_, counted)) = self.in_doubt.take() {
            if is_written {
                self.days.written(&counted, &[]);
            } else {
                self.meter.give_back(counted);
            }
        }
        Ok(true)
    }
}
