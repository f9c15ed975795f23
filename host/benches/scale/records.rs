//! Records of executions: what writing them costs, what they take, and how long reading them takes as they become more.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::time::sleep;

use super::load::{ALL_OUT, LOOK, Scale, Target, mib, over, timed};
use super::retention;
use crate::support::figures::{Axis, Line, Plot, Section, Spread, Table, count, significant};
use crate::support::ground::Ground;
use crate::support::scripts::HELLO;
use crate::support::wrk::Load;
use crate::support::{Client, Failure, Node, quantile};

/// Rounds of calls at each size, of a second each so that the size stays what it is.
const ROUNDS: usize = 3;
/// Fewer records than this are made on one connection, which makes some thousands a second.
const FEW: u64 = 20_000;
/// What callers get recorded in a second, more or less: on one connection, and on many.
const PER_SECOND: [u64; 2] = [5_000, 15_000];

/// A node with two apps that say hello: of one, every record is kept; of the other, none.
pub(crate) struct Recorded {
    pub(crate) node: Node,
    client: Client,
    pub(crate) kept: Target,
    unkept: Target,
    /// The id of the script whose records are kept.
    script: String,
}

/// What was found with so many records.
struct Step {
    records: u64,
    table: i64,
    indexes: i64,
    page_ms: Vec<f64>,
    one_ms: Vec<f64>,
    kept: Vec<Load>,
    unkept: Vec<Load>,
    dropped: u64,
}

impl Step {
    fn per_record(&self, bytes: i64) -> f64 {
        bytes as f64 / self.records as f64
    }
}

pub(crate) async fn measure(scale: Scale) -> Result<Vec<Section>, Failure> {
    let ground = Ground::open().await?;
    let mut db = ground.connect().await?;
    let recorded = Recorded::open(&ground).await?;
    let mut steps = Vec::new();
    for &records in scale.records {
        recorded.make(records).await?;
        steps.push(recorded.step(&mut db, scale).await?);
    }
    let indexes = indexes(&mut db).await?;
    let retention = retention::measure(&ground, &mut db, recorded, scale).await?;
    db.close().await?;
    ground.close().await;
    Ok(vec![section(scale, steps, &indexes), retention])
}

impl Recorded {
    async fn open(ground: &Ground) -> Result<Self, Failure> {
        let (node, _) = ground.start().await?;
        let client = Client::login(&node).await?;
        let mut ids = Vec::new();
        for (slug, bytes_per_day) in [("kept", picloud::limits::LOG_BYTES_PER_DAY_CEILING), ("unkept", 0)] {
            let app = client.post("/api/v1/admin/apps", json!({ "slug": slug, "name": slug })).await?;
            let quota = json!({ "log_bytes_per_day": bytes_per_day });
            client.put(&format!("/api/v1/admin/apps/{slug}/quota"), quota).await?;
            let script = client.upload(&app, "hello", HELLO).await?;
            let id = script["id"].as_str().unwrap_or_default().to_owned();
            client.post(&format!("/api/v1/admin/scripts/{id}/routes"), json!({ "path": "/hello" })).await?;
            client.call(&node, slug, "/hello").await?;
            ids.push(id);
        }
        let target = |app: &str| Target { app: app.to_owned(), path: "/hello".to_owned() };
        Ok(Self { node, client, kept: target("kept"), unkept: target("unkept"), script: ids.swap_remove(0) })
    }

    /// Calls until there are so many records.
    async fn make(&self, records: u64) -> Result<(), Failure> {
        let mut there = recorder(&self.client.settled(LOOK).await?, "written");
        while there < records {
            eprintln!("records: {there} of {records}");
            let left = records - there;
            let (connections, per_second) = if left < FEW { (1, PER_SECOND[0]) } else { (ALL_OUT, PER_SECOND[1]) };
            self.kept.load(&self.node, connections, (left / per_second).clamp(1, 10) as u32)?;
            let now = recorder(&self.client.settled(LOOK).await?, "written");
            if now == there {
                return Err("calls leave no records".into());
            }
            there = now;
        }
        Ok(())
    }

    /// Sizes and reads as they are, then calls, which add records.
    async fn step(&self, db: &mut PgConnection, scale: Scale) -> Result<Step, Failure> {
        let records = recorder(&self.client.settled(LOOK).await?, "written");
        eprintln!("records: {records}, read {} times and called", scale.reads);
        let (table, indexes): (i64, i64) =
            sqlx::query_as("SELECT pg_table_size('executions'::regclass), pg_indexes_size('executions'::regclass)")
                .fetch_one(&mut *db)
                .await?;
        let ids: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT id FROM executions ORDER BY random() LIMIT $1")
            .bind(i64::try_from(scale.reads)?)
            .fetch_all(db)
            .await?;
        let page = format!("/api/v1/admin/scripts/{}/executions", self.script);
        self.client.get(&page).await?;
        let (mut page_ms, mut one_ms) = (Vec::new(), Vec::new());
        for id in ids {
            page_ms.push(timed(self.client.get(&page)).await?);
            let one = format!("/api/v1/executions/{id}");
            one_ms.push(timed(self.client.get(&one)).await?);
        }
        let (mut kept, mut unkept) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            for (target, loads) in [(&self.kept, &mut kept), (&self.unkept, &mut unkept)] {
                loads.push(target.load(&self.node, ALL_OUT, 1)?);
                self.client.settled(LOOK).await?;
                // The database has what it was given, and is at rest again.
                sleep(Duration::from_millis(500)).await;
            }
        }
        let dropped = recorder(&self.client.settled(LOOK).await?, "dropped");
        Ok(Step { records, table, indexes, page_ms, one_ms, kept, unkept, dropped })
    }
}

