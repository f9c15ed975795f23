//! Strict shares: whatever one app does, with every place and every limit that it has, others are served. What the figures of
//! `host/benches/shares.rs` say of how fast, these say of whether: nothing here asserts a duration.

mod behind;
mod burners;
mod database;
mod gate;
mod memory;
mod mix;
mod places;
mod rates;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::client::send;
use crate::support::events::KEEPS;
use crate::support::{Client, Reply, Tenant, eventually, repository};

/// Nothing here takes long: past this it does not come any more.
const SOON: Duration = Duration::from_secs(30);
/// What an app asks for that minds its own business.
const HELLO: &str = r#"#{ hello: ctx.request.params.n }"#;

/// The source of an attack.
fn hostile(name: &str) -> String {
    let path = repository().join(format!("tests/it/scripts/hostile/{name}.rhai"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// States what an app may use.
async fn set_quota(tenant: &Tenant, quota: Value) {
    tenant.client.put(&format!("/admin/apps/{}/quota", tenant.slug), quota).await.expect(200);
}

/// What an app does on the node at this moment, by name.
async fn now(tenant: &Tenant, name: &str) -> u64 {
    let quota = tenant.client.get(&format!("/admin/apps/{}/quota", tenant.slug)).await.expect(200).json();
    quota["now"][name].as_u64().unwrap_or_else(|| panic!("no `{name}` in {quota}"))
}

/// What the node says of itself.
async fn node(client: &Client) -> Value {
    client.get("/admin/node").await.expect(200).json()
}

/// Seconds after which a caller who was refused is to come back.
#[track_caller]
fn retry_after(reply: &Reply) -> u64 {
    let told = reply.header("retry-after").unwrap_or_else(|| panic!("no Retry-After: {} {}", reply.status, reply.shown()));
    told.parse().unwrap_or_else(|_| panic!("{told}"))
}

/// An app whose every call succeeds, its deliveries too.
struct Neighbour {
    tenant: Tenant,
}

impl Neighbour {
    /// Invocations of one round of [`Neighbour::is_served`].
    const CALLS: u64 = 2;

    async fn of(client: &Client) -> Self {
        let tenant = client.create_app("neighbour").await;
        tenant.deploy("/hello/:n", HELLO).await;
        tenant.deploy("/count", r#"kv::collection("c").increment("n")"#).await;
        let keeps = tenant.upload("keeps", KEEPS).await;
        tenant.trigger("queue", &keeps, json!({ "queue": "q" })).await;
        Self { tenant }
    }

    /// So many rounds, one after the other, of a script, of one that asks the database, and of the control plane.
    async fn is_served(&self, rounds: u64) {
        let client = &self.tenant.client;
        for n in 0..rounds {
            let hello = self.tenant.get(&format!("/hello/{n}")).await.expect(200);
            assert_eq!(hello.json(), json!({ "hello": n.to_string() }));
            self.tenant.get("/count").await.expect(200);
            send(client.http.get(format!("{}/version", client.admin))).await.expect(200);
            client.get("/admin/apps/neighbour").await.expect(200);
        }
    }

    /// So many messages come to their handler.
    async fn is_handled(&self, messages: usize) {
        for n in 0..messages {
            self.tenant.send("q", json!(n)).await;
        }
        self.tenant.seen(messages).await;
    }
}

/// How often which answer came: status, and the code of a failure.
type Tally = BTreeMap<(u16, String), u64>;

/// Callers of an app that call again and again until they are told to stop.
struct Storm {
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Tally>>,
}

impl Storm {
    /// Every answer must be one of `expected`.
    fn begin(tenant: &Tenant, path: &str, callers: usize, expected: &'static [(u16, &'static str)]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let call = || {
            let (tenant, path, stop) = (tenant.clone(), path.to_owned(), stop.clone());
            async move {
                let mut tally = Tally::new();
                while !stop.load(Ordering::Relaxed) {
                    let came = answer(&tenant, &path, expected).await;
                    *tally.entry(came).or_default() += 1;
                }
                tally
            }
        };
        let callers = (0..callers).map(|_| tokio::spawn(call())).collect();
        Self { stop, callers }
    }

    /// What came of all calls, once the last one is answered.
    async fn end(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        sum(self.callers).await
    }
}

/// Adds up what several callers counted.
async fn sum(callers: Vec<JoinHandle<Tally>>) -> Tally {
    let mut all = Tally::new();
    for caller in callers {
        for (answer, count) in caller.await.expect("every answer is one of those that were to be expected") {
            *all.entry(answer).or_default() += count;
        }
    }
    all
}

/// One call, and which of the expected answers came.
async fn answer(tenant: &Tenant, path: &str, expected: &[(u16, &str)]) -> (u16, String) {
    let reply = tenant.get(path).await;
    let code = if reply.status < 400 { String::new() } else { reply.json()["error"]["code"].as_str().unwrap_or("").to_owned() };
    let is_expected = expected.iter().any(|(status, word)| (*status, *word) == (reply.status, code.as_str()));
    assert!(is_expected, "{path}: {} {}", reply.status, reply.shown());
    if reply.status == 503 {
        assert!(retry_after(&reply) >= 1, "{path}");
    }
    (reply.status, code)
}

/// Until an app has so many requests running.
async fn running(tenant: &Tenant, requests: u64) {
    eventually(&format!("{} runs {requests} requests", tenant.slug), SOON, async || {
        (now(tenant, "requests_running").await >= requests).then_some(())
    })
    .await;
}

/// Until nothing runs on the node, and no instance holds memory.
async fn at_rest(client: &Client) {
    eventually("the node is at rest", SOON, async || {
        let node = node(client).await;
        let held = ["running", "waiting", "events_running", "memory_held_bytes"].map(|name| node[name].as_u64());
        (held == [Some(0); 4]).then_some(())
    })
    .await;
}
