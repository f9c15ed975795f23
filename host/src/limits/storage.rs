//! Bounds of what apps store. How much that may be in all is a quota; what a thing counts is known to the database too.

use super::{FILE_BYTES_MAX, FILE_TRANSFERS_PER_INVOCATION_MAX};

/// What a KV entry counts beside its collection, key and value, bytes.
pub const KV_ENTRY_USE_BYTES: u64 = 64;
/// What a document counts beside its collection, id and data, bytes.
pub const DOCUMENT_USE_BYTES: u64 = 128;
/// What a file counts beside its collection, name and content, bytes.
pub const FILE_USE_BYTES: u64 = 256;
/// Uploads of one app that are under way on a node, beyond what it has room for, bytes: they may be to take the place of files
/// that are there. All that one invocation may hold.
pub const UPLOADS_REPLACING_BYTES_MAX: u64 = FILE_BYTES_MAX * FILE_TRANSFERS_PER_INVOCATION_MAX as u64;
