//! Servers to compare with: each is the very program that measures, started with a mode of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::Failure;

/// A server that is up; it ends when this is dropped.
pub(crate) struct Baseline {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Baseline {
    /// Starts this program again with `mode`, the address to listen on, then the arguments; waits until it takes connections.
    pub(crate) fn start(mode: &str, arguments: &[&str]) -> Result<Self, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([mode, &address.to_string()]).args(arguments);
        // From here on the child is killed on every way out.
        let mut baseline = Self { child: command.spawn()?, address };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = baseline.child.try_wait()? {
                return Err(format!("{mode} ended with {status}").into());
            }
            if started.elapsed() > Duration::from_secs(10) {
                return Err(format!("{mode} does not answer").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(baseline)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
