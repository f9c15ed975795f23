//! Scripts in a world in memory: what they are answered is what a node answers.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use picloud::clock::Clock;
use picloud::egress::{Client, Own, Settings as Egress};
use picloud::hostcall::local::{Here, Purpose, Role, Scripts, Settings, WayOut, World};
use picloud::id::ScriptId;
use picloud::limits::{HOST_CALLS_PER_INVOCATION_MAX, KV_VALUE_BYTES_MAX};
use picloud::model::execution::FailureCode;
use picloud::model::grant::Grants;
use picloud::model::invocation::{Call, Deployed, InvocationType, Request};
use picloud::model::script::{Code, Kind, Limits};
use picloud::sandbox::probe::Probe;
use picloud::sandbox::{Program, Run, Sandbox};
use serde_json::{Value, json};

use crate::support::origin::{Internet, Origin, answer};
use crate::support::{TestApp, app, cache_dir};

/// Every import of the world is linked, or this would not open.
async fn sandbox() -> Sandbox {
    app::compiled().await;
    let pool = Probe::take().choose(Some(8));
    Sandbox::open_local(&cache_dir(), pool, &|_| {}).await.expect("the sandbox opens")
}

fn world(purpose: Purpose, clock: Clock, grants: Grants, way_out: Option<WayOut>) -> Arc<World> {
    let (slug, scripts) = ("shop".to_owned(), Scripts::none());
    World::new(Settings { clock, purpose, seed: 7, slug, grants, listeners: Vec::new(), scripts, way_out })
}

fn still() -> Clock {
    Clock::manual(DateTime::UNIX_EPOCH + TimeDelta::days(20_454))
}

async fn run(sandbox: &Sandbox, world: &Arc<World>, source: &str, limits: Limits) -> Run {
    let program = Program { code: Code::alone("script", source), image: None };
    let deployed = Deployed {
        app_id: world.app_id(),
        script_id: ScriptId(uuid::Uuid::nil()),
        version: 1,
        generation: 0,
        kind: Kind::Endpoint,
        name: "script".to_owned(),
        limits,
    };
    let call = Call {
        execution_id: world.execution_id(),
        request_id: world.request_id(),
        script: Arc::new(deployed),
        invocation_type: InvocationType::Http,
        request: Request { method: "GET".to_owned(), path: "/".to_owned(), ..Request::default() },
        delivered: None,
    };
    sandbox.run_local(&program, call, Here::first(world, Role::Script, limits.timeout_ms)).await
}

/// What a source is worth, as a node's tests ask for it.
async fn value(sandbox: &Sandbox, world: &Arc<World>, source: &str) -> Value {
    let ran = run(sandbox, world, &format!("#{{ v: {{ {source}\n}} }}"), Limits::default()).await;
    let answer = ran.result.unwrap_or_else(|failure| panic!("{source}: {failure:?}"));
    serde_json::from_slice::<Value>(&answer.body).expect("JSON")["v"].clone()
}

