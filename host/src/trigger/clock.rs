//! Ticks of schedules, to the second: a timer for the next one of all.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Trouble, woken_or};
use crate::error::Result;
use crate::limits;
use crate::service::{self, Services};

/// Fires what is due, then waits for the next tick or for a change of the schedules.
pub(super) async fn work(services: Arc<Services>) {
    let mut trouble = Trouble::new("schedules cannot be fired");
    while !services.db.is_closed() {
        match fire(&services).await {
            Ok(next) => {
                trouble.over(&services);
                woken_or(&services, &services.events.ticks, next).await;
            }
            Err(error) => trouble.wait(&services, &error).await,
        }
    }
}

/// When to look again: at the next tick, and not at once for one that is due and that someone else holds.
async fn fire(services: &Services) -> Result<Option<DateTime<Utc>>> {
    while service::schedules::fire_due(services).await? > 0 {}
    let next = service::schedules::next_tick(services).await?;
    let soon = services.now() + TimeDelta::milliseconds(limits::TICK_HELD_MS);
    // A tick that came due since is fired by the next look, without a wait.
    Ok(next.map(|at| if at < services.now() - TimeDelta::milliseconds(limits::TICK_HELD_MS) { soon } else { at }))
}
