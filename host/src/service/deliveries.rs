//! Deliveries: made of events, claimed, settled. What drives this is `trigger`; every step here is one transaction, and may be
//! repeated after a crash at any point.
//!
//! Triggers change meanwhile, and nothing waits for that: what is due for one that is not active is held when it is claimed, and
//! whoever makes something held, or a trigger active, wakes the worker that brings the two together (`resume`).

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Services;
use crate::error::Result;
use crate::id::{AppId, DeliveryId, TriggerId};
use crate::limits;
use crate::model::delivery::{Claim, DeadReason, End, Settlement};
use crate::model::event::Source;
use crate::model::execution::{Failure, FailureCode};
use crate::store;
use crate::store::deliveries::{Claims, Room};
use crate::store::events::Relayed;
use crate::store::pipeline::Waiting;

/// Makes the deliveries of a batch of events, and wakes whoever goes on with them. A delivery that is too deep is a dead letter at
/// once.
pub async fn relay(s: &Services) -> Result<Relayed> {
    let now = s.now();
    let mut tx = store::begin_relaxed(&s.db).await?;
    let relayed = store::events::relay(&mut tx, now).await?;
    if !relayed.dead.is_empty() {
        store::events::name_scripts(&mut tx, &relayed.dead).await?;
        store::events::note_unattempted(&mut tx, now, &relayed.dead, &too_deep()).await?;
        store::events::append_for_letters(&mut tx, now, &relayed.dead, &too_deep()).await?;
    }
    tx.commit().await?;
    if relayed.deliveries > 0 {
        s.events.relayed();
    }
    if relayed.held > 0 {
        s.events.held.notify_one();
    }
    if !relayed.dead.is_empty() {
        s.events.added();
        s.events.kept.notify_one();
        tracing::warn!(deliveries = relayed.dead.len(), "chains of events are too long: dead letters");
    }
    Ok(relayed)
}

fn too_deep() -> Failure {
    let message = "a chain of events has more hops than the script takes (its limit `event_depth`): nothing was attempted";
    Failure::new(FailureCode::Internal, message)
}

/// Claims what is due, as far as there is room.
pub async fn claim(s: &Services, room: &Room) -> Result<Vec<Claim>> {
    let mut tx = store::begin_relaxed(&s.db).await?;
    let claims = store::deliveries::claim(&mut tx, s.now(), room).await?;
    tx.commit().await?;
    Ok(claims)
}

/// When to claim again, unless something wakes earlier.
pub async fn next_due(s: &Services) -> Result<Option<DateTime<Utc>>> {
    Ok(store::deliveries::next_due(&mut *s.db.acquire().await?, s.now()).await?)
}

/// Moves the ends of the claims' leases; how many are still held.
pub async fn renew(s: &Services, claims: &Claims) -> Result<u64> {
    let mut tx = store::begin_relaxed(&s.db).await?;
    let held = store::deliveries::renew(&mut tx, s.now(), claims).await?;
    tx.commit().await?;
    Ok(held)
}

/// Makes due what a node that is gone had claimed. Only for a node that knows that it is alone.
pub async fn release_all(s: &Services) -> Result<u64> {
    Ok(store::deliveries::release_all(&mut *s.db.acquire().await?, s.now()).await?)
}

