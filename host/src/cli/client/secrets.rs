//! `picloud secrets`. A value is read from standard input, or typed unseen; never from the command line, which others see.

use clap::Subcommand;
use hyper::Method;
use serde_json::json;

use super::api::Ask;
use super::args::{InApp, Page};
use super::input::{self, Sure, ask_unseen, confirm, somebody_is_there};
use super::output::{As, Column, cell};
use super::session::{Session, Shape};
use crate::cli::failure::{Exit, Failure, Result};
use crate::model::secret::Secret;

const COLUMNS: &[Column] =
    &[Column("NAME", "/name", As::Text), Column("MADE", "/created_at", As::Age), Column("CHANGED", "/updated_at", As::Age)];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Secrets {
    /// List the names of an app's secrets.
    #[command(after_help = example!(app: "picloud secrets list --app shop"))]
    List {
        #[command(flatten)]
        place: InApp,
        #[command(flatten)]
        page: Page,
    },
    /// Set a secret to what comes on standard input, without the line end after it.
    #[command(after_help = example!(app:
        "picloud secrets set stripe-key --app shop < key",
        "picloud secrets set stripe-key --app shop   (asks for the value)"))]
    Set {
        #[command(flatten)]
        place: InApp,
        /// Name of the secret.
        name: String,
        /// Byte for byte, with a line end at the end.
        #[arg(long)]
        exact: bool,
    },
    /// Delete a secret.
    #[command(after_help = example!(app: "picloud secrets delete stripe-key --app shop --yes"))]
    Delete {
        #[command(flatten)]
        place: InApp,
        /// Name of the secret.
        name: String,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(secrets: Secrets) -> Result<()> {
    match secrets {
        Secrets::List { place, page } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let ask = || Ask::get(&["admin", "apps", &app, "secrets"]);
            session.list(&ask, &Shape::new(COLUMNS, "there is no secret"), &page).await
        }
        Secrets::Set { place, name, exact } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            let value =
                if somebody_is_there() { Secret::new(ask_unseen("Value").await?) } else { value(input::stdin()?, exact)? };
            let ask =
                Ask::new(Method::PUT, &["admin", "apps", &app, "secrets", &name]).json(&json!({ "value": value.expose() }))?;
            session.done(ask, &format!("The secret {} is set.", cell(&name))).await
        }
        Secrets::Delete { place, name, yes } => {
            let (session, app) = (Session::open(&place.at)?, place.app()?);
            confirm(&format!("Delete the secret {}", cell(&name)), Sure::from(yes))?;
            let ask = Ask::delete(&["admin", "apps", &app, "secrets", &name]);
            session.done(ask, &format!("The secret {} is gone.", cell(&name))).await
        }
    }
}

fn value(bytes: Vec<u8>, exact: bool) -> Result<Secret> {
    let text = String::from_utf8(bytes).map_err(|_| Failure::new(Exit::Usage, "the value of a secret is UTF-8"))?;
    let plain = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text));
    match plain {
        Some(plain) if !exact => Ok(Secret::new(plain.to_owned())),
        _ => Ok(Secret::new(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_not_part_of_a_value() {
        for (typed, kept) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("\n", ""), ("a\r", "a\r")] {
            assert_eq!(value(typed.into(), false).unwrap().expose(), kept, "{typed:?}");
            assert_eq!(value(typed.into(), true).unwrap().expose(), typed, "{typed:?}");
        }
        assert!(value(vec![0xff], false).is_err());
    }
}
