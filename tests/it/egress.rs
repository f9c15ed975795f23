//! The way out for scripts: which addresses, how often, how much. Straight at the client, with servers of the test's own behind
//! public addresses; what scripts see of it is in `http.rs`.

mod bounds;

use std::collections::BTreeMap;
use std::sync::Arc;

use picloud::egress::{Allowance, Client, Network, Own, Settings, Table, Traveller};
use picloud::error::Error;
use picloud::id::AppId;
use picloud::limits::HTTP_REQUESTS_PER_INVOCATION_MAX;
use picloud::model::grant::Grants;
use picloud::model::http::{Asked, Redirects, Request, Response};

use crate::support::origin::{Internet, Origin, answer, gzip, to};

const PUBLIC: &str = "93.184.216.34";
const OTHER: &str = "198.41.0.4";

fn grants(patterns: &[&str]) -> Grants {
    let list = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    Grants::stated(BTreeMap::from([("http".to_owned(), list)])).expect("grants")
}

fn asked(url: &str) -> Asked {
    Asked {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: None,
        redirects: Redirects::Follow,
        timeout_ms: None,
    }
}

/// A client and an app with its grants.
struct Way {
    client: Client,
    grants: Grants,
    table: Arc<Table>,
}

impl Way {
    fn new(internet: Internet, patterns: &[&str]) -> Self {
        Self::with_own(internet, patterns, Own::default())
    }

    fn with_own(internet: Internet, patterns: &[&str], own: Own) -> Self {
        let table = internet.table();
        let client = Client::new(Settings { network: Network::Table(table.clone()), own });
        Self { client, grants: grants(patterns), table }
    }

    async fn send(&self, asked: Asked) -> Result<Response, Error> {
        self.send_for(1, &Allowance::of(HTTP_REQUESTS_PER_INVOCATION_MAX), asked).await
    }

    async fn send_for(&self, app: u128, allowance: &Allowance, asked: Asked) -> Result<Response, Error> {
        let app = AppId(uuid::Uuid::from_u128(app));
        let traveller = Traveller { app, slug: "shop", grants: &self.grants, allowance, may_go: &|| Ok(()) };
        let url = asked.url.clone();
        let sent = self.client.send(traveller, Request::read(asked)?).await;
        if let Err(error) = &sent {
            let text = format!("{error} {:?}", error.details);
            for address in self.table.names.values().flatten().flatten().chain(&self.table.machine) {
                // What the script named itself it may read.
                let address = address.to_string();
                assert!(url.contains(&address) || !text.contains(&address), "an address in an error: {text}");
            }
        }
        sent
    }

    async fn get(&self, url: &str) -> Result<Response, Error> {
        self.send(asked(url)).await
    }

    /// The code of the failure, and its words.
    async fn fails(&self, url: &str) -> (&'static str, String) {
        let error = self.get(url).await.expect_err(url);
        (error.code, error.message.into_owned())
    }
}

async fn hello() -> Origin {
    Origin::plain(|_| answer("200 OK", &[], "hello")).await
}

