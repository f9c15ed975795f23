//! Domains of apps: claimed, proven by the DNS, over HTTP or by somebody's word, and what is answered there.

mod proofs;

use std::sync::Arc;

use picloud::egress::{Network, Own, Table};
use picloud::limits;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::send;
use crate::support::cluster::run;
use crate::support::origin::Internet;
use crate::support::{Client, Options, Reply, Tenant, TestApp};

const PUBLIC: &str = "93.184.216.34";
const PASSWORD: &str = "correct horse battery";

async fn start(internet: Internet) -> (TestApp, Arc<Table>) {
    start_on(internet.table(), Own::default()).await
}

async fn start_on(table: Arc<Table>, own: Own) -> (TestApp, Arc<Table>) {
    let network = Network::Table(table.clone());
    (TestApp::start_with(Options { network, own, ..Options::default() }).await, table)
}

async fn try_claim(shop: &Tenant, host: &str) -> Reply {
    shop.client.post(&format!("/admin/apps/{}/domains", shop.id), json!({ "host": host })).await
}

async fn claim(shop: &Tenant, host: &str) -> Value {
    try_claim(shop, host).await.expect(201).json()
}

fn path(domain: &Value) -> String {
    format!("/admin/apps/{}/domains/{}", domain["app_id"].as_str().expect("an id"), domain["id"].as_str().expect("an id"))
}

async fn verify(client: &Client, domain: &Value, method: &str) -> Reply {
    client.post(&format!("{}/verify", path(domain)), json!({ "method": method })).await
}

/// What the owner of the name does.
fn publish(table: &Table, domain: &Value) {
    let dns = &domain["proofs"]["dns"];
    table.publish(dns["name"].as_str().expect("a name"), &["v=spf1 -all", dns["value"].as_str().expect("a value")]);
}

/// Claims and proves a name.
async fn hold(shop: &Tenant, table: &Table, host: &str) -> Value {
    let domain = claim(shop, host).await;
    publish(table, &domain);
    verify(&shop.client, &domain, "dns").await.expect(200).json()
}

/// A person who administrates these apps and nothing else.
async fn person(app: &TestApp, name: &str, apps: &[&Tenant]) -> Client {
    app.post("/admin/users", json!({ "username": name, "password": PASSWORD, "role": "member" })).await.expect(201);
    for tenant in apps {
        let member = format!("/admin/apps/{}/members/{name}", tenant.id);
        app.put(&member, json!({ "role": "app_admin" })).await.expect(200);
    }
    let mut client = app.client.clone();
    client.login(name, PASSWORD).await;
    client
}

async fn at(app: &Client, host: &str, path: &str) -> String {
    let reply = app.call(host, "GET", path, "", &[]).await;
    if reply.status == 200 { reply.text() } else { reply.status.to_string() }
}

#[tokio::test]
async fn a_claim_says_how_to_prove_it_and_leads_nowhere() {
    let (app, _) = start(Internet::default()).await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", "1").await;
    let made = try_claim(&shop, "Shop.Example.com").await.expect(201);
    let domain = made.json();
    assert_eq!(made.header("location"), Some(format!("/api/v1{}", path(&domain)).as_str()));
    assert_eq!((&domain["host"], &domain["state"]), (&json!("shop.example.com"), &json!("pending")));
    assert_eq!((&domain["proven_by"], &domain["verified_at"]), (&Value::Null, &Value::Null));
    let token = domain["proofs"]["http"]["body"].as_str().expect("a token").to_owned();
    assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
    let proofs = json!({
        "dns": { "name": "_picloud.shop.example.com", "type": "TXT", "value": format!("picloud-verify={token}") },
        "http": { "url": "http://shop.example.com/.well-known/picloud-domain", "body": token },
    });
    assert_eq!(domain["proofs"], proofs);
    let read = app.get(&path(&domain)).await.expect(200);
    assert_eq!((read.json(), read.header("etag")), (domain.clone(), made.header("etag")));
    let wildcard = claim(&shop, "*.example.com").await;
    assert_eq!((&wildcard["host"], &wildcard["proofs"]["http"]), (&json!("*.example.com"), &Value::Null));
    assert_ne!(wildcard["proofs"]["dns"]["value"], domain["proofs"]["dns"]["value"], "each claim has a token of its own");
    let listed = app.get("/admin/apps/shop/domains").await.expect(200).json();
    assert_eq!(listed, json!({ "items": [domain, wildcard], "cursor": null }));
    for host in ["shop.example.com", "a.example.com"] {
        assert_eq!(at(&app, host, "/x").await, "404", "{host}");
    }
    let again = try_claim(&shop, "shop.example.com").await.fails(409, "conflict");
    assert_eq!(again.details()["domain"]["id"], domain["id"]);
}

