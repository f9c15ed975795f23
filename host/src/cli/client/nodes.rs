//! `picloud nodes`: which nodes share a database, and how each is.

use super::api::Ask;
use super::args::{At, Page};
use super::output::{As, Column};
use super::session::{Session, Shape};
use crate::cli::failure::Result;

const NODES: &[Column] = &[
    Column("NAME", "/name", As::Text),
    Column("STATE", "/state", As::Text),
    Column("ROLES", "/roles", As::Words),
    Column("VERSION", "/version", As::Text),
    Column("SCHEMA", "/schema", As::Text),
    Column("DATA", "/data", As::Text),
    Column("ADMIN", "/admin", As::Text),
    Column("STARTED", "/started_at", As::Age),
    Column("SEEN", "/seen_at", As::Age),
];

pub(super) async fn nodes(at: &At) -> Result<()> {
    let page = Page { all: false, limit: None, cursor: None };
    Session::open(at)?.list(&|| Ask::get(&["admin", "nodes"]), &Shape::new(NODES, "no nodes"), &page).await
}
