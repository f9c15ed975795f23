//! A stream of server-sent events, as a browser reads one.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::support::Client;

/// Nothing here takes long: past this it does not come any more.
pub(super) const WITHIN: Duration = Duration::from_secs(20);

/// The log of the shop, being followed.
pub(super) struct Stream {
    response: reqwest::Response,
    buffer: Vec<u8>,
}

/// One event.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) data: Value,
}

impl Stream {
    pub(super) async fn open(client: &Client, query: &str) -> Self {
        Self::open_after(client, query, None).await
    }

    pub(super) async fn open_after(client: &Client, query: &str, seen: Option<&str>) -> Self {
        let response = ask(client, query, seen).send().await.expect("the server answers");
        assert_eq!(response.status().as_u16(), 200, "{query}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self { response, buffer: Vec::new() };
        let begun = stream.block().await.expect("how to go on");
        assert!(begun.starts_with("retry: 1000\nid: "), "{begun}");
        stream
    }

    /// The next lines up to an empty one; nothing at the end.
    pub(super) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(String::from_utf8(block).expect("UTF-8").trim_end().to_owned());
            }
            let more = tokio::time::timeout(WITHIN, self.response.chunk()).await.expect("something comes in time");
            self.buffer.extend(more.expect("the stream holds")?);
        }
    }

    /// The next event; what is none is passed over, and there must be one.
    pub(super) async fn event(&mut self) -> Event {
        loop {
            let block = self.block().await.expect("an event");
            let field = |name: &str| {
                let found = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                found.map(str::to_owned)
            };
            if let (Some(name), Some(data)) = (field("event"), field("data")) {
                let data = serde_json::from_str(&data).expect("JSON");
                return Event { name, id: field("id").unwrap_or_default(), data };
            }
        }
    }

    pub(super) async fn events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.event().await);
        }
        events
    }
}

/// Asks for a stream.
pub(super) fn ask(client: &Client, query: &str, seen: Option<&str>) -> reqwest::RequestBuilder {
    let path = format!("/admin/apps/shop/logs?{query}");
    let request = client.request(Method::GET, &path).bearer_auth(&client.token).header("accept", "text/event-stream");
    match seen {
        Some(seen) => request.header("last-event-id", seen),
        None => request,
    }
}
