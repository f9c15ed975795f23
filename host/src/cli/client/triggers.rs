//! `picloud triggers`.

use clap::{Subcommand, ValueEnum};
use hyper::Method;
use serde_json::{Map, Value, json};

use super::api::Ask;
use super::args::{InApp, Page};
use super::input::{Sure, confirm};
use super::names;
use super::output::{As, Column, cell, plain};
use super::session::{Session, Shape};
use crate::cli::failure::{Exit, Failure, Result};

const COLUMNS: &[Column] = &[
    Column("ID", "/id", As::Text),
    Column("KIND", "/kind", As::Text),
    Column("ON", "/on", As::Text),
    Column("STATE", "/state", As::Text),
    Column("OK", "/counts/succeeded", As::Count),
    Column("FAILED", "/counts/failed", As::Count),
    Column("DEAD", "/counts/dead", As::Count),
    Column("LAST", "/counts/last_at", As::Age),
    Column("SCRIPT", "/script_id", As::Text),
];

/// What has a script run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Kind {
    /// A time: ON is a cron expression.
    Cron,
    /// A change of an entry: ON is a collection, a prefix that ends in `*`, or `*`.
    Kv,
    /// A change of a document: ON is a collection.
    Docs,
    /// A change of a file: ON is a collection.
    Files,
    /// A message of a queue: ON is its name.
    Queue,
    /// A message on a topic: ON is a topic, or a pattern of topics.
    Pubsub,
    /// Mail that comes in: ON is the name of the secret that signs it.
    Email,
    /// A delivery that failed for good; no ON.
    DeadLetter,
}