#[tokio::test]
async fn what_is_no_domain_is_refused_by_the_field() {
    let (app, _) = start(Internet::default()).await;
    let shop = app.create_app("shop").await;
    for host in ["", "com", "*.com", "shop.example.com:80", "http://shop.example.com", "10.0.0.1", "[::1]", "b\u{fc}cher.example"]
    {
        assert_eq!(try_claim(&shop, host).await.fails(422, "invalid").details()["field"], "host", "{host}");
    }
    for host in ["localhost", "shop.localhost", "*.localhost", "api.shop.localhost", "*.shop.localhost"] {
        assert_eq!(try_claim(&shop, host).await.fails(422, "invalid").details()["field"], "host", "{host}");
    }
    let domain = claim(&shop, "shop.example.com").await;
    assert_eq!(verify(&app, &domain, "email").await.fails(422, "invalid").details()["field"], "method");
}

#[tokio::test]
async fn a_wildcard_is_not_proven_over_http() {
    let (app, table) = start(Internet::default()).await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", "1").await;
    let domain = claim(&shop, "*.example.com").await;
    assert_eq!(verify(&app, &domain, "http").await.fails(422, "invalid").details()["field"], "method");
    assert!(table.seen().is_empty());
    publish(&table, &domain);
    verify(&app, &domain, "dns").await.expect(200);
    for (host, expected) in [("a.example.com", "1"), ("b.example.com", "1"), ("example.com", "404"), ("a.b.example.com", "404")] {
        assert_eq!(at(&app, host, "/x").await, expected, "{host}");
    }
}

