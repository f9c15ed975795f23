//! What apps use: counted for each script by the minute, the hour and the day (UTC), in the units of the limits.
//!
//! An execution counts where it began. A [`Meter`] holds what a node has counted and not written yet; [`rows`] makes the rows of
//! it that are added to what the database has; [`Asked`] is which of them somebody wants to see.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::execution::{Execution, LogLine, Outcome};
use super::page::{PageQuery, id_and_seq_cursor, number_cursor};
use crate::error::{Error, Result};
use crate::id::{AppId, ScriptId};
use crate::limits;

/// How long a stretch of time is that usage is summed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    Minute,
    Hour,
    Day,
}

impl Period {
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The period of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.as_str() == word)
    }

    pub fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 24 * 3_600,
        }
    }

    /// How long its rows are kept, s.
    pub fn keep_s(self) -> i64 {
        match self {
            Self::Minute => limits::USAGE_MINUTE_KEEP_S,
            Self::Hour => limits::USAGE_HOUR_KEEP_S,
            Self::Day => limits::USAGE_DAY_KEEP_S,
        }
    }

    /// When the period began that a time lies in.
    pub fn start(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let second = at.timestamp();
        DateTime::from_timestamp(second - second.rem_euclid(self.seconds()), 0).unwrap_or(at)
    }

    /// How many are shown where nobody says from when.
    fn shown(self) -> i64 {
        match self {
            Self::Minute => limits::USAGE_MINUTES_DEFAULT,
            Self::Hour => limits::USAGE_HOURS_DEFAULT,
            Self::Day => limits::USAGE_DAYS_DEFAULT,
        }
    }
}

/// What invocations used together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Used {
    /// Invocations, those that were refused among them.
    pub calls: u64,
    /// Of these, the ones that ran and did not come to a good end.
    pub failed: u64,
    /// Of these, the ones that were refused before they ran: no place was free, or the app's allowance was spent.
    pub refused: u64,
    pub fuel: u64,
    pub wall_us: u64,
    pub host_calls: u64,
    /// Request bodies and what host calls brought in.
    pub bytes_in: u64,
    /// Answer bodies and what host calls took out.
    pub bytes_out: u64,
    /// Records and log lines that were kept: what counts against `log_bytes_per_day`.
    pub log_bytes: u64,
    /// Highest linear memory of one of them.
    pub memory_peak_bytes: u64,
}

impl Used {
    /// What one invocation used; its log is counted once it is known whether it is kept.
    pub fn of(execution: &Execution) -> Self {
        let (failed, refused) = match execution.outcome {
            Outcome::Responded | Outcome::Completed => (0, 0),
            Outcome::Denied => (0, 1),
            Outcome::ScriptFailed
            | Outcome::FuelExhausted
            | Outcome::MemoryExceeded
            | Outcome::DeadlineExceeded
            | Outcome::HostFault => (1, 0),
        };
        let usage = &execution.usage;
        Self {
            calls: 1,
            failed,
            refused,
            fuel: usage.fuel,
            wall_us: usage.wall_us,
            host_calls: usage.host_calls.into(),
            bytes_in: usage.bytes_in,
            bytes_out: usage.bytes_out,
            log_bytes: 0,
            memory_peak_bytes: usage.memory_peak_bytes,
        }
    }

    /// Takes in what others used.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.calls, other.calls),
            (&mut self.failed, other.failed),
            (&mut self.refused, other.refused),
            (&mut self.fuel, other.fuel),
            (&mut self.wall_us, other.wall_us),
            (&mut self.host_calls, other.host_calls),
            (&mut self.bytes_in, other.bytes_in),
            (&mut self.bytes_out, other.bytes_out),
            (&mut self.log_bytes, other.log_bytes),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.memory_peak_bytes = self.memory_peak_bytes.max(other.memory_peak_bytes);
    }
}

/// What lines count as a log, bytes: as in an invocation's own bound, where a short line is a row too.
pub fn log_bytes(lines: &[LogLine]) -> u64 {
    let cost = |line: &LogLine| {
        let bytes = line.message.len() + line.data.as_ref().map_or(0, String::len);
        bytes.max(limits::LOG_LINE_COST_MIN) as u64
    };
    lines.iter().map(cost).sum()
}

/// What a script used within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub app_id: AppId,
    pub script_id: ScriptId,
    pub minute: DateTime<Utc>,
    pub used: Used,
}

/// What a script used in each minute.
type Minutes = Vec<(DateTime<Utc>, Used)>;

/// What was counted and is not written yet. It holds `USAGE_MINUTES_MAX` minutes, and one for each script beyond: past that, what
/// is new counts for the last minute that is held of its script.
#[derive(Debug, Default)]
pub struct Meter {
    scripts: HashMap<(AppId, ScriptId), Minutes>,
    /// Of all scripts.
    minutes: usize,
}

impl Meter {
    pub fn is_empty(&self) -> bool {
        self.scripts.is_empty()
    }

    /// Counts an invocation.
    pub fn count(&mut self, execution: &Execution) {
        self.add(execution.app_id, execution.script_id, execution.started_at, &Used::of(execution));
    }

    /// Counts what a script used at that time.
    pub fn add(&mut self, app_id: AppId, script_id: ScriptId, at: DateTime<Utc>, used: &Used) {
        let minute = Period::Minute.start(at);
        let is_full = self.minutes >= limits::USAGE_MINUTES_MAX;
        let minutes = self.scripts.entry((app_id, script_id)).or_default();
        let known = minutes.iter().rposition(|(known, _)| *known == minute);
        let place = if is_full { known.or_else(|| minutes.len().checked_sub(1)) } else { known };
        match place.and_then(|place| minutes.get_mut(place)) {
            Some((_, sum)) => sum.add(used),
            None => {
                minutes.push((minute, *used));
                self.minutes += 1;
            }
        }
    }

