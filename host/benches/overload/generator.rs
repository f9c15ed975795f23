//! Calls by a clock, in a process of its own: when a call is due does not depend on what came of those before it, and how long
//! it took is counted from that moment, wherever it waited.
//!
//! Two threads: the clock writes the calls that are due to connections that are free, of these to the one used last; the other
//! one reads answers. Where none is free a call waits for one. No call is tried again. Both look twice a millisecond: a caller on
//! another machine takes no core away from the node either whenever an answer comes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{interval, sleep, timeout};

use super::answer::Answer;
use super::order::{Order, Outcome};
use crate::support::{Failure, quantile};

/// Connections that are opened one after the other without a pause: the node's queue of those that it has not accepted yet is
/// finite.
const OPENED_AT_ONCE: usize = 128;
/// Before a connection is opened again that could not be, or that ended.
const PAUSE: Duration = Duration::from_millis(10);
/// A call counts as unanswered after this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked for such.
const SWEEP: Duration = Duration::from_millis(50);
/// How long both threads sleep before they look again.
pub(crate) const STEP: Duration = Duration::from_micros(500);
/// Niceness of the generator: one elsewhere would not wait for the database.
pub(crate) const PROMPT: i32 = -5;
/// Room for an answer, which grows where one is longer.
const ANSWER_BYTES: usize = 1 << 10;

struct Generator {
    address: SocketAddr,
    request: Vec<u8>,
    desk: Mutex<Desk>,
}

/// What both threads know.
struct Desk {
    wires: Vec<Wire>,
    /// Connections that are free, the one that was used last at the end: that there are more than are needed costs nothing.
    idle: Vec<usize>,
    /// When calls were due for which there was none.
    waiting: VecDeque<Instant>,
    /// Connections that were in use at once, at most.
    most_in_use: usize,
    /// Calls that were sent and may still be answered in time.
    under_way: usize,
    /// When the clock ends.
    end: Instant,
    good_ms: Vec<f64>,
    refused_ms: Vec<f64>,
    found: Outcome,
}

#[derive(Default)]
struct Wire {
    writer: Option<Arc<OwnedWriteHalf>>,
    call: Call,
}

#[derive(Clone, Copy, Default)]
enum Call {
    #[default]
    None,
    /// Sent, and when it was due.
    Due(Instant),
    /// Nobody waits for it any more. The connection is free once it is answered.
    GivenUp,
}

/// How the clock went.
struct Pace {
    late_ms: Vec<f64>,
    cores: f64,
}

/// Does as ordered and prints what came of it.
pub(crate) fn generate(order: &str) -> Result<(), Failure> {
    // Only root may; the figures are then a little worse than they are. Threads begun later have it too.
    let _ = setpriority_process(None, PROMPT);
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let order: Order = serde_json::from_str(order)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(&order))?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

