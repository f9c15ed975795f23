//! `picloud routes`.

use std::str::FromStr;

use clap::Subcommand;
use serde_json::{Value, json};

use super::api::Ask;
use super::args::{At, InApp, Page};
use super::input::{Sure, confirm};
use super::names::{self, has, id_of, is_id};
use super::output::{As, Column, cell, fields, text_at};
use super::session::{Items, Session, Shape};
use crate::cli::failure::{Exit, Failure, Result};

const COLUMNS: &[Column] = &[
    Column("METHOD", "/method", As::Text),
    Column("HOST", "/host", As::Text),
    Column("PATH", "/path", As::Text),
    Column("MODE", "/dispatch_mode", As::Text),
    Column("MADE", "/created_at", As::Age),
    Column("ID", "/id", As::Text),
];
const MATCHED: &[Column] = &[
    Column("script", "/script/name", As::Text),
    Column("version", "/script/version", As::Text),
    Column("app", "/app/slug", As::Text),
    Column("route", "/route/path", As::Text),
    Column("parameters", "/params", As::Text),
    Column("rest", "/rest", As::Text),
];
const NONE: &str = "there is no route";
const METHODS_OF_ANY: [&str; 2] = ["ANY", "*"];

/// `GET /visits/:who`, or a path alone for any method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Pattern {
    pub(super) method: Option<String>,
    pub(super) path: String,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Routes {
    /// List the routes of a script, or of all of the app.
    #[command(after_help = example!(app: "picloud routes list visits --app shop", "picloud routes list --app shop --json"))]
    List {
        #[command(flatten)]
        place: InApp,
        /// Id or name of the script; all of the app if left out.
        script: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Have a script answer at a path.
    #[command(after_help = example!(app:
        "picloud routes add visits 'GET /visits/:who' --app shop",
        "picloud routes add import /import --mode async --app shop"))]
    Add {
        #[command(flatten)]
        place: InApp,
        /// Id or name of the script.
        script: String,
        /// Exact (`/a`), with parameters (`/users/:id`), or everything below (`/files/*`).
        #[arg(value_name = "[METHOD ]PATH")]
        pattern: Pattern,
        /// A host of the app's; any of them if left out.
        #[arg(long)]
        host: Option<String>,
        /// Whether the caller waits: `sync`, or `async`.
        #[arg(long, value_parser = ["sync", "async"])]
        mode: Option<String>,
    },
    /// Delete a route.
    #[command(after_help = example!(app: "picloud routes delete visits 'GET /visits/:who' --app shop --yes"))]
    Delete {
        #[command(flatten)]
        place: InApp,
        /// Id or name of the script.
        script: String,
        /// Id of the route, or what it matches.
        #[arg(value_name = "ROUTE")]
        route: String,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
    /// Say which script a request would reach, or why none.
    #[command(after_help = example!(app:
        "picloud routes match 'GET /visits/ada' --app shop",
        "picloud routes match /visits --host shop.example.com"))]
    Match {
        #[command(flatten)]
        place: InApp,
        /// The request's method (GET if left out) and path.
        #[arg(value_name = "[METHOD ]PATH")]
        request: Pattern,
        /// The request's host; one of the app's if left out.
        #[arg(long)]
        host: Option<String>,
    },
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let (method, path) = match text.trim().split_once(' ') {
            Some((method, path)) => (Some(method.to_ascii_uppercase()), path.trim()),
            None => (None, text.trim()),
        };
        if !path.starts_with('/') || path.contains(' ') {
            return Err("a path begins with `/`; a method may stand before it, as in `GET /visits`".to_owned());
        }
        let method = method.filter(|method| !METHODS_OF_ANY.contains(&method.as_str()));
        Ok(Self { method, path: path.to_owned() })
    }
}

impl Pattern {
    /// Whether a route of the API's matches just that.
    fn is(&self, route: &Value) -> bool {
        has(route, "path", &self.path) && route.get("method").and_then(Value::as_str) == self.method.as_deref()
    }
}

