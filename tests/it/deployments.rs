//! Deployments: an app as a whole is planned, applied and put back; what runs is always one of them.

use std::collections::BTreeMap;

use picloud::limits::{
    DEPLOYMENT_MESSAGE_CHARS_MAX, DEPLOYMENTS_PER_APP_MAX, MANIFEST_SCRIPTS_MAX, ROUTES_PER_APP_MAX, TRIGGERS_CEILING,
};
use serde_json::{Value, json};

use crate::rights::people;
use crate::support::{Reply, Tenant, TestApp};

async fn apply(shop: &Tenant, manifest: &Value) -> Reply {
    shop.client.post("/admin/apps/shop/deployments", json!({ "manifest": manifest })).await
}

async fn plan(shop: &Tenant, manifest: &Value) -> Value {
    shop.client.post("/admin/apps/shop/plan", json!({ "manifest": manifest })).await.expect(200).json()
}

async fn pulled(shop: &Tenant) -> Value {
    shop.client.get("/admin/apps/shop/manifest").await.expect(200).json()
}

/// The manifest of what runs, as one that may be applied.
async fn running(shop: &Tenant) -> Value {
    pulled(shop).await["manifest"].clone()
}

async fn active(shop: &Tenant) -> Value {
    let all = shop.client.get("/admin/apps/shop/deployments").await.expect(200).json();
    let active: Vec<_> = all["items"].as_array().unwrap().iter().filter(|one| one["active"] == true).cloned().collect();
    assert_eq!(active.len(), 1, "{all}");
    active[0].clone()
}

async fn called(shop: &Tenant, path: &str) -> (u16, String) {
    let reply = shop.get(path).await;
    let answer: Value = serde_json::from_str(&reply.text()).expect("JSON");
    (reply.status, answer.as_str().unwrap_or_default().to_owned())
}

/// `change script visits`, …
fn told(plan: &Value) -> Vec<String> {
    let one = |change: &Value| format!("{} {} {}", text(change, "action"), text(change, "thing"), text(change, "name"));
    plan["changes"].as_array().expect("changes").iter().map(one).collect()
}

fn text(of: &Value, name: &str) -> String {
    of[name].as_str().unwrap_or_default().to_owned()
}

/// Two scripts, a module, routes, triggers, limits, grants.
fn manifest() -> Value {
    json!({
        "scripts": {
            "hello": {
                "source": "import \"words\" as w; w::hello()",
                "limits": { "timeout_ms": 2_000 },
                "routes": [{ "path": "/hello", "method": "GET" }],
            },
            "keep": {
                "source": "kv::collection(\"seen\").set(`e${ctx.event.id}`, ctx.event.queue.message)",
                "triggers": [{ "kind": "queue", "queue": "orders", "max_attempts": 2 }],
            },
            "words": { "kind": "module", "source": "fn hello() { \"one\" }" },
        },
        "grants": { "kv": ["*"], "queue": ["*"] },
    })
}

#[tokio::test]
async fn every_change_makes_a_deployment_and_the_same_state_is_the_same_one() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("a", "1").await;
    let one = active(&shop).await;
    assert_eq!((&one["deployment"], &one["cause"]), (&json!(1), &json!("script.create")));
    let route = shop.route(&script, json!({ "path": "/a" })).await;
    assert_eq!(active(&shop).await["deployment"], 2);
    let path = format!("/admin/scripts/{}/routes/{}", script.id, text(&route, "id"));
    shop.client.delete(&path).await.expect(204);
    let again = active(&shop).await;
    assert_eq!((&again["deployment"], &again["digest"]), (&json!(1), &one["digest"]), "it runs again, and is not made again");
    shop.trigger("queue", &script, json!({ "queue": "q" })).await;
    shop.client.patch("/admin/apps/shop/grants", json!({ "http": ["api.example.com"] })).await.expect(200);
    let four = shop.client.get("/admin/apps/shop/deployments/4").await.expect(200).json();
    assert_eq!((&four["cause"], &four["state"]["grants"]["http"]), (&json!("grants.update"), &json!(["api.example.com"])));
    assert_eq!(four["state"]["triggers"][0]["rule"], json!({ "queue": "q" }));
    shop.client.get("/admin/apps/shop/deployments/5").await.fails(404, "not_found");
    shop.client.get("/admin/apps/shop/deployments/0").await.fails(404, "not_found");
}