#[tokio::test]
async fn a_pending_claim_blocks_nobody() {
    let (app, table) = start(Internet::default()).await;
    let (squatter, shop) = (app.create_app("squatter").await, app.create_app("shop").await);
    shop.deploy("/x", r#""shop""#).await;
    squatter.deploy("/x", r#""squatter""#).await;
    let squatted = claim(&squatter, "shop.example.com").await;
    hold(&shop, &table, "shop.example.com").await;
    assert_eq!(at(&app, "shop.example.com", "/x").await, r#""shop""#);
    // The name is held now, whatever the other one might show.
    publish(&table, &squatted);
    for method in ["dns", "http", "operator"] {
        let taken = verify(&app, &squatted, method).await.fails(409, "domain_taken");
        assert_eq!(
            (&taken.details()["field"], &taken.details()["host"]),
            (&json!("host"), &json!("shop.example.com")),
            "{method}"
        );
        assert_eq!(taken.details()["app"], json!({ "id": shop.id, "slug": "shop" }), "who administrates the instance sees all");
    }
    assert_eq!(app.get(&path(&squatted)).await.expect(200).json()["state"], "pending");
    assert_eq!(at(&app, "shop.example.com", "/x").await, r#""shop""#);
}

#[tokio::test]
async fn who_holds_a_domain_is_not_told_to_strangers() {
    let (app, table) = start(Internet::default()).await;
    let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
    hold(&shop, &table, "shop.example.com").await;
    let ada = person(&app, "ada", &[&other]).await;
    let mine = Tenant { client: ada.clone(), ..other };
    let taken = verify(&ada, &claim(&mine, "shop.example.com").await, "dns").await.fails(409, "domain_taken");
    assert_eq!(taken.details(), json!({ "field": "host", "host": "shop.example.com" }));
    assert!(!taken.text().contains(&shop.id), "{}", taken.text());
}

#[tokio::test]
async fn of_many_who_prove_a_name_at_once_one_holds_it() {
    let (app, table) = start(Internet::default()).await;
    let mut claims = Vec::new();
    for n in 0..6 {
        claims.push(claim(&app.create_app(&format!("app{n}")).await, "shop.example.com").await);
    }
    let values: Vec<_> = claims.iter().map(|domain| domain["proofs"]["dns"]["value"].as_str().expect("a value")).collect();
    table.publish("_picloud.shop.example.com", &values);
    let tries: Vec<_> = claims
        .iter()
        .map(|domain| {
            let (client, domain) = (app.client.clone(), domain.clone());
            tokio::spawn(async move { verify(&client, &domain, "dns").await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for attempt in tries {
        statuses.push(attempt.await.expect("a call"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn exact_beats_wildcard() {
    let (app, table) = start(Internet::default()).await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    one.deploy("/x", r#""one""#).await;
    two.deploy("/x", r#""two""#).await;
    hold(&one, &table, "*.example.com").await;
    assert_eq!(at(&app, "api.example.com", "/x").await, r#""one""#);
    let exact = hold(&two, &table, "api.example.com").await;
    assert_eq!(at(&app, "api.example.com", "/x").await, r#""two""#);
    assert_eq!(at(&app, "other.example.com", "/x").await, r#""one""#);
    app.delete(&path(&exact)).await.expect(204);
    assert_eq!(at(&app, "api.example.com", "/x").await, r#""one""#);
}

#[tokio::test]
async fn a_released_domain_stops_answering_at_once_and_is_free() {
    let (app, table) = start(Internet::default()).await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    one.deploy("/x", r#""one""#).await;
    two.deploy("/x", r#""two""#).await;
    let domain = hold(&one, &table, "shop.example.com").await;
    let of_another_state = app.request(Method::DELETE, &path(&domain)).bearer_auth(&app.token).header("if-match", "\"another\"");
    send(of_another_state).await.fails(412, "precondition_failed");
    assert_eq!(at(&app, "shop.example.com", "/x").await, r#""one""#);
    app.delete(&path(&domain)).await.expect(204);
    assert_eq!(at(&app, "shop.example.com", "/x").await, "404");
    app.get(&path(&domain)).await.fails(404, "not_found");
    app.delete(&path(&domain)).await.fails(404, "not_found");
    hold(&two, &table, "shop.example.com").await;
    assert_eq!(at(&app, "shop.example.com", "/x").await, r#""two""#);
    // What goes with its app is free too.
    app.delete("/admin/apps/two?force=true").await.expect(204);
    assert_eq!(at(&app, "shop.example.com", "/x").await, "404");
    hold(&one, &table, "shop.example.com").await;
}

#[tokio::test]
async fn routes_name_hosts_of_proven_domains_which_then_stay() {
    let (app, table) = start(Internet::default()).await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("api", r#""api""#).await;
    let route = |host: &str| json!({ "path": "/x", "host": host });
    let exact = claim(&shop, "shop.example.com").await;
    let refused = shop.try_route(&script, route("shop.example.com")).await.fails(422, "invalid");
    assert_eq!(refused.details()["field"], "host", "a claim is not enough");
    publish(&table, &exact);
    verify(&app, &exact, "dns").await.expect(200);
    let wildcard = hold(&shop, &table, "*.example.org").await;
    for host in ["www.shop.example.com", "*.shop.example.com", "example.org", "a.b.example.org", "*.a.example.org", "example.net"]
    {
        shop.try_route(&script, route(host)).await.fails(422, "invalid");
    }
    let mut made = Vec::new();
    for host in ["shop.example.com", "api.example.org", "*.example.org"] {
        made.push(shop.route(&script, route(host)).await);
    }
    for (host, expected) in [("shop.example.com", r#""api""#), ("api.example.org", r#""api""#), ("shop.localhost", "404")] {
        assert_eq!(at(&app, host, "/x").await, expected, "{host}");
    }
    // Such a route has nothing to do with the slug.
    app.patch("/admin/apps/shop", json!({ "slug": "store" })).await.expect(200);
    for (domain, routes) in [(&exact, &made[..1]), (&wildcard, &made[1..])] {
        for route in routes {
            let held = app.delete(&path(domain)).await.fails(409, "conflict");
            assert!(routes.iter().any(|route| held.details()["route"]["id"] == route["id"]), "{}", held.text());
            let id = route["id"].as_str().expect("an id");
            app.delete(&format!("/admin/scripts/{}/routes/{id}", script.id)).await.expect(204);
        }
    }
    app.delete(&path(&exact)).await.expect(204);
    // One that is within another domain of the app is in nobody's way.
    let within = hold(&shop, &table, "api.example.org").await;
    shop.route(&script, route("api.example.org")).await;
    app.delete(&path(&within)).await.expect(204);
    assert_eq!(at(&app, "api.example.org", "/x").await, r#""api""#);
    app.delete(&path(&wildcard)).await.fails(409, "conflict");
}

#[tokio::test]
async fn whoever_administrates_the_instance_may_vouch_for_a_name() {
    let (app, table) = start(Internet::default()).await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", "1").await;
    let domain = claim(&shop, "nas.lan").await;
    let ada = person(&app, "ada", &[&shop]).await;
    let refused = verify(&ada, &domain, "operator").await.fails(403, "forbidden");
    assert_eq!(refused.details()["scope"], "instance:admin");
    let key = app.post("/admin/api-keys", json!({ "name": "ci", "scopes": ["domain:manage"] })).await.expect(201).json();
    let by_key = Client { token: key["token"].as_str().expect("a token").to_owned(), ..app.client.clone() };
    verify(&by_key, &domain, "operator").await.fails(403, "forbidden");
    assert_eq!(at(&app, "nas.lan", "/x").await, "404");
    let verified = verify(&app, &domain, "operator").await.expect(200).json();
    assert_eq!((&verified["state"], &verified["proven_by"]), (&json!("verified"), &json!("operator")));
    assert_eq!(at(&app, "nas.lan", "/x").await, "1");
    assert!(table.seen().is_empty(), "nothing was looked for");
}

#[tokio::test]
async fn a_domain_under_another_app_is_not_there() {
    let (app, _) = start(Internet::default()).await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    let domain = claim(&one, "shop.example.com").await;
    let foreign = json!({ "app_id": two.id, "id": domain["id"] });
    app.get(&path(&foreign)).await.fails(404, "not_found");
    for method in ["dns", "http", "operator"] {
        verify(&app, &foreign, method).await.fails(404, "not_found");
    }
    app.delete(&path(&foreign)).await.fails(404, "not_found");
    let eve = person(&app, "eve", &[&two]).await;
    eve.get(&path(&domain)).await.fails(404, "not_found");
    verify(&eve, &domain, "dns").await.fails(404, "not_found");
    eve.delete(&path(&domain)).await.fails(404, "not_found");
    eve.get("/admin/apps/one/domains").await.fails(404, "not_found");
    assert_eq!(app.get(&path(&domain)).await.expect(200).json(), domain);
}

#[tokio::test]
async fn an_app_has_so_many_domains() {
    let (app, _) = start(Internet::default()).await;
    let shop = app.create_app("shop").await;
    let fill = format!(
        "INSERT INTO domains (id, app_id, host, is_wildcard, token, state, created_at, updated_at)
         SELECT gen_random_uuid(), '{}', 'h' || n || '.example.com', false, repeat('0', 64), 'pending', now(), now()
         FROM generate_series(2, {}) n",
        shop.id,
        limits::DOMAINS_PER_APP_MAX
    );
    run(&mut app.database.connect().await, &fill).await;
    let last = claim(&shop, "last.example.com").await;
    try_claim(&shop, "more.example.com").await.fails(422, "limit_reached");
    app.delete(&path(&last)).await.expect(204);
    claim(&shop, "more.example.com").await;
}
