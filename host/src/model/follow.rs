//! Where somebody stands who follows the log of an app, what they want to see of it, and what they are shown.
//!
//! Records are in the order of their transactions, then of their ids; of each come its lines, then its end. A position is behind
//! one of these, so whoever knows the last one that they saw goes on with the next, without a gap and without seeing one twice.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::execution::{Failure, LogLevel, LogLine, Outcome, Usage};
use super::text;
use crate::error::{Error, Result};
use crate::id::{ExecutionId, ScriptId, TriggerId};
use crate::limits;

/// Behind a line of an execution, or behind its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub txid: i64,
    pub execution: Uuid,
    /// The line; [`NOTHING`] and [`END`] where it is none.
    pub seq: i32,
}

/// Nothing of the execution was seen.
pub const NOTHING: i32 = -1;
/// Its end was seen.
pub const END: i32 = i32::MAX;

impl Position {
    /// Behind everything of the transactions below that one.
    pub fn before(txid: i64) -> Self {
        Self { txid, execution: Uuid::nil(), seq: NOTHING }
    }
}

/// A position as callers know it, with the time from which executions count: lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub at: Position,
    pub since: Option<DateTime<Utc>>,
}

/// Hex digits of transaction, execution, line and time.
const DIGITS: [usize; 4] = [16, 32, 8, 16];

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at: Position { txid, execution, seq }, since } = self;
        let since_us = since.map_or(0, |since| since.timestamp_micros().max(0));
        // Nothing is 0, and the end more than any line.
        let seq = seq.wrapping_add(1).cast_unsigned();
        write!(f, "{:016x}{}{seq:08x}{since_us:016x}", txid.max(&0), execution.simple())
    }
}

impl FromStr for Cursor {
    type Err = Error;

    /// 422 for what is none of ours.
    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if text.len() != DIGITS.iter().sum::<usize>() || !text.bytes().all(digit) {
                return None;
            }
            let [of_txid, of_execution, of_seq, _] = DIGITS;
            let (txid, rest) = text.split_at_checked(of_txid)?;
            let (execution, rest) = rest.split_at_checked(of_execution)?;
            let (seq, since) = rest.split_at_checked(of_seq)?;
            let seq = u32::from_str_radix(seq, 16).ok()?.cast_signed().wrapping_sub(1);
            let at = Position {
                txid: i64::from_str_radix(txid, 16).ok().filter(|txid| *txid > 0)?,
                execution: Uuid::try_parse(execution).ok()?,
                seq: Some(seq).filter(|seq| *seq >= NOTHING)?,
            };
            let since = match i64::from_str_radix(since, 16).ok()? {
                0 => None,
                us => Some(DateTime::from_timestamp_micros(us)?),
            };
            Some(Self { at, since })
        };
        read().ok_or_else(foreign)
    }
}

/// 422: a cursor that none of these pages gave, or a database that is gone.
pub fn foreign() -> Error {
    Error::invalid("cursor", "this is not a cursor that this log gave; begin anew, with `since` or `tail`")
}

/// A time, or how long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    At(DateTime<Utc>),
    Ago(TimeDelta),
}

impl Since {
    pub fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.checked_sub_signed(ago).unwrap_or(DateTime::UNIX_EPOCH),
        }
        .max(DateTime::UNIX_EPOCH)
    }
}

/// `2026-01-02T03:04:05Z`, or a number and one of s, m, h, d.
impl FromStr for Since {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
        if let Some((number, seconds)) = units.into_iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds))) {
            let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            let number = Some(number).filter(|_| is_number).ok_or(())?.parse::<i64>().map_err(drop)?;
            return number.checked_mul(seconds).and_then(TimeDelta::try_seconds).map(Self::Ago).ok_or(());
        }
        DateTime::parse_from_rfc3339(text).map(|at| Self::At(at.to_utc())).map_err(drop)
    }
}

/// What somebody asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// By id or name.
    pub script: Option<String>,
    pub execution: Option<ExecutionId>,
    /// That and above.
    pub level: Option<LogLevel>,
    /// Any where there are none.
    pub outcomes: Vec<Outcome>,
    /// In a line's message, or that of a failure.
    pub text: String,
    pub since: Option<Since>,
    /// So many of the newest first.
    pub tail: Option<u32>,
    /// Goes before both.
    pub cursor: Option<Cursor>,
}

