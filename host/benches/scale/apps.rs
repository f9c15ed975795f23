//! Apps and scripts: what deploying them, starting a node with them, holding them, and calling them costs as they become more.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::sleep;

use super::deployed::{
    CALLS_AT_ONCE, DEPLOYMENTS_AT_ONCE, SCRIPTS, call, call_each, deploy, hello_in_the_middle, shuffled, target,
};
use super::load::{ALL_OUT, LOOK, Scale, mib, over, timed};
use crate::support::figures::{Axis, Line, Plot, Section, Spread, Table, count, significant};
use crate::support::ground::Ground;
use crate::support::wrk::Load;
use crate::support::{Client, Failure, Node, quantile};

/// Scripts whose first call is timed.
const COLD_CALLS: usize = 200;
/// A node is at rest so long after its start.
const REST: Duration = Duration::from_secs(3);
/// For how many scripts the goals are, and what they are.
const GOAL_SCRIPTS: usize = 1_000;
const GOAL_MEMORY_MB: f64 = 120.0;
const GOAL_START_MS: f64 = 250.0;

/// What was found with so many apps.
struct Step {
    apps: usize,
    /// Apps that were new, and how long it took to deploy them, s.
    new_apps: usize,
    deployed_s: f64,
    database_mib: f64,
    images_mib: f64,
    /// From the start of the process to its first answer, and to that of a script, ms.
    start_ms: Spread,
    first_call_ms: Spread,
    idle_mib: f64,
    /// First calls of scripts after a start, and the next of the same, ms.
    cold_ms: Vec<f64>,
    again_ms: Vec<f64>,
    /// When every script was called.
    called_mib: f64,
    programs: u64,
    /// One script on many connections, and on one.
    all_out: Vec<Load>,
    alone: Vec<Load>,
}

impl Step {
    fn scripts(&self) -> usize {
        self.apps * SCRIPTS
    }
}

pub(crate) async fn measure(scale: Scale) -> Result<Section, Failure> {
    let ground = Ground::open().await?;
    let mut db = ground.connect().await?;
    let (mut node, _) = ground.start().await?;
    let mut client = Client::login(&node).await?;
    let mut steps = Vec::new();
    let mut there = 0;
    for &apps in scale.apps {
        eprintln!("apps: from {there} to {apps}");
        let new_apps = apps - there;
        let deployed_s = deploy(&client, there, apps).await?;
        there = apps;
        node.stop().await?;
        let (database_mib, images_mib) = sizes(&mut db).await?;

        eprintln!("apps: {apps}, {} starts", scale.starts);
        let warm = hello_in_the_middle(apps);
        let (mut starts_ms, mut first_calls_ms) = (Vec::new(), Vec::new());
        for _ in 0..scale.starts {
            let (started, took) = ground.start().await?;
            let start_ms = took.as_secs_f64() * 1e3;
            starts_ms.push(start_ms);
            first_calls_ms.push(start_ms + timed(call(&client, &started, warm)).await?);
            started.stop().await?;
        }
        (node, _) = ground.start().await?;
        sleep(REST).await;
        let idle_mib = node.resident_mib()?;

        eprintln!("apps: {apps}, every script is called");
        // Opens the connection that the timed calls have.
        call(&client, &node, warm).await?;
        let order = shuffled(apps * SCRIPTS, warm);
        let (timed_ones, others) = order.split_at(COLD_CALLS.min(order.len()));
        let cold_ms = one_by_one(&client, &node, timed_ones).await?;
        let again_ms = one_by_one(&client, &node, timed_ones).await?;
        call_each(&client, &node, others).await?;
        let called_mib = node.resident_mib()?;

        // A login takes memory of its own, so it comes after the readings.
        client = Client::login(&node).await?;
        let programs = client.status().await?["programs"].as_u64().unwrap_or(0);
        eprintln!("apps: {apps}, {} rounds of {} s on {ALL_OUT} connections and on one", scale.rounds, scale.round_s);
        let script = target(warm);
        script.load(&node, ALL_OUT, 1)?;
        let (mut all_out, mut alone) = (Vec::new(), Vec::new());
        for _ in 0..scale.rounds {
            all_out.push(script.load(&node, ALL_OUT, scale.round_s)?);
            client.settled(LOOK).await?;
            alone.push(script.load(&node, 1, scale.round_s)?);
        }
        let (start_ms, first_call_ms) = (Spread::of(starts_ms), Spread::of(first_calls_ms));
        steps.push(Step {
            apps,
            new_apps,
            deployed_s,
            database_mib,
            images_mib,
            start_ms,
            first_call_ms,
            idle_mib,
            cold_ms,
            again_ms,
            called_mib,
            programs,
            all_out,
            alone,
        });
    }
    node.stop().await?;
    db.close().await?;
    ground.close().await;
    Ok(section(scale, steps))
}

