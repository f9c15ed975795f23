//! Claims what is due, as far as this node has room, and has each claim attempted.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use super::held::Held;
use super::{Trouble, attempt, woken_or};
use crate::error::Result;
use crate::invoke::Invoker;
use crate::model::delivery::Settlement;
use crate::service::{self, Services};
use crate::shutdown::{self, Phase, Shutdown};

pub(super) struct Dispatcher {
    pub(super) services: Arc<Services>,
    pub(super) invoker: Arc<Invoker>,
    pub(super) held: Arc<Held>,
    pub(super) settlements: mpsc::Sender<Settlement>,
    pub(super) shutdown: Shutdown,
}

impl Dispatcher {
    /// Claims whenever something may be due, then waits for the next due time or a wake-up, until draining begins. What is being
    /// claimed then is claimed to its end, so that it is known and given back.
    pub(super) async fn work(self) {
        let mut trouble = Trouble::new("deliveries cannot be claimed");
        while !self.services.db.is_closed() && self.shutdown.phase() < Phase::Draining {
            match self.look().await {
                Ok(next) => {
                    trouble.over(&self.services);
                    tokio::select! {
                        biased;
                        () = self.shutdown.draining() => {}
                        () = woken_or(&self.services, &self.services.events.due, next) => {}
                    }
                }
                Err(error) => trouble.wait(&self.services, &error).await,
            }
        }
    }

    /// Claims until there is no room or nothing due; when to look again.
    async fn look(&self) -> Result<Option<DateTime<Utc>>> {
        loop {
            let room = self.held.room();
            // What was claimed when draining began is given back by its attempt.
            let claims = if room.total > 0 && self.shutdown.phase() < Phase::Draining {
                service::deliveries::claim(&self.services, &room).await?
            } else {
                Vec::new()
            };
            if claims.is_empty() {
                // Where an app took all that it may there is more, and its next settlement wakes.
                return service::deliveries::next_due(&self.services).await;
            }
            self.held.add(&claims);
            for claim in claims {
                let attempted = attempt::run(self.services.clone(), self.invoker.clone(), self.shutdown.clone(), claim);
                let settlements = self.settlements.clone();
                shutdown::spawn("delivery", async move {
                    // A node that is ending has given the claim back.
                    let _ = settlements.send(attempted.await).await;
                });
            }
        }
    }
}
