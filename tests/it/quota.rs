//! Three levels of limits: what the platform lets an app have, what an app lets its scripts have, what a script asks for.
//! Each is held when it is stated and again when it is used.

use chrono::TimeDelta;
use picloud::clock::Clock;
use picloud::limits;
use picloud::model::quota::{Limits, Quota};
use serde_json::{Value, json};

use crate::bounds::text;
use crate::rights::people;
use crate::support::origin::{Internet, Origin, answer};
use crate::support::{Options, Reply, Tenant, TestApp};

async fn put(shop: &Tenant, quota: Value) -> Reply {
    shop.client.put(&format!("/admin/apps/{}/quota", shop.slug), quota).await
}

async fn limited(shop: &Tenant, source: &str, limits: Value) -> Reply {
    shop.run_with(source, json!({ "limits": limits })).await
}

#[tokio::test]
async fn a_quota_is_what_was_set_over_the_defaults() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let quota = app.get("/admin/apps/shop/quota").await.expect(200).json();
    assert_eq!((&quota["quota"], &quota["set"]), (&json!(Quota::default()), &json!({})));
    let set = put(&shop, json!({ "concurrency": 3, "fuel": 9_000_000 })).await.expect(200).json();
    assert_eq!(set["quota"], json!(Quota { concurrency: 3, fuel: 9_000_000, ..Quota::default() }));
    assert_eq!(set["set"], json!({ "concurrency": 3, "fuel": 9_000_000 }));
    let merged = app.patch("/admin/apps/shop/quota", json!({ "weight": 50, "fuel": 8_000_000 })).await.expect(200).json();
    assert_eq!(merged["set"], json!({ "concurrency": 3, "fuel": 8_000_000, "weight": 50 }));
    assert_eq!(put(&shop, json!({})).await.expect(200).json()["quota"], json!(Quota::default()));
    assert_eq!(app.get("/admin/apps/shop/quota").await.expect(200).json()["now"]["requests_running"], 0);
}

#[tokio::test]
async fn every_bound_of_a_quota_is_taken_from_floor_to_ceiling() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for bound in Quota::BOUNDS {
        let (name, floor, ceiling) = (bound.name, bound.floor, bound.ceiling);
        for value in [floor, ceiling] {
            assert_eq!(put(&shop, json!({ name: value })).await.expect(200).json()["quota"][name], value, "{name}");
        }
        let refused = put(&shop, json!({ name: ceiling + 1 })).await.fails(422, "invalid").details();
        assert_eq!(refused, json!({ "field": name, "asked": ceiling + 1, "floor": floor, "ceiling": ceiling }));
        if floor > 0 {
            put(&shop, json!({ name: floor - 1 })).await.fails(422, "invalid");
        }
        assert_eq!(
            app.get("/admin/apps/shop/quota").await.expect(200).json()["quota"][name],
            ceiling,
            "{name}: a refusal changes nothing"
        );
        put(&shop, json!({})).await.expect(200);
    }
    put(&shop, json!({ "cpus": 3 })).await.fails(422, "invalid");
}

#[tokio::test]
async fn an_app_does_not_raise_its_own_quota() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    people::add(&app, "ada", "member").await;
    people::admit(&shop, "ada", "app_admin").await;
    let ada = people::login(&app, "ada").await;
    ada.get("/admin/apps/shop/quota").await.expect(200);
    for reply in [
        ada.put("/admin/apps/shop/quota", json!({ "fuel": 1_000_000 })).await,
        ada.patch("/admin/apps/shop/quota", json!({ "fuel": 1_000_000 })).await,
    ] {
        assert_eq!(reply.fails(403, "forbidden").details(), json!({ "scope": "instance:admin" }));
    }
}

#[tokio::test]
async fn a_quota_is_changed_in_the_state_that_was_read() {
    let app = TestApp::start().await;
    app.create_app("shop").await;
    let read = app.get("/admin/apps/shop/quota").await.expect(200);
    let tag = read.header("etag").expect("a tag").to_owned();
    let change = async |tag: &str| {
        let request = app.request(reqwest::Method::PATCH, "/admin/apps/shop/quota").bearer_auth(&app.token);
        crate::support::client::send(request.header("if-match", tag).json(&json!({ "weight": 7 }))).await
    };
    change(&tag).await.expect(200);
    change(&tag).await.fails(412, "precondition_failed");
}

