//! Documents: maps that scripts keep, find and change.

mod data;
mod filter;
mod order;
mod patch;
mod path;
#[cfg(test)]
mod properties;
pub mod search;

use chrono::{DateTime, Utc};
use serde_json::json;

pub use self::data::{Data, exact, shown};
pub use self::filter::{Comparison, Filter, Find, Test};
pub use self::order::{Direction, Key, KeyPlace, Place, Sort};
pub use self::patch::{Patch, merge};
pub use self::path::Path;
use super::text;
use crate::error::{Error, Result};
use crate::limits;

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub id: String,
    /// JSON text of a map.
    pub data: String,
    /// Grows by one with every write. A new document begins at the microseconds since 1970, so a number that an id once had
    /// does not come again when the document was deleted and made anew.
    pub revision: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a write over a document has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub before: Document,
    pub after: Document,
}

/// Which documents, in which order, and which page of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub filter: Filter,
    pub sort: Sort,
    /// Only documents after this place.
    pub after: Option<Place>,
    pub limit: u32,
}

/// A document's place: collection 1..=`COLLECTION_NAME_BYTES_MAX` bytes, id 1..=`DOCS_ID_BYTES_MAX` bytes, no NUL.
pub fn check_place(collection: &str, id: &str) -> Result<()> {
    text::collection(collection)?;
    text::name_bytes("id", id, limits::DOCS_ID_BYTES_MAX)
}

/// 409 unless the document is as a write wants it.
pub fn check_revision(found: Option<&Document>, wanted: Option<i64>) -> Result<()> {
    let (Some(wanted), found) = (wanted, found.map(|document| document.revision)) else { return Ok(()) };
    if found == Some(wanted) {
        return Ok(());
    }
    let what = match found {
        Some(revision) => format!("the document has revision {revision}, not {wanted}: read it again"),
        None => format!("there is no such document, and so none of revision {wanted}"),
    };
    Err(Error::conflict(what, json!({ "field": "if_revision", "revision": found })))
}

/// 409: the id is another document's.
pub fn id_taken(id: &str) -> Error {
    Error::conflict(format!("there is already a document with the id {id}"), json!({ "field": "id" }))
}

/// What a merge makes of a document.
pub fn patched(before: &Document, patch: Patch) -> Result<Data> {
    let before = serde_json::from_str(&before.data).map_err(Error::internal)?;
    Data::judge(patch.apply(before))
}
