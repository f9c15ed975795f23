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

pub use self::data::{Data, exact, shown};
pub use self::filter::{Comparison, Filter, Find, Test};
pub use self::order::{Direction, Key, KeyPlace, Place, Sort};
pub use self::patch::{Patch, merge};
pub use self::path::Path;

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
