//! What an app may store: counted by the database with every write, refused past its quota, given back by what is deleted.

use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::error::{Error, Kind};
use picloud::id::AppId;
use picloud::limits;
use picloud::model::kv::{Encoding, SetOptions, Value as KvValue};
use picloud::model::quota::Quota;
use picloud::model::storage::{Used, document_use, file_use, kv_entry_use};
use picloud::service::files::{FileChange, NewFile};
use picloud::service::kv::expiry;
use picloud::service::{self, Services};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::task::JoinSet;

use crate::files_on_disk::blobs;
use crate::support::client::send;
use crate::support::cluster::run;
use crate::support::events::origin;
use crate::support::{Options, Tenant, TestApp, eventually};

/// States the whole of the app's quota.
async fn allow(shop: &Tenant, quota: Value) {
    shop.client.put(&format!("/admin/apps/{}/quota", shop.slug), quota).await.expect(200);
}

async fn used(app: &TestApp, shop: &Tenant) -> Used {
    service::storage::used(&app.services, id(shop)).await.expect("an answer")
}

fn id(shop: &Tenant) -> AppId {
    shop.id.parse().expect("an id")
}

/// That the statement is refused because the app's quota is used up.
async fn is_full(shop: &Tenant, quota: &str, statement: &str) {
    let error = shop.caught(statement).await;
    let message = error["message"].as_str().unwrap_or_default();
    assert!(error["code"] == "limit_exceeded" && message.contains(&format!("`{quota}`")), "{statement}: {error}");
}

async fn fits(shop: &Tenant, statement: &str) {
    assert_eq!(shop.caught(statement).await, Value::Null, "{statement}");
}

