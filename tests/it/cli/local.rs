//! `picloud run` and `picloud test`: the real binary, and no node anywhere.

use serde_json::{Value, json};

use super::{Person, done, json, refused};
use crate::support::{app, cache_dir};

/// Somebody with the sandbox compiled already.
async fn someone() -> Person {
    app::compiled().await;
    Person::new(&[("PICLOUD_CACHE_DIR", cache_dir().to_str().expect("UTF-8"))])
}

/// A directory below the person's, with these files.
fn files(person: &Person, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = person.scratch.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
}

/// The body that a file answers, as JSON.
async fn body(person: &Person, args: &[&str]) -> Value {
    json(&person.run(&[&["run"], args].concat()).await)
}

#[tokio::test]
async fn standard_output_is_the_body_and_nothing_else() {
    let person = someone().await;
    person.write("a.rhai", "log::warn(\"seen\", #{ n: 1 }); #{ statusCode: 201, headers: #{ \"x-a\": 1 }, body: \"made\" }");
    let ran = person.run(&["run", "a.rhai", "-v", "--at", "2026-01-02T03:04:05.678Z"]).await;
    assert_eq!(done(&ran), "made");
    assert!(ran.stderr.contains("2026-01-02 03:04:05.678  warn   seen  {\"n\":1}\n"), "{ran:?}");
    for word in ["→ 201\n", "→ x-a: 1\n", " fuel, ", " of memory, 1 host calls, ", "; seed "] {
        assert!(ran.stderr.contains(word), "{word}: {ran:?}");
    }
    let quiet = person.run(&["run", "a.rhai"]).await;
    assert!(!quiet.stderr.contains("fuel"), "{quiet:?}");
    let told = json(&person.run(&["run", "a.rhai", "--json"]).await);
    assert_eq!((&told["status"], &told["body"], &told["failure"]), (&json!(201), &json!("made"), &Value::Null));
    assert_eq!((&told["logs"][0]["level"], &told["logs"][0]["data"]), (&json!("warn"), &json!({ "n": 1 })));
    assert!(told["usage"]["fuel"].as_u64().is_some_and(|fuel| fuel > 0), "{told}");
}

#[tokio::test]
async fn a_request_is_what_the_command_line_says() {
    let person = someone().await;
    person.write("a.rhai", "let r = ctx.request; [ctx.invocation_type, r.method, r.path, r.query, r.params, r.headers, r.body]");
    assert_eq!(body(&person, &["a.rhai"]).await, json!(["direct", "GET", "/", {}, {}, {}, null]));
    let args =
        ["a.rhai", "--request", "put /notes/7?x=1", "--param", "id=7", "-H", "X-A: 1", "-H", "x-a: 2", "--data", "{\"n\": 1}"];
    let headers = json!({ "x-a": "1, 2", "content-type": "application/json" });
    assert_eq!(body(&person, &args).await, json!(["http", "PUT", "/notes/7", { "x": "1" }, { "id": "7" }, headers, { "n": 1 }]));
    person.write("data", "plain");
    assert_eq!(body(&person, &["a.rhai", "--data", "@data"]).await[6], "plain");
    for (args, words) in [
        (&["a.rhai", "--request", "nothing"][..], "a request is a method and a path"),
        (&["a.rhai", "-H", "nothing"], "is no header"),
        (&["a.rhai", "--limit", "fuel=x"], "is no number"),
        (&["a.rhai", "--limit", "speed=1"], "there is no bound limits.speed"),
        (&["a.rhai", "--kv", "a=1"], "COLLECTION/KEY=JSON"),
        (&["a.rhai", "--kv", "a/b=x"], "is no JSON"),
        (&["a.rhai", "--secret", "key=hush"], "does not stand on the command line"),
        (&["nothing.rhai"], "nothing.rhai is not there"),
    ] {
        let ended = person.run(&[&["run"], args].concat()).await;
        let said = refused(&ended, 2);
        assert!(said.contains(words) && !said.contains("hush"), "{args:?}: {ended:?}");
    }
}

