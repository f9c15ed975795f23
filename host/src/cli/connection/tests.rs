use std::net::IpAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::places::{Places, Policy};
use super::*;

mod turned_away;

const SHORT: Duration = Duration::from_millis(40);
const LONG: Duration = Duration::from_secs(600);
const PATIENT: Patience = Patience { idle: LONG, crowded: LONG, head: LONG, untaken: LONG, taken_bytes_per_s: 1 };

/// Both ends of a connection.
struct Pair {
    connection: Connection,
    client: TcpStream,
    large_heads: Arc<Semaphore>,
}

async fn pair(shutdown: &Shutdown, patience: Patience) -> Pair {
    let policy = Policy { places: 2, per_address: 2, counted_as: Some };
    on(&Places::new(policy), shutdown, patience).await
}

async fn on(places: &Places, shutdown: &Shutdown, patience: Patience) -> Pair {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, peer) = listener.accept().await.unwrap();
    let (place, large_heads) = (places.take(peer.ip()).unwrap(), Arc::new(Semaphore::new(1)));
    let connection = Connection::new(stream, place, (large_heads.clone(), None), shutdown.clone(), patience);
    Pair { connection, client, large_heads }
}

impl Pair {
    fn phase(&self) -> Phase {
        self.connection.place.progress().now().0
    }

    /// The client sends, and so much is read.
    async fn send(&mut self, bytes: &[u8]) {
        self.client.write_all(bytes).await.unwrap();
        self.connection.read_exact(&mut vec![0; bytes.len()]).await.unwrap();
    }

    async fn answer(&mut self, bytes: &[u8]) {
        let progress = self.connection.place.progress().clone();
        assert!(progress.begin(true));
        progress.give(progress.latest());
        self.connection.write_all(bytes).await.unwrap();
        self.connection.flush().await.unwrap();
        self.client.read_exact(&mut vec![0; bytes.len()]).await.unwrap();
    }

