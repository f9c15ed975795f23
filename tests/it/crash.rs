//! Killing the process at any moment loses no acknowledged write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::process::{Scratch, processes_naming};
use crate::support::{Server, eventually};

const ROUNDS: u32 = 24;
const WRITERS: u32 = 4;

/// What was acknowledged: key → the last value that was answered with 200. A write that was under way may be there too.
#[derive(Default)]
struct Acknowledged {
    values: BTreeMap<String, u64>,
    under_way: BTreeMap<String, u64>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_every_acknowledged_write() {
    let scratch = Scratch::prepared().await;
    let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
    let first = Server::dev(&scratch).await;
    let shop = first.client.create_app("shop").await;
    shop.deploy("/set/:key/:value", r#"kv::collection("c").set(ctx.request.params.key, parse_int(ctx.request.params.value))"#)
        .await;
    shop.deploy("/get/:key", r#"kv::collection("c").get(ctx.request.params.key)"#).await;
    first.crash();

    let mut scripts: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..ROUNDS {
        let server = Server::dev(&scratch).await;
        // All that was promised before is there: writes, and scripts with their routes.
        let promised = std::mem::take(&mut *acknowledged.lock().expect("a lock"));
        for (key, value) in &promised.values {
            let found = server.client.call("shop.localhost", "GET", &format!("/get/{key}"), "", &[]).await.expect(200).json();
            let later = promised.under_way.get(key);
            assert!(
                found == json!(value) || later.is_some_and(|later| found == json!(later)),
                "round {round}: {key} is {found}, acknowledged was {value}"
            );
        }
        for (path, value) in &scripts {
            assert_eq!(
                server.client.call("shop.localhost", "GET", path, "", &[]).await.expect(200).json(),
                *value,
                "round {round}"
            );
        }
        let (path, tenant) = (format!("/made/{round}"), crate::support::Tenant { client: server.client.clone(), ..shop.clone() });
        tenant.deploy(&path, &format!("{round}")).await;
        scripts.insert(path, json!(round));

        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (client, acknowledged) = (server.client.clone(), acknowledged.clone());
                tokio::spawn(async move {
                    for n in 0_u64.. {
                        let (key, value) = (format!("{writer}-{}", n % 5), u64::from(round) << 32 | n);
                        acknowledged.lock().expect("a lock").under_way.insert(key.clone(), value);
                        let Ok(response) = client.to("shop.localhost", "GET", &format!("/set/{key}/{value}")).send().await else {
                            return;
                        };
                        if response.status() == 200 && response.bytes().await.is_ok() {
                            acknowledged.lock().expect("a lock").values.insert(key, value);
                        }
                    }
                })
            })
            .collect();
        eventually("some writes are acknowledged", Duration::from_secs(20), async || {
            (acknowledged.lock().expect("a lock").values.len() >= 5).then_some(())
        })
        .await;
        // A moment nobody chose: somewhere within the next few writes.
        tokio::time::sleep(Duration::from_micros(rand::random_range(0..60_000))).await;
        server.crash();
        for writer in writers {
            writer.await.expect("a writer");
        }
    }
    Server::dev(&scratch).await.stop();
    assert_eq!(processes_naming(&scratch.data()), Vec::<String>::new());
}

#[tokio::test]
async fn a_killed_server_leaves_no_database_behind_for_long() {
    let scratch = Scratch::prepared().await;
    let server = Server::dev(&scratch).await;
    server.crash();
    eventually("the private database follows its server", Duration::from_secs(20), async || {
        processes_naming(&scratch.data()).is_empty().then_some(())
    })
    .await;
}

/// A first start that is killed anywhere on its way must not be in the way of the next.
#[tokio::test]
async fn a_first_start_may_be_killed_at_any_moment() {
    for (n, delay_ms) in [5, 50, 150, 300, 600, 900, 1_300, 2_000].into_iter().enumerate() {
        let scratch = Scratch::prepared().await;
        let server = Server::spawn(&scratch, crate::support::process::picloud(&scratch, &["dev"]));
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        server.crash();
        let again = Server::dev(&scratch).await;
        again.client.get("/admin/apps").await.expect(200);
        assert!(again.client.get("/admin/auth/me").await.expect(200).json()["role"] == "owner", "round {n}");
        again.stop();
    }
}

/// An app that is being put into another state is in the one or the other afterwards, whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_is_killed_while_it_changes_is_whole() {
    const SCRIPTS: u32 = 40;
    let manifest = |round: u32| {
        let script = |n: u32| {
            json!({
                "source": format!("import \"m\" as m; `${{m::round()}} {round} {n}`"),
                "routes": [{ "path": format!("/r{round}/{n}") }],
                "triggers": [{ "kind": "queue", "queue": format!("q{round}-{n}") }],
            })
        };
        let scripts: BTreeMap<_, _> = (0..SCRIPTS)
            .map(|n| (format!("s{n}"), script(n)))
            .chain([("m".to_owned(), json!({ "kind": "module", "source": format!("fn round() {{ {round} }}") }))])
            .collect();
        json!({ "manifest": { "scripts": scripts } })
    };
    let scratch = Scratch::prepared().await;
    let first = Server::dev(&scratch).await;
    first.client.create_app("shop").await;
    first.client.post("/admin/apps/shop/deployments", manifest(0)).await.expect(200);
    first.crash();
    let mut stands = 0;
    for round in 1..=8 {
        let server = Server::dev(&scratch).await;
        let client = server.client.clone();
        let changing = tokio::spawn(async move {
            let url = format!("{}/api/v1/admin/apps/shop/deployments", client.admin);
            let sent = client.http.post(url).bearer_auth(&client.token).json(&manifest(round)).send().await;
            sent.is_ok_and(|response| response.status() == 200)
        });
        // Anywhere: while scripts are prepared, inside the transaction, after it.
        tokio::time::sleep(Duration::from_millis(u64::from(round) * 60 + rand::random_range(0..60))).await;
        server.crash();
        let was_answered = changing.await.expect("a request");

        let again = Server::dev(&scratch).await;
        let state = again.client.get("/admin/apps/shop/manifest").await.expect(200).json();
        let scripts = &state["manifest"]["scripts"];
        let path = scripts["s0"]["routes"][0]["path"].as_str().expect("a path");
        let found: u32 = path[2..].split('/').next().expect("a round").parse().expect("a number");
        assert!(found == round || found == stands, "round {round}: {found}");
        assert!(!was_answered || found == round, "what was answered is there");
        assert_eq!(scripts["m"]["source"], format!("fn round() {{ {found} }}"));
        for n in 0..SCRIPTS {
            let script = &scripts[format!("s{n}")];
            assert_eq!(script["routes"], json!([{ "path": format!("/r{found}/{n}") }]), "round {round}");
            assert_eq!(script["triggers"], json!([{ "kind": "queue", "queue": format!("q{found}-{n}") }]), "round {round}");
            let answer = again.client.call("shop.localhost", "GET", &format!("/r{found}/{n}"), "", &[]).await.expect(200).json();
            assert_eq!(answer, format!("{found} {found} {n}"), "round {round}");
        }
        let plan = again.client.post("/admin/apps/shop/plan", json!({ "manifest": state["manifest"] })).await.expect(200).json();
        assert_eq!(plan["changes"], json!([]), "what runs is a deployment");
        stands = found;
        again.crash();
    }
}
