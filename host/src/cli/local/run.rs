//! `picloud run`: one file, once. Standard output has what it answered, and nothing else.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::project::{Project, Source};
use super::report;
use super::stage::{As, Stage, Wrong, chance};
use super::{At, Common};
use crate::cli::client::input;
use crate::cli::client::invoke::kind_of;
use crate::cli::client::output::{cell, clean, size, took};
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::{print_json, say};
use crate::clock::Clock;
use crate::egress::{self, Client};
use crate::error::Error;
use crate::hostcall::local::{Ask, Here, Purpose, Ran, Role, Settings, WayOut, World};
use crate::model::grant::{Capability, Grants};
use crate::model::invocation::{Answer, Delivered, InvocationType, Request};
use crate::model::quota::{Named, Quota};
use crate::model::script::{Kind, Limits};

pub(super) const EXAMPLES: &str = "\
Examples:
  picloud run visits.rhai
  picloud run visits.rhai --request 'GET /visits/ada?day=1' --param who=ada -v
  picloud run orders.rhai --request 'POST /orders' --data '{\"tea\": 2}' --kv 'stock/tea=7'
  picloud run work.rhai --event event.json --secret stripe-key=@key
  picloud run rates.rhai --allow-http api.example.com --at 2026-01-01T00:00:00Z --seed 7

Without a picloud.toml, here or further up, other scripts and modules are the files beside this one.

Variables: PICLOUD_CACHE_DIR (the compiled sandbox), PICLOUD_ENV (the environment of picloud.toml), NO_COLOR.";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Run {
    /// The source.
    file: PathBuf,
    /// Run it as a route would, for this request.
    #[arg(long, value_name = "METHOD PATH", conflicts_with = "event")]
    request: Option<Line>,
    /// A header of the request, as `Name: value`.
    #[arg(long = "header", short = 'H', value_name = "HEADER")]
    headers: Vec<String>,
    /// Body of the request: as it is, `@FILE`, or `-` for standard input.
    #[arg(long, short, value_name = "DATA")]
    data: Option<String>,
    /// A parameter of the route, as `name=value`.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<Pair>,
    /// Run it as a trigger would: a file with what `ctx.event` is to be.
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// A secret: `NAME=@FILE`, or NAME alone, which is asked for.
    #[arg(long = "secret", value_name = "NAME[=@FILE]")]
    secrets: Vec<String>,
    /// An entry that is there: `COLLECTION/KEY=JSON`.
    #[arg(long = "kv", value_name = "COLLECTION/KEY=JSON")]
    entries: Vec<Pair>,
    /// A host that requests may leave to: api.example.com, *.example.com.
    #[arg(long = "allow-http", value_name = "HOST")]
    allowed: Vec<String>,
    /// A clock that stands still at this time.
    #[arg(long, value_name = "TIME")]
    at: Option<At>,
    /// What chance and ids come of [default: another one at each run].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// A limit of the script, as fuel=100_000_000.
    #[arg(long = "limit", value_name = "NAME=N")]
    limits: Vec<Pair>,
    /// Status, headers and what the call used, on standard error.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    common: Common,
}

/// `GET /path?x=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    method: String,
    path: String,
    query: String,
}

/// `name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair(String, String);

impl FromStr for Line {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || "a request is a method and a path, such as 'GET /visits/ada?day=1'".to_owned();
        let (method, target) = text.split_once(' ').unwrap_or(("GET", text));
        let target = target.trim();
        if !target.starts_with('/') || method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(wrong());
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Self { method: method.to_ascii_uppercase(), path: path.to_owned(), query: query.to_owned() })
    }
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self(name.to_owned(), value.to_owned())),
            _ => Err("this is written as NAME=VALUE".to_owned()),
        }
    }
}

pub(super) async fn run(run: Run) -> Result<()> {
    let clock = run.at.map_or_else(Clock::system, |At(at)| Clock::manual(at));
    let directory = run.file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let project = Project::of(directory, clock.now())?;
    let source = run.source(&project)?;
    let stage = Stage::open(run.common.cache_dir.clone(), 1, project).await?;
    let ready = stage.prepare(&source, As::Script).await.map_err(Wrong::into_failure)?;
    let limits = run.limits(ready.limits())?;
    let ready = Arc::new(ready.under(limits));
    let seed = run.seed.unwrap_or_else(chance);
    let world = run.world(&stage, clock, seed).await?;
    let ask = run.ask(&world, &source, limits)?;
    let ran = stage.run(&ready, ask).await.map_err(|error| Failure::new(Exit::Refused, error.message.into_owned()))?;
    run.tell(&stage, &source, &world, seed, &ran)
}

