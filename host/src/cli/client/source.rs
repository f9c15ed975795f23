//! A place in a source, quoted with a caret under it.

use std::fmt::Write as _;

use super::output::{cell, clean, width};
use crate::limits;

/// What is wrong with a source, and where, as the API tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Fault {
    pub(in crate::cli) line: Option<u64>,
    /// In characters, from 1.
    pub(in crate::cli) column: Option<u64>,
    pub(in crate::cli) message: String,
}

impl Fault {
    /// From a diagnostic, or from the details of a refusal.
    pub(super) fn of(value: &serde_json::Value) -> Self {
        let number = |name: &str| value.get(name).and_then(serde_json::Value::as_u64);
        let message = value.get("message").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        Self { line: number("line"), column: number("column"), message }
    }

    /// `error: shop/visits.rhai:4:1: …`, and the line with a caret where it is known.
    pub(in crate::cli) fn quoting(&self, name: &str, source: &str) -> String {
        let mut text = format!("error: {}", cell(name));
        for place in [self.line, self.line.and(self.column)].into_iter().flatten() {
            let _ = write!(text, ":{place}");
        }
        let _ = writeln!(text, ": {}", cell(&self.message));
        let line = self.line.and_then(|line| source.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?));
        if let (Some(number), Some(line)) = (self.line, line) {
            let number = number.to_string();
            let (shown, caret) = shown(line, self.column);
            let _ = writeln!(text, "  {number} | {shown}");
            if let Some(caret) = caret {
                let _ = writeln!(text, "  {:1$} | {2:3$}^", "", number.len(), "", caret);
            }
        }
        text
    }
}

/// The line as it can be shown, the part around the column of a long one; and how far in the caret stands.
fn shown(line: &str, column: Option<u64>) -> (String, Option<usize>) {
    let chars: Vec<char> = line.chars().collect();
    let at = column.and_then(|column| usize::try_from(column).ok()?.checked_sub(1)).filter(|at| *at <= chars.len());
    let most = limits::CLIENT_QUOTE_CHARS_MAX;
    let from = match at {
        Some(at) if chars.len() > most => at.saturating_sub(most / 2).min(chars.len() - most),
        _ => 0,
    };
    let part = |from: usize, to: usize| -> String {
        let chars = chars.iter().skip(from).take(to.saturating_sub(from));
        clean(&chars.collect::<String>()).replace('\t', "    ")
    };
    let mark = |cut: bool| if cut { "…" } else { "" };
    let before = mark(from > 0);
    let text = format!("{before}{}{}", part(from, from + most), mark(from + most < chars.len()));
    (text, at.map(|at| width(before) + width(&part(from, at))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(source: &str, line: u64, column: u64) -> String {
        let fault = Fault { line: Some(line), column: Some(column), message: "no".to_owned() };
        fault.quoting("a.rhai", source)
    }

    #[test]
    fn a_place_is_quoted_with_its_line_and_a_caret() {
        let source = "let who = 1;\nlet n = 2;\nn += 1\nvisits.set(who, n);\n";
        let message = "Expecting ';' to terminate this statement".to_owned();
        let fault = Fault { line: Some(4), column: Some(1), message };
        assert_eq!(
            fault.quoting("shop/visits.rhai", source),
            "error: shop/visits.rhai:4:1: Expecting ';' to terminate this statement\n  4 | visits.set(who, n);\n    | ^\n"
        );
    }

    #[test]
    fn the_caret_stands_under_the_character_whatever_is_before_it() {
        for (source, column, expected) in [
            ("abc", 3, "  1 | abc\n    |   ^\n"),
            ("abc", 4, "  1 | abc\n    |    ^\n"),
            ("\tb", 2, "  1 |     b\n    |     ^\n"),
            ("é = b", 5, "  1 | é = b\n    |     ^\n"),
            ("日本 = b", 6, "  1 | 日本 = b\n    |        ^\n"),
            ("\u{1b}[31ma = b", 6, "  1 | a = b\n    | ^\n"),
        ] {
            assert_eq!(quoted(source, 1, column), format!("error: a.rhai:1:{column}: no\n{expected}"), "{source:?}");
        }
        let far = format!("{}x", "\n".repeat(11));
        assert_eq!(quoted(&far, 12, 1), "error: a.rhai:12:1: no\n  12 | x\n     | ^\n");
    }

    #[test]
    fn a_place_outside_of_the_source_is_told_without_a_quote() {
        for (line, column) in [(0, 1), (2, 1), (u64::MAX, 1)] {
            assert_eq!(quoted("abc", line, column), format!("error: a.rhai:{line}:{column}: no\n"));
        }
        assert_eq!(quoted("abc", 1, 5), "error: a.rhai:1:5: no\n  1 | abc\n");
        assert_eq!(quoted("abc", 1, 0), "error: a.rhai:1:0: no\n  1 | abc\n");
        let nowhere = Fault { line: None, column: Some(3), message: "too\nlong".to_owned() };
        assert_eq!(nowhere.quoting("a.rhai", "abc"), "error: a.rhai: too long\n");
    }

    #[test]
    fn a_long_line_is_shown_around_its_place() {
        let most = limits::CLIENT_QUOTE_CHARS_MAX;
        assert!(!quoted(&"a".repeat(most), 1, 1).contains('…'));
        assert_eq!(quoted(&"a".repeat(most + 1), 1, 1).matches('…').count(), 1);
        let text = quoted(&format!("{}X{}", "a".repeat(most), "b".repeat(most)), 1, most as u64 + 1);
        let lines: Vec<&str> = text.lines().collect();
        let at = |line: &str, c: char| line.chars().position(|found| found == c);
        assert_eq!(lines[1].matches('…').count(), 2);
        assert_eq!(at(lines[1], 'X'), at(lines[2], '^'));
    }
}
