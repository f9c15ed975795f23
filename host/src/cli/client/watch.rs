//! `picloud watch`, and what `picloud dev` does about the files beside it: on a save they are checked and applied, and what the
//! app logs is shown meanwhile.
//!
//! `eyes` tells that something may be new; a target (`of_app`: a manifest with its sources, `of_script`: one file) reads, does
//! nothing where it is what was tried last, and else sends it as `apply` and `deploy` do. What is refused is told and left, as
//! what runs is; the next save is another try. What comes while one is under way leads to one more.

mod eyes;
mod of_app;
mod of_script;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::json;
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::time::sleep;

use self::eyes::Eyes;
pub(super) use self::eyes::Places;
use self::of_app::OfApp;
use self::of_script::OfScript;
use super::api::{Api, Ask, Reply};
use super::deploy::{Kind, name_of};
use super::logs;
use super::manifest::{self, Described, ENVIRONMENT};
use super::origin::Origin;
use super::output::{Hue, cell, hued, text_at, took};
use super::refusal::Refusal;
use super::routes::Pattern;
use super::session::Session;
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::{print, say};
use crate::clock::Clock;
use crate::limits;
use crate::model::secret::Secret;
use crate::shutdown::Shutdown;

/// The ending of a script's file.
const SOURCE: &str = "rhai";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Watch {
    #[command(flatten)]
    described: Described,
    /// A manifest, a directory with one, or (with --app) one script [default: picloud.toml, here or further up].
    #[arg(value_name = "PATH", conflicts_with = "manifest")]
    path: Option<PathBuf>,
    /// Name of the one script [default: that of the file without its ending].
    #[arg(long)]
    name: Option<String>,
    /// What the one script is, if it is new [default: endpoint].
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Where the one script is to answer, such as `/visits` or `GET /visits/:who`; made unless it is there.
    #[arg(long, value_name = "[METHOD ]PATH")]
    route: Option<Pattern>,
    /// Leave out what the app logs.
    #[arg(long)]
    no_logs: bool,
    /// Ask nothing, also where scripts go, or what somebody else changed is taken back.
    #[arg(long)]
    yes: bool,
}

/// What `picloud dev` takes about the files beside it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Beside {
    /// The manifest to apply and to watch [default: picloud.toml, here or further up].
    #[arg(long, value_name = "FILE", conflicts_with = "no_watch", help_heading = "Files")]
    watch: Option<PathBuf>,
    /// Leave the files beside it alone.
    #[arg(long, help_heading = "Files")]
    no_watch: bool,
    /// Environment: what `[env.NAME]` of the manifest says goes over the rest of it.
    #[arg(long, env = ENVIRONMENT, hide_env_values = true, value_name = "NAME", help_heading = "Files")]
    env: Option<String>,
    /// Leave out what the app logs.
    #[arg(long, help_heading = "Files")]
    no_logs: bool,
}

/// A manifest that was found, and watched from then on.
pub(in crate::cli) struct Found {
    described: Described,
    eyes: Eyes,
    logs: Shown,
    /// As people know it.
    pub(in crate::cli) shown: String,
}

/// Whether what the app logs is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Logs,
    Nothing,
}

/// Whether somebody must agree where something is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    Given,
    Asked,
}

/// What becomes of an app that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Made,
    Told,
}

/// What is watched.
enum Target {
    App(Box<OfApp>),
    Script(Box<OfScript>),
}

/// An app that is there.
#[derive(Debug)]
struct Begun {
    app: String,
    /// Without a `/` at its end.
    url: String,
}

/// What of a target was sent, and what was told of it.
#[derive(Debug)]
struct Tries<T> {
    /// What was sent last, whatever came of it.
    tried: Option<T>,
    /// Also what was tried is.
    is_due: bool,
    /// What is wrong with the files, and was told.
    unread: Option<String>,
}

impl<T> Default for Tries<T> {
    fn default() -> Self {
        Self { tried: None, is_due: false, unread: None }
    }
}