/// Scripts whose values hold neither ids nor times. They run one after the other over the same data.
#[rustfmt::skip]
const SAME: &[&str] = &[
    // Entries.
    r#"let c = kv::collection("a"); [c.get("k"), c.has("k"), c.set("k", #{ n: [1, 2.5, (), true, "é"] }), c.get("k"), c.has("k")]"#,
    r#"let c = kv::collection("a"); c.set("b", blob(3, 9)); [type_of(c.get("b")), c.get("b").len(), c.delete("b"), c.delete("b")]"#,
    r#"let c = kv::collection("n"); [c.increment("x"), c.increment("x", 41), c.increment("x", -2), c.get("x")]"#,
    r#"let c = kv::collection("n"); c.set("big", 9223372036854775807); try { c.increment("big"); } catch (e) { return e; }"#,
    r#"let c = kv::collection("n"); c.set("text", "1"); try { c.increment("text"); } catch (e) { return e; }"#,
    r#"let c = kv::collection("n"); c.set("float", 1.0); try { c.increment("float"); } catch (e) { return e; }"#,
    r#"let c = kv::collection("r"); c.set("k", 1, #{ if_revision: 0 }); let seen = c.get_entry("k"); c.set("k", 2, #{ if_revision: seen.revision });
       [c.get_entry("k").revision > seen.revision, c.get_entry("k").expires_at]"#,
    r#"let c = kv::collection("r"); try { c.set("new", 1, #{ if_revision: 5 }); } catch (e) { return e; }"#,
    r#"let c = kv::collection("r"); try { c.set("new", 1, #{ if_revision: -1 }); } catch (e) { return e; }"#,
    r#"let c = kv::collection("r"); let a = []; for ttl in [0, -1, 315360001] { try { c.set("t", 1, #{ ttl_s: ttl }); } catch (e) { a.push(e); } } a"#,
    r#"let c = kv::collection("r"); c.set("t", 1, #{ ttl_s: 315360000 }); type_of(c.get_entry("t").expires_at)"#,
    r#"let c = kv::collection("l"); for k in ["b", "a", "B", "é", "a/2", "a/10", "Z"] { c.set(k, k); } c.list()"#,
    r#"let c = kv::collection("l"); [c.list(#{ prefix: "a", limit: 2 }), c.list(#{ prefix: "a", limit: 2, cursor: "a/10" }), c.list(#{ limit: 7 })]"#,
    r#"let a = []; for limit in [0, 1001, -1] { try { kv::collection("l").list(#{ limit: limit }); } catch (e) { a.push(e); } } a"#,
    r#"let a = []; for name in ["", "a\u0000b"] { try { kv::collection(name).get("k"); } catch (e) { a.push(e); } try { kv::collection("c").get(name); } catch (e) { a.push(e); } } a"#,
    r#"let long = "k"; long.pad(513, 'k'); try { kv::collection("c").get(long); } catch (e) { return e; }"#,
    r#"let c = kv::collection("big"); let large = ""; large.pad(65534, 'x'); c.set("k", large); [c.get("k").len(), c.list().items.len()]"#,
    r#"let c = kv::collection("big"); let large = ""; large.pad(65535, 'x'); try { c.set("k", large); } catch (e) { return e; }"#,
    r#"let c = kv::collection("pages"); let large = ""; large.pad(60000, 'x'); for n in 0..20 { c.set(`k${n + 10}`, large); } let page = c.list(); [page.items.len(), page.cursor]"#,
    // Documents.
    r#"let c = docs::collection("d"); [c.create(#{ a: 1, b: [1.0, ()] }, #{ id: "one" }), c.get("one").data, c.get("two"), c.count()]"#,
    r#"let c = docs::collection("d"); try { c.create(#{}, #{ id: "one" }); } catch (e) { return e; }"#,
    r#"let c = docs::collection("d"); c.patch("one", #{ a: (), c: #{ d: 2 } }); [c.get("one").data, c.update("none", #{}), c.patch("none", #{}), c.delete("none")]"#,
    r#"let c = docs::collection("d"); let r = c.get("one").revision; c.update("one", #{ z: -0.0, y: 1e16 }); try { c.update("one", #{}, #{ if_revision: r }); } catch (e) { return [e.code, c.get("one").data, c.get("one").revision == r + 1]; }"#,
    r#"let c = docs::collection("d"); try { c.delete("none", #{ if_revision: 7 }); } catch (e) { return e; }"#,
    r#"let c = docs::collection("p"); for p in [#{ name: "Ada", age: 36, tags: ["math"] }, #{ name: "Bob", age: 9, address: #{ city: "Paris" } }, #{ name: "Cyd", age: 10.0 }, #{ age: "x" }, #{}] { c.create(p, #{ id: `p${c.count()}` }); } c.count()"#,
    r#"let ids = |filter| docs::collection("p").find(filter).items.map(|d| d.id); [ids.call(#{ age: #{ "$gte": 10 } }), ids.call(#{ tags: "math" }), ids.call(#{ name: () }), ids.call(#{ "address.city": #{ "$in": ["Paris"] } }), ids.call(#{ "$or": [#{ name: "Ada" }, #{ age: #{ "$lt": 10 } }] }), ids.call(#{ "$sort": ["-age", "-$id"] })]"#,
    r#"let c = docs::collection("p"); let a = []; let cursor = (); for n in 0..4 { let page = c.find(#{ "$sort": "age" }, #{ limit: 2, cursor: cursor }); a.push(page.items.map(|d| d.id)); cursor = page.cursor; if cursor == () { break; } } a"#,
    r#"let c = docs::collection("p"); [c.find_one(#{ name: "Bob" }).id, c.find_one(#{ name: "Zoe" }), c.count(#{ age: #{ "$exists": true } }), c.list(#{ limit: 2 }).items.map(|d| d.id)]"#,
    r#"let c = docs::collection("p"); let a = []; for filter in [#{ "$where": 1 }, #{ age: #{ "$above": 1 } }, #{ "$limit": 0 }, #{ "$and": [] }] { try { c.find(filter); } catch (e) { a.push(e); } } a"#,
    r#"let c = docs::collection("p"); let a = []; try { c.find(#{ "$limit": 1 }, #{ limit: 1 }); } catch (e) { a.push(e); } try { c.find_one(#{ "$limit": 1 }); } catch (e) { a.push(e); } try { c.count(#{ "$sort": "a" }); } catch (e) { a.push(e); } try { c.find(#{}, #{ cursor: "zz" }); } catch (e) { a.push(e); } a"#,
    r#"let deep = #{}; for n in 0..32 { deep = #{ d: deep }; } try { docs::collection("d").create(deep); } catch (e) { return e; }"#,
    // Files.
    r#"let f = files::collection("f"); let m = f.create("a.txt", "hello"); [m.name, m.size, m.content_type, m.sha256, f.get("a.txt").content.as_string(), f.head("none"), f.get("none")]"#,
    r#"let f = files::collection("f"); try { f.create("a.txt", "x"); } catch (e) { return e; }"#,
    r#"let f = files::collection("f"); let r = f.head("a.txt").revision; let m = f.update("a.txt", blob(5, 7), #{ content_type: "a/b" }); [m.size, m.content_type, m.revision == r + 1, f.get_range("a.txt", 1, 2).len(), f.get_range("a.txt", 5, 9).len()]"#,
    r#"let f = files::collection("f"); let a = []; try { f.update("none", "x"); } catch (e) { a.push(e); } try { f.update("a.txt", "x", #{ if_revision: 1 }); } catch (e) { a.push(e.code); } try { f.create("b", "x", #{ content_type: "nonsense" }); } catch (e) { a.push(e); } a"#,
    r#"let f = files::collection("large"); f.create("l", blob(600000, 7)); [f.head("l").sha256, f.get("l").content.len(), f.get_range("l", 262143, 2).len(), f.get_range("l", 524287, 262144).len()]"#,
    r#"let f = files::collection("f"); f.create("b", ""); f.create("../x", "1"); [f.list().items.map(|m| m.name), f.list(#{ prefix: "b" }).items.map(|m| m.size), f.list(#{ limit: 1 }).cursor, f.delete("b"), f.delete("b")]"#,
    // Secrets.
    r#"secrets::set("key.one", "hush"); secrets::set("key-2", ""); [secrets::get("key.one"), secrets::get("none"), secrets::list(), secrets::list(#{ limit: 1 }), secrets::delete("key.one"), secrets::delete("key.one")]"#,
    r#"let a = []; for name in ["", "a b", "é"] { try { secrets::get(name); } catch (e) { a.push(e); } } try { secrets::list(#{ limit: 1001 }); } catch (e) { a.push(e); } a"#,
    // Messages, scripts, letters.
    r#"let one = queue::send("q", #{ n: 1 }, #{ delay_s: 60, dedup_key: "k" }); let two = queue::send("q", #{ n: 2 }, #{ delay_s: 60, dedup_key: "k" }); [one == two, queue::size("q"), one.len()]"#,
    r#"let a = []; try { queue::send("a*", 1); } catch (e) { a.push(e); } try { queue::send("q", 1, #{ delay_s: 604801 }); } catch (e) { a.push(e); } try { queue::send("q", 1, #{ dedup_key: "" }); } catch (e) { a.push(e); } try { pubsub::publish("t*", 1); } catch (e) { a.push(e); } a"#,
    r#"let text = ""; text.pad(262143, 'x'); let a = []; try { pubsub::publish("t", text); } catch (e) { a.push(e); } a.push(pubsub::publish("t", 1).len()); a"#,
    r#"let a = []; try { invoke::call("nobody", 1); } catch (e) { a.push(e); } try { invoke::start("nobody", 1); } catch (e) { a.push(e); } a"#,
    r#"let a = [dead_letters::list().items, dead_letters::get("none")]; try { dead_letters::replay("none"); } catch (e) { a.push(e); } a"#,
    // What is not granted, and what cannot be sent.
    r#"let a = []; try { http::get("https://api.example.com/"); } catch (e) { a.push(e); } try { http::get("ftp://x/"); } catch (e) { a.push(e); } try { http::get("http://127.0.0.1/"); } catch (e) { a.push(e); } a"#,
];

