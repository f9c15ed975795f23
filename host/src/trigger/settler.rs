//! What came of the attempts, written together: whatever has come in while the last batch was written is the next one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Trouble;
use super::held::Held;
use crate::limits;
use crate::model::delivery::Settlement;
use crate::service::{self, Services};

/// Settles until nobody attempts any more. A batch that the database refuses is tried until it takes it: its leases may end
/// meanwhile, and then its deliveries are attempted again.
pub(super) async fn work(services: Arc<Services>, held: Arc<Held>, mut settlements: mpsc::Receiver<Settlement>) {
    let mut trouble = Trouble::new("deliveries cannot be settled");
    let (mut batch, mut settled) = (Vec::new(), 0);
    while settlements.recv_many(&mut batch, limits::SETTLE_BATCH_MAX).await > 0 {
        while let Err(error) = service::deliveries::settle(&services, &batch).await {
            if services.db.is_closed() {
                return;
            }
            trouble.wait(&services, &error).await;
            tokio::time::sleep(Duration::from_millis(limits::SETTLE_RETRY_MS)).await;
        }
        trouble.over(&services);
        if held.remove(batch.iter().map(|settlement| &settlement.claim)) {
            services.events.due.notify_one();
        }
        settled += batch.len();
        if settled >= limits::VACUUM_DELIVERIES {
            settled = 0;
            services.events.remains.notify_one();
        }
        batch.clear();
    }
}