impl<T: PartialEq> Tries<T> {
    /// What was read, where it is to be sent; none where it was, or what is wrong with it was told.
    fn next(&mut self, read: Result<T>) -> Result<Option<T>> {
        match read {
            Ok(read) => {
                self.unread = None;
                if self.tried.as_ref() == Some(&read) && !self.is_due {
                    return Ok(None);
                }
                self.is_due = false;
                Ok(Some(read))
            }
            Err(failure) => {
                self.is_due = true;
                let told = failure.told();
                if self.unread.as_ref() == Some(&told) {
                    return Ok(None);
                }
                self.unread = Some(told);
                Err(failure)
            }
        }
    }

    /// What came of sending it.
    fn note(&mut self, sent: T, done: &Result<Done>) {
        match done {
            Err(failure) if is_worth_another_try(failure.exit()) => self.is_due = true,
            _ => self.tried = Some(sent),
        }
    }
}

/// What came of a save.
#[derive(Debug)]
struct Done {
    names: Vec<String>,
    /// `deployment 8`.
    what: String,
    gained: Vec<String>,
    url: Option<String>,
    reply: Option<Reply>,
}

pub(super) async fn run(watch: Watch) -> Result<()> {
    let shutdown = Shutdown::new();
    shutdown.follow_signals(Duration::ZERO).map_err(|e| Failure::new(Exit::Other, format!("no signal handlers: {e}")))?;
    let logs = if watch.no_logs { Shown::Nothing } else { Shown::Logs };
    let session = Session::open(&watch.described.place.at)?;
    let target = watch.target()?;
    let first = |failure: &Failure| if failure.exit() == Exit::Refused { First::GoesOn } else { First::Ends };
    tokio::select! {
        biased;
        () = shutdown.draining() => Ok(()),
        done = watched(&session, target, Eyes::open(), logs, first) => done,
    }
}

impl Watch {
    fn target(self) -> Result<Target> {
        let Self { described, path, name, kind, route, no_logs: _, yes } = self;
        let consent = if yes { Consent::Given } else { Consent::Asked };
        let is_script = |path: &PathBuf| path.extension().is_some_and(|ending| ending == SOURCE);
        match path {
            Some(file) if is_script(&file) => {
                let app = described.place.app()?;
                let name = name_of(name, &file)?;
                Ok(Target::Script(Box::new(OfScript::new(app, whole(&file)?, name, kind, route))))
            }
            _ if name.is_some() || kind.is_some() || route.is_some() => {
                Err(Failure::new(Exit::Usage, "--name, --kind and --route are for one script: name its file"))
            }
            Some(path) => {
                let path = if path.is_dir() { path.join(manifest::NAME) } else { path };
                let described = described.naming(whole(&path)?);
                Ok(Target::App(Box::new(OfApp::new(described, consent, Missing::Told))))
            }
            None => {
                // Named once: another one further up does not take its place when it goes.
                let path = whole(&described.path()?)?;
                Ok(Target::App(Box::new(OfApp::new(described.naming(path), consent, Missing::Told))))
            }
        }
    }
}

impl Beside {
    /// Where there is one to be watched. The kernel is asked for nothing new afterwards.
    pub(in crate::cli) fn find(self) -> Result<Option<Found>> {
        let Self { watch, no_watch, env, no_logs } = self;
        let path = match watch {
            _ if no_watch => None,
            Some(path) if path.is_file() => Some(whole(&path)?),
            Some(path) => {
                let line = format!("there is no manifest {}", cell(&path.to_string_lossy()));
                return Err(Failure::new(Exit::Usage, line).hinting("picloud init writes one"));
            }
            None => manifest::found()?,
        };
        let Some(path) = path else { return Ok(None) };
        let shown = manifest::shown(&path);
        let described = Described::of(path, env);
        let mut eyes = Eyes::open();
        if let Some(why) = eyes.watch(&described.places()) {
            say(&only_looked_at(&why));
        }
        eyes.seal();
        let logs = if no_logs { Shown::Nothing } else { Shown::Logs };
        Ok(Some(Found { described, eyes, logs, shown }))
    }
}