/// Settles claims, all or none, but for those of apps that are just being deleted: everybody would wait for that. These apps, whose
/// claims are to be settled later. Claims that were lost to another node meanwhile are left alone.
pub async fn settle(s: &Services, batch: &[Settlement]) -> Result<Vec<AppId>> {
    let now = s.now();
    let mut tx = store::begin_relaxed(&s.db).await?;
    let apps: HashSet<_> = batch.iter().map(|settlement| settlement.claim.app_id).collect();
    let kept = store::apps::keep(&mut tx, &apps.iter().copied().collect::<Vec<_>>()).await?;
    let mut later = Vec::new();
    if kept.len() < apps.len() {
        let there = store::apps::which(&mut tx, &apps.into_iter().collect::<Vec<_>>()).await?;
        later.extend(there.into_iter().filter(|app| !kept.contains(app)));
    }
    let batch: Vec<_> = batch.iter().filter(|settlement| kept.contains(&settlement.claim.app_id)).collect();
    let batch = batch.as_slice();
    let mut counts = Counts::default();
    let finished: Vec<_> = of(batch, |end| matches!(end, End::Succeeded)).collect();
    if !finished.is_empty() {
        let done = store::deliveries::finish(&mut tx, &Claims::of(finished.iter().copied())).await?;
        counts.add(&finished, &done, 0);
    }
    let dropped = Claims::of(of(batch, |end| matches!(end, End::Dropped)));
    if !dropped.is_empty() {
        store::deliveries::finish(&mut tx, &dropped).await?;
    }
    let returned = Claims::of(of(batch, |end| matches!(end, End::Held | End::Released)));
    if !returned.is_empty() {
        store::deliveries::give_back(&mut tx, now, &returned).await?;
    }
    let again = settle_failed(&mut tx, batch, &mut counts).await?;
    let died = bury(&mut tx, now, batch, &mut counts).await?;
    if !counts.by_trigger.is_empty() {
        let counts: Vec<_> = counts.by_trigger.into_iter().collect();
        store::deliveries::count(&mut tx, now, &counts).await?;
    }
    tx.commit().await?;
    if died.told {
        s.events.added();
    }
    if died.letters > 0 {
        s.events.kept.notify_one();
    }
    if again || !returned.is_empty() {
        s.events.due.notify_one();
    }
    if !returned.is_empty() {
        s.events.held.notify_one();
    }
    Ok(later)
}

/// Gives claims back that are not attempted to their end, for another node or a later start.
pub async fn give_back(s: &Services, claims: &Claims) -> Result<()> {
    let mut tx = store::begin_relaxed(&s.db).await?;
    store::deliveries::give_back(&mut tx, s.now(), claims).await?;
    tx.commit().await?;
    s.events.changed();
    Ok(())
}

/// Makes due a batch of what was held of a trigger that is active by now; how many.
pub async fn resume(s: &Services) -> Result<u64> {
    let mut tx = store::begin_relaxed(&s.db).await?;
    let resumed = store::deliveries::resume(&mut tx, s.now(), limits::SWEEP_BATCH).await?;
    tx.commit().await?;
    if resumed > 0 {
        s.events.relayed();
    }
    Ok(resumed)
}

/// Does away with a batch of what waits for triggers that are gone; how many.
pub async fn forsake(s: &Services) -> Result<u64> {
    let mut tx = store::begin_relaxed(&s.db).await?;
    let forsaken = store::deliveries::forsake(&mut tx, limits::SWEEP_BATCH).await?;
    tx.commit().await?;
    Ok(forsaken)
}

/// What the event of a claim tells, where the claim does not say: it is large. Nothing when the event is gone.
pub async fn about(s: &Services, claim: &Claim) -> Result<Option<String>> {
    Ok(store::events::about(&mut *s.db.acquire().await?, claim.event.id).await?)
}

/// What waits, over all apps.
pub async fn waiting(s: &Services) -> Result<Waiting> {
    Ok(store::pipeline::waiting(&mut *s.db.acquire().await?).await?)
}

/// Clears away what the pipeline has deleted.
pub async fn vacuum(s: &Services) -> Result<()> {
    Ok(store::deliveries::vacuum(&mut *s.db.acquire().await?).await?)
}

