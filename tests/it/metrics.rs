//! `/metrics`: what is measured, who may read it, and that whoever watches is told of nothing that is not there.

use std::collections::{BTreeMap, BTreeSet};

use picloud::limits::{CALL_TIMES_US, METRICS_TOKEN_BYTES_MIN};
use serde_json::{Value, json};

use crate::support::client::send;
use crate::support::cluster::Database;
use crate::support::events::KEEPS;
use crate::support::process::{Scratch, finish, on_database};
use crate::support::{Client, Reply, Server, TestApp, repository};

/// By name and labels, as they are written.
type Samples = BTreeMap<String, f64>;

async fn ask(client: &Client, headers: &[(&str, &str)]) -> Reply {
    let mut request = client.http.get(format!("{}/metrics", client.admin));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request).await
}

async fn read(client: &Client) -> Samples {
    parsed(&ask(client, &[]).await.expect(200).text())
}

/// Holds the text against the format: a family is described before its samples, each sample is of the family before it, nothing
/// comes twice, and the end is marked.
fn parsed(text: &str) -> Samples {
    let (mut family, mut kind, mut seen, mut samples) = (String::new(), String::new(), BTreeSet::new(), Samples::new());
    let (body, end) = text.rsplit_once("# EOF\n").expect("an end");
    assert_eq!(end, "");
    for line in body.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, about) = help.split_once(' ').expect("a name and what it is");
            assert!(about.ends_with('.'), "{line}");
            name.clone_into(&mut family);
            assert!(seen.insert(family.clone()), "{name} is described twice");
        } else if let Some(described) = line.strip_prefix("# TYPE ") {
            let (name, of) = described.split_once(' ').expect("a name and a kind");
            assert_eq!(name, family);
            of.clone_into(&mut kind);
        } else {
            let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
            let name = sample.split('{').next().expect("a name");
            let suffixes: &[&str] = match kind.as_str() {
                "gauge" => &[""],
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                other => panic!("{other}: {line}"),
            };
            assert!(suffixes.iter().any(|suffix| name == format!("{family}{suffix}")), "{line} is not of {family} ({kind})");
            let value: f64 = value.parse().expect("a number");
            assert!(value.is_finite() && value >= 0.0, "{line}");
            assert!(samples.insert(sample.to_owned(), value).is_none(), "{sample} comes twice");
        }
    }
    samples
}

fn at(samples: &Samples, sample: &str) -> f64 {
    *samples.get(sample).unwrap_or_else(|| panic!("{sample} is not among {:?}", samples.keys().collect::<Vec<_>>()))
}

