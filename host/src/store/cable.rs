//! The cable to a database that is reached through the network: when it is cut and nobody says so, both ends notice.
//!
//! Without this a packet that vanishes is sent again for a quarter of an hour, and a connection that only listens never learns that
//! there is nobody. What waits on such a connection (a worker, a script, a signal of another node) waits as long. The kernel finds out
//! by itself when it is told to, and an idle node still makes no query. sqlx has no word for it, so the sockets are looked for among
//! what the process has open.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use crate::limits;

/// What the database is told of a session, so that it ends one whose node is gone, and lets go of what that held.
pub(super) fn of_session() -> [(&'static str, String); 5] {
    let idle_s = limits::DATABASE_SILENT_MS / 1000;
    [
        ("tcp_keepalives_idle", idle_s.to_string()),
        ("tcp_keepalives_interval", limits::DATABASE_PROBE_S.to_string()),
        ("tcp_keepalives_count", limits::DATABASE_PROBES.to_string()),
        ("tcp_user_timeout", limits::DATABASE_SILENT_MS.to_string()),
        // A node that hangs in the middle of a transaction still has a kernel that answers for it.
        ("idle_in_transaction_session_timeout", limits::DATABASE_IDLE_IN_TRANSACTION_MS.to_string()),
    ]
}

/// Has the kernel watch every connection of this process to that port that it does not watch yet. Others than the database's may be
/// among them: for them it is no harm.
pub(super) fn watch(port: u16) -> io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let Some(fd) = name.to_str().and_then(|name| name.parse::<RawFd>().ok()) else { continue };
        // SAFETY: the descriptor is not kept. It may be closed meanwhile, and be another one's: then the calls fail, or give a
        // connection to that port what it would get anyway.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let socket = SockRef::from(&fd);
        if is_to(&socket, port) && !socket.keepalive()? {
            tell(&socket)?;
        }
    }
    Ok(())
}

fn is_to(socket: &SockRef<'_>, port: u16) -> bool {
    socket.peer_addr().ok().and_then(|peer| peer.as_socket()).is_some_and(|peer| peer.port() == port)
}

fn tell(socket: &SockRef<'_>) -> io::Result<()> {
    let silent = Duration::from_millis(limits::DATABASE_SILENT_MS.into());
    // What was sent and not heard of; the same bound holds for a probe.
    socket.set_tcp_user_timeout(Some(silent))?;
    let probes = TcpKeepalive::new().with_time(silent).with_interval(Duration::from_secs(limits::DATABASE_PROBE_S.into()));
    socket.set_tcp_keepalive(&probes.with_retries(limits::DATABASE_PROBES))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn connections_to_the_port_are_watched_and_no_others() {
        let database = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let to_it = TcpStream::connect(database.local_addr().unwrap()).unwrap();
        let to_other = TcpStream::connect(other.local_addr().unwrap()).unwrap();
        watch(database.local_addr().unwrap().port()).unwrap();
        let (to_it, to_other) = (SockRef::from(&to_it), SockRef::from(&to_other));
        let silent = Duration::from_millis(limits::DATABASE_SILENT_MS.into());
        assert!(to_it.keepalive().unwrap());
        assert_eq!((to_it.tcp_keepalive_time().unwrap(), to_it.tcp_user_timeout().unwrap()), (silent, Some(silent)));
        assert!(!to_other.keepalive().unwrap());
    }
}