    /// All of it, by app, script and minute; nothing is left.
    pub fn take(&mut self) -> Vec<Counted> {
        self.minutes = 0;
        let scripts = std::mem::take(&mut self.scripts);
        let counted = scripts.into_iter().flat_map(|((app_id, script_id), minutes)| {
            minutes.into_iter().map(move |(minute, used)| Counted { app_id, script_id, minute, used })
        });
        let mut counted: Vec<_> = counted.collect();
        counted.sort_unstable_by_key(|counted| (counted.app_id, counted.script_id, counted.minute));
        counted
    }

    /// Takes back what could not be written.
    pub fn give_back(&mut self, counted: impl IntoIterator<Item = Counted>) {
        for Counted { app_id, script_id, minute, used } in counted {
            self.add(app_id, script_id, minute, &used);
        }
    }
}

/// What is added to a row of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub app_id: AppId,
    pub period: Period,
    pub started_at: DateTime<Utc>,
    pub script_id: ScriptId,
    pub used: Used,
}

/// The rows of every period, each once, in the order in which every node takes them: then none waits for another in a circle.
pub fn rows(counted: &[Counted]) -> Vec<Row> {
    let mut sums: BTreeMap<_, Used> = BTreeMap::new();
    for counted in counted {
        for period in Period::ALL {
            let key = (counted.app_id, period, period.start(counted.minute), counted.script_id);
            sums.entry(key).or_default().add(&counted.used);
        }
    }
    let row = |((app_id, period, started_at, script_id), used)| Row { app_id, period, started_at, script_id, used };
    sums.into_iter().map(row).collect()
}

/// A day of an app.
pub type AppDay = (AppId, DateTime<Utc>);

/// Whether usage is told for each script or for the app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum By {
    #[default]
    App,
    Script,
}

/// Usage of a period: of one script, or of all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    pub started_at: DateTime<Utc>,
    pub script_id: Option<ScriptId>,
    pub used: Used,
}

/// Which usage somebody wants to see, in order of time, then of scripts.
#[derive(Debug, Clone)]
pub struct Asked {
    pub period: Period,
    /// Periods from the one that this lies in.
    pub from: Option<DateTime<Utc>>,
    /// Periods that began before this; where it is left out, up to the one that runs now.
    pub to: Option<DateTime<Utc>>,
    pub script_id: Option<ScriptId>,
    pub by: By,
    pub page: PageQuery,
}

impl Asked {
    /// When the periods begin that are asked for: from the first to before the end. 422 when there are none or more than
    /// `USAGE_PERIODS_MAX`.
    pub fn range(&self, now: DateTime<Utc>) -> Result<Range<DateTime<Utc>>> {
        let moment = TimeDelta::microseconds(1);
        let (period, to) = (self.period, self.to.unwrap_or(now + moment));
        let first = match self.from {
            Some(from) if from >= to => {
                return Err(Error::invalid("from", format!("from is {from:?}; it must lie before to, which is {to:?}")));
            }
            Some(from) => period.start(from),
            None => {
                let last = period.start(to.checked_sub_signed(moment).unwrap_or(to));
                last.checked_sub_signed(TimeDelta::seconds((period.shown() - 1) * period.seconds())).unwrap_or(last)
            }
        };
        let span = to - first;
        let seconds = span.num_seconds() + i64::from(span.subsec_nanos() > 0);
        let (asked, bound) = ((seconds + period.seconds() - 1) / period.seconds(), limits::USAGE_PERIODS_MAX);
        if asked > bound {
            let word = period.as_str();
            let message =
                format!("from is {asked} {word}s before to; {bound} may be asked for at once: ask for longer periods or a part");
            return Err(Error::invalid("from", message).with_details(json!({ "field": "from", "asked": asked, "bound": bound })));
        }
        // Nothing was used outside of these: what the database cannot hold, nor a cursor, is not asked for.
        Ok(first.max(DateTime::UNIX_EPOCH)..to.min(now + TimeDelta::seconds(limits::USAGE_AHEAD_S)))
    }

    pub fn is_by_script(&self) -> bool {
        self.by == By::Script || self.script_id.is_some()
    }

    /// What the page before ended with, if this is not the first: a period, and of usage by script its last script there. 422 for
    /// a cursor that is not one of ours.
    pub fn after(&self) -> Result<Option<(DateTime<Utc>, ScriptId)>> {
        let at = |number: i32| DateTime::from_timestamp(i64::from(number) * 60, 0).unwrap_or(DateTime::UNIX_EPOCH);
        Ok(match self.is_by_script() {
            true => self.page.after_id_and_seq()?.map(|(id, number)| (at(number), ScriptId(id))),
            false => self.page.after_number()?.map(|number| (at(number), ScriptId(Uuid::max()))),
        })
    }

    /// The cursor of a page that ends with this.
    pub fn cursor(&self, item: &Item) -> String {
        let number = i32::try_from(item.started_at.timestamp() / 60).unwrap_or(i32::MAX);
        match item.script_id {
            Some(script) => id_and_seq_cursor(script.0, number),
            None => number_cursor(number),
        }
    }
}

#[cfg(test)]
mod tests;
