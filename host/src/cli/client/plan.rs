//! `picloud plan` and `picloud apply`: from a manifest to what runs.

pub(super) mod changes;

use serde_json::{Value, json};

use self::changes::Sources;
use super::api::{Ask, Reply};
use super::input::{Sure, confirm};
use super::manifest::{Described, Project};
use super::output::{age, cell, text_at, time};
use super::refusal::Refusal;
use super::session::Session;
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::{print, say, warn};
use crate::limits;

const APPLIED: &str = "deployment.apply";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Plan {
    #[command(flatten)]
    described: Described,
    /// The lines of sources that differ, too.
    #[arg(long)]
    diff: bool,
    /// End with 13 where there are changes, and with 0 where there are none.
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Apply {
    #[command(flatten)]
    described: Described,
    /// Why, for whoever reads the list of deployments.
    #[arg(long)]
    message: Option<String>,
    /// The lines of sources that differ, too.
    #[arg(long)]
    diff: bool,
    /// Ask nothing.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn plan(plan: Plan) -> Result<()> {
    let Plan { described, diff, exit_code } = plan;
    let (project, session) = (described.read()?, Session::open(&described.place.at)?);
    let (reply, answer) = planned(&session, &project).await?;
    if session.json {
        session.as_it_came(&reply);
    } else {
        told_drift(&session, &project.app, &answer).await?;
        print(&shown(&answer, Sources::from(diff)));
    }
    // What there is to say was said.
    if exit_code && !changes::list(&answer).is_empty() { Err(Failure::quoting(Exit::Differs, "")) } else { Ok(()) }
}

pub(super) async fn apply(apply: Apply) -> Result<()> {
    let Apply { described, message, diff, yes } = apply;
    let (project, session) = (described.read()?, Session::open(&described.place.at)?);
    let (reply, answer) = planned(&session, &project).await?;
    if !session.json {
        told_drift(&session, &project.app, &answer).await?;
        print(&shown(&answer, Sources::from(diff)));
    }
    if changes::list(&answer).is_empty() {
        if session.json {
            session.as_it_came(&reply);
        }
        return Ok(());
    }
    confirm(&format!("Apply this to {}", cell(&project.app)), Sure::from(yes))?;
    let mut body = json!({ "manifest": project.body, "base": answer.get("base") });
    put_message(&mut body, message);
    let ask = Ask::post(&["admin", "apps", &project.app, "deployments"]).json(&body)?.running_a_script();
    let reply = session.api.send(ask).await?;
    match Refusal::of(&reply) {
        Some(refusal) if is_about_what_runs(&refusal) => Err(changed_meanwhile(&project.app, "picloud plan")),
        Some(refusal) => Err(project.refused(refusal, &session)),
        None if session.json => {
            session.as_it_came(&reply);
            Ok(())
        }
        None => made(&session, &project.app, &reply.value()?).await,
    }
}

/// What applying it would change.
async fn planned(session: &Session, project: &Project) -> Result<(Reply, Value)> {
    if !session.json {
        say(&format!("{} at {}", cell(&project.app), session.api.origin.as_str()));
    }
    let body = json!({ "manifest": project.body });
    if body.to_string().len() > limits::MANIFEST_BYTES_MAX {
        let line = format!("the manifest with its sources has more than {} bytes", limits::MANIFEST_BYTES_MAX);
        return Err(Failure::new(Exit::Refused, line));
    }
    let ask = Ask::post(&["admin", "apps", &project.app, "plan"]).json(&body)?.running_a_script();
    let reply = session.api.send(ask).await?;
    if let Some(refusal) = Refusal::of(&reply) {
        return Err(project.refused(refusal, session));
    }
    let answer = reply.value()?;
    Ok((reply, answer))
}

fn shown(answer: &Value, sources: Sources) -> String {
    match changes::list(answer) {
        [] => "Nothing differs: what runs is what the manifest says.\n".to_owned(),
        _ => changes::told(answer, sources),
    }
}

/// Says it where what runs came about by something else than an apply, which this one would take back.
async fn told_drift(session: &Session, app: &str, answer: &Value) -> Result<()> {
    let Some(number) = answer.get("deployment").and_then(Value::as_i64) else { return Ok(()) };
    let running = session.api.ask(Ask::get(&["admin", "apps", app, "deployments", &number.to_string()])).await?.value()?;
    let cause = text_at(&running, "/cause");
    if cause != APPLIED {
        let when =
            running.get("activated_at").and_then(time).map_or_else(String::new, |then| format!(", {}", age(session.now, then)));
        warn(&format!("what runs was not applied from a manifest: {cause} made it (deployment {number}{when})"));
    }
    Ok(())
}

pub(super) fn put_message(body: &mut Value, message: Option<String>) {
    if let (Some(message), Some(body)) = (message, body.as_object_mut()) {
        body.insert("message".to_owned(), message.into());
    }
}

/// A 409 that says what runs now; others name what is in the way.
pub(super) fn is_about_what_runs(refusal: &Refusal) -> bool {
    refusal.status.as_u16() == 409 && refusal.details.get("running").is_some()
}

pub(super) fn changed_meanwhile(app: &str, again: &str) -> Failure {
    let line = format!("somebody changed {} after this was planned; nothing was done", cell(app));
    Failure::new(Exit::Conflict, line).hinting(again)
}

/// Tells which deployment runs, and where the app answers.
pub(super) async fn made(session: &Session, app: &str, answer: &Value) -> Result<()> {
    let number = text_at(answer, "/deployment");
    let about = session.api.ask(Ask::get(&["admin", "apps", app])).await?.value()?;
    let mut text = format!("{} runs deployment {number}.\n  {}\n", text_at(&about, "/slug"), text_at(&about, "/url"));
    let domains = session.gather(&|| Ask::get(&["admin", "apps", app, "domains"])).await?;
    for domain in domains.items.iter().filter_map(|item| serde_json::from_str::<Value>(item.get()).ok()) {
        if text_at(&domain, "/state") == "verified" {
            text.push_str(&format!("  {}\n", text_at(&domain, "/host")));
        }
    }
    print(&text);
    Ok(())
}
