//! Following the log of an app: every line and every end comes once and in order, whoever writes and wherever one goes on; who
//! may, how many, and what it costs.

mod stream;

use std::collections::BTreeSet;

use picloud::id::ExecutionId;
use picloud::limits;
use picloud::service::follow::{Lost, disown};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use self::stream::{Event, Stream, WITHIN, ask};
use crate::rights::people;
use crate::support::client::{Script, send};
use crate::support::cluster::run;
use crate::support::{Client, Reply, Tenant, TestApp, eventually};

async fn try_page(client: &Client, query: &str) -> Reply {
    client.get(&format!("/admin/apps/shop/logs?{query}")).await
}

async fn page(client: &Client, query: &str) -> Value {
    try_page(client, query).await.expect(200).json()
}

fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().expect("items")
}

/// What each says: the message of a line, the outcome of an execution.
fn said<'a>(data: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let word = |data: &Value| data["message"].as_str().or(data["outcome"].as_str()).expect("a line or an end").to_owned();
    data.into_iter().map(word).collect()
}

fn said_on(page: &Value) -> Vec<String> {
    said(items(page).iter().map(|item| &item["data"]))
}

/// A shop that logs what it is asked for.
async fn shop(app: &TestApp) -> (Tenant, Script) {
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/say/:what", "log::info(ctx.request.params.what); 1").await;
    (shop, script)
}

async fn say(shop: &Tenant, what: impl std::fmt::Display) -> String {
    call(shop, &format!("/say/{what}"), 200).await
}

/// Calls a path, and has the record written before anything else comes; its execution.
async fn call(shop: &Tenant, path: &str, status: u16) -> String {
    let id = shop.get(path).await.expect(status).execution_id().to_owned();
    shop.client.get(&format!("/executions/{id}")).await.expect(200);
    id
}

/// Writes a record as another node would, in a transaction that is begun already.
async fn write(db: &mut PgConnection, shop: &Tenant, script: &Script, id: ExecutionId) {
    let record = "INSERT INTO executions (id, app_id, script_id, version, request_id, outcome, status, fuel, memory_peak_bytes,
                      host_calls, bytes_in, bytes_out, wall_us, started_at, logs_dropped)
                  VALUES ($1, $2, $3, 1, $1, 'responded', 200, 0, 0, 0, 0, 0, 0, now(), 0)";
    let ids = [&shop.id, &script.id].map(|id| id.parse::<Uuid>().expect("an id"));
    sqlx::query(record).bind(id.0).bind(ids[0]).bind(ids[1]).execute(&mut *db).await.expect("a record");
    run(db, "SELECT pg_notify('picloud_records', '')").await;
}

fn of(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.data["execution_id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn a_line_is_told_as_it_is_written_and_the_end_of_its_execution_after_it() {
    let app = TestApp::start().await;
    let (shop, script) = shop(&app).await;
    say(&shop, "before").await;
    let mut stream = Stream::open(&app, "").await;
    let id = say(&shop, "now").await;
    let events = stream.events(2).await;
    let (line, end) = (&events[0], &events[1]);
    assert_eq!((line.name.as_str(), &line.data["message"], &line.data["level"]), ("line", &json!("now"), &json!("info")));
    for event in [line, end] {
        assert_eq!((&event.data["execution_id"], &event.data["script_id"]), (&json!(id), &json!(script.id)));
        assert_eq!((&event.data["script_name"], &event.data["version"]), (&json!(script.name), &json!(1)));
    }
    assert_eq!((&line.data["seq"], end.name.as_str(), &end.data["outcome"]), (&json!(0), "execution", &json!("responded")));
    assert!(end.data["usage"]["fuel"].as_u64().is_some_and(|fuel| fuel > 0) && end.data["error"].is_null(), "{}", end.data);
    // A new version is followed like the one before.
    let source = json!({ "source": "log::warn(\"new\"); throw \"broken\"" });
    app.put(&format!("/admin/scripts/{}", script.id), source).await.expect(200);
    call(&shop, "/say/x", 422).await;
    let events = stream.events(2).await;
    assert_eq!(said(events.iter().map(|event| &event.data)), ["new", "script_failed"]);
    assert_eq!((&events[1].data["version"], &events[1].data["error"]["code"]), (&json!(2), &json!("script_error")));
}

#[tokio::test]
async fn whoever_lost_the_stream_goes_on_after_any_event_with_the_next() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    shop.deploy("/three", r#"for i in 0..3 { log::info(`${i}`); } 1"#).await;
    for _ in 0..3 {
        shop.get("/three").await.expect(200);
    }
    let all = page(&app, "since=1h").await;
    let all: Vec<_> = items(&all).iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (12, 12));
    for (n, seen) in all.iter().enumerate() {
        let rest = page(&app, &format!("cursor={seen}")).await;
        let rest: Vec<_> = items(&rest).iter().map(|item| item["id"].as_str().expect("an id")).collect();
        assert_eq!(rest, all[n + 1..], "after {n}");
    }
    for seen in [0, 1, 3, 10] {
        // The address still names where the first stream began: what was seen goes before it.
        let mut stream = Stream::open_after(&app, "since=1h", Some(&all[seen])).await;
        let rest: Vec<_> = stream.events(11 - seen).await.into_iter().map(|event| event.id).collect();
        assert_eq!(rest, all[seen + 1..]);
    }
    let mut stream = Stream::open_after(&app, "", Some(&all[11])).await;
    shop.get("/three").await.expect(200);
    assert_eq!(said(stream.events(4).await.iter().map(|event| &event.data)), ["0", "1", "2", "responded"]);
}

