//! What a node holds for subscribers: it is given to nobody who may not have it any more, it has its bound, and who does not take it is
//! sent away.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use picloud::clock::Clock;
use picloud::error::Kind;
use picloud::id::AppId;
use picloud::limits;
use picloud::service::realtime::{Ending, Subscriber, Told, subscribe};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::bounds::{gap, publish};
use super::stream::{Stream, WITHIN};
use super::{register, shop};
use crate::support::app::Options;
use crate::support::cluster::Database;
use crate::support::process::Scratch;
use crate::support::{Server, TestApp};

const PLACES: usize = 256;

async fn come(app: &TestApp, id: AppId, topic: &str, after: Option<u64>) -> Subscriber {
    subscribe(&app.services, id, topic, None, after, PLACES).await.expect("a place")
}

/// The numbers of the next messages.
async fn told(subscriber: &mut Subscriber, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        match subscriber.next().await.expect("the topic is read") {
            Told::Messages(messages) => numbers.extend(messages.iter().map(|message| message.seq)),
            other => panic!("{other:?}"),
        }
    }
    numbers
}

#[tokio::test]
async fn what_is_forgotten_is_not_given_by_a_node_that_held_it() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let id = shop.id.parse().unwrap();
    for topic in ["internal", "removed", "other-internal", "other-removed"] {
        register(&shop, topic, "public").await;
    }
    for topic in ["internal", "removed"] {
        let (mut quick, mut slow) = (come(&app, id, topic, None).await, come(&app, id, topic, None).await);
        for n in 1..=3 {
            shop.publish_to(topic, json!(n)).await;
        }
        assert_eq!(told(&mut quick, 3).await, [1, 2, 3]);
        let other = format!("other-{topic}");
        let mut witness = come(&app, id, &other, None).await;
        match topic {
            "internal" => drop(register(&shop, topic, "internal").await),
            _ => drop(app.delete(&format!("/admin/apps/shop/topics/{topic}")).await.expect(204)),
        }
        register(&shop, topic, "public").await;
        shop.publish_to(topic, json!(4)).await;
        let mut back = Stream::after(&shop, topic, 0).await;
        assert_eq!(back.event().await.data, json!({ "from": 1, "to": 3 }), "{topic}");
        assert_eq!(back.numbers(1).await, [4]);
        // One who was there, and saw nothing of that, is told the same once the node has heard of it.
        register(&shop, &other, "internal").await;
        while !matches!(witness.next().await.expect("an end"), Told::Ended(Ending::Refused)) {}
        assert!(matches!(slow.next().await.expect("a gap"), Told::Gap { from: 1, to: 3 }), "{topic}");
        assert_eq!(told(&mut slow, 1).await, [4]);
        drop(quick);
    }
}

#[tokio::test]
async fn what_is_too_old_is_not_given_by_a_node_that_holds_it() {
    let start: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let app = TestApp::start_with(Options { clock: Clock::manual(start), ..Options::default() }).await;
    let shop = shop(&app, "public").await;
    let mut there = come(&app, shop.id.parse().unwrap(), "news", None).await;
    publish(&app, &shop, "news", 1).await;
    publish(&app, &shop, "news", 1).await;
    assert_eq!(told(&mut there, 2).await, [1, 2]);
    app.advance(TimeDelta::seconds(limits::TOPIC_MESSAGE_KEEP_S));
    assert_eq!(Stream::after(&shop, "news", 0).await.event().await, gap(2));
    publish(&app, &shop, "news", 1).await;
    assert_eq!(told(&mut there, 1).await, [3]);
    assert_eq!(Stream::after(&shop, "news", 2).await.numbers(1).await, [3]);
}

#[tokio::test]
async fn a_large_message_is_held_once_for_all_who_are_there() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let id = shop.id.parse().unwrap();
    let mut there = Vec::new();
    for _ in 0..8 {
        there.push(come(&app, id, "news", None).await);
    }
    let page = usize::try_from(limits::TOPIC_PAGE_BYTES).unwrap();
    for (bytes, counted) in [(page, 0), (page + 1, page + 1), (limits::MESSAGE_BYTES_MAX, limits::MESSAGE_BYTES_MAX)] {
        publish(&app, &shop, "news", bytes).await;
        let told = futures_util::future::join_all(there.iter_mut().map(Subscriber::next)).await;
        let places = told.iter().map(|told| match told {
            Ok(Told::Messages(messages)) => (messages.len(), messages[0].text.as_ptr()),
            other => panic!("{other:?}"),
        });
        let places: std::collections::BTreeSet<_> = places.collect();
        assert_eq!((places.len(), places.first().map(|first| first.0)), (1, Some(1)), "{bytes}");
        assert_eq!(app.services.realtime.large_bytes(), counted as u64);
        drop(told);
        assert_eq!(app.services.realtime.large_bytes(), 0, "{bytes}");
    }
}