#[tokio::test]
async fn a_script_asks_for_what_the_quota_leaves_it_and_not_more() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for bound in Limits::BOUNDS {
        let (name, most) = (bound.name, bound.default.max(bound.floor + 1));
        put(&shop, json!({ name: most })).await.expect(200);
        let script = format!("s-{}", name.replace('_', "-"));
        let asked = json!({ "limits": { name: most } });
        assert_eq!(shop.try_upload(&script, "1", asked).await.expect(201).json()["limits"][name], most);
        let more = json!({ "limits": { name: most + 1 } });
        let refused = shop.try_upload("more", "1", more.clone()).await.fails(422, "invalid");
        assert!(refused.message().contains("by the app's quota"), "{}", refused.message());
        let details = refused.details();
        let expected = json!({ "field": format!("limits.{name}"), "asked": most + 1, "floor": bound.floor, "ceiling": most });
        assert_eq!(details, expected);
        put(&shop, json!({})).await.expect(200);
        shop.try_upload("more", "1", more).await.expect(201);
        app.delete(&format!("/admin/scripts/{}", id_of(&app, "more").await)).await.expect(204);
    }
}

async fn id_of(app: &TestApp, name: &str) -> String {
    let page = app.get("/admin/scripts?app=shop&limit=200").await.expect(200).json();
    let found = page["items"].as_array().expect("items").iter().find(|script| script["name"] == name).cloned();
    people::id(&found.expect("the script"))
}

#[tokio::test]
async fn what_was_published_before_a_quota_was_lowered_runs_within_it() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/busy", "let x = 0; for i in 0..200000 { x += i; } x").await;
    shop.get("/busy").await.expect(200);
    put(&shop, json!({ "fuel": 2_000_000 })).await.expect(200);
    shop.get("/busy").await.fails(507, "fuel_exhausted");
    app.post(&format!("/execute/{}", script.id), json!({})).await.fails(507, "fuel_exhausted");
    // What nobody asked for comes down by itself in a new version.
    let next = app.put(&format!("/admin/scripts/{}", script.id), json!({ "source": "2" })).await.expect(200).json();
    assert_eq!(next["limits"]["fuel"], 2_000_000);
    put(&shop, json!({})).await.expect(200);
    shop.get("/busy").await.expect(200);
}

#[tokio::test]
async fn a_scripts_own_limits_hold_at_n_and_at_n_plus_one() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;

    let echo = shop.deploy_with("/echo", "ctx.request.body.len()", json!({ "limits": { "request_body_bytes": 1_000 } })).await;
    assert_eq!(shop.post("/echo", &"x".repeat(1_000), "text/plain").await.expect(200).json(), 1_000);
    shop.post("/echo", &"x".repeat(1_001), "text/plain").await.fails(413, "request_too_large");
    let execute = async |bytes: usize| {
        let request = app.request(reqwest::Method::POST, &format!("/execute/{}", echo.id)).bearer_auth(&app.token);
        crate::support::client::send(request.header("content-type", "text/plain").body("x".repeat(bytes))).await
    };
    assert_eq!((execute(1_000).await.status, execute(1_001).await.status), (200, 413));

    let answers = |bytes: usize| format!("#{{ statusCode: 200, body: {} }}", text(bytes));
    limited(&shop, &answers(2_048), json!({ "response_body_bytes": 2_048 })).await.expect(200);
    limited(&shop, &answers(2_049), json!({ "response_body_bytes": 2_048 })).await.fails(502, "response_too_large");

    let calls =
        r#"let n = 0; try { for i in 0..9 { kv::collection("c").has("k"); n += 1; } } catch (e) { return [n, e.code]; } n"#;
    assert_eq!(limited(&shop, calls, json!({ "host_calls": 9 })).await.expect(200).json(), 9);
    assert_eq!(limited(&shop, calls, json!({ "host_calls": 8 })).await.expect(200).json(), json!([8, "limit_exceeded"]));

    let logged = async |limits: Value, source: &str| {
        let reply = limited(&shop, source, limits).await.expect(200);
        let record = shop.record(&reply).await;
        let lines = record["logs"].as_array().expect("lines").clone();
        (lines, record["logs_dropped"].clone())
    };
    let (lines, dropped) = logged(json!({ "log_bytes": 256 }), "for i in 0..5 { log::info(\"\"); } 1").await;
    assert_eq!((lines.len(), dropped), (256 / limits::LOG_LINE_COST_MIN, json!(1)));
    let line = |bytes: usize| format!("log::info({}); 1", text(bytes));
    let (lines, _) = logged(json!({ "log_line_bytes": 300 }), &line(300)).await;
    assert_eq!(lines[0]["message"].as_str().expect("text").len(), 300);
    let (lines, _) = logged(json!({ "log_line_bytes": 300 }), &line(301)).await;
    assert!(lines[0]["message"].as_str().expect("text").ends_with('…'));
}

