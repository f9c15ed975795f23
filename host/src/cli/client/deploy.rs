//! `picloud check` and `picloud deploy`: from a file to a version that is live.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use hyper::Method;
use serde_json::{Map, Value, json};

use super::api::{Ask, Reply};
use super::args::{At, InApp};
use super::input;
use super::names::{id_of, script_in};
use super::output::{As, Column, cell, fields, text_at, words};
use super::refusal::Refusal;
use super::routes::{self, Pattern};
use super::session::Session;
use super::source::Fault;
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::print;

const DEPLOYED: &[Column] = &[
    Column("version", "/version", As::Text),
    Column("capabilities", "/capabilities", As::Words),
    Column("url", "/url", As::Text),
];

/// What a script is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Kind {
    /// Answers requests and events.
    Endpoint,
    /// Holds functions for other scripts.
    Module,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    at: At,
    /// Sources; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What they are.
    #[arg(long, value_enum, default_value_t = Kind::Endpoint)]
    kind: Kind,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Deploy {
    #[command(flatten)]
    place: InApp,
    /// The source; `-` is standard input.
    file: PathBuf,
    /// Name of the script [default: that of the file without its ending].
    #[arg(long)]
    name: Option<String>,
    /// What a new script is [default: endpoint].
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Where it is to answer, such as `/visits` or `GET /visits/:who`; made unless it is there.
    #[arg(long, value_name = "[METHOD ]PATH")]
    route: Option<Pattern>,
    /// Why, for whoever reads the list of versions.
    #[arg(long, short)]
    message: Option<String>,
    /// Only store the version: `picloud scripts activate` has it run.
    #[arg(long, conflicts_with = "route")]
    no_activate: bool,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Module => "module",
        }
    }
}

/// A source as it is named and as it reads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) shown: String,
    text: String,
}

impl Source {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let shown = if path == Path::new("-") { "<stdin>".into() } else { path.to_string_lossy() };
        Ok(Self { shown: cell(&shown), text: input::source(path)? })
    }

    /// Every place that is wrong, quoted.
    fn quoting(&self, faults: &[Fault]) -> Failure {
        let quotes = faults.iter().map(|fault| fault.quoting(&self.shown, &self.text));
        Failure::quoting(Exit::Refused, quotes.collect::<String>())
    }

    /// A refusal about this source: quoted where it has a place in it.
    fn refused(&self, refusal: Refusal, session: &Session) -> Failure {
        let fault = Fault::of(&refusal.details);
        let is_here = refusal.status.as_u16() == 422 && fault.line.is_some();
        let failure = refusal.into_failure(&session.api.origin);
        match fault {
            fault if is_here && fault.message.is_empty() => self.quoting(&[Fault { message: failure.into_line(), ..fault }]),
            fault if is_here => self.quoting(&[fault]),
            _ => failure,
        }
    }
}

pub(super) async fn check(check: Check) -> Result<()> {
    let Check { at, files, kind } = check;
    let session = Session::open(&at)?;
    let mut wrong = String::new();
    for file in files {
        let source = Source::read(&file)?;
        let (reply, looked) = look(&session, &source, kind).await?;
        if session.json {
            session.as_it_came(&reply);
        }
        match looked {
            Looked::Fine(found) if !session.json => {
                print(&format!(
                    "{}: fine (capabilities: {})\n",
                    source.shown,
                    found.get("capabilities").map_or_else(String::new, words)
                ));
            }
            Looked::Fine(_) => {}
            Looked::Wrong(faults) => {
                wrong.extend(faults.iter().map(|fault| fault.quoting(&source.shown, &source.text)));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::quoting(Exit::Refused, wrong)) }
}

enum Looked {
    Fine(Value),
    Wrong(Vec<Fault>),
}

async fn look(session: &Session, source: &Source, kind: Kind) -> Result<(Reply, Looked)> {
    let body = json!({ "source": source.text, "kind": kind.as_str() });
    let reply = session.api.send(Ask::post(&["admin", "scripts", "check"]).json(&body)?).await?;
    if let Some(refusal) = Refusal::of(&reply) {
        return Err(source.refused(refusal, session));
    }
    let found = reply.value()?;
    if found.get("ok") == Some(&Value::Bool(true)) {
        return Ok((reply, Looked::Fine(found)));
    }
    let diagnostics = found.get("diagnostics").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    Ok((reply, Looked::Wrong(diagnostics.iter().map(Fault::of).collect())))
}

pub(super) async fn deploy(deploy: Deploy) -> Result<()> {
    let Deploy { place, file, name, kind, route, message, no_activate } = deploy;
    let source = Source::read(&file)?;
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let name = name_of(name, &file)?;
    let draft = Draft { app: &app, name: &name, kind, route: route.as_ref(), message, is_stored_only: no_activate };
    let (reply, is_module) = draft.send(&session, &source).await?;
    let script = reply.value()?;
    let path = draft.path(&session, &script).await?;
    if session.json {
        session.as_it_came(&reply);
        return Ok(());
    }
    if let Some(stored) = script.get("stored").and_then(Value::as_i64) {
        let name = text_at(&script, "/name");
        let next = format!("  Have it run: picloud scripts activate {name} {stored}");
        print(&format!("Version {stored} of {name} is stored, and does not run.\n{next}\n"));
        return Ok(());
    }
    let url = match path {
        Some(path) => Some(format!("{}{path}", url_of(&session, &app).await?)),
        None => None,
    };
    tell(&session, script, url, is_module);
    Ok(())
}

/// What a script is called that is made of a file.
pub(super) fn name_of(name: Option<String>, file: &Path) -> Result<String> {
    let of_file = || Some(file.file_stem()?.to_str()?.to_owned()).filter(|_| file != Path::new("-"));
    name.or_else(of_file).ok_or_else(|| Failure::new(Exit::Usage, "what is the script called? Add --name"))
}

/// A source on its way into an app.
pub(super) struct Draft<'a> {
    pub(super) app: &'a str,
    pub(super) name: &'a str,
    /// What a new script is.
    pub(super) kind: Option<Kind>,
    pub(super) route: Option<&'a Pattern>,
    pub(super) message: Option<String>,
    /// It becomes a version, and the active one stays.
    pub(super) is_stored_only: bool,
}