#[tokio::test]
async fn a_manifest_is_planned_and_applied_and_the_second_time_changes_nothing() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let planned = plan(&shop, &manifest()).await;
    assert_eq!((&planned["applied"], &planned["deployment"]), (&json!(false), &Value::Null));
    let granted = |word: &str| format!("remove grant {word}");
    let words = ["dead_letters", "docs", "files", "invoke", "pubsub", "secrets"];
    let mut expected: Vec<String> = words.into_iter().map(granted).collect();
    expected.extend(["hello", "keep", "words"].map(|name| format!("add script {name}")));
    expected.extend(["add route GET /hello → hello".to_owned(), "add trigger queue orders → keep".to_owned()]);
    assert_eq!(told(&planned), expected);
    assert_eq!(called(&shop, "/hello").await.0, 404, "a plan changes nothing");
    let applied = apply(&shop, &manifest()).await.expect(200).json();
    assert_eq!((&applied["applied"], &applied["deployment"], told(&applied)), (&json!(true), &json!(1), expected));
    assert_eq!(called(&shop, "/hello").await, (200, "one".to_owned()));
    shop.send("orders", json!(7)).await;
    assert_eq!(shop.seen(1).await, [json!(7)]);
    let again = apply(&shop, &manifest()).await.expect(200).json();
    assert_eq!((&again["applied"], &again["deployment"], told(&again)), (&json!(false), &json!(1), Vec::new()));
    assert_eq!(again["digest"], applied["digest"]);
    let back = apply(&shop, &running(&shop).await).await.expect(200).json();
    assert_eq!((&back["applied"], told(&back)), (&json!(false), Vec::new()), "what was pulled is what runs");
}

#[tokio::test]
async fn a_module_that_changes_is_in_every_script_that_imports_it() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    assert_eq!(called(&shop, "/hello").await.1, "one");
    let mut next = manifest();
    next["scripts"]["words"]["source"] = json!("fn hello() { \"two\" }");
    let applied = apply(&shop, &next).await.expect(200).json();
    assert_eq!(told(&applied), ["change script words"]);
    assert_eq!(called(&shop, "/hello").await.1, "two");
    // What would break an importer breaks nothing.
    next["scripts"]["words"]["source"] = json!("fn goodbye() { 1 }");
    next["scripts"]["words"]["kind"] = json!("endpoint");
    let refused = apply(&shop, &next).await;
    assert!(refused.fails(422, "import_not_module").message().contains("the script hello: "));
    assert_eq!(called(&shop, "/hello").await.1, "two");
}

#[tokio::test]
async fn all_of_a_manifest_is_applied_or_nothing() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    let before = pulled(&shop).await;
    let change = |at: &str, value: Value| {
        let mut next = manifest();
        next["scripts"]["keep"]["source"] = json!("1");
        *next.pointer_mut(at).expect("a place") = value;
        next
    };
    let script = "/scripts/hello";
    let mut without_kv = manifest();
    without_kv["grants"] = json!({ "queue": ["*"] });
    for (next, status, code) in [
        (change("/scripts/hello/source", json!("let x = ;")), 422, "syntax_error"),
        (change("/scripts/hello/source", json!("import \"nothing\" as n; 1")), 422, "import_missing"),
        (change("/scripts/hello/source", json!("http::get(\"https://example.com/\")")), 422, "not_granted"),
        (without_kv, 422, "not_granted"),
        (change("/scripts/keep/triggers", json!([{ "kind": "email", "secret": "none" }])), 422, "invalid"),
        (change("/scripts/hello/routes", json!([{ "path": "/x" }, { "path": "/x" }])), 409, "conflict"),
        (change("/scripts/hello/routes", json!([{ "path": "/x", "host": "other.example.com" }])), 422, "invalid"),
        (change(script, json!({ "source": "1", "triggers": [{ "kind": "queue", "queue": "orders" }] })), 409, "conflict"),
        (change("/scripts/hello/limits", json!({ "memory_mb": 100_000 })), 422, "invalid"),
    ] {
        let reply = apply(&shop, &next).await;
        assert_eq!(reply.status, status, "{}", reply.shown());
        reply.fails(status, code);
        assert_eq!(pulled(&shop).await, before);
    }
    let refused = apply(&shop, &change("/scripts/hello/source", json!("1;\nlet x = ;"))).await;
    let details = refused.fails(422, "syntax_error").details();
    assert_eq!((&details["script"], &details["line"], &details["column"]), (&json!("hello"), &json!(2), &json!(9)));
}

