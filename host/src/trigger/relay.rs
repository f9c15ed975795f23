//! Events out of the outbox, deliveries into the hands of the dispatcher.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Trouble;
use crate::limits;
use crate::service::{self, Services};

/// Relays whatever is there, then waits to be woken.
pub(super) async fn work(services: Arc<Services>) {
    let mut trouble = Trouble::new("events cannot be relayed");
    while !services.db.is_closed() {
        match service::deliveries::relay(&services).await {
            Ok(relayed) => {
                trouble.over(&services);
                let woken = services.events.outbox.notified();
                if relayed.events == 0 && relayed.passed_over {
                    // Nobody tells when whoever held the app has let it go.
                    let _ = timeout(Duration::from_millis(limits::PASSED_OVER_MS), woken).await;
                } else if relayed.events == 0 {
                    woken.await;
                }
            }
            Err(error) => trouble.wait(&services, &error).await,
        }
    }
}
