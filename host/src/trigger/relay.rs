//! Events out of the outbox, deliveries into the hands of the dispatcher.

use std::sync::Arc;

use super::Trouble;
use crate::service::{self, Services};

/// Relays whatever is there, then waits to be woken.
pub(super) async fn work(services: Arc<Services>) {
    let mut trouble = Trouble::new("events cannot be relayed");
    while !services.db.is_closed() {
        match service::deliveries::relay(&services).await {
            Ok(events) => {
                trouble.over(&services);
                if events == 0 {
                    services.events.outbox.notified().await;
                }
            }
            Err(error) => trouble.wait(&services, &error).await,
        }
    }
}