#[tokio::test]
async fn what_stays_keeps_its_id_and_what_waits_for_it() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    let ids = async || {
        let triggers = shop.client.get("/admin/apps/shop/triggers").await.expect(200).json();
        let scripts = shop.client.get("/admin/scripts?app=shop").await.expect(200).json();
        let of = |list: &Value| list["items"].as_array().unwrap().iter().map(|one| text(one, "id")).collect::<Vec<_>>();
        (of(&scripts), of(&triggers), triggers)
    };
    let (scripts, triggers, _) = ids().await;
    let mut next = manifest();
    next["scripts"]["keep"]["triggers"][0]["max_attempts"] = json!(5);
    next["scripts"]["keep"]["source"] = json!("kv::collection(\"seen\").set(`e${ctx.event.id}`, 1)");
    let applied = apply(&shop, &next).await.expect(200).json();
    assert_eq!(told(&applied), ["change script keep", "change trigger queue orders → keep"]);
    let (scripts_after, triggers_after, told_after) = ids().await;
    assert_eq!((scripts_after, triggers_after), (scripts, triggers));
    assert_eq!(told_after["items"][0]["max_attempts"], 5);
}

#[tokio::test]
async fn a_rollback_restores_the_whole_state_and_says_what_is_lost() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    let before = pulled(&shop).await;
    let next = json!({
        "scripts": {
            "hello": { "source": "\"three\"", "routes": [{ "path": "/goodbye" }] },
            "extra": { "source": "1", "triggers": [{ "kind": "cron", "schedule": "0 0 4 * * *" }] },
        },
        "grants": {},
    });
    apply(&shop, &next).await.expect(200);
    assert_eq!((called(&shop, "/hello").await.0, called(&shop, "/goodbye").await.1), (404, "three".to_owned()));
    let dry = shop.client.post("/admin/apps/shop/rollback", json!({ "dry_run": true })).await.expect(200).json();
    assert_eq!((&dry["applied"], called(&shop, "/goodbye").await.0), (&json!(false), 200));
    let back = shop.client.post("/admin/apps/shop/rollback", json!({ "base": dry["base"] })).await.expect(200).json();
    assert_eq!((told(&back), &back["deployment"]), (told(&dry), &json!(1)));
    let notes = back["notes"].to_string();
    assert!(notes.contains("the script extra goes") && notes.contains("cron 0 0 4 * * * → extra"), "{notes}");
    assert_eq!(pulled(&shop).await, before);
    assert_eq!(called(&shop, "/hello").await, (200, "one".to_owned()));
    shop.send("orders", json!("again")).await;
    assert_eq!(shop.seen(1).await, [json!("again")]);
    // And forth: the source of a script that went is kept.
    let forth = shop.client.post("/admin/apps/shop/rollback", json!({ "to": 2 })).await.expect(200).json();
    assert_eq!(forth["deployment"], 2);
    assert_eq!(called(&shop, "/goodbye").await.1, "three");
    shop.client.post("/admin/apps/shop/rollback", json!({ "to": 9 })).await.fails(404, "not_found");
}

#[tokio::test]
async fn of_two_who_change_an_app_at_once_one_is_told() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    let base = plan(&shop, &manifest()).await["base"].clone();
    let with = |source: &str| {
        let mut next = manifest();
        next["scripts"]["words"]["source"] = json!(format!("fn hello() {{ \"{source}\" }}"));
        json!({ "manifest": next, "base": base })
    };
    let (one, other) = (with("left"), with("right"));
    let (one, other) = tokio::join!(
        shop.client.post("/admin/apps/shop/deployments", one),
        shop.client.post("/admin/apps/shop/deployments", other)
    );
    let (won, lost) = if one.status == 200 { (one, other) } else { (other, one) };
    won.expect(200);
    let details = lost.fails(409, "conflict").details();
    assert_eq!(details["running"]["deployment"], 2);
}