impl Run {
    /// The file, under the name and the limits that the manifest has for it.
    fn source(&self, project: &Project) -> Result<Source> {
        let source = Source::of_file(&self.file)?;
        let known = project.script_of(&source.text, &source.shown);
        if known.is_some_and(|known| known.kind == Some(Kind::Module)) {
            return Err(Failure::new(Exit::Refused, format!("{} is a module: other scripts import it", source.shown)));
        }
        Ok(known.cloned().unwrap_or(source))
    }

    fn limits(&self, base: Limits) -> Result<Limits> {
        let mut named = Named::new();
        for Pair(name, value) in &self.limits {
            let wrong = || Failure::new(Exit::Usage, format!("--limit {}: `{}` is no number", cell(name), cell(value)));
            named.insert(name.clone(), value.replace('_', "").parse().map_err(|_| wrong())?);
        }
        Limits::asked(base, &named, &Quota::default()).map_err(usage)
    }

    async fn world(&self, stage: &Arc<Stage>, clock: Clock, seed: u64) -> Result<Arc<World>> {
        let http = || BTreeMap::from([(Capability::Http.as_str().to_owned(), self.allowed.clone())]);
        let mut allowed = Grants::stated(http()).map_err(usage)?;
        let grants = match &stage.project.grants {
            Some(grants) => {
                allowed = both(&allowed, grants).map_err(usage)?;
                grants.clone()
            }
            None => Grants::default().with(http()).map_err(usage)?,
        };
        let client = Client::new(egress::Settings::default());
        let world = World::new(Settings {
            clock,
            purpose: Purpose::Run,
            seed,
            slug: stage.project.slug.clone(),
            grants,
            listeners: stage.project.listeners.clone(),
            scripts: stage.scripts(),
            way_out: Some(WayOut { client, allowed }),
        });
        for Pair(place, value) in &self.entries {
            let wrong = |why: &str| Failure::new(Exit::Usage, format!("--kv {}: {why}", cell(place)));
            let (collection, key) = place.split_once('/').ok_or_else(|| wrong("this is written as COLLECTION/KEY=JSON"))?;
            if serde_json::from_str::<serde::de::IgnoredAny>(value).is_err() {
                return Err(wrong("the value is no JSON (a text is written '\"like this\"')"));
            }
            world.put_entry(collection, key, value.clone().into_bytes()).map_err(usage)?;
        }
        for secret in &self.secrets {
            let (name, value) = secret_of(secret).await?;
            world.put_secret(&name, value).map_err(usage)?;
        }
        Ok(world)
    }

    fn ask(&self, world: &Arc<World>, source: &Source, limits: Limits) -> Result<Ask> {
        let here = Here::first(world, Role::Script, limits.timeout_ms);
        let (invocation_type, delivered) = match (&self.event, &self.request) {
            (Some(file), _) => (InvocationType::Event, Some(event_of(world, file)?)),
            (None, Some(_)) => (InvocationType::Http, None),
            (None, None) => (InvocationType::Direct, None),
        };
        let event_depth = delivered.as_ref().map_or(0, |delivered| delivered.depth);
        Ok(Ask {
            script: source.name.clone(),
            invocation_type,
            request: self.asked()?,
            delivered,
            execution_id: world.execution_id(),
            timeout_ms: None,
            here: Here { event_depth, ..here },
        })
    }

