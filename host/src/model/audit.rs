//! The audit log's rows, and the chain that they are.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::id::{AppId, RequestId, UserId};

/// The hash of a row; of none, [`NONE`].
pub type Hash = [u8; 32];

/// What stands before the first row.
pub const NONE: Hash = [0; 32];

/// What the chain is of. A change of what is hashed changes this.
const DOMAIN: &[u8] = b"picloud audit 1";

/// What a principal is proven by, in the log's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    Session,
    ApiKey,
    /// A command on the database.
    Operator,
}

impl Proof {
    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::ApiKey => "api_key",
            Self::Operator => "operator",
        }
    }

    /// The proof of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Session, Self::ApiKey, Self::Operator].into_iter().find(|proof| proof.as_str() == word)
    }
}

/// One change: who, from where, what. `before` and `after` are JSON text, as it was hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// From 1, without a gap.
    pub seq: i64,
    pub at: DateTime<Utc>,
    pub user_id: Option<UserId>,
    pub username: Option<String>,
    pub credential: Proof,
    pub credential_id: Option<Uuid>,
    pub address: Option<String>,
    pub request_id: Option<RequestId>,
    pub app_id: Option<AppId>,
    pub action: String,
    pub target: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Row {
    /// SHA-256 over the hash of the row before and every field of this one, each behind its length: no two rows hash alike by
    /// moving a border between fields.
    pub fn hash(&self, previous: &Hash) -> Hash {
        let mut hash = Sha256::new();
        let mut field = |bytes: Option<&[u8]>| {
            // An absent field is not an empty one.
            let length = bytes.map_or(u64::MAX, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX - 1));
            hash.update(length.to_le_bytes());
            hash.update(bytes.unwrap_or_default());
        };
        field(Some(DOMAIN));
        field(Some(previous));
        field(Some(&self.seq.to_le_bytes()));
        field(Some(&self.at.timestamp_micros().to_le_bytes()));
        field(self.user_id.as_ref().map(|id| id.0.as_bytes().as_slice()));
        field(self.username.as_deref().map(str::as_bytes));
        field(Some(self.credential.as_str().as_bytes()));
        field(self.credential_id.as_ref().map(|id| id.as_bytes().as_slice()));
        field(self.address.as_deref().map(str::as_bytes));
        field(self.request_id.as_ref().map(|id| id.0.as_bytes().as_slice()));
        field(self.app_id.as_ref().map(|id| id.0.as_bytes().as_slice()));
        field(Some(self.action.as_bytes()));
        field(Some(self.target.as_bytes()));
        field(self.before.as_deref().map(str::as_bytes));
        field(self.after.as_deref().map(str::as_bytes));
        hash.finalize().into()
    }
}

/// What is wrong with a chain, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Rows before this one are gone.
    Missing { seq: i64, expected: i64 },
    /// The row does not hold the hash of the one before it.
    Unlinked { seq: i64 },
    /// The row is not what was hashed.
    Altered { seq: i64 },
    /// The chain ends at another row than its head says: rows at its end are gone, or were added.
    Cut { last: i64, head: i64 },
    /// No row has the hash that was expected: the log was written anew.
    Unknown,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing { seq, expected } => write!(f, "row {expected} is missing: after it comes row {seq}"),
            Self::Unlinked { seq } => write!(f, "row {seq} does not follow the row before it: one of the two was replaced"),
            Self::Altered { seq } => write!(f, "row {seq} was altered: its content is not what was hashed"),
            Self::Cut { last, head } => {
                write!(f, "the log ends with row {last}, and its head says row {head}: rows at its end are gone or were added")
            }
            Self::Unknown => f.write_str("no row has the expected hash: the log was written anew, or another hash is meant"),
        }
    }
}

/// Reads a chain row by row.
#[derive(Debug)]
pub struct Chain {
    pub seq: i64,
    pub hash: Hash,
}

impl Default for Chain {
    fn default() -> Self {
        Self { seq: 0, hash: NONE }
    }
}

