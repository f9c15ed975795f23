//! Both planes on the wire, under requests that no client would make: each is read as one request or refused, and what follows
//! a refused one is not read at all.
//!
//! A case is sent with another request behind it on the same connection. What comes back is compared whole: as many answers as
//! the case says, in order, each of its own request; and a script that counts itself ran exactly for those.

mod bodies;
mod heads;
mod targets;

use serde_json::Value;

use crate::support::client::Tenant;
use crate::support::cluster::Database;
use crate::support::process::{Scratch, Server};
use crate::support::raw;

const FOLLOWER: &str = "GET /follower HTTP/1.1\r\nhost: shop.localhost\r\nconnection: close\r\n\r\n";
/// What a request would smuggle.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: shop.localhost\r\n\r\n";
const ECHO: &str = r#"
    kv::collection("wire").increment("asked", 1);
    let request = ctx.request;
    #{ method: request.method, path: request.path, headers: request.headers, body: request.body, from: request.remote_addr }"#;

/// A server with a script that answers everything on its app's host, but `/count`.
struct Wire {
    server: Server,
    shop: Tenant,
    _database: Database,
    _scratch: Scratch,
}

/// A request, or several, and the statuses of all answers, the follower's included.
struct Case {
    name: String,
    request: Vec<u8>,
    statuses: Vec<u16>,
    /// What the script should see, where that matters: a pointer into its answer, and the value there.
    seen: Vec<(&'static str, Value)>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// Answered, like the follower.
const ANSWERED: [u16; 2] = [200, 200];
/// Answered, and the connection closed.
const LAST: [u16; 1] = [200];
/// Refused, and the connection closed.
const MALFORMED: [u16; 1] = [400];
const UNKNOWN: [u16; 1] = [501];
const TOO_LARGE: [u16; 1] = [431];
const CLOSED: [u16; 0] = [];

fn case(request: impl Into<Vec<u8>>, statuses: &[u16]) -> Case {
    let request = request.into();
    let name = String::from_utf8_lossy(&request[..request.len().min(160)]).into_owned();
    Case { name, request, statuses: statuses.to_vec(), seen: Vec::new() }
}

impl Case {
    fn seen(mut self, pointer: &'static str, value: impl Into<Value>) -> Self {
        self.seen.push((pointer, value.into()));
        self
    }
}

impl Wire {
    async fn start() -> Self {
        let (scratch, database) = (Scratch::new(), Database::create().await);
        let server = Server::serve(&scratch, &database, &[]).await;
        let shop = server.client.create_app("shop").await;
        shop.deploy("/*", ECHO).await;
        shop.deploy("/count", r#"kv::collection("wire").get("asked") ?? 0"#).await;
        Self { server, shop, _database: database, _scratch: scratch }
    }

    /// How often the script ran.
    async fn asked(&self) -> u64 {
        self.shop.get("/count").await.expect(200).json().as_u64().expect("a count")
    }

    async fn hold(&self, cases: Vec<Case>) {
        for case in cases {
            let before = self.asked().await;
            let answers = follow(&self.server.client.data, &case.request).await;
            let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
            assert_eq!(statuses, case.statuses, "{:?}\n{answers:?}", case.name);
            let scripts: Vec<_> = answers.iter().filter(|answer| answer.status == 200).map(Answer::json).collect();
            assert_eq!(self.asked().await - before, scripts.len() as u64, "{:?}\n{answers:?}", case.name);
            for (n, script) in scripts.iter().enumerate() {
                let path = script["path"].as_str().expect("a path");
                let is_follower = n > 0 && n + 1 == scripts.len() || path == "/follower";
                assert!(if is_follower { path == "/follower" } else { path.starts_with("/in") }, "{:?}: {script}", case.name);
                assert!(!is_follower || (script["body"].is_null() && script["method"] == "GET"), "{:?}: {script}", case.name);
            }
            for (pointer, value) in &case.seen {
                assert_eq!(scripts[0].pointer(pointer).unwrap_or(&Value::Null), value, "{:?}: {pointer}", case.name);
            }
        }
    }

    /// What is no request is none to the administration either.
    async fn hold_on_both(&self, cases: Vec<Case>) {
        for case in &cases {
            let refused = case.statuses.iter().all(|status| *status >= 400) && case.statuses.len() < 2;
            assert!(refused, "{:?} is for the data plane alone", case.name);
            let statuses: Vec<_> = follow(&self.server.client.admin, &case.request).await.iter().map(|a| a.status).collect();
            assert_eq!(statuses, case.statuses, "the control plane: {:?}", case.name);
        }
        self.hold(cases).await;
    }
}

/// Sends the request with the follower behind it, and reads all that is answered.
async fn follow(base: &str, request: &[u8]) -> Vec<Answer> {
    answers(&raw::exchange(base, &[request, FOLLOWER.as_bytes()].concat()).await)
}

fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head") + 4;
        let (head, rest) = bytes.split_at(end);
        let head = std::str::from_utf8(head).expect("a readable head").to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
        let (body, rest) = rest.split_at(length);
        answers.push(Answer { status, head, body: body.to_vec() });
        bytes = rest;
    }
    answers
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

#[tokio::test]
async fn a_refusal_on_the_wire_is_in_the_envelope() {
    let wire = Wire::start().await;
    for base in [&wire.server.client.data, &wire.server.client.admin] {
        for (request, status, code) in [
            ("GET / HTTP/1.1\r\n\r\n", 400, "malformed_request"),
            ("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n", 501, "not_implemented"),
        ] {
            let answers = follow(base, request.as_bytes()).await;
            let [refused] = answers.as_slice() else { panic!("{request:?}: {answers:?}") };
            let error = &refused.json()["error"];
            assert_eq!((refused.status, &error["code"]), (status, &code.into()), "{refused:?}");
            let id = error["request_id"].as_str().expect("an id");
            assert!(refused.head.contains(&format!("x-request-id: {id}\r\n")), "{refused:?}");
            assert!(refused.head.contains("connection: close\r\n"), "{refused:?}");
        }
    }
}
