//! A manifest of a running app, as people write one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The text of a `picloud.toml`. `files` are those of scripts whose file is not the usual one.
pub(super) fn manifest(app: &str, pulled: &Value, files: &BTreeMap<String, String>) -> String {
    let mut out = format!("app = {}\n", string(app));
    for (name, script) in pulled.get("scripts").and_then(Value::as_object).into_iter().flatten() {
        let _ = writeln!(out, "\n[scripts.{}]", key(name));
        if let Some(file) = files.get(name) {
            let _ = writeln!(out, "file = {}", string(file));
        }
        match script.get("kind") {
            Some(kind) if kind != "endpoint" => {
                let _ = writeln!(out, "kind = {}", value(kind));
            }
            _ => {}
        }
        for (field, given) in script.as_object().into_iter().flatten() {
            match (field.as_str(), given) {
                ("description", Value::String(text)) if !text.is_empty() => {
                    let _ = writeln!(out, "description = {}", string(text));
                }
                ("limits", Value::Object(limits)) if !limits.is_empty() => {
                    let _ = writeln!(out, "limits = {}", value(given));
                }
                ("routes", Value::Array(routes)) => list(&mut out, "routes", routes, route),
                ("triggers", Value::Array(triggers)) => list(&mut out, "triggers", triggers, trigger),
                _ => {}
            }
        }
    }
    // Without any, nothing is granted; left out, all would stay as it is.
    out.push_str("\n[grants]\n");
    for (capability, patterns) in pulled.get("grants").and_then(Value::as_object).into_iter().flatten() {
        let _ = writeln!(out, "{} = {}", key(capability), value(patterns));
    }
    // Left out where there are none: who registers one by hand, and applies this again, keeps it.
    let topics = pulled.get("topics").and_then(Value::as_object).filter(|topics| !topics.is_empty());
    if let Some(topics) = topics {
        out.push_str("\n[topics]\n");
        for (topic, access) in topics {
            let _ = writeln!(out, "{} = {}", key(topic), value(access));
        }
    }
    out
}

/// On one line where there is one, else a line for each.
fn list(out: &mut String, name: &str, items: &[Value], told: impl Fn(&Value) -> String) {
    let _ = match items {
        [] => Ok(()),
        [item] => writeln!(out, "{name} = [{}]", told(item)),
        items => {
            let lines: String = items.iter().map(|item| format!("    {},\n", told(item))).collect();
            writeln!(out, "{name} = [\n{lines}]")
        }
    };
}

/// `"GET /visits/:who"` where that says all.
fn route(route: &Value) -> String {
    let text = |name: &str| route.get(name).and_then(Value::as_str);
    match (text("path"), text("method")) {
        (Some(path), method) if text("host").is_none() && text("dispatch_mode").is_none() && !path.contains(' ') => {
            string(&method.map_or_else(|| path.to_owned(), |method| format!("{method} {path}")))
        }
        _ => value(route),
    }
}

/// Its kind goes first.
fn trigger(trigger: &Value) -> String {
    let fields = trigger.as_object().into_iter().flatten();
    let (kind, others): (Vec<_>, Vec<_>) = fields.filter(|(_, given)| !given.is_null()).partition(|(name, _)| *name == "kind");
    table(kind.into_iter().chain(others))
}

fn table<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let fields: Vec<String> = fields.map(|(name, given)| format!("{} = {}", key(name), value(given))).collect();
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
}

fn value(given: &Value) -> String {
    match given {
        Value::String(text) => string(text),
        Value::Array(items) => format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => table(without_null(fields)),
        given => given.to_string(),
    }
}

fn without_null(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    fields.iter().filter(|(_, given)| !given.is_null())
}

fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if is_bare { name.to_owned() } else { string(name) }
}

/// A basic string.
fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_manifest_is_written_as_people_would() {
        let pulled = json!({
            "scripts": {
                "orders": {
                    "source": "1", "kind": "endpoint", "description": "takes \"orders\"\nof ada",
                    "limits": { "timeout_ms": 2000 },
                    "routes": [{ "path": "/orders", "method": "POST" }, { "path": "/o", "host": "a.example" }],
                    "triggers": [{ "max_attempts": 5, "kind": "queue", "queue": "orders" }],
                },
                "tax": { "source": "", "kind": "module", "description": "", "limits": {}, "routes": [], "triggers": [] },
            },
            "grants": { "http": ["a.example"], "kv": ["*"] },
            "topics": { "news": "public", "orders.paid": "token" },
        });
        let text = manifest("shop", &pulled, &BTreeMap::from([("tax".to_owned(), "lib/tax.rhai".to_owned())]));
        let expected = r#"app = "shop"

[scripts.orders]
description = "takes \"orders\"\nof ada"
limits = { timeout_ms = 2000 }
routes = [
    "POST /orders",
    { host = "a.example", path = "/o" },
]
triggers = [{ kind = "queue", max_attempts = 5, queue = "orders" }]

[scripts.tax]
file = "lib/tax.rhai"
kind = "module"

[grants]
http = ["a.example"]
kv = ["*"]

[topics]
news = "public"
"orders.paid" = "token"
"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn an_app_without_topics_says_nothing_of_them() {
        let text = manifest("shop", &json!({ "scripts": {}, "grants": {} }), &BTreeMap::new());
        assert_eq!(text, "app = \"shop\"\n\n[grants]\n");
    }

    #[test]
    fn a_string_reads_back_as_it_was() {
        for text in ["", "a", "\"\\\n\r\t\u{7f}\u{85}\u{0}\u{1b}", "é日本👩", "'''", "\u{202e}"] {
            let read: toml::Table = toml::from_str(&format!("{} = {}\n", key(text), string(text))).unwrap();
            assert_eq!(read.get(text).and_then(toml::Value::as_str), Some(text), "{text:?}");
        }
    }
}