#[tokio::test]
async fn two_who_write_at_once_lose_and_repeat_nothing_whoever_is_done_first() {
    let app = TestApp::start().await;
    let (shop, script) = shop(&app).await;
    let (mut one, mut two) = (app.database.connect().await, app.database.connect().await);
    let begun = page(&app, "tail=0").await;
    let begun = begun["cursor"].as_str().expect("a cursor");
    let mut stream = Stream::open(&app, "").await;
    // The second one has the older id, and is committed first.
    let (second, first) = (ExecutionId::at(app.clock.now()), ExecutionId::at(app.clock.now() + chrono::TimeDelta::seconds(1)));
    run(&mut one, "BEGIN").await;
    write(&mut one, &shop, &script, first).await;
    run(&mut two, "BEGIN").await;
    write(&mut two, &shop, &script, second).await;
    run(&mut two, "COMMIT").await;
    let held = page(&app, &format!("cursor={begun}")).await;
    assert_eq!(items(&held), &Vec::<Value>::new(), "the first one may still write");
    run(&mut one, "COMMIT").await;
    let third = say(&shop, "third").await;
    let order = [first.to_string(), second.to_string(), third.clone(), third];
    assert_eq!(of(&stream.events(4).await), order);
    for cursor in [begun, held["cursor"].as_str().expect("a cursor")] {
        let both = page(&app, &format!("cursor={cursor}")).await;
        let ids: Vec<_> = items(&both).iter().map(|item| item["data"]["execution_id"].as_str().expect("an id")).collect();
        assert_eq!(ids, order);
    }
}

#[tokio::test]
async fn what_a_writer_held_back_that_gave_up_comes_without_another_signal() {
    let app = TestApp::start().await;
    let (shop, script) = shop(&app).await;
    let (mut one, mut two) = (app.database.connect().await, app.database.connect().await);
    let mut stream = Stream::open(&app, "").await;
    run(&mut one, "BEGIN").await;
    write(&mut one, &shop, &script, ExecutionId::at(app.clock.now())).await;
    let second = ExecutionId::at(app.clock.now());
    run(&mut two, "BEGIN").await;
    write(&mut two, &shop, &script, second).await;
    run(&mut two, "COMMIT").await;
    run(&mut one, "ROLLBACK").await;
    assert_eq!(of(&stream.events(1).await), [second.to_string()]);
}

#[tokio::test]
async fn whoever_writes_something_else_holds_nothing_back() {
    let app = TestApp::start().await;
    let (shop, _) = shop(&app).await;
    let mut import = app.database.connect().await;
    run(&mut import, "BEGIN; CREATE TEMPORARY TABLE entries (n integer); INSERT INTO entries VALUES (1)").await;
    let mut stream = Stream::open(&app, "").await;
    say(&shop, "meanwhile").await;
    assert_eq!(said(stream.events(2).await.iter().map(|event| &event.data)), ["meanwhile", "responded"]);
    assert_eq!(said_on(&page(&app, "since=1h").await), ["meanwhile", "responded"]);
    run(&mut import, "ROLLBACK").await;
}