#[tokio::test]
async fn entries_secrets_and_an_event_are_there_when_they_are_given() {
    let person = someone().await;
    files(
        &person,
        &[
            ("a.rhai", "[kv::collection(\"stock\").get(\"tea/green\"), secrets::get(\"key\"), secrets::get(\"other\")]"),
            ("e.rhai", "log::info(ctx.event.queue.message, [ctx.event.op, ctx.event.attempt]);"),
            ("key", "hush\n"),
            ("event.json", "{\"source\": \"queue\", \"queue\": {\"message\": \"hi\"}}"),
        ],
    );
    let args = ["run", "a.rhai", "--kv", "stock/tea/green={\"n\": 7}", "--secret", "key=@key", "--secret", "other"];
    assert_eq!(json(&person.fed(&args, "typed\n").await), json!([{ "n": 7 }, "hush", "typed"]));
    let ran = person.run(&["run", "e.rhai", "--event", "event.json"]).await;
    assert_eq!(done(&ran), "");
    assert!(ran.stderr.ends_with("  info   hi  [\"send\",1]\n"), "{ran:?}");
    person.write("event.json", "{\"source\": \"nothing\"}");
    assert!(refused(&person.run(&["run", "e.rhai", "--event", "event.json"]).await, 2).contains("an event has a `source`"));
}

#[tokio::test]
async fn a_seed_and_a_time_make_two_runs_the_same() {
    let person = someone().await;
    let source = "let id = docs::collection(\"c\").create(#{}); \
                  [time::now(), random::int(1, 1000000000), crypto::uuid(), id, ctx.execution_id]";
    person.write("a.rhai", source);
    let fixed = ["a.rhai", "--at", "2026-01-01T00:00:00Z", "--seed", "7"];
    let first = body(&person, &fixed).await;
    assert_eq!(first[0], "2026-01-01T00:00:00.000Z");
    assert_eq!(body(&person, &fixed).await, first);
    let other = body(&person, &["a.rhai", "--at", "2026-01-01T00:00:00Z", "--seed", "8"]).await;
    assert!((1..5).all(|place| other[place] != first[place]), "{first} {other}");
    let (one, two) = (body(&person, &["a.rhai"]).await, body(&person, &["a.rhai"]).await);
    assert_ne!(one[2], two[2]);
}

#[tokio::test]
async fn a_script_that_fails_is_quoted_with_a_caret_and_its_calls() {
    let person = someone().await;
    person.write("a.rhai", "fn total(n) {\n    throw \"too much\";\n}\nlet x = total(3);\nx\n");
    let failed = person.run(&["run", "a.rhai"]).await;
    let quote = "error: a.rhai:2:5: too much\n  2 |     throw \"too much\";\n    |     ^\n  in total, called at 4:9\n";
    assert_eq!(refused(&failed, 14), quote);
    assert_eq!(failed.stdout, "");
    let told = person.run(&["run", "a.rhai", "--json"]).await;
    assert_eq!(told.status.code(), Some(14));
    let document: Value = serde_json::from_str(&told.stdout).expect("a document");
    assert_eq!((&document["failure"]["code"], &document["failure"]["line"]), (&json!("script_error"), &json!(2)));
    person.write("a.rhai", "let a = 1;\nlet b = ;\n");
    let wrong = person.run(&["run", "a.rhai"]).await;
    let said = refused(&wrong, 10);
    assert!(said.starts_with("error: a.rhai:2:9: ") && said.ends_with("  2 | let b = ;\n    |         ^\n"), "{said}");
    person.write("a.rhai", "let a = 1;\nimport \"nothing\" as n;\nn::f()\n");
    let wrong = person.run(&["run", "a.rhai"]).await;
    assert!(refused(&wrong, 10).starts_with("error: a.rhai:2:8: there is no module `nothing`"), "{wrong:?}");
}

