//! `picloud docs`.

use clap::Subcommand;
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::api::{Ask, not_a_node};
use super::args::{InApp, Page};
use super::input::{self, Sure, confirm};
use super::kv::{collections, list, only_if, part, revision, show_json};
use super::output::{As, Column, cell, text_at};
use super::session::{Session, Shape};
use crate::cli::failure::Result;

const DOCUMENTS: &[Column] = &[
    Column("ID", "/id", As::Text),
    Column("DATA", "/data", As::Text),
    Column("CHANGED", "/updated_at", As::Age),
    Column("REVISION", "/revision", As::Count),
];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Docs {
    /// Find documents of a collection by a filter; without a collection, list the collections.
    #[command(after_help = example!(app:
        "picloud docs list --app shop",
        "picloud docs list orders --app shop",
        "picloud docs list orders --filter '{\"paid\": false, \"$sort\": \"-total\"}' --app shop"))]
    List {
        #[command(flatten)]
        place: InApp,
        /// The collection.
        collection: Option<String>,
        /// A filter as scripts write it, in JSON; instead of `$limit` there is --limit.
        #[arg(long, requires = "collection", value_name = "JSON")]
        filter: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Print the data of a document.
    #[command(after_help = example!(app:
        "picloud docs get orders order-17 --app shop",
        "picloud docs get orders order-17 --json"))]
    Get {
        #[command(flatten)]
        place: InApp,
        #[command(flatten)]
        document: Named,
    },
    /// Make a document.
    #[command(after_help = example!(app:
        "picloud docs create orders '{\"total\": 41.5, \"paid\": false}' --id order-17 --app shop",
        "picloud docs create orders @order.json --app shop"))]
    Create {
        #[command(flatten)]
        place: InApp,
        /// The collection.
        collection: String,
        /// The data, a map: JSON, `@FILE`, or `-` for standard input.
        #[arg(default_value = "-")]
        data: String,
        /// Its id [default: a new UUID].
        #[arg(long)]
        id: Option<String>,
    },
    /// Put other data in place of a document's.
    #[command(after_help = example!(app:
        "picloud docs update orders order-17 '{\"total\": 41.5, \"paid\": true}' --app shop",
        "picloud docs get orders order-17 | jq '.total = 3' | picloud docs update orders order-17"))]
    Update {
        #[command(flatten)]
        place: InApp,
        #[command(flatten)]
        change: Change,
    },
    /// Merge a change into a document's data: maps are merged, null takes away, anything else replaces (RFC 7396).
    #[command(after_help = example!(app:
        "picloud docs patch orders order-17 '{\"paid\": true, \"note\": null}' --app shop"))]
    Patch {
        #[command(flatten)]
        place: InApp,
        #[command(flatten)]
        change: Change,
    },
    /// Delete a document.
    #[command(after_help = example!(app: "picloud docs delete orders order-17 --app shop --yes"))]
    Delete {
        #[command(flatten)]
        place: InApp,
        #[command(flatten)]
        document: Named,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
}

/// Which document.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Named {
    /// The collection.
    collection: String,
    /// Id of the document.
    id: String,
}

/// Which document, and what becomes of it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Change {
    #[command(flatten)]
    document: Named,
    /// The data, a map: JSON, `@FILE`, or `-` for standard input.
    #[arg(default_value = "-")]
    data: String,
    /// Only if this revision is there.
    #[arg(long, value_name = "N", value_parser = revision)]
    if_revision: Option<String>,
}

/// A document as it is sent, digit for digit.
#[derive(Debug, Serialize)]
struct Sent {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    data: Box<RawValue>,
}

/// The data of a document as it came.
#[derive(Debug, Deserialize)]
struct Found {
    data: Box<RawValue>,
}

impl Named {
    fn ask(&self, method: Method, app: &str) -> Result<Ask> {
        let (collection, id) = (part("collection", &self.collection)?, part("document", &self.id)?);
        Ok(Ask::new(method, &["admin", "apps", app, "docs", collection, id]))
    }
}

pub(super) async fn run(docs: Docs) -> Result<()> {
    match docs {
        Docs::List { place, collection: None, page, .. } => collections(&place, "docs", &page).await,
        Docs::List { place, collection: Some(collection), filter, page } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let collection = part("collection", &collection)?;
            let ask = || Ask::get(&["admin", "apps", &app, "docs", collection]).maybe("filter", filter.as_deref());
            list(&session, &ask, &Shape::new(DOCUMENTS, "there is no such document"), &page, "data").await
        }
        Docs::Get { place, document } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let reply = session.api.ask(document.ask(Method::GET, &app)?).await?;
            if session.json {
                session.as_it_came(&reply);
                return Ok(());
            }
            let found: Found = serde_json::from_slice(&reply.body).map_err(|_| not_a_node())?;
            show_json(found.data.get());
            Ok(())
        }
        Docs::Create { place, collection, data, id } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let collection = part("collection", &collection)?;
            if let Some(id) = &id {
                part("document", id)?;
            }
            let ask = Ask::post(&["admin", "apps", &app, "docs", collection]).json(&Sent { id, data: input::json(&data)? })?;
            let told =
                |made: &_| format!("The document {} is there (revision {}).\n", text_at(made, "/id"), text_at(made, "/revision"));
            session.tell(ask, told).await
        }
        Docs::Update { place, change } => changed(&place, Method::PUT, change).await,
        Docs::Patch { place, change } => changed(&place, Method::PATCH, change).await,
        Docs::Delete { place, document, yes } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let ask = document.ask(Method::DELETE, &app)?;
            let named = cell(&document.id);
            confirm(&format!("Delete the document {named} of {}", cell(&document.collection)), Sure::from(yes))?;
            session.done(ask, &format!("The document {named} is gone.")).await
        }
    }
}

async fn changed(place: &InApp, method: Method, change: Change) -> Result<()> {
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let ask = change.document.ask(method, &app)?.json(&Sent { id: None, data: input::json(&change.data)? })?;
    let ask = only_if(ask, change.if_revision.as_deref())?;
    let named = cell(&change.document.id);
    session.tell(ask, |now| format!("The document {named} is changed (revision {}).\n", text_at(now, "/revision"))).await
}
