//! `picloud queues` and `picloud topics`.

use clap::Subcommand;
use serde::Serialize;
use serde_json::value::RawValue;

use super::api::Ask;
use super::args::{InApp, Page};
use super::input::{self, Sure, confirm};
use super::output::{As, Column, cell, text_at};
use super::session::{Session, Shape};
use crate::cli::failure::Result;

const QUEUES: &[Column] = &[
    Column("NAME", "/name", As::Text),
    Column("WAITING", "/waiting", As::Count),
    Column("DELAYED", "/delayed", As::Count),
    Column("CLAIMED", "/claimed", As::Count),
    Column("DEAD", "/dead", As::Count),
    Column("TRIGGER", "/trigger_id", As::Text),
];
const TOPICS: &[Column] = &[
    Column("NAME", "/name", As::Text),
    Column("PUBLISHED", "/published", As::Count),
    Column("UNMATCHED", "/unmatched", As::Count),
    Column("TRIGGERS", "/triggers", As::Count),
    Column("LAST", "/last_at", As::Age),
];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Queues {
    /// List the queues of an app, with what waits in them.
    #[command(after_help = example!(app: "picloud queues list --app shop"))]
    List {
        #[command(flatten)]
        place: InApp,
        #[command(flatten)]
        page: Page,
    },
    /// Put a message into a queue.
    #[command(after_help = example!(app:
        "picloud queues send orders '{\"id\": 17}' --app shop",
        "picloud queues send orders @order.json --delay-s 60 --dedup-key order-17 --app shop"))]
    Send {
        #[command(flatten)]
        place: InApp,
        /// Name of the queue.
        queue: String,
        /// The message: JSON, `@FILE`, or `-` for standard input.
        message: String,
        /// Not before so many seconds.
        #[arg(long, value_name = "N")]
        delay_s: Option<i64>,
        /// The message is not sent again while this key is remembered.
        #[arg(long, value_name = "KEY")]
        dedup_key: Option<String>,
    },
    /// Throw away what waits in a queue.
    #[command(after_help = example!(app: "picloud queues purge orders --app shop --yes"))]
    Purge {
        #[command(flatten)]
        place: InApp,
        /// Name of the queue.
        queue: String,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Topics {
    /// List the topics of an app.
    #[command(after_help = example!(app: "picloud topics list --app shop"))]
    List {
        #[command(flatten)]
        place: InApp,
        #[command(flatten)]
        page: Page,
    },
    /// Send a message to every subscriber of a topic.
    #[command(after_help = example!(app:
        "picloud topics publish orders.paid '{\"id\": 17}' --app shop",
        "picloud topics publish orders.paid - --app shop < order.json"))]
    Publish {
        #[command(flatten)]
        place: InApp,
        /// The topic.
        topic: String,
        /// The message: JSON, `@FILE`, or `-` for standard input.
        message: String,
    },
}

/// A message as it is sent, digit for digit.
#[derive(Debug, Serialize)]
struct Message {
    message: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_s: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dedup_key: Option<String>,
}

pub(super) async fn run(queues: Queues) -> Result<()> {
    match queues {
        Queues::List { place, page } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let ask = || Ask::get(&["admin", "apps", &app, "queues"]);
            session.list(&ask, &Shape::new(QUEUES, "there is no queue"), &page).await
        }
        Queues::Send { place, queue, message, delay_s, dedup_key } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let body = Message { message: input::json(&message)?, delay_s, dedup_key };
            let ask = Ask::post(&["admin", "apps", &app, "queues", &queue, "messages"]).json(&body)?;
            session.tell(ask, |sent| format!("Sent to {} (event {}).\n", cell(&queue), text_at(sent, "/id"))).await
        }
        Queues::Purge { place, queue, yes } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            confirm(&format!("Throw away every message of the queue {}", cell(&queue)), Sure::from(yes))?;
            let ask = Ask::post(&["admin", "apps", &app, "queues", &queue, "purge"]);
            session.tell(ask, |purged| format!("Messages thrown away: {}\n", text_at(purged, "/purged"))).await
        }
    }
}

pub(super) async fn topics(topics: Topics) -> Result<()> {
    match topics {
        Topics::List { place, page } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let ask = || Ask::get(&["admin", "apps", &app, "topics"]);
            session.list(&ask, &Shape::new(TOPICS, "there is no topic"), &page).await
        }
        Topics::Publish { place, topic, message } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let body = Message { message: input::json(&message)?, delay_s: None, dedup_key: None };
            let ask = Ask::post(&["admin", "apps", &app, "topics", &topic, "messages"]).json(&body)?;
            session.tell(ask, |sent| format!("Published on {} (event {}).\n", cell(&topic), text_at(sent, "/id"))).await
        }
    }
}