/// Calls each of these once, ms.
async fn one_by_one(client: &Client, node: &Node, scripts: &[usize]) -> Result<Vec<f64>, Failure> {
    let mut took_ms = Vec::new();
    for script in scripts {
        took_ms.push(timed(call(client, node, *script)).await?);
    }
    Ok(took_ms)
}

/// Of the database, and of the images in it, MiB.
async fn sizes(db: &mut PgConnection) -> Result<(f64, f64), Failure> {
    let (database, images): (i64, i64) =
        sqlx::query_as("SELECT pg_database_size(current_database()), pg_total_relation_size('images'::regclass)")
            .fetch_one(db)
            .await?;
    Ok((mib(database), mib(images)))
}

fn section(scale: Scale, mut steps: Vec<Step>) -> Section {
    let mut section = Section::new(80, "Many apps and scripts", &text(scale));
    section.tables.push(held(&steps));
    section.tables.push(called(&mut steps));
    section.plots = plots(&mut steps);
    if let Some(step) = steps.iter().find(|step| step.scripts() == GOAL_SCRIPTS) {
        let (apps, scripts) = (step.apps, count(step.scripts() as u64));
        let megabytes = step.called_mib * 1.048_576;
        section.goal(
            &format!("resident memory, {scripts} scripts in {apps} apps, each called once"),
            &format!("≤ {GOAL_MEMORY_MB} MB"),
            format!("{} MB", significant(megabytes)),
            megabytes <= GOAL_MEMORY_MB,
        );
        section.goal(
            &format!("start to the first answer with {scripts} scripts in {apps} apps"),
            &format!("≤ {GOAL_START_MS} ms"),
            format!("{} ms", step.start_ms),
            step.start_ms.median <= GOAL_START_MS,
        );
    }
    section
}

fn text(scale: Scale) -> String {
    format!(
        "Apps of {SCRIPTS} scripts with a route each: one says hello, the others are of 2 KiB, each other than all \
         others. An app is made of one manifest by the API, {DEPLOYMENTS_AT_ONCE} apps at a time. Then the node is \
         stopped and started {} times: `start` is from the start of the process to its first answer (database up, \
         artifact warm), `first call` to that of a script; the memory is read {} s after another start, before anybody \
         logs in. On this node {COLD_CALLS} scripts without order (all, where there are fewer) are called one by one on \
         one connection: `cold` is the first call of a script, whose image comes from the database, `again` the next of \
         the same. Then all others are called, {CALLS_AT_ONCE} at a time. `held` says how many prepared scripts the node \
         holds then, in the {} MiB at most that it has for them on a large machine. Warm: hello of the app in the middle, \
         by `wrk`, {} round(s) of {} s by turns on {ALL_OUT} connections and on one; median (least–most).\n\n\
         The goals are those of a node with {} scripts: {GOAL_MEMORY_MB} MB of resident memory and {GOAL_START_MS} ms to \
         start; and that a warm call costs the same however many there are.",
        scale.starts,
        REST.as_secs(),
        picloud::limits::PROGRAM_CACHE_BYTES >> 20,
        scale.rounds,
        scale.round_s,
        count(GOAL_SCRIPTS as u64),
    )
}