#[tokio::test]
async fn a_world_in_memory_answers_as_a_node_does() {
    let node = TestApp::start().await;
    let shop = node.create_app("shop").await;
    shop.grant(json!({ "http": ["other.example.com"] })).await;
    let grants = Grants::default().with([("http".to_owned(), vec!["other.example.com".to_owned()])].into()).expect("a pattern");
    let sandbox = sandbox().await;
    let world = world(Purpose::Run, Clock::system(), grants, None);
    let mut other = Vec::new();
    for source in SAME {
        // A `return` leaves the script, not the block around it.
        let source = format!("let script = || {{ {source} }}; script.call()");
        let (here, there) = (value(&sandbox, &world, &source).await, shop.value(&source).await);
        if here != there {
            other.push(format!("{source}\n    here:  {here}\n    there: {there}"));
        }
    }
    assert!(other.is_empty(), "\n{}", other.join("\n"));
    let calls: usize = SAME.iter().map(|source| source.matches("c.").count() + source.matches("f.").count()).sum();
    assert!(SAME.len() >= 40 && calls >= 40);
}

#[tokio::test]
async fn a_call_costs_what_it_costs_on_a_node() {
    let node = TestApp::start().await;
    let shop = node.create_app("shop").await;
    let sandbox = sandbox().await;
    let world = world(Purpose::Run, Clock::system(), Grants::default(), None);
    for source in [
        "let c = kv::collection(\"c\"); for n in 0..50 { c.set(`k${n}`, n); } c.list().items.len()",
        "let c = docs::collection(\"c\"); for n in 0..20 { c.create(#{ n: n }, #{ id: `d${n}` }); } c.find(#{ n: #{ \"$gt\": 10 } }).items.len()",
        "let f = files::collection(\"f\"); f.create(\"n\", blob(300000, 1)); f.get(\"n\").content.len()",
        "queue::send(\"q\", 1); pubsub::publish(\"t\", 1); secrets::set(\"s\", \"v\"); secrets::get(\"s\")",
        "let a = []; for n in 0..10 { a.push(random::int(1, 9)); a.push(time::now()); } a.len()",
    ] {
        let here = run(&sandbox, &world, source, Limits::default()).await;
        let there = shop.record(&shop.run(source).await.expect(200)).await;
        let usage = &there["usage"];
        let (fuel, calls) = (usage["fuel"].as_u64().expect("fuel"), usage["host_calls"].as_u64().expect("calls"));
        assert_eq!(u64::from(here.usage.host_calls), calls, "{source}");
        // Its request has headers, and ids and random numbers are others there.
        assert!(here.usage.fuel.abs_diff(fuel) < fuel / 10 + 60_000, "{source}: {} and {fuel}", here.usage.fuel);
    }
}