    /// Nothing more is read, though the client is there.
    async fn ends(&mut self) {
        for _ in 0..2 {
            assert_eq!(self.connection.read(&mut [0; 8]).await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn a_stop_ends_a_connection_that_asked_nothing() {
    let shutdown = Shutdown::new();
    let mut pair = pair(&shutdown, PATIENT).await;
    shutdown.drain();
    pair.ends().await;
}

#[tokio::test]
async fn a_stop_lets_a_connection_finish_what_it_began() {
    let shutdown = Shutdown::new();
    let mut pair = pair(&shutdown, PATIENT).await;
    pair.send(b"GET").await;
    shutdown.drain();
    pair.send(b" /").await;
    pair.answer(b"done").await;
}

#[tokio::test]
async fn a_connection_goes_through_its_phases() {
    let mut pair = pair(&Shutdown::new(), PATIENT).await;
    assert_eq!(pair.phase(), Phase::Idle);
    for _ in 0..2 {
        pair.send(b"GET /").await;
        assert_eq!(pair.phase(), Phase::Head);
        pair.answer(b"done").await;
        assert_eq!(pair.phase(), Phase::Idle);
    }
    pair.send(b"PUT /").await;
    let progress = pair.connection.place.progress().clone();
    assert!(progress.begin(false));
    pair.send(b"body").await;
    assert_eq!(pair.phase(), Phase::Body);
    progress.answer();
    pair.connection.flush().await.unwrap();
    assert_eq!(pair.phase(), Phase::Answering, "nothing of the answer was given yet");
}

#[tokio::test]
async fn a_connection_on_which_nothing_comes_ends() {
    let mut pair = pair(&Shutdown::new(), Patience { idle: 2 * SHORT, crowded: SHORT, ..PATIENT }).await;
    pair.send(b"GET /").await;
    pair.answer(b"done").await;
    pair.ends().await;
}

#[tokio::test]
async fn where_it_is_crowded_it_ends_sooner() {
    let policy = Policy { places: 2, per_address: 2, counted_as: Some };
    let (places, patience) = (Places::new(policy), Patience { crowded: SHORT, ..PATIENT });
    let mut one = on(&places, &Shutdown::new(), patience).await;
    let two = places.take(IpAddr::from([192, 0, 2, 1])).unwrap();
    one.ends().await;
    drop(two);
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_ends_the_connection() {
    let mut pair = pair(&Shutdown::new(), Patience { head: SHORT, ..PATIENT }).await;
    // A whole one has nothing to hurry for, nor has what follows its answer.
    pair.send(b"GET /").await;
    pair.answer(b"done").await;
    pair.send(b"G").await;
    pair.ends().await;
    pair.client.write_all(b"E").await.unwrap();
    pair.ends().await;
}

#[tokio::test]
async fn an_answer_that_nobody_takes_ends_the_connection() {
    let mut pair = pair(&Shutdown::new(), Patience { untaken: SHORT, ..PATIENT }).await;
    pair.send(b"GET /").await;
    assert!(pair.connection.place.progress().begin(true));
    let failed = pair.connection.write_all(&vec![0; 64 << 20]).await.unwrap_err();
    assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
    assert_eq!(pair.connection.write(b"more").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    pair.ends().await;
}

#[test]
fn a_client_must_take_its_answer_and_not_too_slowly() {
    let patience = Patience { untaken: Duration::from_secs(30), taken_bytes_per_s: 1_000, ..PATIENT };
    let began = Instant::now();
    let at = |s: u64| began + Duration::from_secs(s);
    let mut giving = Giving::default();
    giving.takes(5_000, at(0));
    assert_eq!(giving.due(&patience), None, "it takes what there is");
    giving.waits(at(1));
    giving.waits(at(20));
    assert_eq!(giving.due(&patience), Some(at(31)), "30 s from when it stopped");
    giving.takes(1_000, at(30));
    giving.waits(at(40));
    assert_eq!(giving.due(&patience), Some(at(47)), "29 s waited of 30 s and the 6 s that 6000 bytes may take");
    giving.takes(100_000, at(46));
    giving.waits(at(46));
    assert_eq!(giving.due(&patience), Some(at(76)), "what it took since gives it time again");
}

#[tokio::test]
async fn of_a_large_head_more_is_read_once_it_has_a_place() {
    let mut pair = pair(&Shutdown::new(), Patience { head: SHORT, ..PATIENT }).await;
    let taken = pair.large_heads.clone().acquire_owned().await.unwrap();
    pair.send(&vec![b'a'; limits::REQUEST_HEAD_BYTES_FREE]).await;
    assert!(!pair.connection.place.progress().has_large_head());
    pair.client.write_all(b"a").await.unwrap();
    pair.ends().await;
    drop(taken);

    let mut pair = self::pair(&Shutdown::new(), PATIENT).await;
    pair.send(&vec![b'a'; limits::REQUEST_HEAD_BYTES_FREE + 1]).await;
    assert!(pair.connection.place.progress().has_large_head());
    assert_eq!(pair.large_heads.available_permits(), 0);
    let large_heads = pair.large_heads.clone();
    drop(pair);
    assert_eq!(large_heads.available_permits(), 1);
}

#[tokio::test]
async fn large_bodies_are_no_large_heads_and_come_in_small_pieces() {
    let mut pair = pair(&Shutdown::new(), PATIENT).await;
    pair.send(b"PUT /").await;
    assert!(pair.connection.place.progress().begin(false));
    pair.send(&vec![b'a'; 4 * limits::REQUEST_HEAD_BYTES_FREE]).await;
    assert!(!pair.connection.place.progress().has_large_head());
    pair.client.write_all(&vec![b'a'; 4 * limits::CONNECTION_READ_BYTES]).await.unwrap();
    let mut bytes = vec![0; 4 * limits::CONNECTION_READ_BYTES];
    assert!(pair.connection.read(&mut bytes).await.unwrap() <= limits::CONNECTION_READ_BYTES);
}
