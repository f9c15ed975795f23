//! How runs and tests are told: places quoted with a caret, lines of logs, and a report as that of `cargo test`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::project::Source;
use super::stage::{Stage, TEST_MODULE};
use crate::cli::client::logs;
use crate::cli::client::output::{Hue, cell, hued};
use crate::cli::client::source::Fault;
use crate::model::execution::{Failure, Frame, LogLine};

/// Functions of the module of tests: where a failure is inside of it, its place is where one of these was called.
const TEST_FUNCTIONS: [&str; 15] = [
    "advance", "answer", "at", "calls", "deliver", "equal", "event", "fail", "fails", "is_true", "mails", "request", "secret",
    "seed", "sent",
];

/// A failure, and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// The file as people see it, and the place in it.
    pub(super) file: String,
    pub(super) line: Option<u32>,
    pub(super) column: Option<u32>,
    /// What happened, in one line or more.
    pub(super) message: String,
    /// With the line and a caret.
    quote: String,
    /// Functions that led there, innermost first.
    chain: Vec<String>,
}

/// What became of a test.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) took_ms: u64,
    /// Why it failed; of a test that passed nothing.
    pub(super) failures: Vec<Told>,
    pub(super) logs: Vec<LogLine>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) filtered_out: usize,
    pub(super) took_ms: u64,
}

impl Told {
    /// Without a place.
    pub(super) fn plain(file: &str, message: String) -> Self {
        Self::at(file, "", (None, None), message, Vec::new())
    }

    fn at(file: &str, source: &str, (line, column): (Option<u32>, Option<u32>), message: String, chain: Vec<String>) -> Self {
        let first = message.lines().next().unwrap_or_default().to_owned();
        let fault = Fault { line: line.map(u64::from), column: column.map(u64::from), message: first };
        Self { file: file.to_owned(), line, column, quote: fault.quoting(file, source), message, chain }
    }

    pub(super) fn text(&self) -> String {
        let mut text = self.quote.clone();
        for more in self.message.lines().skip(1) {
            let _ = writeln!(text, "  {}", cell(more.trim_start()));
        }
        for call in &self.chain {
            let _ = writeln!(text, "  in {call}");
        }
        text
    }
}

/// Where a script failed, and how it came there. `main` is the source that was run.
pub(super) fn failure(stage: &Stage, main: &Source, failure: &Failure) -> Told {
    let message = match failure.message.strip_prefix("assertion: ") {
        Some(assertion) => assertion.to_owned(),
        None => failure.message.clone(),
    };
    let last = main.text.lines().count();
    let is_here = |frame: &&Frame| frame.line.is_none_or(|line| usize::try_from(line).is_ok_and(|line| line <= last));
    let chain = |frames: &[Frame]| frames.iter().filter(is_here).map(called).collect::<Vec<_>>();
    let script = failure.script.as_deref().filter(|script| *script != main.name);
    let Some(script) = script else {
        return Told::at(&main.shown, &main.text, (failure.line, failure.column), message, chain(&failure.calls));
    };
    if let Some(other) = stage.source_of(script) {
        return Told::at(&other.shown, &other.text, (failure.line, failure.column), message, chain(&failure.calls));
    }
    let outermost = failure.calls.iter().position(|frame| TEST_FUNCTIONS.contains(&frame.function.as_str()));
    match outermost.and_then(|place| Some((failure.calls.get(place)?, failure.calls.get(place + 1..)?))) {
        Some((frame, rest)) if script == TEST_MODULE => {
            Told::at(&main.shown, &main.text, (frame.line, frame.column), message, chain(rest))
        }
        _ => Told::at(script, "", (failure.line, failure.column), message, chain(&failure.calls)),
    }
}

fn called(frame: &Frame) -> String {
    let at = match (frame.line, frame.column) {
        (Some(line), Some(column)) => format!(", called at {line}:{column}"),
        (Some(line), None) => format!(", called at {line}"),
        _ => String::new(),
    };
    format!("{}{at}", cell(&frame.function))
}

/// A line of a log as `picloud logs` shows it.
pub(super) fn line(line: &LogLine) -> String {
    logs::line(&value(line))
}

pub(super) fn lines(logs: &[LogLine]) -> Vec<Value> {
    logs.iter().map(value).collect()
}