#[tokio::test]
async fn a_change_needs_every_right_of_what_it_changes() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    people::add(&app, "ada", "member").await;
    people::admit(&shop, "ada", "editor").await;
    let ada = people::login(&app, "ada").await;
    let send = async |manifest: &Value| ada.post("/admin/apps/shop/deployments", json!({ "manifest": manifest })).await;
    let mut next = manifest();
    next["scripts"]["words"]["source"] = json!("fn hello() { \"ada\" }");
    next["scripts"]["hello"]["routes"] = json!([{ "path": "/hi" }]);
    send(&next).await.expect(200);
    for (at, value) in [("/grants", json!({ "kv": ["*"], "queue": ["*"], "http": ["*"] })), ("/scripts/keep/triggers", json!([]))]
    {
        let mut more = next.clone();
        *more.pointer_mut(at).unwrap() = value;
        assert_eq!(send(&more).await.fails(403, "forbidden").details(), json!({ "scope": "app:admin" }));
    }
    next["scripts"]["spare"] = json!({ "source": "fn f() { 1 }" });
    send(&next).await.expect(200);
    next["scripts"]["spare"]["kind"] = json!("module");
    assert_eq!(
        send(&next).await.fails(403, "forbidden").details(),
        json!({ "scope": "app:admin" }),
        "it would be another script"
    );
    shop.client.patch("/admin/apps/shop/grants", json!({ "http": [] , "docs": ["x"] })).await.expect(200);
    ada.post("/admin/apps/shop/rollback", json!({})).await.fails(403, "forbidden");
}

#[tokio::test]
async fn two_deployments_are_told_apart_by_thing_and_line() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    let mut next = manifest();
    next["scripts"]["words"]["source"] = json!("fn hello() {\n  kv::collection(\"x\").get(\"y\")\n}");
    next["scripts"]["hello"]["limits"] = json!({ "timeout_ms": 3_000 });
    apply(&shop, &next).await.expect(200);
    let diff = shop.client.get("/admin/apps/shop/deployments/2/diff?against=1").await.expect(200).json();
    assert_eq!(
        (&diff["before"], &diff["after"], told(&diff)),
        (&json!(1), &json!(2), vec!["change script hello".to_owned(), "change script words".to_owned()])
    );
    let (hello, words) = (&diff["changes"][0], &diff["changes"][1]);
    assert_eq!((&hello["parts"], &hello["gained"]), (&json!(["limits", "capabilities"]), &json!(["kv"])));
    assert_eq!(words["parts"], json!(["source", "capabilities"]));
    assert!(text(words, "source").contains("-fn hello() { \"one\" }") && text(words, "source").contains("+  kv::collection"));
    let back = shop.client.get("/admin/apps/shop/deployments/1/diff").await.expect(200).json();
    assert_eq!((&back["before"], &back["changes"][0]["lost"]), (&json!(2), &json!(["kv"])));
    shop.client.get("/admin/apps/shop/deployments/1/diff?against=7").await.fails(404, "not_found");
}

#[tokio::test]
async fn two_hundred_scripts_are_edited_in_one_manifest() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let many = |text: &str| {
        let scripts: BTreeMap<_, _> = (0..200)
            .map(|n| {
                let source = format!("import \"m\" as m; m::f() + \"{text}{n}\"");
                (format!("s{n:03}"), json!({ "source": source, "routes": [{ "path": format!("/s{n}") }] }))
            })
            .chain([("m".to_owned(), json!({ "kind": "module", "source": "fn f() { \"\" }" }))])
            .collect();
        json!({ "scripts": scripts })
    };
    apply(&shop, &many("a")).await.expect(200);
    let applied = apply(&shop, &many("b")).await.expect(200).json();
    assert_eq!(told(&applied).len(), 200);
    assert_eq!(called(&shop, "/s0").await.1, "b0");
    assert_eq!(called(&shop, "/s199").await.1, "b199");
}

