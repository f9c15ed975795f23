//! `picloud dead-letters`.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::api::Ask;
use super::args::{InApp, Page};
use super::input::{Sure, confirm};
use super::names;
use super::output::{As, Column, cell, fields, text_at};
use super::session::{Session, Shape};
use crate::cli::failure::{Exit, Failure, Result};

const COLUMNS: &[Column] = &[
    Column("ID", "/id", As::Text),
    Column("SOURCE", "/event/source", As::Text),
    Column("DIED", "/dead_at", As::Age),
    Column("ATTEMPTS", "/attempts", As::Count),
    Column("REASON", "/reason", As::Text),
    Column("ERROR", "/last_error/message", As::Text),
    Column("RESOLVED", "/resolved/at", As::Age),
];
const FIELDS: &[Column] = &[
    Column("id", "/id", As::Text),
    Column("reason", "/reason", As::Text),
    Column("died", "/dead_at", As::Age),
    Column("attempts", "/attempts", As::Text),
    Column("error", "/last_error/message", As::Text),
    Column("in", "/last_error/script", As::Text),
    Column("line", "/last_error/line", As::Text),
    Column("event", "/event", As::Text),
    Column("trigger", "/trigger_id", As::Text),
    Column("script", "/script_id", As::Text),
    Column("replayed as", "/replayed_as", As::Text),
    Column("resolved", "/resolved/reason", As::Text),
];
const ATTEMPTS: &[Column] = &[
    Column("ATTEMPT", "/number", As::Count),
    Column("BEGAN", "/started_at", As::Age),
    Column("TOOK", "/wall_us", As::Took),
    Column("VERSION", "/version", As::Count),
    Column("OUTCOME", "/outcome", As::Text),
    Column("ERROR", "/error/message", As::Text),
];

/// Which of them.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Filter {
    /// Of events from here: kv, docs, files, cron, pubsub, queue, email, http, invoke.
    #[arg(long)]
    source: Option<String>,
    /// Of this trigger, by id.
    #[arg(long, value_name = "ID")]
    trigger: Option<String>,
    /// Of this script, by id or name.
    #[arg(long)]
    script: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DeadLetters {
    /// List what failed for good, newest first.
    #[command(after_help = example!(app: "picloud dead-letters list --unresolved --app shop"))]
    List {
        #[command(flatten)]
        place: InApp,
        /// Only what nobody said is done.
        #[arg(long)]
        unresolved: bool,
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        page: Page,
    },
    /// Show one with every attempt.
    #[command(after_help = example!(app: "picloud dead-letters get 01990a6e-cccc-7a10-8f3c-5e2d1c0b9a88 --app shop"))]
    Get {
        #[command(flatten)]
        place: InApp,
        /// Id of the letter.
        letter: String,
    },
    /// Deliver the same event again: one, or all of some.
    #[command(after_help = example!(app:
        "picloud dead-letters replay 01990a6e-cccc-7a10-8f3c-5e2d1c0b9a88 --app shop",
        "picloud dead-letters replay --all --script bill --app shop --yes"))]
    Replay {
        #[command(flatten)]
        place: InApp,
        /// Id of the letter.
        #[arg(required_unless_present = "all", conflicts_with_all = ["all", "source", "trigger", "script"])]
        letter: Option<String>,
        /// Every unresolved one that the filters leave.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        filter: Filter,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
    /// Say that one is done.
    #[command(after_help = example!(app:
        "picloud dead-letters resolve 01990a6e-cccc-7a10-8f3c-5e2d1c0b9a88 --reason 'refunded by hand' --app shop"))]
    Resolve {
        #[command(flatten)]
        place: InApp,
        /// Id of the letter.
        letter: String,
        /// Why, for people.
        #[arg(long)]
        reason: String,
    },
    /// Count them.
    #[command(after_help = example!(app: "picloud dead-letters count --app shop"))]
    Count {
        #[command(flatten)]
        place: InApp,
    },
}

