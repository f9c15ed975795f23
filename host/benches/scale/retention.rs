//! The end of records: how fast what is too old is deleted, and what calls cost meanwhile.

use std::cell::Cell;
use std::time::{Duration, Instant};

use picloud::limits;
use sqlx::PgConnection;
use tokio::time::sleep;
use uuid::Uuid;

use super::load::{ALL_OUT, Scale, Target, mib, over};
use super::records::Recorded;
use crate::support::figures::{Section, Spread, Table, count, significant};
use crate::support::ground::Ground;
use crate::support::wrk::Load;
use crate::support::{Failure, Node};

/// How old records are made beyond what is kept, days.
const OVERDUE_DAYS: i64 = 6;
/// Rounds of a second before and after a sweep.
const ROUNDS: usize = 5;
/// How often it is looked whether the sweep is over.
const LOOK: Duration = Duration::from_millis(50);
/// A sweep takes this long at most.
const PATIENCE: Duration = Duration::from_secs(900);

/// Records that were deleted, and how long that took, s.
struct Swept {
    rows: i64,
    seconds: f64,
}

impl Swept {
    fn per_second(&self) -> f64 {
        self.rows as f64 / self.seconds
    }
}

/// Calls before, during and after.
struct Beside {
    connections: u32,
    before: Vec<Load>,
    meanwhile: Vec<Load>,
    after: Vec<Load>,
    swept: Swept,
}

/// Old records, to be put in place again and again.
struct Aged {
    rows: i64,
    newest: Uuid,
}

pub(crate) async fn measure(
    ground: &Ground,
    db: &mut PgConnection,
    recorded: Recorded,
    scale: Scale,
) -> Result<Section, Failure> {
    let Recorded { node, kept: target, .. } = recorded;
    node.stop().await?;
    eprintln!("retention: calls before, {ROUNDS} rounds of a second");
    let (node, _) = ground.start().await?;
    let mut before = Vec::new();
    for connections in [1, ALL_OUT] {
        before.push((connections, rounds(&target, &node, connections)?));
    }
    node.stop().await?;

    let aged = Aged::make(db).await?;
    aged.put(db).await?;
    let full = size(db).await?;
    eprintln!("retention: {} records are deleted, nothing is called", aged.rows);
    let (node, _) = ground.start().await?;
    let alone = aged.swept(db).await?;
    let empty = size(db).await?;
    node.stop().await?;

    let mut beside = Vec::new();
    for (connections, before) in before {
        aged.put(db).await?;
        eprintln!("retention: {} records are deleted, calls on {connections} connection(s)", aged.rows);
        let (node, _) = ground.start().await?;
        let (swept, meanwhile) = while_called(&aged, db, &target, &node, connections).await?;
        let after = rounds(&target, &node, connections)?;
        node.stop().await?;
        beside.push(Beside { connections, before, meanwhile, after, swept });
    }
    Ok(section(scale, &alone, (full, empty), &beside))
}

impl Aged {
    /// Sets aside what is recorded, older than it is.
    async fn make(db: &mut PgConnection) -> Result<Self, Failure> {
        eprintln!("retention: the records are made older");
        sqlx::raw_sql("CREATE SCHEMA bench; CREATE UNLOGGED TABLE bench.aged AS SELECT * FROM executions")
            .execute(&mut *db)
            .await?;
        let days = i32::try_from(limits::EXECUTION_KEEP_S / 86_400 + OVERDUE_DAYS)?;
        sqlx::query(
            "UPDATE bench.aged SET id = id_at(started_at - make_interval(days => $1)),
                                   started_at = started_at - make_interval(days => $1)",
        )
        .bind(days)
        .execute(&mut *db)
        .await?;
        sqlx::raw_sql("CREATE UNIQUE INDEX aged_id_key ON bench.aged (id)").execute(&mut *db).await?;
        let (rows,): (i64,) = sqlx::query_as("SELECT count(*) FROM bench.aged").fetch_one(&mut *db).await?;
        let (newest,): (Uuid,) = sqlx::query_as("SELECT id FROM bench.aged ORDER BY id DESC LIMIT 1").fetch_one(db).await?;
        Ok(Self { rows, newest })
    }

    /// In place of all that is recorded, in the order of their time, as they were written once. No node may be there.
    async fn put(&self, db: &mut PgConnection) -> Result<(), Failure> {
        sqlx::raw_sql("BEGIN; TRUNCATE executions; INSERT INTO executions SELECT * FROM bench.aged ORDER BY id; COMMIT")
            .execute(&mut *db)
            .await?;
        for statement in ["VACUUM (ANALYZE) executions", "CHECKPOINT"] {
            sqlx::raw_sql(statement).execute(&mut *db).await?;
        }
        Ok(())
    }

