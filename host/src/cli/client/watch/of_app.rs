//! A manifest with its sources, and the app that it is put into.

use serde_json::Value;
use tokio::sync::watch::Sender;

use super::{Begun, Consent, Done, Missing, Places, Tries, named};
use crate::cli::client::api::Reply;
use crate::cli::client::input::{Sure, confirm, somebody_is_there};
use crate::cli::client::manifest::{Described, Project};
use crate::cli::client::output::{cell, text_at};
use crate::cli::client::plan::changes::{self, Sources};
use crate::cli::client::plan::{Put, changed_meanwhile, drift, look};
use crate::cli::client::session::Session;
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::{print, say, warn};
use crate::limits;

/// How the message of a deployment begins that a save made.
const SAVED: &str = "saved: ";

pub(super) struct OfApp {
    described: Described,
    consent: Consent,
    missing: Missing,
    begun: Option<Begun>,
    tries: Tries<Project>,
    /// The digest of what runs, as far as it is known here.
    running: Option<String>,
    /// What was warned of.
    doubt: Option<String>,
}

impl OfApp {
    pub(super) fn new(described: Described, consent: Consent, missing: Missing) -> Self {
        Self { described, consent, missing, begun: None, tries: Tries::default(), running: None, doubt: None }
    }

    pub(super) fn places(&self) -> Places {
        self.described.places()
    }

    pub(super) async fn round(&mut self, session: &Session, begun: &Sender<Option<String>>) -> Result<Option<Done>> {
        let read = self.read();
        let Some(project) = self.tries.next(read)? else { return Ok(None) };
        let done = self.send(session, &project, begun).await;
        self.tries.note(project, &done);
        done.map(Some)
    }

    /// What the files say; what is doubtful in them is told once.
    fn read(&mut self) -> Result<Project> {
        let (project, doubt) = self.described.look()?;
        if doubt != self.doubt {
            doubt.iter().for_each(|doubt| warn(doubt));
        }
        self.doubt = doubt;
        Ok(project)
    }

    async fn send(&mut self, session: &Session, project: &Project, begun: &Sender<Option<String>>) -> Result<Done> {
        let is_begun = self.begun.as_ref().is_some_and(|begun| begun.app == project.app);
        if !is_begun {
            let watched = project.saved_since(None).names.concat();
            self.begun = Some(Begun::find(session, &project.app, self.missing, &watched).await?);
            (self.running, self.tries.tried) = (None, None);
            begun.send_replace(Some(project.app.clone()));
        }
        let saved = project.saved_since(self.tries.tried.as_ref());
        let message = message(&saved.names);
        let (reply, answer) = self.put(session, project, &message).await?;
        self.running = answer.get("digest").and_then(Value::as_str).map(str::to_owned);
        let is_applied = answer.get("applied") == Some(&Value::Bool(true));
        let number = text_at(&answer, "/deployment");
        let what = if is_applied { format!("deployment {number}") } else { format!("deployment {number}, as before") };
        let gained = if is_applied { changes::gained(&answer) } else { Vec::new() };
        let path = saved.script.as_deref().and_then(|script| project.path_of(script)).map(cell).unwrap_or_default();
        let url = self.begun.as_ref().map(|begun| format!("{}{path}", begun.url));
        Ok(Done { names: saved.names, what, gained, url, reply: Some(reply) })
    }

    /// Applies it to what runs as it was seen last; where that is not what runs, to that, if whoever is asked agrees.
    async fn put(&mut self, session: &Session, project: &Project, message: &str) -> Result<(Reply, Value)> {
        for _ in 0..limits::CLIENT_WATCH_PLANS_MAX {
            let known = self.running.clone().filter(|_| self.consent == Consent::Given);
            let base = match known {
                Some(base) => base,
                None => {
                    let (reply, plan) = look(session, project).await?;
                    if changes::list(&plan).is_empty() {
                        return Ok((reply, plan));
                    }
                    self.agreed(session, project, &plan).await?;
                    plan.get("base").and_then(Value::as_str).unwrap_or_default().to_owned()
                }
            };
            let put = Put { base: Some(&base), message: Some(message), is_stored_only: false };
            if let Some(reply) = put.send(session, project).await? {
                let answer = reply.value()?;
                return Ok((reply, answer));
            }
            say(&format!("somebody changed {} meanwhile: it is looked at again", cell(&project.app)));
            // Not known any more; that it was is what tells apart whose change the next plan takes back.
            self.running = self.running.take().filter(|_| self.consent == Consent::Asked);
        }
        Err(changed_meanwhile(&project.app, "picloud plan"))
    }

    /// Shows what the first change is, and what loses something. Fails where somebody is asked and does not agree.
    async fn agreed(&self, session: &Session, project: &Project, plan: &Value) -> Result<()> {
        let of_others = match &self.running {
            Some(running) if plan.get("base").and_then(Value::as_str) == Some(running.as_str()) => None,
            Some(_) => Some(format!("somebody else changed {}", cell(&project.app))),
            None => drift(session, &project.app, plan).await?,
        };
        let loses = of_others.is_some() || plan.get("notes").and_then(Value::as_array).is_some_and(|notes| !notes.is_empty());
        if !session.json && (self.running.is_none() || loses) {
            of_others.iter().for_each(|what| warn(what));
            print(&changes::told(plan, Sources::Hidden));
        }
        if !loses || self.consent == Consent::Given {
            return Ok(());
        }
        let what = format!("Apply this to {}", cell(&project.app));
        if !somebody_is_there() {
            return Err(Failure::new(Exit::Usage, format!("{what}: nobody is there to be asked; add --yes")));
        }
        // Beside the runtime: logs go on, and a signal ends it.
        let asked = tokio::task::spawn_blocking(move || confirm(&what, Sure::Unsaid)).await;
        asked.unwrap_or_else(|error| Err(Failure::new(Exit::Other, format!("the terminal cannot be used: {error}"))))
    }
}

/// For whoever reads the list of deployments.
fn message(names: &[String]) -> String {
    let room = limits::DEPLOYMENT_MESSAGE_CHARS_MAX - SAVED.len();
    format!("{SAVED}{}", named(names).chars().take(room).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_room_for_any_name() {
        assert_eq!(message(&["a.rhai".to_owned()]), "saved: a.rhai");
        let long = message(&["日".repeat(limits::DEPLOYMENT_MESSAGE_CHARS_MAX)]);
        assert_eq!(long.chars().count(), limits::DEPLOYMENT_MESSAGE_CHARS_MAX);
    }
}