impl Found {
    /// Applies it at a node, and again at each save: until it is dropped.
    pub(in crate::cli) async fn follow(self, admin_url: &str, token: Secret) -> Result<()> {
        let Self { described, eyes, logs, shown: _ } = self;
        let api = Api::new(Origin::parse(admin_url)?, Some(token));
        let session = Session { api, json: false, now: Clock::system().now() };
        let target = Target::App(Box::new(OfApp::new(described, Consent::Given, Missing::Made)));
        watched(&session, target, eyes, logs, |_: &Failure| First::GoesOn).await
    }
}

/// What a failure of the first try means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Ends,
    GoesOn,
}

async fn watched(
    session: &Session,
    mut target: Target,
    mut eyes: Eyes,
    logs: Shown,
    first: impl Fn(&Failure) -> First,
) -> Result<()> {
    let (begun, following) = channel(None);
    let script = target.script();
    tokio::select! {
        done = saves(session, &mut target, &mut eyes, &begun, first) => done,
        () = lines(session, following, script), if logs == Shown::Logs => Ok(()),
    }
}

/// One try after the other.
async fn saves(
    session: &Session,
    target: &mut Target,
    eyes: &mut Eyes,
    begun: &Sender<Option<String>>,
    first: impl Fn(&Failure) -> First,
) -> Result<()> {
    let (mut since, mut is_first) = (Instant::now(), true);
    let mut said = String::new();
    loop {
        if let Some(why) = eyes.watch(&target.places()) {
            say(&only_looked_at(&why));
        }
        let passing = match target.round(session, begun).await {
            Ok(None) => false,
            Ok(Some(done)) => {
                done.tell(session, since);
                said.clear();
                false
            }
            Err(failure) if is_first && first(&failure) == First::Ends => return Err(failure),
            Err(failure) => {
                let told = failure.told();
                // What lasts is told once.
                if told != said || !is_worth_another_try(failure.exit()) {
                    let _ = failure.report();
                }
                said = told;
                is_passing(failure.exit())
            }
        };
        is_first = false;
        let changed = tokio::select! {
            () = eyes.changed() => true,
            () = sleep(Duration::from_millis(limits::CLIENT_WATCH_RETRY_MS)), if passing => false,
        };
        since = Instant::now();
        if changed {
            eyes.settled().await;
        }
    }
}