impl Chain {
    /// Takes the next row with the hashes that are stored with it.
    ///
    /// # Errors
    /// The first fault; the chain is as far as before.
    pub fn follow(&mut self, row: &Row, previous: &[u8], hash: &[u8]) -> Result<(), Fault> {
        let (seq, expected) = (row.seq, self.seq + 1);
        if seq != expected {
            return Err(Fault::Missing { seq, expected });
        }
        if previous != self.hash {
            return Err(Fault::Unlinked { seq });
        }
        let right = row.hash(&self.hash);
        if hash != right {
            return Err(Fault::Altered { seq });
        }
        *self = Self { seq, hash: right };
        Ok(())
    }

    /// Whether the chain ends where its head says.
    ///
    /// # Errors
    /// [`Fault::Cut`].
    pub fn end(&self, seq: i64, hash: &[u8]) -> Result<(), Fault> {
        if (self.seq, self.hash.as_slice()) == (seq, hash) { Ok(()) } else { Err(Fault::Cut { last: self.seq, head: seq }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seq: i64) -> Row {
        Row {
            seq,
            at: DateTime::from_timestamp_micros(seq).unwrap(),
            user_id: Some(UserId(Uuid::from_u128(1))),
            username: Some("ada".into()),
            credential: Proof::Session,
            credential_id: Some(Uuid::from_u128(2)),
            address: Some("192.0.2.1".into()),
            request_id: Some(RequestId(Uuid::from_u128(3))),
            app_id: Some(AppId(Uuid::from_u128(4))),
            action: "app.update".into(),
            target: "shop".into(),
            before: Some("{}".into()),
            after: None,
        }
    }

    fn chain(rows: i64) -> Vec<(Row, Hash, Hash)> {
        let mut previous = NONE;
        let link = |seq| {
            let (row, before) = (row(seq), previous);
            previous = row.hash(&before);
            (row, before, previous)
        };
        (1..=rows).map(link).collect()
    }

    fn verify(chain: &[(Row, Hash, Hash)], head: (i64, Hash)) -> Result<(), Fault> {
        let mut read = Chain::default();
        chain.iter().try_for_each(|(row, previous, hash)| read.follow(row, previous, hash))?;
        read.end(head.0, &head.1)
    }

    #[test]
    fn a_whole_chain_holds_and_each_way_to_break_it_is_told() {
        type Links = Vec<(Row, Hash, Hash)>;
        let whole = chain(5);
        let head = (5, whole[4].2);
        assert_eq!(verify(&whole, head), Ok(()));
        assert_eq!(verify(&[], (0, NONE)), Ok(()));
        let broken = |break_it: &dyn Fn(&mut Links)| {
            let mut chain = whole.clone();
            break_it(&mut chain);
            verify(&chain, head).unwrap_err()
        };
        assert_eq!(broken(&|chain| chain[2].0.target = "shed".into()), Fault::Altered { seq: 3 });
        assert_eq!(broken(&|chain| drop(chain.remove(2))), Fault::Missing { seq: 4, expected: 3 });
        assert_eq!(broken(&|chain| drop(chain.pop())), Fault::Cut { last: 4, head: 5 });
        assert_eq!(broken(&|chain| chain.clear()), Fault::Cut { last: 0, head: 5 });
        let rehashed = |chain: &mut Links| {
            chain[2].0.target = "shed".into();
            chain[2].2 = chain[2].0.hash(&chain[2].1);
        };
        assert_eq!(broken(&rehashed), Fault::Unlinked { seq: 4 });
    }

    #[test]
    fn every_field_is_hashed_and_no_border_can_be_moved() {
        let same = row(1);
        let others: [fn(&mut Row); 14] = [
            |row| row.seq = 2,
            |row| row.at += chrono::Duration::microseconds(1),
            |row| row.user_id = None,
            |row| row.username = None,
            |row| row.credential = Proof::ApiKey,
            |row| row.credential_id = None,
            |row| row.address = None,
            |row| row.request_id = None,
            |row| row.app_id = None,
            |row| (row.action, row.target) = ("app.updates".into(), "hop".into()),
            |row| row.target.push('x'),
            |row| (row.before, row.after) = (None, Some("{}".into())),
            |row| row.after = Some(String::new()),
            |row| row.username = Some(String::new()),
        ];
        for (n, change) in others.into_iter().enumerate() {
            let mut other = same.clone();
            change(&mut other);
            assert_ne!(other.hash(&NONE), same.hash(&NONE), "{n}");
        }
        assert_ne!(same.hash(&NONE), same.hash(&[1; 32]));
    }
}
