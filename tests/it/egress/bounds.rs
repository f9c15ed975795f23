//! Each bound of the way out at N and at N + 1.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use picloud::egress::Allowance;
use picloud::limits;
use picloud::limits::HTTP_REQUESTS_PER_INVOCATION_MAX;
use picloud::model::http::Asked;

use super::{Way, asked};
use crate::support::origin::{Internet, Origin, answer, gzip, to};

/// Redirects on and on until so many are done.
async fn chain(length: usize) -> Origin {
    Origin::plain(move |request| {
        let n: usize = request.target.trim_start_matches('/').parse().expect("a number");
        if n < length { to("302 Found", &format!("/{}", n + 1)) } else { answer("200 OK", &[], "end") }
    })
    .await
}

#[tokio::test]
async fn five_redirects_are_followed_and_a_sixth_is_not() {
    let n = limits::HTTP_REDIRECTS_MAX;
    assert_eq!(n, 5);
    let origin = chain(n).await;
    let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
    assert_eq!(way.get("http://a.example/0").await.expect("an answer").body, b"end");
    let origin = chain(n + 1).await;
    let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
    assert_eq!(way.fails("http://a.example/0").await.0, "limit_exceeded");
    assert_eq!(origin.received().len(), n + 1);
}

#[tokio::test]
async fn an_invocation_sends_so_many_requests_redirects_counted() {
    let n = HTTP_REQUESTS_PER_INVOCATION_MAX as usize;
    assert_eq!(n, 20);
    let origin = chain(1).await;
    let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
    let allowance = Allowance::of(HTTP_REQUESTS_PER_INVOCATION_MAX);
    for _ in 0..n / 2 {
        way.send_for(1, &allowance, asked("http://a.example/0")).await.expect("two requests each");
    }
    let refused = way.send_for(1, &allowance, asked("http://a.example/1")).await.expect_err("one more");
    assert_eq!(refused.code, "limit_exceeded");
    assert_eq!(origin.received().len(), n);
}

/// Answers with a body of so many bytes, in one of the ways to send one.
async fn sized(way: &'static str, bytes: usize) -> Origin {
    let body = vec![b'x'; bytes];
    Origin::plain(move |_| match way {
        "length" => answer("200 OK", &[], &body),
        "close" => Some([b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), body.clone()].concat()),
        "chunked" => {
            let mut all = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            for chunk in body.chunks(60_000) {
                all.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                all.extend_from_slice(chunk);
                all.extend_from_slice(b"\r\n");
            }
            all.extend_from_slice(b"0\r\n\r\n");
            Some(all)
        }
        _ => answer("200 OK", &[("content-encoding", "gzip")], gzip(&body)),
    })
    .await
}

#[tokio::test]
async fn bodies_of_answers_are_bounded_however_they_come() {
    let n = limits::HTTP_RESPONSE_BODY_BYTES_MAX;
    assert_eq!(n, 4 << 20);
    for how in ["length", "close", "chunked", "gzip"] {
        let origin = sized(how, n).await;
        let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
        assert_eq!(way.get("http://a.example/").await.expect("an answer").body.len(), n, "{how}");
        let origin = sized(how, n + 1).await;
        let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
        assert_eq!(way.fails("http://a.example/").await.0, "limit_exceeded", "{how}");
    }
}

