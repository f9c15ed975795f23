//! `picloud kv`; and what entries, documents and files have in common: names in a path, revisions, values as people see them.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Subcommand;
use hyper::Method;
use hyper::header::IF_MATCH;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::api::{Ask, Reply, not_a_node};
use super::args::{InApp, Page};
use super::input::{self, Sure, confirm};
use super::output::{As, Column, cell, clean, text_at};
use super::session::{Items, Session, Shape};
use crate::cli::failure::{Exit, Failure, Result};
use crate::limits;

const COLLECTIONS: &[Column] =
    &[Column("COLLECTION", "/name", As::Text), Column("COUNT", "/count", As::Count), Column("SIZE", "/bytes", As::Bytes)];
const ENTRIES: &[Column] = &[
    Column("KEY", "/key", As::Text),
    Column("VALUE", "/value", As::Text),
    Column("ENCODING", "/encoding", As::Text),
    Column("EXPIRES", "/expires_at", As::Age),
    Column("REVISION", "/revision", As::Count),
];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Kv {
    /// List the entries of a collection by key; without one, the collections.
    #[command(after_help = example!(app: "picloud kv list --app shop", "picloud kv list carts --prefix 2026/ --app shop --all"))]
    List {
        #[command(flatten)]
        place: InApp,
        /// The collection.
        collection: Option<String>,
        /// Only entries whose keys begin so.
        #[arg(long, requires = "collection")]
        prefix: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Print the value of an entry; of a blob its bytes, to a file or a pipe.
    #[command(after_help = example!(app:
        "picloud kv get carts cart/17 --app shop",
        "picloud kv get thumbnails 17 --app shop > 17.png"))]
    Get {
        #[command(flatten)]
        place: InApp,
        /// The collection.
        collection: String,
        /// The key.
        key: String,
    },
    /// Set an entry, to JSON unless it is said to be something else.
    #[command(after_help = example!(app:
        "picloud kv set carts cart/17 '{\"items\": 3}' --ttl 3600 --app shop",
        "picloud kv set greetings en Hello --text --if-revision new --app shop",
        "picloud kv set thumbnails 17 @17.png --blob --app shop"))]
    Set {
        #[command(flatten)]
        place: InApp,
        /// The collection.
        collection: String,
        /// The key.
        key: String,
        /// The value: itself, `@FILE`, or `-` for standard input.
        #[arg(default_value = "-", allow_negative_numbers = true)]
        value: String,
        /// It is a text, byte for byte, line ends too; not JSON.
        #[arg(long, conflicts_with = "blob")]
        text: bool,
        /// It is bytes.
        #[arg(long)]
        blob: bool,
        /// It expires so many seconds from now [default: it stays].
        #[arg(long = "ttl", value_name = "SECONDS")]
        ttl_s: Option<i64>,
        /// Only if this revision is there; `new`: only if nothing is.
        #[arg(long, value_name = "N|new", value_parser = revision_or_new)]
        if_revision: Option<String>,
    },
    /// Delete an entry.
    #[command(after_help = example!(app: "picloud kv delete carts cart/17 --app shop --yes"))]
    Delete {
        #[command(flatten)]
        place: InApp,
        /// The collection.
        collection: String,
        /// The key.
        key: String,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
}

/// An entry as it is sent, digit for digit.
#[derive(Debug, Serialize)]
struct Entry {
    value: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_s: Option<i64>,
}

/// The value of an entry as it came.
#[derive(Debug, Deserialize)]
struct Found {
    value: Box<RawValue>,
    encoding: String,
}

pub(super) async fn run(kv: Kv) -> Result<()> {
    match kv {
        Kv::List { place, collection: None, page, .. } => collections(&place, "kv", &page).await,
        Kv::List { place, collection: Some(collection), prefix, page } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let collection = part("collection", &collection)?;
            let ask = || Ask::get(&["admin", "apps", &app, "kv", collection]).maybe("prefix", prefix.as_deref());
            list(&session, &ask, &Shape::new(ENTRIES, "there is no entry"), &page, "value").await
        }
        Kv::Get { place, collection, key } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let (collection, key) = (part("collection", &collection)?, part("key", &key)?);
            let reply = session.api.ask(Ask::get(&["admin", "apps", &app, "kv", collection, key])).await?;
            if session.json {
                session.as_it_came(&reply);
                return Ok(());
            }
            show(&reply)
        }
        Kv::Set { place, collection, key, value, text, blob, ttl_s, if_revision } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let (collection, key) = (part("collection", &collection)?, part("key", &key)?);
            let (value, encoding) = match (text, blob) {
                (true, _) => (raw(&self::text(&value)?)?, None),
                (_, true) => (raw(&BASE64.encode(input::data(&value)?))?, Some("blob")),
                _ => (input::json(&value)?, None),
            };
            let ask = Ask::new(Method::PUT, &["admin", "apps", &app, "kv", collection, key]);
            let ask = only_if(ask.json(&Entry { value, encoding, ttl_s })?, if_revision.as_deref())?;
            let told = |entry: &_| format!("The entry {} is set (revision {}).\n", cell(key), text_at(entry, "/revision"));
            session.tell(ask, told).await
        }
        Kv::Delete { place, collection, key, yes } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let (collection, key) = (part("collection", &collection)?, part("key", &key)?);
            confirm(&format!("Delete the entry {} of {}", cell(key), cell(collection)), Sure::from(yes))?;
            let ask = Ask::delete(&["admin", "apps", &app, "kv", collection, key]);
            session.done(ask, &format!("The entry {} is gone.", cell(key))).await
        }
    }
}