impl Kind {
    /// Its name in the API, and which of its fields ON is.
    fn words(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Cron => ("cron", Some("schedule")),
            Self::Kv => ("kv", Some("collection")),
            Self::Docs => ("docs", Some("collection")),
            Self::Files => ("files", Some("collection")),
            Self::Queue => ("queue", Some("queue")),
            Self::Pubsub => ("pubsub", Some("topic")),
            Self::Email => ("email", Some("secret")),
            Self::DeadLetter => ("dead_letter", None),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Triggers {
    /// List the triggers of an app, oldest first.
    #[command(after_help = example!(app: "picloud triggers list --kind cron --app shop"))]
    List {
        #[command(flatten)]
        place: InApp,
        /// Of this kind.
        #[arg(long, value_enum)]
        kind: Option<Kind>,
        /// Of this script, by id or name.
        #[arg(long)]
        script: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Have a script run on events.
    #[command(after_help = example!(app:
        "picloud triggers add cron tick '0 */5 * * * *' --timezone Europe/Berlin --app shop",
        "picloud triggers add kv index users --ops insert,update --app shop",
        "picloud triggers add queue bill orders --max-attempts 10 --app shop",
        "picloud triggers add dead-letter mourn --app shop"))]
    Add(Add),
    /// Have a trigger run its script again.
    #[command(after_help = example!(app: "picloud triggers enable 01990a6e-aaaa-7a10-8f3c-5e2d1c0b9a88 --app shop"))]
    Enable {
        #[command(flatten)]
        place: InApp,
        /// Id of the trigger.
        trigger: String,
    },
    /// Have a trigger do nothing for now.
    #[command(after_help = example!(app: "picloud triggers disable 01990a6e-aaaa-7a10-8f3c-5e2d1c0b9a88 --app shop"))]
    Disable {
        #[command(flatten)]
        place: InApp,
        /// Id of the trigger.
        trigger: String,
    },
    /// Delete a trigger.
    #[command(after_help = example!(app: "picloud triggers delete 01990a6e-aaaa-7a10-8f3c-5e2d1c0b9a88 --app shop --yes"))]
    Delete {
        #[command(flatten)]
        place: InApp,
        /// Id of the trigger.
        trigger: String,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Add {
    #[command(flatten)]
    place: InApp,
    /// What the events are.
    #[arg(value_enum)]
    kind: Kind,
    /// Id or name of the script that runs.
    script: String,
    /// Which of them: as KIND says.
    on: Option<String>,
    /// Zone of a cron expression, such as Europe/Berlin [default: UTC].
    #[arg(long)]
    timezone: Option<String>,
    /// Which changes, of insert, update, delete [default: all].
    #[arg(long, value_delimiter = ',')]
    ops: Option<Vec<String>>,
    /// Attempts, the first included.
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,
    /// How waits grow between attempts.
    #[arg(long, value_parser = ["exponential", "linear", "constant"])]
    backoff: Option<String>,
    /// The wait after the first attempt, ms.
    #[arg(long, value_name = "MS")]
    base_delay_ms: Option<u32>,
    /// The longest wait, ms.
    #[arg(long, value_name = "MS")]
    max_delay_ms: Option<u32>,
}

pub(super) async fn run(triggers: Triggers) -> Result<()> {
    match triggers {
        Triggers::List { place, kind, script, page } => list(&place, kind, script, &page).await,
        Triggers::Add(add) => self::add(add).await,
        Triggers::Enable { place, trigger } => switch(&place, &trigger, Value::Bool(true)).await,
        Triggers::Disable { place, trigger } => switch(&place, &trigger, Value::Bool(false)).await,
        Triggers::Delete { place, trigger, yes } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            confirm(&format!("Delete the trigger {}", cell(&trigger)), Sure::from(yes))?;
            let ask = Ask::delete(&["admin", "apps", &app, "triggers", &trigger]);
            session.done(ask, &format!("The trigger {} is gone.", cell(&trigger))).await
        }
    }
}

async fn list(place: &InApp, kind: Option<Kind>, script: Option<String>, page: &Page) -> Result<()> {
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let script = match script {
        Some(script) => Some(names::script(&session, place, &script).await?.id),
        None => None,
    };
    let kind = kind.map(|kind| kind.words().0);
    let ask = || Ask::get(&["admin", "apps", &app, "triggers"]).maybe("kind", kind).maybe("script_id", script.as_deref());
    session.list(&ask, &Shape::new(COLUMNS, "there is no trigger").seeing(with_on), page).await
}

/// With what each kind listens to at one place.
fn with_on(trigger: &mut Value) {
    let kinds = Kind::value_variants().iter().map(|kind| kind.words());
    let kind = trigger.get("kind").and_then(Value::as_str).unwrap_or_default();
    let field = kinds.into_iter().find(|(word, _)| *word == kind).and_then(|(_, field)| field);
    let on = field.and_then(|field| trigger.get(field)).map(plain);
    if let (Some(on), Some(trigger)) = (on, trigger.as_object_mut()) {
        trigger.insert("on".to_owned(), on.into());
    }
}

async fn add(add: Add) -> Result<()> {
    let (session, app) = (Session::open(&add.place.at)?, add.place.app()?);
    let (word, _) = add.kind.words();
    let script = names::script(&session, &add.place, &add.script).await?;
    let body = body(&add, &script.id)?;
    let ask = Ask::post(&["admin", "apps", &app, "triggers", word]).json(&body)?;
    let told = session.tell(ask, |trigger| {
        format!("{} runs on {word} from now on (trigger {})\n", cell(&script.named), super::output::text_at(trigger, "/id"))
    });
    told.await
}

/// What was said; the rest is the API's to choose.
fn body(add: &Add, script: &str) -> Result<Map<String, Value>> {
    let mut body = Map::new();
    body.insert("script_id".to_owned(), script.into());
    let (word, field) = add.kind.words();
    match (field, &add.on) {
        (Some(field), Some(on)) => body.insert(field.to_owned(), on.as_str().into()),
        (None, None) => None,
        (Some(field), None) => return Err(Failure::new(Exit::Usage, format!("which {field}? It comes after the script"))),
        (None, Some(_)) => return Err(Failure::new(Exit::Usage, format!("{word} takes nothing after the script"))),
    };
    let said = [
        ("timezone", json!(add.timezone)),
        ("ops", json!(add.ops)),
        ("max_attempts", json!(add.max_attempts)),
        ("backoff", json!(add.backoff)),
        ("base_delay_ms", json!(add.base_delay_ms)),
        ("max_delay_ms", json!(add.max_delay_ms)),
    ];
    body.extend(said.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)));
    Ok(body)
}

async fn switch(place: &InApp, trigger: &str, on: Value) -> Result<()> {
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let ask = Ask::new(Method::PATCH, &["admin", "apps", &app, "triggers", trigger]).json(&json!({ "enabled": on }))?;
    let told =
        session.tell(ask, |found| format!("The trigger {} is {}.\n", cell(trigger), super::output::text_at(found, "/state")));
    told.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_with_what_it_listens_to() {
        for kind in Kind::value_variants() {
            let (word, field) = kind.words();
            let mut trigger = json!({ "kind": word });
            if let Some(field) = field {
                trigger[field] = json!("it");
            }
            with_on(&mut trigger);
            assert_eq!(trigger.get("on").is_some(), field.is_some(), "{word}");
        }
        let mut unknown = json!({ "kind": "novel" });
        with_on(&mut unknown);
        assert_eq!(unknown, json!({ "kind": "novel" }));
    }
}
