//! `picloud deployments`: the states that an app had.

use clap::Subcommand;
use serde_json::Value;

use super::api::Ask;
use super::args::{InApp, Page};
use super::output::{As, Column, fields, plain, table, terminal_width, text_at, words};
use super::plan::changes::{self, Sources};
use super::rollback::{self, How};
use super::session::{Session, Shape};
use crate::cli::failure::Result;

const COLUMNS: &[Column] = &[
    Column("", "/active", As::Text),
    Column("NUMBER", "/deployment", As::Count),
    Column("MADE", "/created_at", As::Age),
    Column("BY", "/created_by", As::Short),
    Column("CAUSE", "/cause", As::Text),
    Column("MESSAGE", "/message", As::Text),
];
const FIELDS: &[Column] = &[
    Column("deployment", "/deployment", As::Text),
    Column("runs", "/active", As::Text),
    Column("cause", "/cause", As::Text),
    Column("message", "/message", As::Text),
    Column("by", "/created_by", As::Text),
    Column("made", "/created_at", As::Age),
    Column("last began to run", "/activated_at", As::Age),
    Column("digest", "/digest", As::Text),
];
const SCRIPTS: &[Column] = &[
    Column("SCRIPT", "/name", As::Text),
    Column("KIND", "/kind", As::Text),
    Column("VERSION", "/version", As::Count),
    Column("CAPABILITIES", "/capabilities", As::Words),
    Column("DIGEST", "/digest", As::Short),
];
const ROUTES: &[Column] = &[
    Column("METHOD", "/method", As::Text),
    Column("HOST", "/host", As::Text),
    Column("PATH", "/path", As::Text),
    Column("MODE", "/dispatch_mode", As::Text),
    Column("SCRIPT", "/script", As::Text),
];
const TRIGGERS: &[Column] = &[
    Column("TRIGGER", "/kind", As::Text),
    Column("OF", "/of", As::Text),
    Column("ENABLED", "/enabled", As::Text),
    Column("SCRIPT", "/script", As::Text),
];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Deployments {
    #[command(flatten)]
    place: InApp,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the deployments of an app, newest first; what runs is marked.
    #[command(after_help = example!(app: "picloud deployments list --app shop --all"))]
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Show a deployment.
    #[command(after_help = example!(app: "picloud deployments get 7 --app shop"))]
    Get {
        /// Its number.
        number: u32,
    },
    /// Say what differs between two deployments, sources line by line.
    #[command(after_help = example!(app:
        "picloud deployments diff 7 --app shop",
        "picloud deployments diff 7 --against 5 --app shop"))]
    Diff {
        /// Its number.
        number: u32,
        /// The number of the one that it is held against [default: the one that runs].
        #[arg(value_name = "AGAINST", conflicts_with = "against")]
        other: Option<u32>,
        /// The same.
        #[arg(long, value_name = "NUMBER")]
        against: Option<u32>,
    },
    /// Make a deployment what runs: one that was only stored, or any other.
    #[command(after_help = example!(app:
        "picloud deployments activate 9 --app shop",
        "picloud deployments activate 9 --dry-run --diff"))]
    Activate {
        /// Its number.
        number: i32,
        #[command(flatten)]
        how: How,
    },
}

pub(super) async fn run(deployments: Deployments) -> Result<()> {
    let Deployments { place, command } = deployments;
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let page = Page { all: false, limit: None, cursor: None };
    match command.unwrap_or(Command::List { page }) {
        Command::List { page } => {
            let shape = Shape::new(COLUMNS, "there is no deployment").seeing(mark);
            session.list(&|| Ask::get(&["admin", "apps", &app, "deployments"]), &shape, &page).await
        }
        Command::Get { number } => {
            let ask = Ask::get(&["admin", "apps", &app, "deployments", &number.to_string()]);
            session.tell(ask, |deployment| told(&session, deployment)).await
        }
        Command::Activate { number, how } => rollback::activate(&session, &app, number, how).await,
        Command::Diff { number, other, against } => {
            let against = against.or(other).map(|number| number.to_string());
            let ask = Ask::get(&["admin", "apps", &app, "deployments", &number.to_string(), "diff"]);
            let told = session.tell(ask.maybe("against", against.as_deref()), |answer| {
                let (before, after) = (text_at(answer, "/before"), text_at(answer, "/after"));
                format!("From deployment {before} to {after}\n\n{}", changes::told(answer, Sources::Shown))
            });
            told.await
        }
    }
}

fn mark(deployment: &mut Value) {
    if let Some(active) = deployment.get_mut("active") {
        *active = if active == true { "*" } else { " " }.into();
    }
}

fn told(session: &Session, deployment: &Value) -> String {
    let mut text = fields(FIELDS, deployment, session.now);
    let list = |name: &str| deployment.pointer(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut triggers = list("/state/triggers");
    triggers.iter_mut().for_each(of_what);
    for (columns, items) in [(SCRIPTS, list("/state/scripts")), (ROUTES, list("/state/routes")), (TRIGGERS, triggers)] {
        if !items.is_empty() {
            text.push('\n');
            text.push_str(&table(columns, &items, session.now, terminal_width()));
        }
    }
    let grants = deployment.pointer("/state/grants").and_then(Value::as_object).into_iter().flatten();
    let grants: Vec<String> =
        grants.map(|(name, patterns)| format!("  {}  {}\n", plain(&name.as_str().into()), words(patterns))).collect();
    if !grants.is_empty() {
        text.push_str(&format!("\ngrants\n{}", grants.concat()));
    }
    text
}

/// The collection, queue, topic, … of a trigger.
fn of_what(trigger: &mut Value) {
    let names = ["collection", "schedule", "topic", "queue", "secret", "source", "about_script"];
    let of = names
        .into_iter()
        .find_map(|name| trigger.get(name).or_else(|| trigger.get("rule")?.get(name)).filter(|of| !of.is_null()));
    let of = of.cloned().unwrap_or_default();
    if let Some(trigger) = trigger.as_object_mut() {
        trigger.insert("of".to_owned(), of);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_trigger_is_told_by_what_it_is_about() {
        for (mut trigger, of) in [
            (json!({ "rule": { "queue": "orders", "topic": null } }), json!("orders")),
            (json!({ "schedule": "0 * * * * *" }), json!("0 * * * * *")),
            (json!({ "rule": {} }), Value::Null),
        ] {
            of_what(&mut trigger);
            assert_eq!(trigger["of"], of);
        }
    }

    #[test]
    fn what_runs_is_marked() {
        for (active, shown) in [(true, "*"), (false, " ")] {
            let mut deployment = json!({ "active": active });
            mark(&mut deployment);
            assert_eq!(deployment["active"], shown);
        }
    }
}