#[tokio::test]
async fn an_answer_comes_back_whole() {
    let origin = hello().await;
    let way = Way::new(Internet::default().host("api.example.com", "93.184.216.34:80", &origin), &["api.example.com"]);
    let response = way.get("http://api.example.com/a?b=c").await.expect("an answer");
    assert_eq!((response.status, response.body.as_slice()), (200, &b"hello"[..]));
    let received = &origin.received()[0];
    assert_eq!((received.method.as_str(), received.target.as_str()), ("GET", "/a?b=c"));
    assert_eq!(received.header("host"), Some("api.example.com"));
    assert_eq!(received.header("user-agent"), Some(concat!("picloud/", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_connected_to_as_judged() {
    let origin = hello().await;
    // The second lookup would lead to this machine: a name that answers otherwise when it is asked again.
    let internet = Internet::default().name("rebind.example", &[&[PUBLIC], &["127.0.0.1"]]).server("93.184.216.34:80", &origin);
    let way = Way::new(internet.server("127.0.0.1:80", &origin), &["*"]);
    assert!(way.get("http://rebind.example/").await.is_ok());
    assert_eq!(way.table.seen(), ["rebind.example", "93.184.216.34:80"]);
    let (code, message) = way.fails("http://rebind.example/").await;
    assert_eq!(code, "denied", "{message}");
    assert!(message.contains("a loopback address"), "{message}");
    assert_eq!(way.table.seen().len(), 3, "looked up again, not connected to: {:?}", way.table.seen());
    assert_eq!(origin.received().len(), 1);
}

#[tokio::test]
async fn an_answer_that_mixes_public_and_private_addresses_is_refused() {
    let origin = hello().await;
    for answer in [&[PUBLIC, "10.0.0.1"][..], &["10.0.0.1", PUBLIC], &[PUBLIC, OTHER, "fd00::1"], &[PUBLIC, "::ffff:127.0.0.1"]] {
        let way = Way::new(Internet::default().name("mixed.example", &[answer]).server("93.184.216.34:80", &origin), &["*"]);
        assert_eq!(way.fails("http://mixed.example/").await.0, "denied", "{answer:?}");
        assert_eq!(way.table.seen(), ["mixed.example"], "nothing was connected to");
    }
    assert!(origin.received().is_empty());
}

#[tokio::test]
async fn no_form_of_an_address_gets_around_its_class() {
    let way = Way::new(Internet::default(), &["*"]);
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "127.255.255.254",
        "0",
        "0.0.0.0",
        "00.0.0x0.0",
        "10.0.0.1",
        "0xa000001",
        "10.1",
        "172.16.0.1",
        "192.168.0.1",
        "3232235521",
        "169.254.169.254",
        "0xa9fea9fe",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:10.0.0.1]",
        "[::127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::10.0.0.1]",
        "[2002:7f00:1::]",
        "[2002:a00:1::1]",
        "[2001:0:1:2:3:4:80ff:fffe]",
        "[fe80::1]",
        "[fec0::1]",
        "[fc00::1]",
        "[fd12:3456::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[2001:10::1]",
        "[100::1]",
        "\u{2460}27.0.0.1",
        "127\u{3002}0.0.1",
        "%31%32%37.0.0.1",
    ] {
        let (code, message) = way.fails(&format!("http://{host}/")).await;
        assert_eq!(code, "denied", "{host}: {message}");
        assert!(message.contains("address"), "{message}");
    }
    for host in
        ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1%25lo]", "user@127.0.0.1", "a:b@127.0.0.1", "127.0.0.1..", "1.2.3.4.5"]
    {
        assert_eq!(way.fails(&format!("http://{host}/")).await.0, "invalid", "{host}");
    }
    assert!(way.table.seen().is_empty(), "nothing was looked up or connected to: {:?}", way.table.seen());
}

#[tokio::test]
async fn names_that_lead_home_are_refused_by_what_they_lead_to() {
    for address in ["127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1", "10.0.0.1", "fd00::1", "169.254.169.254", "2002:a00:1::1"]
    {
        let way = Way::new(Internet::default().name("localhost", &[&[address]]), &["*"]);
        for url in ["http://localhost/", "http://LOCALHOST/", "http://localhost./", "https://localhost/"] {
            assert_eq!(way.fails(url).await.0, "denied", "{url} {address}");
        }
    }
}

#[tokio::test]
async fn the_local_network_is_reached_by_a_grant_of_it_and_of_the_name() {
    let origin = hello().await;
    let home = || Internet::default().host("nas.lan", "192.168.1.5:80", &origin);
    let way = Way::new(home(), &["*"]);
    let (code, message) = way.fails("http://nas.lan/").await;
    assert_eq!(code, "denied");
    assert_eq!(message, "`nas.lan` leads to a private address; a grant for its network (such as 10.0.0.0/8) allows that");

    let way = Way::new(home(), &["192.168.0.0/16"]);
    assert!(way.fails("http://nas.lan/").await.1.contains("does not grant http for the host `nas.lan`"));
    assert!(way.get("http://192.168.1.5/").await.is_ok(), "a literal needs the network only");

    let way = Way::new(home(), &["nas.lan", "192.168.0.0/16"]);
    assert!(way.get("http://nas.lan/").await.is_ok());
    let way = Way::new(home(), &["nas.lan", "10.0.0.0/8"]);
    assert_eq!(way.fails("http://nas.lan/").await.0, "denied", "another network's grant");
}

#[tokio::test]
async fn our_own_listeners_and_database_are_out_of_reach_whatever_is_granted() {
    let origin = hello().await;
    let own = || Own {
        sockets: vec!["0.0.0.0:8080".parse().expect("a socket"), "127.0.0.1:8081".parse().expect("a socket")],
        names: vec![("db.lan".to_owned(), 5432)],
    };
    let internet = Internet::default()
        .name("db.lan", &[&["192.168.1.9"]])
        .host("here.example", "93.184.216.34:8081", &origin)
        .server("93.184.216.34:80", &origin)
        .server("192.168.1.9:80", &origin)
        .machine(PUBLIC)
        .machine("192.168.1.2");
    let way = Way::with_own(internet, &["*", "192.168.0.0/16"], own());
    for url in [
        "http://192.168.1.2:8080/",
        "http://192.168.1.2:8081/",
        "http://here.example:8081/",
        "http://here.example:8080/",
        "http://db.lan:5432/",
        "http://192.168.1.9:5432/",
    ] {
        let (code, message) = way.fails(url).await;
        assert_eq!(code, "denied", "{url}");
        assert!(message.contains("this node itself or to its database"), "{url}: {message}");
    }
    assert!(way.get("http://here.example/").await.is_ok(), "what else runs on this machine's public address is public");
    assert!(way.get("http://192.168.1.9/").await.is_ok(), "what else runs on the database's machine is granted");

    // A database whose name cannot be looked up hides nothing: its port is closed.
    let unknown = Way::with_own(Internet::default().host("a.example", "93.184.216.34:5432", &origin), &["*"], own());
    assert_eq!(unknown.fails("http://a.example:5432/").await.0, "unavailable");
}

#[tokio::test]
async fn what_cannot_be_reached_says_why_and_names_no_address() {
    let origin = hello().await;
    let way = Way::new(Internet::default().name("dead.example", &[&[PUBLIC, OTHER]]), &["*"]);
    assert_eq!(
        way.fails("http://nowhere.example/").await,
        ("unavailable", "the name `nowhere.example` has no address".to_owned())
    );
    assert_eq!(
        way.fails("http://dead.example/").await,
        ("unavailable", "no connection to `dead.example`: it was refused".to_owned())
    );
    assert_eq!(way.table.seen()[1..], ["dead.example", "93.184.216.34:80", "198.41.0.4:80"], "each address in turn");
    // The second address answers.
    let way = Way::new(Internet::default().name("half.example", &[&[OTHER, PUBLIC]]).server("93.184.216.34:80", &origin), &["*"]);
    assert!(way.get("http://half.example/").await.is_ok());
}

#[tokio::test]
async fn what_is_not_http_is_unavailable() {
    for (bytes, words) in [
        (&b""[..], "broke off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
        (b"hello\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "broke off"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", "broke off"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", "broke off"),
    ] {
        let origin = Origin::plain(move |_| Some(bytes.to_vec())).await;
        let way = Way::new(Internet::default().host("odd.example", "93.184.216.34:80", &origin), &["*"]);
        let (code, message) = way.fails("http://odd.example/").await;
        assert_eq!(code, "unavailable", "{message}");
        assert!(message.contains(words), "{:?}: {message}", String::from_utf8_lossy(bytes));
    }
}

#[tokio::test]
async fn every_redirect_is_judged_as_the_first_request_was() {
    for (location, words) in [
        ("http://127.0.0.1/", "a loopback address"),
        ("http://2130706433/", "a loopback address"),
        ("http://inside.example/", "a private address"),
        ("http://[::1]/", "a loopback address"),
        ("http://169.254.169.254/latest/meta-data/", "a link-local address"),
        ("http://ungranted.test/", "does not grant http for the host `ungranted.test`"),
        ("http://user:secret@b.example/", "user name or password"),
        ("file:///etc/passwd", "scheme `file`"),
        ("http://b.example:25/", "port 25"),
    ] {
        let origin = Origin::plain(move |_| to("302 Found", location)).await;
        let internet =
            Internet::default().host("a.example", "93.184.216.34:80", &origin).name("inside.example", &[&["10.0.0.1"]]);
        let literals = ["*.example", "127.0.0.1", "[::1]", "169.254.169.254"];
        let way = Way::new(internet, &literals);
        let (code, message) = way.fails("http://a.example/").await;
        assert_eq!(code, "denied", "{location}: {message}");
        assert!(message.starts_with("`a.example` redirects") && message.contains(words), "{location}: {message}");
        assert!(!message.contains("secret"), "{message}");
        assert_eq!(
            way.table.seen().iter().filter(|seen| seen.contains(':')).count(),
            1,
            "one connection: {:?}",
            way.table.seen()
        );
    }
}

#[tokio::test]
async fn a_redirect_to_the_same_name_is_looked_up_and_judged_again() {
    let origin = Origin::plain(|_| to("302 Found", "/again")).await;
    let internet = Internet::default().name("rebind.example", &[&[PUBLIC], &["10.0.0.1"]]).server("93.184.216.34:80", &origin);
    let way = Way::new(internet, &["*"]);
    assert_eq!(way.fails("http://rebind.example/").await.0, "denied");
    assert_eq!(way.table.seen(), ["rebind.example", "93.184.216.34:80", "rebind.example"]);
}

#[tokio::test]
async fn credentials_do_not_travel_to_another_origin() {
    let there = hello().await;
    let here = Origin::plain(|request| {
        to("307 Temporary Redirect", if request.target == "/out" { "http://there.example/x" } else { "http://here.example./out" })
    })
    .await;
    let internet =
        Internet::default().host("here.example", "93.184.216.34:80", &here).host("there.example", "198.41.0.4:80", &there);
    let way = Way::new(internet, &["*"]);
    let headers = ["authorization", "cookie", "proxy-authorization", "x-other"].map(|name| (name.to_owned(), "v".to_owned()));
    let request = Asked {
        method: "POST".to_owned(),
        headers: headers.to_vec(),
        body: Some(b"b".to_vec()),
        ..asked("http://here.example/")
    };
    way.send(request).await.expect("an answer");
    for request in here.received() {
        assert_eq!(request.header("authorization"), Some("v"), "the same origin, however it is written: {}", request.target);
        assert_eq!(request.header("host"), Some("here.example"));
    }
    assert_eq!(here.received().len(), 2);
    let last = &there.received()[0];
    assert_eq!((last.method.as_str(), last.body.as_slice(), last.header("x-other")), ("POST", &b"b"[..], Some("v")));
    for name in ["authorization", "cookie", "proxy-authorization"] {
        assert_eq!(last.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_redirect_can_be_the_answer() {
    let origin = Origin::plain(|_| to("302 Found", "http://127.0.0.1/")).await;
    let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
    let response = way.send(Asked { redirects: Redirects::Answer, ..asked("http://a.example/") }).await.expect("an answer");
    assert_eq!(response.status, 302);
    assert!(response.headers.contains(&("location".to_owned(), "http://127.0.0.1/".to_owned())));
    // A redirect status that names no place is an answer.
    let origin = Origin::plain(|_| answer("304 Not Modified", &[], "")).await;
    let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
    assert_eq!(way.get("http://a.example/").await.expect("an answer").status, 304);
}

#[tokio::test]
async fn https_asks_for_a_certificate_of_that_name() {
    let good = Origin::tls("good.example", |_| answer("200 OK", &[], "safe")).await;
    let other = Origin::tls("other.example", |_| answer("200 OK", &[], "safe")).await;
    let untrusted = Origin::tls("self.example", |_| answer("200 OK", &[], "safe")).await;
    let expired = Origin::tls_with(
        "expired.example",
        |params| params.not_after = rcgen::date_time_ymd(2001, 1, 1),
        |_| answer("200 OK", &[], "safe"),
    )
    .await;
    let internet = Internet::default()
        .host("good.example", "93.184.216.34:443", &good)
        .host("wrong.example", "93.184.216.35:443", &other)
        .host("expired.example", "93.184.216.36:443", &expired)
        .host("plain.example", "93.184.216.37:443", &Origin::blurting(b"HTTP/1.1 400 Bad Request\r\n\r\n").await)
        .host("self.example", "93.184.216.38:443", &untrusted.unnamed());
    let way = Way::new(internet, &["*"]);
    assert_eq!(way.get("https://good.example/").await.expect("an answer").body, b"safe");
    assert_eq!(way.get("https://GOOD.example./").await.expect("an answer").body, b"safe");
    for (host, why) in [
        ("wrong.example", "its certificate is for another name"),
        ("expired.example", "its certificate has expired"),
        ("self.example", "its certificate is of an authority that this node does not trust"),
        ("plain.example", "the handshake failed"),
    ] {
        let (code, message) = way.fails(&format!("https://{host}/")).await;
        assert_eq!((code, message), ("unavailable", format!("no TLS with `{host}`: {why}")));
    }
    assert!(other.received().is_empty());
    let (code, message) = Way::new(Internet::default().host("a.example", "93.184.216.34:443", &hello().await), &["*"])
        .fails("https://a.example/")
        .await;
    assert_eq!((code, message.as_str()), ("unavailable", "this node has no certificate authorities, so https cannot be used"));
}

#[tokio::test]
async fn https_does_not_lead_back_to_http() {
    let plain = hello().await;
    let secure = Origin::tls("a.example", |_| to("302 Found", "http://a.example/")).await;
    let way =
        Way::new(Internet::default().host("a.example", "93.184.216.34:443", &secure).server("93.184.216.34:80", &plain), &["*"]);
    let (code, message) = way.fails("https://a.example/").await;
    assert_eq!(code, "denied");
    assert!(message.contains("from https to http"), "{message}");
    assert!(plain.received().is_empty());
}

#[tokio::test]
async fn packed_bodies_are_unpacked_unless_the_script_named_its_own_encoding() {
    let origin = Origin::plain(|_| answer("200 OK", &[("content-encoding", "GZip"), ("x-kept", "1")], gzip(b"hello"))).await;
    let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
    let response = way.get("http://a.example/").await.expect("an answer");
    assert_eq!(response.body, b"hello");
    assert_eq!(response.headers, [("x-kept".to_owned(), "1".to_owned())], "what spoke of the packed body is gone");
    assert_eq!(origin.received()[0].header("accept-encoding"), Some("gzip"));

    let own = Asked { headers: vec![("Accept-Encoding".to_owned(), "gzip, br".to_owned())], ..asked("http://a.example/") };
    let response = way.send(own).await.expect("an answer");
    assert_eq!(response.body, gzip(b"hello"));
    assert!(response.headers.contains(&("content-encoding".to_owned(), "GZip".to_owned())));

    for body in [gzip(b"hello")[..12].to_vec(), b"not gzip".to_vec(), [gzip(b"hello"), b"rest".to_vec()].concat()] {
        let origin = Origin::plain(move |_| answer("200 OK", &[("content-encoding", "gzip")], &body)).await;
        let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
        let (code, message) = way.fails("http://a.example/").await;
        assert_eq!(code, "unavailable", "{message}");
        assert!(message.contains("not gzip as it says"), "{message}");
    }

    let origin =
        Origin::plain(|_| Some(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 700\r\n\r\n".to_vec())).await;
    let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
    let head = Asked { method: "HEAD".to_owned(), ..asked("http://a.example/") };
    let response = way.send(head).await.expect("an answer without a body has nothing to unpack");
    assert!(response.body.is_empty() && response.headers.len() == 2, "{response:?}");
}

#[tokio::test]
async fn headers_of_the_connection_are_neither_sent_on_nor_shown() {
    let origin = Origin::plain(|_| {
        answer(
            "200 OK",
            &[("connection", "close"), ("keep-alive", "timeout=5"), ("upgrade", "h2c"), ("x-a", "1"), ("X-A", "2")],
            "",
        )
    })
    .await;
    let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
    let response = way.get("http://a.example/").await.expect("an answer");
    let shown: Vec<_> = response.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(shown, [("content-length", "0"), ("x-a", "1"), ("x-a", "2")]);
    assert_eq!(origin.received()[0].header("connection"), Some("close"), "one connection, one request");
}