pub(super) async fn run(letters: DeadLetters) -> Result<()> {
    match letters {
        DeadLetters::List { place, unresolved, filter, page } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let filter = chosen(&session, &place, filter).await?;
            let ask = || {
                let ask = of(&app, &[]).maybe("unresolved", unresolved.then_some("true"));
                filter.iter().fold(ask, |ask, (name, value)| ask.maybe(name, value.as_str()))
            };
            session.list(&ask, &Shape::new(COLUMNS, "there is no dead letter"), &page).await
        }
        DeadLetters::Get { place, letter } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            session.tell(of(&app, &[&letter]), |found| shown(&session, found)).await
        }
        DeadLetters::Replay { place, letter: Some(letter), .. } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let ask = Ask::post(&["admin", "apps", &app, "dead_letters", &letter, "replay"]);
            session.tell(ask, |made| format!("It is delivered again (delivery {}).\n", text_at(made, "/delivery_id"))).await
        }
        DeadLetters::Replay { place, letter: None, filter, yes, .. } => replay_all(&place, filter, yes).await,
        DeadLetters::Resolve { place, letter, reason } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let ask =
                Ask::post(&["admin", "apps", &app, "dead_letters", &letter, "resolve"]).json(&json!({ "reason": reason }))?;
            session.tell(ask, |_| format!("The dead letter {} is resolved.\n", cell(&letter))).await
        }
        DeadLetters::Count { place } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let told = session.tell(of(&app, &["count"]), |count| {
                format!("{} unresolved of {}\n", text_at(count, "/unresolved"), text_at(count, "/all"))
            });
            told.await
        }
    }
}

/// Piece by piece, as many as a request takes, until none is left.
async fn replay_all(place: &InApp, filter: Filter, yes: bool) -> Result<()> {
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let filter = chosen(&session, place, filter).await?;
    confirm("Deliver all of these again", Sure::from(yes))?;
    let mut all = Map::new();
    loop {
        let ask = Ask::post(&["admin", "apps", &app, "dead_letters", "replay"]).json(&filter)?;
        let answer = session.api.ask(ask).await?.value()?;
        let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
        for name in ["replayed", "trigger_gone"] {
            let before = all.get(name).and_then(Value::as_u64).unwrap_or(0);
            all.insert(name.to_owned(), before.saturating_add(count(name)).into());
        }
        let is_more = answer.get("more") == Some(&Value::Bool(true));
        if is_more && count("replayed") == 0 {
            return Err(Failure::new(Exit::Other, "there are more, and none could be delivered again"));
        }
        if !is_more {
            break;
        }
    }
    all.insert("more".to_owned(), false.into());
    let all = Value::Object(all);
    if session.json {
        return session.print_json(&all);
    }
    let (replayed, gone) = (text_at(&all, "/replayed"), text_at(&all, "/trigger_gone"));
    crate::cli::terminal::print(&format!("{replayed} are delivered again; of {gone} the trigger is gone.\n"));
    Ok(())
}

/// The filters that were given, as the API calls them.
async fn chosen(session: &Session, place: &InApp, filter: Filter) -> Result<Map<String, Value>> {
    let script = match filter.script {
        Some(script) => Some(names::script(session, place, &script).await?.id),
        None => None,
    };
    let given = [("source", filter.source), ("trigger_id", filter.trigger), ("script_id", script)];
    Ok(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect())
}

fn of(app: &str, more: &[&str]) -> Ask {
    let segments: Vec<&str> = ["admin", "apps", app, "dead_letters"].into_iter().chain(more.iter().copied()).collect();
    Ask::get(&segments)
}

fn shown(session: &Session, letter: &Value) -> String {
    let attempts = letter.get("attempt_log").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let table = super::output::table(ATTEMPTS, attempts, session.now, super::output::terminal_width());
    format!("{}\n{table}", fields(FIELDS, letter, session.now))
}
