//! Who is turned away, and what a server never sees of it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::request::Parts;
use tokio::time::timeout;

use super::*;

/// Turns away what asks for `/no`, says nothing of `/unknown`, lets in the rest.
struct Doorkeeper {
    is_behind: AtomicBool,
    judged: Mutex<Vec<String>>,
    answer: Bytes,
}

impl Gate for Doorkeeper {
    fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Relaxed)
    }

    fn judge(&self, head: &Parts) -> Verdict {
        self.judged.lock().unwrap().push(head.uri.path().to_owned());
        match head.uri.path() {
            "/no" => Verdict::TurnedAway(self.answer.clone()),
            "/unknown" => Verdict::Unknown,
            _ => Verdict::LetIn,
        }
    }
}

struct Gated {
    pair: Pair,
    doorkeeper: Arc<Doorkeeper>,
}

const NO: &[u8] = b"GET /no HTTP/1.1\r\nhost: a\r\n\r\n";
const YES: &[u8] = b"GET /yes HTTP/1.1\r\nhost: a\r\n\r\n";
const ANSWER: &[u8] = b"no";

impl Gated {
    async fn on(shutdown: &Shutdown, patience: Patience, answer: &'static [u8]) -> Self {
        let doorkeeper = Arc::new(Doorkeeper {
            is_behind: AtomicBool::new(true),
            judged: Mutex::default(),
            answer: Bytes::from_static(answer),
        });
        let mut pair = pair(shutdown, patience).await;
        pair.connection.gate = Some(doorkeeper.clone());
        Self { pair, doorkeeper }
    }

    async fn open() -> Self {
        Self::on(&Shutdown::new(), PATIENT, ANSWER).await
    }

    /// What the server reads of what was sent, once nothing more comes.
    async fn reads(&mut self, sent: &[u8]) -> Vec<u8> {
        self.pair.client.write_all(sent).await.unwrap();
        let mut read = Vec::new();
        while timeout(SHORT, self.pair.connection.read_buf(&mut read)).await.is_ok_and(|read| read.unwrap() > 0) {}
        read
    }

    /// What was judged since this was asked last.
    fn judged(&self) -> Vec<String> {
        std::mem::take(&mut *self.doorkeeper.judged.lock().unwrap())
    }

    /// The server has answered what it has read, which had a body or not.
    async fn answered(&mut self, had_body: bool) {
        let progress = self.pair.connection.place.progress().clone();
        assert!(progress.begin(!had_body));
        progress.answer();
        progress.give(progress.latest());
        self.pair.connection.flush().await.unwrap();
    }

    async fn client_reads(&mut self, expected: &[u8]) {
        let mut read = vec![0; expected.len()];
        self.pair.client.read_exact(&mut read).await.unwrap();
        assert_eq!(read, expected);
    }
}

#[tokio::test]
async fn who_is_turned_away_is_answered_and_the_server_reads_nothing_of_it() {
    let mut gated = Gated::open().await;
    for _ in 0..3 {
        assert_eq!(gated.reads(NO).await, b"");
        gated.client_reads(ANSWER).await;
        assert_eq!(gated.pair.phase(), Phase::Idle);
    }
    assert_eq!(gated.reads(YES).await, YES);
    let progress = gated.pair.connection.place.progress().clone();
    assert!(progress.was_let_in() && !progress.was_let_in(), "once");
    gated.answered(false).await;
    assert_eq!(gated.reads(NO).await, b"");
    gated.client_reads(ANSWER).await;
}

#[tokio::test]
async fn a_gate_that_is_not_needed_is_asked_for_nothing() {
    let mut gated = Gated::open().await;
    gated.doorkeeper.is_behind.store(false, Ordering::Relaxed);
    assert_eq!(gated.reads(NO).await, NO);
    assert!(gated.judged().is_empty() && !gated.pair.connection.place.progress().was_let_in());
}

#[tokio::test]
async fn what_it_does_not_know_is_the_servers() {
    let mut gated = Gated::open().await;
    let unknown = b"GET /unknown HTTP/1.1\r\nhost: a\r\n\r\n";
    assert_eq!(gated.reads(unknown).await, unknown);
    assert!(!gated.pair.connection.place.progress().was_let_in());
    assert_eq!(gated.judged(), ["/unknown"]);
}

