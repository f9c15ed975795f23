//! What the kernel is told of a lane.

use std::io;

use crate::limits::{LANE_NICENESS, LANE_TURN_NS, NICENESS_MAX};

/// Has this thread give way to the process's others: [`LANE_NICENESS`] above its own priority, and turns of [`LANE_TURN_NS`].
/// Both are anyone's right. A kernel before 6.12 keeps its own turns; where the system refuses, lanes are threads like others.
pub(super) fn lower() -> io::Result<()> {
    let lower = rustix::process::getpriority_process(None)?.saturating_add(LANE_NICENESS).min(NICENESS_MAX);
    // By itself, too: not every system that has this has the other.
    rustix::process::setpriority_process(None, lower)?;
    let asked = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: lower,
        sched_priority: 0,
        sched_runtime: LANE_TURN_NS,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads `size` bytes of a structure that lives until the call is over. Thread 0 is the caller.
    let answer = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const asked, 0) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What turns the kernel gives this thread, ns.
#[cfg(test)]
pub(super) fn turn_ns() -> io::Result<u64> {
    // SAFETY: a structure of numbers; the kernel writes no more than the size that it is told.
    let mut told: libc::sched_attr = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::sched_attr>();
    let answer = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut told, size, 0) };
    if answer == 0 { Ok(told.sched_runtime) } else { Err(io::Error::last_os_error()) }
}
