//! What came of the attempts, written together: whatever has come in while the last batch was written is the next one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Trouble;
use super::held::Held;
use crate::limits;
use crate::model::delivery::Settlement;
use crate::service::{self, Services};

/// Settles until nobody attempts any more. A batch that the database refuses is tried until it takes it: its leases may end
/// meanwhile, and then its deliveries are attempted again.
pub(super) async fn work(services: Arc<Services>, held: Arc<Held>, mut settlements: mpsc::Receiver<Settlement>) {
    let mut trouble = Trouble::new("deliveries cannot be settled");
    let (mut batch, mut postponed, mut settled) = (Vec::new(), 0, 0);
    let pause = Duration::from_millis(limits::PASSED_OVER_MS);
    loop {
        // What could not be settled yet does not keep the rest waiting.
        let more = settlements.recv_many(&mut batch, limits::SETTLE_BATCH_MAX);
        match (postponed, timeout(if postponed == 0 { Duration::MAX } else { pause }, more).await) {
            (0, Ok(0)) => return,
            // Nobody attempts any more; what is left is settled all the same, as soon as that may be.
            (_, Ok(0)) => tokio::time::sleep(pause).await,
            _ => {}
        }
        let later = loop {
            match service::deliveries::settle(&services, &batch).await {
                Ok(later) => break later,
                Err(_) if services.db.is_closed() => return,
                Err(error) => {
                    trouble.wait(&services, &error).await;
                }
            }
        };
        trouble.over(&services);
        let done: Vec<Settlement> = batch.extract_if(.., |settlement| !later.contains(&settlement.claim.app_id)).collect();
        done.iter().for_each(|settlement| services.counts.settled(&settlement.end));
        if held.remove(done.iter().map(|settlement| &settlement.claim)) {
            services.events.due.notify_one();
        }
        postponed = batch.len();
        settled += done.len();
        if settled >= limits::VACUUM_DELIVERIES {
            settled = 0;
            services.events.remains.notify_one();
        }
    }
}