#[tokio::test]
async fn limits_reach_their_ceilings() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let n = limits::REQUEST_BODY_BYTES_CEILING;
    let roomy =
        json!({ "limits": { "request_body_bytes": n, "response_body_bytes": n, "memory_mb": 256, "fuel": 20_000_000_000_u64 } });
    shop.deploy_with("/echo", "#{ statusCode: 200, body: ctx.request.body }", roomy).await;
    let body = vec![b'x'; n];
    let send = async |body: Vec<u8>| shop.call("POST", "/echo", body, &[("content-type", "application/octet-stream")]).await;
    let reply = send(body.clone()).await.expect(200);
    assert!(reply.body == body, "{} bytes came back", reply.body.len());
    send(vec![b'x'; n + 1]).await.fails(413, "request_too_large");
}

#[tokio::test]
async fn outbound_requests_of_an_invocation_and_of_a_second() {
    let origin = Origin::plain(|_| answer("200 OK", &[], "hi")).await;
    let network = Internet::default().host("api.example.com", "93.184.216.34:80", &origin).network();
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().expect("a time"));
    let app = TestApp::start_with(Options { network, clock, ..Options::default() }).await;
    let shop = app.create_app("shop").await;
    shop.grant(json!({ "http": ["*"] })).await;
    let sends = r#"let n = 0; try { for i in 0..4 { http::get("http://api.example.com/"); n += 1; } } catch (e) { return [n, e.code, e.message]; } n"#;
    assert_eq!(limited(&shop, sends, json!({ "outbound_requests": 4 })).await.expect(200).json(), 4);
    let refused = limited(&shop, sends, json!({ "outbound_requests": 3 })).await.expect(200).json();
    assert_eq!((&refused[0], &refused[1]), (&json!(3), &json!("limit_exceeded")));
    // The clock stands still: what was sent counts for this second.
    put(&shop, json!({ "outbound_per_s": 6 })).await.expect(200);
    app.advance(TimeDelta::seconds(2));
    assert_eq!(limited(&shop, sends, json!({})).await.expect(200).json(), 4);
    let refused = limited(&shop, sends, json!({})).await.expect(200).json();
    assert_eq!((&refused[0], &refused[1]), (&json!(2), &json!("limit_exceeded")), "{refused}");
    assert!(refused[2].as_str().expect("a message").contains("outbound_per_s"), "{refused}");
    app.advance(TimeDelta::milliseconds(500));
    assert_eq!(limited(&shop, sends, json!({})).await.expect(200).json()[0], 3);
}

