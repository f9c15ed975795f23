//! Names, connections and certificate authorities: the system's, or a table in their place.
//!
//! The table is for tests: the rules for addresses have no exception that a test would need, so a test says instead where a
//! public address leads. Production never makes one.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::dns::{self, Servers};
use super::gate::Place;
use crate::error::{Error, Result};
use crate::limits;

/// What the client stands on.
#[derive(Debug, Clone)]
pub enum Network {
    System { lookups: Arc<Semaphore> },
    Table(Arc<Table>),
}

/// A network of a test's own.
#[derive(Debug, Default)]
pub struct Table {
    /// What the resolver answers for a name: the first time, the second, and so on; the last answer stays.
    pub names: HashMap<String, Vec<Vec<IpAddr>>>,
    /// TXT records of names. Of any other name there are none.
    pub txt: Mutex<HashMap<String, Vec<String>>>,
    /// Where a connection to an address is really made. To any other address there is none.
    pub servers: HashMap<SocketAddr, SocketAddr>,
    /// Addresses of this machine.
    pub machine: Vec<IpAddr>,
    /// Certificate authorities, DER; the system's are not trusted.
    pub authorities: Vec<Vec<u8>>,
    /// Names that were looked up and addresses that were connected to, in order.
    pub seen: Mutex<Vec<String>>,
}

impl Default for Network {
    fn default() -> Self {
        Self::System { lookups: Arc::new(Semaphore::new(limits::HTTP_LOOKUPS_MAX)) }
    }
}

impl Network {
    /// Every address of a name, in the resolver's order.
    ///
    /// The system's resolver blocks a thread, which goes on when nobody waits any more: `place` is held until it
    /// is done, so that an app's lookups that never end stay within its share.
    pub(super) async fn resolve(&self, name: &str, place: &Place) -> io::Result<Vec<IpAddr>> {
        match self {
            Self::System { lookups } => {
                let held = (place.clone(), lookups.clone().acquire_owned().await.map_err(io::Error::other)?);
                let name = name.to_owned();
                let looked_up = tokio::task::spawn_blocking(move || {
                    let found = (name.as_str(), 0).to_socket_addrs().map(|sockets| sockets.map(|socket| socket.ip()).collect());
                    drop(held);
                    found
                });
                looked_up.await.map_err(io::Error::other)?
            }
            Self::Table(table) => table.resolve(name),
        }
    }

    /// The TXT records of a name, of a bounded number: none when there is no such name. As in [`dns::txt`].
    pub(super) async fn txt(&self, name: &str) -> Result<Vec<String>> {
        match self {
            Self::System { lookups } => {
                let _held = lookups.acquire().await.map_err(Error::internal)?;
                dns::txt(Servers::of_system().await?, name).await
            }
            Self::Table(table) => {
                table.note(format!("TXT {name}"));
                Ok(table.txt.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default())
            }
        }
    }

    /// Connects to exactly that address.
    pub(super) async fn connect(&self, socket: SocketAddr) -> io::Result<TcpStream> {
        match self {
            Self::System { .. } => TcpStream::connect(socket).await,
            Self::Table(table) => {
                table.note(socket.to_string());
                let server = table.servers.get(&socket).ok_or(io::ErrorKind::ConnectionRefused)?;
                TcpStream::connect(server).await
            }
        }
    }

    /// Whether the address is one of this machine's: only those can be bound to. Nothing is sent. Where the system lets
    /// anything be bound (`ip_nonlocal_bind`), every address counts.
    pub(super) fn is_this_machine(&self, address: IpAddr) -> bool {
        match self {
            Self::System { .. } => match UdpSocket::bind((address, 0)) {
                Ok(_) => true,
                Err(error) => error.kind() != io::ErrorKind::AddrNotAvailable,
            },
            Self::Table(table) => table.machine.contains(&address),
        }
    }
}

impl Table {
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let before = self.seen().iter().filter(|seen| *seen == name).count();
        self.note(name.to_owned());
        let answers = self.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(answers.get(before).or(answers.last()).cloned().unwrap_or_default())
    }

    /// Sets what TXT records a name has from now on.
    pub fn publish(&self, name: &str, records: &[&str]) {
        let records = records.iter().map(|record| (*record).to_owned()).collect();
        self.txt.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), records);
    }

    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, what: String) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn loopback_is_this_machine_and_documentation_is_not() {
        let system = Network::default();
        assert!(system.is_this_machine(Ipv4Addr::LOCALHOST.into()));
        assert!(system.is_this_machine(Ipv4Addr::new(127, 3, 2, 1).into()));
        assert!(!system.is_this_machine(Ipv4Addr::new(192, 0, 2, 1).into()));
    }
}
