use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::routing::{get, post};

use super::*;
use crate::ingress::{LetIn, Verdict};

fn addresses(data: &str) -> Addresses {
    Addresses { data: Some(data.parse().unwrap()), admin: "127.0.0.1:8081".parse().unwrap() }
}

#[test]
fn urls_can_be_opened() {
    for (data, url) in
        [("0.0.0.0:8080", "http://127.0.0.1:8080"), ("[::]:8080", "http://[::1]:8080"), ("10.0.0.7:80", "http://10.0.0.7:80")]
    {
        assert_eq!(addresses(data).data_url().as_deref(), Some(url), "{data}");
    }
    let app = |data: &str| addresses(data).app_url("hello", "example.org");
    assert_eq!(app("0.0.0.0:80").as_deref(), Some("http://hello.example.org"));
    assert_eq!(app("0.0.0.0:8080").as_deref(), Some("http://hello.example.org:8080"));
    let closed = Addresses { data: None, ..addresses("0.0.0.0:80") };
    assert_eq!((closed.data_url(), closed.app_url("hello", "localhost")), (None, None));
}

#[tokio::test]
async fn a_taken_port_says_how_to_mend_it() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let failure = Listeners::bind(Some(address), "127.0.0.1:0".parse().unwrap()).await.unwrap_err();
    let line = format!("{failure:?}");
    assert!(line.contains(&format!("port {} is taken", address.port())) && line.contains("PICLOUD_BIND"), "{line}");
}

#[test]
fn a_plane_has_no_more_connections_than_files_can_be_opened() {
    let kept = limits::OPEN_FILES_KEPT;
    for (files, connections) in [
        (None, 8_192),
        (Some(1 << 20), 8_192),
        (Some(kept + 2 * 8_192), 8_192),
        (Some(kept + 2 * 8_191), 8_191),
        (Some(1_024), 256),
        (Some(kept), limits::CONNECTIONS_MIN),
        (Some(64), limits::CONNECTIONS_MIN),
    ] {
        assert_eq!(connections_within(8_192, files), connections, "{files:?}");
    }
}

/// A plane for its own test, on a port of its own.
struct Plane {
    address: SocketAddr,
    /// Requests for `/slow` that were begun, and those that may be answered.
    begun: Arc<Semaphore>,
    answered: Arc<Semaphore>,
    shutdown: Shutdown,
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.shutdown.drain();
    }
}

const BIG: usize = 8 << 20;

async fn plane(places: usize, per_address: usize) -> Plane {
    plane_of(Policy { places, per_address, counted_as: Some }).await
}

async fn plane_of(policy: Policy) -> Plane {
    gated(policy, None).await
}

