//! What processes have in memory, as the kernel tells.

use std::fs;

use super::Failure;

/// Resident memory of a process, MiB.
pub(crate) fn resident_mib(pid: u32) -> Result<f64, Failure> {
    Ok(field(&format!("/proc/{pid}/status"), "VmRSS:")? / 1024.0)
}

/// The same of it and of all that it started. What they share counts in each.
pub(crate) fn resident_of_all_mib(pid: u32) -> Result<f64, Failure> {
    sum_mib(pid, &resident_mib)
}

/// The same with what they share counted once: PostgreSQL's processes have most of theirs in common.
pub(crate) fn proportional_of_all_mib(pid: u32) -> Result<f64, Failure> {
    sum_mib(pid, &|pid| Ok(field(&format!("/proc/{pid}/smaps_rollup"), "Pss:")? / 1024.0))
}

/// Who started a process.
pub(crate) fn parent(pid: u32) -> Result<u32, Failure> {
    Ok(field(&format!("/proc/{pid}/status"), "PPid:")? as u32)
}

fn sum_mib(pid: u32, mib: &dyn Fn(u32) -> Result<f64, Failure>) -> Result<f64, Failure> {
    let mut sum = mib(pid)?;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread, or one of its children, may have ended meanwhile.
        let children = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            sum += sum_mib(child.parse()?, mib).unwrap_or(0.0);
        }
    }
    Ok(sum)
}

/// The number behind a name.
fn field(path: &str, name: &str) -> Result<f64, Failure> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("{path} has no {name}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
