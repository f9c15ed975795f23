//! `wrk`, a client that keeps its connections and calls as fast as they are answered.

use std::process::Command;

use super::Failure;

/// What one run of it found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Answers that were not 2xx or 3xx, and connections that broke or timed out.
    pub(crate) failed: u64,
}

/// Calls a URL, with the `Host` that is given, for so many seconds.
pub(crate) fn wrk(url: &str, host: Option<&str>, threads: u32, connections: u32, seconds: u32) -> Result<Load, Failure> {
    let mut command = Command::new("wrk");
    command.args(["--latency", &format!("-t{threads}"), &format!("-c{connections}"), &format!("-d{seconds}s")]);
    if let Some(host) = host {
        command.args(["-H", &format!("Host: {host}")]);
    }
    let output =
        command.arg(url).output().map_err(|error| format!("wrk cannot be started ({error}); on Debian: apt-get install wrk"))?;
    let text = String::from_utf8(output.stdout)?;
    let field = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let per_second = field("Requests/sec:").ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("wrk {url} said: {text}{said}")
    })?;
    let refused = field("Non-2xx or 3xx responses:").map_or(Ok(0), str::parse::<u64>)?;
    let broken = field("Socket errors:").map_or(0, numbers);
    Ok(Load {
        per_second: per_second.parse()?,
        p50_ms: milliseconds(field("50%"))?,
        p99_ms: milliseconds(field("99%"))?,
        failed: refused + broken,
    })
}

/// The sum of `connect 0, read 3, write 0, timeout 1`.
fn numbers(text: &str) -> u64 {
    text.split([' ', ',']).filter_map(|word| word.parse::<u64>().ok()).sum()
}

fn milliseconds(text: Option<&str>) -> Result<f64, Failure> {
    let text = text.ok_or("wrk named no latency")?;
    for (unit, scale) in [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(number.parse::<f64>()? * scale);
        }
    }
    Err(format!("{text} is not a latency").into())
}
