//! What is kept of an app's records and log lines on a day: no more bytes than its quota.
//!
//! Of a day, this node knows what all nodes had written when it last wrote itself, and what it has kept since. So the bound holds
//! exactly on one node, and over several to within what they keep between two writes.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use crate::id::AppId;
use crate::limits::{RECORD_BYTES, USAGE_DAYS_KNOWN_MAX};
use crate::model::execution::Execution;
use crate::model::usage::{AppDay, Counted, Period};

#[derive(Debug, Default)]
pub(super) struct Days {
    known: HashMap<AppDay, Day>,
}

/// Bytes.
#[derive(Debug, Default)]
struct Day {
    /// Of all nodes, as the database had it.
    written: u64,
    /// Of this one, not written yet.
    since: u64,
    /// Something was left out, and told.
    is_told: bool,
}

/// What becomes of a record, and the bytes that it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Kept(u64),
    /// Kept without its lines.
    Bare(u64),
    Left,
}

impl Days {
    /// The days of these executions that nothing is known of.
    pub(super) fn unknown(&self, executions: &[Execution]) -> Vec<AppDay> {
        let days: BTreeSet<_> = executions.iter().map(|one| day_of(one.app_id, one.started_at)).collect();
        days.into_iter().filter(|day| !self.known.contains_key(day)).collect()
    }

    /// Takes in what all nodes have written.
    pub(super) fn learn(&mut self, sums: &[(AppDay, u64)]) {
        for (day, written) in sums {
            self.known.entry(*day).or_default().written = *written;
        }
    }

    /// Judges a record that counts so many bytes for its lines. Whether it is the first of that day that is not kept whole.
    pub(super) fn judge(&mut self, app: AppId, started_at: DateTime<Utc>, line_bytes: u64, quota: u64) -> (Fate, bool) {
        let day = self.known.entry(day_of(app, started_at)).or_default();
        let room = quota.saturating_sub(day.written.saturating_add(day.since));
        let whole = RECORD_BYTES.saturating_add(line_bytes);
        let fate = if whole <= room {
            Fate::Kept(whole)
        } else if line_bytes > 0 && RECORD_BYTES <= room {
            Fate::Bare(RECORD_BYTES)
        } else {
            Fate::Left
        };
        let is_first = !matches!(fate, Fate::Kept(_)) && !std::mem::replace(&mut day.is_told, true);
        if let Fate::Kept(bytes) | Fate::Bare(bytes) = fate {
            day.since = day.since.saturating_add(bytes);
        }
        (fate, is_first)
    }

    /// What was counted is written; with it, what all nodes have written, as far as that is known.
    pub(super) fn written(&mut self, counted: &[Counted], sums: &[(AppDay, u64)]) {
        for one in counted {
            if let Some(day) = self.known.get_mut(&day_of(one.app_id, one.minute)) {
                day.since = day.since.saturating_sub(one.used.log_bytes);
                day.written = day.written.saturating_add(one.used.log_bytes);
            }
        }
        self.learn(sums);
        self.tidy();
    }

    /// Forgets days that are over, and what can be read again when there is too much. What is not written yet stays.
    fn tidy(&mut self) {
        let last = self.known.keys().map(|(_, day)| *day).max().unwrap_or_default();
        // Until midnight is over everywhere: executions that began before it end after it.
        let first = last - TimeDelta::days(1);
        let is_crowded = self.known.len() > USAGE_DAYS_KNOWN_MAX;
        self.known.retain(|(_, day), known| known.since > 0 || (*day >= first && !is_crowded));
    }
}