/// What the node says of the records of its calls.
fn recorder(status: &Value, what: &str) -> u64 {
    status["recorder"][what].as_u64().unwrap_or(0)
}

/// The table's indexes by size, bytes; and how many rows they are of.
async fn indexes(db: &mut PgConnection) -> Result<Vec<(String, i64, i64)>, Failure> {
    let indexes = sqlx::query_as(
        "SELECT i.indexrelid::regclass::text, pg_relation_size(i.indexrelid), (SELECT count(*) FROM executions)
         FROM pg_index i WHERE i.indrelid = 'executions'::regclass ORDER BY 2 DESC",
    );
    Ok(indexes.fetch_all(db).await?)
}

fn section(scale: Scale, mut steps: Vec<Step>, indexes: &[(String, i64, i64)]) -> Section {
    let mut section = Section::new(81, "Many records of executions", &text(scale));
    section.plots = plots(&mut steps);
    section.tables.push(read(&mut steps));
    section.tables.push(called(&steps));
    let mut table = Table::new("The indexes, after the last of these calls", &["index", "MiB", "bytes a record"]);
    for (name, bytes, records) in indexes {
        table.row([format!("`{name}`"), significant(mib(*bytes)), significant(*bytes as f64 / *records as f64)]);
    }
    section.tables.push(table);
    if let Some(last) = steps.last() {
        section.goal(
            &format!("records of executions dropped, of {} and more", count(last.records)),
            "0",
            count(last.dropped),
            last.dropped == 0,
        );
    }
    section
}

fn text(scale: Scale) -> String {
    format!(
        "Every call of a script leaves a record in PostgreSQL; here they come of real calls of hello by `wrk`, all of one \
         script. At each size: what the table `executions` takes; the newest page of the script's records by the API (50 \
         of them) and one record by its id, drawn from all, {} reads of each by turns; then calls on {ALL_OUT} \
         connections, {ROUNDS} rounds of a second by turns: of an app whose records are kept, and of one whose quota \
         keeps none (`log_bytes_per_day` 0; usage is still counted): the ratio is what writing records leaves of the \
         rate. Median (least–most). Dropped are records that the node could not write in time, since its start.\n\n\
         The goal is that reads do not slow down, that a record costs the same however many there are, and that none is \
         dropped.",
        scale.reads,
    )
}

fn read(steps: &mut [Step]) -> Table {
    let mut table = Table::new(
        "What records take, and reading them",
        &[
            "records",
            "table, MiB",
            "indexes, MiB",
            "bytes a record",
            "of it indexes",
            "newest page p50 ms",
            "p99 ms",
            "× the fewest",
            "one record p50 ms",
            "p99 ms",
            "× the fewest",
        ],
    );
    let mut fewest = None;
    for step in steps {
        let (page_ms, one_ms) = (quantile(&mut step.page_ms, 0.5), quantile(&mut step.one_ms, 0.5));
        let (page_there, one_there) = *fewest.get_or_insert((page_ms, one_ms));
        table.row([
            count(step.records),
            significant(mib(step.table)),
            significant(mib(step.indexes)),
            significant(step.per_record(step.table + step.indexes)),
            significant(step.per_record(step.indexes)),
            significant(page_ms),
            significant(quantile(&mut step.page_ms, 0.99)),
            significant(page_ms / page_there),
            significant(one_ms),
            significant(quantile(&mut step.one_ms, 0.99)),
            significant(one_ms / one_there),
        ]);
    }
    table
}

fn called(steps: &[Step]) -> Table {
    let mut table = Table::new(
        "Writing them",
        &["records before", "calls/s", "none kept: calls/s", "ratio", "p50 ms", "p99 ms", "none kept: p99 ms", "dropped"],
    );
    for step in steps {
        let (kept, unkept) = (over(&step.kept, |load| load.per_second), over(&step.unkept, |load| load.per_second));
        table.row([
            count(step.records),
            kept.to_string(),
            unkept.to_string(),
            significant(kept.median / unkept.median),
            over(&step.kept, |load| load.p50_ms).to_string(),
            over(&step.kept, |load| load.p99_ms).to_string(),
            over(&step.unkept, |load| load.p99_ms).to_string(),
            count(step.dropped),
        ]);
    }
    let failed: u64 = steps.iter().flat_map(|step| step.kept.iter().chain(&step.unkept)).map(|load| load.failed).sum();
    if failed > 0 {
        table.note = format!("**{failed} of these calls failed.**");
    }
    table
}

fn plots(steps: &mut [Step]) -> Vec<Plot> {
    let mut points = |value: &dyn Fn(&mut Step) -> f64| -> Vec<(f64, f64)> {
        steps.iter_mut().map(|step| (step.records as f64, value(step))).collect()
    };
    let rate = |loads: &[Load]| -> Spread { over(loads, |load| load.per_second) };
    let plot = |name: &str, title: &str, y: &str, lines| {
        Plot::new((name, title), Axis::logarithmic("records"), Axis::straight(y), lines)
    };
    vec![
        plot(
            "scale-records",
            "What a record takes",
            "bytes a record",
            vec![
                Line::new("table and indexes", points(&|step| step.per_record(step.table + step.indexes))),
                Line::new("table", points(&|step| step.per_record(step.table))),
            ],
        ),
        plot(
            "scale-reads",
            "Reading records by the API",
            "p50, ms",
            vec![
                Line::new("the newest page", points(&|step| quantile(&mut step.page_ms, 0.5))),
                Line::new("one record", points(&|step| quantile(&mut step.one_ms, 0.5))),
            ],
        ),
        plot(
            "scale-writes",
            "Calls while there are so many records",
            "calls/s",
            vec![
                Line::new("records kept", points(&|step| rate(&step.kept).median)),
                Line::new("none kept", points(&|step| rate(&step.unkept).median)),
            ],
        ),
    ]
}