#[tokio::test]
async fn bounds_of_deployments_hold() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let send = async |message: String, scripts: Value| {
        let body = json!({ "manifest": { "scripts": scripts }, "message": message });
        shop.client.post("/admin/apps/shop/deployments", body).await
    };
    let one = json!({ "a": { "source": "1" } });
    send("x".repeat(DEPLOYMENT_MESSAGE_CHARS_MAX + 1), one.clone()).await.fails(422, "invalid");
    send("x".repeat(DEPLOYMENT_MESSAGE_CHARS_MAX), one).await.expect(200);
    let many: BTreeMap<_, _> = (0..=MANIFEST_SCRIPTS_MAX).map(|n| (format!("s{n}"), json!({ "source": "" }))).collect();
    send(String::new(), json!(many)).await.fails(422, "invalid");
    let routes = |count: usize| (0..count).map(|n| json!({ "path": format!("/r{n}") })).collect::<Vec<_>>();
    let with = |count: usize| json!({ "a": { "source": "1", "routes": routes(count) } });
    send(String::new(), with(ROUTES_PER_APP_MAX + 1)).await.fails(422, "invalid");
    send(String::new(), with(ROUTES_PER_APP_MAX)).await.expect(200);
    send(String::new(), json!({ "a": { "source": "1" } })).await.expect(200);
    let trigger = json!({ "kind": "dead_letter" });
    let triggers = vec![trigger; TRIGGERS_CEILING as usize + 1];
    send(String::new(), json!({ "a": { "source": "1", "triggers": triggers } })).await.fails(422, "invalid");
    // The oldest go, and what runs does not.
    for n in 0..DEPLOYMENTS_PER_APP_MAX {
        shop.client.patch("/admin/apps/shop/grants", json!({ "docs": [format!("d{n}")] })).await.expect(200);
    }
    let last = active(&shop).await["deployment"].as_i64().unwrap();
    assert_eq!(last, DEPLOYMENTS_PER_APP_MAX + 2);
    let deployment = async |number: i64| shop.client.get(&format!("/admin/apps/shop/deployments/{number}")).await;
    deployment(1).await.fails(404, "not_found");
    deployment(2).await.fails(404, "not_found");
    // Those that ran last stay, whatever their number.
    let third = deployment(3).await.expect(200).json()["digest"].clone();
    shop.client.post("/admin/apps/shop/rollback", json!({ "to": 3 })).await.expect(200);
    shop.client.patch("/admin/apps/shop/grants", json!({ "docs": ["next"] })).await.expect(200);
    let dry = shop.client.post("/admin/apps/shop/rollback", json!({ "dry_run": true })).await.expect(200).json();
    assert_eq!(dry["digest"], third);
    deployment(4).await.fails(404, "not_found");
    deployment(5).await.expect(200);
}

/// An app of a time when changes were not taken down yet.
#[tokio::test]
async fn what_ran_before_the_first_deployment_can_be_put_back() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    let mut db = app.database.connect().await;
    for statement in ["UPDATE apps SET deployment = NULL", "DELETE FROM deployments"] {
        sqlx::query(statement).execute(&mut db).await.expect("the database answers");
    }
    apply(&shop, &json!({ "scripts": {} })).await.expect(200);
    assert_eq!(called(&shop, "/hello").await.0, 404);
    shop.client.post("/admin/apps/shop/rollback", json!({})).await.expect(200);
    assert_eq!(called(&shop, "/hello").await, (200, "one".to_owned()));
}

#[tokio::test]
async fn what_ran_with_less_than_its_scripts_reach_can_be_put_back() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    let grants = async |lists: Value| shop.client.put("/admin/apps/shop/grants", lists).await.expect(200);
    grants(json!({})).await;
    grants(json!({ "kv": ["*"], "queue": ["*"] })).await;
    shop.client.post("/admin/apps/shop/rollback", json!({ "to": 2 })).await.expect(200);
    assert_eq!(active(&shop).await["deployment"], 2);
}

#[tokio::test]
async fn a_plan_refuses_what_applying_would_refuse() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let with = |name: &str, value: Value| {
        let mut manifest = manifest();
        manifest["scripts"]["hello"][name] = value;
        manifest
    };
    let mut ungranted = manifest();
    ungranted["grants"] = json!({ "queue": ["*"] });
    let refused = [
        (ungranted, "not_granted"),
        (with("source", json!("import \"words\" as w; http::get(\"https://example.com\").status")), "not_granted"),
        (with("routes", json!([{ "path": "/hello", "host": "elsewhere.example.com" }])), "invalid"),
        (with("routes", json!([{ "path": "/a/:x" }, { "path": "/a/:y" }])), "conflict"),
        (with("triggers", json!([{ "kind": "email", "secret": "no-such" }])), "invalid"),
    ];
    for (manifest, code) in refused {
        let status = if code == "conflict" { 409 } else { 422 };
        let planned = shop.client.post("/admin/apps/shop/plan", json!({ "manifest": manifest })).await;
        let planned = planned.fails(status, code).message();
        assert_eq!(apply(&shop, &manifest).await.fails(status, code).message(), planned);
    }
    let all = shop.client.get("/admin/apps/shop/deployments").await.expect(200).json();
    assert_eq!(all["items"], json!([]), "nothing of it is left");
}