pub(super) async fn run(routes: Routes) -> Result<()> {
    match routes {
        Routes::List { place, script: Some(script), page } => {
            let session = Session::open(&place.at)?;
            let script = names::script(&session, &place, &script).await?;
            session.list(&|| of(&script.id), &Shape::new(COLUMNS, NONE), &page).await
        }
        Routes::List { place, script: None, page: _ } => all(&Session::open(&place.at)?, &place.app()?).await,
        Routes::Add { place, script, pattern, host, mode } => {
            let session = Session::open(&place.at)?;
            let script = names::script(&session, &place, &script).await?;
            let Pattern { method, path } = pattern;
            let body = json!({ "method": method, "path": path, "host": host, "dispatch_mode": mode });
            let ask = Ask::post(&["admin", "scripts", &script.id, "routes"]).json(&body)?;
            session.tell(ask, |route| format!("{} answers at {}\n", cell(&script.named), words(route))).await
        }
        Routes::Delete { place, script, route, yes } => {
            let session = Session::open(&place.at)?;
            let script = names::script(&session, &place, &script).await?;
            let id = if is_id(&route) { route.clone() } else { id_behind(&session, &script.id, &route).await? };
            confirm(&format!("Delete the route {} of {}", cell(&route), cell(&script.named)), Sure::from(yes))?;
            let ask = Ask::delete(&["admin", "scripts", &script.id, "routes", &id]);
            session.done(ask, &format!("The route {} is gone.", cell(&route))).await
        }
        Routes::Match { place, request, host } => find(&place.at, &place, request, host).await,
    }
}

async fn find(at: &At, place: &InApp, request: Pattern, host: Option<String>) -> Result<()> {
    let session = Session::open(at)?;
    let app = if host.is_some() { place.app_or_none()? } else { Some(place.app()?) };
    let method = request.method.unwrap_or_else(|| "GET".to_owned());
    let body = json!({ "method": method, "path": request.path, "host": host, "app": app });
    let reply = session.api.ask(Ask::post(&["admin", "routes:match"]).json(&body)?).await?;
    let value = reply.value()?;
    let is_matched = value.get("matched") == Some(&Value::Bool(true));
    if session.json {
        session.as_it_came(&reply);
    } else if is_matched {
        crate::cli::terminal::print(&fields(MATCHED, &value, session.now));
    }
    if is_matched {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NotFound,
        format!("no script answers {method} {}: {}", cell(&request.path), text_at(&value, "/message")),
    ))
}

/// The routes of every script of the app.
async fn all(session: &Session, app: &str) -> Result<()> {
    let scripts = session.gather(&|| Ask::get(&["admin", "scripts"]).query("app", app)).await?;
    let mut found = Items::default();
    for script in &scripts.items {
        let script: Value = serde_json::from_str(script.get()).unwrap_or_default();
        if has(&script, "kind", "endpoint") {
            let id = id_of(&script);
            found.items.extend(session.gather(&|| of(&id)).await?.items);
        }
    }
    session.show_items(&found, &Shape::new(COLUMNS, NONE))
}

/// Makes a route unless there is one that matches the same; its path.
pub(super) async fn ensure(session: &Session, script: &str, pattern: &Pattern) -> Result<String> {
    if session.find(&|| of(script), |route| pattern.is(route)).await?.is_none() {
        let body = json!({ "method": pattern.method, "path": pattern.path });
        session.api.ask(Ask::post(&["admin", "scripts", script, "routes"]).json(&body)?).await?;
    }
    Ok(pattern.path.clone())
}

/// The path of a script's first route.
pub(super) async fn first_path(session: &Session, script: &str) -> Result<Option<String>> {
    Ok(session.find(&|| of(script), |_| true).await?.map(|route| text_at(&route, "/path")))
}

async fn id_behind(session: &Session, script: &str, named: &str) -> Result<String> {
    let wrong = |why: String| Failure::new(Exit::Usage, format!("{} is no route: {why}", cell(named)));
    let pattern = Pattern::from_str(named).map_err(wrong)?;
    let route = session.find(&|| of(script), |route| pattern.is(route)).await?;
    let none = || Failure::new(Exit::NotFound, format!("the script has no route {}", cell(named)));
    route.map(|route| id_of(&route)).ok_or_else(none)
}

fn of(script: &str) -> Ask {
    Ask::get(&["admin", "scripts", script, "routes"])
}

fn words(route: &Value) -> String {
    let method = route.get("method").and_then(Value::as_str).map_or_else(|| "ANY".to_owned(), cell);
    format!("{method} {}", text_at(route, "/path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_path_with_or_without_a_method() {
        let pattern = |method: Option<&str>, path: &str| Ok(Pattern { method: method.map(str::to_owned), path: path.to_owned() });
        assert_eq!("/a/:b".parse(), pattern(None, "/a/:b"));
        assert_eq!("get  /a".parse(), pattern(Some("GET"), "/a"));
        assert_eq!("ANY /a".parse(), pattern(None, "/a"));
        for wrong in ["a", "GET", "GET a", "GET /a b", ""] {
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_route_is_found_by_method_and_path() {
        let pattern: Pattern = "GET /a".parse().unwrap();
        assert!(pattern.is(&json!({ "method": "GET", "path": "/a" })));
        assert!(!pattern.is(&json!({ "method": null, "path": "/a" })));
        assert!("/a".parse::<Pattern>().unwrap().is(&json!({ "method": null, "path": "/a" })));
    }
}
