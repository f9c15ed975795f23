//! `picloud scripts` and `picloud versions`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::api::Ask;
use super::args::{InApp, Page};
use super::input::{Sure, confirm};
use super::names;
use super::output::{As, Column, cell, fields, for_output, table, terminal_width, text_at};
use super::plan::{changes, put_message};
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
    /// Make a stored version of a script the active one.
    #[command(after_help = example!(app: "picloud scripts activate visits 3 --app shop -m 'back to what worked'"))]
    Activate {
        #[command(flatten)]
        place: InApp,
        /// Id or name of the script.
        script: String,
        /// Number of the version.
        version: i32,
        /// Why, for whoever reads the list of deployments.
        #[arg(long, short)]
        message: Option<String>,
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
#[command(subcommand_negates_reqs = true)]
pub(in crate::cli) struct Versions {
    #[command(flatten)]
    place: InApp,
    /// Id or name of the script.
    #[arg(required = true)]
    script: Option<String>,
    #[command(flatten)]
    page: Page,
    #[command(subcommand)]
    command: Option<OfVersions>,
}

#[derive(Debug, Subcommand)]
enum OfVersions {
    /// Say what differs between two versions: the source line by line, limits, and what can be reached.
    #[command(after_help = example!(app:
        "picloud versions diff visits 3 --app shop",
        "picloud versions diff visits 3 --against 1"))]
    Diff {
        /// Id or name of the script.
        script: String,
        /// Number of the version.
        number: u32,
        /// The number of the one that it is held against [default: the active one].
        #[arg(long, value_name = "NUMBER")]
        against: Option<u32>,
    },
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
        Scripts::Activate { place, script, version, message } => {
            let session = Session::open(&place.at)?;
            let script = names::script(&session, &place, &script).await?;
            let mut body = json!({ "version": version });
            put_message(&mut body, message.as_deref());
            let ask = Ask::post(&["admin", "scripts", &script.id, "activate"]).json(&body)?.running_a_script();
            let told = session
                .tell(ask, |script| format!("{} runs version {}.\n", text_at(script, "/name"), text_at(script, "/version")));
            told.await
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
    let Versions { place, script, page, command } = versions;
    let session = Session::open(&place.at)?;
    if let Some(OfVersions::Diff { script, number, against }) = command {
        let script = names::script(&session, &place, &script).await?;
        let against = against.map(|number| number.to_string());
        let ask = Ask::get(&["admin", "scripts", &script.id, "versions", &number.to_string(), "diff"]);
        return session.tell(ask.maybe("against", against.as_deref()), changes::of_versions).await;
    }
    let script = names::script(&session, &place, &script.unwrap_or_default()).await?;
    let ask = || Ask::get(&["admin", "scripts", &script.id, "versions"]);
    session.list(&ask, &Shape::new(VERSIONS, "there is no version"), &page).await
}
