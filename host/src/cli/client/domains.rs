//! `picloud domains`.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::api::Ask;
use super::args::{InApp, Page};
use super::input::{Sure, confirm};
use super::names::in_list;
use super::output::{As, Column, cell, text_at};
use super::session::{Session, Shape};
use crate::cli::failure::Result;

const COLUMNS: &[Column] = &[
    Column("HOST", "/host", As::Text),
    Column("STATE", "/state", As::Text),
    Column("PROVEN BY", "/proven_by", As::Text),
    Column("MADE", "/created_at", As::Age),
    Column("ID", "/id", As::Text),
];

/// How a host is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Method {
    /// A TXT record.
    Dns,
    /// A file at the host.
    Http,
    /// The word of an owner of the instance.
    Operator,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Domains {
    /// List the host names of an app.
    #[command(after_help = example!(app: "picloud domains list --app shop"))]
    List {
        #[command(flatten)]
        place: InApp,
        #[command(flatten)]
        page: Page,
    },
    /// Claim a host name, and say how to prove it.
    #[command(after_help = example!(app: "picloud domains add shop.example.com --app shop"))]
    Add {
        #[command(flatten)]
        place: InApp,
        /// A name, or `*.` and one.
        host: String,
    },
    /// Look for the proof; from then on the app answers there.
    #[command(after_help = example!(app:
        "picloud domains verify shop.example.com --app shop",
        "picloud domains verify shop.example.com --by http --app shop"))]
    Verify {
        #[command(flatten)]
        place: InApp,
        /// The host, or the id of its domain.
        host: String,
        /// Which proof.
        #[arg(long, value_enum, default_value_t = Method::Dns)]
        by: Method,
    },
    /// Give a host name up.
    #[command(after_help = example!(app: "picloud domains delete shop.example.com --app shop --yes"))]
    Delete {
        #[command(flatten)]
        place: InApp,
        /// The host, or the id of its domain.
        host: String,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
}

impl Method {
    fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Http => "http",
            Self::Operator => "operator",
        }
    }
}

pub(super) async fn run(domains: Domains) -> Result<()> {
    match domains {
        Domains::List { place, page } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            session.list(&|| of(&app), &Shape::new(COLUMNS, "there is no domain"), &page).await
        }
        Domains::Add { place, host } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let ask = Ask::post(&["admin", "apps", &app, "domains"]).json(&json!({ "host": host }))?;
            session.tell(ask, how_to_prove).await
        }
        Domains::Verify { place, host, by } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let id = in_list(&session, "domain", &|| of(&app), "host", &host).await?;
            let ask = Ask::post(&["admin", "apps", &app, "domains", &id, "verify"]).json(&json!({ "method": by.as_str() }))?;
            session.tell(ask, |domain| format!("{} is proven: the app answers there.\n", text_at(domain, "/host"))).await
        }
        Domains::Delete { place, host, yes } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let id = in_list(&session, "domain", &|| of(&app), "host", &host).await?;
            confirm(&format!("Give up {}", cell(&host)), Sure::from(yes))?;
            let ask = Ask::delete(&["admin", "apps", &app, "domains", &id]);
            session.done(ask, &format!("{} is given up.", cell(&host))).await
        }
    }
}

fn of(app: &str) -> Ask {
    Ask::get(&["admin", "apps", app, "domains"])
}

fn how_to_prove(domain: &Value) -> String {
    let at = |pointer: &str| text_at(domain, pointer);
    let host = at("/host");
    let mut text = format!("{host} is claimed. Prove it in one of these ways:\n");
    text.push_str(&format!("  DNS   a TXT record {} that says {}\n", at("/proofs/dns/name"), at("/proofs/dns/value")));
    text.push_str(&format!("        then: picloud domains verify '{host}'\n"));
    if domain.pointer("/proofs/http/url").is_some() {
        text.push_str(&format!("  HTTP  {} answers {}\n", at("/proofs/http/url"), at("/proofs/http/body")));
        text.push_str(&format!("        then: picloud domains verify '{host}' --by http\n"));
    }
    text
}
