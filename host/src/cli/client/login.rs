//! `picloud login`, `logout` and `whoami`.

use serde::Serialize;
use serde_json::{Value, json};

use super::api::{Api, Ask};
use super::args::At;
use super::credentials::Credentials;
use super::input::{ask_line, ask_unseen, line, somebody_is_there};
use super::output::{As, Column, text_at};
use super::refusal::Refusal;
use super::session::{Session, node, token_of_environment};
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::{print, warn};
use crate::limits;
use crate::model::secret::Secret;

const ME: &[Column] = &[
    Column("username", "/username", As::Text),
    Column("role", "/role", As::Text),
    Column("credential", "/credential", As::Text),
    Column("scopes", "/scopes", As::Words),
    Column("app", "/app_id", As::Text),
    Column("id", "/id", As::Text),
];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Login {
    #[command(flatten)]
    at: At,
    /// User name; asked for if left out.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Read the password from standard input (the first line) rather than ask for it.
    #[arg(long, requires = "username")]
    password_stdin: bool,
}

/// What is told of a login; never its token.
#[derive(Debug, Serialize)]
struct Done<'a> {
    url: &'a str,
    user: Value,
    expires_at: Value,
}

pub(super) async fn login(login: Login) -> Result<()> {
    let Login { at, username, password_stdin } = login;
    let session = Session::anonymous(&at)?;
    let mut credentials = Credentials::open()?;
    if !password_stdin && !somebody_is_there() {
        let line = "nobody is there to type a password: use --username and --password-stdin, or PICLOUD_TOKEN with an API key";
        return Err(Failure::new(Exit::Usage, line));
    }
    let username = username.map_or_else(|| ask_line("User name"), Ok)?;
    let password = if password_stdin { line()? } else { ask_unseen("Password").await? };
    if password.len() > limits::PASSWORD_BYTES_MAX {
        return Err(Failure::new(Exit::Usage, format!("a password has at most {} bytes", limits::PASSWORD_BYTES_MAX)));
    }
    let password = Secret::new(password);
    let body = json!({ "username": username, "password": password.expose() });
    let reply = session.api.send(Ask::post(&["admin", "auth", "login"]).json(&body)?).await?;
    if let Some(refusal) = Refusal::of(&reply) {
        // "Log in" is no hint to who does.
        let exit = refusal.exit();
        return Err(Failure::new(exit, refusal.into_failure(&session.api.origin).into_line()));
    }
    let answer = reply.value()?;
    let token = answer.get("token").and_then(Value::as_str).ok_or_else(super::api::not_a_node)?;
    credentials.keep(&session.api.origin, &username, &Secret::new(token.to_owned()))?;
    if token_of_environment().is_some() {
        warn("PICLOUD_TOKEN is set, and goes before this login: unset it");
    }
    let field = |name: &str| answer.get(name).cloned().unwrap_or_default();
    if session.json {
        let done = Done { url: session.api.origin.as_str(), user: field("user"), expires_at: field("expires_at") };
        return session.print_json(&done);
    }
    let (name, role) = (text_at(&answer, "/user/username"), text_at(&answer, "/user/role"));
    print(&format!("Logged in at {} as {name} ({role}).\n", session.api.origin.as_str()));
    Ok(())
}

/// Ends the login that was kept here; a token of the environment is its owner's to end.
pub(super) async fn logout(at: &At) -> Result<()> {
    let origin = node(at)?;
    let mut credentials = Credentials::open()?;
    let token = credentials.token(&origin);
    let was_there = token.is_some();
    let session = Session::with(Api::new(origin, token), at);
    if was_there {
        // Gone from here in any case; a node that does not know it any more has nothing to end.
        credentials.forget(&session.api.origin)?;
        let reply = session.api.send(Ask::post(&["admin", "auth", "logout"])).await?;
        if let Some(refusal) = Refusal::of(&reply).filter(|refusal| refusal.exit() != Exit::Denied) {
            return Err(refusal.into_failure(&session.api.origin));
        }
    }
    if session.json {
        return session.print_json(&json!({ "url": session.api.origin.as_str(), "was_logged_in": was_there }));
    }
    let said = if was_there { "Logged out at" } else { "Not logged in at" };
    print(&format!("{said} {}.\n", session.api.origin.as_str()));
    Ok(())
}

pub(super) async fn whoami(at: &At) -> Result<()> {
    let session = Session::open(at)?;
    let shown = session.tell(Ask::get(&["admin", "auth", "me"]), |me| {
        let node = format!("  node        {}\n", session.api.origin.as_str());
        node + &super::output::fields(ME, me, session.now)
    });
    shown.await
}
