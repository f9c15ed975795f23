//! Changes of an app as people see them: a line for each thing, what it gains in words, and the lines of sources.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::client::output::{Hue, cell, clean, hued, plain, text_at, words};

/// Of a script these follow from its source.
const OF_A_SOURCE: [&str; 4] = ["name", "version", "digest", "capabilities"];

/// Whether lines of sources are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::client) enum Sources {
    Shown,
    Hidden,
}

impl From<bool> for Sources {
    fn from(shown: bool) -> Self {
        if shown { Self::Shown } else { Self::Hidden }
    }
}

/// `changes` of an answer.
pub(in crate::cli::client) fn list(answer: &Value) -> &[Value] {
    answer.get("changes").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Every change of an answer, its notes, and how many there are.
pub(in crate::cli::client) fn told(answer: &Value, sources: Sources) -> String {
    let mut text = String::new();
    for change in list(answer) {
        one(&mut text, change, sources);
    }
    for note in answer.get("notes").and_then(Value::as_array).into_iter().flatten() {
        let _ = writeln!(text, "{}", hued(&format!("! {}", plain(note)), Hue::Yellow));
    }
    let count = |action: &str| list(answer).iter().filter(|change| text_at(change, "/action") == action).count();
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{} to add, {} to change, {} to remove", count("add"), count("change"), count("remove"));
    text
}

/// What differs between two versions of a script.
pub(in crate::cli::client) fn of_versions(answer: &Value) -> String {
    let mut text = format!("From version {} to {}\n\n", text_at(answer, "/before"), text_at(answer, "/after"));
    let begins = text.len();
    reach(&mut text, answer);
    if let (Some(before), Some(after)) = (answer.get("limits_before"), answer.get("limits_after")) {
        for line in differing(before, after) {
            let _ = writeln!(text, "      {line}");
        }
    }
    lines(&mut text, answer.get("source").and_then(Value::as_str).unwrap_or_default());
    if text.len() == begins {
        text.push_str("Nothing differs.\n");
    }
    text
}

/// What can be reached that could not before, and what no longer.
fn reach(text: &mut String, change: &Value) {
    let some = |name: &str| change.get(name).filter(|words| words.as_array().is_none_or(|words| !words.is_empty()));
    if let Some(gained) = some("gained") {
        let _ = writeln!(text, "    {}", hued(&format!("! gains {}", words(gained)), Hue::Red));
    }
    if let Some(lost) = some("lost") {
        let _ = writeln!(text, "      loses {}", words(lost));
    }
}

/// All that the scripts of an answer can reach and could not before.
pub(in crate::cli::client) fn gained(answer: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for gained in list(answer).iter().filter_map(|change| change.get("gained")?.as_array()).flatten() {
        let gained = plain(gained);
        if !all.contains(&gained) {
            all.push(gained);
        }
    }
    all
}

fn one(text: &mut String, change: &Value, sources: Sources) {
    let (sign, hue) = match text_at(change, "/action").as_str() {
        "add" => ('+', Hue::Green),
        "remove" => ('-', Hue::Red),
        _ => ('~', Hue::Yellow),
    };
    let parts = change.get("parts").map_or_else(String::new, |parts| format!(" ({})", words(parts)));
    let (thing, name) = (text_at(change, "/thing"), text_at(change, "/name"));
    let _ = writeln!(text, "{}{parts}", hued(&format!("{sign} {thing} {name}"), hue));
    reach(text, change);
    match (change.get("before"), change.get("after")) {
        (Some(before), Some(after)) => {
            for line in differing(before, after) {
                let _ = writeln!(text, "      {line}");
            }
        }
        // Whom it is opened to is not for who reads on to find out.
        (None, Some(after)) if thing == "topic" => {
            let _ = writeln!(text, "      access {}", text_at(after, "/access"));
        }
        _ => {}
    }
    if let (Sources::Shown, Some(source)) = (sources, change.get("source").and_then(Value::as_str)) {
        lines(text, source);
    }
}

/// The fields that are another, as `timeout_ms 10000 → 2000`.
fn differing(before: &Value, after: &Value) -> Vec<String> {
    let (Some(was), Some(is)) = (before.as_object(), after.as_object()) else { return Vec::new() };
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let mut told = Vec::new();
    for name in names.into_iter().filter(|name| !OF_A_SOURCE.contains(&name.as_str())) {
        let (was, is) = (was.get(name).unwrap_or(&Value::Null), is.get(name).unwrap_or(&Value::Null));
        if was.is_object() && is.is_object() {
            told.extend(differing(was, is));
        } else if was != is {
            let shown = |value: &Value| if value.is_null() || value == "" { "-".to_owned() } else { words(value) };
            told.push(format!("{} {} → {}", cell(name), shown(was), shown(is)));
        }
    }
    told
}

/// Lines of the unified form.
fn lines(text: &mut String, source: &str) {
    for line in clean(source).lines() {
        let hue = match line.chars().next() {
            Some('+') => Some(Hue::Green),
            Some('-') => Some(Hue::Red),
            Some('@') => Some(Hue::Faint),
            _ => None,
        };
        let _ = match hue {
            Some(hue) => writeln!(text, "    {}", hued(line, hue)),
            None => writeln!(text, "    {line}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        json!({
            "changes": [
                { "thing": "grant", "action": "add", "name": "http", "gained": ["a.example"],
                  "before": [], "after": ["a.example"] },
                { "thing": "script", "action": "change", "name": "hello", "parts": ["source", "limits"], "gained": ["http"],
                  "lost": ["kv"], "source": "@@ -1 +1 @@\n-1\n+\u{1b}[2J2\n",
                  "before": { "name": "hello", "version": 1, "digest": "a", "limits": { "timeout_ms": 10000, "fuel": 1 } },
                  "after": { "name": "hello", "version": 0, "digest": "b", "limits": { "timeout_ms": 2000, "fuel": 1 } } },
                { "thing": "route", "action": "remove", "name": "GET /x → hello\u{1b}[31m", "before": {} },
                { "thing": "topic", "action": "add", "name": "news", "after": { "access": "public" } },
                { "thing": "topic", "action": "change", "name": "orders",
                  "before": { "access": "token" }, "after": { "access": "public" } },
            ],
            "notes": ["what waits for \u{202e}it is not delivered"],
        })
    }

    #[test]
    fn changes_are_told_line_by_line_and_what_is_gained_in_words() {
        let text = "\
+ grant http
    ! gains a.example
~ script hello (source, limits)
    ! gains http
      loses kv
      timeout_ms 10000 → 2000
- route GET /x → hello
+ topic news
      access public
~ topic orders
      access token → public
! what waits for it is not delivered

2 to add, 2 to change, 1 to remove
";
        assert_eq!(told(&answer(), Sources::Hidden), text);
        let with = told(&answer(), Sources::Shown);
        assert!(with.contains("      timeout_ms 10000 → 2000\n    @@ -1 +1 @@\n    -1\n    +2\n- route"), "{with}");
        assert_eq!(told(&json!({}), Sources::Shown), "0 to add, 0 to change, 0 to remove\n");
        assert_eq!(gained(&answer()), ["a.example", "http"]);
    }

    #[test]
    fn versions_are_told_apart_by_reach_limits_and_lines() {
        let answer = json!({
            "before": 1, "after": 3, "gained": ["http"], "lost": [], "source": "@@ -1 +1 @@\n-1\n+\u{1b}[2J2\n",
            "limits_before": { "fuel": 1, "timeout_ms": 10 }, "limits_after": { "fuel": 2, "timeout_ms": 10 },
        });
        let expected = "From version 1 to 3\n\n    ! gains http\n      fuel 1 → 2\n    @@ -1 +1 @@\n    -1\n    +2\n";
        assert_eq!(of_versions(&answer), expected);
        let same = json!({ "before": 1, "after": 1, "gained": [], "source": "", "limits_before": {}, "limits_after": {} });
        assert_eq!(of_versions(&same), "From version 1 to 1\n\nNothing differs.\n");
    }
}