impl Asked {
    /// 422 for a text or a tail past its bound.
    pub fn check(&self) -> Result<()> {
        text::without_nul("text", &self.text)?;
        if self.text.len() > limits::FOLLOW_TEXT_BYTES_MAX {
            return Err(text::too_long("text", self.text.len(), limits::FOLLOW_TEXT_BYTES_MAX, "bytes"));
        }
        let (asked, allowed) = (self.tail.unwrap_or_default(), limits::FOLLOW_TAIL_MAX);
        if asked > allowed {
            return Err(Error::invalid("tail", format!("tail is {asked}; 0 to {allowed} are allowed"))
                .with_details(json!({ "field": "tail", "asked": asked, "floor": 0, "allowed": allowed })));
        }
        Ok(())
    }
}

/// The outcomes of a word: that one, or all that are no success. `None` for any other word.
pub fn outcomes(word: &str) -> Option<Vec<Outcome>> {
    match word {
        "failed" => Some(Outcome::ALL.into_iter().filter(|outcome| is_failure(*outcome)).collect()),
        word => Outcome::from_word(word).map(|outcome| vec![outcome]),
    }
}

fn is_failure(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Responded | Outcome::Completed)
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    pub script: Option<ScriptId>,
    pub execution: Option<ExecutionId>,
    pub level: LogLevel,
    pub outcomes: Vec<Outcome>,
    pub text: String,
    /// Executions that began then or later.
    pub since: Option<DateTime<Utc>>,
}

impl Filter {
    /// Words of the levels of lines.
    pub fn levels(&self) -> Vec<String> {
        let wanted = LogLevel::ALL.into_iter().filter(|level| rank(*level) >= rank(self.level));
        wanted.map(|level| level.as_str().to_owned()).collect()
    }

    /// Words of the outcomes of executions.
    pub fn outcomes(&self) -> Vec<String> {
        let all = &Outcome::ALL;
        let wanted: &[Outcome] = if self.outcomes.is_empty() { all } else { &self.outcomes };
        wanted.iter().map(|outcome| outcome.as_str().to_owned()).collect()
    }

    /// Whether there are executions of which nothing is wanted, neither a line nor the end.
    pub fn is_strict(&self) -> bool {
        rank(self.level) > rank(LogLevel::Info) || !self.text.is_empty()
    }

    /// The end of an execution counts as a line: an error where it failed, information where it did not.
    fn takes_end(&self, ended: &Ended) -> bool {
        let level = if is_failure(ended.outcome) { LogLevel::Error } else { LogLevel::Info };
        let message = ended.error.as_ref().map_or("", |failure| failure.message.as_str());
        rank(level) >= rank(self.level) && message.contains(&self.text)
    }
}

fn rank(level: LogLevel) -> usize {
    LogLevel::ALL.into_iter().position(|one| one == level).unwrap_or_default()
}

/// An execution that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    pub txid: i64,
    pub id: ExecutionId,
    pub script_id: ScriptId,
    pub script_name: String,
    pub version: i32,
    pub trigger_id: Option<TriggerId>,
    pub attempt: Option<u32>,
    pub outcome: Outcome,
    pub status: u16,
    pub usage: Usage,
    pub error: Option<Failure>,
    pub started_at: DateTime<Utc>,
    pub logs_dropped: u32,
}

/// A line of one of several executions.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Which of them, from 0.
    pub of: usize,
    pub seq: i32,
    pub line: LogLine,
}

/// What is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Behind it.
    pub at: Position,
    pub execution_id: ExecutionId,
    pub script_id: ScriptId,
    pub script_name: String,
    pub version: i32,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Line { seq: i32, line: LogLine },
    End(Box<Ended>),
}

impl Event {
    /// A position from which it comes next.
    pub fn before(&self) -> Position {
        Position { seq: self.at.seq - 1, ..self.at }
    }
}

/// Whether all lines of the executions are there, or only the first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    All,
    Cut,
}

