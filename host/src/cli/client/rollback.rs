//! `picloud rollback` and `picloud deployments activate`: another deployment runs, in one step.

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
    #[command(flatten)]
    how: How,
}

/// How another deployment is made what runs.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// Why, for whoever reads the audit log.
    #[arg(long, short)]
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

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// The one that ran before.
    Previous,
    Back(i32),
    /// One that was perhaps never run.
    On(i32),
}

pub(super) async fn run(rollback: Rollback) -> Result<()> {
    let Rollback { place, number, how } = rollback;
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    switch(&session, &app, number.map_or(Aim::Previous, Aim::Back), how).await
}

pub(super) async fn activate(session: &Session, app: &str, number: i32, how: How) -> Result<()> {
    switch(session, app, Aim::On(number), how).await
}

async fn switch(session: &Session, app: &str, aim: Aim, how: How) -> Result<()> {
    let How { message, diff, dry_run, yes } = how;
    let reply = aim.ask(session, app, json!({ "dry_run": true })).await?;
    let planned = reply.value()?;
    let target = target(session, app, aim.number(), &planned).await?;
    let nothing = changes::list(&planned).is_empty();
    if !session.json {
        print(&match &target {
            _ if nothing => "Nothing differs: that is what runs.\n".to_owned(),
            target => format!("{} {}\n\n{}", aim.way(), told(target.as_ref()), changes::told(&planned, Sources::from(diff))),
        });
    }
    if dry_run || nothing {
        if session.json {
            session.as_it_came(&reply);
        }
        return Ok(());
    }
    let asked = match aim {
        Aim::On(_) => format!("Have {} run {}", cell(app), told(target.as_ref())),
        Aim::Previous | Aim::Back(_) => format!("Put {} back to {}", cell(app), told(target.as_ref())),
    };
    confirm(&asked, Sure::from(yes))?;
    // What ran before is another one once somebody changed the app.
    let found = target.and_then(|target| i32::try_from(target.get("deployment")?.as_i64()?).ok());
    let aim = if aim == Aim::Previous { found.map_or(aim, Aim::Back) } else { aim };
    let mut body = json!({ "base": planned.get("base") });
    put_message(&mut body, message.as_deref());
    let reply = aim.ask(session, app, body).await?;
    if session.json {
        session.as_it_came(&reply);
        return Ok(());
    }
    made(session, app, &reply.value()?).await
}

impl Aim {
    fn number(self) -> Option<i32> {
        match self {
            Self::Previous => None,
            Self::Back(number) | Self::On(number) => Some(number),
        }
    }

    fn way(self) -> &'static str {
        match self {
            Self::Previous | Self::Back(_) => "Back to",
            Self::On(_) => "On to",
        }
    }

    async fn ask(self, session: &Session, app: &str, mut body: Value) -> Result<Reply> {
        if let (Self::Back(number), Some(body)) = (self, body.as_object_mut()) {
            body.insert("to".to_owned(), number.into());
        }
        let (ask, again) = match self {
            Self::On(number) => {
                let number = number.to_string();
                let ask = Ask::post(&["admin", "apps", app, "deployments", &number, "activate"]);
                (ask, format!("picloud deployments activate {number} --dry-run"))
            }
            Self::Previous | Self::Back(_) => {
                (Ask::post(&["admin", "apps", app, "rollback"]), "picloud rollback --dry-run".to_owned())
            }
        };
        let reply = session.api.send(ask.json(&body)?.running_a_script()).await?;
        match Refusal::of(&reply) {
            Some(refusal) if is_about_what_runs(&refusal) => Err(changed_meanwhile(app, &again)),
            Some(refusal) => Err(refusal.into_failure(&session.api.origin)),
            None => Ok(reply),
        }
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
