//! One command's dealings with a node: asking, and showing what came.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::api::{Api, Ask, Reply, not_a_node};
use super::args::{At, Page};
use super::credentials::Credentials;
use super::origin::{AT_HOME, Origin};
use super::output::{Column, fields, table, terminal_width};
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::{print, say, warn};
use crate::clock::Clock;
use crate::limits;
use crate::model::secret::Secret;

const TOKEN: &str = "PICLOUD_TOKEN";

pub(super) struct Session {
    pub(super) api: Api,
    pub(super) json: bool,
    pub(super) now: DateTime<Utc>,
}

/// How a list is shown.
pub(super) struct Shape {
    columns: &'static [Column],
    /// Said where there is nothing.
    none: &'static str,
    /// What is done to an item before it is a row.
    seen: Option<fn(&mut Value)>,
}

/// Items as they came.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Items {
    pub(super) items: Vec<Box<RawValue>>,
    pub(super) cursor: Option<String>,
}

impl Session {
    /// With a credential.
    pub(super) fn open(at: &At) -> Result<Self> {
        let origin = node(at)?;
        let token = match token_of_environment() {
            Some(token) => token,
            None => Credentials::open()?.token(&origin).ok_or_else(|| {
                let line = format!("not logged in at {}", origin.as_str());
                Failure::new(Exit::Denied, line).hinting(format!("picloud login --url {}, or set {TOKEN}", origin.as_str()))
            })?,
        };
        Ok(Self::with(Api::new(origin, Some(token)), at))
    }

    /// For what anybody may ask.
    pub(super) fn anonymous(at: &At) -> Result<Self> {
        Ok(Self::with(Api::new(node(at)?, None), at))
    }

    pub(super) fn with(api: Api, at: &At) -> Self {
        if api.origin.is_open_to_others() {
            warn(&format!("{} is not encrypted: whoever is in between can read passwords and tokens", api.origin.as_str()));
        }
        Self { api, json: at.json, now: Clock::system().now() }
    }

    /// Asks, and tells people what came of it.
    pub(super) async fn tell(&self, ask: Ask, told: impl FnOnce(&Value) -> String) -> Result<()> {
        let reply = self.api.ask(ask).await?;
        if self.json {
            self.as_it_came(&reply);
            return Ok(());
        }
        print(&told(&reply.value()?));
        Ok(())
    }

    /// Asks for one thing.
    pub(super) async fn show(&self, ask: Ask, columns: &[Column]) -> Result<()> {
        self.tell(ask, |value| fields(columns, value, self.now)).await
    }

    /// Asks for something to be done that has no answer of its own.
    pub(super) async fn done(&self, ask: Ask, said: &str) -> Result<()> {
        self.tell(ask, |_| format!("{said}\n")).await
    }

    /// Asks for a list, and shows a page of it or all.
    pub(super) async fn list(&self, ask: &dyn Fn() -> Ask, shape: &Shape, page: &Page) -> Result<()> {
        if self.json && !page.all {
            let reply = self.api.ask(paged(ask, page)).await?;
            self.as_it_came(&reply);
            return Ok(());
        }
        let found = if page.all { self.gather(ask).await? } else { items(&self.api.ask(paged(ask, page)).await?)? };
        self.show_items(&found, shape)
    }

    /// A list as it was gathered.
    pub(super) fn show_items(&self, found: &Items, shape: &Shape) -> Result<()> {
        if self.json {
            return self.print_json(found);
        }
        let mut values: Vec<Value> = found.items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect();
        if values.is_empty() {
            say(shape.none);
        } else {
            values.iter_mut().for_each(|value| shape.seen.into_iter().for_each(|seen| seen(value)));
            print(&table(shape.columns, &values, self.now, terminal_width()));
        }
        if let Some(cursor) = &found.cursor {
            say(&format!("there is more: --cursor {cursor}, or --all"));
        }
        Ok(())
    }

    /// Every page.
    pub(super) async fn gather(&self, ask: &dyn Fn() -> Ask) -> Result<Items> {
        let mut all = Items::default();
        let mut page = Page { all: true, limit: Some(limits::API_PAGE_ITEMS_MAX), cursor: None };
        loop {
            let found = items(&self.api.ask(paged(ask, &page)).await?)?;
            all.items.extend(found.items);
            match found.cursor {
                None => return Ok(all),
                // A list that leads back to where it was would have no end.
                next if next == page.cursor => return Err(not_a_node()),
                next => page.cursor = next,
            }
        }
    }

    /// Every page of what can be read; the first item that `is_it`.
    pub(super) async fn find(&self, ask: &dyn Fn() -> Ask, is_it: impl Fn(&Value) -> bool) -> Result<Option<Value>> {
        let all = self.gather(ask).await?;
        Ok(all.items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).find(is_it))
    }

    /// The JSON of an answer, byte for byte; `null` where it has none.
    pub(super) fn as_it_came(&self, reply: &Reply) {
        let text = String::from_utf8_lossy(&reply.body);
        let text = if text.is_empty() { "null".into() } else { text };
        print(&format!("{}\n", text.trim_end()));
    }

    pub(super) fn print_json(&self, value: &impl Serialize) -> Result<()> {
        let text =
            serde_json::to_string(value).map_err(|e| Failure::new(Exit::Other, format!("the result cannot be written: {e}")))?;
        print(&format!("{text}\n"));
        Ok(())
    }
}

impl Shape {
    pub(super) const fn new(columns: &'static [Column], none: &'static str) -> Self {
        Self { columns, none, seen: None }
    }

    pub(super) const fn seeing(self, seen: fn(&mut Value)) -> Self {
        Self { seen: Some(seen), ..self }
    }
}

/// The token that the environment brings; it goes before that of a login.
pub(super) fn token_of_environment() -> Option<Secret> {
    let token = std::env::var(TOKEN).ok()?;
    let token = token.trim();
    (!token.is_empty()).then(|| Secret::new(token.to_owned()))
}

/// The node that is meant.
pub(super) fn node(at: &At) -> Result<Origin> {
    match at.url.as_deref().filter(|url| !url.is_empty()) {
        Some(url) => Origin::parse(url),
        None => Origin::parse(Credentials::open()?.last().unwrap_or(AT_HOME)),
    }
}

fn paged(ask: &dyn Fn() -> Ask, page: &Page) -> Ask {
    let limit = page.limit.map(|limit| limit.to_string());
    ask().maybe("limit", limit.as_deref()).maybe("cursor", page.cursor.as_deref())
}

fn items(reply: &Reply) -> Result<Items> {
    serde_json::from_slice(&reply.body).map_err(|_| not_a_node())
}