    fn asked(&self) -> Result<Request> {
        let body = self.data.as_deref().map(input::data).transpose()?.unwrap_or_default();
        let mut headers: Vec<(String, String)> = Vec::new();
        for header in &self.headers {
            let wrong = || Failure::new(Exit::Usage, format!("`{}` is no header: `Name: value`", cell(header)));
            let (name, value) = header.split_once(':').ok_or_else(wrong)?;
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            match headers.iter_mut().find(|(known, _)| *known == name) {
                Some((_, before)) => *before = format!("{before}, {value}"),
                None => headers.push((name, value.to_owned())),
            }
        }
        if self.data.is_some() && !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".to_owned(), kind_of(&body).to_owned()));
        }
        let usual = || Line {
            method: if body.is_empty() { "GET" } else { "POST" }.to_owned(),
            path: "/".to_owned(),
            query: String::new(),
        };
        let Line { method, path, query } = self.request.clone().unwrap_or_else(usual);
        let params = self.params.iter().map(|Pair(name, value)| (name.clone(), value.clone())).collect();
        let remote_addr = "127.0.0.1".to_owned();
        Ok(Request { method, path, params, rest: None, query, headers, body, remote_addr })
    }

    fn tell(&self, stage: &Stage, source: &Source, world: &World, seed: u64, ran: &Ran) -> Result<()> {
        if self.common.json {
            print_json(&told(world, seed, ran));
            return match &ran.result {
                Ok(_) => Ok(()),
                // The document has it.
                Err(_) => Err(Failure::quoting(Exit::ScriptFailed, "")),
            };
        }
        let mut err = io::stderr().lock();
        for line in &ran.logs {
            let _ = err.write_all(report::line(line).as_bytes());
        }
        drop(err);
        if ran.logs_dropped > 0 {
            say(&format!("{} lines were dropped: past the script's limit `log_bytes`", ran.logs_dropped));
        }
        if self.verbose {
            verbose(world, seed, ran);
        }
        match &ran.result {
            Ok(answer) => {
                body(&answer.body);
                Ok(())
            }
            Err(failure) => {
                let told = report::failure(stage, source, failure);
                let is_ours = !stage.project.has_manifest() && failure.message.contains("does not grant http");
                let hint = if is_ours { "  hint: --allow-http HOST\n" } else { "" };
                Err(Failure::quoting(Exit::ScriptFailed, format!("{}{hint}", told.text())))
            }
        }
    }
}

/// On standard error, so that standard output is the body alone.
fn verbose(world: &World, seed: u64, ran: &Ran) {
    if let Ok(Answer { status, headers, .. }) = &ran.result {
        say(&format!("{status}"));
        for (name, value) in headers {
            say(&format!("{name}: {}", cell(value)));
        }
    }
    let usage = &ran.usage;
    say(&format!(
        "{} fuel, {} of memory, {} host calls, {}; seed {seed}",
        usage.fuel,
        size(usage.memory_peak_bytes),
        usage.host_calls,
        took(usage.wall_us)
    ));
    let kept = world.kept().into_iter().filter(|(_, count)| *count > 0).map(|(kind, count)| format!("{kind} {count}"));
    let kept: Vec<String> = kept.collect();
    if !kept.is_empty() {
        say(&format!("sent and not delivered: {}", kept.join(", ")));
    }
}

fn told(world: &World, seed: u64, ran: &Ran) -> Value {
    let (status, headers, body, failure) = match &ran.result {
        Ok(answer) => (json!(answer.status), json!(answer.headers), bytes(&answer.body), Value::Null),
        Err(failure) => (Value::Null, json!([]), Value::Null, json!(failure)),
    };
    let sent: Vec<Value> = world.kept().iter().map(|(kind, count)| json!({ "kind": kind, "count": count })).collect();
    json!({
        "status": status,
        "headers": headers,
        "body": body,
        "failure": failure,
        "logs": report::lines(&ran.logs),
        "logs_dropped": ran.logs_dropped,
        "usage": ran.usage,
        "seed": seed,
        "sent": sent,
    })
}

/// As text where it is some, else `{"base64": …}`.
fn bytes(body: &[u8]) -> Value {
    std::str::from_utf8(body).map_or_else(|_| json!({ "base64": STANDARD.encode(body) }), Value::from)
}

/// Byte for byte, but on a terminal without what steers it.
fn body(body: &[u8]) {
    let mut out = io::stdout().lock();
    let written = if out.is_terminal() {
        let text = clean(&String::from_utf8_lossy(body));
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        out.write_all(format!("{text}{end}").as_bytes())
    } else {
        out.write_all(body)
    };
    // A reader that went away is no failure of ours.
    let _ = written.and_then(|()| out.flush());
}