/// What the app logs, once it is known which one.
async fn lines(session: &Session, mut begun: Receiver<Option<String>>, script: Option<String>) {
    loop {
        let app = begun.borrow_and_update().clone();
        let ended = async {
            match &app {
                None => std::future::pending().await,
                Some(app) => logs::stream(session, app, script.as_deref()).await,
            }
        };
        tokio::select! {
            ended = ended => {
                if let Err(failure) = ended {
                    say(&format!("what the app logs is not shown: {}", failure.into_line()));
                }
                if begun.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
            changed = begun.changed() => if changed.is_err() {
                return std::future::pending().await;
            },
        }
    }
}

impl Target {
    fn places(&self) -> Places {
        match self {
            Self::App(target) => target.places(),
            Self::Script(target) => target.places(),
        }
    }

    /// The one script whose lines are shown, if it is one.
    fn script(&self) -> Option<String> {
        match self {
            Self::App(_) => None,
            Self::Script(target) => Some(target.name().to_owned()),
        }
    }

    /// Reads; sends what is new.
    async fn round(&mut self, session: &Session, begun: &Sender<Option<String>>) -> Result<Option<Done>> {
        match self {
            Self::App(target) => target.round(session, begun).await,
            Self::Script(target) => target.round(session, begun).await,
        }
    }
}

impl Begun {
    /// Finds the app, or makes it.
    async fn find(session: &Session, app: &str, missing: Missing, watched: &str) -> Result<Self> {
        let reply = session.api.send(Ask::get(&["admin", "apps", app])).await?;
        let reply = match Refusal::of(&reply) {
            None => reply,
            Some(refusal) if refusal.status == StatusCode::NOT_FOUND && missing == Missing::Made => {
                let body = json!({ "slug": app, "name": app, "takeover": false });
                session.api.ask(Ask::post(&["admin", "apps"]).json(&body)?).await?
            }
            Some(refusal) if refusal.status == StatusCode::NOT_FOUND => {
                let failure = refusal.into_failure(&session.api.origin);
                return Err(failure.hinting(format!("picloud apps create {}", cell(app))));
            }
            Some(refusal) => return Err(refusal.into_failure(&session.api.origin)),
        };
        let about = reply.value()?;
        let (slug, url) = (text_at(&about, "/slug"), text_at(&about, "/url"));
        say(&format!("{slug} at {}: {watched} is watched", session.api.origin.as_str()));
        Ok(Self { app: app.to_owned(), url: url.trim_end_matches('/').to_owned() })
    }
}

impl Done {
    /// In one line: `12:04:31 visits.rhai → deployment 8 in 84 ms  http://…`.
    fn tell(&self, session: &Session, since: Instant) {
        if session.json {
            self.reply.iter().for_each(|reply| session.as_it_came(reply));
            return;
        }
        let now = Clock::system().now().format("%H:%M:%S").to_string();
        let us = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        print(&self.line(&hued(&now, Hue::Faint), us));
    }

    fn line(&self, now: &str, us: u64) -> String {
        let what = hued(&format!("→ {}", self.what), Hue::Green);
        let gained = match self.gained.as_slice() {
            [] => String::new(),
            gained => format!("  {}", hued(&format!("! gains {}", gained.join(", ")), Hue::Red)),
        };
        let url = self.url.as_deref().map(|url| format!("  {url}")).unwrap_or_default();
        format!("{now} {} {what} in {}{gained}{url}\n", named(&self.names), took(us))
    }
}

/// `a.rhai, b.rhai and 3 more`.
fn named(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().map(String::as_str).take(limits::CLIENT_WATCH_NAMES_MAX).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Whether it may be well by itself in a while.
fn is_passing(exit: Exit) -> bool {
    matches!(exit, Exit::Unreachable | Exit::Busy)
}

/// Whether the same is worth another try: it is not what was sent that is in the way.
fn is_worth_another_try(exit: Exit) -> bool {
    is_passing(exit) || matches!(exit, Exit::Denied | Exit::NotFound)
}

fn only_looked_at(why: &str) -> String {
    format!("the kernel does not tell of changes ({why}): files are looked at every {} ms", limits::CLIENT_WATCH_POLL_MS)
}

/// From the root, wherever the process goes.
fn whole(path: &Path) -> Result<PathBuf> {
    let whole = std::path::absolute(path);
    whole.map_err(|e| Failure::new(Exit::Usage, format!("{} cannot be watched: {e}", cell(&path.to_string_lossy()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(names: &[&str], gained: &[&str], url: Option<&str>) -> Done {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let (names, gained, url) = (owned(names), owned(gained), url.map(str::to_owned));
        Done { names, what: "deployment 8".to_owned(), gained, url, reply: None }
    }

    #[test]
    fn a_save_is_one_line() {
        let one = done(&["visits.rhai"], &[], Some("http://shop.localhost:8080/visits"));
        let line = "12:04:31 visits.rhai → deployment 8 in 84 ms  http://shop.localhost:8080/visits\n";
        assert_eq!(one.line("12:04:31", 84_000), line);
        let reaching = done(&["a", "b"], &["http", "a.example"], None);
        assert_eq!(reaching.line("12:04:31", 1), "12:04:31 a, b → deployment 8 in 1 µs  ! gains http, a.example\n");
    }

    #[test]
    fn some_of_many_names_are_told() {
        let names: Vec<String> = (0..=limits::CLIENT_WATCH_NAMES_MAX).map(|n| n.to_string()).collect();
        assert_eq!(named(&names[..limits::CLIENT_WATCH_NAMES_MAX]), "0, 1, 2");
        assert_eq!(named(&names), "0, 1, 2 and 1 more");
    }
}