#[tokio::test]
async fn bounds_hold_without_a_node() {
    let (sandbox, world) = (sandbox().await, world(Purpose::Test, still(), Grants::default(), None));
    let set = |bytes: usize| format!("kv::collection(\"c\").set(\"k\", blob({bytes}, 1));");
    assert!(run(&sandbox, &world, &set(KV_VALUE_BYTES_MAX), Limits::default()).await.result.is_ok());
    let refused = run(&sandbox, &world, &set(KV_VALUE_BYTES_MAX + 1), Limits::default()).await.result.unwrap_err();
    assert!(refused.message.starts_with("invalid_argument: "), "{refused:?}");
    let calls = |count: u32| format!("for n in 0..{count} {{ kv::collection(\"c\").has(\"k\"); }}");
    let enough = Limits { fuel: 10_000_000_000, ..Limits::default() };
    assert!(run(&sandbox, &world, &calls(HOST_CALLS_PER_INVOCATION_MAX), enough).await.result.is_ok());
    let spent = run(&sandbox, &world, &calls(HOST_CALLS_PER_INVOCATION_MAX + 1), enough).await.result.unwrap_err();
    assert!(spent.message.starts_with("limit_exceeded: "), "{spent:?}");
    let endless = run(&sandbox, &world, "loop { }", Limits { fuel: 5_000_000, ..Limits::default() }).await;
    assert_eq!(endless.result.unwrap_err().code, FailureCode::FuelExhausted);
    let bomb = run(&sandbox, &world, "let a = [1]; loop { a += a; }", Limits { memory_mb: 16, ..enough }).await;
    assert_eq!(bomb.result.unwrap_err().code, FailureCode::MemoryExceeded);
    assert!(value(&sandbox, &world, "kv::collection(\"c\").has(\"k\")").await.as_bool().expect("a boolean"));
}

