//! How an app does, at a glance: what it was called and used in a window, period by period, and how long its executions took.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};

use super::usage::{Item, Period, Used};
use crate::limits;

/// How far back one looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Window {
    /// By the minute.
    #[default]
    Hour,
    /// By the hour.
    Day,
}

impl Window {
    pub const ALL: [Self; 2] = [Self::Hour, Self::Day];

    /// The word in queries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The window of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.as_str() == word)
    }

    /// What its series is made of.
    pub fn period(self) -> Period {
        match self {
            Self::Hour => Period::Minute,
            Self::Day => Period::Hour,
        }
    }

    /// How many of them.
    pub fn periods(self) -> i64 {
        match self {
            Self::Hour => limits::HEALTH_MINUTES,
            Self::Day => limits::HEALTH_HOURS,
        }
    }

    /// When its periods begin: from the first to before the end. The last one is that which runs.
    pub fn range(self, now: DateTime<Utc>) -> Range<DateTime<Utc>> {
        let (period, last) = (self.period(), self.period().start(now));
        let before = TimeDelta::seconds((self.periods() - 1) * period.seconds());
        let first = last.checked_sub_signed(before).unwrap_or(last);
        first..last.checked_add_signed(TimeDelta::seconds(period.seconds())).unwrap_or(last)
    }

    /// Every period of the range in order, those in which nothing was used too.
    pub fn series(self, range: &Range<DateTime<Utc>>, used: &[Item]) -> Vec<Item> {
        let known: BTreeMap<_, _> = used.iter().map(|item| (item.started_at, item.used)).collect();
        let periods = (0..self.periods()).filter_map(|place| {
            let started_at = range.start.checked_add_signed(TimeDelta::seconds(place * self.period().seconds()))?;
            Some(Item { started_at, script_id: None, used: known.get(&started_at).copied().unwrap_or_default() })
        });
        periods.collect()
    }
}

/// How long executions took, µs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Of so many, the newest of the window.
    pub sample: u64,
    /// None without any.
    pub p50_us: Option<u64>,
    pub p99_us: Option<u64>,
}

/// How an app does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// When the first period began.
    pub from: DateTime<Utc>,
    /// Now.
    pub to: DateTime<Utc>,
    /// The sum of the series.
    pub used: Used,
    pub times: Times,
    /// Counted up to `HEALTH_DEAD_LETTERS_MAX`.
    pub unresolved_dead_letters: u64,
    pub series: Vec<Item>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_ends_with_the_period_that_runs() {
        for (window, now, first, end) in [
            (Window::Hour, "2026-01-02T03:04:05.6Z", "2026-01-02T02:05:00Z", "2026-01-02T03:05:00Z"),
            (Window::Hour, "2026-01-02T03:04:00Z", "2026-01-02T02:05:00Z", "2026-01-02T03:05:00Z"),
            (Window::Day, "2026-01-02T03:04:05Z", "2026-01-01T04:00:00Z", "2026-01-02T04:00:00Z"),
        ] {
            assert_eq!(window.range(at(now)), at(first)..at(end), "{window:?} {now}");
        }
    }

    #[test]
    fn a_series_has_every_period_once_and_in_order() {
        for window in Window::ALL {
            let range = window.range(at("2026-01-02T03:04:05Z"));
            let last = range.end - TimeDelta::seconds(window.period().seconds());
            let used = |calls: u64| Used { calls, ..Used::default() };
            let item = |started_at: DateTime<Utc>, calls: u64| Item { started_at, script_id: None, used: used(calls) };
            let series = window.series(&range, &[item(range.start, 3), item(last, 4)]);
            assert_eq!(series.len() as i64, window.periods());
            assert!(series.is_sorted_by(|one, other| one.started_at < other.started_at));
            let told: Vec<_> = series.iter().filter(|item| item.used.calls > 0).map(|item| item.started_at).collect();
            assert_eq!(told, [range.start, last]);
            assert_eq!(series.iter().map(|item| item.used.calls).sum::<u64>(), 7);
        }
    }

    #[test]
    fn windows_have_words() {
        assert!(Window::ALL.iter().all(|window| Window::from_word(window.as_str()) == Some(*window)));
        assert_eq!((Window::from_word("week"), Window::default()), (None, Window::Hour));
    }
}
