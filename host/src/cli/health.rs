//! `picloud health`: whether a node works, as an exit code. For images without a shell, and for scripts that wait for a start.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::client;
use super::failure::{Exit, Failure, Result};
use super::listen;
use super::terminal::{print, print_json};
use crate::config;
use crate::limits;

pub(super) const EXAMPLES: &str = "\
Examples:
  picloud health                                  the node of this machine or container
  picloud health --wait-s 120                     waits for a start
  picloud health --url https://cloud.example.org  through the proxy

Exit codes: 0 it works; 1 it answers that it does not (its database cannot be reached, or it is ending); 7 nothing answers.";

/// Which node, and how long it may take to be there.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Where the node is, either plane [default: the control plane of this machine, by PICLOUD_ADMIN_BIND].
    #[arg(long, env = "PICLOUD_URL", hide_env_values = true, value_name = "URL")]
    url: Option<String>,
    /// Where the control plane of this machine answers.
    #[arg(
        long,
        env = "PICLOUD_ADMIN_BIND",
        value_name = "ADDR:PORT",
        value_parser = config::parse_bind,
        default_value = config::ADMIN_BIND_DEFAULT
    )]
    admin_bind: SocketAddr,
    /// Ask again until it works, for at most this long.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(0..=limits::HEALTH_WAIT_S_MAX)
    )]
    wait_s: u64,
    /// The result as one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Done<'a> {
    url: &'a str,
    status: &'static str,
    took_ms: u64,
}

pub(super) async fn run(which: Which) -> Result<()> {
    let began = Instant::now();
    let url = which.url.unwrap_or_else(|| format!("http://{}", listen::reachable(which.admin_bind)));
    let until = Duration::from_secs(which.wait_s);
    loop {
        match client::health(&url).await {
            Ok(()) => break,
            Err(failure) if !is_of_now(&failure) || began.elapsed() >= until => return Err(failure),
            Err(_) => tokio::time::sleep(Duration::from_millis(limits::HEALTH_WAIT_POLL_MS)).await,
        }
    }
    if which.json {
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        print_json(&Done { url: &url, status: "ok", took_ms });
    } else {
        print(&format!("{url} works\n"));
    }
    Ok(())
}

/// Whether asking again could help: a URL that is none stays none.
fn is_of_now(failure: &Failure) -> bool {
    matches!(failure.exit(), Exit::Unreachable | Exit::Other)
}
