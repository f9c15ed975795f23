//! `picloud rollback`: what ran before, again.

use serde_json::{Value, json};

use super::api::{Ask, Reply};
use super::args::InApp;
use super::input::{Sure, confirm};
use super::names::has;
use super::output::{cell, text_at};
use super::plan::changes::{self, Sources};
use super::plan::{changed_meanwhile, is_about_what_runs, made, put_message};
use super::refusal::Refusal;
use super::session::Session;
use crate::cli::failure::Result;
use crate::cli::terminal::print;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Rollback {
    #[command(flatten)]
    place: InApp,
    /// Number of a deployment [default: the one that ran before].
    number: Option<i32>,
    /// Why, for whoever reads the audit log.
    #[arg(long)]
    message: Option<String>,
    /// The lines of sources that differ, too.
    #[arg(long)]
    diff: bool,
    /// Only say what would change.
    #[arg(long)]
    dry_run: bool,
    /// Ask nothing.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(rollback: Rollback) -> Result<()> {
    let Rollback { place, number, message, diff, dry_run, yes } = rollback;
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let reply = ask(&session, &app, json!({ "to": number, "dry_run": true })).await?;
    let planned = reply.value()?;
    let target = target(&session, &app, number, &planned).await?;
    let nothing = changes::list(&planned).is_empty();
    if !session.json {
        print(&match &target {
            _ if nothing => "Nothing differs: that is what runs.\n".to_owned(),
            target => format!("Back to {}\n\n{}", told(target.as_ref()), changes::told(&planned, Sources::from(diff))),
        });
    }
    if dry_run || nothing {
        if session.json {
            session.as_it_came(&reply);
        }
        return Ok(());
    }
    confirm(&format!("Put {} back to {}", cell(&app), told(target.as_ref())), Sure::from(yes))?;
    let number = number.map(Value::from).or_else(|| target?.get("deployment").cloned());
    let mut body = json!({ "to": number, "base": planned.get("base") });
    put_message(&mut body, message);
    let reply = ask(&session, &app, body).await?;
    if session.json {
        session.as_it_came(&reply);
        return Ok(());
    }
    made(&session, &app, &reply.value()?).await
}

async fn ask(session: &Session, app: &str, body: Value) -> Result<Reply> {
    let ask = Ask::post(&["admin", "apps", app, "rollback"]).json(&body)?.running_a_script();
    let reply = session.api.send(ask).await?;
    match Refusal::of(&reply) {
        Some(refusal) if is_about_what_runs(&refusal) => Err(changed_meanwhile(app, "picloud rollback --dry-run")),
        Some(refusal) => Err(refusal.into_failure(&session.api.origin)),
        None => Ok(reply),
    }
}

/// The deployment that is meant: the one of that number, or of the digest that a dry run told.
async fn target(session: &Session, app: &str, number: Option<i32>, planned: &Value) -> Result<Option<Value>> {
    let digest = planned.get("digest").and_then(Value::as_str).unwrap_or_default();
    let is_it = |one: &Value| match number {
        Some(number) => one.get("deployment").and_then(Value::as_i64) == Some(i64::from(number)),
        None => has(one, "digest", digest),
    };
    session.find(&|| Ask::get(&["admin", "apps", app, "deployments"]), is_it).await
}

/// `deployment 6 (visits are counted)`
fn told(target: Option<&Value>) -> String {
    let Some(target) = target else { return "what ran before".to_owned() };
    let number = text_at(target, "/deployment");
    match target.get("message").and_then(Value::as_str) {
        Some(message) if !message.is_empty() => format!("deployment {number} ({})", cell(message)),
        _ => format!("deployment {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_told_by_its_number_and_message() {
        assert_eq!(told(Some(&json!({ "deployment": 6, "message": "more\u{1b}[31m\nsoup" }))), "deployment 6 (more soup)");
        assert_eq!(told(Some(&json!({ "deployment": 6, "message": "" }))), "deployment 6");
        assert_eq!(told(None), "what ran before");
    }
}