async fn gated(policy: Policy, gate: Option<Arc<dyn Gate>>) -> Plane {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (begun, answered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let plane = Plane { address: listener.local_addr().unwrap(), begun, answered, shutdown: Shutdown::new() };
    let (begun, answered) = (plane.begun.clone(), plane.answered.clone());
    let slow = move || async move {
        begun.add_permits(1);
        answered.acquire().await.unwrap().forget();
        "slow"
    };
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/slow", get(slow))
        .route("/big", get(|| async { vec![b'x'; BIG] }))
        .route("/let-in", get(|request: Request| async move { request.extensions().get::<LetIn>().is_some().to_string() }))
        .route("/body", post(|body: Bytes| async move { body.len().to_string() }));
    let served = serve("test", listener, (router, gate), (policy, Arc::default()), Arc::default(), plane.shutdown.clone());
    shutdown::spawn("test", served);
    plane
}

impl Plane {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Somebody new who is answered.
    async fn visitor(&self) -> TcpStream {
        let mut stream = self.connect().await;
        assert_eq!(ask(&mut stream, "/").await.as_deref(), Some("here"));
        stream
    }

    /// Somebody new who was begun to be answered.
    async fn waiter(&self) -> TcpStream {
        let mut stream = self.connect().await;
        send(&mut stream, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        self.begun.acquire().await.unwrap().forget();
        stream
    }

    /// The first of several tries that is answered: that others went is seen by and by.
    async fn in_the_end(&self) -> TcpStream {
        loop {
            let mut stream = self.connect().await;
            if ask(&mut stream, "/").await.is_some() {
                return stream;
            }
        }
    }
}

async fn send(stream: &mut TcpStream, text: &str) {
    // Who was turned away may not even be able to send.
    let _ = stream.write_all(text.as_bytes()).await;
}

async fn ask(stream: &mut TcpStream, path: &str) -> Option<String> {
    send(stream, &format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    answer(stream).await
}

/// The body of the next answer; nothing once the connection is closed.
async fn answer(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn an_address_has_its_part_of_a_plane() {
    let plane = plane(4, 2).await;
    let (_one, two) = (plane.visitor().await, plane.visitor().await);
    assert_eq!(ask(&mut plane.connect().await, "/").await, None);
    drop(two);
    let _three = plane.in_the_end().await;
    assert_eq!(ask(&mut plane.connect().await, "/").await, None);
}

#[tokio::test]
async fn a_proxy_on_this_machine_brings_everybody() {
    let plane = plane_of(Policy { per_address: 1, ..Policy::of(4) }).await;
    let mut visitors = Vec::new();
    for _ in 0..4 {
        visitors.push(plane.visitor().await);
    }
    for visitor in &mut visitors {
        assert_eq!(ask(visitor, "/").await.as_deref(), Some("here"));
    }
}

#[tokio::test]
async fn a_newcomer_takes_the_place_of_who_was_idle_the_longest() {
    let plane = plane(4, 99).await;
    let mut visitors = Vec::new();
    for _ in 0..4 {
        visitors.push(plane.visitor().await);
    }
    assert!(ask(&mut visitors[0], "/").await.is_some());
    let mut newcomer = plane.visitor().await;
    assert_eq!(answer(&mut visitors[1]).await, None, "nothing was asked there since");
    visitors.remove(1);
    for visitor in visitors.iter_mut().chain([&mut newcomer]) {
        assert!(ask(visitor, "/").await.is_some());
    }
}

#[tokio::test]
async fn who_is_being_answered_keeps_its_place() {
    let plane = plane(4, 99).await;
    let mut waiters = Vec::new();
    for _ in 0..4 {
        waiters.push(plane.waiter().await);
    }
    assert_eq!(ask(&mut plane.connect().await, "/").await, None);
    plane.answered.add_permits(4);
    for waiter in &mut waiters {
        assert_eq!(answer(waiter).await.as_deref(), Some("slow"));
    }
    plane.in_the_end().await;
}

#[tokio::test]
async fn an_answer_that_is_being_taken_keeps_its_place() {
    let plane = plane(1, 99).await;
    let mut taker = plane.connect().await;
    send(&mut taker, "GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(taker.read_u8().await.unwrap(), b'H');
    assert_eq!(ask(&mut plane.connect().await, "/").await, None);
    assert_eq!(answer(&mut taker).await.map(|body| body.len()), Some(BIG));
    plane.in_the_end().await;
    assert_eq!(answer(&mut taker).await, None, "it was idle then");
}

#[tokio::test]
async fn a_request_that_does_not_come_gives_way() {
    let plane = plane(1, 99).await;
    for part in [
        "",
        "G",
        "GET / HTTP/1.1\r\nhost: a\r\n",
        "POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc",
        "POST /body HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let mut slow = plane.connect().await;
        send(&mut slow, part).await;
        let newcomer = plane.visitor().await;
        assert_eq!(answer(&mut slow).await, None, "{part:?}");
        drop(newcomer);
    }
}

#[tokio::test]
async fn a_request_whose_body_came_keeps_its_place() {
    let plane = plane(2, 99).await;
    let mut waiter = plane.waiter().await;
    let mut visitor = plane.connect().await;
    for body in ["content-length: 3\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"] {
        send(&mut visitor, &format!("POST /body HTTP/1.1\r\nhost: a\r\n{body}")).await;
        assert_eq!(answer(&mut visitor).await.as_deref(), Some("3"));
    }
    plane.visitor().await;
    assert_eq!(answer(&mut visitor).await, None);
    plane.answered.add_permits(1);
    assert_eq!(answer(&mut waiter).await.as_deref(), Some("slow"));
}

#[tokio::test]
async fn every_pipelined_request_is_answered_in_order() {
    let plane = plane(2, 2).await;
    let mut stream = plane.connect().await;
    plane.answered.add_permits(1);
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    send(&mut stream, &[ask("/slow"), ask("/"), ask("/big")[..20].to_owned()].concat()).await;
    assert_eq!(answer(&mut stream).await.as_deref(), Some("slow"));
    assert_eq!(answer(&mut stream).await.as_deref(), Some("here"));
    send(&mut stream, &ask("/big")[20..]).await;
    assert_eq!(answer(&mut stream).await.map(|body| body.len()), Some(BIG));
}

#[tokio::test]
async fn a_connection_ends_with_the_answer_to_a_large_head() {
    let plane = plane(2, 2).await;
    let with = |bytes: usize| {
        let head = "GET / HTTP/1.1\r\nhost: a\r\nx: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(bytes - head))
    };
    let mut stream = plane.connect().await;
    for _ in 0..2 {
        send(&mut stream, &with(limits::REQUEST_HEAD_BYTES_FREE)).await;
        assert_eq!(answer(&mut stream).await.as_deref(), Some("here"));
    }
    send(&mut stream, &with(limits::REQUEST_HEAD_BYTES_FREE + 1)).await;
    assert_eq!(answer(&mut stream).await.as_deref(), Some("here"));
    assert_eq!(answer(&mut stream).await, None);
}

/// The bound is held to what is read at once.
#[tokio::test]
async fn a_head_past_its_bound_is_refused() {
    let plane = plane(2, 2).await;
    let head = |bytes: usize| {
        let begin = "GET / HTTP/1.1\r\nhost: a\r\nx: ";
        format!("{begin}{}", "x".repeat(bytes - begin.len()))
    };
    let mut stream = plane.connect().await;
    send(&mut stream, &format!("{}\r\n\r\n", head(limits::REQUEST_HEAD_BYTES_MAX - 4))).await;
    assert_eq!(answer(&mut stream).await.as_deref(), Some("here"));
    let mut stream = plane.connect().await;
    send(&mut stream, &head(limits::REQUEST_HEAD_BYTES_MAX)).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn what_is_no_request_reaches_no_plane() {
    let plane = plane(2, 2).await;
    let mut stream = plane.connect().await;
    send(&mut stream, "GET /slow HTTP/1.1\r\nhost: a b\r\n\r\nGET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let told = answer(&mut stream).await.unwrap();
    assert!(told.contains("malformed_request") && told.contains("request_id"), "{told}");
    assert_eq!(answer(&mut stream).await, None);
    assert_eq!(plane.begun.available_permits(), 0);
}

/// Turns away every other request for what is here, and lets in all else.
#[derive(Default)]
struct Doorkeeper(AtomicUsize);

impl Gate for Doorkeeper {
    fn is_behind(&self) -> bool {
        true
    }

    fn judge(&self, head: &Parts) -> Verdict {
        if head.uri.path() != "/" || self.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            return Verdict::LetIn;
        }
        Verdict::TurnedAway(Bytes::from_static(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nfull"))
    }
}

#[tokio::test]
async fn who_is_turned_away_is_so_between_others_that_the_server_answers() {
    let policy = Policy { places: 2, per_address: 2, counted_as: Some };
    let plane = gated(policy, Some(Arc::new(Doorkeeper::default()))).await;
    let mut stream = plane.connect().await;
    for _ in 0..3 {
        for (path, told) in [("/", "here"), ("/", "full"), ("/let-in", "true")] {
            assert_eq!(ask(&mut stream, path).await.as_deref(), Some(told), "{path}");
        }
    }
    send(&mut stream, "POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc").await;
    assert_eq!(answer(&mut stream).await.as_deref(), Some("3"));
    assert_eq!(ask(&mut stream, "/let-in").await.as_deref(), Some("false"), "after a body it is not asked");
    assert_eq!(ask(&mut stream, "/let-in").await.as_deref(), Some("true"));
}

/// What comes as if it were a request, in the midst of another one, is a part of that.
#[tokio::test]
async fn nobody_has_the_gate_read_what_the_server_reads_otherwise() {
    let policy = Policy { places: 2, per_address: 2, counted_as: Some };
    let plane = gated(policy, Some(Arc::new(Doorkeeper(AtomicUsize::new(1))))).await;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    for begun in [
        "GET /let-in HTTP/1.1\r\nhost: a\r\n\r\nGET /let-in HTTP/1.1\r\nx: ",
        "POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\naGET /let-in HTTP/1.1\r\nx: ",
    ] {
        let mut stream = plane.connect().await;
        send(&mut stream, begun).await;
        assert!(answer(&mut stream).await.is_some());
        send(&mut stream, &request("/")).await;
        assert_eq!(answer(&mut stream).await.as_deref(), Some("false"), "{begun:?}");
    }
}
