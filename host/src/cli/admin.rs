//! `picloud admin`: for who can reach the database of a node and cannot log in to it. Works beside nodes, or alone.

use std::io::{self, BufRead as _, Read as _};

use serde::Serialize;

use super::failure::{Exit, Failure, Result, exit_of};
use super::operator::Operator;
use super::terminal::{print, print_json, table};
use crate::auth::password;
use crate::config::Settings;
use crate::error::{Error, Kind};
use crate::limits;
use crate::model::user::User;
use crate::service;

pub(super) const EXAMPLES: &str = "\
Examples:
  picloud admin reset-password ada                             makes a password and prints it once
  picloud admin create-owner ada --password-stdin < password   takes the first line

A new password ends all logins of the person. May run beside nodes; needs what they have: the data directory, or DATABASE_URL
and PICLOUD_SECRET_KEY.";

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    ResetPassword,
    CreateOwner,
}

#[derive(Debug, Serialize)]
struct Done {
    username: String,
    role: &'static str,
    /// Only one that was made here; null where it was given.
    password: Option<String>,
}

/// Who, and what their password is to be.
#[derive(Debug, clap::Args)]
pub(super) struct Whom {
    /// The person's user name.
    username: String,
    /// Read the password from standard input, rather than make one.
    #[arg(long)]
    password_stdin: bool,
    /// The result as one JSON document.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: Settings, what: What, whom: Whom) -> Result<()> {
    let Whom { username, password_stdin, json } = whom;
    let failed = |error: Error| {
        let exit = if error.kind == Kind::Internal { exit_of(&error) } else { Exit::Usage };
        Failure::of(exit, &username, &error)
    };
    let (password, made) = if password_stdin {
        (first_line()?, None)
    } else {
        let made = password::generate().map_err(failed)?;
        (made.clone(), Some(made))
    };
    let operator = Operator::open(&settings).await?;
    let done = match operator.services(&settings) {
        Ok(services) => match what {
            What::ResetPassword => service::users::reset_password(&services, &username, &password).await.map_err(failed),
            What::CreateOwner => service::users::create_owner(&services, &username, &password).await.map_err(failed),
        },
        Err(failure) => Err(failure),
    };
    operator.close().await;
    tell(&done?, what, made, json);
    Ok(())
}

/// What somebody typed or piped, without the end of the line.
fn first_line() -> Result<String> {
    let mut line = String::new();
    let mut stdin = io::stdin().lock().take(limits::PASSWORD_BYTES_MAX as u64 + 3);
    stdin.read_line(&mut line).map_err(|e| Failure::new(Exit::Usage, format!("standard input cannot be read: {e}")))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn tell(user: &User, what: What, password: Option<String>, json: bool) {
    let (username, role) = (user.username.clone(), user.role.as_str());
    if json {
        return print_json(&Done { username, role, password });
    }
    let head = match what {
        What::ResetPassword => "The password is set, and every login of this person has ended.",
        What::CreateOwner => "There is one more owner.",
    };
    let shown = password.map_or("the one that was given".to_owned(), |made| format!("{made}   (shown this once: keep it)"));
    print(&format!("{head}\n{}", table(&[("username", username), ("role", role.to_owned()), ("password", shown)])));
}
