//! `import`: modules of the same app, resolved at publication.

use picloud::id::ScriptId;
use picloud::limits::{IMPORT_DEPTH_MAX, IMPORT_MODULES_MAX};
use picloud::model::access::Principal;
use picloud::model::script::{AskedLimits, Kind, NewScript, NewVersion, Prepared};
use picloud::service;
use serde_json::{Value, json};

use crate::support::client::Script;
use crate::support::{Reply, Tenant, TestApp};

impl Tenant {
    async fn module(&self, name: &str, source: &str) -> Script {
        self.upload_with(name, source, json!({ "kind": "module" })).await
    }

    async fn try_module(&self, name: &str, source: &str) -> Reply {
        self.try_upload(name, source, json!({ "kind": "module" })).await
    }

    async fn publish(&self, script: &Script, source: &str) -> Reply {
        self.client.put(&format!("/admin/scripts/{}", script.id), json!({ "source": source })).await
    }
}

#[tokio::test]
async fn functions_and_constants_of_a_module_are_reached_by_its_alias() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.module("tax", "export const RATE = 20; fn of(net) { net * global::RATE / 100 } private fn hidden() { 1 }").await;
    let got = shop.value(r#"import "tax" as t; [t::RATE, t::of(50)]"#).await;
    assert_eq!(got, json!([20, 10]));
    let failed = shop.run(r#"import "tax" as t; t::hidden()"#).await;
    failed.fails(422, "script_error");
}

#[tokio::test]
async fn functions_of_the_script_reach_what_its_top_level_imports() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.module("tax", "fn of(net) { net / 5 }").await;
    let reply = shop.run(r#"import "tax" as t; fn gross(n) { n + t::of(n) } gross(50)"#).await.expect(200);
    assert_eq!(reply.json(), 60);
    let reply = shop.run(r#"fn gross(n) { import "tax" as t; n + t::of(n) } gross(50)"#).await.expect(200);
    assert_eq!(reply.json(), 60);
}

#[tokio::test]
async fn a_module_imports_others_and_hands_them_on() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.module("base", "fn one() { 1 }").await;
    shop.module("middle", r#"import "base" as base; fn two() { base::one() + base::one() }"#).await;
    let got = shop.value(r#"import "middle" as m; [m::two(), m::base::one()]"#).await;
    assert_eq!(got, json!([2, 1]));
}

#[tokio::test]
async fn what_a_module_reaches_its_importers_reach() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let store = shop.module("store", r#"fn put(k, v) { kv::collection("c").set(k, v) }"#).await;
    assert_eq!(store.created["capabilities"], json!(["kv"]));
    let page = shop.upload("page", r#"import "store" as s; log::info("x"); s::put("k", 1);"#).await;
    assert_eq!(page.created["capabilities"], json!(["kv", "log"]));
    assert_eq!(page.created["imports"], json!(["store"]));
    let checked =
        app.post("/admin/scripts/check", json!({ "source": r#"import "store" as s; s::put(1, 2)"# })).await.expect(200).json();
    assert_eq!((&checked["capabilities"], &checked["imports"]), (&json!([]), &json!(["store"])));
}

#[tokio::test]
async fn publishing_a_module_changes_what_imports_it_at_once() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let base = shop.module("base", "fn n() { 1 }").await;
    shop.module("middle", r#"import "base" as base; fn n() { base::n() * 10 }"#).await;
    let page = shop.deploy("/n", r#"import "middle" as m; m::n()"#).await;
    assert_eq!(shop.get("/n").await.expect(200).json(), 10);
    shop.publish(&base, r#"fn n() { kv::collection("c"); 2 }"#).await.expect(200);
    assert_eq!(shop.get("/n").await.expect(200).json(), 20);
    let now = app.get(&format!("/admin/scripts/{}", page.id)).await.expect(200).json();
    assert_eq!((&now["version"], &now["capabilities"]), (&json!(1), &json!(["kv"])));
    assert_eq!(app.post(&format!("/execute/{}", page.id), json!(null)).await.expect(200).json(), 20);
}

#[tokio::test]
async fn importers_have_images_with_their_modules_in_them() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let base = shop.module("base", "fn n() { 1 }").await;
    let page = shop.deploy("/n", r#"import "base" as b; b::n()"#).await;
    let mut db = app.database.connect().await;
    let image = async |db: &mut sqlx::PgConnection| -> Vec<u8> {
        let id: uuid::Uuid = page.id.parse().expect("an id");
        sqlx::query_scalar("SELECT sealed FROM images WHERE script_id = $1").bind(id).fetch_one(db).await.expect("one image")
    };
    let before = image(&mut db).await;
    shop.publish(&base, "fn n() { 2 }").await.expect(200);
    let after = image(&mut db).await;
    assert_ne!(before, after, "made anew with the publication");
    assert_eq!(shop.get("/n").await.expect(200).json(), 2);
    assert_eq!(image(&mut db).await, after, "the call did not have to make it");
}

#[tokio::test]
async fn each_wrong_import_has_its_own_error_with_its_place() {
    let app = TestApp::start().await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    other.module("theirs", "fn f() { 1 }").await;
    shop.upload("page", "1").await;
    for (source, code) in [
        (r#"import "nothing" as n; 1"#, "import_missing"),
        (r#"import "theirs" as t; 1"#, "import_missing"),
        (r#"import "other/theirs" as t; 1"#, "import_foreign"),
        (r#"import "../x" as t; 1"#, "import_foreign"),
        (r#"import "page" as p; 1"#, "import_not_module"),
    ] {
        let refused = shop.try_upload("main", source, json!({})).await.fails(422, code);
        assert_eq!((&refused.details()["line"], &refused.details()["column"]), (&json!(1), &json!(8)), "{source}");
    }
    for (source, part) in [
        (r#"let n = "tax"; import n as t; 1"#, "literal name"),
        (r#"import "tax" as kv; 1"#, "another name"),
        ("nowhere::f()", "no module `nowhere`"),
    ] {
        let refused = shop.try_upload("main", source, json!({})).await.fails(422, "syntax_error");
        assert!(refused.message().contains(part), "{source}: {}", refused.message());
    }
    assert_eq!(app.get("/admin/scripts?app=shop").await.json()["items"].as_array().map(Vec::len), Some(1), "nothing was stored");
}

#[tokio::test]
async fn a_circle_is_refused_when_it_would_close() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.try_module("own", r#"import "own" as o; fn f() { 1 }"#).await.fails(422, "import_cycle");
    let a = shop.module("a", "fn f() { 1 }").await;
    shop.module("b", r#"import "a" as a; fn f() { a::f() }"#).await;
    shop.deploy("/f", r#"import "b" as b; b::f()"#).await;
    let refused = shop.publish(&a, r#"import "b" as b; fn f() { b::f() }"#).await.fails(422, "import_cycle");
    assert!(refused.message().contains("a → b → a"), "{}", refused.message());
    assert_eq!(shop.get("/f").await.expect(200).json(), 1);
}

#[tokio::test]
async fn chains_of_imports_are_bounded() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.module("m1", "fn n() { 1 }").await;
    for level in 2..=IMPORT_DEPTH_MAX {
        shop.module(&format!("m{level}"), &format!(r#"import "m{}" as m; fn n() {{ m::n() + 1 }}"#, level - 1)).await;
    }
    let deepest = format!(r#"import "m{IMPORT_DEPTH_MAX}" as m; m::n()"#);
    assert_eq!(shop.value(&deepest).await, IMPORT_DEPTH_MAX);
    let one_more = format!(r#"import "m{IMPORT_DEPTH_MAX}" as m; fn n() {{ m::n() }}"#);
    shop.module("last", &one_more).await;
    let refused = shop.try_upload("main", r#"import "last" as l; l::n()"#, json!({})).await.fails(422, "import_too_deep");
    assert!(refused.details()["chain"].as_array().is_some_and(|chain| chain.len() > 2), "{}", refused.details());
}

#[tokio::test]
async fn a_module_that_would_break_what_imports_it_is_not_published() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let base = shop.module("base", "export const N = 1;").await;
    shop.deploy("/n", r#"import "base" as b; b::N"#).await;
    shop.publish(&base, "export const N = 1 / 0;").await.fails(422, "syntax_error");
    shop.publish(&base, "let n = 1;").await.fails(422, "syntax_error");
    assert_eq!(shop.get("/n").await.expect(200).json(), 1);
}

#[tokio::test]
async fn constants_of_a_module_cannot_reach_the_platform() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for source in [
        r#"export const V = kv::collection("c").get("k");"#,
        "export const V = time::now_ms();",
        "export const V = random::int(1, 6);",
        r#"export const V = log::info("x");"#,
        "export const V = f(); fn f() { crypto::uuid() }",
    ] {
        let refused = shop.try_module("m", source).await.fails(422, "syntax_error");
        assert!(refused.message().contains("constants of a module"), "{source}: {}", refused.message());
    }
    for source in ["export const V = [1, 2].len();", "fn f() { kv::collection(\"c\").get(\"k\") }"] {
        shop.try_module(&format!("good{}", source.len()), source).await.expect(201);
    }
}

#[tokio::test]
async fn a_hostile_module_ends_like_a_hostile_script() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for source in ["export const V = f(); fn f() { loop {} }", "export const V = f(); fn f() { let s = \"x\"; loop { s += s; } }"]
    {
        let refused = shop.try_module("m", source).await.fails(422, "syntax_error");
        assert!(refused.message().contains("fuel") || refused.message().contains("memory"), "{}", refused.message());
    }
}

#[tokio::test]
async fn what_imports_a_module_can_be_asked() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let base = shop.module("base", "fn n() { 1 }").await;
    shop.module("middle", r#"import "base" as b; fn n() { b::n() }"#).await;
    let page = shop.upload("page", r#"import "middle" as m; m::n()"#).await;
    let used = app.get(&format!("/admin/scripts/{}/used_by", base.id)).await.expect(200).json();
    let seen: Vec<_> = used["items"].as_array().expect("items").iter().map(|user| (&user["name"], &user["direct"])).collect();
    assert_eq!(seen, [(&json!("middle"), &json!(true)), (&json!("page"), &json!(false))]);
    let refused = app.delete(&format!("/admin/scripts/{}", base.id)).await.fails(409, "conflict");
    assert_eq!(refused.details()["used_by"][0]["name"], "middle");
    app.put(&format!("/admin/scripts/{}", page.id), json!({ "source": "1" })).await.expect(200);
    let middle = used["items"][0]["id"].as_str().expect("an id");
    app.delete(&format!("/admin/scripts/{middle}")).await.expect(204);
    app.delete(&format!("/admin/scripts/{}", base.id)).await.expect(204);
}

#[tokio::test]
async fn an_error_in_a_module_names_the_module_and_its_line() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.module("broken", "fn f(x) {\n  throw \"no\";\n}").await;
    let script = shop.upload("page", "import \"broken\" as b;\n\nb::f(1)").await;
    let failed = app.post(&format!("/execute/{}", script.id), json!(null)).await.fails(422, "script_error");
    let details = failed.details();
    assert_eq!((&details["script"], &details["line"]), (&json!("broken"), &json!(2)), "{details}");
    assert_eq!(details["calls"][0]["line"], 3, "{details}");
}

#[tokio::test]
async fn a_module_cannot_be_routed_to_or_run() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let module = shop.module("m", "fn f() { 1 }").await;
    assert_eq!(shop.try_route(&module, json!({ "path": "/m" })).await.status, 422);
    app.post(&format!("/execute/{}", module.id), json!(null)).await.fails(422, "invalid");
    assert_eq!(shop.caught(r#"invoke::call("m", ())"#).await["code"], "invalid_argument");
}

#[tokio::test]
async fn a_script_imports_so_many_modules_and_no_more() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for n in 0..=IMPORT_MODULES_MAX {
        shop.module(&format!("m{n}"), &format!("fn n() {{ {n} }}")).await;
    }
    let imports = |count: usize| (0..count).map(|n| format!("import \"m{n}\" as m{n};\n")).collect::<String>();
    let most = format!("{} m{}::n()", imports(IMPORT_MODULES_MAX), IMPORT_MODULES_MAX - 1);
    assert_eq!(shop.value(&most).await, IMPORT_MODULES_MAX - 1);
    let refused = shop.try_upload("main", &imports(IMPORT_MODULES_MAX + 1), json!({})).await;
    refused.fails(422, "import_too_many");
}

#[tokio::test]
async fn publications_at_once_leave_no_importer_with_an_older_module() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let base = shop.module("base", "fn n() { 0 }").await;
    let publishing = async {
        for n in 1..=8 {
            shop.publish(&base, &format!("fn n() {{ {n} }}")).await.expect(200);
        }
    };
    let importing = async {
        for n in 0..8 {
            shop.deploy(&format!("/n/{n}"), r#"import "base" as b; b::n()"#).await;
        }
    };
    tokio::join!(publishing, importing);
    for n in 0..8 {
        assert_eq!(shop.get(&format!("/n/{n}")).await.expect(200).json(), 8, "/n/{n}");
    }
}

/// What another node could have published between preparing and storing.
#[tokio::test]
async fn what_was_prepared_with_other_modules_than_the_active_ones_is_not_stored() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let base = shop.module("base", "fn n() { 1 }").await;
    shop.publish(&base, "fn n() { 2 }").await.expect(200);
    let owner = service::users::first_owner(&app.services).await.expect("users").expect("an owner");
    let by = Principal::operator_as(&owner);
    let base_id: ScriptId = base.id.parse().expect("an id");
    for (version, stored) in [(1, false), (2, true)] {
        let new = NewScript {
            app_id: shop.id.parse().expect("an id"),
            name: "page".to_owned(),
            source: r#"import "base" as b; b::n()"#.to_owned(),
            kind: Kind::Endpoint,
            description: String::new(),
            limits: AskedLimits::default(),
            message: String::new(),
        };
        let imports = vec!["base".to_owned()];
        let prepared = Prepared { imports, modules: vec![(base_id, version)], ..Prepared::default() };
        let done = service::scripts::create(&app.services, &by, new, prepared).await;
        assert_eq!(done.map_err(|error| error.code).map(|_| ()), if stored { Ok(()) } else { Err("modules_changed") });
    }
    let new = NewVersion {
        source: "fn n() { 3 }".to_owned(),
        description: None,
        limits: AskedLimits::default(),
        message: String::new(),
    };
    let unaware = service::scripts::publish(&app.services, &by, base_id, new, Prepared::default(), None).await;
    assert_eq!(unaware.expect_err("`page` was not prepared with it").code, "modules_changed");
}

#[tokio::test]
async fn a_stored_image_of_older_modules_is_refused_and_made_anew() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let base = shop.module("base", "fn n() { 1 }").await;
    let page = shop.deploy("/n", r#"import "base" as b; b::n()"#).await;
    let mut db = app.database.connect().await;
    let id: uuid::Uuid = page.id.parse().expect("an id");
    let old: Vec<u8> =
        sqlx::query_scalar("SELECT sealed FROM images WHERE script_id = $1").bind(id).fetch_one(&mut db).await.expect("an image");
    shop.publish(&base, "fn n() { 2 }").await.expect(200);
    sqlx::query("UPDATE images SET sealed = $2 WHERE script_id = $1")
        .bind(id)
        .bind(old)
        .execute(&mut db)
        .await
        .expect("the old one is back");
    assert_eq!(shop.get("/n").await.expect(200).json(), 2);
    assert_eq!(Value::from(2), shop.get("/n").await.expect(200).json());
}