/// Puts executions and their lines, both in order, in the order of what is shown; of the first only what is behind `from`. Where
/// lines were cut it ends with the last one that is there.
pub fn arrange(ended: Vec<Ended>, lines: Vec<Line>, cut: Lines, from: Position, filter: &Filter) -> Vec<Event> {
    let last = lines.last().map(|line| line.of).filter(|_| cut == Lines::Cut);
    let mut lines = lines.into_iter().peekable();
    let mut events = Vec::new();
    for (of, ended) in ended.into_iter().enumerate() {
        if last.is_some_and(|last| of > last) {
            break;
        }
        let event = |seq: i32, what: What| Event {
            at: Position { txid: ended.txid, execution: ended.id.0, seq },
            execution_id: ended.id,
            script_id: ended.script_id,
            script_name: ended.script_name.clone(),
            version: ended.version,
            what,
        };
        while let Some(Line { seq, line, .. }) = lines.next_if(|line| line.of == of) {
            events.push(event(seq, What::Line { seq, line }));
        }
        let is_seen = from == Position { txid: ended.txid, execution: ended.id.0, seq: END };
        if last != Some(of) && !is_seen && filter.takes_end(&ended) {
            events.push(event(END, What::End(Box::new(ended.clone()))));
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::execution::FailureCode;

    fn cursor(txid: i64, execution: u128, seq: i32, since_us: i64) -> Cursor {
        let since = DateTime::from_timestamp_micros(since_us).filter(|_| since_us > 0);
        Cursor { at: Position { txid, execution: Uuid::from_u128(execution), seq }, since }
    }

    fn filter() -> Filter {
        Filter { script: None, execution: None, level: LogLevel::Trace, outcomes: Vec::new(), text: String::new(), since: None }
    }

    fn ended(txid: i64, id: u128, outcome: Outcome) -> Ended {
        let error = is_failure(outcome).then(|| Failure::new(FailureCode::ScriptError, "no such key"));
        Ended {
            txid,
            id: ExecutionId(Uuid::from_u128(id)),
            script_id: ScriptId(Uuid::nil()),
            script_name: "users".to_owned(),
            version: 1,
            trigger_id: None,
            attempt: None,
            outcome,
            status: 200,
            usage: Usage::default(),
            error,
            started_at: DateTime::UNIX_EPOCH,
            logs_dropped: 0,
        }
    }

    fn line(of: usize, seq: i32) -> Line {
        let line = LogLine { at: DateTime::UNIX_EPOCH, level: LogLevel::Info, message: "hi".to_owned(), data: None };
        Line { of, seq, line }
    }

    fn positions(events: &[Event]) -> Vec<(i64, u128, i32)> {
        events.iter().map(|event| (event.at.txid, event.at.execution.as_u128(), event.at.seq)).collect()
    }

    #[test]
    fn cursors_read_back() {
        for one in [
            cursor(1, 0, NOTHING, 0),
            cursor(i64::MAX, u128::MAX, END, 1_767_323_045_678_901),
            cursor(7, 9, 0, 0),
            cursor(7, 9, END - 1, 1),
        ] {
            assert_eq!(one.to_string().parse::<Cursor>().unwrap(), one);
        }
    }

    #[test]
    fn foreign_cursors_are_refused() {
        let good = cursor(7, 9, 3, 0).to_string();
        let with = |at: usize, digits: &str| {
            let mut text = good.clone();
            text.replace_range(at..at + digits.len(), digits);
            text
        };
        for bad in [
            String::new(),
            good[1..].to_owned(),
            format!("{good}0"),
            with(0, "8"),
            with(0, "0000000000000000"),
            with(0, "+000000000000001"),
            with(48, "80000001"),
            with(48, "ffffffff"),
            with(56, "8"),
            with(20, "G"),
            with(20, "A"),
            "é".repeat(36),
        ] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }

    #[test]
    fn positions_are_in_the_order_of_what_is_shown() {
        let order = [
            Position::before(1),
            cursor(1, 5, NOTHING, 0).at,
            cursor(1, 5, 0, 0).at,
            cursor(1, 5, END, 0).at,
            cursor(1, 6, 0, 0).at,
            Position::before(2),
        ];
        assert!(order.is_sorted_by(|one, other| one < other));
    }

    #[test]
    fn since_is_a_time_or_how_long_ago() {
        let now: DateTime<Utc> = "2026-01-02T03:04:05Z".parse().unwrap();
        let at = |text: &str| text.parse::<Since>().unwrap().at(now).to_rfc3339();
        for (text, is) in [
            ("5m", "2026-01-02T02:59:05+00:00"),
            ("90s", "2026-01-02T03:02:35+00:00"),
            ("2h", "2026-01-02T01:04:05+00:00"),
            ("1d", "2026-01-01T03:04:05+00:00"),
            ("0s", "2026-01-02T03:04:05+00:00"),
            ("2026-01-01T00:00:00+01:00", "2025-12-31T23:00:00+00:00"),
            ("999999999d", "1970-01-01T00:00:00+00:00"),
        ] {
            assert_eq!(at(text), is, "{text}");
        }
        for bad in ["", "m", "5", "5w", "-5m", "+5m", "5 m", "5.5m", "yesterday", "99999999999999999999d", "2026-01-02"] {
            assert!(bad.parse::<Since>().is_err(), "{bad}");
        }
    }

    #[test]
    fn text_and_tail_are_bounded() {
        let text = |n: usize| Asked { text: "x".repeat(n), ..Asked::default() };
        assert!(text(limits::FOLLOW_TEXT_BYTES_MAX).check().is_ok());
        assert!(text(limits::FOLLOW_TEXT_BYTES_MAX + 1).check().is_err());
        let tail = |n: u32| Asked { tail: Some(n), ..Asked::default() };
        assert!(tail(0).check().is_ok() && tail(limits::FOLLOW_TAIL_MAX).check().is_ok());
        assert!(tail(limits::FOLLOW_TAIL_MAX + 1).check().is_err());
        assert!(Asked { text: "a\0".to_owned(), ..Asked::default() }.check().is_err());
    }

    #[test]
    fn a_level_is_that_and_above_and_failed_is_all_that_failed() {
        let warn = Filter { level: LogLevel::Warn, ..filter() };
        assert_eq!((warn.levels(), warn.is_strict()), (vec!["warn".to_owned(), "error".to_owned()], true));
        assert!(!filter().is_strict() && !Filter { level: LogLevel::Info, ..filter() }.is_strict());
        assert!(warn.takes_end(&ended(1, 1, Outcome::ScriptFailed)) && !warn.takes_end(&ended(1, 1, Outcome::Responded)));
        let about = Filter { text: "such".to_owned(), ..filter() };
        assert!(about.takes_end(&ended(1, 1, Outcome::ScriptFailed)) && !about.takes_end(&ended(1, 1, Outcome::Responded)));
        assert_eq!(outcomes("failed").unwrap().len(), Outcome::ALL.len() - 2);
        assert_eq!(outcomes("denied"), Some(vec![Outcome::Denied]));
        assert_eq!(outcomes("late"), None);
        assert_eq!(filter().outcomes().len(), Outcome::ALL.len());
    }

    #[test]
    fn lines_come_before_their_execution_ends() {
        let both = || vec![ended(1, 5, Outcome::Responded), ended(2, 4, Outcome::ScriptFailed)];
        let lines = || vec![line(0, 0), line(0, 1), line(1, 0)];
        let from = Position::before(1);
        let all = arrange(both(), lines(), Lines::All, from, &filter());
        assert_eq!(positions(&all), [(1, 5, 0), (1, 5, 1), (1, 5, END), (2, 4, 0), (2, 4, END)]);
        assert!(all.is_sorted_by(|one, other| one.at < other.at && one.before() < one.at));
        // Where lines were cut nothing is shown behind the last one.
        let cut = arrange(both(), lines(), Lines::Cut, from, &filter());
        assert_eq!(positions(&cut), positions(&all)[..4]);
        let cut = arrange(both(), lines()[..2].to_vec(), Lines::Cut, from, &filter());
        assert_eq!(positions(&cut), positions(&all)[..2]);
    }

    #[test]
    fn an_end_that_was_seen_is_not_shown_again() {
        let from = |at: Position| arrange(vec![ended(1, 5, Outcome::Responded)], Vec::new(), Lines::All, at, &filter());
        let seen = Position { txid: 1, execution: Uuid::from_u128(5), seq: END };
        assert!(from(seen).is_empty());
        for at in [Position { seq: 7, ..seen }, Position::before(1), from(Position::before(1))[0].before()] {
            assert_eq!(from(at).len(), 1, "{at:?}");
        }
    }
}
