//! Servers to compare with, each a process of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::Failure;

/// A server takes connections within this, or not at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that is up; it ends when this is dropped.
pub(crate) struct Baseline {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Baseline {
    /// Starts this program again with `mode`, the address to listen on, then the arguments.
    pub(crate) fn start(mode: &str, arguments: &[&str]) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let started = Self::launch(|address| {
            let mut command = Command::new(program);
            command.args([mode, &address.to_string()]).args(arguments);
            command
        });
        started.map_err(|error| format!("{mode} {error}").into())
    }

    /// Starts the command that listens on the address it is made with; waits until it takes connections.
    pub(crate) fn launch(command: impl FnOnce(SocketAddr) -> Command) -> Result<Self, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        // From here on the child is killed on every way out.
        let mut baseline = Self { child: command(address).spawn()?, address };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = baseline.child.try_wait()? {
                return Err(format!("ended with {status} at its start").into());
            }
            if started.elapsed() > PATIENCE {
                return Err("takes no connection".into());
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