/// A value never stands on the command line, where others see it.
async fn secret_of(given: &str) -> Result<(String, String)> {
    let (name, value) = match given.split_once('=') {
        Some((name, file)) if file.starts_with('@') => {
            let value = String::from_utf8(input::data(file)?);
            (name, value.map_err(|_| Failure::new(Exit::Usage, format!("the secret {} is no UTF-8", cell(name))))?)
        }
        Some((name, _)) => {
            let line = format!("the value of the secret {} does not stand on the command line", cell(name));
            return Err(Failure::new(Exit::Usage, line).hinting(format!("--secret {}=@FILE", cell(name))));
        }
        None if input::somebody_is_there() => (given, input::ask_unseen(&format!("secret {}", cell(given))).await?),
        None => (given, input::line()?),
    };
    let value = value.strip_suffix('\n').map_or(value.as_str(), |value| value.strip_suffix('\r').unwrap_or(value)).to_owned();
    Ok((name.to_owned(), value))
}

fn event_of(world: &World, file: &Path) -> Result<Delivered> {
    let shown = cell(&file.to_string_lossy());
    let wrong = |why: String| Failure::new(Exit::Usage, format!("{shown} is no event: {why}"));
    let text = input::data(&format!("@{}", file.to_string_lossy()))?;
    let given = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
    let event = world.event(&given).map_err(|error| wrong(error.message.into_owned()))?;
    let (attempt, depth) = (event.attempt, event.depth);
    Ok(Delivered { event_id: event.id, trigger_id: None, attempt, depth, trace: None, event: Some(event) })
}

fn usage(error: Error) -> Failure {
    Failure::new(Exit::Usage, error.message.into_owned())
}

/// Hosts that both grant: redirects, too, lead to nothing else.
fn both(one: &Grants, other: &Grants) -> crate::error::Result<Grants> {
    let word = Capability::Http.as_str();
    let of = |grants: &Grants, by: &Grants| {
        let stated = grants.to_json();
        let patterns = stated.get(word).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        patterns.filter(|pattern| by.allows(Capability::Http, pattern)).map(str::to_owned).collect::<Vec<_>>()
    };
    let patterns = [of(one, other), of(other, one)].concat();
    Grants::stated(BTreeMap::from([(word.to_owned(), patterns)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_method_and_a_path() {
        let line = |text: &str| text.parse::<Line>().map(|line| (line.method, line.path, line.query));
        assert_eq!(line("get /a?x=1").unwrap(), ("GET".to_owned(), "/a".to_owned(), "x=1".to_owned()));
        assert_eq!(line("/a").unwrap(), ("GET".to_owned(), "/a".to_owned(), String::new()));
        for wrong in ["", "GET", "GET a", "G3T /a", " /a"] {
            assert!(line(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_pair_has_a_name_and_may_have_no_value() {
        assert_eq!("a=b=c".parse(), Ok(Pair("a".to_owned(), "b=c".to_owned())));
        assert_eq!("a=".parse(), Ok(Pair("a".to_owned(), String::new())));
        assert!("a".parse::<Pair>().is_err() && "=a".parse::<Pair>().is_err());
    }

    #[tokio::test]
    async fn the_value_of_a_secret_does_not_stand_on_the_command_line() {
        let refused = secret_of("key=hush").await.unwrap_err();
        assert!(!refused.told().contains("hush") && refused.told().contains("--secret key=@FILE"), "{}", refused.told());
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("key");
        std::fs::write(&path, "hush\r\n").unwrap();
        let given = format!("key=@{}", path.display());
        assert_eq!(secret_of(&given).await.unwrap(), ("key".to_owned(), "hush".to_owned()));
    }

    #[test]
    fn a_host_is_allowed_that_the_manifest_and_the_flag_name() {
        let of = |patterns: &[&str]| {
            let patterns = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
            Grants::stated(BTreeMap::from([("http".to_owned(), patterns)])).unwrap()
        };
        for (flag, manifest, expected) in [
            (&["*"][..], &["a.example"][..], &["a.example"][..]),
            (&["a.example"], &["*"], &["a.example"]),
            (&["a.example", "b.example"], &["b.example", "c.example"], &["b.example"]),
            (&["a.example"], &[], &[]),
        ] {
            assert_eq!(both(&of(flag), &of(manifest)).unwrap(), of(expected), "{flag:?} {manifest:?}");
        }
    }
}