#[tokio::test]
async fn bounds_are_those_of_a_node() {
    let person = someone().await;
    files(
        &person,
        &[
            ("loop.rhai", "loop { }"),
            ("bomb.rhai", "let a = \"x\"; loop { a += a; }"),
            ("flood.rhai", "loop { kv::collection(\"c\").set(\"k\", 1); }"),
        ],
    );
    let fuel = person.run(&["run", "loop.rhai", "--limit", "fuel=5_000_000"]).await;
    assert!(refused(&fuel, 14).contains("the script spent its 5000000 units of fuel"), "{fuel:?}");
    let memory = person.run(&["run", "bomb.rhai"]).await;
    assert!(refused(&memory, 14).contains("more than its 32 MiB of memory"), "{memory:?}");
    let calls = person.run(&["run", "flood.rhai", "--limit", "host_calls=3"]).await;
    assert!(refused(&calls, 14).contains("limit_exceeded: an invocation of this script may make 3 host calls"), "{calls:?}");
    let late = person.run(&["run", "loop.rhai", "--limit", "timeout_ms=50", "--limit", "fuel=50_000_000_000"]).await;
    assert!(refused(&late, 14).contains("longer than its 50 ms"), "{late:?}");
    assert!(refused(&person.run(&["run", "loop.rhai", "--limit", "fuel=1"]).await, 2).contains("limits.fuel is 1;"));
}

#[tokio::test]
async fn a_manifest_says_what_there_is_and_what_it_may() {
    let person = someone().await;
    files(
        &person,
        &[
            (
                "picloud.toml",
                "app = \"shop\"\n[scripts.orders]\nlimits = { fuel = 6000000 }\n[scripts.work]\n[scripts.tax]\nkind = \"module\"\n\
                 file = \"lib/tax.rhai\"\n[grants]\ninvoke = [\"*\"]\nkv = [\"mine\"]\n",
            ),
            ("orders.rhai", "import \"tax\" as tax; [tax::of(50), invoke::call(\"work\", #{ n: 2 }), ctx.script_name]"),
            ("work.rhai", "#{ twice: ctx.request.body.n * 2, kind: ctx.invocation_type }"),
            ("lib/tax.rhai", "fn of(net) { net / 5 }"),
            ("burn.rhai", "loop { }"),
            ("kv.rhai", "kv::collection(\"theirs\").set(\"k\", 1);"),
        ],
    );
    assert_eq!(body(&person, &["orders.rhai"]).await, json!([10, { "twice": 4, "kind": "function" }, "orders"]));
    std::fs::copy(person.scratch.path().join("burn.rhai"), person.scratch.path().join("orders.rhai")).expect("a copy");
    assert!(refused(&person.run(&["run", "orders.rhai"]).await, 14).contains("its 6000000 units of fuel"));
    let denied = person.run(&["run", "kv.rhai"]).await;
    let said = refused(&denied, 14);
    assert!(said.contains("denied: the app shop does not grant kv for the collection `theirs`"), "{said}");
    let module = person.run(&["run", "lib/tax.rhai"]).await;
    assert!(refused(&module, 10).contains("is a module: other scripts import it"), "{module:?}");
}

#[tokio::test]
async fn without_a_manifest_other_scripts_are_the_files_beside_it() {
    let person = someone().await;
    files(
        &person,
        &[
            ("a.rhai", "import \"tax\" as tax; [tax::of(50), invoke::call(\"b\", 1), invoke::start(\"b\", 2).len()]"),
            ("b.rhai", "ctx.request.body + 1"),
            ("tax.rhai", "fn of(net) { net / 5 }"),
            (
                "c.rhai",
                "let c = []; for name in [\"nobody\", \"../a\", \"broken\"] { try { invoke::call(name, ()); } catch (e) { c.push(e.code); } } c",
            ),
            ("broken.rhai", "let = 1;"),
            ("self.rhai", "invoke::call(\"self\", ())"),
        ],
    );
    assert_eq!(body(&person, &["a.rhai"]).await, json!([10, 2, 36]));
    assert_eq!(body(&person, &["c.rhai"]).await, json!(["not_found", "not_found", "invalid_argument"]));
    let deep = person.run(&["run", "self.rhai"]).await;
    assert!(refused(&deep, 14).contains("scripts call each other deeper than 8 levels"), "{deep:?}");
}