fn day_of(app: AppId, at: DateTime<Utc>) -> AppDay {
    (app, Period::Day.start(at))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::ScriptId;
    use crate::model::usage::Used;

    const APP: AppId = AppId(Uuid::nil());

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn noon() -> DateTime<Utc> {
        at("2026-01-02T12:00:00Z")
    }

    fn counted(at: DateTime<Utc>, log_bytes: u64) -> Counted {
        let used = Used { log_bytes, ..Used::default() };
        Counted { app_id: APP, script_id: ScriptId(Uuid::nil()), minute: Period::Minute.start(at), used }
    }

    #[test]
    fn records_are_kept_up_to_the_last_byte_of_the_quota() {
        let mut days = Days::default();
        let quota = 2 * RECORD_BYTES;
        let kept = (Fate::Kept(RECORD_BYTES), false);
        assert_eq!(days.judge(APP, noon(), 0, quota), kept);
        assert_eq!(days.judge(APP, noon(), 0, quota), kept, "N");
        assert_eq!(days.judge(APP, noon(), 0, quota), (Fate::Left, true), "N + 1");
        assert_eq!(days.judge(APP, noon(), 0, quota), (Fate::Left, false), "told once");
        assert_eq!(days.judge(APP, noon(), 0, quota + RECORD_BYTES), kept, "a quota that was raised holds at once");
        assert_eq!(days.judge(APP, at("2026-01-03T00:00:00Z"), 0, quota), kept, "another day");
        assert_eq!(days.judge(AppId(Uuid::max()), noon(), 0, quota), kept, "another app");
    }

    #[test]
    fn lines_go_before_their_record_does() {
        let whole = RECORD_BYTES + 64;
        let judged = |quota| Days::default().judge(APP, noon(), 64, quota);
        assert_eq!(judged(whole), (Fate::Kept(whole), false));
        assert_eq!(judged(whole - 1), (Fate::Bare(RECORD_BYTES), true));
        assert_eq!(judged(RECORD_BYTES), (Fate::Bare(RECORD_BYTES), true));
        assert_eq!(judged(RECORD_BYTES - 1), (Fate::Left, true));
        assert_eq!(judged(0), (Fate::Left, true));
    }

    #[test]
    fn what_others_wrote_counts_and_nothing_counts_twice() {
        let mut days = Days::default();
        let day = day_of(APP, noon());
        days.learn(&[(day, RECORD_BYTES)]);
        let quota = 4 * RECORD_BYTES;
        days.judge(APP, noon(), 0, quota);
        days.judge(APP, noon(), 0, quota);
        // One of the two is written, and another node has written one.
        days.written(&[counted(noon(), RECORD_BYTES)], &[(day, 3 * RECORD_BYTES)]);
        assert_eq!((days.known[&day].written, days.known[&day].since), (3 * RECORD_BYTES, RECORD_BYTES));
        assert_eq!(days.judge(APP, noon(), 0, quota).0, Fate::Left);
        // Without word of the others.
        days.written(&[counted(noon(), RECORD_BYTES)], &[]);
        assert_eq!((days.known[&day].written, days.known[&day].since), (4 * RECORD_BYTES, 0));
    }

    #[test]
    fn days_are_known_until_they_are_over() {
        let mut days = Days::default();
        let quota = 9 * RECORD_BYTES;
        let (old, yesterday, today) = (at("2026-01-01T09:00:00Z"), at("2026-01-02T09:00:00Z"), at("2026-01-03T09:00:00Z"));
        for at in [old, yesterday, today] {
            days.judge(APP, at, 0, quota);
        }
        days.written(&[counted(yesterday, RECORD_BYTES), counted(today, RECORD_BYTES)], &[]);
        assert_eq!(days.known.len(), 3, "what is not written yet is not forgotten");
        days.written(&[counted(old, RECORD_BYTES)], &[]);
        assert!(!days.known.contains_key(&day_of(APP, old)) && days.known.contains_key(&day_of(APP, yesterday)));
    }

    #[test]
    fn so_many_days_are_known_and_past_that_only_what_is_not_written() {
        let day = |n: usize| (AppId(Uuid::from_u128(n as u128)), Period::Day.start(noon()));
        let sums: Vec<_> = (0..USAGE_DAYS_KNOWN_MAX).map(|n| (day(n), 1)).collect();
        let mut days = Days::default();
        days.written(&[], &sums);
        assert_eq!(days.known.len(), USAGE_DAYS_KNOWN_MAX);
        let one_more = day(USAGE_DAYS_KNOWN_MAX);
        days.judge(one_more.0, noon(), 0, u64::MAX);
        days.written(&[], &[]);
        assert_eq!(days.known.keys().collect::<Vec<_>>(), [&one_more]);
    }
}
