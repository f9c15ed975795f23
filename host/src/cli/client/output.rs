//! What people see: tables, ages, and texts without what steers a terminal.
//!
//! Names, messages, log lines and bodies come from scripts and from other people. They are shown through [`clean`] or
//! [`cell`]; only `--json`, and a body that goes elsewhere than to a terminal, are bytes as they came.

use std::io::{self, IsTerminal as _};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::limits;
use crate::model::text::is_unseen;

/// A column of a list, or a row of one thing: its heading, where its value stands, and how that is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column(pub(super) &'static str, pub(super) &'static str, pub(super) As);

/// How a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    Text,
    Count,
    Bytes,
    /// Microseconds.
    Took,
    /// A time, as how long ago.
    Age,
    /// A list, with commas.
    Words,
    /// The first characters of something long.
    Short,
}

const SHORT_CHARS: usize = 12;
/// Between two columns.
const GAP: &str = "  ";

impl As {
    fn is_number(self) -> bool {
        matches!(self, Self::Count | Self::Bytes | Self::Took)
    }

    fn shown(self, value: Option<&Value>, now: DateTime<Utc>) -> String {
        let Some(value) = value.filter(|value| !value.is_null()) else { return "-".to_owned() };
        match self {
            Self::Text | Self::Count => match plain(value) {
                text if text.is_empty() => "-".to_owned(),
                text => text,
            },
            Self::Bytes => value.as_u64().map_or_else(|| plain(value), size),
            Self::Took => value.as_u64().map_or_else(|| plain(value), took),
            Self::Age => time(value).map_or_else(|| plain(value), |then| age(now, then)),
            Self::Words => words(value),
            Self::Short => plain(value).chars().take(SHORT_CHARS).collect(),
        }
    }
}

/// Rows under their headings: as wide as they need, numbers to the right, cut to `width_max` where there is one.
pub(super) fn table(columns: &[Column], items: &[Value], now: DateTime<Utc>, width_max: Option<usize>) -> String {
    let mut rows: Vec<Vec<String>> = vec![columns.iter().map(|column| column.0.to_owned()).collect()];
    rows.extend(items.iter().map(|item| columns.iter().map(|column| column.2.shown(item.pointer(column.1), now)).collect()));
    let widest = |n: usize| rows.iter().filter_map(|row| row.get(n)).map(|text| width(text)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..columns.len()).map(widest).collect();
    if let Some(width_max) = width_max {
        narrow(&mut widths, width_max);
    }
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(columns).zip(&widths).map(|((text, column), wide)| padded(text, *wide, column.2.is_number()));
        text.push_str(cells.collect::<Vec<_>>().join(GAP).trim_end());
        text.push('\n');
    }
    text
}

/// Takes from the widest until all fit, or none is left that could give.
fn narrow(widths: &mut [usize], width_max: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width_max {
        match widths.iter_mut().max() {
            Some(widest) if *widest > limits::CLIENT_COLUMN_CHARS_MIN => *widest -= 1,
            _ => return,
        }
    }
}

fn padded(text: &str, wide: usize, to_the_right: bool) -> String {
    let text = cut(text, wide);
    let blanks = " ".repeat(wide.saturating_sub(width(&text)));
    if to_the_right { format!("{blanks}{text}") } else { format!("{text}{blanks}") }
}

/// At most so wide, with a mark where it was cut.
fn cut(text: &str, wide: usize) -> String {
    if width(text) <= wide {
        return text.to_owned();
    }
    let (mut kept, mut taken) = (String::new(), 0);
    for c in text.chars() {
        taken += cells(c);
        if taken + 1 > wide {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// One thing, a line for each of its fields.
pub(super) fn fields(columns: &[Column], value: &Value, now: DateTime<Utc>) -> String {
    let wide = columns.iter().map(|column| width(column.0)).max().unwrap_or(0);
    let row = |column: &Column| {
        let shown = column.2.shown(value.pointer(column.1), now);
        format!("{GAP}{}{GAP}{shown}\n", padded(column.0, wide, false))
    };
    columns.iter().map(row).collect()
}

/// A value in one line.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => cell(text),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        value => cell(&value.to_string()),
    }
}

/// A list in one line, with commas.
pub(super) fn words(value: &Value) -> String {
    match value.as_array().map(Vec::as_slice) {
        Some([]) => "-".to_owned(),
        Some(words) => words.iter().map(plain).collect::<Vec<_>>().join(", "),
        None => plain(value),
    }
}

/// A text at a place of a value, in one line.
pub(super) fn text_at(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).map_or_else(|| "-".to_owned(), plain)
}

