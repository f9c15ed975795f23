//! The audit log, for those who may read it: an app's part for its admins, all of it for the instance's.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::Answer;
use super::query::{OfApp, Query};
use super::{Api, List};
use crate::id::{AppId, RequestId, UserId};
use crate::model::audit::{Proof, Row};
use crate::model::page::PageQuery;
use crate::service;
use crate::service::audit::Entry;

/// One change: who, from where, what.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry", example = example())]
pub(super) struct EntryJson {
    /// From 1, without a gap over the whole instance.
    seq: i64,
    at: DateTime<Utc>,
    /// Null for the operator at the machine.
    user_id: Option<UserId>,
    /// Their name at the time.
    username: Option<String>,
    credential: Proof,
    /// The session or the API key.
    credential_id: Option<Uuid>,
    /// Where the request came from.
    address: Option<String>,
    request_id: Option<RequestId>,
    app_id: Option<AppId>,
    /// `noun.verb`
    action: String,
    /// The thing: an id, or a name in the app.
    target: String,
    /// What it was; null for what is new.
    before: Option<Value>,
    /// What it is; null for what is gone.
    after: Option<Value>,
    /// SHA-256 over this row and the one before it, hex.
    hash: String,
}

fn example() -> Value {
    json!({
        "seq": 42,
        "at": "2026-01-02T03:04:05.678901Z",
        "user_id": "01990a6e-5a40-7c3e-9d0b-0d8f3b1c2a4e",
        "username": "ada@example.com",
        "credential": "session",
        "credential_id": "01990a6e-6b51-7a10-8f3c-5e2d1c0b9a88",
        "address": "192.0.2.7",
        "request_id": "01990a6f-0001-7a10-8f3c-5e2d1c0b9a88",
        "app_id": "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88",
        "action": "app.update",
        "target": "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88",
        "before": { "slug": "shop" },
        "after": { "slug": "store" },
        "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    })
}

impl From<Entry> for EntryJson {
    fn from(Entry { row, hash }: Entry) -> Self {
        let Row { seq, at, user_id, username, credential, credential_id, address, request_id, app_id, action, target, .. } = row;
        let read = |text: Option<String>| text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        let (before, after) = (read(row.before), read(row.after));
        Self {
            seq,
            at,
            user_id,
            username,
            credential,
            credential_id,
            address,
            request_id,
            app_id,
            action,
            target,
            before,
            after,
            hash,
        }
    }
}

pub(super) async fn list(State(api): State<Api>, Query(page): Query<PageQuery>) -> Answer<Json<List<EntryJson>>> {
    Ok(List::of(service::audit::list(&api.services, None, &page).await?, EntryJson::from))
}

pub(super) async fn of_app(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<EntryJson>>> {
    Ok(List::of(service::audit::list(&api.services, Some(app.id), &page).await?, EntryJson::from))
}
