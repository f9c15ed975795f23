//! The audit log: one row for every change that a principal makes, each holding the hash of the one before.
//!
//! A row is appended in the transaction of what it tells of, as its last statement: whoever appends holds the end of the chain until
//! the commit, so nothing slow may follow. What scripts do to their own data is not here; their executions are recorded.
//!
//! Who owns the database can rewrite all of it, hashes included. What that cannot hide from is the head that somebody wrote
//! down elsewhere: `picloud audit verify` shows it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Services;
use crate::error::{Error, Result};
use crate::id::AppId;
use crate::limits;
use crate::model::access::{Credential, Principal};
use crate::model::audit::{Chain, Fault, Hash, Proof, Row};
use crate::model::page::{Page, PageQuery, seq_cursor};
use crate::model::text;
use crate::store;

/// What was changed. `before` and `after` are what a reader of the API would see of it; never a secret value.
#[derive(Debug, Clone)]
pub struct Change {
    /// `noun.verb`: `app.create`, `route.delete`.
    pub action: &'static str,
    pub app_id: Option<AppId>,
    /// The thing, for people and programs: an id, or a name within the app.
    pub target: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// A row as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub row: Row,
    /// Lower-case hex.
    pub hash: String,
}

/// Appends a row; `by` is nobody where the operator did it, with a command at the machine. To be called last in a transaction.
pub(crate) async fn append(tx: &mut PgConnection, now: DateTime<Utc>, by: Option<&Principal>, change: Change) -> Result<()> {
    let (seq, previous) = store::audit::lock_head(tx).await?;
    let previous: Hash = previous.try_into().map_err(|_| Error::internal("the audit log's head is no hash"))?;
    let (credential, credential_id) = by.map_or((Proof::Operator, None), proof);
    let person = by.filter(|_| credential != Proof::Operator);
    let row = Row {
        seq: seq + 1,
        at: now,
        user_id: person.map(|by| by.user_id),
        username: person.map(|by| by.username.clone()),
        credential,
        credential_id,
        address: by.and_then(|by| by.origin.address).map(|address| address.to_string()),
        request_id: by.and_then(|by| by.origin.request_id),
        app_id: change.app_id,
        action: change.action.to_owned(),
        target: change.target,
        before: change.before.as_ref().map(told),
        after: change.after.as_ref().map(told),
    };
    let hash = row.hash(&previous);
    Ok(store::audit::append(tx, &row, &previous, &hash).await?)
}

fn proof(by: &Principal) -> (Proof, Option<Uuid>) {
    match &by.credential {
        Credential::Session(id) => (Proof::Session, Some(id.0)),
        Credential::Key { id, .. } => (Proof::ApiKey, Some(id.0)),
        Credential::Operator => (Proof::Operator, None),
    }
}

/// What is larger than `AUDIT_VALUE_BYTES_MAX` is told by its digest.
fn told(value: &Value) -> String {
    let text = value.to_string();
    if text.len() <= limits::AUDIT_VALUE_BYTES_MAX {
        return text;
    }
    json!({ "bytes": text.len(), "blake3": text::hex(blake3::hash(text.as_bytes()).as_bytes()) }).to_string()
}

/// All rows, or an app's, newest first.
pub async fn list(s: &Services, app: Option<AppId>, query: &PageQuery) -> Result<Page<Entry>> {
    let before = query.after_seq()?;
    let rows = store::audit::list(&mut *s.db.acquire().await?, app, before, query.rows()).await?;
    let entries = rows.into_iter().map(|stored| Entry { row: stored.row, hash: text::hex(&stored.hash) }).collect();
    Ok(Page::cut(entries, query.limit, |entry: &Entry| seq_cursor(entry.row.seq)))
}

/// How a check of the whole chain ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Rows that hold, from the first.
    pub rows: i64,
    /// Lower-case hex of the last of these rows' hash.
    pub head: String,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
}

/// Reads the whole log and checks every link; `progress` is told of the rows so far, and of all. Rows that are appended meanwhile are checked
/// too. A row whose hash is `expected` (lower-case hex) must be among them.
pub async fn verify(s: &Services, expected: Option<&str>, mut progress: impl FnMut(u64, u64)) -> Result<Verified> {
    let mut chain = Chain::default();
    let mut is_found = expected.is_none();
    let mut db = s.db.acquire().await?;
    // The head first: what is appended after it is found, and ends at a later head.
    let (mut head_seq, mut head_hash) = store::audit::head(&mut db).await?;
    let fault = loop {
        let rows = store::audit::chain(&mut db, chain.seq, limits::AUDIT_VERIFY_BATCH).await?;
        if rows.is_empty() {
            if chain.seq > head_seq {
                (head_seq, head_hash) = store::audit::head(&mut db).await?;
                if chain.seq < head_seq {
                    continue;
                }
            }
            break chain.end(head_seq, &head_hash).err().or((!is_found).then_some(Fault::Unknown));
        }
        let followed = rows.iter().try_for_each(|stored| chain.follow(&stored.row, &stored.previous_hash, &stored.hash));
        is_found = is_found || rows.iter().any(|stored| expected == Some(text::hex(&stored.hash).as_str()));
        progress(chain.seq.unsigned_abs(), head_seq.max(chain.seq).unsigned_abs());
        if let Err(fault) = followed {
            break Some(fault);
        }
    };
    Ok(Verified { rows: chain.seq, head: text::hex(&chain.hash), fault })
}