/// For one line: [`clean`], and blanks for line ends and tabs.
pub(in crate::cli) fn cell(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ")
}

/// Without sequences that steer a terminal, control characters but line ends and tabs, and what turns the direction of text.
pub(in crate::cli) fn clean(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = match c {
            '\u{1b}' => after_escape(after),
            '\u{9b}' => after_parameters(after),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => after_string(after),
            c => {
                let marks = matches!(c, '\r' | '\u{61c}' | '\u{200e}' | '\u{200f}');
                if !is_unseen(c) && !marks {
                    kept.push(c);
                }
                after
            }
        };
    }
    kept
}

/// What follows an escape character and what belongs to it.
fn after_escape(text: &str) -> &str {
    match text.chars().next() {
        Some('[') => after_parameters(text.get(1..).unwrap_or_default()),
        Some(']' | 'P' | 'X' | '^' | '_') => after_string(text.get(1..).unwrap_or_default()),
        _ => text,
    }
}

/// `31m` of a control sequence; where it is none, nothing is taken.
fn after_parameters(text: &str) -> &str {
    let end = text.find(|c: char| !matches!(c, ' '..='?'));
    match end.and_then(|end| text.get(end..)).and_then(|rest| rest.strip_prefix(|c: char| matches!(c, '@'..='~'))) {
        Some(rest) => rest,
        None => text,
    }
}

/// A string for the terminal, up to its end on the same line; without one nothing is taken.
fn after_string(text: &str) -> &str {
    let line = text.split('\n').next().unwrap_or_default();
    for end in ["\u{7}", "\u{1b}\\", "\u{9c}"] {
        if let Some(at) = line.find(end) {
            return text.get(at + end.len()..).unwrap_or_default();
        }
    }
    text
}

/// How many cells of a terminal a text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(cells).sum()
}

/// Near enough: two for East Asian letters and pictures, none for what joins the one before it.
fn cells(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200c}' | '\u{200d}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// A time of the API's.
pub(super) fn time(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok().map(|at| at.to_utc())
}

