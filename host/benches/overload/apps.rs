//! Two apps on one node: one is called twice as often as the node could answer it alone, the other now and then.

use std::time::Duration;

use super::generator::PATIENCE;
use super::order::{Outcome, Running};
use super::stage::{LOOK, Scale, Stage};
use super::subject::{CLOSED_ROUNDS, CONNECTIONS};
use super::tell::LATE_MS;
use crate::support::Failure;
use crate::support::figures::{Section, Spread, Table, count, significant};
use crate::support::ground::Ground;

/// What comes for the one and for the other, of what the node can take of the one.
const LOUD: f64 = 2.0;
const QUIET: f64 = 0.1;
/// Connections of the quiet one's callers.
const QUIET_CONNECTIONS: usize = 512;
/// The quiet one is measured once the loud one has been loud for this long, and ends as long before it.
const LEAD_S: u32 = 1;
/// The p99 of the quiet one, of what it is alone.
const GOAL: f64 = 3.0;

pub(crate) async fn measure(ground: &Ground, scale: Scale) -> Result<Section, Failure> {
    let stage = Stage::open(ground, scale).await?;
    let (loud, quiet) = (stage.hello("overload-a").await?, stage.hello("overload-b").await?);
    eprintln!("two apps: {CLOSED_ROUNDS} rounds of the closed loop");
    let capacity = stage.capacity(&loud, CLOSED_ROUNDS)?;
    let loud = stage.order(&loud, LOUD * capacity.median, scale.open_s + 2 * LEAD_S, CONNECTIONS)?;
    let quiet = stage.order(&quiet, QUIET * capacity.median, scale.open_s, QUIET_CONNECTIONS)?;
    let (mut alone, mut beside, mut meanwhile) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=scale.rounds {
        eprintln!("two apps: round {round} of {}", scale.rounds);
        stage.client.settled(LOOK).await?;
        alone.push(stage.load(&quiet).await?.0);
        stage.client.settled(LOOK).await?;
        let mut running = Running::begin(&loud)?;
        tokio::time::sleep(Duration::from_secs(LEAD_S.into())).await;
        beside.push(stage.load(&quiet).await?.0);
        stage.watch(&mut running).await?;
        meanwhile.push(running.outcome()?);
    }
    stage.client.settled(LOOK).await?;
    stage.node.stop().await?;
    Ok(section(scale, capacity.median, &alone, &beside, &meanwhile))
}

fn section(scale: Scale, capacity: f64, alone: &[Outcome], beside: &[Outcome], meanwhile: &[Outcome]) -> Section {
    let mut section = Section::new(91, "Past capacity, two apps", &text(scale, capacity));
    let mut table = Table::new(
        "",
        &[
            "app",
            "offered/s",
            "200/s",
            "200, %",
            "p50 ms",
            "p99 ms",
            "429",
            "503",
            "other",
            "broken",
            "unanswered",
            "late p99 ms",
        ],
    );
    for (name, rounds) in [("B alone", alone), ("B beside A", beside), ("A meanwhile", meanwhile)] {
        let sum = |value: fn(&Outcome) -> u64| count(rounds.iter().map(value).sum());
        table.row([
            name.to_owned(),
            spread(rounds, Outcome::offered_per_second).to_string(),
            spread(rounds, Outcome::good_per_second).to_string(),
            percent(good_share(rounds)),
            spread(rounds, |outcome| outcome.good_p50_ms.unwrap_or(f64::NAN)).to_string(),
            p99(rounds).to_string(),
            sum(|outcome| outcome.count(429)),
            sum(|outcome| outcome.count(503)),
            sum(Outcome::other),
            sum(|outcome| outcome.broken),
            sum(|outcome| outcome.unanswered + outcome.unsent),
            significant(rounds.iter().map(|outcome| outcome.late_p99_ms).fold(0.0, f64::max)),
        ]);
    }
    if [alone, beside, meanwhile].into_iter().flatten().any(|outcome| outcome.late_p99_ms > LATE_MS) {
        table.note = format!("**A generator did not keep its pace**: more than one call in a hundred began {LATE_MS} ms late.");
    }
    section.tables.push(table);

    let (share, ratio) = (good_share(beside), p99(beside).median / p99(alone).median);
    let figure = format!("app B at {QUIET} × beside app A at {LOUD} ×: calls answered 200");
    section.goal(&figure, "100 %", format!("{} %", percent(share)), share >= 1.0);
    let figure = format!("app B at {QUIET} × beside app A at {LOUD} ×: p99, of what it is alone");
    section.goal(&figure, &format!("≤ {GOAL} ×"), format!("{} ×", significant(ratio)), ratio <= GOAL);
    section
}

fn text(scale: Scale, capacity: f64) -> String {
    format!(
        "Two apps on one node, each with a `hello` of its own; calls come by the clock as above. B is called at {QUIET} × of \
         what the node answers of A's in a closed loop ({} a second), alone, then {LEAD_S} s after A began to be called at \
         {LOUD} × of it, until {LEAD_S} s before A's calls end. Medians (least–most) over {} round(s) of {} s; counts are \
         sums. A's callers have {CONNECTIONS} connections, B's {QUIET_CONNECTIONS}. `unanswered` is what was not answered \
         within {} s of when it was due, and `late p99` the worst round. B's calls have to be answered whatever A's callers \
         do, at a p99 of at most {GOAL} × of what it is alone.",
        significant(capacity),
        scale.rounds,
        scale.open_s,
        PATIENCE.as_secs(),
    )
}

fn p99(rounds: &[Outcome]) -> Spread {
    spread(rounds, |outcome| outcome.good_p99_ms.unwrap_or(f64::NAN))
}

fn spread(rounds: &[Outcome], value: impl Fn(&Outcome) -> f64) -> Spread {
    Spread::of(rounds.iter().map(value))
}

fn good_share(rounds: &[Outcome]) -> f64 {
    let (good, due) = rounds.iter().fold((0, 0), |(good, due), outcome| (good + outcome.count(200), due + outcome.due));
    good as f64 / due as f64
}

/// Rounded down, so that 100 means all.
fn percent(share: f64) -> String {
    format!("{:.2}", (share * 1e4).floor() / 1e2)
}
