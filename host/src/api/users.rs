//! People of the instance: added, changed, deactivated, deleted by those who administrate it.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{Created, NoContent, Tagged};
use super::error::Answer;
use super::etag::IfMatch;
use super::gate::Caller;
use super::query::{Path, Query};
use super::{Api, List, body};
use crate::id::UserId;
use crate::model::page::PageQuery;
use crate::model::user::{NewUser, Role, User, UserChange};
use crate::service;

/// A person.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "User", example = example())]
pub(super) struct UserJson {
    id: UserId,
    username: String,
    role: Role,
    /// Whether they may log in.
    active: bool,
    deactivated_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn example() -> serde_json::Value {
    json!({
        "id": "01990a6e-5a40-7c3e-9d0b-0d8f3b1c2a4e",
        "username": "ada@example.com",
        "role": "member",
        "active": true,
        "deactivated_at": null,
        "created_at": "2026-01-02T03:04:05.678901Z",
        "updated_at": "2026-01-02T03:04:05.678901Z"
    })
}

impl From<User> for UserJson {
    fn from(user: User) -> Self {
        let active = user.is_active();
        let User { id, username, role, created_at, updated_at, deactivated_at } = user;
        Self { id, username, role, active, deactivated_at, created_at, updated_at }
    }
}

/// A person to be added.
#[derive(Deserialize, JsonSchema)]
#[schemars(
    rename = "NewUser",
    example = json!({ "username": "ada@example.com", "password": "correct horse battery staple", "role": "member" })
)]
pub(super) struct Create {
    /// Starts with a letter or digit, then also `. _ @ + -`; nobody else's, in any case.
    username: String,
    password: String,
    role: Role,
}

/// What of a person changes; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "UserChange", example = json!({ "active": false }))]
pub(super) struct Change {
    username: Option<String>,
    /// Ends the person's logins.
    password: Option<String>,
    role: Option<Role>,
    /// False ends the person's logins and API keys at once.
    active: Option<bool>,
}

pub(super) async fn list(State(api): State<Api>, Query(page): Query<PageQuery>) -> Answer<Json<List<UserJson>>> {
    Ok(List::of(service::users::list(&api.services, &page).await?, UserJson::from))
}

pub(super) async fn create(
    State(api): State<Api>,
    Caller(by): Caller,
    body::Json(new): body::Json<Create>,
) -> Answer<Created<UserJson>> {
    let new = NewUser { username: new.username, password: new.password, role: new.role };
    let user = service::users::create(&api.services, &by, new).await?;
    let location = format!("/api/v1/admin/users/{}", user.id);
    Ok(Created { location, tag: Some(user.tag()), body: user.into() })
}

pub(super) async fn get(State(api): State<Api>, Path(id): Path<UserId>) -> Answer<Tagged<UserJson>> {
    Ok(one(service::users::get(&api.services, id).await?))
}

pub(super) async fn update(
    State(api): State<Api>,
    Path(id): Path<UserId>,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(change): body::Json<Change>,
) -> Answer<Tagged<UserJson>> {
    let Change { username, password, role, active } = change;
    let change = UserChange { username, password, role, active };
    Ok(one(service::users::update(&api.services, &by, id, change, if_match.tag()).await?))
}

pub(super) async fn delete(
    State(api): State<Api>,
    Path(id): Path<UserId>,
    Caller(by): Caller,
    if_match: IfMatch,
) -> Answer<NoContent> {
    service::users::delete(&api.services, &by, id, if_match.tag()).await?;
    Ok(NoContent)
}

fn one(user: User) -> Tagged<UserJson> {
    Tagged { tag: user.tag(), body: user.into() }
}
