//! CPU: scripts and handlers that burn it; deliveries beside requests.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::load::{Calls, Load, Storm, Target, measure};
use super::scene::{App, Comparison, Scale, Scene, alternate, beside, hostile};
use crate::support::Failure;
use crate::support::figures::{Section, Spread, Table, significant};
use crate::support::ground::Ground;
use crate::support::queue::{fill, succeeded};
use crate::support::scripts::HELLO;

/// Connections of the app that burns: more than it has places.
const BURNERS: usize = 32;
/// What a short burner takes, ms.
const SHORT_MS: f64 = 3.0;
/// Messages whose handlers burn.
const BACKLOG: usize = 5_000;
/// The p99 of a neighbour, of what it is alone.
const GOAL: f64 = 3.0;

pub(crate) async fn figure(ground: &Ground, scale: Scale, section: &mut Section) -> Result<(), Failure> {
    let scene = Scene::open(ground, scale, "a").await?;
    let (_, hello) = scene.neighbour().await?;
    let burner = scene.app("burner").await?;
    scene.unleash(&burner).await?;
    let (short, count) = short(&scene, &burner).await?;
    eprintln!("the short burner counts to {count}");
    let mut attacks = vec![("loop, 3 ms each", short)];
    for (what, name) in [
        ("endless loop", "endless_loop"),
        ("sort", "sort_bomb"),
        ("string builder", "string_builder"),
        ("regex", "regex_churn"),
        ("json", "json_churn"),
    ] {
        attacks.push((what, scene.deploy(&burner, &name.replace('_', "-"), &hostile(name)?, burns()).await?));
    }
    let title = format!("a, CPU: an app burns on all its places ({BURNERS} connections) while a neighbour says hello.");
    let mut comparison = Comparison::new(&title, "the burner's script");
    for (what, attack) in &attacks {
        for connections in [1, 8] {
            let rounds = beside(&scene, (&hello, connections), std::slice::from_ref(attack), BURNERS).await?;
            comparison.tell(what, connections, rounds);
        }
    }
    backlog(&scene, &hello, &mut comparison).await?;
    let (worst, which) = &comparison.worst;
    section.goal(
        "a neighbour's p99 beside an app that burns CPU, worst of all",
        &format!("≤ {GOAL} × of it alone"),
        format!("{} × ({which})", significant(*worst)),
        *worst <= GOAL,
    );
    section.tables.push(comparison.into_table());
    let (scene, table) = deliveries(scene).await?;
    section.tables.push(table);
    scene.close().await
}

/// A few tenths of a second of a core.
fn burns() -> Value {
    json!({ "fuel": 5_000_000_000_u64, "timeout_ms": 60_000 })
}

/// A script that burns for some milliseconds, and how far it counts.
async fn short(scene: &Scene, burner: &App) -> Result<(Target, i64), Failure> {
    let source = |count: i64| format!("let n = 0; for i in 0..{count} {{ n += i; }} n");
    let time = Duration::from_secs(1);
    let tried = scene.deploy(burner, "tried", &source(10_000), json!({})).await?;
    let none = scene.deploy(burner, "none", &source(0), json!({})).await?;
    let (mut tried, mut none) = (measure(&tried, 1, time), measure(&none, 1, time));
    let took_ms = (tried.quantile_ms(0.5) - none.quantile_ms(0.5)).max(0.01);
    let count = (10_000.0 * SHORT_MS / took_ms) as i64;
    Ok((scene.deploy(burner, "short", &source(count), json!({})).await?, count))
}

