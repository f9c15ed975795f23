//! Fuel is a measure: the same call burns the same, to the last unit, whoever asks, whatever runs before it and beside it, and
//! after a restart. So a script that fits its limits once fits them always, and what apps burn can be compared.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::support::cluster::Database;
use crate::support::process::Scratch;
use crate::support::{Client, Server, Tenant, TestApp, eventually, repository};

/// Calls of each script.
const CALLS: usize = 1_000;

/// Scripts that differ in what they touch: nothing, the database, a large image, the library.
fn scripts() -> [(&'static str, String); 4] {
    let functions: String = (0..300)
        .map(|n| {
            format!("fn f{n}(a, b) {{ let x = #{{ n: {n}, s: \"text {n}\" }}; if a > b {{ a + {n} }} else {{ x.n + b }} }}\n")
        })
        .collect();
    let library = r#"
        let m = #{}; let a = [];
        for i in 0..60 { a.push((i * 7919) % 101); m[`k${(i * 31) % 60}`] = [i, i * 0.5, `v${i}`]; }
        a.sort();
        let text = json::stringify(m);
        let back = json::parse(text);
        let numbers = regex::find_all("[0-9]+", text);
        let keys = back.keys(); keys.sort();
        [a, numbers.len(), keys.len(), crypto::sha256(text), a.map(|x| x * 2).filter(|x| x % 3 == 0).reduce(|s, x| s + x, 0)]
    "#;
    [
        ("hello", r#"#{ hello: ctx.request.params.n }"#.to_owned()),
        ("kv", r#"kv::collection("c").get("k")"#.to_owned()),
        ("functions", functions + "f299(1, 2)"),
        ("library", library.to_owned()),
    ]
}

fn path(name: &str) -> String {
    format!("/{name}/7")
}

/// An app with these scripts; which script has which name.
async fn deploy(client: &Client) -> (Tenant, BTreeMap<uuid::Uuid, &'static str>) {
    let shop = client.create_app("shop").await;
    let mut names = BTreeMap::new();
    for (name, source) in scripts() {
        let script = shop.deploy(&format!("/{name}/:n"), &source).await;
        names.insert(script.id.parse().expect("an id"), name);
    }
    shop.run(r#"kv::collection("c").set("k", #{ value: [1, 2, 3] })"#).await.expect(200);
    (shop, names)
}

/// What a call burnt, as somebody is told who may read the log.
async fn burnt(tenant: &Tenant, name: &str) -> u64 {
    let authorization = format!("Bearer {}", tenant.client.token);
    let reply = tenant.call("GET", &path(name), "", &[("authorization", &authorization)]).await.expect(200);
    reply.header("picloud-fuel-used").expect("a header for readers of the log").parse().expect("fuel")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_call_burns_the_same_fuel_whoever_asks_and_whatever_runs_beside_it() {
    let app = TestApp::start().await;
    let (shop, names) = deploy(&app).await;
    let other = app.create_app("other").await;
    for attack in ["endless_range", "throw_storm", "sort_bomb"] {
        let file = repository().join(format!("tests/it/scripts/hostile/{attack}.rhai"));
        let source = std::fs::read_to_string(file).expect("a script");
        other.deploy_with(&format!("/{attack}"), &source, json!({ "limits": { "fuel": 3_000_000 } })).await;
    }
    let attack = async |n: usize| {
        let attack = ["endless_range", "throw_storm", "sort_bomb"][n % 3];
        other.get(&format!("/{attack}")).await.fails(507, "fuel_exhausted");
    };
    let mut told = BTreeMap::new();
    for name in names.values() {
        told.insert(*name, burnt(&shop, name).await);
    }
    // One after the other: each for itself, then by turns, with others in between.
    for name in names.values() {
        for _ in 0..CALLS / 4 {
            shop.get(&path(name)).await.expect(200);
        }
    }
    for n in 0..CALLS / 4 {
        for name in names.values() {
            shop.get(&path(name)).await.expect(200);
        }
        if n % 10 == 0 {
            attack(n / 10).await;
        }
    }
    // Four at once, each in an order of its own, beside others.
    let callers: Vec<_> = (0..4)
        .map(|caller| {
            let (shop, names) = (shop.clone(), names.clone());
            tokio::spawn(async move {
                for n in 0..CALLS / 2 {
                    let name = names.values().nth((n + caller) % 4).expect("four names");
                    shop.get(&path(name)).await.expect(200);
                }
            })
        })
        .collect();
    for n in 0..30 {
        attack(n).await;
    }
    for caller in callers {
        caller.await.expect("every call is answered");
    }

    let mut db = app.database.connect().await;
    let id: uuid::Uuid = shop.id.parse().expect("an id");
    let scripts: Vec<uuid::Uuid> = names.keys().copied().collect();
    let each = i64::try_from(CALLS + 1).expect("a count");
    let counted = eventually("every call is recorded", Duration::from_secs(20), async || {
        let rows: Vec<(uuid::Uuid, i64, i64, i64)> = sqlx::query_as(
            "SELECT script_id, count(*), min(fuel), max(fuel) FROM executions
             WHERE app_id = $1 AND script_id = ANY ($2) GROUP BY script_id",
        )
        .bind(id)
        .bind(&scripts)
        .fetch_all(&mut db)
        .await
        .expect("rows");
        (rows.iter().map(|row| row.1).sum::<i64>() >= 4 * each).then_some(rows)
    })
    .await;
    assert_eq!(counted.len(), 4);
    for (script, count, least, most) in counted {
        let name = names[&script];
        assert_eq!((count, least, most), (each, most, least), "{name}");
        assert_eq!(i64::try_from(told[name]).expect("fuel"), least, "{name}: what was told is what is recorded");
        assert!(least > 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_burns_after_a_restart_what_it_burnt_before() {
    let (scratch, database) = (Scratch::new(), Database::create().await);
    let first = Server::serve(&scratch, &database, &[]).await;
    let (shop, names) = deploy(&first.client).await;
    let mut before = BTreeMap::new();
    for name in names.values() {
        before.insert(*name, burnt(&shop, name).await);
    }
    for name in names.values().rev() {
        assert_eq!(burnt(&shop, name).await, before[name], "{name}, before the restart");
    }
    first.stop();

    let second = Server::serve(&scratch, &database, &[]).await;
    let shop = Tenant { client: second.client.clone(), ..shop };
    // The first to be called is another one than before.
    for name in names.values().rev().chain(names.values()) {
        assert_eq!(burnt(&shop, name).await, before[name], "{name}, after the restart");
    }
    second.stop();
}
