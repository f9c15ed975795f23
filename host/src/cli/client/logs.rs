//! `picloud logs`: what scripts logged, oldest first; with `-f`, as it comes.

use clap::ValueEnum;
use serde_json::Value;

use super::api::Ask;
use super::args::{InApp, Page};
use super::names::{self, is_id};
use super::output::{Hue, cell, hued, plain, text_at, time, took};
use super::session::Session;
use super::stream::{Event, follow};
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::{print, say};

pub(super) const EXAMPLES: &str = example!(app:
    "picloud logs visits --app shop",
    "picloud logs --app shop -f --level warn",
    "picloud logs --app shop -f --script visits --since 5m",
    "picloud logs visits --all --json");

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Logs {
    #[command(flatten)]
    place: InApp,
    /// Id or name of the script; every script of the app if left out.
    script: Option<String>,
    /// Go on showing what comes.
    #[arg(long, short, conflicts_with_all = ["all", "limit", "cursor"])]
    follow: bool,
    /// This level and above.
    #[arg(long, value_enum)]
    level: Option<Level>,
    /// Of this execution, by id.
    #[arg(long, value_name = "ID")]
    execution: Option<String>,
    /// Of executions that ended so: `failed`, or an outcome.
    #[arg(long)]
    outcome: Option<String>,
    /// Whose message holds this.
    #[arg(long)]
    text: Option<String>,
    /// From this time on, or from so long ago: 2026-01-02T03:04:05Z, 5m, 2h.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// So many of the newest first.
    #[arg(long, value_name = "N")]
    tail: Option<u32>,
    #[command(flatten)]
    page: Page,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

pub(super) async fn run(logs: Logs) -> Result<()> {
    let session = Session::open(&logs.place.at)?;
    let script = match &logs.script {
        Some(script) if logs.is_of_the_script_alone() => {
            return of_script(&session, &names::script(&session, &logs.place, script).await?.id, &logs.page).await;
        }
        script => script.as_deref(),
    };
    let app = match script {
        Some(script) if is_id(script) => app_of(&session, script).await?,
        _ => logs.place.app()?,
    };
    let ask = || logs.asked(&app, script);
    if !logs.follow {
        return page(&session, &ask, &logs.page).await;
    }
    let json = session.json;
    follow(&session.api, || Ok(ask()), |event| shown(&event, json)).await
}

/// What an app, or one of its scripts, logs from now on, until the node says that there is no more to be had.
pub(super) async fn stream(session: &Session, app: &str, script: Option<&str>) -> Result<()> {
    let ask = || Ok(Ask::get(&["admin", "apps", app, "logs"]).maybe("script", script));
    follow(&session.api, ask, |event| shown(&event, session.json)).await
}

impl Logs {
    /// What every node can tell: the list of a script, without any filter.
    fn is_of_the_script_alone(&self) -> bool {
        let filters = [&self.execution, &self.outcome, &self.text, &self.since];
        !self.follow && self.level.is_none() && self.tail.is_none() && filters.into_iter().all(Option::is_none)
    }

    fn asked(&self, app: &str, script: Option<&str>) -> Ask {
        Ask::get(&["admin", "apps", app, "logs"])
            .maybe("script", script)
            .maybe("level", self.level.map(Level::as_str))
            .maybe("execution", self.execution.as_deref())
            .maybe("outcome", self.outcome.as_deref())
            .maybe("text", self.text.as_deref())
            .maybe("since", self.since.as_deref())
            // A page of these has no other bound.
            .maybe("tail", self.tail.or(self.page.limit).map(|n| n.to_string()).as_deref())
    }
}

async fn app_of(session: &Session, script: &str) -> Result<String> {
    let script = session.api.ask(Ask::get(&["admin", "scripts", script])).await?.value()?;
    Ok(text_at(&script, "/app_id"))
}

/// The newest lines of a script, as its list has them, and here the oldest first.
async fn of_script(session: &Session, script: &str, page: &Page) -> Result<()> {
    let ask = || Ask::get(&["admin", "scripts", script, "logs"]);
    let found = if page.all {
        session.gather(&ask).await?
    } else {
        let limit = page.limit.map(|n| n.to_string());
        let asked = ask().maybe("limit", limit.as_deref()).maybe("cursor", page.cursor.as_deref());
        let reply = session.api.ask(asked).await?;
        if session.json {
            session.as_it_came(&reply);
            return Ok(());
        }
        serde_json::from_slice(&reply.body).map_err(|_| super::api::not_a_node())?
    };
    if session.json {
        return session.print_json(&found);
    }
    let lines: Vec<Value> = found.items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect();
    if lines.is_empty() {
        say("nothing was logged");
    }
    print(&lines.iter().rev().map(line).collect::<String>());
    if let Some(cursor) = &found.cursor {
        say(&format!("there is more before that: --cursor {cursor}, or --all"));
    }
    Ok(())
}

/// Of the app, the oldest first: a page, or (`--all`) all that is there by now.
async fn page(session: &Session, ask: &dyn Fn() -> Ask, page: &Page) -> Result<()> {
    let mut cursor = page.cursor.clone();
    loop {
        let reply = session.api.ask(ask().maybe("cursor", cursor.as_deref())).await?;
        let found = reply.value()?;
        if session.json {
            session.as_it_came(&reply);
        } else {
            let items = found.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            print(&items.iter().map(item).collect::<String>());
        }
        let next = found.get("cursor").and_then(Value::as_str).map(str::to_owned);
        if found.get("has_more") != Some(&Value::Bool(true)) || next == cursor {
            return Ok(());
        }
        if !page.all {
            say(&format!("there is more: --cursor {}, or --all", next.as_deref().map_or_else(String::new, cell)));
            return Ok(());
        }
        cursor = next;
    }
}

fn item(item: &Value) -> String {
    let data = item.get("data").unwrap_or(&Value::Null);
    if names::has(item, "event", "execution") { end(data) } else { line(data) }
}

/// One event of the stream. With `--json` its data, a line each.
fn shown(event: &Event, json: bool) -> Result<()> {
    if json {
        print(&format!("{}\n", event.data.replace('\n', " ")));
        return Ok(());
    }
    let wrong = |_| Failure::new(Exit::Other, "the stream holds what is no JSON");
    match event.kind.as_str() {
        "line" => print(&line(&serde_json::from_str(&event.data).map_err(wrong)?)),
        "execution" => print(&end(&serde_json::from_str(&event.data).map_err(wrong)?)),
        "dropped" => {
            let told: Value = serde_json::from_str(&event.data).unwrap_or_default();
            say(&format!("lost here: {} records, {} lines", text_at(&told, "/records"), text_at(&told, "/lines")));
        }
        // What a newer node tells.
        _ => {}
    }
    Ok(())
}

/// `2026-01-02 03:04:05.678  warn   visits  who is that  {"who": "ada"}`.
pub(in crate::cli) fn line(line: &Value) -> String {
    let level = line.get("level").and_then(Value::as_str).unwrap_or("-");
    let hue = match level {
        "error" => Some(Hue::Red),
        "warn" => Some(Hue::Yellow),
        "trace" | "debug" => Some(Hue::Faint),
        _ => None,
    };
    let level = format!("{:5}", cell(level));
    let level = hue.map_or_else(|| level.clone(), |hue| hued(&level, hue));
    let script = line.get("script_name").map(|name| format!("  {}", plain(name))).unwrap_or_default();
    let data = line.get("data").filter(|data| !data.is_null()).map(|data| format!("  {}", cell(&data.to_string())));
    format!("{}  {level}{script}  {}{}\n", at(line, "/at"), text_at(line, "/message"), data.unwrap_or_default())
}

/// How an execution ended.
fn end(end: &Value) -> String {
    let outcome = text_at(end, "/outcome");
    let is_well = matches!(outcome.as_str(), "responded" | "completed");
    let mark = hued("end  ", if is_well { Hue::Green } else { Hue::Red });
    let script = end.get("script_name").map(|name| format!("  {}", plain(name))).unwrap_or_default();
    let wall = end.pointer("/usage/wall_us").and_then(Value::as_u64).map(|us| format!("  {}", took(us))).unwrap_or_default();
    let error = end.pointer("/error/message").map(|message| format!("  {}", plain(message))).unwrap_or_default();
    let at = if end.get("at").is_some() { at(end, "/at") } else { at(end, "/started_at") };
    format!("{at}  {mark}{script}  {outcome} {}{wall}{error}\n", text_at(end, "/status"))
}

fn at(value: &Value, pointer: &str) -> String {
    let at = value.pointer(pointer).and_then(time);
    at.map_or_else(|| text_at(value, pointer), |at| at.format("%Y-%m-%d %H:%M:%S%.3f").to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_shows_what_was_logged_and_steers_nothing() {
        let logged = json!({
            "at": "2026-01-02T03:04:05.678901Z", "level": "warn", "script_name": "visits",
            "message": "who\u{1b}[2J is\r\nthat", "data": { "who": "a\u{202e}da" },
        });
        assert_eq!(line(&logged), "2026-01-02 03:04:05.678  warn   visits  who is that  {\"who\":\"ada\"}\n");
        let bare = json!({ "at": "2026-01-02T03:04:05Z", "level": "info", "message": "hi", "data": null });
        assert_eq!(line(&bare), "2026-01-02 03:04:05.000  info   hi\n");
    }

    #[test]
    fn an_end_shows_how_it_ended() {
        let ended = json!({
            "started_at": "2026-01-02T03:04:05Z", "script_name": "visits", "outcome": "script_failed", "status": 422,
            "usage": { "wall_us": 1500 }, "error": { "message": "no" },
        });
        assert_eq!(end(&ended), "2026-01-02 03:04:05.000  end    visits  script_failed 422  1.5 ms  no\n");
    }

    #[test]
    fn an_item_of_a_page_is_a_line_or_an_end() {
        let data = json!({ "at": "2026-01-02T03:04:05Z", "level": "info", "message": "hi", "outcome": "completed" });
        assert!(item(&json!({ "id": "1", "event": "line", "data": data })).ends_with("  info   hi\n"));
        assert!(item(&json!({ "id": "1", "event": "execution", "data": data })).contains("  end    completed -"));
    }
}