/// Hello beside a queue whose handlers burn.
async fn backlog(scene: &Scene, hello: &Target, comparison: &mut Comparison) -> Result<(), Failure> {
    let app = scene.app("handlers").await?;
    scene.unleash(&app).await?;
    let trigger = trigger(scene, &app, &hostile("endless_loop")?, burns()).await?;
    let path = format!("/api/v1/admin/apps/{}/triggers/{}", app.slug, trigger["id"].as_str().unwrap_or_default());
    let switch = async |is_on: bool| scene.client.patch(&path, json!({ "enabled": is_on })).await;
    switch(false).await?;
    let sends = scene.deploy(&app, "send", r#"for n in 0..500 { queue::send("q", n); }"#, json!({})).await?;
    for _ in 0..BACKLOG / 500 {
        let sent = Calls::counted(std::slice::from_ref(&sends), 1, 1).end();
        if sent.failed() > 0 {
            return Err(format!("messages could not be sent: {:?}", sent.answers).into());
        }
    }
    for connections in [1, 8] {
        let begin = async || switch(true).await.map(drop);
        let end = async |()| {
            switch(false).await?;
            while scene.client.status().await?["events_running"] != 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Ok::<_, Failure>(Load::default())
        };
        let rounds = alternate(scene.scale, (hello, connections), begin, end).await?;
        comparison.tell("5 000 burning handlers", connections, rounds);
    }
    scene.client.delete(&format!("/api/v1/admin/apps/{}?force=true", app.slug)).await
}

/// A queue's trigger with a handler of its own.
async fn trigger(scene: &Scene, app: &App, source: &str, limits: Value) -> Result<Value, Failure> {
    let script = scene.upload(app, "handler", source, limits).await?;
    let body = json!({ "script_id": script["id"], "queue": "q", "max_attempts": 1 });
    scene.client.post(&format!("/api/v1/admin/apps/{}/triggers/queue", app.slug), body).await
}

/// How many deliveries go on while requests of another app take all they can get.
async fn deliveries(mut scene: Scene) -> Result<(Scene, Table), Failure> {
    eprintln!("deliveries beside requests");
    let (app, loud) = (scene.app("deliveries").await?, scene.app("loud").await?);
    let hello = scene.deploy(&loud, "hello", HELLO, json!({})).await?;
    let trigger = trigger(&scene, &app, "ctx.event.queue.message", json!({})).await?;
    let mut db = scene.db.take().ok_or("the database cannot be reached")?;
    let (time, mut alone, mut beside) = (scene.scale.time, Vec::new(), Vec::new());
    let (mut requests, mut requests_beside, mut failed) = (Vec::new(), Vec::new(), 0);
    for _ in 0..scene.scale.rounds {
        alone.push(settled(&scene, &mut db, &app, &trigger, time).await?);
        requests.push(measure(&hello, BURNERS, time).per_second());
        let storm = Storm::begin(std::slice::from_ref(&hello), BURNERS);
        beside.push(settled(&scene, &mut db, &app, &trigger, time).await?);
        let load = storm.end();
        requests_beside.push(load.per_second());
        failed += load.failed();
    }
    let title = format!("Deliveries of one app beside hello of another on {BURNERS} connections.");
    let mut table = Table::new(&title, &["a second", "alone", "beside the other", "of it"]);
    for (what, alone, beside) in [("deliveries", alone, beside), ("requests", requests, requests_beside)] {
        let ratio = Spread::of(alone.iter().zip(&beside).map(|(alone, beside)| beside / alone));
        table.row([what, &Spread::of(alone).to_string(), &Spread::of(beside).to_string(), &ratio.to_string()]);
    }
    table.note = format!("Requests beside deliveries that were not answered 200: {failed}.");
    scene.db = Some(db);
    Ok((scene, table))
}

/// Deliveries settled per second while there are more than enough; then waits until none is left.
async fn settled(scene: &Scene, db: &mut PgConnection, app: &App, trigger: &Value, time: Duration) -> Result<f64, Failure> {
    let messages = i32::try_from(time.as_secs() * 15_000)?;
    fill(db, &app.value, messages).await?;
    scene.client.post(&format!("/api/v1/admin/apps/{}/queues/q/messages", app.slug), json!({ "message": 0 })).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (began, before) = (std::time::Instant::now(), succeeded(db, trigger).await?);
    tokio::time::sleep(time).await;
    let settled = (succeeded(db, trigger).await? - before) as f64 / began.elapsed().as_secs_f64();
    scene.client.post(&format!("/api/v1/admin/apps/{}/queues/q/purge", app.slug), json!({})).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(settled)
}