/// Whatever is not one whole head after another could be read as two different requests by the gate and by the server.
#[tokio::test]
async fn nothing_is_judged_that_may_be_a_part_of_something_else() {
    for (before, had_body) in [
        // A request that is not answered yet.
        (YES, None),
        // A head that is not there whole, and one whose end came apart.
        (b"GET /yes HTTP/1.1\r\nx: ", None),
        (b"GET /yes HTTP/1.1\r\nhost: a\r\n\r\nGET /yes HTTP/1.1\r\nx: ", Some(false)),
        (b"GET /yes HTTP/1.1\r\nhost: a\r\n\r", None),
        // A body that ends as a head does; what follows it may have come with it.
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n\r\n\r\n", Some(true)),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n1GET /yes HTTP/1.1\r\nhost: a\r\n\r\n", Some(true)),
    ] {
        let mut gated = Gated::open().await;
        assert_eq!(gated.reads(before).await, before);
        if let Some(had_body) = had_body {
            gated.answered(had_body).await;
        }
        gated.judged();
        assert_eq!(gated.reads(NO).await, NO, "{}", String::from_utf8_lossy(before));
        assert!(gated.judged().is_empty());
    }
}

#[tokio::test]
async fn after_a_body_the_request_after_the_next_is_judged_again() {
    let mut gated = Gated::open().await;
    let post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n\r\n\r\n";
    assert_eq!(gated.reads(post).await, post);
    gated.answered(true).await;
    assert_eq!(gated.reads(YES).await, YES);
    gated.answered(false).await;
    assert!(gated.judged().is_empty());
    assert_eq!(gated.reads(NO).await, b"");
    gated.client_reads(ANSWER).await;
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_written_by_and_by_and_before_anything_is_read() {
    const LARGE: &[u8] = &[b'x'; 16 << 20];
    let mut gated = Gated::on(&Shutdown::new(), PATIENT, LARGE).await;
    assert_eq!(gated.reads(NO).await, b"");
    assert!(!gated.pair.connection.turned_away.is_empty(), "the system takes less at once");
    gated.doorkeeper.is_behind.store(false, Ordering::Relaxed);
    let (mut read, mut taken) = (Vec::new(), vec![0; LARGE.len()]);
    gated.pair.client.write_all(YES).await.unwrap();
    let (sent, took) = tokio::join!(gated.pair.connection.read_buf(&mut read), gated.pair.client.read_exact(&mut taken));
    assert!(sent.is_ok() && took.is_ok() && taken == LARGE);
    assert_eq!(read, YES);
}

#[tokio::test]
async fn who_does_not_take_the_answer_loses_the_connection() {
    const LARGE: &[u8] = &[b'x'; 16 << 20];
    let mut gated = Gated::on(&Shutdown::new(), Patience { untaken: SHORT, ..PATIENT }, LARGE).await;
    gated.pair.client.write_all(NO).await.unwrap();
    let failed = gated.pair.connection.read(&mut [0; 64]).await.unwrap_err();
    assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_stop_waits_for_an_answer_that_is_being_taken() {
    const LARGE: &[u8] = &[b'x'; 16 << 20];
    for server_ends_it in [false, true] {
        let shutdown = Shutdown::new();
        let mut gated = Gated::on(&shutdown, PATIENT, LARGE).await;
        assert_eq!(gated.reads(NO).await, b"");
        shutdown.drain();
        let Pair { connection, client, .. } = &mut gated.pair;
        let ends = async {
            match server_ends_it {
                true => connection.shutdown().await.unwrap(),
                false => assert_eq!(connection.read(&mut [0; 64]).await.unwrap(), 0),
            }
        };
        let mut taken = vec![0; LARGE.len()];
        let ((), took) = tokio::join!(ends, client.read_exact(&mut taken));
        assert!(took.is_ok() && taken == LARGE, "{server_ends_it}");
    }
}

#[tokio::test]
async fn a_stop_ends_a_connection_that_was_only_ever_turned_away() {
    let shutdown = Shutdown::new();
    let mut gated = Gated::on(&shutdown, PATIENT, ANSWER).await;
    assert_eq!(gated.reads(NO).await, b"");
    gated.client_reads(ANSWER).await;
    shutdown.drain();
    gated.pair.ends().await;
}

#[tokio::test]
async fn who_asks_is_not_idle_though_it_is_turned_away() {
    let mut gated = Gated::open().await;
    let progress = gated.pair.connection.place.progress().clone();
    let before = progress.now().1;
    tokio::time::sleep(SHORT).await;
    assert_eq!(progress.now().1, before);
    assert_eq!(gated.reads(NO).await, b"");
    assert!(progress.now().1 >= before + SHORT);
}
