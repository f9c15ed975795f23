//! A topic as a subscriber reads it.

use std::time::Duration;

use serde_json::Value;

use crate::support::Tenant;

/// Nothing here takes long: past this it does not come any more.
pub(crate) const WITHIN: Duration = Duration::from_secs(20);

pub(crate) struct Stream {
    response: reqwest::Response,
    buffer: Vec<u8>,
    /// The id that it began with.
    pub(crate) begun: u64,
}

/// One event.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: u64,
    pub(crate) data: Value,
}

/// Asks for a topic of the app; what follows the topic's name is part of the address.
pub(crate) fn ask(shop: &Tenant, topic: &str) -> reqwest::RequestBuilder {
    shop.client.to(&shop.host, "GET", &format!("/realtime/topics/{topic}"))
}

impl Stream {
    pub(crate) async fn open(shop: &Tenant, topic: &str) -> Self {
        Self::of(ask(shop, topic)).await
    }

    /// The same after a message that was seen.
    pub(crate) async fn after(shop: &Tenant, topic: &str, seen: u64) -> Self {
        Self::of(ask(shop, topic).header("last-event-id", seen.to_string())).await
    }

    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("the server answers");
        assert_eq!(response.status().as_u16(), 200, "{response:?}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut stream = Self { response, buffer: Vec::new(), begun: 0 };
        let begun = stream.block().await.expect("how to go on");
        let id = begun.strip_prefix("retry: 1000\nid: ").unwrap_or_else(|| panic!("{begun}"));
        stream.begun = id.parse().expect("a number");
        stream
    }

    /// The next lines up to an empty one; nothing at the end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        self.block_within(WITHIN).await.expect("something comes in time")
    }

    /// The same, or that nothing came in that time.
    pub(crate) async fn block_within(&mut self, time: Duration) -> Result<Option<String>, tokio::time::error::Elapsed> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(Some(String::from_utf8(block).expect("UTF-8").trim_end().to_owned()));
            }
            match tokio::time::timeout(time, self.response.chunk()).await?.expect("the stream holds") {
                Some(more) => self.buffer.extend(more),
                None => return Ok(None),
            }
        }
    }

    /// The next event; there must be one, and nothing else before it.
    pub(crate) async fn event(&mut self) -> Event {
        let block = self.block().await.expect("an event");
        let mut lines = block.lines();
        let mut field = |name: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap_or_else(|| panic!("{name} of {block}")).to_owned()
        };
        let (name, id, data) = (field("event"), field("id"), field("data"));
        assert_eq!(lines.next(), None, "{block}");
        Event { name, id: id.parse().expect("a number"), data: serde_json::from_str(&data).expect("JSON") }
    }

    pub(crate) async fn events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.event().await);
        }
        events
    }

    /// The numbers of the next messages.
    pub(crate) async fn numbers(&mut self, count: usize) -> Vec<u64> {
        let number = |event: Event| {
            assert_eq!((event.name.as_str(), event.data["seq"].as_u64()), ("message", Some(event.id)), "{event:?}");
            event.id
        };
        self.events(count).await.into_iter().map(number).collect()
    }

    /// Its last words; after them it ends.
    pub(crate) async fn last_words(&mut self) -> String {
        let block = self.block().await.expect("last words");
        assert!(block.starts_with(": "), "{block}");
        assert_eq!(self.block().await, None);
        block
    }
}
