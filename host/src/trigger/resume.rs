//! What was held while its trigger was not active, made due; what waits for a trigger that is gone, done away with. At the start, and
//! whenever something was made held, or a trigger active, or one was deleted: then either of the two finds the other.

use std::sync::Arc;

use super::Trouble;
use crate::error::Result;
use crate::service::{self, Services};

pub(super) async fn work(services: Arc<Services>) {
    let mut trouble = Trouble::new("deliveries cannot be resumed");
    services.events.forsaken.notify_one();
    while !services.db.is_closed() {
        let events = &services.events;
        let done: Result<()> = tokio::select! {
            () = events.held.notified() => resume(&services).await,
            () = events.forsaken.notified() => forsake(&services).await,
        };
        match done {
            Ok(()) => trouble.over(&services),
            Err(error) => {
                trouble.wait(&services, &error).await;
                services.events.held.notify_one();
                services.events.forsaken.notify_one();
            }
        }
    }
}

async fn resume(services: &Services) -> Result<()> {
    while service::deliveries::resume(services).await? > 0 {}
    Ok(())
}

async fn forsake(services: &Services) -> Result<()> {
    while service::deliveries::forsake(services).await? > 0 {}
    resume(services).await
}
