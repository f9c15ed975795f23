//! `picloud restrictions`: what the owner of the instance keeps an app from.

use clap::Subcommand;
use hyper::Method;
use serde_json::json;

use super::api::Ask;
use super::args::InApp;
use super::input::{Sure, confirm};
use super::output::{As, Column, cell};
use super::session::Session;
use crate::cli::failure::Result;

const FIELDS: &[Column] =
    &[Column("capabilities", "/capabilities", As::Words), Column("kinds of triggers", "/trigger_kinds", As::Words)];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Restrictions {
    /// Show what an app is kept from, whatever it grants itself.
    #[command(after_help = example!(app: "picloud restrictions get --app shop"))]
    Get {
        #[command(flatten)]
        place: InApp,
    },
    /// Say anew what an app is kept from; what it has of that ends at once. For who manages the instance.
    #[command(after_help = example!(app:
        "picloud restrictions set --capability http --capability email --app shop",
        "picloud restrictions set --capability http --trigger-kind email --app shop --yes",
        "picloud restrictions set --none --app shop"))]
    Set {
        #[command(flatten)]
        place: InApp,
        /// What it may not grant: kv, docs, files, http, invoke, secrets, queue, pubsub, dead_letters or email.
        #[arg(long = "capability", value_name = "NAME", required_unless_present_any = ["trigger_kinds", "none"])]
        capabilities: Vec<String>,
        /// What it may not have running: cron, dead_letter, docs, email, files, kv, pubsub or queue.
        #[arg(long = "trigger-kind", value_name = "KIND")]
        trigger_kinds: Vec<String>,
        /// Nothing at all.
        #[arg(long, conflicts_with_all = ["capabilities", "trigger_kinds"])]
        none: bool,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(restrictions: Restrictions) -> Result<()> {
    let (place, change) = match restrictions {
        Restrictions::Get { place } => (place, None),
        Restrictions::Set { place, capabilities, trigger_kinds, none: _, yes } => {
            (place, Some((capabilities, trigger_kinds, Sure::from(yes))))
        }
    };
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let path = ["admin", "apps", &app, "restrictions"];
    let ask = match change {
        Some((capabilities, trigger_kinds, sure)) => {
            let triggers = trigger_kinds.iter().map(|kind| format!("{} triggers", cell(kind)));
            let from: Vec<String> = capabilities.iter().map(|name| cell(name)).chain(triggers).collect();
            if !from.is_empty() {
                let what = format!("Keep {} from {}; what it has of that ends at once", cell(&app), from.join(", "));
                confirm(&what, sure)?;
            }
            Ask::new(Method::PUT, &path).json(&json!({ "capabilities": capabilities, "trigger_kinds": trigger_kinds }))?
        }
        None => Ask::get(&path),
    };
    session.show(ask, FIELDS).await
}
