//! Calls over HTTP/1.1 by hand: a connection for each thread, one call after the other on it. No runtime stands between the call
//! and the clock.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::{Failure, quantile};

/// An answer comes within this, or the call counts as broken.
const PATIENCE: Duration = Duration::from_secs(120);
/// Niceness of threads that measure: a client elsewhere would not wait for a core of the node's.
const PROMPT: i32 = -10;
/// What a broken call counts as.
pub(crate) const BROKEN: u16 = 0;

/// A request, and where it goes.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    request: Arc<[u8]>,
}

impl Target {
    /// `base` is the node's `http://address`.
    pub(crate) fn get(base: &str, app: &str, path: &str) -> Result<Self, Failure> {
        Self::of(base, format!("GET {path} HTTP/1.1\r\nhost: {app}.localhost\r\n\r\n").into_bytes())
    }

    pub(crate) fn post(base: &str, app: &str, path: &str, bytes: usize) -> Result<Self, Failure> {
        let head = format!("POST {path} HTTP/1.1\r\nhost: {app}.localhost\r\n");
        let head = format!("{head}content-type: application/octet-stream\r\ncontent-length: {bytes}\r\n\r\n");
        let mut request = head.into_bytes();
        request.resize(request.len() + bytes, b'x');
        Self::of(base, request)
    }

    fn of(base: &str, request: Vec<u8>) -> Result<Self, Failure> {
        Ok(Self { address: address(base)?, request: request.into() })
    }
}

pub(crate) fn address(base: &str) -> Result<SocketAddr, Failure> {
    Ok(base.strip_prefix("http://").ok_or("no plain URL")?.parse()?)
}

/// What came of calls.
#[derive(Default)]
pub(crate) struct Load {
    /// How often which status came; [`BROKEN`] where none did.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Of those answered 200.
    took_ms: Vec<f64>,
    seconds: f64,
}

impl Load {
    pub(crate) fn calls(&self) -> u64 {
        self.answers.values().sum()
    }

    /// Calls that were not answered 200.
    pub(crate) fn failed(&self) -> u64 {
        self.answers.iter().filter(|(status, _)| **status != 200).map(|(_, count)| count).sum()
    }

    /// Calls answered, whatever with.
    pub(crate) fn per_second(&self) -> f64 {
        let answered = self.calls() - self.answers.get(&BROKEN).copied().unwrap_or(0);
        if answered == 0 { 0.0 } else { answered as f64 / self.seconds }
    }

    pub(crate) fn quantile_ms(&mut self, share: f64) -> f64 {
        quantile(&mut self.took_ms, share)
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        for (status, count) in other.answers {
            *self.answers.entry(status).or_default() += count;
        }
        self.took_ms.extend(other.took_ms);
        self.seconds += other.seconds;
    }
}

/// Calls one target on so many connections for a time.
pub(crate) fn measure(target: &Target, connections: usize, time: Duration) -> Load {
    let began = Instant::now();
    Calls::begin(std::slice::from_ref(target), connections, PROMPT, move || began.elapsed() < time).end()
}

/// Calls until it is told to stop.
pub(crate) struct Storm {
    calls: Calls,
    stop: Arc<AtomicBool>,
}

impl Storm {
    /// Each connection takes the targets by turns.
    pub(crate) fn begin(targets: &[Target], connections: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        Self { calls: Calls::begin(targets, connections, 0, move || !stopped.load(Ordering::Relaxed)), stop }
    }

    /// Begins no more calls.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.calls.is_over()
    }

    /// What came of all, once the last one is answered.
    pub(crate) fn end(self) -> Load {
        self.stop();
        self.calls.end()
    }
}

/// Connections that call.
pub(crate) struct Calls {
    began: Instant,
    threads: Vec<JoinHandle<Load>>,
}

impl Calls {
    /// So many calls all in all.
    pub(crate) fn counted(targets: &[Target], connections: usize, calls: u64) -> Self {
        let begun = AtomicU64::new(0);
        Self::begin(targets, connections, 0, move || begun.fetch_add(1, Ordering::Relaxed) < calls)
    }

    fn begin(targets: &[Target], connections: usize, niceness: i32, goes_on: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let goes_on: Arc<dyn Fn() -> bool + Send + Sync> = Arc::new(goes_on);
        let threads = (0..connections)
            .map(|first| {
                let (targets, goes_on) = (targets.to_vec(), goes_on.clone());
                std::thread::spawn(move || {
                    // Only root may; the figures are then a little worse than they are.
                    let _ = rustix::process::setpriority_process(None, niceness);
                    work(&targets, first, &*goes_on)
                })
            })
            .collect();
        Self { began: Instant::now(), threads }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    pub(crate) fn end(self) -> Load {
        let mut all = Load::default();
        for thread in self.threads {
            all.absorb(thread.join().unwrap_or_default());
        }
        all.seconds = self.began.elapsed().as_secs_f64();
        all
    }
}

fn work(targets: &[Target], first: usize, goes_on: &dyn Fn() -> bool) -> Load {
    let (mut load, mut stream) = (Load::default(), None);
    for target in targets.iter().cycle().skip(first % targets.len()) {
        if !goes_on() {
            break;
        }
        let began = Instant::now();
        let status = call(target, &mut stream).unwrap_or(BROKEN);
        if status == 200 {
            load.took_ms.push(began.elapsed().as_secs_f64() * 1e3);
        }
        *load.answers.entry(status).or_default() += 1;
    }
    load
}

/// One call; the connection stays for the next one when both sides want that.
fn call(target: &Target, kept: &mut Option<TcpStream>) -> Result<u16, Error> {
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(target.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream
        }
    };
    stream.write_all(&target.request)?;
    let (status, stays) = read(&mut stream)?;
    if stays {
        *kept = Some(stream);
    }
    Ok(status)
}

/// Reads an answer whole: its status, and whether the connection stays. Every answer of the node says how long it is.
fn read(stream: &mut TcpStream) -> Result<(u16, bool), Error> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 << 10]);
    let mut more = |bytes: &mut Vec<u8>| -> Result<usize, Error> {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&piece[..count]);
        Ok(count)
    };
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        more(&mut bytes)?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(Ok(0), |value| value.trim().parse::<usize>());
    let mut left = (end + length.map_err(|_| ErrorKind::InvalidData)?).saturating_sub(bytes.len());
    while left > 0 {
        bytes.clear();
        left = left.saturating_sub(more(&mut bytes)?);
    }
    Ok((status, !head.contains("\r\nconnection: close")))
}