fn value(line: &LogLine) -> Value {
    let data = line.data.as_deref().map(|data| serde_json::from_str(data).unwrap_or_else(|_| Value::from(data)));
    json!({ "at": line.at, "level": line.level, "message": line.message, "data": data })
}

impl Outcome {
    pub(super) fn has_passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// `test orders_test.rhai::test_adds ... ok`.
    pub(super) fn line(&self) -> String {
        let word = if self.has_passed() { hued("ok", Hue::Green) } else { hued("FAILED", Hue::Red) };
        format!("test {} ... {word}\n", cell(&self.name))
    }

    /// What it logged, indented.
    pub(super) fn logged(&self) -> String {
        self.logs.iter().map(|logged| format!("  {}", line(logged))).collect()
    }

    /// Why it failed, and what it logged.
    pub(super) fn detail(&self) -> String {
        let mut text = format!("---- {} ----\n", cell(&self.name));
        self.failures.iter().for_each(|failure| text.push_str(&failure.text()));
        if !self.logs.is_empty() {
            text.push_str("  log:\n");
            text.push_str(&self.logged());
        }
        text
    }

    fn json(&self) -> Value {
        let failures = self.failures.iter().map(
            |failure| json!({ "file": failure.file, "line": failure.line, "column": failure.column, "message": failure.message }),
        );
        let failures: Vec<Value> = failures.collect();
        let outcome = if self.has_passed() { "passed" } else { "failed" };
        let (took_ms, logs) = (self.took_ms, lines(&self.logs));
        json!({ "name": self.name, "outcome": outcome, "took_ms": took_ms, "failures": failures, "logs": logs })
    }
}

impl Tally {
    /// `test result: FAILED. 6 passed; 1 failed; 0 filtered out; finished in 0.12s`.
    pub(super) fn line(&self) -> String {
        let word = if self.failed == 0 { hued("ok", Hue::Green) } else { hued("FAILED", Hue::Red) };
        let (whole, part) = (self.took_ms / 1_000, self.took_ms % 1_000 / 10);
        let Self { passed, failed, filtered_out, .. } = self;
        format!(
            "test result: {word}. {passed} passed; {failed} failed; {filtered_out} filtered out; finished in {whole}.{part:02}s\n"
        )
    }
}

/// The failures of a report, and their names once more.
pub(super) fn failures(failed: &[&Outcome]) -> String {
    if failed.is_empty() {
        return String::new();
    }
    let details: String = failed.iter().map(|outcome| format!("{}\n", outcome.detail())).collect();
    let names: String = failed.iter().map(|outcome| format!("    {}\n", cell(&outcome.name))).collect();
    format!("\nfailures:\n\n{details}failures:\n{names}")
}

/// The report as one document.
pub(super) fn document(outcomes: &[Outcome], tally: &Tally) -> Value {
    json!({
        "passed": tally.passed,
        "failed": tally.failed,
        "filtered_out": tally.filtered_out,
        "took_ms": tally.took_ms,
        "tests": outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_lines_of_a_message_stand_behind_its_quote() {
        let source = "let a = 1;\ntest::equal(a, 2);\n";
        let message = "this is not what is wanted\n  got    1\n  wanted 2".to_owned();
        let told = Told::at("a_test.rhai", source, (Some(2), Some(7)), message, vec!["check, called at 9:5".to_owned()]);
        assert_eq!(
            told.text(),
            "error: a_test.rhai:2:7: this is not what is wanted\n  2 | test::equal(a, 2);\n    |       ^\n  \
             got    1\n  wanted 2\n  in check, called at 9:5\n"
        );
    }

    #[test]
    fn a_report_ends_with_its_sums() {
        let tally = Tally { passed: 6, failed: 1, filtered_out: 2, took_ms: 1_234 };
        assert_eq!(tally.line(), "test result: FAILED. 6 passed; 1 failed; 2 filtered out; finished in 1.23s\n");
        let fine = Outcome { name: "a_test.rhai::test_a".to_owned(), took_ms: 1, failures: Vec::new(), logs: Vec::new() };
        assert_eq!(fine.line(), "test a_test.rhai::test_a ... ok\n");
        assert_eq!(failures(&[]), "");
    }

    #[test]
    fn what_is_told_steers_no_terminal() {
        let told = Told::plain("a\u{1b}[2J.rhai", "no\u{1b}[31m\nreally\u{202e}".to_owned());
        assert_eq!(told.text(), "error: a.rhai: no\n  really\n");
    }
}
