//! Members of an app.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{NoContent, Tagged};
use super::error::Answer;
use super::etag::IfMatch;
use super::gate::Caller;
use super::query::{OfApp, Path, Query};
use super::{Api, List, body};
use crate::id::UserId;
use crate::model::member::{AppRole, Member};
use crate::model::page::PageQuery;
use crate::service;

/// A person's role in an app.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Member", example = example())]
pub(super) struct MemberJson {
    user_id: UserId,
    username: String,
    role: AppRole,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn example() -> Value {
    json!({
        "user_id": "01990a6e-5a40-7c3e-9d0b-0d8f3b1c2a4e",
        "username": "ada@example.com",
        "role": "editor",
        "created_at": "2026-01-02T03:04:05.678901Z",
        "updated_at": "2026-01-02T03:04:05.678901Z"
    })
}

/// What a person is to be in the app.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewMember", example = json!({ "role": "editor" }))]
pub(super) struct Put {
    role: AppRole,
}

impl From<Member> for MemberJson {
    fn from(member: Member) -> Self {
        let Member { app_id: _, user_id, username, role, created_at, updated_at } = member;
        Self { user_id, username, role, created_at, updated_at }
    }
}

pub(super) async fn list(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<MemberJson>>> {
    Ok(List::of(service::members::list(&api.services, app.id, &page).await?, MemberJson::from))
}

/// The user is named by id, or by name.
pub(super) async fn put(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, user)): Path<(String, String)>,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(put): body::Json<Put>,
) -> Answer<Tagged<MemberJson>> {
    let user = service::members::user(&api.services, &user).await?;
    let (member, _) = service::members::put(&api.services, &by, app.id, user, put.role, if_match.tag()).await?;
    Ok(Tagged { tag: member.tag(), body: member.into() })
}

pub(super) async fn delete(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, user)): Path<(String, String)>,
    Caller(by): Caller,
    if_match: IfMatch,
) -> Answer<NoContent> {
    let user = service::members::user(&api.services, &user).await?;
    service::members::delete(&api.services, &by, app.id, user, if_match.tag()).await?;
    Ok(NoContent)
}