#[tokio::test]
async fn a_packed_body_is_bounded_as_it_is_unpacked() {
    // A gigabyte in a megabyte: the first four MiB are all that is ever held. Other tests use memory too, but not that much.
    let members = gzip(&vec![0; 16 << 20]).repeat(64);
    assert!(members.len() < limits::HTTP_RESPONSE_BODY_BYTES_MAX);
    let origin = Origin::plain(move |_| answer("200 OK", &[("content-encoding", "gzip")], &members)).await;
    let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
    let before = resident_peak_bytes();
    assert_eq!(way.fails("http://a.example/").await.0, "limit_exceeded");
    let grown = resident_peak_bytes() - before;
    assert!(grown < 512 << 20, "{grown} bytes more");

    // Packed without getting smaller: what is sent has the same bound as what it unpacks to.
    let mut stored = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    stored.write_all(&vec![0; limits::HTTP_RESPONSE_BODY_BYTES_MAX]).expect("written to memory");
    let stored = stored.finish().expect("written to memory");
    assert!(stored.len() > limits::HTTP_RESPONSE_BODY_BYTES_MAX);
    let origin =
        Origin::plain(move |_| Some([b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n".to_vec(), stored.clone()].concat()))
            .await;
    let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
    assert_eq!(way.fails("http://a.example/").await.0, "limit_exceeded");
}

/// The most memory that this process ever had.
fn resident_peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("resident memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number") << 10
}

#[tokio::test]
async fn headers_of_answers_are_bounded() {
    let with = async |headers: Vec<(String, String)>| {
        let origin = Origin::plain(move |_| {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            answer("200 OK", &headers, "")
        })
        .await;
        Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]).get("http://a.example/").await
    };
    // One is the length.
    let n = limits::HTTP_RESPONSE_HEADERS_MAX;
    let many = |n: usize| (1..n).map(|n| (format!("x-{n}"), "v".to_owned())).collect();
    assert_eq!(with(many(n)).await.expect("an answer").headers.len(), n);
    assert_eq!(with(many(n + 1)).await.expect_err("too many").code, "limit_exceeded");
    let n = limits::HTTP_RESPONSE_HEADER_BYTES_MAX;
    assert_eq!(n, 64 << 10);
    // Two of them: one alone may not have more than 64 KiB by the parser's own bound.
    let long = |n: usize| {
        let rest = n - "content-length".len() - 1 - "x-1".len() - "x-2".len();
        vec![("x-1".to_owned(), "v".repeat(30_000)), ("x-2".to_owned(), "v".repeat(rest - 30_000))]
    };
    assert_eq!(with(long(n)).await.expect("an answer").headers.len(), 3);
    assert_eq!(with(long(n + 1)).await.expect_err("too long").code, "limit_exceeded");
    // A head without an end.
    let origin = Origin::plain(|_| Some([b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".repeat(1 << 20)].concat())).await;
    let way = Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]);
    assert_eq!(way.fails("http://a.example/").await.0, "limit_exceeded");
}

#[tokio::test]
async fn a_call_ends_with_its_time() {
    let origin = Origin::plain(|_| None).await;
    let way = Way::new(Internet::default().host("slow.example", "93.184.216.34:80", &origin), &["*"]);
    let refused = way.send(Asked { timeout_ms: Some(50), ..asked("http://slow.example/") }).await.expect_err("no answer");
    assert_eq!((refused.code, refused.message.as_ref()), ("timed_out", "`slow.example` gave no whole answer within 50 ms"));
    assert_eq!(origin.received().len(), 1);
}

#[tokio::test]
async fn an_app_has_so_many_calls_under_way_and_no_more() {
    let n = limits::HTTP_CALLS_PER_APP_MAX;
    assert_eq!(n, 8);
    let under_way = Arc::new(AtomicUsize::new(0));
    let origin = Origin::plain({
        let under_way = under_way.clone();
        move |request| match request.target.as_str() {
            "/hold" => {
                under_way.fetch_add(1, Ordering::SeqCst);
                None
            }
            _ => answer("200 OK", &[], "hello"),
        }
    })
    .await;
    let way = Arc::new(Way::new(Internet::default().host("a.example", "93.184.216.34:80", &origin), &["*"]));
    let held: Vec<_> = (0..n)
        .map(|_| {
            let way = way.clone();
            tokio::spawn(async move { way.get("http://a.example/hold").await })
        })
        .collect();
    crate::support::eventually("every place is taken", Duration::from_secs(10), async || {
        (under_way.load(Ordering::SeqCst) == n).then_some(())
    })
    .await;
    let brief = || Asked { timeout_ms: Some(50), ..asked("http://a.example/") };
    let refused = way.send(brief()).await.expect_err("no place");
    assert_eq!(refused.code, "limit_exceeded");
    assert!(refused.message.starts_with("8 calls of the app are under way"), "{}", refused.message);
    assert!(
        way.send_for(2, &Allowance::of(HTTP_REQUESTS_PER_INVOCATION_MAX), asked("http://a.example/")).await.is_ok(),
        "another app has its own"
    );
    // A call that is dropped, as by its deadline, gives its place back.
    held[0].abort();
    assert!(way.get("http://a.example/").await.is_ok());
}