#[tokio::test]
async fn two_worlds_of_one_seed_and_time_are_the_same() {
    let sandbox = sandbox().await;
    let source = "let d = docs::collection(\"d\"); [d.create(#{}), d.create(#{}), random::string(20), crypto::uuid(), time::now(), \
                  queue::send(\"q\", 1), d.list().items]";
    let ask = async || value(&sandbox, &world(Purpose::Test, still(), Grants::default(), None), source).await;
    let (one, two) = (ask().await, ask().await);
    assert_eq!(one, two);
    assert!(one[0].as_str() < one[1].as_str(), "ids sort by when they were made: {one}");
}

#[tokio::test]
async fn requests_leave_to_hosts_that_are_granted_and_named_and_are_judged_as_on_a_node() {
    let sandbox = sandbox().await;
    let origin = Origin::plain(|_| answer("200 OK", &[("content-type", "application/json")], "{\"n\":1}")).await;
    let internet = || {
        Internet::default()
            .host("api.example.com", "93.184.216.34:80", &origin)
            .host("other.example.com", "93.184.216.34:80", &origin)
            .name("nas.example.com", &[&["192.168.1.5"]])
            .network()
    };
    let grants = |hosts: &[&str]| {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Grants::default().with([("http".to_owned(), hosts)].into()).expect("patterns")
    };
    let way_out = |hosts: &[&str]| {
        let client = Client::new(Egress { network: internet(), own: Own::default() });
        Some(WayOut { client, allowed: grants(hosts) })
    };
    let named = ["api.example.com", "nas.example.com"];
    let world_of = |out: Option<WayOut>| world(Purpose::Run, still(), grants(&["*.example.com"]), out);
    let get = |host: &str| format!("let c = (); try {{ c = http::get(\"http://{host}/\").body; }} catch (e) {{ c = e.code; }} c");
    let out = world_of(way_out(&named));
    assert_eq!(value(&sandbox, &out, &get("api.example.com")).await, json!({ "n": 1 }));
    assert_eq!(origin.received().len(), 1);
    for refused in ["other.example.com", "nas.example.com", "example.org", "127.0.0.1"] {
        assert_eq!(value(&sandbox, &out, &get(refused)).await, "denied", "{refused}");
    }
    let shut = world_of(None);
    assert_eq!(value(&sandbox, &shut, &get("api.example.com")).await, "denied");
    assert_eq!(origin.received().len(), 1);
    assert!(shut.faults().is_empty());
    let test = world(Purpose::Test, still(), grants(&["*"]), None);
    assert_eq!(value(&sandbox, &test, &get("api.example.com")).await, "unavailable");
    assert!(test.faults()[0].contains("no answer was scripted for GET http://api.example.com/"), "{:?}", test.faults());
}
