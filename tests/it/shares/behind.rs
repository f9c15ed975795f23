//! A node that is called more than it can answer, as its callers see it over the wire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;

use super::SOON;
use crate::support::cluster::Database;
use crate::support::eventually;
use crate::support::process::{Scratch, Server};

/// Callers at once: more than one thread of an unoptimised node answers within the wait that it bears (100 ms).
const CALLERS: usize = 400;

/// One answer, as its bytes say.
struct Told {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Told {
    async fn read(stream: &mut BufStream<TcpStream>) -> Self {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8(head).expect("text");
        let mut told = Self { status: head[9..12].parse().expect("a status"), head, body: Vec::new() };
        told.body = vec![0; told.header("content-length").expect("a length").parse().expect("a number")];
        stream.read_exact(&mut told.body).await.expect("a body");
        told
    }

    fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.filter(|(other, _)| *other == name).map(|(_, value)| value).next()
    }

    /// What everybody is told who is not let in, however that came about.
    fn is_an_honest_refusal(&self) {
        assert!(self.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|seconds| seconds >= 1)));
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("access-control-allow-origin"), Some("*"));
        assert!(self.header("picloud-execution-id").is_some());
        let told: Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!(told["error"]["code"], "overloaded");
        assert_eq!(told["error"]["request_id"].as_str(), self.header("x-request-id"));
    }
}

/// Calls again and again; how often which status came. Each connection stays, whatever it is told.
async fn call(address: String, stop: Arc<AtomicBool>, was_turned_away: Arc<AtomicBool>) -> BTreeMap<u16, u64> {
    let mut stream = BufStream::new(TcpStream::connect(address).await.expect("a connection"));
    let mut seen = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        stream
            .write_all(b"GET /hello HTTP/1.1\r\nhost: busy.localhost\r\norigin: https://a.example\r\n\r\n")
            .await
            .expect("it stays");
        stream.flush().await.expect("it stays");
        let told = Told::read(&mut stream).await;
        match told.status {
            200 => assert_eq!(told.body, br#""hello""#),
            _ => told.is_an_honest_refusal(),
        }
        // The server dates its answers, the gate before it does not.
        if told.status == 503 && told.header("date").is_none() {
            was_turned_away.store(true, Ordering::Relaxed);
        }
        *seen.entry(told.status).or_default() += 1;
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_past_its_capacity_turns_calls_away_on_connections_that_stay_and_then_takes_them_again() {
    let (scratch, database) = (Scratch::new(), Database::create().await);
    let server = Server::serve(&scratch, &database, &[("PICLOUD_WORKER_THREADS", "1")]).await;
    let busy = server.client.create_app("busy").await;
    busy.client.patch("/admin/apps/busy", serde_json::json!({ "cors_origins": ["*"] })).await.expect(200);
    busy.deploy("/hello", r#""hello""#).await;
    let address = server.client.data.strip_prefix("http://").expect("a plain URL").to_owned();

    let (stop, was_turned_away) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let callers: Vec<_> =
        (0..CALLERS).map(|_| tokio::spawn(call(address.clone(), stop.clone(), was_turned_away.clone()))).collect();
    eventually("calls are turned away", SOON, async || was_turned_away.load(Ordering::Relaxed).then_some(())).await;
    stop.store(true, Ordering::Relaxed);
    let mut seen = BTreeMap::<u16, u64>::new();
    for caller in callers {
        for (status, count) in caller.await.expect("every answer is one of those that were to be expected") {
            *seen.entry(status).or_default() += count;
        }
    }
    assert_eq!(seen.keys().collect::<Vec<_>>(), [&200, &503]);

    eventually("calls are answered again", SOON, async || {
        let mut answered = 0;
        while answered < 20 && busy.get("/hello").await.status == 200 {
            answered += 1;
        }
        (answered == 20).then_some(())
    })
    .await;
    // Each was counted, answered or not.
    let node = super::node(&server.client).await;
    assert!(node["refused"].as_u64().is_some_and(|refused| refused >= seen[&503]), "{node} {seen:?}");
}