#[tokio::test]
async fn a_chain_of_events_is_as_long_as_its_script_and_its_app_let_it() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (name, asked, quota, expected) in [("a", 3, 64, 3), ("b", 20, 64, 20), ("c", 20, 2, 2)] {
        put(&shop, json!({})).await.expect(200);
        let source = format!(r#"kv::collection("runs").increment("{name}"); queue::send("{name}", 1);"#);
        let again = shop.upload_with(&format!("again-{name}"), &source, json!({ "limits": { "event_depth": asked } })).await;
        shop.trigger("queue", &again, json!({ "queue": name })).await;
        put(&shop, json!({ "event_depth": quota })).await.expect(200);
        shop.run(&format!(r#"queue::send("{name}", 1);"#)).await.expect(200);
        shop.settled().await;
        assert_eq!(shop.value(&format!(r#"kv::collection("runs").get("{name}")"#)).await, expected, "{name}");
    }
    assert_eq!(shop.letters(3).await.len(), 3);
}

#[tokio::test]
async fn what_a_call_used_is_told_to_who_may_read_the_log() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    let script = shop.deploy("/hello", r#"kv::collection("c").set("k", 1); ctx.request.headers"#).await;
    shop.deploy("/fails", "let a = 1;\nthrow \"boom\"").await;
    other.deploy("/hello", "1").await;
    let told = |reply: &Reply| {
        ["picloud-fuel-used", "picloud-memory-peak", "picloud-host-calls", "picloud-wall-us"]
            .map(|name| reply.header(name).map(|value| value.parse::<u64>().expect("a number")))
    };
    let ask = async |tenant: &Tenant, path: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        tenant.call("GET", path, "", &[("authorization", bearer.as_str())]).await
    };
    people::add(&app, "ada", "member").await;
    people::admit(&shop, "ada", "viewer").await;
    let ada = people::login(&app, "ada").await;
    let keys = (people::with_key(&app, &["log:read"]).await, people::with_key(&app, &["script:read"]).await);
    for (token, reads) in [(&app.token, true), (&ada.token, true), (&keys.0.token, true), (&keys.1.token, false)] {
        let reply = ask(&shop, "/hello", token).await.expect(200);
        let [fuel, memory, calls, wall] = told(&reply);
        assert_eq!([fuel, memory, calls, wall].map(|told| told.is_some_and(|n| n > 0)), [reads; 4], "{reply:?}");
        assert!(reply.json().get("authorization").is_none(), "no script sees it");
        if reads {
            let usage = shop.record(&reply).await["usage"].clone();
            assert_eq!(
                (json!(fuel), json!(memory), json!(calls)),
                (usage["fuel"].clone(), usage["memory_peak_bytes"].clone(), usage["host_calls"].clone())
            );
        }
        let failed = ask(&shop, "/fails", token).await.fails(422, "script_error");
        assert_eq!(failed.message().contains("boom"), reads, "{}", failed.text());
        assert_eq!(failed.details()["line"].is_number(), reads, "{}", failed.text());
    }
    for reply in [shop.get("/hello").await, ask(&other, "/hello", &ada.token).await, ask(&shop, "/hello", "pic_0000").await] {
        assert_eq!(told(&reply.expect(200)), [None; 4]);
    }
    let executed = app.post(&format!("/execute/{}", script.id), json!({})).await.expect(200);
    assert!(told(&executed).iter().all(Option::is_some), "{executed:?}");
    let forged =
        shop.run(r#"#{ statusCode: 200, headers: #{ "picloud-fuel-used": "1", "Picloud-Wall-Us": "2" }, body: "" }"#).await;
    assert_eq!(told(&forged.expect(200)), [None; 4]);
}

#[tokio::test]
async fn the_limits_page_names_every_bound_with_its_level() {
    let app = TestApp::start().await;
    let page = app.anonymous(reqwest::Method::GET, "/limits", None).await.expect(200).json();
    let of = |level: &str, name: &str| {
        let items = page["items"].as_array().expect("items").iter();
        let found: Vec<_> = items.filter(|limit| limit["level"] == level && limit["name"] == name).collect();
        assert_eq!(found.len(), 1, "{level} {name}");
        (found[0]["floor"].clone(), found[0]["default"].clone(), found[0]["ceiling"].clone())
    };
    for (level, bounds) in [("script", Limits::BOUNDS), ("app", Quota::BOUNDS)] {
        for bound in bounds {
            assert_eq!(of(level, bound.name), (json!(bound.floor), json!(bound.default), json!(bound.ceiling)), "{}", bound.name);
        }
    }
}