    /// Waits until a node, which begins with it at its start, has deleted them. The part that was deleted before anybody could
    /// look does not count.
    async fn swept(&self, db: &mut PgConnection) -> Result<Swept, Failure> {
        let began = Instant::now();
        let (rows,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM executions WHERE id <= $1").bind(self.newest).fetch_one(&mut *db).await?;
        while began.elapsed() < PATIENCE {
            let oldest: Option<Uuid> = sqlx::query_scalar("SELECT id FROM executions WHERE id <= $1 ORDER BY id LIMIT 1")
                .bind(self.newest)
                .fetch_optional(&mut *db)
                .await?;
            if oldest.is_none() {
                return Ok(Swept { rows, seconds: began.elapsed().as_secs_f64() });
            }
            sleep(LOOK).await;
        }
        Err("old records are not deleted".into())
    }
}

/// The same, with calls until it is done; of these, the rounds that ended before it.
async fn while_called(
    aged: &Aged,
    db: &mut PgConnection,
    target: &Target,
    node: &Node,
    connections: u32,
) -> Result<(Swept, Vec<Load>), Failure> {
    let is_over = Cell::new(false);
    let sweeping = async {
        let swept = aged.swept(db).await;
        is_over.set(true);
        swept
    };
    let calling = async {
        let mut loads = Vec::new();
        while !is_over.get() {
            let (target, url) = (target.clone(), node.data.clone());
            let load = move || target.load_at(&url, connections, 1).map_err(|error| error.to_string());
            loads.push(tokio::task::spawn_blocking(load).await??);
        }
        // The last one went on without it, unless it is the only one.
        if loads.len() > 1 {
            loads.pop();
        }
        Ok::<_, Failure>(loads)
    };
    let (swept, loads) = tokio::join!(sweeping, calling);
    Ok((swept?, loads?))
}

fn rounds(target: &Target, node: &Node, connections: u32) -> Result<Vec<Load>, Failure> {
    (0..ROUNDS).map(|_| target.load(node, connections, 1)).collect()
}

/// Of the table with its indexes, MiB.
async fn size(db: &mut PgConnection) -> Result<f64, Failure> {
    let (bytes,): (i64,) = sqlx::query_as("SELECT pg_total_relation_size('executions'::regclass)").fetch_one(db).await?;
    Ok(mib(bytes))
}

fn section(scale: Scale, alone: &Swept, (full, empty): (f64, f64), beside: &[Beside]) -> Section {
    let mut section = Section::new(82, "The end of records", &text(scale));
    let mut sweeps = Table::new("Deleting", &["meanwhile", "records", "s", "records/s", "of alone"]);
    let mut calls = Table::new(
        "Calls of hello",
        &[
            "connections",
            "calls/s: before",
            "meanwhile",
            "after",
            "p50 ms: before",
            "meanwhile",
            "p99 ms: before",
            "meanwhile",
            "after",
            "p99 × before",
        ],
    );
    let mut sweep = |meanwhile: String, swept: &Swept| {
        sweeps.row([
            meanwhile,
            count(swept.rows.unsigned_abs()),
            significant(swept.seconds),
            significant(swept.per_second()),
            significant(swept.per_second() / alone.per_second()),
        ]);
    };
    sweep("nothing".to_owned(), alone);
    for Beside { connections, before, meanwhile, after, swept } in beside {
        sweep(format!("calls on {connections}"), swept);
        let values: [fn(&Load) -> f64; 3] = [|load| load.per_second, |load| load.p50_ms, |load| load.p99_ms];
        let [rates, p50s, p99s] = values.map(|value| [before, meanwhile, after].map(|loads| over(loads, value)));
        let texts = |spreads: &[Spread]| spreads.iter().map(Spread::to_string).collect::<Vec<_>>();
        let mut row = vec![connections.to_string()];
        row.extend(texts(&rates));
        row.extend(texts(&p50s[..2]));
        row.extend(texts(&p99s));
        row.push(significant(p99s[1].median / p99s[0].median));
        calls.row(row);
    }
    sweeps.note = format!(
        "Table and indexes: {} MiB before, {} MiB after. What is free in them is used again, not given back.",
        significant(full),
        significant(empty)
    );
    section.tables.push(sweeps);
    section.tables.push(calls);
    section
}

fn text(scale: Scale) -> String {
    format!(
        "Records are kept for {} days. All that were made above ({} and more) are made {} days older while no node is \
         there, and the node begins to delete them when it starts, {} in a transaction, one after the other: once with \
         nothing else to do, then beside calls of hello by `wrk`. Records that were deleted before the first look do not \
         count. Rounds of a second, median (least–most): {ROUNDS} before, on a node that was just started with records of \
         today; those during the sweep; {ROUNDS} after it. The goal is that nobody who calls notices: the p99 meanwhile \
         is to stay near what it was.",
        limits::EXECUTION_KEEP_S / 86_400,
        count(scale.records.last().copied().unwrap_or_default()),
        limits::EXECUTION_KEEP_S / 86_400 + OVERDUE_DAYS,
        count(limits::SWEEP_BATCH.unsigned_abs()),
    )
}
