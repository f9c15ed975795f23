//! Traces: a caller's goes on through every script and event to whoever is asked next, and a collector is told of it, without anybody
//! waiting for that.

use std::time::{Duration, Instant};

use picloud::config::Hidden;
use picloud::egress::otlp::{Exporter, Resource, Settings};
use picloud::limits::{OTLP_BATCH_ITEMS_MAX, OTLP_QUEUE_ITEMS_MAX};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::cluster::Database;
use crate::support::origin::{Internet, Origin, Received, answer};
use crate::support::process::{Scratch, finish, on_database};
use crate::support::{Options, Server, Tenant, TestApp, eventually};

const SOON: Duration = Duration::from_secs(20);
const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn parent(sampled: bool) -> String {
    format!("00-{ID}-{SPAN}-{:02}", u8::from(sampled))
}

/// The span of an execution: the last half of its id.
fn span_of(execution: &str) -> String {
    execution.replace('-', "")[16..].to_owned()
}

/// A node whose scripts may ask one server, which keeps what it was asked.
struct World {
    app: TestApp,
    shop: Tenant,
    outside: Origin,
}

impl World {
    async fn start() -> Self {
        let outside = Origin::plain(|_| answer("200 OK", &[], "hello")).await;
        let network = Internet::default().host("api.example.com", "93.184.216.34:80", &outside).network();
        let app = TestApp::start_with(Options { network, ..Options::default() }).await;
        let shop = app.create_app("shop").await;
        app.patch("/admin/apps/shop/grants", json!({ "http": ["api.example.com"] })).await.expect(200);
        Self { app, shop, outside }
    }

    /// Has the node tell a collector.
    fn tell(&self, collector: &Collector) -> Exporter {
        let endpoint = format!("http://{}/otlp", collector.origin.address);
        let settings = Settings::read(&endpoint, Some(&Hidden::new("x-key=a%20key".to_owned())), 1.0).expect("settings");
        let exporter = Exporter::start(settings, Resource(vec![("service.name", "picloud".to_owned())]));
        self.app.services.exporter.set(exporter.clone()).expect("the only one");
        exporter
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> crate::support::Reply {
        self.shop.call("GET", path, "", headers).await
    }

    /// What the server outside was told it is asked for, once it was asked so often.
    async fn asked(&self, times: usize) -> Vec<Option<String>> {
        eventually(&format!("{times} requests come"), SOON, async || {
            let received = self.outside.received();
            let told = |request: &Received| request.header("traceparent").map(str::to_owned);
            (received.len() >= times).then(|| received.iter().map(told).collect())
        })
        .await
    }

    /// Every record of a script, oldest first, once there are so many.
    async fn records(&self, script: &str, count: usize) -> Vec<Value> {
        eventually(&format!("{count} runs of {script} are recorded"), SOON, async || {
            let page = self.app.get(&format!("/admin/scripts/{script}/executions")).await.expect(200).json();
            let mut items = page["items"].as_array().expect("items").clone();
            items.reverse();
            (items.len() >= count).then_some(items)
        })
        .await
    }
}

/// A server that keeps what it is told over OTLP.
struct Collector {
    origin: Origin,
}

impl Collector {
    async fn start() -> Self {
        Self { origin: Origin::plain(|_| answer("200 OK", &[("content-type", "application/json")], "{}")).await }
    }

    fn told(&self, path: &str, list: &str, scopes: &str, items: &str) -> Vec<Value> {
        let received = self.origin.received();
        let bodies = received.iter().filter(|request| request.target.ends_with(path)).map(|request| {
            assert_eq!((request.method.as_str(), request.header("content-type")), ("POST", Some("application/json")));
            serde_json::from_slice::<Value>(&request.body).expect("JSON")
        });
        bodies.flat_map(|body| body[list][0][scopes][0][items].as_array().expect("a list").clone()).collect()
    }

    fn spans(&self) -> Vec<Value> {
        self.told("/v1/traces", "resourceSpans", "scopeSpans", "spans")
    }

    fn logs(&self) -> Vec<Value> {
        self.told("/v1/logs", "resourceLogs", "scopeLogs", "logRecords")
    }

    async fn span(&self, name: &str) -> Value {
        eventually(&format!("the span {name} is told of"), SOON, async || {
            self.spans().into_iter().find(|span| span["name"] == name)
        })
        .await
    }
}

fn attribute<'v>(item: &'v Value, name: &str) -> &'v str {
    let found = item["attributes"].as_array().expect("attributes").iter().find(|attribute| attribute["key"] == name);
    found.unwrap_or_else(|| panic!("{name} in {item}"))["value"]["stringValue"].as_str().expect("text")
}

