//! Whether a node says of itself that it works.

use super::api::{Api, Ask, not_a_node};
use super::origin::Origin;
use super::output::cell;
use crate::cli::failure::{Exit, Failure, Result};
use crate::limits;

/// Asks `url`, which is either plane of the node.
pub(in crate::cli) async fn health(url: &str) -> Result<()> {
    let api = Api::new(Origin::parse(url)?, None);
    let reply = api.send(Ask::health(limits::HEALTH_ANSWER_MS)).await?;
    if reply.status.is_success() {
        // A page that a proxy has for everything is no word of a node.
        return if reply.value()?.get("status").is_some_and(|status| status == "ok") { Ok(()) } else { Err(not_a_node()) };
    }
    let told = reply.value().ok();
    let told = told.as_ref().and_then(|value| value.pointer("/error/message")?.as_str()).unwrap_or("it says no more");
    let (at, status) = (api.origin.as_str(), reply.status.as_u16());
    Err(Failure::new(Exit::Other, format!("{at} does not work ({status}): {}", cell(told))))
}
