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

/// What makes a deployment of a manifest.
const APPLIED: [&str; 2] = ["deployment.apply", "deployment.store"];

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
    #[arg(long, short)]
    message: Option<String>,
    /// Only store it: a preview shows it, and `picloud deployments activate` runs it.
    #[arg(long)]
    no_activate: bool,
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
    let Apply { described, message, no_activate, diff, yes } = apply;
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
    let app = cell(&project.app);
    let asked = if no_activate { format!("Store this for {app}, and run it later") } else { format!("Apply this to {app}") };
    confirm(&asked, Sure::from(yes))?;
    let base = answer.get("base").and_then(Value::as_str);
    let put = Put { base, message: message.as_deref(), is_stored_only: no_activate };
    let reply = put.send(&session, &project).await?;
    let reply = reply.ok_or_else(|| changed_meanwhile(&project.app, "picloud plan"))?;
    if session.json {
        session.as_it_came(&reply);
        return Ok(());
    }
    made(&session, &project.app, &reply.value()?).await
}

/// A manifest on its way into an app.
pub(super) struct Put<'a> {
    /// The digest of what must run then.
    pub(super) base: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    /// It is kept as a deployment, and what runs goes on running.
    pub(super) is_stored_only: bool,
}

impl Put<'_> {
    /// What came of it; none, and nothing done, where something else runs than what it was made for.
    pub(super) async fn send(&self, session: &Session, project: &Project) -> Result<Option<Reply>> {
        let mut body = body_of(project)?;
        if let Some(body) = body.as_object_mut() {
            body.insert("base".to_owned(), self.base.into());
            if self.is_stored_only {
                body.insert("activate".to_owned(), false.into());
            }
        }
        put_message(&mut body, self.message);
        let ask = Ask::post(&["admin", "apps", &project.app, "deployments"]).json(&body)?.running_a_script();
        let reply = session.api.send(ask).await?;
        match Refusal::of(&reply) {
            Some(refusal) if is_about_what_runs(&refusal) => Ok(None),
            Some(refusal) => Err(project.refused(refusal, session)),
            None => Ok(Some(reply)),
        }
    }
}

fn body_of(project: &Project) -> Result<Value> {
    let body = json!({ "manifest": project.body });
    if body.to_string().len() > limits::MANIFEST_BYTES_MAX {
        let line = format!("the manifest with its sources has more than {} bytes", limits::MANIFEST_BYTES_MAX);
        return Err(Failure::new(Exit::Refused, line));
    }
    Ok(body)
}

/// What applying it would change; says where.
async fn planned(session: &Session, project: &Project) -> Result<(Reply, Value)> {
    if !session.json {
        say(&format!("{} at {}", cell(&project.app), session.api.origin.as_str()));
    }
    look(session, project).await
}

/// The same, saying nothing.
pub(super) async fn look(session: &Session, project: &Project) -> Result<(Reply, Value)> {
    let ask = Ask::post(&["admin", "apps", &project.app, "plan"]).json(&body_of(project)?)?.running_a_script();
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
    if let Some(drift) = drift(session, app, answer).await? {
        warn(&drift);
    }
    Ok(())
}

/// What to say of it.
pub(super) async fn drift(session: &Session, app: &str, answer: &Value) -> Result<Option<String>> {
    let Some(number) = answer.get("deployment").and_then(Value::as_i64) else { return Ok(None) };
    let running = session.api.ask(Ask::get(&["admin", "apps", app, "deployments", &number.to_string()])).await?.value()?;
    let cause = text_at(&running, "/cause");
    if APPLIED.contains(&cause.as_str()) {
        return Ok(None);
    }
    let when =
        running.get("activated_at").and_then(time).map_or_else(String::new, |then| format!(", {}", age(session.now, then)));
    Ok(Some(format!("what runs was not applied from a manifest: {cause} made it (deployment {number}{when})")))
}

pub(super) fn put_message(body: &mut Value, message: Option<&str>) {
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

/// Tells which deployment runs, and where the app answers; or that it was only stored.
pub(super) async fn made(session: &Session, app: &str, answer: &Value) -> Result<()> {
    if let Some(stored) = answer.get("stored").and_then(Value::as_i64) {
        let next = format!("  Look at it: picloud preview {stored}; have it run: picloud deployments activate {stored}");
        print(&format!("Deployment {stored} of {} is stored, and does not run.\n{next}\n", cell(app)));
        return Ok(());
    }
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
