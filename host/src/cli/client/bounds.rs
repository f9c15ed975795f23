//! `picloud usage`, `limits`, `grants` and `quota`: what an app used, may reach, and may use.

use std::str::FromStr;

use clap::Subcommand;
use hyper::Method;
use serde_json::{Map, Value, json};

use super::api::Ask;
use super::args::{At, InApp, Page};
use super::names;
use super::output::{As, Column, plain, table, terminal_width, words};
use super::session::{Session, Shape};
use crate::cli::failure::Result;

const USAGE: &[Column] = &[
    Column("FROM", "/started_at", As::Text),
    Column("SCRIPT", "/script_id", As::Text),
    Column("CALLS", "/calls", As::Count),
    Column("FAILED", "/failed", As::Count),
    Column("REFUSED", "/refused", As::Count),
    Column("FUEL", "/fuel", As::Count),
    Column("TIME", "/wall_us", As::Took),
    Column("HOST CALLS", "/host_calls", As::Count),
    Column("IN", "/bytes_in", As::Bytes),
    Column("OUT", "/bytes_out", As::Bytes),
    Column("LOG", "/log_bytes", As::Bytes),
    Column("PEAK", "/memory_peak_bytes", As::Bytes),
];
const LIMITS: &[Column] = &[
    Column("NAME", "/name", As::Text),
    Column("LEVEL", "/level", As::Text),
    Column("DEFAULT", "/default", As::Count),
    Column("CEILING", "/ceiling", As::Count),
    Column("FLOOR", "/floor", As::Count),
    Column("UNIT", "/unit", As::Text),
    Column("ABOUT", "/about", As::Text),
];
const GRANTS: &[Column] = &[Column("CAPABILITY", "/capability", As::Text), Column("GRANTED", "/granted", As::Text)];
const QUOTA: &[Column] =
    &[Column("BOUND", "/name", As::Text), Column("HOLDS", "/holds", As::Count), Column("SET", "/set", As::Text)];
const IN_USE: &[Column] = &[Column("IN USE", "/name", As::Text), Column("NOW", "/now", As::Count)];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Usage {
    #[command(flatten)]
    place: InApp,
    /// How long a row is.
    #[arg(long, value_parser = ["minute", "hour", "day"])]
    period: Option<String>,
    /// From the period that this time is in, such as 2026-01-02T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to this time [default: now].
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Of this script, by id or name.
    #[arg(long)]
    script: Option<String>,
    /// A row for each script.
    #[arg(long)]
    by_script: bool,
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Grants {
    /// Show what an app lets its scripts reach.
    #[command(after_help = example!(app: "picloud grants get --app shop"))]
    Get {
        #[command(flatten)]
        place: InApp,
    },
    /// Say anew what scripts may reach by one capability; the others stay.
    #[command(after_help = example!(app:
        "picloud grants set http api.example.com 10.0.0.0/8 --app shop",
        "picloud grants set email --none --app shop"))]
    Set {
        #[command(flatten)]
        place: InApp,
        /// kv, docs, files, http, invoke, secrets, queue, pubsub, dead_letters or email.
        capability: String,
        /// Names, prefixes that end in `*`, or `*`; of http hosts and networks.
        #[arg(required_unless_present = "none")]
        patterns: Vec<String>,
        /// Nothing at all.
        #[arg(long, conflicts_with = "patterns")]
        none: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Quota {
    /// Show the bounds of an app, and what it uses of them.
    #[command(after_help = example!(app: "picloud quota get --app shop"))]
    Get {
        #[command(flatten)]
        place: InApp,
    },
    /// Set bounds of an app; the others stay. For who manages the instance.
    #[command(after_help = example!(app:
        "picloud quota set concurrency=8 data_bytes=2147483648 --app shop",
        "picloud quota set --replace weight=200 --app shop"))]
    Set {
        #[command(flatten)]
        place: InApp,
        /// NAME=N, with the names of `picloud quota get`.
        #[arg(value_name = "NAME=N", required_unless_present = "replace")]
        bounds: Vec<Bound>,
        /// Bounds that are not named have the platform's default again.
        #[arg(long)]
        replace: bool,
    },
}

