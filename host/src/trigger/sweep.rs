//! Deletes what was kept long enough, in bounded batches: at the start, and then at most once in `SWEEP_PAUSE_S`, only when
//! something was added that will have to go.

use std::sync::Arc;
use std::time::Duration;

use super::Trouble;
use crate::limits;
use crate::service::{self, Services};

/// Clears away what settling deleted, whenever that was much.
pub(super) async fn vacuum(services: Arc<Services>) {
    let mut trouble = Trouble::new("what was deleted cannot be cleared away");
    while !services.db.is_closed() {
        services.events.remains.notified().await;
        match service::deliveries::vacuum(&services).await {
            Ok(()) => trouble.over(&services),
            Err(error) => trouble.wait(&services, &error).await,
        }
    }
}

/// Has other nodes sweep what this one added.
pub(super) async fn leave_to_others(services: Arc<Services>) {
    while !services.db.is_closed() {
        services.events.kept.notified().await;
        services.events.tell_of_more();
        tokio::time::sleep(Duration::from_secs(limits::SWEEP_PAUSE_S)).await;
    }
}

pub(super) async fn work(services: Arc<Services>) {
    let mut trouble = Trouble::new("what is too old cannot be deleted");
    while !services.db.is_closed() {
        match service::retention::sweep(&services).await {
            Ok(swept) => {
                trouble.over(&services);
                if swept > 0 {
                    tracing::info!(rows = swept, "deleted what was kept long enough");
                }
                services.events.kept.notified().await;
                tokio::time::sleep(Duration::from_secs(limits::SWEEP_PAUSE_S)).await;
            }
            Err(error) => trouble.wait(&services, &error).await,
        }
    }
}
