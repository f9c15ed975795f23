//! The machine that figures are of.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::Failure;

/// Its cores, half of them for a node and the others for whoever calls it, as if those were elsewhere.
pub(crate) struct Halves {
    node: CpuSet,
}

impl Halves {
    /// From here on what this thread starts, threads and processes, has the callers' half; but for what is begun as the node's.
    pub(crate) fn part() -> Result<Self, Failure> {
        let all = sched_getaffinity(None)?;
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
        let (of_node, of_callers) = cores.split_at(cores.len() / 2);
        if of_node.is_empty() {
            return Err("a node and its callers need a core each: this process may use one".into());
        }
        let set = |cores: &[usize]| {
            let mut set = CpuSet::new();
            cores.iter().for_each(|core| set.set(*core));
            set
        };
        sched_setaffinity(None, &set(of_callers))?;
        Ok(Self { node: set(of_node) })
    }

    /// Begins something of the node's.
    pub(crate) fn of_node<T>(&self, begin: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
        let ours = sched_getaffinity(None)?;
        sched_setaffinity(None, &self.node)?;
        let begun = begin();
        sched_setaffinity(None, &ours)?;
        begun
    }
}

/// Its processor: `AMD EPYC, 2 cores, x86_64`.
pub(crate) fn processor() -> String {
    let model = field("/proc/cpuinfo", "model name", ':').or_else(|| field("/proc/cpuinfo", "Model", ':'));
    // All of them: this process may have fewer.
    let cores = std::fs::read_to_string("/proc/cpuinfo")
        .map_or(0, |text| text.lines().filter(|line| line.starts_with("processor")).count());
    format!("{}, {cores} cores, {}", model.as_deref().unwrap_or("unknown"), std::env::consts::ARCH)
}

/// What a file of lines says of a name.
pub(crate) fn field(file: &str, name: &str, separator: char) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let pairs = text.lines().filter_map(|line| line.split_once(separator));
    pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
