//! What a person at the terminal sees beside the log: progress on standard error, results on standard output.

use std::io::{self, IsTerminal as _, Write as _};

use crate::limits;

/// A line of progress, on standard error.
pub(super) fn say(line: &str) {
    let mut out = io::stderr().lock();
    let arrow = if out.is_terminal() && coloured() { "\u{1b}[2m→\u{1b}[0m" } else { "→" };
    let _ = writeln!(out, "{arrow} {line}");
}

/// A line of what to look after, on standard error.
pub(super) fn warn(line: &str) {
    let mut out = io::stderr().lock();
    let _ = writeln!(out, "warning: {line}");
}

/// How far a long work has come: one line on a terminal, written over by the next; nothing elsewhere.
pub(super) fn progress(done: u64, total: u64) {
    let mut out = io::stderr().lock();
    if out.is_terminal() {
        let end = if done >= total { "\n" } else { "" };
        let _ = write!(out, "\r{done} of {total}{end}").and_then(|()| out.flush());
    }
}

/// One line on a terminal, written over by the next; nothing elsewhere.
pub(super) fn in_place(line: &str) {
    let mut out = io::stderr().lock();
    if out.is_terminal() {
        let _ = write!(out, "\r\u{1b}[K{line}").and_then(|()| out.flush());
    }
}

/// Goes on below such lines.
pub(super) fn end_of_progress() {
    let mut out = io::stderr().lock();
    if out.is_terminal() {
        let _ = writeln!(out);
    }
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / limits::MIB as f64)
}

/// The result, on standard output. A reader that went away is no failure of ours.
pub(super) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// One JSON document on standard output.
pub(super) fn print_json(value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&format!("{text}\n")),
        Err(error) => tracing::error!(%error, "the result cannot be written as JSON"),
    }
}

/// Two columns, the first as wide as it must be.
pub(super) fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("  {name:width$}  {value}\n")).collect()
}

/// Whether colours are wanted, where there is a terminal to show them.
pub(super) fn coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_mebibytes() {
        assert_eq!(mebibytes(3 << 19), "1.5 MiB");
    }

    #[test]
    fn columns_line_up() {
        assert_eq!(table(&[("a", "1".into()), ("long", "2".into())]), "  a     1\n  long  2\n");
    }
}