#[tokio::test]
async fn nothing_leaves_but_to_hosts_that_are_named_and_never_to_this_machine() {
    let person = someone().await;
    person.write("a.rhai", "http::get(\"http://127.0.0.1:8099/\").status");
    person.write("b.rhai", "http::get(\"https://api.example.com/\").status");
    person.write("m.rhai", "email::send(#{ to: \"ada@example.com\", subject: \"s\", text: \"t\" })");
    let denied = person.run(&["run", "b.rhai"]).await;
    let said = refused(&denied, 14);
    assert!(said.contains("denied: the app app does not grant http for the host `api.example.com`"), "{said}");
    assert!(said.ends_with("  hint: --allow-http HOST\n"), "{said}");
    let own = person.run(&["run", "a.rhai", "--allow-http", "127.0.0.1"]).await;
    assert!(refused(&own, 14).contains("denied: `127.0.0.1` leads to"), "{own:?}");
    assert!(refused(&person.run(&["run", "m.rhai"]).await, 14).contains("does not grant email"));
    person.write("picloud.toml", "app = \"shop\"\n[grants]\nhttp = [\"*\"]\n");
    let unnamed = person.run(&["run", "b.rhai"]).await;
    assert!(refused(&unnamed, 14).contains("nothing leaves this machine that --allow-http does not name"), "{unnamed:?}");
}

/// A project whose tests pass and fail.
const PROJECT: &[(&str, &str)] = &[
    (
        "picloud.toml",
        "app = \"shop\"\n[scripts.orders]\nroutes = [\"POST /orders\"]\n[scripts.work]\n\
         triggers = [{ kind = \"queue\", queue = \"orders\" }]\n[grants]\ndocs = [\"orders\"]\nqueue = [\"orders\"]\nhttp = [\"*\"]\n",
    ),
    (
        "orders.rhai",
        "let orders = docs::collection(\"orders\");\nlet id = orders.create(ctx.request.body);\nqueue::send(\"orders\", #{ id: id });\n\
         #{ statusCode: 201, body: #{ id: id } }\n",
    ),
    ("work.rhai", "docs::collection(\"orders\").patch(ctx.event.queue.message.id, #{ done: true });\n"),
    (
        "orders_test.rhai",
        "import \"test\" as test;\n\
         const TEA = #{ tea: 2 };\n\
         kv::collection(\"set-up\").set(\"at\", time::now());\n\
         \n\
         fn order() { test::request(\"orders\", #{ body: global::TEA }) }\n\
         \n\
         fn test_adds() {\n\
         \x20   let made = order();\n\
         \x20   test::equal(made.status, 201);\n\
         \x20   test::equal(test::deliver(), #{ ran: 1, failed: [] });\n\
         \x20   test::equal(docs::collection(\"orders\").get(made.body.id).data, #{ tea: 2, done: true });\n\
         \x20   test::equal(kv::collection(\"set-up\").get(\"at\"), \"2026-01-01T00:00:00.000Z\");\n\
         }\n\
         \n\
         fn test_counts() {\n\
         \x20   order();\n\
         \x20   log::info(\"counting\");\n\
         \x20   test::equal(docs::collection(\"orders\").count(), 2);\n\
         }\n\
         \n\
         private fn test_begins_anew() { test::equal(docs::collection(\"orders\").count(), 0); }\n",
    ),
    ("sub/whole_test.rhai", "import \"test\" as test;\ntest::is_true(1 + 1 == 2);\n"),
];

