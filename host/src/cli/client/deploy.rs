//! `picloud check` and `picloud deploy`: from a file to a version that is live.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use hyper::Method;
use serde_json::{Value, json};

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
    #[arg(long)]
    message: Option<String>,
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
struct Source {
    shown: String,
    text: String,
}

impl Source {
    fn read(path: &Path) -> Result<Self> {
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
        match look(&session, &source, kind).await? {
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

async fn look(session: &Session, source: &Source, kind: Kind) -> Result<Looked> {
    let body = json!({ "source": source.text, "kind": kind.as_str() });
    let reply = session.api.send(Ask::post(&["admin", "scripts", "check"]).json(&body)?).await?;
    if let Some(refusal) = Refusal::of(&reply) {
        return Err(source.refused(refusal, session));
    }
    if session.json {
        session.as_it_came(&reply);
    }
    let found = reply.value()?;
    let diagnostics = found.get("diagnostics").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if found.get("ok") == Some(&Value::Bool(true)) {
        return Ok(Looked::Fine(found));
    }
    Ok(Looked::Wrong(diagnostics.iter().map(Fault::of).collect()))
}

pub(super) async fn deploy(deploy: Deploy) -> Result<()> {
    let Deploy { place, file, name, kind, route, message } = deploy;
    let source = Source::read(&file)?;
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let name = match name.or_else(|| Some(file.file_stem()?.to_str()?.to_owned()).filter(|_| file != Path::new("-"))) {
        Some(name) => name,
        None => return Err(Failure::new(Exit::Usage, "what is the script called? Add --name")),
    };
    let there = script_in(&session, &app, &name).await?;
    let known = there.as_ref().and_then(|script| script.get("kind")).and_then(Value::as_str).map(str::to_owned);
    if let (Some(known), Some(kind)) = (&known, kind)
        && known != kind.as_str()
    {
        let line = format!("{} is there as another kind ({}): delete it, or choose another --name", cell(&name), cell(known));
        return Err(Failure::new(Exit::Conflict, line));
    }
    let is_module = known.as_deref() == Some("module") || kind == Some(Kind::Module);
    if is_module && route.is_some() {
        return Err(Failure::new(Exit::Usage, "a module answers no requests: leave --route out"));
    }
    // What is wrong with the source is told of all its places, before anything is stored.
    let quiet = Session { json: false, api: session.api, now: session.now };
    if let Looked::Wrong(faults) = look(&quiet, &source, if is_module { Kind::Module } else { Kind::Endpoint }).await? {
        return Err(source.quoting(&faults));
    }
    let session = Session { json: place.at.json, ..quiet };
    let reply = publish(&session, &source, Draft { app: &app, name: &name, kind, message }, there.as_ref()).await?;
    let script = reply.value()?;
    let path = match &route {
        Some(route) => Some(routes::ensure(&session, &id_of(&script), route).await?),
        None => routes::first_path(&session, &id_of(&script)).await?,
    };
    if session.json {
        session.as_it_came(&reply);
        return Ok(());
    }
    let url = match path {
        Some(path) => Some(url_of(&session, &app, &path).await?),
        None => None,
    };
    tell(&session, script, url, is_module);
    Ok(())
}

struct Draft<'a> {
    app: &'a str,
    name: &'a str,
    kind: Option<Kind>,
    message: Option<String>,
}

/// The first version of a new script, or the next one of `there`.
async fn publish(session: &Session, source: &Source, draft: Draft<'_>, there: Option<&Value>) -> Result<Reply> {
    let mut body = json!({ "source": source.text });
    let mut put = |name: &str, value: &str| {
        if let Some(body) = body.as_object_mut() {
            body.insert(name.to_owned(), value.into());
        }
    };
    if let Some(message) = &draft.message {
        put("message", message);
    }
    let ask = match there {
        Some(script) => Ask::new(Method::PUT, &["admin", "scripts", &id_of(script)]),
        None => {
            put("app_id", draft.app);
            put("name", draft.name);
            put("kind", draft.kind.unwrap_or(Kind::Endpoint).as_str());
            Ask::post(&["admin", "scripts"])
        }
    };
    let reply = session.api.send(ask.json(&body)?).await?;
    match Refusal::of(&reply) {
        Some(refusal) => Err(source.refused(refusal, session)),
        None => Ok(reply),
    }
}

async fn url_of(session: &Session, app: &str, path: &str) -> Result<String> {
    let app = session.api.ask(Ask::get(&["admin", "apps", app])).await?.value()?;
    Ok(format!("{}{path}", text_at(&app, "/url").trim_end_matches('/')))
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
