//! `picloud members`.

use clap::{Subcommand, ValueEnum};
use hyper::Method;
use serde_json::json;

use super::api::Ask;
use super::args::{InApp, Page};
use super::input::{Sure, confirm};
use super::names::in_list;
use super::output::{As, Column, cell};
use super::session::{Session, Shape};
use crate::cli::failure::Result;

const COLUMNS: &[Column] = &[
    Column("USER NAME", "/username", As::Text),
    Column("ROLE", "/role", As::Text),
    Column("SINCE", "/created_at", As::Age),
    Column("ID", "/user_id", As::Text),
];

/// What a member may do in an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Role {
    /// Everything in the app.
    AppAdmin,
    /// Scripts, routes, and what they log.
    Editor,
    /// Looks, and changes nothing.
    Viewer,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Members {
    /// List the people of an app.
    #[command(after_help = example!(app: "picloud members list --app shop"))]
    List {
        #[command(flatten)]
        place: InApp,
        #[command(flatten)]
        page: Page,
    },
    /// Give a person a part in an app, or another one.
    #[command(after_help = example!(app: "picloud members add ada editor --app shop"))]
    Add {
        #[command(flatten)]
        place: InApp,
        /// Id of the person, or their user name (which only who manages the instance can look up).
        user: String,
        /// What they may do.
        #[arg(value_enum)]
        role: Role,
    },
    /// Take a person's part in an app away.
    #[command(after_help = example!(app: "picloud members remove ada --app shop --yes"))]
    Remove {
        #[command(flatten)]
        place: InApp,
        /// Id or user name of the person.
        user: String,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::AppAdmin => "app_admin",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }
}

pub(super) async fn run(members: Members) -> Result<()> {
    match members {
        Members::List { place, page } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            session.list(&|| of(&app), &Shape::new(COLUMNS, "there is no member"), &page).await
        }
        Members::Add { place, user, role } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let id = in_list(&session, "person", &|| Ask::get(&["admin", "users"]), "username", &user).await?;
            let ask = Ask::new(Method::PUT, &["admin", "apps", &app, "members", &id]).json(&json!({ "role": role.as_str() }))?;
            session.tell(ask, |_| format!("{} is {} of {}.\n", cell(&user), role.as_str(), cell(&app))).await
        }
        Members::Remove { place, user, yes } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let id = in_list(&session, "member", &|| of(&app), "username", &user).await?;
            confirm(&format!("Remove {} from {}", cell(&user), cell(&app)), Sure::from(yes))?;
            let ask = Ask::delete(&["admin", "apps", &app, "members", &id]);
            session.done(ask, &format!("{} has no part in {} any more.", cell(&user), cell(&app))).await
        }
    }
}

fn of(app: &str) -> Ask {
    Ask::get(&["admin", "apps", app, "members"])
}
