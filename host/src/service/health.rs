//! How an app does, at a glance: sums and a series of its usage, times of its newest executions, dead letters that wait.

use super::Services;
use crate::error::Result;
use crate::id::AppId;
use crate::limits;
use crate::model::health::{Health, Window};
use crate::model::usage::Used;
use crate::store;

/// Of what is written by now.
pub async fn get(s: &Services, app: AppId, window: Window) -> Result<Health> {
    let now = s.now();
    let range = window.range(now);
    let mut db = s.db.acquire().await?;
    let items = store::usage::of_app(&mut db, app, window.period(), range.clone(), None, window.periods()).await?;
    let times = store::health::times(&mut db, app, range.start, limits::HEALTH_EXECUTIONS_MAX).await?;
    let unresolved_dead_letters = store::health::unresolved(&mut db, app, limits::HEALTH_DEAD_LETTERS_MAX).await?;
    let series = window.series(&range, &items);
    let mut used = Used::default();
    series.iter().for_each(|item| used.add(&item.used));
    Ok(Health { from: range.start, to: now, used, times, unresolved_dead_letters, series })
}
