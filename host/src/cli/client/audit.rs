//! `picloud audit list`: who changed what.

use clap::Subcommand;

use super::api::Ask;
use super::args::{At, Page};
use super::output::{As, Column};
use super::session::{Session, Shape};
use crate::cli::failure::Result;

const COLUMNS: &[Column] = &[
    Column("SEQ", "/seq", As::Count),
    Column("WHEN", "/at", As::Age),
    Column("WHO", "/username", As::Text),
    Column("BY", "/credential", As::Text),
    Column("ACTION", "/action", As::Text),
    Column("TARGET", "/target", As::Text),
    Column("FROM", "/address", As::Text),
];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Audit {
    /// List who changed what, newest first.
    #[command(after_help = example!(node: "picloud audit list", "picloud audit list --of shop --all --json"))]
    List {
        #[command(flatten)]
        at: At,
        /// An app's part, by id or slug; the whole log if left out.
        #[arg(long, value_name = "APP")]
        of: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

pub(super) async fn run(audit: Audit) -> Result<()> {
    let Audit::List { at, of, page } = audit;
    let ask = || match &of {
        Some(app) => Ask::get(&["admin", "apps", app, "audit"]),
        None => Ask::get(&["admin", "audit"]),
    };
    Session::open(&at)?.list(&ask, &Shape::new(COLUMNS, "nothing was changed yet"), &page).await
}
