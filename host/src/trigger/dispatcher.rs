//! Claims what is due, as far as this node has room, and has each claim attempted.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::held::Held;
use super::{Trouble, attempt, woken_or};
use crate::invoke::Invoker;
use crate::model::delivery::Settlement;
use crate::service::{self, Services};
use crate::shutdown;

/// Claims whenever something may be due, then waits for the next due time or a wake-up.
pub(super) async fn work(services: Arc<Services>, invoker: Arc<Invoker>, held: Arc<Held>, settlements: mpsc::Sender<Settlement>) {
    let mut trouble = Trouble::new("deliveries cannot be claimed");
    while !services.db.is_closed() {
        let looked = async {
            let room = held.room();
            let claims = if room.total > 0 { service::deliveries::claim(&services, &room).await? } else { Vec::new() };
            held.add(&claims);
            for claim in claims {
                let attempted = attempt::run(services.clone(), invoker.clone(), claim);
                let settlements = settlements.clone();
                shutdown::spawn("delivery", async move {
                    // A node that is ending has given the claim back.
                    let _ = settlements.send(attempted.await).await;
                });
            }
            // Where an app took all that it may there is more, and its next settlement wakes.
            service::deliveries::next_due(&services).await
        };
        match looked.await {
            Ok(next) => {
                trouble.over();
                woken_or(&services, &services.events.due, next).await;
            }
            Err(error) => trouble.wait(&services, &error).await,
        }
    }
}
