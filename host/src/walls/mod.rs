//! The second wall: what this process may still ask of the kernel once it serves. The first one, WebAssembly, keeps scripts
//! from running code of their own; this one leaves whoever gets past it with little to do.
//!
//! `calls` lists what a node needs, `names` has the resolver ready before the door closes, `status` reads what is up around a
//! process.
//!
//! Invariants: everything that is not listed ends the process (SIGSYS), on every thread that it has or will have, and nothing
//! takes that back. No program can be started, no process made, no memory become code, no port be listened on, no privilege be
//! gained; of signals, others can be sent those alone that end the private PostgreSQL. Memory goes into no core file, and an
//! unprivileged process cannot open it: neither another one of the same user, nor this one to write over its own code
//! (`/proc/self/mem`). So the wall is raised late: after the listeners, the private PostgreSQL, and the compiled component.
//!
//! Two things are answered rather than punished. `clone3` does not exist, as its flags cannot be seen from here: the C library
//! then takes `clone`. A file cannot be mapped as code: the resolver of the C library may try that at any time, and does
//! without.

mod calls;
mod names;
mod status;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter_all_threads};

use calls::Rules;

pub use status::Status;

/// What becomes of a call that is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The process ends by SIGSYS.
    Kill,
    /// The call is made, and told in the log of the kernel: to find out what a list lacks.
    Log,
}

/// Why there is no wall, or less of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no filter is known for this kind of processor: {0}")]
    Filter(#[from] BackendError),
    #[error("the kernel refuses it: {0}")]
    Kernel(#[from] seccompiler::Error),
    #[error("the memory cannot be kept from others: {0}")]
    Memory(#[from] rustix::io::Errno),
}

/// Raises the wall around every thread of this process. Nothing may start a program afterwards.
///
/// # Errors
/// When the kernel, or what this process runs in, does not have it. What was raised before that stays.
pub fn raise(refusal: Refusal) -> Result<(), Error> {
    let filters = filters(refusal)?;
    names::load();
    if refusal == Refusal::Kill {
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    // Each also sets "no new privileges", on every thread.
    for filter in &filters {
        apply_filter_all_threads(filter)?;
    }
    Ok(())
}

/// In the order in which they are laid on: the kernel asks all, and takes the most severe answer. The last one no longer lets
/// another be laid on.
fn filters(refusal: Refusal) -> Result<[BpfProgram; 3], BackendError> {
    let otherwise = match refusal {
        Refusal::Kill => SeccompAction::KillProcess,
        Refusal::Log => SeccompAction::Log,
    };
    let errno = |errno: i32| SeccompAction::Errno(errno.unsigned_abs());
    Ok([
        filter(calls::absent(), SeccompAction::Allow, errno(libc::ENOSYS))?,
        filter(calls::denied()?, SeccompAction::Allow, errno(libc::EACCES))?,
        filter(calls::needed(std::process::id())?, otherwise, SeccompAction::Allow)?,
    ])
}

fn filter(rules: Rules, otherwise: SeccompAction, when_listed: SeccompAction) -> Result<BpfProgram, BackendError> {
    let machine = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, otherwise, when_listed, machine)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_can_be_made_for_this_machine() {
        for refusal in [Refusal::Kill, Refusal::Log] {
            let sizes = filters(refusal).unwrap().map(|filter| filter.len());
            assert!(sizes.iter().all(|size| *size > 4), "{sizes:?}");
        }
    }

    #[test]
    fn a_way_past_the_filter_is_on_no_list() {
        let needed = calls::needed(1).unwrap();
        for call in calls::FORBIDDEN {
            assert!(!needed.contains_key(call), "{call}");
        }
        // What has a dangerous half is looked at more closely.
        let judged = [libc::SYS_clone, libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_socket, libc::SYS_kill, libc::SYS_ioctl];
        for call in judged {
            assert!(needed.get(&call).is_some_and(|rules| !rules.is_empty()), "{call}");
        }
    }
}