#[tokio::test]
async fn one_sees_what_one_asks_for() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let talks = r#"log::trace("t"); log::info("i"); log::warn("w"); log::error("e, with data", #{ n: 1 }); 1"#;
    let talks = shop.deploy("/talks", talks).await;
    let fails = shop.deploy("/fails", r#"log::info("before"); throw "no such key";"#).await;
    let id = call(&shop, "/talks", 200).await;
    call(&shop, "/fails", 422).await;
    let by_id = format!("script={}", talks.id);
    let by_execution = format!("execution={id}");
    let asked: [(&str, &[&str]); 12] = [
        ("", &["t", "i", "w", "e, with data", "responded", "before", "script_failed"]),
        (by_id.as_str(), &["t", "i", "w", "e, with data", "responded"]),
        ("script=s-talks&level=info", &["i", "w", "e, with data", "responded"]),
        ("level=warn", &["w", "e, with data", "script_failed"]),
        ("level=error", &["e, with data", "script_failed"]),
        ("outcome=failed", &["before", "script_failed"]),
        ("outcome=responded&level=warn", &["w", "e, with data"]),
        ("outcome=host_fault", &[]),
        ("text=with", &["e, with data"]),
        ("text=no%20such", &["script_failed"]),
        ("text=WITH", &[]),
        (by_execution.as_str(), &["t", "i", "w", "e, with data", "responded"]),
    ];
    for (query, expected) in asked {
        for begin in ["since=1h", "tail=200"] {
            assert_eq!(said_on(&page(&app, &format!("{query}&{begin}")).await), expected, "{query} {begin}");
        }
    }
    let data = page(&app, "since=1h&text=with").await;
    assert_eq!(items(&data)[0]["data"]["data"], json!({ "n": 1 }));
    let mut stream = Stream::open(&app, "level=warn&script=s-fails").await;
    call(&shop, "/talks", 200).await;
    call(&shop, "/fails", 422).await;
    assert_eq!(stream.event().await.data["script_id"], fails.id);
    // A script of another app is none of this one's.
    let other = app.create_app("other").await.upload("theirs", "1").await;
    for unknown in ["nobody", "theirs", "%00", other.id.as_str()] {
        try_page(&app, &format!("script={unknown}")).await.fails(404, "not_found");
    }
}

#[tokio::test]
async fn one_begins_with_the_newest_or_at_a_time_or_now() {
    let app = TestApp::start().await;
    let (shop, _) = shop(&app).await;
    for n in 1..=3 {
        say(&shop, n).await;
    }
    let all = ["1", "responded", "2", "responded", "3", "responded"];
    let asked = [("tail=0", 0), ("tail=1", 1), ("tail=3", 3), ("tail=6", 6), ("tail=7", 6), ("", 6), ("tail=2&since=1h", 2)];
    for (query, newest) in asked {
        let found = page(&app, query).await;
        assert_eq!(said_on(&found), all[6 - newest..], "{query}");
        assert_eq!(found["has_more"], false, "{query}");
        // And goes on from there.
        let next = format!("cursor={}", found["cursor"].as_str().expect("a cursor"));
        assert!(items(&page(&app, &next).await).is_empty(), "{query}");
    }
    assert_eq!(said_on(&page(&app, "since=2026-01-01T00:00:00Z").await), all);
    assert!(items(&page(&app, "since=2999-01-01T00:00:00Z").await).is_empty());
    let mut stream = Stream::open(&app, "tail=2").await;
    say(&shop, 4).await;
    assert_eq!(said(stream.events(4).await.iter().map(|event| &event.data)), ["3", "responded", "4", "responded"]);
}

/// Every event from the first page on.
async fn read_on(app: &TestApp) -> Vec<Vec<Value>> {
    let (mut query, mut pages) = ("since=1h".to_owned(), Vec::new());
    loop {
        let page = page(app, &query).await;
        pages.push(items(&page).clone());
        query = format!("cursor={}", page["cursor"].as_str().expect("a cursor"));
        if page["has_more"] == false {
            return pages;
        }
    }
}

