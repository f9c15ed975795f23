//! Bounds of what people send to be kept.

/// The content of a file that a person sends must have come this long after its head, ms: less than `FILE_LEFTOVER_S`, after
/// which a sweep takes what is on disk of it.
pub const FILE_UPLOAD_MS: u64 = 300_000;