impl Draft<'_> {
    /// Checks it, and publishes it as the first version of a new script or the next one of a script that is there. Whether that
    /// is a module.
    pub(super) async fn send(&self, session: &Session, source: &Source) -> Result<(Reply, bool)> {
        let name = cell(self.name);
        let there = script_in(session, self.app, self.name).await?;
        let known = there.as_ref().and_then(|script| script.get("kind")).and_then(Value::as_str);
        if let (Some(known), Some(kind)) = (known, self.kind)
            && known != kind.as_str()
        {
            let line = format!("{name} is there as another kind ({}): delete it, or choose another --name", cell(known));
            return Err(Failure::new(Exit::Conflict, line));
        }
        let is_module = known == Some("module") || self.kind == Some(Kind::Module);
        if is_module && self.route.is_some() {
            return Err(Failure::new(Exit::Usage, "a module answers no requests: leave --route out"));
        }
        if self.is_stored_only && there.is_none() {
            let line = format!("there is no script {name} yet, and its first version runs: leave --no-activate out");
            return Err(Failure::new(Exit::Usage, line));
        }
        // What is wrong with the source is told of all its places, before anything is stored.
        let kind = if is_module { Kind::Module } else { Kind::Endpoint };
        if let (_, Looked::Wrong(faults)) = look(session, source, kind).await? {
            return Err(source.quoting(&faults));
        }
        Ok((self.publish(session, source, there.as_ref()).await?, is_module))
    }

    async fn publish(&self, session: &Session, source: &Source, there: Option<&Value>) -> Result<Reply> {
        let mut body = Map::from_iter([("source".to_owned(), Value::from(source.text.as_str()))]);
        let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
        if let Some(message) = &self.message {
            put("message", message.as_str().into());
        }
        if self.is_stored_only {
            put("activate", false.into());
        }
        let ask = match there {
            Some(script) => Ask::new(Method::PUT, &["admin", "scripts", &id_of(script)]),
            None => {
                put("app_id", self.app.into());
                put("name", self.name.into());
                put("kind", self.kind.unwrap_or(Kind::Endpoint).as_str().into());
                Ask::post(&["admin", "scripts"])
            }
        };
        let reply = session.api.send(ask.json(&body)?).await?;
        match Refusal::of(&reply) {
            Some(refusal) => Err(source.refused(refusal, session)),
            None => Ok(reply),
        }
    }

    /// Where the script that came of it answers, with the route made that is asked for.
    pub(super) async fn path(&self, session: &Session, script: &Value) -> Result<Option<String>> {
        match self.route {
            Some(route) => Ok(Some(routes::ensure(session, &id_of(script), route).await?)),
            None => routes::first_path(session, &id_of(script)).await,
        }
    }
}

async fn url_of(session: &Session, app: &str) -> Result<String> {
    let app = session.api.ask(Ask::get(&["admin", "apps", app])).await?.value()?;
    Ok(text_at(&app, "/url").trim_end_matches('/').to_owned())
}

fn tell(session: &Session, mut script: Value, url: Option<String>, is_module: bool) {
    let name = text_at(&script, "/name");
    let has_url = url.is_some();
    if let (Some(url), Some(script)) = (url, script.as_object_mut()) {
        script.insert("url".to_owned(), url.into());
    }
    let columns = if has_url { DEPLOYED } else { DEPLOYED.get(..2).unwrap_or_default() };
    let next = match (has_url, is_module) {
        (true, _) => String::new(),
        (false, true) => "Scripts import it by its name.\n".to_owned(),
        (false, false) => format!("No route leads to it yet: picloud routes add {name} /PATH, or picloud invoke {name}\n"),
    };
    print(&format!("{name} is live.\n{}{next}", fields(columns, &script, session.now)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_faults_are_quoted_one_after_the_other() {
        let source = Source { shown: "a.rhai".to_owned(), text: "x\ny\n".to_owned() };
        let fault = |line| Fault { line: Some(line), column: Some(1), message: "no".to_owned() };
        let failure = source.quoting(&[fault(1), fault(2)]);
        assert_eq!(failure.exit(), Exit::Refused);
        assert_eq!(failure.told(), "error: a.rhai:1:1: no\n  1 | x\n    | ^\nerror: a.rhai:2:1: no\n  2 | y\n    | ^\n");
    }
}