#[tokio::test]
async fn pages_are_bounded_and_hold_everything_once() {
    let app = TestApp::start().await;
    let (shop, _) = shop(&app).await;
    let executions = limits::FOLLOW_PAGE_EXECUTIONS + 1;
    for n in 0..executions {
        say(&shop, n).await;
    }
    let pages = read_on(&app).await;
    assert!(pages.len() > 1 && pages.iter().all(|page| page.len() <= 2 * limits::FOLLOW_PAGE_EXECUTIONS));
    let ids: Vec<_> = pages.iter().flatten().map(|item| item["id"].as_str().expect("an id")).collect();
    assert!(ids.is_sorted_by(|one, other| one < other), "each once, and in order");
    let mut lines = said(pages.iter().flatten().map(|item| &item["data"]));
    lines.retain(|said| said != "responded");
    assert_eq!(lines, (0..executions).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_page_holds_so_many_lines_and_the_next_one_goes_on() {
    for more in [0, 1] {
        let app = TestApp::start().await;
        let shop = app.create_app("shop").await;
        let lines = limits::FOLLOW_PAGE_LINES + more;
        shop.deploy("/many", &format!("for i in 0..{lines} {{ log::info(`${{i}}`); }} 1")).await;
        shop.get("/many").await.expect(200);
        let pages: Vec<_> = read_on(&app).await.iter().map(Vec::len).collect();
        assert_eq!(pages, [limits::FOLLOW_PAGE_LINES, more + 1]);
    }
    // And so many bytes, when lines are long.
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let (line, fitting) = (limits::LOG_LINE_BYTES_MAX, limits::FOLLOW_PAGE_BYTES as usize / limits::LOG_LINE_BYTES_MAX);
    shop.deploy("/long", &format!(r#"let s = ""; s.pad({line}, "x"); for i in 0..{fitting} {{ log::info(s); }} 1"#)).await;
    for _ in 0..2 {
        call(&shop, "/long", 200).await;
    }
    let pages: Vec<_> = read_on(&app).await.iter().map(Vec::len).collect();
    assert_eq!(pages, [fitting, 1 + fitting, 1]);
}

#[tokio::test]
async fn what_is_asked_has_its_bounds() {
    let app = TestApp::start().await;
    shop(&app).await;
    let text = |bytes: usize| format!("text={}", "x".repeat(bytes));
    try_page(&app, &text(limits::FOLLOW_TEXT_BYTES_MAX)).await.expect(200);
    try_page(&app, &text(limits::FOLLOW_TEXT_BYTES_MAX + 1)).await.fails(422, "invalid");
    try_page(&app, &format!("tail={}", limits::FOLLOW_TAIL_MAX)).await.expect(200);
    try_page(&app, &format!("tail={}", limits::FOLLOW_TAIL_MAX + 1)).await.fails(422, "invalid");
    // Of a transaction that there was not yet.
    let ahead = format!("{:016x}{}", i64::MAX, "0".repeat(56));
    for foreign in ["x", &ahead] {
        assert_eq!(try_page(&app, &format!("cursor={foreign}")).await.fails(422, "invalid").details()["field"], "cursor");
        let stream = send(ask(&app, "", Some(foreign))).await;
        assert_eq!(stream.fails(422, "invalid").details()["field"], "cursor");
    }
}

/// Calls the shop until the stream is ended from the other side; its last words.
async fn until_cut(shop: &Tenant, stream: &mut Stream) -> String {
    loop {
        say(shop, "still").await;
        let block = stream.block().await.expect("an event, or last words");
        if block.starts_with(": ") {
            assert_eq!(stream.block().await, None);
            return block;
        }
    }
}

#[tokio::test]
async fn who_loses_the_right_is_told_no_more() {
    let app = TestApp::start().await;
    let (shop, _) = shop(&app).await;
    people::add(&app, "vera", "member").await;
    people::admit(&shop, "vera", "viewer").await;
    let vera = people::login(&app, "vera").await;
    let mut stream = Stream::open(&vera, "").await;
    app.delete("/admin/apps/shop/members/vera").await.expect(204);
    assert!(until_cut(&shop, &mut stream).await.contains("not yours"));
    send(ask(&vera, "", None)).await.fails(404, "not_found");

    let key = people::key(&app, json!({ "name": "ci", "scopes": ["log:read"], "app_id": "shop" })).await;
    let holder = people::holding(&app, people::text(&key["token"]));
    let mut stream = Stream::open(&holder, "").await;
    app.delete(&format!("/admin/api-keys/{}", people::id(&key))).await.expect(204);
    assert!(until_cut(&shop, &mut stream).await.contains("not yours"));
    send(ask(&holder, "", None)).await.fails(401, "unauthenticated");
}

#[tokio::test]
async fn so_many_follow_an_app_and_a_place_that_is_left_is_free() {
    let app = TestApp::start().await;
    shop(&app).await;
    let mut streams = Vec::new();
    for _ in 0..limits::FOLLOWERS_PER_APP_MAX {
        streams.push(Stream::open(&app, "").await);
    }
    send(ask(&app, "", None)).await.fails(503, "overloaded");
    page(&app, "").await;
    streams.pop();
    eventually("the place is free", WITHIN, async || {
        let response = ask(&app, "", None).send().await.expect("the server answers");
        (response.status().as_u16() == 200).then_some(response)
    })
    .await;
}

#[tokio::test]
async fn so_many_follow_on_a_node() {
    let app = TestApp::start().await;
    let apps = limits::FOLLOWERS_MAX / limits::FOLLOWERS_PER_APP_MAX;
    let mut streams = Vec::new();
    let open = async |slug: &str| {
        let request = app.request(Method::GET, &format!("/admin/apps/{slug}/logs")).bearer_auth(&app.token);
        request.header("accept", "text/event-stream").send().await.expect("the server answers")
    };
    for n in 0..=apps {
        app.create_app(&format!("app-{n}")).await;
    }
    for n in 0..limits::FOLLOWERS_MAX {
        let response = open(&format!("app-{}", n % apps)).await;
        assert_eq!(response.status().as_u16(), 200, "{n}");
        streams.push(response);
    }
    Reply::read(open(&format!("app-{apps}")).await).await.fails(503, "overloaded");
}

#[tokio::test]
async fn a_node_that_drains_ends_its_streams() {
    let app = TestApp::start().await;
    shop(&app).await;
    let mut stream = Stream::open(&app, "").await;
    app.drain();
    let last_words = stream.block().await.expect("last words");
    assert!(last_words.starts_with(": ") && last_words.contains("stopping"), "{last_words}");
    assert_eq!(stream.block().await, None);
    send(ask(&app, "", None)).await.fails(503, "overloaded");
}

#[tokio::test]
async fn whoever_follows_an_app_to_which_nothing_happens_asks_nothing() {
    let app = TestApp::start().await;
    let (shop, _) = shop(&app).await;
    let mut stream = Stream::open(&app, "").await;
    let mut db = app.database.connect().await;
    // Connections of the node on which something was asked of late; a look at the right comes every half a minute.
    eventually("nothing is asked for three seconds", WITHIN, async || {
        let busy = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'picloud%'
                      AND (state <> 'idle' OR state_change > clock_timestamp() - interval '3 seconds')";
        let busy: i64 = sqlx::query_scalar(busy).fetch_one(&mut db).await.expect("a count");
        (busy == 0).then_some(())
    })
    .await;
    say(&shop, "woken").await;
    assert_eq!(stream.event().await.data["message"], "woken");
}

#[tokio::test]
async fn what_could_not_be_kept_is_told_to_those_who_follow_its_app() {
    let app = TestApp::start().await;
    let (shop, _) = shop(&app).await;
    let other = app.create_app("other").await;
    let mut stream = Stream::open(&app, "").await;
    for (tenant, records, lines) in [(&other, 1, 1), (&shop, 2, 9)] {
        app.services.follow.lost(tenant.id.parse().expect("an id"), Lost { records, lines });
    }
    let told = stream.event().await;
    assert_eq!((told.name.as_str(), told.id.as_str(), told.data), ("dropped", "", json!({ "records": 2, "lines": 9 })));
}

#[tokio::test]
async fn records_of_another_server_are_not_followed() {
    let app = TestApp::start().await;
    let (shop, script) = shop(&app).await;
    let mut db = app.database.connect().await;
    write(&mut db, &shop, &script, ExecutionId::at(app.clock.now())).await;
    run(&mut db, "UPDATE executions SET txid = txid + 1000000000000").await;
    let own = say(&shop, "own").await;
    page(&app, "").await;
    assert_eq!((disown(&app.services).await.expect("the database"), disown(&app.services).await.expect("the database")), (1, 0));
    let page = page(&app, "since=1h").await;
    let ids: BTreeSet<_> = items(&page).iter().map(|item| item["data"]["execution_id"].clone().to_string()).collect();
    assert_eq!(ids, BTreeSet::from([json!(own).to_string()]));
}
