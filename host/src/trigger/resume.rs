//! What was held while its trigger was not active, made due; what waits for a trigger that is gone, done away with. At the start, and
//! whenever something was made held, or a trigger active, or one was deleted: then either of the two finds the other.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::Trouble;
use crate::error::Result;
use crate::limits;
use crate::service::{self, Services};

pub(super) async fn work(services: Arc<Services>) {
    let mut trouble = Trouble::new("deliveries cannot be resumed");
    let mut forsake_at = Some(Instant::now());
    while !services.db.is_closed() {
        let events = &services.events;
        let forsakes = tokio::select! {
            biased;
            () = events.forsaken.notified() => true,
            () = sleep_until(forsake_at.unwrap_or_else(Instant::now)), if forsake_at.is_some() => true,
            () = events.activated.notified() => false,
            () = events.held.notified() => {
                // Whoever held something may not have known that its trigger was just being deleted.
                let later = Instant::now() + Duration::from_millis(limits::FORSAKEN_LOOK_MS);
                forsake_at = Some(forsake_at.unwrap_or(later));
                false
            }
        };
        let began = Instant::now();
        match look(&services, forsakes).await {
            Ok(resumed) => {
                trouble.over(&services);
                if forsakes {
                    forsake_at = None;
                } else if resumed == 0 {
                    // A queue that fills without a consumer wakes with every message, and costs by all that it holds.
                    sleep(Duration::from_millis(limits::HELD_LOOK_MS).max(began.elapsed() * 4)).await;
                }
            }
            Err(error) => {
                trouble.wait(&services, &error).await;
                forsake_at = Some(Instant::now());
            }
        }
    }
}

async fn look(services: &Services, forsakes: bool) -> Result<u64> {
    if forsakes {
        while service::deliveries::forsake(services).await? > 0 {}
    }
    let mut resumed = 0;
    loop {
        match service::deliveries::resume(services).await? {
            0 => return Ok(resumed),
            more => resumed += more,
        }
    }
}
