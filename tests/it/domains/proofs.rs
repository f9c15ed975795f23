//! What proves a domain, and what does not.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use picloud::egress::{Own, Table};
use picloud::limits;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use super::{PUBLIC, at, claim, hold, publish, start, start_on, verify};
use crate::support::origin::{Internet, Origin, answer, to};

#[tokio::test]
async fn a_txt_record_proves_a_domain() {
    let (app, table) = start(Internet::default()).await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", "ctx.request.headers.host").await;
    let domain = claim(&shop, "shop.example.com").await;
    let name = "_picloud.shop.example.com";
    let missing = verify(&app, &domain, "dns").await.fails(422, "not_proven");
    let expected = domain["proofs"]["dns"]["value"].as_str().expect("a value");
    assert_eq!(missing.details(), json!({ "method": "dns", "expected": expected, "found": [] }));
    assert!(missing.message().contains(name) && missing.message().contains(expected), "{}", missing.message());

    // What others wrote is told, but not at length, and nothing that steers its reader.
    let long = "x".repeat(1000);
    table.publish(
        name,
        &["picloud-verify=00", &expected.to_uppercase(), &format!("{expected} "), "a\u{202e}b\u{1b}[31m\n", &long],
    );
    let found = verify(&app, &domain, "dns").await.fails(422, "not_proven").details()["found"].clone();
    assert_eq!((&found[0], &found[3]), (&json!("picloud-verify=00"), &json!("a\u{fffd}b\u{fffd}[31m\u{fffd}")));
    assert!(found[4].as_str().expect("text").len() <= limits::DOMAIN_FOUND_BYTES_MAX + "…".len());
    table.publish(name, &["x"; 50]);
    let found = verify(&app, &domain, "dns").await.fails(422, "not_proven").details()["found"].clone();
    assert_eq!(found.as_array().expect("a list").len(), limits::DOMAIN_FOUND_ITEMS_MAX);
    assert_eq!(at(&app, "shop.example.com", "/x").await, "404");

    publish(&table, &domain);
    let verified = verify(&app, &domain, "dns").await.expect(200);
    let now = verified.json();
    assert_eq!((&now["state"], &now["proven_by"]), (&json!("verified"), &json!("dns")));
    assert!(now["verified_at"].is_string() && now["updated_at"] != domain["updated_at"]);
    assert_eq!(at(&app, "shop.example.com", "/x").await, r#""shop.example.com""#);
    assert_eq!(at(&app, "SHOP.Example.com.:8080", "/x").await, r#""SHOP.Example.com.:8080""#);
    assert_eq!(at(&app, "shop.localhost", "/x").await, r#""shop.localhost""#, "beside its own name");
    for host in ["www.shop.example.com", "example.com", "xshop.example.com", "shop.example.com.evil.test"] {
        assert_eq!(at(&app, host, "/x").await, "404", "{host}");
    }
    // What is proven is not looked for again.
    let looks = table.seen().len();
    table.publish(name, &[]);
    assert_eq!(verify(&app, &domain, "dns").await.expect(200).json(), now);
    assert_eq!(verify(&app, &domain, "http").await.expect(200).json(), now);
    assert_eq!(table.seen().len(), looks);
    let log = app.get("/admin/apps/shop/audit").await.expect(200);
    let rows = log.json()["items"].as_array().expect("items").clone();
    let actions: Vec<_> =
        rows.iter().filter_map(|row| row["action"].as_str()).filter(|action| action.starts_with("domain")).collect();
    assert_eq!(actions, ["domain.verify", "domain.claim"]);
    assert!(!log.text().contains(&expected["picloud-verify=".len()..]), "no token in the log");
}

#[tokio::test]
async fn an_answer_at_the_host_proves_it() {
    let says: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    let origin = Origin::plain({
        let says = says.clone();
        move |_| says.lock().expect("not poisoned").clone()
    })
    .await;
    let internet = Internet::default().host("shop.example.com", &format!("{PUBLIC}:80"), &origin);
    let (app, table) = start(internet).await;
    let shop = app.create_app("shop").await;
    shop.deploy("/x", r#""here""#).await;
    let domain = claim(&shop, "shop.example.com").await;
    let token = domain["proofs"]["http"]["body"].as_str().expect("a token").to_owned();
    let padded = |bytes: usize| format!("{token}{}", "\n".repeat(bytes - token.len()));
    let max = limits::DOMAIN_PROOF_BODY_BYTES_MAX;
    for (wrong, shown) in [
        (answer("200 OK", &[], "something else"), "something else"),
        (answer("404 Not Found", &[], &token), "status 404"),
        (answer("200 OK", &[], token.to_uppercase()), "status 200"),
        (answer("200 OK", &[], format!("x{token}")), "status 200"),
        (answer("200 OK", &[], padded(max + 1)), "status 200"),
        (answer("200 OK", &[], "y".repeat(1 << 20)), "more than 16384 bytes"),
        (to("302 Found", "http://shop.example.com/elsewhere"), "status 302"),
    ] {
        *says.lock().expect("not poisoned") = wrong;
        let refused = verify(&app, &domain, "http").await.fails(422, "not_proven");
        let found = refused.details()["found"].to_string();
        assert!(found.contains(shown), "{shown}: {found}");
        assert_eq!((&refused.details()["method"], &refused.details()["expected"]), (&json!("http"), &json!(token)));
    }
    for broken in ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf"] {
        *says.lock().expect("not poisoned") = Some(broken.as_bytes().to_vec());
        verify(&app, &domain, "http").await.fails(503, "unavailable");
    }
    *says.lock().expect("not poisoned") = answer("200 OK", &[], padded(max));
    let verified = verify(&app, &domain, "http").await.expect(200).json();
    assert_eq!(verified["proven_by"], "http");
    assert_eq!(at(&app, "shop.example.com", "/x").await, r#""here""#);
    for request in origin.received() {
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            ("GET", "/.well-known/picloud-domain"),
            "no redirect is followed"
        );
        assert_eq!((request.header("host"), request.header("accept-encoding")), (Some("shop.example.com"), Some("identity")));
    }
    assert!(table.seen().iter().all(|seen| seen == "shop.example.com" || *seen == format!("{PUBLIC}:80")), "{:?}", table.seen());
}

#[tokio::test]
async fn a_proof_is_fetched_from_public_addresses_only() {
    let origin = Origin::plain(|_| answer("200 OK", &[], "never")).await;
    let mut internet = Internet::default().host("own.example.com", &format!("{PUBLIC}:80"), &origin).machine(PUBLIC);
    let inside = ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "::1", "fd00::1", "::ffff:127.0.0.1"];
    for (n, address) in inside.iter().enumerate() {
        internet = internet.name(&format!("h{n}.example.com"), &[&[*address]]);
    }
    let internet = internet.name("mixed.example.com", &[&[PUBLIC, "10.0.0.1"]]);
    let own = Own { sockets: vec!["0.0.0.0:80".parse().expect("a socket")], names: Vec::new() };
    let (app, table) = start_on(internet.table(), own).await;
    let shop = app.create_app("shop").await;
    // A grant is for scripts: it opens nothing here.
    app.patch("/admin/apps/shop/grants", json!({ "http": ["*", "10.0.0.0/8", "192.168.0.0/16"] })).await.expect(200);
    let names =
        (0..inside.len()).map(|n| format!("h{n}.example.com")).chain(["mixed.example.com", "own.example.com"].map(str::to_owned));
    for name in names {
        let refused = verify(&app, &claim(&shop, &name).await, "http").await.fails(422, "not_proven");
        assert!(refused.message().contains(&format!("`{name}` leads to")), "{}", refused.message());
        assert!(inside.iter().all(|address| !refused.text().contains(address)), "{}", refused.text());
    }
    assert!(table.seen().iter().all(|seen| seen.ends_with(".example.com")), "nothing was connected to: {:?}", table.seen());
    assert!(origin.received().is_empty());
    let nowhere = verify(&app, &claim(&shop, "nowhere.example.com").await, "http").await.fails(503, "unavailable");
    assert!(nowhere.message().contains("has no address"), "{}", nowhere.message());
}

/// A server that hands its connections on to an address, once that is known.
async fn forwarder() -> (SocketAddr, Arc<OnceLock<SocketAddr>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (address, known) = (listener.local_addr().expect("an address"), Arc::<OnceLock<SocketAddr>>::default());
    let there = known.clone();
    tokio::spawn(async move {
        while let Ok((mut here, _)) = listener.accept().await {
            let there = *there.get().expect("known by now");
            tokio::spawn(async move {
                let mut there = TcpStream::connect(there).await.expect("it listens");
                let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
            });
        }
    });
    (address, known)
}

#[tokio::test]
async fn this_platform_never_answers_proofs_of_its_own_claims() {
    let (forwarder, data_plane) = forwarder().await;
    let public: SocketAddr = format!("{PUBLIC}:80").parse().expect("a socket");
    let hosts = ["shop.example.com", "api.example.org"];
    let table = Table {
        names: hosts.iter().map(|host| ((*host).to_owned(), vec![vec![public.ip()]])).collect(),
        servers: HashMap::from([(public, forwarder)]),
        ..Table::default()
    };
    let (app, table) = start_on(Arc::new(table), Own::default()).await;
    data_plane.set(app.data.strip_prefix("http://").expect("a URL").parse().expect("an address")).expect("set once");
    let (shop, thief) = (app.create_app("shop").await, app.create_app("thief").await);

    // The name leads here already, for whatever reason; a thief claims it.
    let domain = claim(&thief, "shop.example.com").await;
    let refused = verify(&app, &domain, "http").await.fails(422, "not_proven");
    assert_eq!(refused.details()["found"][0], "status 404");
    assert!(table.seen().contains(&public.to_string()), "it was really asked");
    let token = domain["proofs"]["http"]["body"].as_str().expect("a token");
    for host in ["shop.example.com", "thief.localhost", "localhost"] {
        let reply = app.call(host, "GET", "/.well-known/picloud-domain", "", &[]).await.expect(404);
        assert!(!reply.text().contains(token), "{host}: {}", reply.text());
    }

    // Below somebody's wildcard that one's scripts would answer, whatever they are told to.
    hold(&shop, &table, "*.example.org").await;
    let domain = claim(&thief, "api.example.org").await;
    let token = domain["proofs"]["http"]["body"].as_str().expect("a token");
    shop.deploy("/.well-known/picloud-domain", &format!("#{{ statusCode: 200, body: {token:?} }}")).await;
    assert_eq!(at(&app, "api.example.org", "/.well-known/picloud-domain").await, token);
    let refused = verify(&app, &domain, "http").await.fails(422, "invalid");
    assert_eq!(refused.details()["field"], "method");
    assert!(refused.message().contains("wildcard of another app"), "{}", refused.message());
    // The wildcard's holder may: it answers there by right.
    let own = claim(&shop, "api.example.org").await;
    let token = own["proofs"]["http"]["body"].as_str().expect("a token");
    let script = shop.upload("proof", &format!("#{{ statusCode: 200, body: {token:?} }}")).await;
    shop.route(&script, json!({ "path": "/.well-known/picloud-domain", "host": "api.example.org" })).await;
    verify(&app, &own, "http").await.expect(200);
}

#[tokio::test]
async fn looks_at_proofs_are_bounded_in_number_and_time() {
    let silent = Origin::plain(|_| None).await;
    let internet = Internet::default().host("shop.example.com", &format!("{PUBLIC}:80"), &silent);
    let (app, _) = start(internet).await;
    let shop = app.create_app("shop").await;
    let domain = claim(&shop, "shop.example.com").await;
    let looks: Vec<_> = (0..=limits::DOMAIN_PROOFS_PER_APP_MAX)
        .map(|_| {
            let (client, domain) = (app.client.clone(), domain.clone());
            tokio::spawn(async move { verify(&client, &domain, "http").await })
        })
        .collect();
    let mut codes = Vec::new();
    for look in looks {
        let reply = look.await.expect("a call");
        codes.push((reply.status, reply.json()["error"]["code"].as_str().expect("a code").to_owned()));
    }
    codes.sort_unstable();
    let expected = [(429, "rate_limited"), (504, "timed_out"), (504, "timed_out")];
    assert_eq!(codes, expected.map(|(status, code)| (status, code.to_owned())));
    assert_eq!(silent.received().len(), limits::DOMAIN_PROOFS_PER_APP_MAX);
}