#[tokio::test]
async fn who_holds_large_messages_leaves_room_for_others_and_for_those_who_are_told_at_once() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let other = app.create_app("other").await;
    register(&other, "news", "public").await;
    let (id, other_id) = (shop.id.parse().unwrap(), other.id.parse().unwrap());
    for shop in [&shop, &other] {
        publish(&app, shop, "news", limits::MESSAGE_BYTES_MAX).await;
    }
    let mut there = come(&app, id, "news", None).await;
    // Of what is not kept for those who are there, half.
    let share = (limits::SUBSCRIBERS_LARGE_BYTES_MAX - limits::SUBSCRIBERS_LARGE_BYTES_KEPT) / 2;
    let mut held = Vec::new();
    for _ in 0..share / limits::MESSAGE_BYTES_MAX as u64 {
        let mut behind = come(&app, id, "news", Some(0)).await;
        held.push(behind.next().await.expect("a message"));
    }
    assert_eq!(app.services.realtime.large_bytes(), share);
    let mut late = come(&app, id, "news", Some(0)).await;
    assert_eq!(late.next().await.unwrap_err().kind, Kind::Overloaded);
    assert_eq!(told(&mut come(&app, other_id, "news", Some(0)).await, 1).await, [1]);
    publish(&app, &shop, "news", limits::MESSAGE_BYTES_MAX).await;
    assert_eq!(told(&mut there, 1).await, [2]);
    held.pop();
    assert_eq!(told(&mut late, 1).await, [1]);
    drop(held);
    assert_eq!(app.services.realtime.large_bytes(), 0);
}

#[tokio::test]
async fn messages_of_a_page_and_larger_ones_come_all_and_in_their_order() {
    let app = TestApp::start().await;
    let shop = shop(&app, "public").await;
    let page = usize::try_from(limits::TOPIC_PAGE_BYTES).unwrap();
    let sizes =
        [1, page, page + 1, 1, page - 1, 1, 1, limits::MESSAGE_BYTES_MAX, limits::MESSAGE_BYTES_MAX, 2, page / 2, page / 2];
    let mut there = Stream::open(&shop, "news").await;
    for bytes in sizes {
        publish(&app, &shop, "news", bytes).await;
    }
    let numbers: Vec<_> = (1..=sizes.len() as u64).collect();
    assert_eq!(there.numbers(sizes.len()).await, numbers);
    assert_eq!(Stream::after(&shop, "news", 0).await.numbers(sizes.len()).await, numbers);
    // A page is as large as it may be, and no larger.
    let mut behind = come(&app, shop.id.parse().unwrap(), "news", Some(0)).await;
    let mut pages = Vec::new();
    while pages.iter().sum::<usize>() < sizes.len() {
        match behind.next().await.expect("the topic is read") {
            Told::Messages(messages) => pages.push(messages.len()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pages, [1, 1, 1, 2, 2, 1, 1, 2, 1]);
}

/// A subscriber whose machine takes no more than this at once, and who reads nothing.
async fn silent(data: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 << 10).expect("a small buffer");
    let address = data.strip_prefix("http://").expect("a plain URL").parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("the server listens");
    stream.write_all(b"GET /realtime/topics/news HTTP/1.1\r\nhost: shop.localhost\r\n\r\n").await.expect("a request");
    stream
}

#[tokio::test]
async fn who_does_not_read_is_sent_away_and_goes_on_from_the_last_id() {
    // More than the connection takes in on its way, and less than is kept.
    const MESSAGES: u64 = 48;
    let (scratch, database) = (Scratch::new(), Database::create().await);
    let node = Server::serve(&scratch, &database, &[]).await;
    let shop = node.client.create_app("shop").await;
    register(&shop, "news", "public").await;
    let mut reader = silent(&node.client.data).await;
    let mut head = [0; 12];
    reader.read_exact(&mut head).await.expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200");
    let text = "x".repeat(limits::MESSAGE_BYTES_MAX - 2);
    for _ in 0..MESSAGES {
        shop.publish_to("news", json!(text)).await;
    }
    tokio::time::sleep(Duration::from_millis(limits::CONNECTION_UNTAKEN_MS) + Duration::from_secs(5)).await;
    // What had been sent is there still, and no more comes.
    let mut taken = Vec::new();
    let ended = tokio::time::timeout(WITHIN, reader.read_to_end(&mut taken)).await;
    assert!(ended.is_ok(), "{} bytes, and no end", taken.len());
    let text = String::from_utf8_lossy(&taken);
    let ids = text.split("event: message\nid: ").skip(1).filter_map(|rest| rest.split_once('\n')?.0.parse::<u64>().ok());
    let begun = ids.last().expect("a message");
    assert!(begun < MESSAGES, "{begun} of {MESSAGES}");
    let seen = begun - 1;
    let mut stream = Stream::after(&shop, "news", seen).await;
    let left = usize::try_from(MESSAGES - seen).unwrap();
    assert_eq!(stream.numbers(left).await, (begun..=MESSAGES).collect::<Vec<_>>());
    node.stop();
}