/// `concurrency=8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Bound {
    name: String,
    n: u64,
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let wrong = || "a bound is set as NAME=N, such as concurrency=8".to_owned();
        let (name, n) = text.split_once('=').ok_or_else(wrong)?;
        let n = n.replace('_', "").parse().map_err(|_| wrong())?;
        if name.is_empty() { Err(wrong()) } else { Ok(Self { name: name.to_owned(), n }) }
    }
}

pub(super) async fn usage(usage: Usage) -> Result<()> {
    let Usage { place, period, from, to, script, by_script, page } = usage;
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let script = match script {
        Some(script) => Some(names::script(&session, &place, &script).await?.id),
        None => None,
    };
    let ask = || {
        let ask = Ask::get(&["admin", "apps", &app, "usage"]).maybe("period", period.as_deref());
        let ask = ask.maybe("from", from.as_deref()).maybe("to", to.as_deref());
        ask.maybe("script_id", script.as_deref()).maybe("by", by_script.then_some("script"))
    };
    session.list(&ask, &Shape::new(USAGE, "nothing was called"), &page).await
}

pub(super) async fn limits(at: &At) -> Result<()> {
    let session = Session::anonymous(at)?;
    let shown = session.tell(Ask::get(&["limits"]), |limits| {
        let items = limits.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        table(LIMITS, items, session.now, terminal_width())
    });
    shown.await
}

pub(super) async fn grants(grants: Grants) -> Result<()> {
    let (place, change) = match grants {
        Grants::Get { place } => (place, None),
        Grants::Set { place, capability, patterns, none: _ } => (place, Some((capability, patterns))),
    };
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let path = ["admin", "apps", &app, "grants"];
    let ask = match change {
        Some((capability, patterns)) => Ask::new(Method::PATCH, &path).json(&Map::from_iter([(capability, json!(patterns))]))?,
        None => Ask::get(&path),
    };
    let shown = session.tell(ask, |grants| {
        let rows = grants.as_object().into_iter().flatten();
        let rows: Vec<Value> = rows.map(|(name, list)| json!({ "capability": name, "granted": words(list) })).collect();
        table(GRANTS, &rows, session.now, terminal_width())
    });
    shown.await
}

pub(super) async fn quota(quota: Quota) -> Result<()> {
    let (place, change) = match quota {
        Quota::Get { place } => (place, None),
        Quota::Set { place, bounds, replace } => (place, Some((bounds, if replace { Method::PUT } else { Method::PATCH }))),
    };
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let path = ["admin", "apps", &app, "quota"];
    let ask = match change {
        Some((bounds, method)) => {
            let bounds: Map<String, Value> = bounds.into_iter().map(|bound| (bound.name, bound.n.into())).collect();
            Ask::new(method, &path).json(&bounds)?
        }
        None => Ask::get(&path),
    };
    session.tell(ask, |quota| held(&session, quota)).await
}

fn held(session: &Session, quota: &Value) -> String {
    let part = |name: &str| quota.get(name).and_then(Value::as_object).into_iter().flatten();
    let set = |name: &str| quota.pointer(&format!("/set/{name}")).map_or("", |_| "set");
    let bounds: Vec<Value> = part("quota").map(|(name, n)| json!({ "name": name, "holds": n, "set": set(name) })).collect();
    let in_use = part("used").chain(part("now")).map(|(name, n)| json!({ "name": name, "now": plain(n) }));
    let in_use: Vec<Value> = in_use.collect();
    let width = terminal_width();
    format!("{}\n{}", table(QUOTA, &bounds, session.now, width), table(IN_USE, &in_use, session.now, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_name_and_a_number() {
        assert_eq!("weight=1_000".parse(), Ok(Bound { name: "weight".to_owned(), n: 1000 }));
        for wrong in ["weight", "weight=", "=1", "weight=-1", "weight=1.5", "weight=99999999999999999999"] {
            assert!(wrong.parse::<Bound>().is_err(), "{wrong}");
        }
    }
}