/// A statement that writes an entry of so many bytes.
fn set(key: &str, bytes: u64) -> String {
    format!(r#"kv::collection("c").set("{key}", blob({bytes}, 1))"#)
}

fn create(name: &str, bytes: u64) -> String {
    format!(r#"files::collection("f").create("{name}", blob({bytes}, 1))"#)
}

fn update(name: &str, bytes: u64) -> String {
    format!(r#"files::collection("f").update("{name}", blob({bytes}, 1))"#)
}

#[tokio::test]
async fn entries_and_documents_share_their_room_to_the_last_byte() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (entry, document) = (kv_entry_use("c", "k", 700), document_use("d", "i", 2));
    let most = entry + document;
    allow(&shop, json!({ "data_bytes": most })).await;
    fits(&shop, r#"docs::collection("d").create(#{}, #{ id: "i" })"#).await;
    is_full(&shop, "data_bytes", &set("k", 701)).await;
    fits(&shop, &set("k", 700)).await;
    assert_eq!(used(&app, &shop).await, Used { data_bytes: most, file_bytes: 0 });
    for more in [
        set("k", 701),
        set("l", 0),
        r#"docs::collection("d").create(#{})"#.to_owned(),
        r#"docs::collection("d").update("i", #{ a: 1 })"#.to_owned(),
        r#"docs::collection("d").patch("i", #{ a: 1 })"#.to_owned(),
        r#"kv::collection("c").increment("n")"#.to_owned(),
    ] {
        is_full(&shop, "data_bytes", &more).await;
    }
    assert_eq!(used(&app, &shop).await.data_bytes, most, "what is refused changes nothing");
    let there = shop.value(r#"[kv::collection("c").get("k").len(), docs::collection("d").get("i").data]"#).await;
    assert_eq!(there, json!([700, {}]));
    fits(&shop, &set("k", 700)).await;
    fits(&shop, r#"docs::collection("d").delete("i")"#).await;
    is_full(&shop, "data_bytes", &set("k", 700 + document + 1)).await;
    fits(&shop, &set("k", 700 + document)).await;
    fits(&shop, r#"kv::collection("c").delete("k")"#).await;
    assert_eq!(used(&app, &shop).await, Used::default());
}

#[tokio::test]
async fn an_increment_counts_what_the_number_grows_by() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    allow(&shop, json!({ "data_bytes": kv_entry_use("c", "n", 1) })).await;
    let by = |n: i64| format!(r#"kv::collection("c").increment("n", {n})"#);
    fits(&shop, &by(9)).await;
    is_full(&shop, "data_bytes", &by(1)).await;
    fits(&shop, &by(-1)).await;
    assert_eq!(shop.value(r#"kv::collection("c").get("n")"#).await, 8);
    allow(&shop, json!({ "data_bytes": kv_entry_use("c", "n", 2) })).await;
    fits(&shop, &by(91)).await;
    is_full(&shop, "data_bytes", &by(1)).await;
}

#[tokio::test]
async fn a_value_is_as_long_as_the_quota_lets_it_be() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    allow(&shop, json!({ "kv_value_bytes": 3 })).await;
    let refused = async |statement: &str| {
        let error = shop.caught(statement).await;
        let message = error["message"].as_str().unwrap_or_default();
        assert!(error["code"] == "invalid_argument" && message.contains("at most 3"), "{statement}: {error}");
    };
    fits(&shop, &set("k", 3)).await;
    refused(&set("k", 4)).await;
    fits(&shop, r#"kv::collection("c").increment("n", 999)"#).await;
    refused(r#"kv::collection("c").increment("n", 1)"#).await;
    assert_eq!(shop.value(r#"let c = kv::collection("c"); [c.get("k").len(), c.get("n")]"#).await, json!([3, 999]));
}

#[tokio::test]
async fn files_fit_to_the_last_byte_and_leave_nothing_where_they_do_not() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let most = file_use("f", "a", 60) + file_use("f", "b", 40);
    allow(&shop, json!({ "file_bytes": most })).await;
    fits(&shop, &create("a", 60)).await;
    is_full(&shop, "file_bytes", &create("b", 41)).await;
    fits(&shop, &create("b", 40)).await;
    assert_eq!(used(&app, &shop).await, Used { data_bytes: 0, file_bytes: most });
    is_full(&shop, "file_bytes", &create("c", 0)).await;
    is_full(&shop, "file_bytes", &update("a", 61)).await;
    assert_eq!(shop.caught(&create("a", 1)).await["code"], "conflict", "a name that is taken is told first");
    let left = async |count: usize| {
        let all = async || (blobs(&app).len() == count).then_some(());
        eventually("what was refused is off the disk", Duration::from_secs(10), all).await;
    };
    left(2).await;
    assert_eq!(used(&app, &shop).await.file_bytes, most, "what is refused changes nothing");
    fits(&shop, &update("a", 50)).await;
    fits(&shop, &update("b", 50)).await;
    fits(&shop, r#"files::collection("f").delete("a")"#).await;
    fits(&shop, r#"files::collection("f").delete("b")"#).await;
    assert_eq!(used(&app, &shop).await, Used::default());
    left(0).await;
}

#[tokio::test]
async fn an_upload_in_pieces_is_refused_as_soon_as_it_cannot_fit() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let piece = limits::FILE_PIECE_BYTES as u64;
    let most = file_use("f", "a", 2 * piece + 5);
    // The last piece is one too many, then the second one.
    for (quota, bytes) in [(most, 2 * piece + 6), (piece + 1, 3 * piece)] {
        allow(&shop, json!({ "file_bytes": quota })).await;
        is_full(&shop, "file_bytes", &create("a", bytes)).await;
    }
    eventually("nothing is on the disk", Duration::from_secs(10), async || blobs(&app).is_empty().then_some(())).await;
    allow(&shop, json!({ "file_bytes": most })).await;
    fits(&shop, &create("a", 2 * piece + 5)).await;
    fits(&shop, &update("a", 2 * piece + 5)).await;
    is_full(&shop, "file_bytes", &update("a", 2 * piece + 6)).await;
    assert_eq!(shop.value(r#"files::collection("f").head("a").size"#).await, 2 * piece + 5);
}

#[tokio::test]
async fn a_quota_below_what_is_there_refuses_growth_and_nothing_else() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for statement in [&set("k", 100), &set("gone", 9), &create("a", 100), &create("gone", 9)] {
        fits(&shop, statement).await;
    }
    fits(&shop, r#"docs::collection("d").create(#{ a: "xxxxx" }, #{ id: "i" })"#).await;
    allow(&shop, json!({ "data_bytes": 1, "file_bytes": 1 })).await;
    for statement in [
        set("k", 100),
        set("k", 99),
        r#"kv::collection("c").delete("gone")"#.to_owned(),
        r#"docs::collection("d").update("i", #{ a: "xxxx" })"#.to_owned(),
        r#"docs::collection("d").patch("i", #{ a: "yyyy" })"#.to_owned(),
        update("a", 100),
        update("a", 99),
        r#"files::collection("f").delete("gone")"#.to_owned(),
    ] {
        fits(&shop, &statement).await;
    }
    is_full(&shop, "data_bytes", &set("k", 100)).await;
    is_full(&shop, "data_bytes", &set("l", 0)).await;
    is_full(&shop, "data_bytes", r#"docs::collection("d").update("i", #{ a: "xxxxx" })"#).await;
    is_full(&shop, "file_bytes", &update("a", 100)).await;
    is_full(&shop, "file_bytes", &create("l", 0)).await;
}

#[tokio::test]
async fn what_expired_gives_its_room_back_when_it_is_swept() {
    let app = TestApp::start_with(Options { clock: Clock::manual(Utc::now()), ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    allow(&shop, json!({ "data_bytes": kv_entry_use("c", "k", 10) })).await;
    fits(&shop, r#"kv::collection("c").set("k", blob(10, 1), #{ ttl_s: 5 })"#).await;
    app.clock.advance(TimeDelta::seconds(5));
    is_full(&shop, "data_bytes", &set("l", 0)).await;
    app.clock.advance(TimeDelta::milliseconds(limits::KV_SWEEP_DELAY_MS as i64));
    expiry::sweep(&app.services).await.expect("a sweep");
    assert_eq!(used(&app, &shop).await, Used::default());
    fits(&shop, &set("l", 10)).await;
}

#[tokio::test]
async fn apps_have_each_their_own_room() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    allow(&shop, json!({ "data_bytes": kv_entry_use("c", "k", 0), "file_bytes": file_use("f", "a", 0) })).await;
    fits(&shop, &set("k", 0)).await;
    fits(&shop, &create("a", 0)).await;
    is_full(&shop, "data_bytes", &set("k", 1)).await;
    fits(&other, &set("k", 50_000)).await;
    fits(&other, &create("a", 50_000)).await;
    let theirs = Used { data_bytes: kv_entry_use("c", "k", 50_000), file_bytes: file_use("f", "a", 50_000) };
    assert_eq!(used(&app, &other).await, theirs);
    assert_eq!(used(&app, &shop).await, Used { data_bytes: kv_entry_use("c", "k", 0), file_bytes: file_use("f", "a", 0) });
    app.delete("/admin/apps/shop?force=true").await.expect(204);
    assert_eq!(used(&app, &shop).await, Used::default());
    assert_eq!(used(&app, &other).await, theirs);
    let mut db = app.database.connect().await;
    let counters: i64 = sqlx::query_scalar("SELECT count(*) FROM storage_use").fetch_one(&mut db).await.expect("a count");
    assert_eq!(counters, 16, "those of the app that is there");
}

#[tokio::test]
async fn an_app_has_so_many_triggers_and_scripts_and_no_more() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let full = |what: &str| json!({ "quota": what, "bound": 2 });
    allow(&shop, json!({ "triggers": 2, "scripts": 2 })).await;
    let handler = shop.upload("handler", "1").await;
    let body = || json!({ "collection": "c" });
    shop.trigger("kv", &handler, body()).await;
    let last = shop.trigger("kv", &handler, body()).await;
    let refused = shop.try_trigger("kv", &handler, body()).await.fails(507, "quota_exceeded");
    assert!(refused.details() == full("triggers") && refused.message().contains("`triggers`"), "{}", refused.text());
    app.delete(&format!("/admin/apps/shop/triggers/{}", last["id"].as_str().expect("an id"))).await.expect(204);
    shop.trigger("kv", &handler, body()).await;

    let second = shop.upload("second", "2").await;
    let refused = shop.try_upload("third", "3", json!({})).await.fails(507, "quota_exceeded");
    assert!(refused.details() == full("scripts") && refused.message().contains("`scripts`"), "{}", refused.text());
    app.put(&format!("/admin/scripts/{}", second.id), json!({ "source": "22" })).await.expect(200);
    app.delete(&format!("/admin/scripts/{}", second.id)).await.expect(204);
    shop.upload("third", "3").await;
    for name in ["one", "two", "three"] {
        other.upload(name, "1").await;
    }
    allow(&shop, json!({ "triggers": 0, "scripts": 0 })).await;
    shop.try_upload("fourth", "4", json!({})).await.fails(507, "quota_exceeded");
    app.put(&format!("/admin/scripts/{}", handler.id), json!({ "source": "11" })).await.expect(200);
}

#[tokio::test]
async fn a_script_has_so_many_modules_as_its_app_may() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for name in ["a", "b"] {
        shop.upload_with(name, "fn n() { 1 }", json!({ "kind": "module" })).await;
    }
    allow(&shop, json!({ "modules": 1 })).await;
    let two = r#"import "a" as a; import "b" as b; a::n() + b::n()"#;
    shop.try_upload("main", two, json!({})).await.fails(422, "import_too_many");
    assert_eq!(shop.value(r#"import "a" as a; a::n()"#).await, 1);
    allow(&shop, json!({ "modules": 2 })).await;
    let main = shop.deploy("/main", two).await;
    allow(&shop, json!({ "modules": 1 })).await;
    assert_eq!(shop.get("/main").await.expect(200).json(), 2, "what was published goes on");
    let again = app.put(&format!("/admin/scripts/{}", main.id), json!({ "source": format!("{two} + 0") })).await;
    again.fails(422, "import_too_many");
}

#[tokio::test]
async fn an_archive_that_has_no_room_makes_nothing() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    fits(&shop, &set("k", 100)).await;
    fits(&shop, &create("a", 100)).await;
    fits(&shop, &create("b", 100)).await;
    let archive = app.get("/admin/apps/shop/export").await.expect(200).body;
    let import = async || {
        let request = app.request(Method::POST, "/admin/apps:import?slug=mall").bearer_auth(&app.token);
        send(request.header("content-type", "application/zstd").body(archive.clone())).await
    };
    let mut db = app.database.connect().await;
    let default = async |db: &mut PgConnection, quota: &str, bytes: u64| {
        let function = format!("FUNCTION {quota}_default() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN {bytes}");
        run(db, &format!("CREATE OR REPLACE {function}")).await;
    };
    let (data, files) = (kv_entry_use("c", "k", 100), file_use("f", "a", 100) + file_use("f", "b", 100));
    for (quota, bytes, enough) in [("data_bytes", data, 1 << 30), ("file_bytes", files, 1 << 32)] {
        default(&mut db, quota, bytes - 1).await;
        let refused = import().await.fails(507, "quota_exceeded");
        assert_eq!(refused.details(), json!({ "quota": quota, "bound": bytes - 1 }));
        app.get("/admin/apps/mall").await.fails(404, "not_found");
        eventually("nothing is left behind", Duration::from_secs(10), async || (blobs(&app).len() == 2).then_some(())).await;
        default(&mut db, quota, enough).await;
    }
    default(&mut db, "data_bytes", data).await;
    default(&mut db, "file_bytes", files).await;
    let made = import().await.expect(201).json();
    let made = made["app"]["id"].as_str().expect("an id").parse().expect("an id");
    let used = service::storage::used(&app.services, made).await.expect("an answer");
    assert_eq!(used, Used { data_bytes: data, file_bytes: files });
}

#[tokio::test]
async fn the_database_counts_as_the_binary_does() {
    let app = TestApp::start().await;
    let mut db = app.database.connect().await;
    let (data, files): (i64, i64) =
        sqlx::query_as("SELECT data_bytes_default(), file_bytes_default()").fetch_one(&mut db).await.expect("the defaults");
    let quota = Quota::default();
    assert_eq!((data.unsigned_abs(), files.unsigned_abs()), (quota.data_bytes, quota.file_bytes));
    for (collection, name, bytes) in [("c", "k", 0_u64), ("é", "🦀", 7), ("collection", "a/long name", 70_000)] {
        let counted: (i64, i64, i64) = sqlx::query_as(
            "SELECT kv_entry_use($1, $2, convert_to(repeat('x', $3::integer), 'UTF8')), document_use($1, $2, $3::integer),
                    file_use($1, $2, $3)",
        )
        .bind(collection)
        .bind(name)
        .bind(i64::try_from(bytes).expect("a size"))
        .fetch_one(&mut db)
        .await
        .expect("sums");
        let (entry, document) = (kv_entry_use(collection, name, bytes), document_use(collection, name, bytes));
        let ours = [entry, document, file_use(collection, name, bytes)].map(|bytes| i64::try_from(bytes).expect("a size"));
        assert_eq!([counted.0, counted.1, counted.2], ours, "{collection} {name}");
    }
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One write of an app, whatever comes of it.
async fn write(s: &Services, app: AppId, dice: &mut Dice) -> Result<(), Error> {
    let (name, size) = (dice.roll(9).to_string(), usize::try_from(dice.roll(3_000)).expect("a size"));
    let (kv, docs, files) = ("k", "d", "f");
    let data = || json!({ "x": "y".repeat(size) }).to_string().into_bytes();
    let ttl_s = (dice.roll(3) == 0).then_some(1);
    let collection = || files.to_owned();
    match dice.roll(11) {
        0..=2 => {
            let value = KvValue { encoding: Encoding::Blob, bytes: vec![1; size] };
            let options = SetOptions { ttl_s, if_revision: None };
            service::kv::set(s, app, origin(), kv, &name, &value, options).await.map(drop)
        }
        3 => service::kv::increment(s, app, origin(), "n", &name, 1_i64 << dice.roll(60)).await.map(drop),
        4 => service::kv::delete(s, app, origin(), kv, &name).await.map(drop),
        5 => service::docs::create(s, app, origin(), docs, Some(name), &data()).await.map(drop),
        6 => service::docs::update(s, app, origin(), docs, &name, &data(), None).await.map(drop),
        7 => service::docs::delete(s, app, origin(), docs, &name, None).await.map(drop),
        8 => {
            let new = NewFile { collection: collection(), name, content_type: "a/b".to_owned() };
            service::files::create(s, app, origin(), new, None, vec![1; size]).await.map(drop)
        }
        9 => {
            let change = FileChange { collection: collection(), name, content_type: None, if_revision: None };
            service::files::update(s, app, origin(), change, None, vec![1; size]).await.map(drop)
        }
        _ => service::files::delete(s, app, origin(), files, &name).await.map(drop),
    }
}

/// The same sums from the rows themselves.
async fn recounted(db: &mut PgConnection, app: AppId) -> Used {
    let (data, files): (i64, i64) = sqlx::query_as(
        "SELECT coalesce((SELECT sum(kv_entry_use(collection, key, value)) FROM kv_entries WHERE app_id = $1), 0)::bigint
                + coalesce((SELECT sum(document_use(collection, id, bytes)) FROM documents WHERE app_id = $1), 0)::bigint,
                coalesce((SELECT sum(file_use(collection, name, size_bytes)) FROM files WHERE app_id = $1), 0)::bigint",
    )
    .bind(app.0)
    .fetch_one(db)
    .await
    .expect("sums");
    Used { data_bytes: data.unsigned_abs(), file_bytes: files.unsigned_abs() }
}

#[tokio::test]
async fn counters_are_the_sums_of_the_rows_whatever_is_written_at_once() {
    let app = TestApp::start_with(Options { clock: Clock::manual(Utc::now()), ..Options::default() }).await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    for tenant in [&shop, &other] {
        allow(tenant, json!({ "data_bytes": 20_000, "file_bytes": 10_000 })).await;
    }
    let (ids, mut writers) = ([id(&shop), id(&other)], JoinSet::new());
    for seed in 1..=4 {
        let s: Arc<Services> = app.services.clone();
        writers.spawn(async move {
            let (mut dice, mut done, mut refused) = (Dice(seed), 0, 0);
            for _ in 0..150 {
                let which = ids[usize::from(dice.roll(2) == 0)];
                match write(&s, which, &mut dice).await {
                    Ok(()) => done += 1,
                    Err(error) if error.kind == Kind::Full => refused += 1,
                    Err(error) if matches!(error.kind, Kind::Conflict | Kind::NotFound | Kind::Invalid | Kind::Overloaded) => {}
                    Err(error) => panic!("{error}: {:?}", error.source),
                }
            }
            (done, refused)
        });
    }
    let (done, refused) = writers.join_all().await.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(done > 100 && refused > 10, "{done} writes, {refused} refusals");
    let mut db = app.database.connect().await;
    for swept in [false, true] {
        if swept {
            app.clock.advance(TimeDelta::hours(1));
            expiry::sweep(&app.services).await.expect("a sweep");
        }
        for id in ids {
            let used = service::storage::used(&app.services, id).await.expect("an answer");
            assert_eq!(used, recounted(&mut db, id).await, "swept: {swept}");
            assert!(used.data_bytes > 0 && used.file_bytes > 0, "{used:?}");
        }
    }
}
