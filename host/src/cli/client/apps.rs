//! `picloud apps`.

use clap::Subcommand;
use hyper::Method;
use serde_json::json;

use super::api::Ask;
use super::args::{At, InApp, Page};
use super::input::{Sure, confirm};
use super::output::{As, Column, cell, text_at};
use super::session::{Session, Shape};
use crate::cli::failure::{Exit, Result};

const COLUMNS: &[Column] = &[
    Column("SLUG", "/slug", As::Text),
    Column("NAME", "/name", As::Text),
    Column("URL", "/url", As::Text),
    Column("MADE", "/created_at", As::Age),
];
const FIELDS: &[Column] = &[
    Column("slug", "/slug", As::Text),
    Column("name", "/name", As::Text),
    Column("url", "/url", As::Text),
    Column("CORS origins", "/cors_origins", As::Words),
    Column("id", "/id", As::Text),
    Column("made", "/created_at", As::Age),
    Column("changed", "/updated_at", As::Age),
];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Apps {
    /// List the apps that one has a part in, oldest first.
    #[command(after_help = example!(node: "picloud apps list --all"))]
    List {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        page: Page,
    },
    /// Make an app.
    #[command(after_help = example!(node: "picloud apps create shop --name 'The shop'"))]
    Create {
        #[command(flatten)]
        at: At,
        /// One label of a host name: the app answers there.
        slug: String,
        /// For people; the slug if left out.
        #[arg(long)]
        name: Option<String>,
        /// Take a slug that another app had before.
        #[arg(long)]
        takeover: bool,
    },
    /// Show an app.
    #[command(after_help = example!(app: "picloud apps get --app shop"))]
    Get {
        #[command(flatten)]
        place: InApp,
    },
    /// Give an app another slug; the old one leads to it until somebody takes that.
    #[command(after_help = example!(node: "picloud apps rename shop store --name 'The store'"))]
    Rename {
        #[command(flatten)]
        at: At,
        /// Id or slug of the app.
        app: String,
        /// The new slug.
        slug: String,
        /// Another name, too.
        #[arg(long)]
        name: Option<String>,
        /// Take a slug that another app had before.
        #[arg(long)]
        takeover: bool,
    },
    /// Delete an app.
    #[command(after_help = example!(node: "picloud apps delete shop --force --yes"))]
    Delete {
        #[command(flatten)]
        at: At,
        /// Id or slug of the app.
        app: String,
        /// Also with all that it still holds: scripts, data, files, secrets.
        #[arg(long)]
        force: bool,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(apps: Apps) -> Result<()> {
    match apps {
        Apps::List { at, page } => {
            let shape = Shape::new(COLUMNS, "there is no app");
            Session::open(&at)?.list(&|| Ask::get(&["admin", "apps"]), &shape, &page).await
        }
        Apps::Create { at, slug, name, takeover } => {
            let session = Session::open(&at)?;
            let name = name.unwrap_or_else(|| slug.clone());
            let body = json!({ "slug": slug, "name": name, "takeover": takeover });
            let told = session.tell(Ask::post(&["admin", "apps"]).json(&body)?, |app| {
                format!("The app {} is there: {}\n", text_at(app, "/slug"), text_at(app, "/url"))
            });
            told.await
        }
        Apps::Get { place } => {
            let session = Session::open(&place.at)?;
            session.show(Ask::get(&["admin", "apps", &place.app()?]), FIELDS).await
        }
        Apps::Rename { at, app, slug, name, takeover } => {
            let session = Session::open(&at)?;
            let mut body = json!({ "slug": slug, "takeover": takeover });
            if let (Some(name), Some(body)) = (name, body.as_object_mut()) {
                body.insert("name".to_owned(), name.into());
            }
            let told = session.tell(Ask::new(Method::PATCH, &["admin", "apps", &app]).json(&body)?, |app| {
                format!("The app is {} now: {}\n", text_at(app, "/slug"), text_at(app, "/url"))
            });
            told.await
        }
        Apps::Delete { at, app, force, yes } => {
            let session = Session::open(&at)?;
            let all = if force { ", with all that it holds" } else { "" };
            confirm(&format!("Delete the app {}{all}", cell(&app)), Sure::from(yes))?;
            let ask = Ask::delete(&["admin", "apps", &app]).maybe("force", force.then_some("true"));
            let done = session.done(ask, &format!("The app {} is gone.", cell(&app))).await;
            done.map_err(|failure| match failure.exit() {
                Exit::Conflict => failure.hinting("--force deletes the app with all that it holds"),
                _ => failure,
            })
        }
    }
}