#[tokio::test]
async fn a_callers_trace_goes_on_through_events_to_who_is_asked_next() {
    let world = World::start().await;
    let shop = &world.shop;
    let handler = shop.upload("handler", r#"http::get("http://api.example.com/").status"#).await;
    let beginning = shop
        .deploy(
            "/begin",
            r#"
            let kv_ = kv::collection("c");
            kv_.set("k", 1); kv_.increment("k", 1); kv_.delete("k");
            let d = docs::collection("d").create(#{ a: 1 });
            files::collection("f").create("x.txt", "x");
            queue::send("q", "m");
            pubsub::publish("t", "m");
            invoke::start("handler", #{});
            invoke::call("handler", #{})
            "#,
        )
        .await;
    shop.trigger("kv", &handler, json!({ "collection": "c", "ops": ["insert", "update", "delete"] })).await;
    shop.trigger("docs", &handler, json!({ "collection": "d", "ops": ["insert"] })).await;
    shop.trigger("files", &handler, json!({ "collection": "f", "ops": ["insert"] })).await;
    shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
    shop.trigger("pubsub", &handler, json!({ "topic": "t" })).await;
    world.get("/begin", &[("traceparent", &parent(true))]).await.expect(200);

    let runs = 3 + 1 + 1 + 1 + 1 + 1 + 1;
    let told = world.asked(runs).await;
    assert_eq!(told.len(), runs);
    let records = world.records(&handler.id, runs).await;
    let mut spans: Vec<String> = records.iter().map(|record| span_of(record["id"].as_str().expect("an id"))).collect();
    let mut asked: Vec<String> = told
        .iter()
        .map(|told| {
            let parts: Vec<_> = told.as_deref().expect("each is told").split('-').collect();
            assert_eq!((parts[0], parts[1], parts[3]), ("00", ID, "01"), "{told:?}");
            parts[2].to_owned()
        })
        .collect();
    spans.sort();
    asked.sort();
    assert_eq!(spans, asked, "each request comes of the run that sent it");
    assert!(records.iter().all(|record| record["trace_id"] == ID), "{records:?}");
    assert_eq!(world.records(&beginning.id, 1).await[0]["trace_id"], ID);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_stays_in_its_trace() {
    let world = World::start().await;
    let later = world.shop.upload("later", r#"http::get("http://api.example.com/").status"#).await;
    world.shop.route(&later, json!({ "path": "/later", "dispatch_mode": "async" })).await;
    world.get("/later", &[("traceparent", &parent(false))]).await.expect(202);
    let told = world.asked(1).await[0].clone().expect("it is told");
    let record = world.records(&later.id, 1).await.remove(0);
    let span = span_of(record["id"].as_str().expect("an id"));
    assert_eq!((told, &record["trace_id"]), (format!("00-{ID}-{span}-00"), &json!(ID)));
}

#[tokio::test]
async fn dead_letters_and_replays_stay_in_their_trace() {
    let world = World::start().await;
    let shop = &world.shop;
    let failing = shop.upload("failing", r#"throw "no""#).await;
    let mourner = shop.upload("mourner", "()").await;
    shop.trigger("queue", &failing, json!({ "queue": "q", "max_attempts": 1 })).await;
    shop.trigger("dead_letter", &mourner, json!({})).await;
    shop.deploy("/begin", r#"queue::send("q", "m"); "sent""#).await;
    world.get("/begin", &[("traceparent", &parent(true))]).await.expect(200);
    let letter = shop.letters(1).await.remove(0);
    assert_eq!(world.records(&mourner.id, 1).await[0]["trace_id"], ID);
    let replay = format!("/admin/apps/shop/dead_letters/{}/replay", letter["id"].as_str().expect("an id"));
    world.app.post(&replay, json!({})).await;
    let attempts = world.records(&failing.id, 2).await;
    assert!(attempts.iter().all(|attempt| attempt["trace_id"] == ID), "{attempts:?}");
}

#[tokio::test]
async fn without_a_caller_who_traces_a_request_is_its_own_trace_and_nobody_is_told() {
    let world = World::start().await;
    let script = world.shop.deploy("/", r#"http::get("http://api.example.com/").status"#).await;
    for headers in [
        &[][..],
        &[("traceparent", "00-nonsense")],
        &[("traceparent", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
    ] {
        world.get("/", headers).await.expect(200);
    }
    assert_eq!(world.asked(3).await, [None, None, None]);
    for record in world.records(&script.id, 3).await {
        assert_eq!(record["trace_id"].as_str().expect("an id"), record["request_id"].as_str().expect("an id").replace('-', ""));
    }
    let mut db = world.app.database.connect().await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM executions WHERE trace_id IS NOT NULL")
        .fetch_one(&mut db)
        .await
        .expect("a count");
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn what_a_script_says_itself_is_what_the_other_side_is_told() {
    let world = World::start().await;
    let own = format!("00-{}-{SPAN}-00", "a".repeat(32));
    let source = format!(r#"http::get("http://api.example.com/", #{{ headers: #{{ "Traceparent": "{own}" }} }}).status"#);
    world.shop.deploy("/", &source).await;
    world.get("/", &[("traceparent", &parent(true))]).await.expect(200);
    assert_eq!(world.asked(1).await, [Some(own)]);
}

#[tokio::test]
async fn a_collector_is_told_of_each_step_under_the_one_before_it() {
    let (world, collector) = (World::start().await, Collector::start().await);
    let exporter = world.tell(&collector);
    let shop = &world.shop;
    let first = shop.deploy("/begin", r#"log::warn("hm", #{ n: 1 }); queue::send("q", "m"); "sent""#).await;
    let second = shop.upload("second", r#"http::get("http://api.example.com/path?secret=1"); throw "bad""#).await;
    shop.trigger("queue", &second, json!({ "queue": "q", "max_attempts": 1 })).await;
    world.get("/begin", &[("traceparent", &parent(true))]).await.expect(200);

    let (one, two, out) = (collector.span(&first.name).await, collector.span("second").await, collector.span("GET").await);
    assert!([&one, &two, &out].iter().all(|span| span["traceId"] == ID));
    assert_eq!((&one["parentSpanId"], &one["kind"]), (&json!(SPAN), &json!(2)));
    assert_eq!((&two["parentSpanId"], &two["kind"]), (&one["spanId"], &json!(5)));
    assert_eq!((&out["parentSpanId"], &out["kind"]), (&two["spanId"], &json!(3)));
    assert_eq!(one["spanId"], span_of(attribute(&one, "execution.id")));
    let told = world.asked(1).await[0].clone().expect("it is told");
    assert_eq!(told.split('-').nth(2), out["spanId"].as_str(), "who is asked comes of the request");
    assert_eq!((&two["status"]["code"], &two["status"]["message"]), (&json!(2), &json!("script_error")));
    assert_eq!(one["status"], json!({}));
    assert_eq!(attribute(&out, "server.address"), "api.example.com");
    assert!(!format!("{:?}", collector.spans()).contains("secret"), "no path and no query is told");
    let nanoseconds = |span: &Value, end: &str| span[end].as_str().expect("text").parse::<u64>().expect("a number");
    for span in collector.spans() {
        assert!(nanoseconds(&span, "endTimeUnixNano") >= nanoseconds(&span, "startTimeUnixNano"), "{span}");
    }

    let line = eventually("the line is told of", SOON, async || {
        collector.logs().into_iter().find(|line| line["body"]["stringValue"] == "hm")
    })
    .await;
    assert_eq!((&line["traceId"], &line["spanId"], &line["severityText"]), (&json!(ID), &one["spanId"], &json!("WARN")));
    assert_eq!(attribute(&line, "data"), r#"{"n":1}"#);

    let received = collector.origin.received();
    assert!(received.iter().all(|request| request.header("x-key") == Some("a key") && request.target.starts_with("/otlp/v1/")));
    exporter.close().await;
    assert_eq!((exporter.told().dropped, exporter.told().failed), (0, 0));
}

#[tokio::test]
async fn who_says_that_it_keeps_nothing_is_not_told_of() {
    let (world, collector) = (World::start().await, Collector::start().await);
    let exporter = world.tell(&collector);
    let quiet = world.shop.deploy("/quiet", r#"http::get("http://api.example.com/").status"#).await;
    let loud = world.shop.deploy("/loud", r#""loud""#).await;
    world.get("/quiet", &[("traceparent", &parent(false))]).await.expect(200);
    let reply = world.get("/loud", &[]).await.expect(200);
    let span = collector.span(&loud.name).await;
    assert!(span.get("parentSpanId").is_none(), "it begins a trace: {span}");
    assert_eq!(span["traceId"], reply.header("x-request-id").expect("an id").replace('-', ""));
    exporter.close().await;
    assert!(collector.spans().iter().all(|span| span["name"] != quiet.name && span["name"] != "GET"));
    assert!(
        world.asked(1).await[0].as_deref().is_some_and(|told| told.starts_with(&format!("00-{ID}-")) && told.ends_with("-00"))
    );
}

#[tokio::test]
async fn a_collector_that_does_not_answer_slows_nobody() {
    let world = World::start().await;
    world.shop.deploy("/", r#"log::info("line"); "here""#).await;
    let alone = Instant::now();
    for _ in 0..20 {
        world.get("/", &[]).await.expect(200);
    }
    let alone = alone.elapsed();
    let silent = Collector { origin: Origin::plain(|_| None).await };
    let exporter = world.tell(&silent);
    let told = Instant::now();
    for _ in 0..20 {
        world.get("/", &[]).await.expect(200);
    }
    assert!(told.elapsed() < alone * 5 + Duration::from_secs(2), "{alone:?} and {:?}", told.elapsed());
    // Past what may wait, everything is dropped and counted.
    for _ in 0..OTLP_QUEUE_ITEMS_MAX + OTLP_BATCH_ITEMS_MAX + 10 {
        exporter.line(chrono::Utc::now(), picloud::telemetry::Line::default());
    }
    let lost = exporter.told();
    assert!(lost.dropped >= 10 && lost.queued <= OTLP_QUEUE_ITEMS_MAX + OTLP_BATCH_ITEMS_MAX, "{lost:?}");
    let text = crate::support::client::send(world.app.http.get(format!("{}/metrics", world.app.admin))).await.expect(200).text();
    assert!(text.contains("picloud_telemetry_dropped_total{reason=\"full\"}"), "{text}");
    let since = Instant::now();
    exporter.close().await;
    assert!(since.elapsed() < Duration::from_secs(4), "an end does not wait for it either: {:?}", since.elapsed());
}

#[tokio::test]
async fn a_collector_that_refuses_is_told_the_rest_once_it_takes_it() {
    let world = World::start().await;
    let refusing = Collector { origin: Origin::plain(|_| answer("400 Bad Request", &[], "")).await };
    let exporter = world.tell(&refusing);
    exporter.line(chrono::Utc::now(), picloud::telemetry::Line { message: "lost".to_owned(), ..Default::default() });
    eventually("it is known to be lost", SOON, async || (exporter.told().failed == 1).then_some(())).await;
    assert_eq!(refusing.origin.received().len(), 1, "what is refused for good is not sent again");
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let world = World::start().await;
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let busy = Collector {
        origin: Origin::plain(move |_| {
            let first = tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            answer(if first { "503 Service Unavailable" } else { "200 OK" }, &[], "")
        })
        .await,
    };
    let exporter = world.tell(&busy);
    exporter.line(chrono::Utc::now(), picloud::telemetry::Line { message: "kept".to_owned(), ..Default::default() });
    eventually("it is taken", SOON, async || (exporter.told().sent == 1).then_some(())).await;
    assert_eq!(busy.origin.received().len(), 2);
}

// The collector answers while the node is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_behind_its_walls_tells_a_collector_of_itself_to_its_end() {
    let (scratch, database, collector) = (Scratch::new(), Database::create().await, Collector::start().await);
    let endpoint = format!("http://{}", collector.origin.address);
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("PICLOUD_NODE_NAME", "pi-7")];
    let mut server = Server::serve(&scratch, &database, &environment).await;
    let shop = server.client.create_app("shop").await;
    let script = shop.deploy("/", r#""here""#).await;
    shop.get("/").await.expect(200);
    collector.span(&script.name).await;
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0), "{}", server.last_words());
    let lines = collector.logs();
    let said = |text: &str| lines.iter().any(|line| line["body"]["stringValue"].as_str().is_some_and(|said| said.contains(text)));
    assert!(said("stopping"), "what it said last is told of: {lines:?}");
    let body: Value = serde_json::from_slice(&collector.origin.received()[0].body).expect("JSON");
    let resource = body["resourceLogs"][0]["resource"].clone();
    let resource = if resource.is_null() { body["resourceSpans"][0]["resource"].clone() } else { resource };
    assert_eq!((attribute(&resource, "service.name"), attribute(&resource, "host.name")), ("picloud", "pi-7"));
}

#[tokio::test]
async fn settings_of_a_collector_that_are_none_are_refused() {
    let (scratch, database) = (Scratch::prepared().await, Database::create().await);
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hush"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
    ] {
        let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"), (name, value)];
        let ended = finish(on_database(&scratch, &database, &environment).await);
        assert!(ended.status.code() == Some(2) && ended.stderr.contains(name), "{name}: {ended:?}");
        assert!(!ended.stderr.contains("hush"), "{ended:?}");
    }
}