/// The collections of a noun, with what they hold.
pub(super) async fn collections(place: &InApp, noun: &str, page: &Page) -> Result<()> {
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let ask = || Ask::get(&["admin", "apps", &app, noun]);
    session.list(&ask, &Shape::new(COLLECTIONS, "there is no collection"), page).await
}

/// A name that can be a part of a path: clients and proxies take `.` and `..` for steps, however they are written.
pub(super) fn part<'a>(what: &str, name: &'a str) -> Result<&'a str> {
    match name {
        "" => Err(Failure::new(Exit::Usage, format!("the {what} is empty"))),
        "." | ".." => Err(Failure::new(
            Exit::Usage,
            format!("a {what} `{name}` cannot stand in a URL, where it is a step: only scripts reach it"),
        )),
        name => Ok(name),
    }
}

/// A list of things that hold JSON of any shape in `field`: of that its beginning is shown.
pub(super) async fn list(session: &Session, ask: &dyn Fn() -> Ask, shape: &Shape, page: &Page, field: &str) -> Result<()> {
    if session.json {
        return session.list(ask, shape, page).await;
    }
    let mut found = if page.all {
        session.gather(ask).await?
    } else {
        let limit = page.limit.map(|limit| limit.to_string());
        let ask = ask().maybe("limit", limit.as_deref()).maybe("cursor", page.cursor.as_deref());
        serde_json::from_slice::<Items>(&session.api.ask(ask).await?.body).map_err(|_| not_a_node())?
    };
    for item in &mut found.items {
        *item = begun(item, field)?;
    }
    session.show_items(&found, shape)
}

/// The same item, with a text in place of what it holds.
fn begun(item: &RawValue, field: &str) -> Result<Box<RawValue>> {
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(item.get()).map_err(|_| not_a_node())?;
    if let Some(value) = fields.get_mut(field) {
        *value = raw(&beginning(value.get()))?;
    }
    raw(&fields)
}

fn beginning(json: &str) -> String {
    let most = limits::CLIENT_SNIPPET_CHARS_MAX;
    match json.char_indices().nth(most) {
        None => json.to_owned(),
        Some(_) => json.chars().take(most - 1).chain(['…']).collect(),
    }
}

fn show(reply: &Reply) -> Result<()> {
    let found: Found = serde_json::from_slice(&reply.body).map_err(|_| not_a_node())?;
    if found.encoding != "blob" {
        show_json(found.value.get());
        return Ok(());
    }
    let text: String = serde_json::from_str(found.value.get()).map_err(|_| not_a_node())?;
    let bytes = BASE64.decode(text).map_err(|_| not_a_node())?;
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        let line = format!("the value is a blob of {} bytes, which is nothing for a terminal", bytes.len());
        return Err(Failure::new(Exit::Usage, line).hinting("send it to a file: picloud kv get … > FILE"));
    }
    // A reader that went away is no failure of ours.
    let _ = out.write_all(&bytes).and_then(|()| out.flush());
    Ok(())
}