#[tokio::test]
async fn a_deployment_is_stored_now_and_made_active_later() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    let mut next = manifest();
    next["scripts"]["words"]["source"] = json!("fn hello() { \"two\" }");
    next["scripts"]["extra"] = json!({ "source": "3", "routes": [{ "path": "/extra" }] });
    let body = json!({ "manifest": next, "activate": false, "message": "for later" });
    let stored = shop.client.post("/admin/apps/shop/deployments", body.clone()).await.expect(200).json();
    assert_eq!((&stored["applied"], &stored["stored"], &stored["deployment"]), (&json!(false), &json!(2), &json!(1)));
    assert_eq!(told(&stored), ["add script extra", "change script words", "add route ANY /extra → extra"]);
    assert_eq!(called(&shop, "/hello").await, (200, "one".to_owned()), "it does not run");
    assert_eq!(called(&shop, "/extra").await.0, 404);
    assert_eq!(active(&shop).await["deployment"], 1);
    let two = shop.client.get("/admin/apps/shop/deployments/2").await.expect(200).json();
    let versions = two["state"]["scripts"].as_array().unwrap().iter().map(|one| (text(one, "name"), one["version"].clone()));
    let expected = [("extra", 0), ("hello", 1), ("keep", 1), ("words", 0)].map(|(name, n)| (name.to_owned(), json!(n)));
    assert_eq!(versions.collect::<Vec<_>>(), expected, "what is no version yet has no number");
    assert_eq!(
        (&two["cause"], &two["message"], &two["activated_at"]),
        (&json!("deployment.store"), &json!("for later"), &Value::Null)
    );
    let again = shop.client.post("/admin/apps/shop/deployments", body).await.expect(200).json();
    assert_eq!(again["stored"], 2, "the same state is the same deployment");
    let dry = shop.client.post("/admin/apps/shop/deployments/2/activate", json!({ "dry_run": true })).await.expect(200).json();
    assert_eq!((told(&dry), &dry["applied"]), (told(&stored), &json!(false)));
    let wrong = json!({ "base": stored["digest"] });
    shop.client.post("/admin/apps/shop/deployments/2/activate", wrong).await.fails(409, "conflict");
    let run =
        shop.client.post("/admin/apps/shop/deployments/2/activate", json!({ "base": dry["base"] })).await.expect(200).json();
    assert_eq!((&run["applied"], &run["deployment"], &run["digest"]), (&json!(true), &json!(2), &stored["digest"]));
    assert_eq!(called(&shop, "/hello").await, (200, "two".to_owned()));
    assert_eq!(shop.get("/extra").await.expect(200).json(), json!(3));
    assert_eq!(active(&shop).await["deployment"], 2);
    shop.client.post("/admin/apps/shop/deployments/9/activate", json!({})).await.fails(404, "not_found");
    shop.client.post("/admin/apps/shop/rollback", json!({})).await.expect(200);
    assert_eq!(called(&shop, "/hello").await, (200, "one".to_owned()));
}

#[tokio::test]
async fn what_was_stored_last_is_not_what_is_trimmed() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    for n in 0..DEPLOYMENTS_PER_APP_MAX {
        shop.client.patch("/admin/apps/shop/grants", json!({ "http": [format!("{n}.example.com")] })).await.expect(200);
    }
    let mut next = manifest();
    next["scripts"]["extra"] = json!({ "source": "3" });
    let body = json!({ "manifest": next, "activate": false });
    let stored = shop.client.post("/admin/apps/shop/deployments", body).await.expect(200).json()["stored"].to_string();
    shop.client.patch("/admin/apps/shop/grants", json!({ "http": [] })).await.expect(200);
    shop.client.post(&format!("/admin/apps/shop/deployments/{stored}/activate"), json!({})).await.expect(200);
}

#[tokio::test]
async fn what_is_stored_and_never_runs_does_not_push_out_what_ran() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    apply(&shop, &manifest()).await.expect(200);
    let mut last = String::new();
    // One over stays until the next change.
    for n in 0..DEPLOYMENTS_PER_APP_MAX + 2 {
        let mut next = manifest();
        next["grants"]["http"] = json!([format!("{n}.example.com")]);
        let body = json!({ "manifest": next, "activate": false });
        last = shop.client.post("/admin/apps/shop/deployments", body).await.expect(200).json()["stored"].to_string();
    }
    shop.client.post(&format!("/admin/apps/shop/deployments/{last}/activate"), json!({})).await.expect(200);
    shop.client.get("/admin/apps/shop/deployments/2").await.fails(404, "not_found");
    let back = shop.client.post("/admin/apps/shop/rollback", json!({})).await.expect(200).json();
    assert_eq!(back["deployment"], 1);
}
