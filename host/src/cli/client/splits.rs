//! `picloud split`: a part of an app's requests for another deployment.

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::api::Ask;
use super::args::InApp;
use super::output::{As, Column, cell, fields, text_at};
use super::session::Session;
use crate::cli::failure::Result;

const FIELDS: &[Column] = &[
    Column("deployment", "/deployment", As::Text),
    Column("percent", "/percent", As::Text),
    Column("sticky", "/sticky", As::Text),
    Column("set", "/set_at", As::Age),
];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Split {
    #[command(flatten)]
    place: InApp,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show which deployment answers a part of the requests.
    #[command(after_help = example!(app: "picloud split get --app shop"))]
    Get,
    /// Have a deployment answer a part of the requests; what runs answers the others.
    #[command(after_help = example!(app:
        "picloud split set 6 --percent 10 --app shop",
        "picloud split set 6 --percent 50 --sticky --app shop"))]
    Set {
        /// Number of the deployment.
        number: i32,
        /// Of a hundred requests so many, 1 to 99.
        #[arg(long, value_name = "N")]
        percent: u32,
        /// Who was answered by it goes on being (by a cookie).
        #[arg(long)]
        sticky: bool,
    },
    /// Have what runs answer all requests again.
    #[command(after_help = example!(app: "picloud split end --app shop"))]
    End,
}

pub(super) async fn run(split: Split) -> Result<()> {
    let Split { place, command } = split;
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let path = ["admin", "apps", &app, "split"];
    match command.unwrap_or(Command::Get) {
        Command::Get => session.tell(Ask::get(&path), |split| told(&session, split)).await,
        Command::Set { number, percent, sticky } => {
            let body = json!({ "deployment": number, "percent": percent, "sticky": sticky });
            let ask = Ask::new(Method::PUT, &path).json(&body)?.running_a_script();
            session.tell(ask, |split| told(&session, split)).await
        }
        Command::End => {
            let said = format!("What runs answers every request of {}.", cell(&app));
            session.done(Ask::delete(&path), &said).await
        }
    }
}

fn told(session: &Session, split: &Value) -> String {
    let percent = text_at(split, "/percent");
    let head = format!("Deployment {} answers {percent} of a hundred requests.\n", text_at(split, "/deployment"));
    format!("{head}{}", fields(FIELDS, split, session.now))
}
