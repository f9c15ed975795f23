//! Expiry of `kv` entries: gone at once for readers, swept later.

use chrono::{TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::service::kv::expiry;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::support::{Options, TestApp};

/// A node whose clock stands still until it is advanced.
async fn stopped() -> TestApp {
    TestApp::start_with(Options { clock: Clock::manual(Utc::now()), ..Options::default() }).await
}

#[tokio::test]
async fn an_expired_entry_is_gone_at_once_for_every_function() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    shop.run(
        r#"let c = kv::collection("c"); for k in ["a", "b", "d", "n", "z"] { c.set(k, 7, #{ ttl_s: 60 }); } c.set("m", 1);"#,
    )
    .await
    .expect(200);
    let seen = r#"let c = kv::collection("c"); [c.get("a"), c.has("a"), c.get_entry("a") == (), c.list().items.len()]"#;
    app.clock.advance(TimeDelta::milliseconds(59_999));
    assert_eq!(shop.value(seen).await, json!([7, true, false, 6]));
    app.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(shop.value(seen).await, json!([null, false, true, 1]));
    let rest = r#"let c = kv::collection("c");
        c.set("b", 8, #{ if_revision: 0 });
        [c.delete("d"), c.increment("n", 2), c.get("b"), c.get_entry("n").expires_at, c.list().items.map(|item| item.key)]"#;
    assert_eq!(shop.value(rest).await, json!([false, 2, 8, null, ["b", "m", "n"]]));
}

#[tokio::test]
async fn an_entry_tells_when_it_expires_and_a_write_without_ttl_clears_that() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    let got = shop
        .value(
            r#"let c = kv::collection("c");
            c.set("k", 1, #{ ttl_s: 90 });
            let first = c.get_entry("k");
            c.increment("k");
            let counted = c.get_entry("k");
            c.set("k", 1);
            let plain = c.get_entry("k");
            c.set("k", 1, #{ ttl_s: () });
            [time::parse(first.expires_at) - time::now_ms(), counted.expires_at == first.expires_at, plain.expires_at,
             c.get_entry("k").expires_at, first.keys().len(), first.expires_at.len()]"#,
        )
        .await;
    assert_eq!(got, json!([90_000, true, null, null, 3, 24]), "increment keeps the expiry");
}

#[tokio::test]
async fn expired_entries_do_not_shorten_pages() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    shop.run(r#"let c = kv::collection("c"); for i in 10..40 { if i % 3 == 0 { c.set(`${i}`, i); } else { c.set(`${i}`, i, #{ ttl_s: 5 }); } }"#)
        .await
        .expect(200);
    app.clock.advance(TimeDelta::seconds(5));
    let got = shop
        .value(
            r#"let c = kv::collection("c"); let first = c.list(#{ limit: 6 }); let second = c.list(#{ limit: 6, cursor: first.cursor });
            [first.items.map(|item| item.value), second.items.map(|item| item.value), second.cursor]"#,
        )
        .await;
    assert_eq!(got, json!([[12, 15, 18, 21, 24, 27], [30, 33, 36, 39], null]));
}

#[tokio::test]
async fn a_revision_never_comes_back() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    let revision = r#"kv::collection("c").get_entry("k").revision"#;
    let mut seen: Vec<i64> = Vec::new();
    let mut note = |value: Value| seen.push(value.as_i64().expect("an integer"));
    shop.run(r#"let c = kv::collection("c"); for i in 0..20 { c.set("k", i, #{ ttl_s: 60 }); }"#).await.expect(200);
    note(shop.value(revision).await);
    // Expired, not swept yet.
    app.clock.advance(TimeDelta::seconds(60));
    shop.run(r#"kv::collection("c").set("k", 1, #{ ttl_s: 60 })"#).await.expect(200);
    note(shop.value(revision).await);
    // Expired and swept.
    app.clock.advance(TimeDelta::seconds(120));
    assert_eq!(expiry::sweep(&app.services).await.expect("a sweep"), 1);
    shop.run(r#"kv::collection("c").increment("k")"#).await.expect(200);
    note(shop.value(revision).await);
    // Deleted.
    app.clock.advance(TimeDelta::seconds(1));
    shop.run(r#"let c = kv::collection("c"); c.delete("k"); c.set("k", 1)"#).await.expect(200);
    note(shop.value(revision).await);
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    for stale in &seen[..seen.len() - 1] {
        let caught = shop.caught(&format!(r#"kv::collection("c").set("k", 2, #{{ if_revision: {stale} }})"#)).await;
        assert_eq!(caught["code"], "conflict", "{caught}");
    }
}

#[tokio::test]
async fn a_write_tells_what_was_there_before() {
    use picloud::model::kv::{SetOptions, Value};
    use picloud::service::kv;
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    let (s, id) = (&*app.services, shop.id.parse().expect("an id"));
    let set = async |n: i64, ttl_s| {
        let options = SetOptions { ttl_s, if_revision: None };
        kv::set(s, id, crate::support::events::origin(), "c", "k", &Value::of_integer(n), options)
            .await
            .expect("a write")
            .map(|before| before.value.as_integer())
    };
    assert_eq!(set(1, None).await, None);
    assert_eq!(set(2, Some(5)).await, Some(Some(1)));
    let (before, sum) = kv::increment(s, id, crate::support::events::origin(), "c", "k", 3).await.expect("a sum");
    assert_eq!((before.and_then(|before| before.value.as_integer()), sum), (Some(2), 5));
    let deleted = kv::delete(s, id, crate::support::events::origin(), "c", "k").await.expect("a deletion").expect("an entry");
    assert_eq!((deleted.value.as_integer(), deleted.expires_at), (Some(5), Some(s.now() + TimeDelta::seconds(5))));
    assert_eq!(set(1, Some(5)).await, None);
    app.clock.advance(TimeDelta::seconds(5));
    assert_eq!(set(2, Some(5)).await, None, "what had expired was not there");
    app.clock.advance(TimeDelta::seconds(5));
    assert_eq!(kv::delete(s, id, crate::support::events::origin(), "c", "k").await.expect("a deletion"), None);
}

async fn rows(db: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM kv_entries").fetch_one(db).await.expect("a count")
}

#[tokio::test]
async fn a_sweep_deletes_what_expired_a_while_ago_and_nothing_else() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    let mut db = app.database.connect().await;
    shop.run(r#"let c = kv::collection("c"); c.set("soon", 1, #{ ttl_s: 10 }); c.set("late", 1, #{ ttl_s: 1000 }); c.set("never", 1);"#)
        .await
        .expect(200);
    let delay = TimeDelta::milliseconds(picloud::limits::KV_SWEEP_DELAY_MS as i64);
    app.clock.advance(TimeDelta::seconds(10) + delay - TimeDelta::milliseconds(1));
    assert_eq!(expiry::sweep(&app.services).await.expect("a sweep"), 0, "gone for readers, and not yet from the table");
    app.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(expiry::sweep(&app.services).await.expect("a sweep"), 1);
    assert_eq!(rows(&mut db).await, 2);
    app.clock.advance(TimeDelta::seconds(1000));
    assert_eq!(expiry::sweep(&app.services).await.expect("a sweep"), 1);
    assert_eq!(shop.value(r#"kv::collection("c").list().items.map(|item| item.key)"#).await, json!(["never"]));
}

#[tokio::test]
async fn a_sweep_of_more_than_a_batch_leaves_nothing_behind() {
    let app = stopped().await;
    let shop = app.create_app("shop").await;
    let n = 2 * picloud::limits::KV_SWEEP_BATCH + 1;
    let mut db = app.database.connect().await;
    sqlx::query(
        "INSERT INTO kv_entries (app_id, collection, key, encoding, value, revision, expires_at)
         SELECT $1::uuid, 'c', n::text, 'json', '1', 1, 'epoch' FROM generate_series(1, $2) AS n",
    )
    .bind(&shop.id)
    .bind(n)
    .execute(&mut db)
    .await
    .expect("rows");
    assert_eq!(expiry::sweep(&app.services).await.expect("a sweep"), n.unsigned_abs());
    assert_eq!(rows(&mut db).await, 0);
}

#[tokio::test]
async fn a_sweep_finds_its_rows_by_their_index() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let mut db = app.database.connect().await;
    sqlx::query(
        "INSERT INTO kv_entries (app_id, collection, key, encoding, value, revision, expires_at)
         SELECT $1::uuid, 'c', n::text, 'json', '1', 1, CASE WHEN n % 50 = 0 THEN to_timestamp(n) END
         FROM generate_series(1, 20000) AS n",
    )
    .bind(&shop.id)
    .execute(&mut db)
    .await
    .expect("rows");
    crate::support::cluster::run(&mut db, "ANALYZE kv_entries").await;
    for query in [
        "SELECT key FROM kv_entries WHERE expires_at <= now() ORDER BY expires_at LIMIT 500 FOR UPDATE SKIP LOCKED",
        "SELECT expires_at FROM kv_entries WHERE expires_at IS NOT NULL ORDER BY expires_at LIMIT 1",
    ] {
        let plan: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("EXPLAIN {query}"))).fetch_all(&mut db).await.expect("a plan");
        assert!(plan.iter().any(|line| line.contains("kv_entries_sweep_idx")), "{query}:\n{}", plan.join("\n"));
    }
}
