//! Key-value entries.

/// How `bytes` are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON text (RFC 8259), exactly as the guest wrote it.
    Json,
    /// Raw bytes.
    Blob,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub encoding: Encoding,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: Value,
}

/// Which entries, in key order (bytewise).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pub prefix: String,
    /// Only keys after this one: the `cursor` of the page before.
    pub after: Option<String>,
    pub limit: u32,
}

/// `cursor` is there when more entries may follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub items: Vec<Entry>,
    pub cursor: Option<String>,
}