async fn run(order: &Order) -> Result<Outcome, Failure> {
    let generator = Arc::new(Generator::new(order));
    let mut connections = JoinSet::new();
    // Holds the thread up; what has come meanwhile is read at once.
    connections.spawn(async {
        loop {
            std::thread::sleep(STEP);
            yield_now().await;
        }
    });
    let opened = async {
        for number in 0..order.connections {
            if number % OPENED_AT_ONCE == 0 {
                sleep(PAUSE).await;
            }
            connections.spawn(generator.clone().serve(number));
        }
        while generator.desk().idle.len() < order.connections {
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, opened).await.map_err(|_| "the node does not take that many connections")?;

    let began = Instant::now();
    generator.desk().end = began + Duration::from_secs_f64(order.seconds);
    let clock = {
        let (generator, order) = (generator.clone(), order.clone());
        std::thread::spawn(move || generator.pace(&order, began))
    };
    let mut sweep = interval(SWEEP);
    loop {
        sweep.tick().await;
        // Asked before the sweep: the clock's last call is then known to it.
        let was_last = clock.is_finished();
        if generator.sweep(Instant::now()) && was_last {
            break;
        }
    }
    let pace = clock.join().map_err(|_| "the clock broke")?;
    Ok(generator.outcome(order, pace))
}

impl Generator {
    fn new(order: &Order) -> Self {
        let desk = Desk {
            wires: (0..order.connections).map(|_| Wire::default()).collect(),
            idle: Vec::with_capacity(order.connections),
            waiting: VecDeque::new(),
            most_in_use: 0,
            under_way: 0,
            end: Instant::now(),
            good_ms: Vec::new(),
            refused_ms: Vec::new(),
            found: Outcome::default(),
        };
        let request = format!("GET {} HTTP/1.1\r\nhost: {}\r\n\r\n", order.path, order.host).into_bytes();
        Self { address: order.address, request, desk: Mutex::new(desk) }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock: gaps between calls are those of many callers who know nothing of each other (exponential).
    fn pace(&self, order: &Order, began: Instant) -> Pace {
        let (used, end) = (processor_s(), began + Duration::from_secs_f64(order.seconds));
        let (mut draws, mut due, mut late_ms) = (Draws(order.seed), began, Vec::new());
        loop {
            due += Duration::from_secs_f64(draws.gap() / order.per_second);
            if due >= end {
                break;
            }
            while due > Instant::now() {
                std::thread::sleep(STEP);
            }
            late_ms.push(due.elapsed().as_secs_f64() * 1e3);
            self.begin(due);
        }
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        Pace { late_ms, cores: (processor_s() - used) / order.seconds }
    }

    /// A call is due.
    fn begin(&self, due: Instant) {
        let mut desk = self.desk();
        desk.found.due += 1;
        let Some(number) = desk.idle.pop() else { return desk.waiting.push_back(due) };
        desk.most_in_use = desk.most_in_use.max(desk.wires.len() - desk.idle.len());
        let writer = desk.assign(number, due);
        drop(desk);
        self.send(writer.as_deref());
    }

    /// A request is small and the one before it was answered, so the system takes it whole. Where it does not, the connection
    /// ends or nothing is answered, and the call is counted so.
    fn send(&self, writer: Option<&OwnedWriteHalf>) {
        if let Some(writer) = writer {
            let _ = writer.try_write(&self.request);
        }
    }

    /// A connection, opened again whenever it has ended.
    async fn serve(self: Arc<Self>, number: usize) {
        loop {
            if let Ok(stream) = TcpStream::connect(self.address).await
                && stream.set_nodelay(true).is_ok()
            {
                self.read(number, stream).await;
            }
            sleep(PAUSE).await;
        }
    }

    /// Reads answers until the connection ends.
    async fn read(&self, number: usize, stream: TcpStream) {
        let (mut reader, writer) = stream.into_split();
        self.desk().wires[number].writer = Some(Arc::new(writer));
        self.free(number);
        let mut bytes = Vec::<u8>::with_capacity(ANSWER_BYTES);
        while reader.read_buf(&mut bytes).await.is_ok_and(|count| count > 0) {
            let (now, answer) = (Instant::now(), Answer::read(&bytes));
            let Some(answer) = answer else { continue };
            bytes.clear();
            self.desk().answered(number, answer, now);
            if !answer.stays {
                break;
            }
            self.free(number);
        }
        self.desk().ended(number);
    }

    /// Gives the connection to the call that has waited for the longest.
    fn free(&self, number: usize) {
        let mut desk = self.desk();
        let Some(due) = desk.waiting.pop_front() else { return desk.idle.push(number) };
        let writer = desk.assign(number, due);
        drop(desk);
        self.send(writer.as_deref());
    }

    /// Gives up what has taken too long; whether there is nothing left.
    fn sweep(&self, now: Instant) -> bool {
        let mut desk = self.desk();
        let desk = &mut *desk;
        while desk.waiting.front().is_some_and(|due| now.duration_since(*due) > PATIENCE) {
            desk.waiting.pop_front();
            desk.found.unsent += 1;
        }
        for wire in &mut desk.wires {
            if let Call::Due(due) = wire.call
                && now.duration_since(due) > PATIENCE
            {
                wire.call = Call::GivenUp;
                desk.under_way -= 1;
                desk.found.unanswered += 1;
            }
        }
        desk.waiting.is_empty() && desk.under_way == 0
    }

    fn outcome(&self, order: &Order, mut pace: Pace) -> Outcome {
        let mut desk = self.desk();
        let desk = &mut *desk;
        let of = |values: &mut Vec<f64>, share: f64| (!values.is_empty()).then(|| quantile(values, share));
        Outcome {
            seconds: order.seconds,
            connections: desk.most_in_use,
            good_p50_ms: of(&mut desk.good_ms, 0.5),
            good_p99_ms: of(&mut desk.good_ms, 0.99),
            refused_p50_ms: of(&mut desk.refused_ms, 0.5),
            late_p99_ms: of(&mut pace.late_ms, 0.99).unwrap_or(0.0),
            cores: pace.cores,
            ..std::mem::take(&mut desk.found)
        }
    }
}

impl Desk {
    /// Gives a call to a connection, and that to whoever is to write it.
    fn assign(&mut self, number: usize, due: Instant) -> Option<Arc<OwnedWriteHalf>> {
        self.under_way += 1;
        self.wires[number].call = Call::Due(due);
        self.wires[number].writer.clone()
    }

    fn answered(&mut self, number: usize, answer: Answer, now: Instant) {
        let Call::Due(due) = std::mem::take(&mut self.wires[number].call) else { return };
        self.under_way -= 1;
        *self.found.answers.entry(answer.status).or_default() += 1;
        let took_ms = now.duration_since(due).as_secs_f64() * 1e3;
        match answer.status {
            200 => {
                self.good_ms.push(took_ms);
                self.found.good_in_time += u64::from(now <= self.end);
            }
            429 | 503 => {
                self.refused_ms.push(took_ms);
                self.found.without_retry_after += u64::from(!answer.has_retry_after);
            }
            _ => {}
        }
    }

    fn ended(&mut self, number: usize) {
        self.idle.retain(|idle| *idle != number);
        if let Call::Due(_) = std::mem::take(&mut self.wires[number]).call {
            self.under_way -= 1;
            self.found.broken += 1;
        }
    }
}

/// SplitMix64.
struct Draws(u64);

impl Draws {
    /// A gap of one on average.
    fn gap(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let below_one = ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        -(1.0 - below_one).ln()
    }
}

/// What this process has had of processors so far, seconds.
fn processor_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
