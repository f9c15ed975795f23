//! The machine that figures are of.

/// Its processor: `AMD EPYC, 2 cores, x86_64`.
pub(crate) fn processor() -> String {
    let model = field("/proc/cpuinfo", "model name", ':').or_else(|| field("/proc/cpuinfo", "Model", ':'));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{}, {cores} cores, {}", model.as_deref().unwrap_or("unknown"), std::env::consts::ARCH)
}

/// What a file of lines says of a name.
pub(crate) fn field(file: &str, name: &str, separator: char) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let pairs = text.lines().filter_map(|line| line.split_once(separator));
    pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
