//! `picloud keys list`, `create` and `delete`: a person's API keys. (`keys rotate` is the operator's, about another kind of key.)

use clap::Subcommand;
use serde_json::{Map, json};

use super::api::Ask;
use super::args::{At, Page};
use super::input::{Sure, confirm};
use super::names::in_list;
use super::output::{As, Column, cell, text_at};
use super::session::{Session, Shape};
use crate::cli::failure::Result;

const COLUMNS: &[Column] = &[
    Column("NAME", "/name", As::Text),
    Column("PREFIX", "/prefix", As::Text),
    Column("SCOPES", "/scopes", As::Words),
    Column("APP", "/app_id", As::Text),
    Column("USED", "/last_used_at", As::Age),
    Column("ENDS", "/expires_at", As::Age),
    Column("ID", "/id", As::Text),
];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Keys {
    /// List one's API keys.
    #[command(after_help = example!(node: "picloud keys list"))]
    List {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        page: Page,
    },
    /// Make an API key; its token is printed once.
    #[command(after_help = example!(node:
        "picloud keys create ci --scopes script:read,script:write --for shop --expires-at 2026-12-31T23:59:59Z",
        "picloud keys create ci --scopes script:write --json | jq -r .token > token"))]
    Create {
        #[command(flatten)]
        at: At,
        /// What it is for.
        name: String,
        /// What it may do of what its owner may: script:read, script:write, route:write, domain:manage, log:read, app:admin,
        /// instance:admin.
        #[arg(long, value_delimiter = ',', required = true)]
        scopes: Vec<String>,
        /// Good for this app alone, by id or slug.
        #[arg(long = "for", value_name = "APP")]
        app: Option<String>,
        /// When it ends, such as 2026-12-31T23:59:59Z [default: never].
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// Delete an API key; it ends at once.
    #[command(after_help = example!(node: "picloud keys delete ci --yes"))]
    Delete {
        #[command(flatten)]
        at: At,
        /// Id or name of the key.
        key: String,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(keys: Keys) -> Result<()> {
    match keys {
        Keys::List { at, page } => Session::open(&at)?.list(&of, &Shape::new(COLUMNS, "there is no API key"), &page).await,
        Keys::Create { at, name, scopes, app, expires_at } => {
            let session = Session::open(&at)?;
            let mut body = Map::from_iter([("name".to_owned(), json!(name)), ("scopes".to_owned(), json!(scopes))]);
            let said = [("app_id", app), ("expires_at", expires_at)];
            body.extend(said.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?.into()))));
            let told = session.tell(Ask::post(&["admin", "api-keys"]).json(&body)?, |key| {
                format!("{}\n  shown this once: keep it, as PICLOUD_TOKEN for example\n", text_at(key, "/token"))
            });
            told.await
        }
        Keys::Delete { at, key, yes } => {
            let session = Session::open(&at)?;
            let id = in_list(&session, "API key", &of, "name", &key).await?;
            confirm(&format!("Delete the API key {}", cell(&key)), Sure::from(yes))?;
            session.done(Ask::delete(&["admin", "api-keys", &id]), &format!("The API key {} is gone.", cell(&key))).await
        }
    }
}

fn of() -> Ask {
    Ask::get(&["admin", "api-keys"])
}
