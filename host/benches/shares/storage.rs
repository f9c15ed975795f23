//! The database: log lines without end, searches without an index.

use serde_json::{Value, json};

use super::load::Target;
use super::scene::{App, Comparison, Scale, Scene, beside, facts};
use crate::support::Failure;
use crate::support::figures::{Section, count};
use crate::support::ground::Ground;

/// Connections of the app that logs, and of the one that searches.
const LOGGERS: usize = 32;
const SEARCHERS: usize = 8;
/// 256 KiB in lines of 8 KiB.
const LOGS: &str = r#"let s = ""; s.pad(8192, "x"); for i in 0..32 { log::info(s); }"#;

/// e: a flood of log lines.
pub(crate) async fn logs(ground: &Ground, scale: Scale, section: &mut Section) -> Result<(), Failure> {
    let scene = Scene::open(ground, scale, "e").await?;
    let (_, hello) = scene.neighbour().await?;
    let flooder = scene.app("flooder").await?;
    // The worst case: it may keep all of it.
    scene.set_quota(&flooder, json!({ "log_bytes_per_day": 1_u64 << 40 })).await?;
    let log = scene.deploy(&flooder, "log", LOGS, json!({})).await?;
    let (before, at_first) = (scene.settle().await?, scene.client.status().await?);
    let mut most: f64 = 0.0;
    let title = format!("e: an app logs 256 KiB a call on {LOGGERS} connections.");
    let mut comparison = Comparison::new(&title, "log lines without end");
    for connections in [1, 8] {
        let rounds = beside(&scene, (&hello, connections), std::slice::from_ref(&log), LOGGERS).await?;
        most = most.max(scene.node.resident_mib()?);
        comparison.tell("256 KiB a call", connections, rounds);
    }
    let after = scene.settle().await?;
    let at_last = scene.client.status().await?;
    let counted = |name: &str| {
        let of = |status: &Value| status["recorder"][name].as_u64().unwrap_or(0);
        of(&at_last) - of(&at_first)
    };
    section.tables.push(comparison.into_table());
    section.tables.push(facts(
        "e, when it is over.",
        [
            ("records written", count(counted("written"))),
            ("dropped", count(counted("dropped"))),
            ("written without their lines", count(counted("dropped_logs"))),
            ("node, resident: before; right after; at rest", format!("{before:.1}; {most:.1}; {after:.1} MiB")),
        ],
    ));
    scene.close().await
}

/// f: a collection that is read whole for every answer.
pub(crate) async fn documents(ground: &Ground, scale: Scale, section: &mut Section) -> Result<(), Failure> {
    let mut scene = Scene::open(ground, scale, "f").await?;
    let documents = if scale.is_quick { 100_000 } else { 1_000_000 };
    let (neighbour, hello) = scene.neighbour().await?;
    let get = scene.deploy(&neighbour, "get", r#"kv::collection("c").get("k")"#, json!({})).await?;
    let set = scene.deploy(&neighbour, "set", r#"kv::collection("c").set(`k${random::int(0, 1000)}`, 1)"#, json!({})).await?;
    let hog = scene.app("hog").await?;
    let began = std::time::Instant::now();
    fill(&mut scene, &hog, documents).await?;
    eprintln!("{documents} documents made in {:.0} s", began.elapsed().as_secs_f64());
    let searches = [
        ("greater", r#"docs::collection("c").count(#{ n: #{ "$gt": 5 } })"#),
        ("not", r##"docs::collection("c").find(#{ "$not": #{ g: 3 }, n: #{ "$lt": 0 } }).items.len()"##),
        ("sorted", r#"docs::collection("c").find(#{ "$sort": ["g", "-n"] }, #{ limit: 10 }).items.len()"#),
        ("exists", r#"docs::collection("c").count(#{ absent: #{ "$exists": true } })"#),
    ];
    let mut attack: Vec<Target> = Vec::new();
    for (name, source) in searches {
        attack.push(scene.deploy(&hog, name, source, json!({ "timeout_ms": 20_000 })).await?);
    }
    let documents = count(documents.unsigned_abs().into());
    let title = format!("f, the database: an app searches {documents} documents without an index, on {SEARCHERS} connections.");
    let mut comparison = Comparison::new(&title, "the neighbour calls");
    for (what, target) in [("hello", &hello), ("kv get", &get), ("kv set", &set)] {
        for connections in [1, 8] {
            let rounds = beside(&scene, (target, connections), &attack, SEARCHERS).await?;
            comparison.tell(what, connections, rounds);
        }
    }
    section.tables.push(comparison.into_table());
    scene.client.delete(&format!("/api/v1/admin/apps/{}?force=true", hog.slug)).await?;
    scene.close().await
}

/// Documents of an app, made where they lie.
async fn fill(scene: &mut Scene, app: &App, documents: i32) -> Result<(), Failure> {
    let db = scene.db.as_mut().ok_or("the database cannot be reached")?;
    sqlx::query(
        r#"INSERT INTO documents (app_id, collection, id, data, bytes, revision, created_at, updated_at)
           SELECT $1, 'c', 'd' || n, jsonb_build_object('n', n, 'g', n % 10), 24, 1, now(), now()
           FROM generate_series(1, $2::integer) AS n"#,
    )
    .bind(app.id()?)
    .bind(documents)
    .execute(&mut *db)
    .await?;
    sqlx::raw_sql("ANALYZE documents").execute(db).await?;
    Ok(())
}