#[tokio::test]
async fn a_report_tells_of_each_test_in_order_and_where_one_failed() {
    let person = someone().await;
    files(&person, PROJECT);
    let ran = person.run(&["test"]).await;
    assert_eq!(ran.status.code(), Some(14), "{ran:?}");
    let (report, finished) = ran.stdout.rsplit_once("finished in ").expect("an end");
    assert!(finished.trim_end().ends_with('s'), "{finished}");
    let expected = "
running 4 tests
test orders_test.rhai::test_adds ... ok
test orders_test.rhai::test_counts ... FAILED
test orders_test.rhai::test_begins_anew ... ok
test sub/whole_test.rhai ... ok

failures:

---- orders_test.rhai::test_counts ----
error: orders_test.rhai:18:11: this is not what was wanted
  18 |     test::equal(docs::collection(\"orders\").count(), 2);
     |           ^
  got    1
  wanted 2
  log:
  2026-01-01 00:00:00.000  info   counting

failures:
    orders_test.rhai::test_counts

test result: FAILED. 3 passed; 1 failed; 0 filtered out; ";
    assert_eq!(report, expected, "{ran:?}");

    let one = person.run(&["test", "adds", "whole"]).await;
    assert!(done(&one).contains("2 passed; 0 failed; 2 filtered out"), "{one:?}");
    let exact = person.run(&["test", "orders_test.rhai::test_counts", "--exact"]).await;
    refused(&exact, 14);
    assert!(exact.stdout.contains("0 passed; 1 failed; 3 filtered out"), "{exact:?}");
    let list = person.run(&["test", "--list", "orders_test.rhai"]).await;
    assert_eq!(
        done(&list),
        "orders_test.rhai::test_adds: test\norders_test.rhai::test_counts: test\norders_test.rhai::test_begins_anew: test\n\n3 tests\n"
    );
    let fast = person.run(&["test", "--fail-fast", "--jobs", "1"]).await;
    assert!(fast.stdout.contains("1 passed; 1 failed;") && !fast.stdout.contains("begins_anew"), "{fast:?}");
    let told = person.run(&["test", "--json"]).await;
    let document: Value = serde_json::from_str(&told.stdout).expect("a document");
    assert_eq!((&document["passed"], &document["failed"], told.status.code()), (&json!(3), &json!(1), Some(14)));
    assert_eq!(document["tests"][1]["failures"][0]["line"], 18);
    let shown = person.run(&["test", "--nocapture", "sub"]).await;
    assert!(done(&shown).contains("1 passed"), "{shown:?}");
}

#[tokio::test]
async fn a_source_that_is_refused_ends_the_whole_and_all_are_told() {
    let person = someone().await;
    files(
        &person,
        &[("a_test.rhai", "let a = ;\n"), ("b_test.rhai", "import \"nope\" as n;\n"), ("c_test.rhai", "fn test_c() {}\n")],
    );
    let ended = person.run(&["test"]).await;
    let said = refused(&ended, 10);
    assert!(said.contains("error: a_test.rhai:1:9: ") && said.contains("error: b_test.rhai:1:"), "{said}");
    assert_eq!(ended.stdout, "");
    files(&person, &[("a_test.rhai", "import \"test\" as test;\n"), ("b_test.rhai", "1\n"), ("test.rhai", "fn mine() { 1 }\n")]);
    let taken = person.run(&["test"]).await;
    assert!(refused(&taken, 10).contains("the project has a script `test` (test.rhai)"), "{taken:?}");
}

/// The result of one test with that body, beside these files.
async fn tested(person: &Person, beside: &[(&str, &str)], code: &str) -> super::Ended {
    files(person, beside);
    person.write("a_test.rhai", &format!("import \"test\" as test;\nfn test_a() {{\n{code}\n}}\n"));
    person.run(&["test", "a_test.rhai"]).await
}

#[tokio::test]
async fn scripted_answers_are_used_in_order_and_the_last_one_stays() {
    let person = someone().await;
    let rates = [("rate.rhai", "let r = http::get(\"https://api.example.com/rate?day=1\"); [r.status, r.body]")];
    let code = r#"
        test::answer("http GET https://api.example.com/rate*", #{ status: 200, body: #{ eur: 1.1 } });
        test::answer("http GET https://api.example.com/rate*", #{ status: 503, body: "busy" });
        let got = [];
        for n in 0..3 { got.push(test::request("rate").body); }
        test::equal(got, [[200, #{ eur: 1.1 }], [503, "busy"], [503, "busy"]]);
        // What was given before comes first.
        test::fail("http GET https://api.example.com/rate*", "timed_out", "too slow");
        test::equal(test::request("rate").status, 200);
        test::equal(test::request("rate").status, 422);
        let calls = test::calls("http *");
        test::equal(calls.len(), 5);
        test::equal([calls[0].arguments.method, calls[0].of], ["GET", "http GET https://api.example.com/rate?day=1"]);
    "#;
    done(&tested(&person, &rates, code).await);
    let late = r#"
        test::fail("http *", "timed_out", "too slow");
        let failed = test::request("rate");
        test::equal([failed.status, failed.failure.message, failed.failure.code], [422, "timed_out: too slow", "script_error"]);
    "#;
    done(&tested(&person, &rates, late).await);
    let unscripted = tested(&person, &rates, "test::request(\"rate\");").await;
    assert_eq!(unscripted.status.code(), Some(14));
    let words = "nothing leaves a test, and no answer was scripted for GET https://api.example.com/rate?day=1: \
                 test::answer(\"http GET https://api.example.com/rate?day=1\", ";
    assert!(unscripted.stdout.contains(words), "{unscripted:?}");
}

#[tokio::test]
async fn errors_of_any_host_call_can_be_scripted() {
    let person = someone().await;
    let code = r#"
        test::fail("kv.get orders/17", "unavailable", "the database is gone", 1);
        let c = kv::collection("orders");
        test::equal(c.get("16"), ());
        let error = test::fails(|| c.get("17"), "unavailable");
        test::equal(error.message, "the database is gone");
        test::equal(c.get("17"), ());
        for what in ["docs.*", "files.*", "secrets.*", "queue.*", "pubsub.*", "email.*", "invoke.*", "dead_letters.*"] {
            test::fail(what, "internal", "no");
        }
        test::fails(|| docs::collection("d").find(#{}), "internal");
        test::fails(|| files::collection("f").head("n"), "internal");
        test::fails(|| secrets::get("s"), "internal");
        test::fails(|| queue::send("q", 1), "internal");
        test::fails(|| pubsub::publish("t", 1), "internal");
        test::fails(|| email::send(#{ to: "a@example.com", subject: "s", text: "t" }), "internal");
        test::fails(|| invoke::call("x", 1), "internal");
        test::fails(|| dead_letters::list(), "internal");
        test::fails(|| test::fail("kv.fetch a", "unavailable", "no"), "invalid_argument");
        test::fails(|| test::fail("kv.get a", "gone", "no"), "invalid_argument");
        test::fails(|| test::answer("kv.get a", 1), "invalid_argument");
    "#;
    done(&tested(&person, &[], code).await);
}

#[tokio::test]
async fn what_was_sent_can_be_looked_at_and_time_and_chance_be_set() {
    let person = someone().await;
    let code = r#"
        queue::send("q", #{ n: 1 }, #{ delay_s: 60 });
        pubsub::publish("t.a", "hi");
        email::send(#{ to: ["a@example.com"], subject: "s", text: "t" });
        invoke::start("later", #{ n: 1 });
        test::equal(test::sent("queue", "q").map(|sent| sent.message), [#{ n: 1 }]);
        test::equal(test::sent("topic", "t.a").map(|sent| sent.message), ["hi"]);
        test::equal(test::sent("start", "later").map(|sent| sent.arguments), [#{ n: 1 }]);
        test::equal(test::mails().map(|mail| [mail.to, mail.subject]), [[["a@example.com"], "s"]]);
        test::equal(queue::size("q"), 1);
        test::equal(time::now(), "2026-01-01T00:00:00.000Z");
        test::advance(1500);
        test::equal(time::now(), "2026-01-01T00:00:01.500Z");
        test::at("2030-05-06T07:08:09+01:00");
        test::equal(time::now(), "2030-05-06T06:08:09.000Z");
        let codes = kv::collection("codes");
        codes.set("a", 1, #{ ttl_s: 60 });
        test::advance(60000);
        test::equal(codes.get("a"), ());
        let tries = 0;
        test::fails(|| retry::run(|| { throw #{ code: "unavailable", message: "no" }; }, #{ attempts: 3, base_ms: 1000 }), "unavailable");
        test::equal(time::now(), "2030-05-06T06:09:12.000Z");
        test::secret("key", "hush");
        test::equal(secrets::get("key"), "hush");
        test::seed(7);
        let first = test::request("dice").body;
        test::seed(7);
        test::equal(test::request("dice").body, first);
    "#;
    let beside = [("dice.rhai", "[random::int(1, 1000000000), crypto::uuid()]"), ("later.rhai", "1")];
    done(&tested(&person, &beside, code).await);
}

#[tokio::test]
async fn a_script_that_is_tested_cannot_reach_what_its_test_can() {
    let person = someone().await;
    let beside = [("sly.rhai", "invoke::call(\"test/advance\", 1000)"), ("test2.rhai", "import \"test\" as t; t::advance(1)")];
    let code = r#"
        let answer = test::request("sly");
        test::equal(answer.status, 422);
        test::equal(answer.failure.message, "not_found: the app has no script `test/advance`");
        test::equal(time::now(), "2026-01-01T00:00:00.000Z");
        test::fails(|| test::request("test2"), "invalid_argument");
        test::fails(|| test::request("test/advance"), "not_found");
    "#;
    done(&tested(&person, &beside, code).await);
}

#[tokio::test]
async fn a_test_that_never_ends_ends_and_what_it_throws_is_a_failure_whatever_it_is() {
    let person = someone().await;
    let endless = tested(&person, &[], "loop { }").await;
    assert!(endless.stdout.contains("units of fuel") && endless.status.code() == Some(14), "{endless:?}");
    let thrown = tested(&person, &[], "throw #{ statusCode: 200, body: 1 };").await;
    assert!(thrown.stdout.contains("0 passed; 1 failed"), "{thrown:?}");
    let nothing = tested(&person, &[], "test::fails(|| 1, \"conflict\");").await;
    assert!(nothing.stdout.contains("nothing was thrown\n") && nothing.stdout.contains("  wanted \"conflict\"\n"), "{nothing:?}");
    let other = tested(&person, &[], "test::fails(|| test::equal(1, 2), \"conflict\");").await;
    assert!(other.stdout.contains("  got    1\n  wanted 2\n"), "{other:?}");
}

#[tokio::test]
async fn every_template_begins_with_tests_that_pass() {
    let person = someone().await;
    for template in ["hello", "api", "cron", "queue"] {
        done(&person.run(&["init", template, "--template", template]).await);
        let mut command = person.command(&["test"]);
        command.current_dir(person.scratch.path().join(template));
        let ran = super::ended(command).await;
        assert!(done(&ran).contains("; 0 failed; 0 filtered out;") && !ran.stdout.contains(" 0 passed"), "{template}: {ran:?}");
    }
}

#[tokio::test]
async fn a_test_that_did_not_run_did_not_pass() {
    let person = someone().await;
    files(&person, &[("a_test.rhai", "fn test_a() { throw 1; }\nreturn;\n"), ("b.rhai", "1\n")]);
    let ended = person.run(&["test", "a_test.rhai"]).await;
    assert_eq!(ended.status.code(), Some(14), "{ended:?}");
    assert!(ended.stdout.contains("the file ended before the test began"), "{ended:?}");
    let no_tests = person.run(&["test", "b.rhai"]).await;
    assert_eq!(no_tests.status.code(), Some(2), "{no_tests:?}");
    assert!(no_tests.stderr.contains("b.rhai is no file of tests"), "{no_tests:?}");
}
