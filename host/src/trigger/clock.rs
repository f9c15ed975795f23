//! Ticks of schedules, to the second: a timer for the next one of all.

use std::sync::Arc;

use super::{Trouble, woken_or};
use crate::service::{self, Services};

/// Fires what is due, then waits for the next tick or for a change of the schedules.
pub(super) async fn work(services: Arc<Services>) {
    let mut trouble = Trouble::new("schedules cannot be fired");
    while !services.db.is_closed() {
        let fired = async {
            while service::schedules::fire_due(&services).await? > 0 {}
            service::schedules::next_tick(&services).await
        };
        match fired.await {
            Ok(next) => {
                trouble.over();
                woken_or(&services, &services.events.ticks, next).await;
            }
            Err(error) => trouble.wait(&services, &error).await,
        }
    }
}