#[tokio::test]
async fn what_happens_is_counted_once() {
    let app = TestApp::start().await;
    let before = read(&app).await;
    let shop = app.create_app("shop").await;
    shop.deploy("/good", r#""good""#).await;
    shop.deploy("/bad", r#"throw "bad""#).await;
    let handler = shop.upload("handler", KEEPS).await;
    shop.trigger("queue", &handler, json!({ "queue": "q" })).await;
    for _ in 0..3 {
        shop.get("/good").await.expect(200);
    }
    shop.get("/bad").await.fails(422, "script_error");
    shop.send("q", json!("m")).await;
    shop.seen(1).await;
    shop.settled().await;
    let after = read(&app).await;
    let more = |sample: &str| at(&after, sample) - at(&before, sample);
    assert_eq!(more(r#"picloud_calls_total{type="http",outcome="responded"}"#), 3.0);
    assert_eq!(more(r#"picloud_calls_total{type="http",outcome="script_failed"}"#), 1.0);
    assert_eq!(more(r#"picloud_calls_total{type="event",outcome="completed"}"#), 1.0);
    assert_eq!(more(r#"picloud_deliveries_total{outcome="succeeded"}"#), 1.0);
    assert_eq!(more(r#"picloud_call_duration_seconds_count{type="http"}"#), 4.0);
    assert_eq!(more(r#"picloud_call_duration_seconds_bucket{le="+Inf",type="http"}"#), 4.0);
    assert!(more("picloud_fuel_total") > 0.0 && more(r#"picloud_call_duration_seconds_sum{type="http"}"#) > 0.0);
    assert_eq!((more("picloud_apps"), at(&after, "picloud_database_up")), (1.0, 1.0));
    assert_eq!(at(&after, r#"picloud_deliveries_waiting{state="due"}"#), 0.0);
    let buckets = after.keys().filter(|sample| sample.contains("_bucket{") && sample.contains(r#"type="http""#)).count();
    assert_eq!(buckets, CALL_TIMES_US.len() + 1);
    let names = ["shop", "handler", "good", "owner"];
    assert!(after.keys().all(|sample| names.iter().all(|name| !sample.contains(name))), "nobody is named: {after:?}");
}

#[tokio::test]
async fn what_waits_is_told_with_its_age() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let handler = shop.upload("handler", r#"throw "never""#).await;
    shop.trigger("queue", &handler, json!({ "queue": "dying", "max_attempts": 1 })).await;
    shop.send("dying", json!("m")).await;
    shop.letters(1).await;
    shop.send_with("dying", json!({ "message": "m", "delay_s": 3_600 })).await;
    shop.send("nobodys", json!("m")).await;
    let waiting = crate::support::eventually("all is relayed", std::time::Duration::from_secs(20), async || {
        let now = read(&app).await;
        (at(&now, "picloud_outbox_events") == 0.0).then_some(now)
    })
    .await;
    let states = ["due", "claimed", "held", "dead"]
        .map(|state| at(&waiting, &format!(r#"picloud_deliveries_waiting{{state="{state}"}}"#)));
    assert_eq!(states, [1.0, 0.0, 1.0, 1.0]);
    assert_eq!(at(&waiting, "picloud_outbox_age_seconds"), 0.0);

    // Nobody relays any more.
    app.drain();
    let mut db = app.database.connect().await;
    let held = "BEGIN; LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE";
    crate::support::cluster::run(&mut db, held).await;
    let blind = read(&app).await;
    assert_eq!(at(&blind, "picloud_database_up"), 0.0);
    assert!(!blind.contains_key("picloud_outbox_events") && blind.contains_key("picloud_uptime_seconds"));
}

#[tokio::test]
async fn the_oldest_event_says_how_long_it_has_been_waiting() {
    let clock = picloud::clock::Clock::manual("2026-01-02T03:04:05Z".parse().expect("a time"));
    let app = TestApp::start_with(crate::support::Options { clock, ..Default::default() }).await;
    let shop = app.create_app("shop").await;
    let mut db = app.database.connect().await;
    // No delivery can be made, so the event stays where it is.
    crate::support::cluster::run(&mut db, "ALTER TABLE deliveries ADD CHECK (false) NOT VALID").await;
    let id = shop.send("q", json!("m")).await;
    assert!(!id.is_empty());
    app.clock.advance(chrono::TimeDelta::seconds(90));
    let now = read(&app).await;
    assert_eq!((at(&now, "picloud_outbox_events"), at(&now, "picloud_outbox_age_seconds")), (1.0, 90.0));
}

#[tokio::test]
async fn metrics_are_for_this_machine_unless_a_proxy_asks() {
    let app = TestApp::start().await;
    let reply = ask(&app, &[]).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    for header in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
        ask(&app, &[(header, "203.0.113.9")]).await.fails(403, "forbidden");
    }
    ask(&app, &[("authorization", &format!("Bearer {}", app.token))]).await.expect(200);
}

#[tokio::test]
async fn with_a_token_whoever_has_it_may_read_and_nobody_else() {
    let (scratch, database) = (Scratch::prepared().await, Database::create().await);
    let (short, token) = ("t".repeat(METRICS_TOKEN_BYTES_MIN - 1), "t".repeat(METRICS_TOKEN_BYTES_MIN));
    let ended = finish(on_database(&scratch, &database, &[("PICLOUD_METRICS_TOKEN", &short)]).await);
    assert!(ended.status.code() == Some(2) && ended.stderr.contains("PICLOUD_METRICS_TOKEN"), "{ended:?}");
    assert!(!ended.stderr.contains(&short), "{ended:?}");

    let environment = [("PICLOUD_METRICS_TOKEN", token.as_str()), ("PICLOUD_ROLES", "ingress,workers")];
    let server = Server::ready(&scratch, on_database(&scratch, &database, &environment).await).await;
    let client = &server.client;
    ask(client, &[]).await.fails(401, "unauthenticated");
    for wrong in [format!("Bearer {short}"), format!("Bearer {token}t"), format!("Basic {token}"), "Bearer ".to_owned()] {
        ask(client, &[("authorization", &wrong)]).await.fails(401, "unauthenticated");
    }
    let by_proxy = [("authorization", format!("Bearer {token}")), ("x-forwarded-for", "203.0.113.9".to_owned())];
    let by_proxy = by_proxy.each_ref().map(|(name, value)| (*name, value.as_str()));
    let samples = parsed(&ask(client, &by_proxy).await.expect(200).text());
    let build = samples.keys().find(|sample| sample.starts_with("picloud_build_info{")).expect("what it is");
    assert!(build.contains(r#"roles="ingress,workers""#) && build.contains(env!("CARGO_PKG_VERSION")), "{build}");
    assert_eq!(at(&samples, r#"picloud_walls{wall="seccomp"}"#), 1.0);
    assert!(at(&samples, r#"picloud_connections{plane="control"}"#) >= 1.0);
    server.stop();
}

/// Words of an expression that name something measured here.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("picloud_"))
}

#[tokio::test]
async fn the_dashboard_for_grafana_asks_for_what_is_there() {
    let app = TestApp::start().await;
    let samples = read(&app).await;
    let there: BTreeSet<_> = samples.keys().map(|sample| sample.split('{').next().expect("a name")).collect();
    let text = std::fs::read_to_string(repository().join("docker/grafana-dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    assert!(dashboard["schemaVersion"].as_u64().expect("a number") >= 36, "Grafana 10 and newer");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len(), "each has its own");
    let mut asked = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for target in targets {
            let expression = target["expr"].as_str().expect("an expression");
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
            let before = asked.len();
            asked.extend(names(expression).map(str::to_owned));
            assert!(asked.len() > before || names(expression).count() > 0, "{expression} asks for nothing of ours");
            assert_eq!(expression.matches('(').count(), expression.matches(')').count(), "{expression}");
        }
    }
    let unknown: Vec<_> = asked.iter().filter(|name| !there.contains(name.as_str())).collect();
    assert_eq!(unknown, Vec::<&String>::new(), "there are {there:?}");
}