fn held(steps: &[Step]) -> Table {
    let mut table = Table::new(
        "Deploying, starting, holding",
        &[
            "apps",
            "scripts",
            "new ones deployed, s",
            "a script, ms",
            "database, MiB",
            "images, MiB",
            "start, ms",
            "first call, ms",
            "memory at rest, MiB",
            "every script called, MiB",
            "held",
        ],
    );
    for step in steps {
        table.row([
            count(step.apps as u64),
            count(step.scripts() as u64),
            significant(step.deployed_s),
            significant(step.deployed_s * 1e3 / (step.new_apps * SCRIPTS) as f64),
            significant(step.database_mib),
            significant(step.images_mib),
            step.start_ms.to_string(),
            step.first_call_ms.to_string(),
            significant(step.idle_mib),
            significant(step.called_mib),
            count(step.programs),
        ]);
    }
    table
}

fn called(steps: &mut [Step]) -> Table {
    let columns = format!("{ALL_OUT} connections: calls/s");
    let mut table = Table::new(
        "Calling",
        &[
            "scripts",
            "cold p50 ms",
            "cold p99 ms",
            "again p50 ms",
            "again p99 ms",
            &columns,
            "× the fewest",
            "p50 ms",
            "p99 ms",
            "one: p50 ms",
            "p99 ms",
            "× the fewest",
        ],
    );
    let mut fewest = None;
    for step in steps {
        let scripts = count(step.scripts() as u64);
        let per_second = over(&step.all_out, |load| load.per_second);
        let alone = over(&step.alone, |load| load.p50_ms);
        let (per_second_there, alone_there) = *fewest.get_or_insert((per_second.median, alone.median));
        table.row([
            scripts,
            significant(quantile(&mut step.cold_ms, 0.5)),
            significant(quantile(&mut step.cold_ms, 0.99)),
            significant(quantile(&mut step.again_ms, 0.5)),
            significant(quantile(&mut step.again_ms, 0.99)),
            per_second.to_string(),
            significant(per_second.median / per_second_there),
            over(&step.all_out, |load| load.p50_ms).to_string(),
            over(&step.all_out, |load| load.p99_ms).to_string(),
            alone.to_string(),
            over(&step.alone, |load| load.p99_ms).to_string(),
            significant(alone.median / alone_there),
        ]);
        let failed: u64 = step.all_out.iter().chain(&step.alone).map(|load| load.failed).sum();
        if failed > 0 {
            table.note += &format!("**{failed} calls failed** with {} scripts. ", step.apps * SCRIPTS);
        }
    }
    table
}

fn plots(steps: &mut [Step]) -> Vec<Plot> {
    let points = |steps: &[Step], value: fn(&Step) -> f64| -> Vec<(f64, f64)> {
        steps.iter().map(|step| (step.scripts() as f64, value(step))).collect()
    };
    let cold = |steps: &mut [Step], share: f64| -> Vec<(f64, f64)> {
        steps.iter_mut().map(|step| (step.scripts() as f64, quantile(&mut step.cold_ms, share))).collect()
    };
    let (cold_p50, cold_p99) = (cold(steps, 0.5), cold(steps, 0.99));
    let plot = |name: &str, title: &str, y: &str, lines| {
        Plot::new((name, title), Axis::logarithmic("scripts"), Axis::straight(y), lines)
    };
    vec![
        plot(
            "scale-start",
            "Starting a node",
            "ms",
            vec![
                Line::new("first answer", points(steps, |step| step.start_ms.median)),
                Line::new("first call answered", points(steps, |step| step.first_call_ms.median)),
            ],
        ),
        plot(
            "scale-memory",
            "Resident memory of a node",
            "MiB",
            vec![
                Line::new("at rest after a start", points(steps, |step| step.idle_mib)),
                Line::new("every script called once", points(steps, |step| step.called_mib)),
            ],
        ),
        plot(
            "scale-cold",
            "First call of a script after a start",
            "ms",
            vec![Line::new("p50", cold_p50), Line::new("p99", cold_p99)],
        ),
        plot(
            "scale-warm",
            "A warm call",
            "p50, ms",
            vec![
                Line::new("one connection", points(steps, |step| over(&step.alone, |load| load.p50_ms).median)),
                Line::new(
                    &format!("{ALL_OUT} connections"),
                    points(steps, |step| over(&step.all_out, |load| load.p50_ms).median),
                ),
            ],
        ),
    ]
}