/// Those that are to be tried again; whether there are any.
async fn settle_failed(tx: &mut PgConnection, batch: &[&Settlement], counts: &mut Counts) -> Result<bool> {
    let failed = batch.iter().filter_map(|settlement| match &settlement.end {
        End::Again { at, attempt } => Some((&settlement.claim, *at, attempt)),
        _ => None,
    });
    let failed: Vec<_> = failed.collect();
    if failed.is_empty() {
        return Ok(false);
    }
    let claims: Vec<_> = failed.iter().map(|(claim, ..)| *claim).collect();
    let times: Vec<_> = failed.iter().map(|(_, at, _)| *at).collect();
    let held = store::deliveries::retry(tx, &Claims::of(claims.iter().copied()), &times).await?;
    let attempts: Vec<_> =
        failed.iter().filter(|(claim, ..)| held.contains(&claim.id)).map(|(claim, _, attempt)| (claim.id, *attempt)).collect();
    store::deliveries::note_attempts(tx, &attempts).await?;
    counts.add(&claims, &held, 1);
    Ok(true)
}

/// What became dead letters.
#[derive(Default)]
struct Died {
    letters: usize,
    /// Whether events tell of them.
    told: bool,
}

/// Those of which no attempt is left. A handler of dead letters that failed is noted with its letter and is none itself.
async fn bury(tx: &mut PgConnection, now: DateTime<Utc>, batch: &[&Settlement], counts: &mut Counts) -> Result<Died> {
    let dead = batch.iter().filter_map(|settlement| match &settlement.end {
        End::Dead { reason, attempt } => Some((&settlement.claim, *reason, attempt)),
        _ => None,
    });
    let (handlers, letters): (Vec<_>, Vec<_>) = dead.partition(|(claim, ..)| claim.event.source == Source::DeadLetter);
    if !handlers.is_empty() {
        let claims: Vec<_> = handlers.iter().map(|(claim, ..)| *claim).collect();
        let held = store::deliveries::finish(tx, &Claims::of(claims.iter().copied())).await?;
        let failures: Vec<_> = handlers
            .iter()
            .filter(|(claim, ..)| held.contains(&claim.id))
            .filter_map(|(claim, _, attempt)| Some((claim.letter?, &attempt.error)))
            .collect();
        store::dead_letters::note_handler_failures(tx, now, &failures).await?;
        counts.add(&claims, &held, 1);
        counts.add(&claims, &held, 2);
    }
    if letters.is_empty() {
        return Ok(Died::default());
    }
    let claims: Vec<_> = letters.iter().map(|(claim, ..)| *claim).collect();
    let reasons: Vec<DeadReason> = letters.iter().map(|(_, reason, _)| *reason).collect();
    let scripts: Vec<_> = claims.iter().map(|claim| claim.script_id()).collect();
    let held = store::deliveries::bury(tx, now, &Claims::of(claims.iter().copied()), &reasons, &scripts).await?;
    let attempts: Vec<_> =
        letters.iter().filter(|(claim, ..)| held.contains(&claim.id)).map(|(claim, _, attempt)| (claim.id, *attempt)).collect();
    store::deliveries::note_attempts(tx, &attempts).await?;
    counts.add(&claims, &held, 1);
    counts.add(&claims, &held, 2);
    let told = store::events::append_for_letters(tx, now, &held, &too_deep()).await? > 0;
    Ok(Died { letters: held.len(), told })
}

fn of<'a>(batch: &[&'a Settlement], which: impl Fn(&End) -> bool) -> impl Iterator<Item = &'a Claim> {
    batch.iter().filter(move |settlement| which(&settlement.end)).map(|settlement| &settlement.claim)
}

/// By trigger: succeeded, failed, dead. In the order of the ids, so that two nodes lock alike.
#[derive(Default)]
struct Counts {
    by_trigger: BTreeMap<TriggerId, [i64; 3]>,
}

impl Counts {
    fn add(&mut self, claims: &[&Claim], held: &[DeliveryId], column: usize) {
        for claim in claims.iter().filter(|claim| held.contains(&claim.id)) {
            let Some(trigger) = claim.trigger_id() else { continue };
            if let Some(count) = self.by_trigger.entry(trigger).or_default().get_mut(column) {
                *count += 1;
            }
        }
    }
}
