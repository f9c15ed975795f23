//! What must not work behind the wall, tried in a process that is there for nothing else: so that tests and `doctor` need not
//! believe a list. Each attempt is harmless where it succeeds.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;

use crate::walls::Status;

/// One thing that nobody behind the wall may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Starting a program in place of this one.
    Execve,
    /// Making a process.
    Fork,
    /// Taking hold of another process.
    Ptrace,
    /// A socket that sees every packet.
    SocketPacket,
    /// Waiting for connections.
    Listen,
    /// Fresh memory that runs as code.
    MmapExec,
    /// Memory that becomes code after it was written.
    MprotectExec,
    /// A view of the system of its own.
    Unshare,
    /// Becoming another user.
    Setuid,
    /// Ending everybody else's processes.
    KillAll,
}

impl Attempt {
    pub(super) const ALL: [Self; 10] = [
        Self::Execve,
        Self::Fork,
        Self::Ptrace,
        Self::SocketPacket,
        Self::Listen,
        Self::MmapExec,
        Self::MprotectExec,
        Self::Unshare,
        Self::Setuid,
        Self::KillAll,
    ];

    /// As on the command line.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Execve => "execve",
            Self::Fork => "fork",
            Self::Ptrace => "ptrace",
            Self::SocketPacket => "socket-packet",
            Self::Listen => "listen",
            Self::MmapExec => "mmap-exec",
            Self::MprotectExec => "mprotect-exec",
            Self::Unshare => "unshare",
            Self::Setuid => "setuid",
            Self::KillAll => "kill-all",
        }
    }
}

const PAGE_BYTES: usize = 4096;
const ANONYMOUS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

/// Tries it. Behind the wall this does not return.
pub(super) fn attempt(which: Attempt) {
    // SAFETY: none of these calls touches memory that anybody uses: they are given numbers and null, and what a mapping gave.
    // A child that is made ends at once.
    unsafe {
        match which {
            // There is no such program: where it can be asked for, this goes on.
            Attempt::Execve => {
                let _ = Command::new("/nonexistent/picloud").exec();
            }
            Attempt::Fork => {
                if libc::fork() == 0 {
                    libc::_exit(0);
                }
            }
            // Nobody has the number 0.
            Attempt::Ptrace => {
                libc::ptrace(libc::PTRACE_ATTACH, 0, ptr::null_mut::<u8>(), ptr::null_mut::<u8>());
            }
            Attempt::SocketPacket => {
                libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
            }
            Attempt::Listen => {
                let _ = TcpListener::bind("127.0.0.1:0");
            }
            Attempt::MmapExec => {
                let code = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
                libc::mmap(ptr::null_mut(), PAGE_BYTES, code, ANONYMOUS, -1, 0);
            }
            Attempt::MprotectExec => {
                let page = libc::mmap(ptr::null_mut(), PAGE_BYTES, libc::PROT_READ | libc::PROT_WRITE, ANONYMOUS, -1, 0);
                if page != libc::MAP_FAILED {
                    libc::mprotect(page, PAGE_BYTES, libc::PROT_READ | libc::PROT_EXEC);
                }
            }
            // Nothing is asked to be apart.
            Attempt::Unshare => {
                libc::unshare(0);
            }
            // Who it is already.
            Attempt::Setuid => {
                libc::setuid(libc::getuid());
            }
            // 0 asks whether it would be allowed.
            Attempt::KillAll => {
                libc::kill(-1, 0);
            }
        }
    }
}

/// Does what a node does all the time, behind the wall that `raise` raises, and looks whether it is up.
///
/// # Errors
/// What did not work, or that the wall is not up.
pub(super) fn control<E: std::error::Error + Send + Sync + 'static>(raise: impl FnOnce() -> Result<(), E>) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    raise().map_err(io::Error::other)?;
    let status = Status::own()?;
    if !status.seccomp || !status.no_new_privileges {
        return Err(io::Error::other(format!("the kernel does not keep to it: {status:?}")));
    }
    let talking = std::thread::Builder::new().name("talking".to_owned()).spawn(move || {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&vec![7; PAGE_BYTES])
    })?;
    let (mut stream, _) = listener.accept()?;
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard)?;
    talking.join().map_err(|_| io::Error::other("a thread ended early"))??;
    let mut file = File::open("/proc/self/maps")?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if heard.len() != PAGE_BYTES || text.is_empty() {
        return Err(io::Error::other("something was lost on the way"));
    }
    refused_as_code(&File::open("/proc/self/exe")?)
}

/// A file cannot be mapped as code; whoever tries is told so, and lives.
fn refused_as_code(file: &File) -> io::Result<()> {
    // SAFETY: a fresh private mapping, that nobody touches.
    let mapped = unsafe {
        libc::mmap(ptr::null_mut(), PAGE_BYTES, libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
    };
    match io::Error::last_os_error() {
        error if mapped == libc::MAP_FAILED && error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        _ => Err(io::Error::other("a file can be mapped as code")),
    }
}
