//! `picloud scripts` and `picloud versions`.

use clap::Subcommand;
use serde_json::Value;

use super::api::Ask;
use super::args::{InApp, Page};
use super::input::{Sure, confirm};
use super::names;
use super::output::{As, Column, cell, fields, for_output, table, terminal_width};
use super::session::{Session, Shape};
use crate::cli::failure::Result;

const COLUMNS: &[Column] = &[
    Column("NAME", "/name", As::Text),
    Column("KIND", "/kind", As::Text),
    Column("VERSION", "/version", As::Count),
    Column("CAPABILITIES", "/capabilities", As::Words),
    Column("CHANGED", "/updated_at", As::Age),
    Column("ID", "/id", As::Text),
];
const FIELDS: &[Column] = &[
    Column("name", "/name", As::Text),
    Column("kind", "/kind", As::Text),
    Column("description", "/description", As::Text),
    Column("version", "/version", As::Text),
    Column("digest", "/digest", As::Text),
    Column("capabilities", "/capabilities", As::Words),
    Column("imports", "/imports", As::Words),
    Column("limits", "/limits", As::Text),
    Column("id", "/id", As::Text),
    Column("made", "/created_at", As::Age),
    Column("changed", "/updated_at", As::Age),
];
const USERS: &[Column] = &[
    Column("NAME", "/name", As::Text),
    Column("KIND", "/kind", As::Text),
    Column("VERSION", "/version", As::Count),
    Column("DIRECTLY", "/direct", As::Text),
    Column("ID", "/id", As::Text),
];
const VERSIONS: &[Column] = &[
    Column("VERSION", "/version", As::Count),
    Column("MADE", "/created_at", As::Age),
    Column("CAPABILITIES", "/capabilities", As::Words),
    Column("DIGEST", "/digest", As::Short),
    Column("BY", "/created_by", As::Text),
];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Scripts {
    /// List the scripts of an app, oldest first.
    #[command(after_help = example!(app: "picloud scripts list --app shop --all"))]
    List {
        #[command(flatten)]
        place: InApp,
        #[command(flatten)]
        page: Page,
    },
    /// Show a script.
    #[command(after_help = example!(app:
        "picloud scripts get visits --app shop",
        "picloud scripts get visits --source > visits.rhai"))]
    Get {
        #[command(flatten)]
        place: InApp,
        /// Id or name of the script.
        script: String,
        /// Its source alone.
        #[arg(long, conflicts_with = "json")]
        source: bool,
    },
    /// Delete a script with its versions, routes and triggers.
    #[command(after_help = example!(app: "picloud scripts delete visits --app shop --yes"))]
    Delete {
        #[command(flatten)]
        place: InApp,
        /// Id or name of the script.
        script: String,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
    /// List the scripts that a module is behind.
    #[command(after_help = example!(app: "picloud scripts used-by money --app shop"))]
    UsedBy {
        #[command(flatten)]
        place: InApp,
        /// Id or name of the module.
        script: String,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Versions {
    #[command(flatten)]
    place: InApp,
    /// Id or name of the script.
    script: String,
    #[command(flatten)]
    page: Page,
}

pub(super) async fn run(scripts: Scripts) -> Result<()> {
    match scripts {
        Scripts::List { place, page } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let ask = || Ask::get(&["admin", "scripts"]).query("app", &app);
            session.list(&ask, &Shape::new(COLUMNS, "there is no script"), &page).await
        }
        Scripts::Get { place, script, source } => {
            let session = Session::open(&place.at)?;
            let script = names::script(&session, &place, &script).await?;
            let shown = session.tell(Ask::get(&["admin", "scripts", &script.id]), |value| match source {
                true => for_output(value.get("source").and_then(Value::as_str).unwrap_or_default()),
                false => fields(FIELDS, value, session.now),
            });
            shown.await
        }
        Scripts::Delete { place, script, yes } => {
            let session = Session::open(&place.at)?;
            let script = names::script(&session, &place, &script).await?;
            let named = cell(&script.named);
            confirm(&format!("Delete the script {named} with its versions, routes and triggers"), Sure::from(yes))?;
            session.done(Ask::delete(&["admin", "scripts", &script.id]), &format!("The script {named} is gone.")).await
        }
        Scripts::UsedBy { place, script } => {
            let session = Session::open(&place.at)?;
            let script = names::script(&session, &place, &script).await?;
            let shown = session.tell(Ask::get(&["admin", "scripts", &script.id, "used_by"]), |value| {
                let users = value.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                match users {
                    [] => "No script uses it.\n".to_owned(),
                    users => table(USERS, users, session.now, terminal_width()),
                }
            });
            shown.await
        }
    }
}

pub(super) async fn versions(versions: Versions) -> Result<()> {
    let Versions { place, script, page } = versions;
    let session = Session::open(&place.at)?;
    let script = names::script(&session, &place, &script).await?;
    let ask = || Ask::get(&["admin", "scripts", &script.id, "versions"]);
    session.list(&ask, &Shape::new(VERSIONS, "there is no version"), &page).await
}