/// Byte for byte; on a terminal over several lines, and without what steers it.
pub(super) fn show_json(json: &str) {
    let mut out = io::stdout().lock();
    let text = if out.is_terminal() { clean(&pretty(json)) } else { json.to_owned() };
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// JSON over several lines, digit for digit.
fn pretty(json: &str) -> String {
    let (mut text, mut depth, mut in_string, mut escaped) = (String::new(), 0_usize, false, false);
    let line = |depth: usize| format!("\n{}", "  ".repeat(depth.min(limits::CLIENT_INDENT_LEVELS_MAX)));
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        if in_string {
            text.push(c);
            (in_string, escaped) = (escaped || c != '"', !escaped && c == '\\');
            continue;
        }
        match c {
            '{' | '[' => {
                text.push(c);
                while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                match chars.next_if(|c| matches!(c, '}' | ']')) {
                    Some(end) => text.push(end),
                    None => {
                        depth += 1;
                        text.push_str(&line(depth));
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                text.push_str(&line(depth));
                text.push(c);
            }
            ',' => text.push_str(&format!(",{}", line(depth))),
            ':' => text.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => {
                in_string = c == '"';
                text.push(c);
            }
        }
    }
    text
}

/// What an argument stands for, as text.
fn text(asked: &str) -> Result<String> {
    let text = String::from_utf8(input::data(asked)?);
    text.map_err(|_| Failure::new(Exit::Usage, "the value is no UTF-8").hinting("--blob sets an entry to bytes"))
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>> {
    to_raw_value(value).map_err(|e| Failure::new(Exit::Other, format!("the value cannot be written: {e}")))
}

/// With the state that the thing must be in, if one was named.
pub(super) fn only_if(ask: Ask, revision: Option<&str>) -> Result<Ask> {
    match revision {
        Some(revision) => ask.header(IF_MATCH, &format!("\"{revision}\"")),
        None => Ok(ask),
    }
}

/// A revision of a command line.
pub(super) fn revision(text: &str) -> std::result::Result<String, String> {
    let number: u64 = text.parse().map_err(|_| "a revision is a number".to_owned())?;
    Ok(number.to_string())
}

/// The same; what is not there yet has revision 0.
fn revision_or_new(text: &str) -> std::result::Result<String, String> {
    if text == "new" { Ok("0".to_owned()) } else { revision(text).map_err(|why| format!("{why}, or `new`")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_shown_over_several_lines_digit_for_digit() {
        for (json, expected) in [
            ("10000000000000000000001.10", "10000000000000000000001.10"),
            ("[]", "[]"),
            ("{ }", "{}"),
            ("\"a, {b}: \\\" [c] \\\\\"", "\"a, {b}: \\\" [c] \\\\\""),
            ("{\"a\":[1,{}],  \"b\" : null}", "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": null\n}"),
        ] {
            assert_eq!(pretty(json), expected);
        }
    }

    #[test]
    fn what_is_nested_deep_is_indented_to_a_bound() {
        let most = limits::CLIENT_INDENT_LEVELS_MAX;
        for (depth, indented) in [(most, most), (most + 1, most), (100 * most, most)] {
            let text = pretty(&format!("{}1{}", "[".repeat(depth), "]".repeat(depth)));
            let widest = text.lines().map(|line| line.len() - line.trim_start().len()).max();
            assert_eq!(widest, Some(2 * indented), "{depth}");
        }
    }

    #[test]
    fn of_a_long_value_a_list_has_the_beginning() {
        let most = limits::CLIENT_SNIPPET_CHARS_MAX;
        assert_eq!(beginning(&"é".repeat(most)), "é".repeat(most));
        assert_eq!(beginning(&"é".repeat(most + 1)), format!("{}…", "é".repeat(most - 1)));
        // Nested deeper than a parser follows.
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let item = RawValue::from_string(format!("{{\"key\": \"a\", \"value\": {deep}, \"revision\": 1}}")).unwrap();
        let shown: serde_json::Value = serde_json::from_str(begun(&item, "value").unwrap().get()).unwrap();
        assert_eq!(shown["value"], format!("{}…", "[".repeat(most - 1)));
        assert_eq!((&shown["key"], &shown["revision"]), (&"a".into(), &1.into()));
    }

    #[test]
    fn a_name_that_is_a_step_of_a_path_is_refused_with_why() {
        for name in ["a/b", "...", ".hidden", "a..", "é ?#%", "-"] {
            assert_eq!(part("key", name).unwrap(), name);
        }
        for name in [".", ".."] {
            let failure = part("key", name).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage);
            assert!(failure.into_line().contains("only scripts reach it"), "{name}");
        }
        assert!(part("key", "").is_err());
    }

    #[test]
    fn a_revision_is_a_number_or_none_yet() {
        assert_eq!(revision_or_new("new").as_deref(), Ok("0"));
        assert_eq!(revision_or_new("17").as_deref(), Ok("17"));
        for bad in ["", "-1", "1\"", "newer", "1.5"] {
            assert!(revision_or_new(bad).is_err(), "{bad}");
        }
        assert!(revision("new").is_err());
    }
}