/// `3 min ago`, or `in 3 min`.
pub(super) fn age(now: DateTime<Utc>, then: DateTime<Utc>) -> String {
    let seconds = (now - then).num_seconds();
    let units = [(365 * 86_400, "y"), (30 * 86_400, "mo"), (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let fits = units.into_iter().find(|(unit, _)| seconds.unsigned_abs() >= *unit);
    match fits {
        None => "now".to_owned(),
        Some((unit, name)) if seconds < 0 => format!("in {} {name}", seconds.unsigned_abs() / unit),
        Some((unit, name)) => format!("{} {name} ago", seconds.unsigned_abs() / unit),
    }
}

/// In the largest unit that leaves at least one.
pub(in crate::cli) fn size(bytes: u64) -> String {
    for (unit, name) in [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes >= unit {
            return tenths(bytes, unit, name);
        }
    }
    format!("{bytes} B")
}

/// Microseconds in the largest unit that leaves at least one.
pub(in crate::cli) fn took(us: u64) -> String {
    match us {
        1_000_000.. => tenths(us, 1_000_000, "s"),
        1_000.. => tenths(us, 1_000, "ms"),
        us => format!("{us} µs"),
    }
}

fn tenths(n: u64, unit: u64, name: &str) -> String {
    let tenths = u128::from(n) * 10 / u128::from(unit);
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        part => format!("{}.{part} {name}", tenths / 10),
    }
}

/// As it came where standard output goes to a file or a pipe; on a terminal without what steers it.
pub(super) fn for_output(text: &str) -> String {
    if io::stdout().is_terminal() { clean(text) } else { text.to_owned() }
}

/// How wide the terminal is that standard output goes to; none when it goes elsewhere.
pub(super) fn terminal_width() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(out).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A hue of a word on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Hue {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Faint = 2,
}

/// In colour where standard output shows colours.
pub(in crate::cli) fn hued(text: &str, hue: Hue) -> String {
    if io::stdout().is_terminal() && crate::cli::terminal::coloured() {
        format!("\u{1b}[{}m{text}\u{1b}[0m", hue as u8)
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[Column("name", "/name", As::Text), Column("n", "/n", As::Count), Column("made", "/at", As::Age)];

    fn at(text: &str) -> DateTime<Utc> {
        time(&json!(text)).unwrap()
    }

    fn shown(items: &[Value], width_max: Option<usize>) -> String {
        table(COLUMNS, items, at("2026-01-02T03:04:05Z"), width_max)
    }

    #[test]
    fn columns_are_as_wide_as_needed_and_numbers_stand_to_the_right() {
        let items = [
            json!({ "name": "a", "n": 7, "at": "2026-01-02T03:01:05Z" }),
            json!({ "name": "longer", "n": 1234, "at": null }),
            json!({ "name": "日本" }),
        ];
        assert_eq!(shown(&items, None), "name       n  made\na          7  3 min ago\nlonger  1234  -\n日本       -  -\n");
    }

    #[test]
    fn a_table_is_cut_to_the_terminal_and_no_further_than_its_columns_bear() {
        let items = [json!({ "name": "a".repeat(40), "n": 7, "at": "2026-01-02T03:01:05Z" })];
        let (whole, least) = (40 + 2 + 1 + 2 + 9, limits::CLIENT_COLUMN_CHARS_MIN);
        assert!(shown(&items, Some(whole)).contains(&"a".repeat(40)));
        let cut = shown(&items, Some(whole - 1));
        assert!(cut.contains(&format!("{}…", "a".repeat(38))), "{cut}");
        assert!(cut.lines().all(|line| width(line) < whole), "{cut}");
        assert!(shown(&items, Some(1)).contains(&format!("{}…", "a".repeat(least - 1))));
    }

    #[test]
    fn what_steers_a_terminal_is_not_shown() {
        for (text, expected) in [
            ("plain\n\ttext é 日本 👩\u{200d}🚀", "plain\n\ttext é 日本 👩\u{200d}🚀"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}[2J\u{1b}[1;1Hgone", "gone"),
            ("\u{9b}31mred", "red"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]8;;http://a\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]52;c;never ends\nnext", "52;c;never ends\nnext"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}[31", "31"),
            ("\u{1b}cx", "cx"),
            ("a\rb\u{8}\u{7f}\0\u{85}", "ab"),
            ("a\u{202e}b\u{2066}c\u{200f}d\u{200b}e\u{feff}", "abcde"),
        ] {
            assert_eq!(clean(text), expected, "{text:?}");
        }
        assert_eq!(cell("a\n\u{1b}[31mb\tc"), "a b c");
    }

    #[test]
    fn no_text_leaves_a_control_character() {
        for c in (0..=0x9f_u32).filter_map(char::from_u32) {
            for text in [format!("{c}"), format!("\u{1b}{c}x"), format!("\u{1b}[{c}x"), format!("\u{1b}]a{c}x")] {
                let kept = clean(&text);
                assert!(kept.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')), "{text:?}: {kept:?}");
            }
        }
    }

    #[test]
    fn ages_have_one_unit() {
        let now = at("2026-01-02T03:04:05Z");
        for (then, text) in [
            ("2026-01-02T03:04:05.9Z", "now"),
            ("2026-01-02T03:04:04Z", "1 s ago"),
            ("2026-01-02T03:03:06Z", "59 s ago"),
            ("2026-01-02T03:03:05Z", "1 min ago"),
            ("2026-01-02T02:04:06Z", "59 min ago"),
            ("2026-01-01T03:04:06Z", "23 h ago"),
            ("2026-01-01T03:04:05Z", "1 d ago"),
            ("2025-12-03T03:04:05Z", "1 mo ago"),
            ("2024-01-02T03:04:05Z", "2 y ago"),
            ("2026-01-02T04:04:05Z", "in 1 h"),
        ] {
            assert_eq!(age(now, at(then)), text, "{then}");
        }
    }

    #[test]
    fn sizes_and_times_are_readable() {
        for (bytes, text) in [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1_610_612_736, "1.5 GiB")] {
            assert_eq!(size(bytes), text);
        }
        for (us, text) in [(999, "999 µs"), (1_000, "1 ms"), (12_345, "12.3 ms"), (1_500_000, "1.5 s")] {
            assert_eq!(took(us), text);
        }
    }

    #[test]
    fn one_thing_has_a_line_for_each_field() {
        let value = json!({ "name": "a\u{1b}[31m", "n": 3, "at": "2026-01-02T03:04:05Z" });
        let text = fields(COLUMNS, &value, at("2026-01-02T03:04:06Z"));
        assert_eq!(text, "  name  a\n  n     3\n  made  1 s ago\n");
    }
}
