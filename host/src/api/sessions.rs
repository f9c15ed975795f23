//! Logging in and out, one's logins, one's password.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::NoContent;
use super::describe::{Operation, Output};
use super::error::Answer;
use super::gate::{self, Caller, Whence};
use super::openapi::schemas::Schemas;
use super::query::Path;
use super::{Api, List, body};
use crate::id::{AppId, SessionId, UserId};
use crate::model::access::{Credential, Principal, Role, Scope};
use crate::model::user::{Session, User};
use crate::service;

/// Who logs in.
#[derive(Deserialize, JsonSchema)]
#[schemars(example = json!({ "username": "ada@example.com", "password": "correct horse battery staple" }))]
pub(super) struct Credentials {
    username: String,
    password: String,
}

/// A login, with the only sight of its token.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Login", example = login_example())]
pub(super) struct LoggedIn {
    /// The bearer credential.
    token: String,
    /// Unless it is used before then.
    expires_at: DateTime<Utc>,
    user: Person,
}

fn login_example() -> Value {
    json!({
        "token": "pics_9f86d081884c7d65…",
        "expires_at": "2026-01-09T03:04:05.678901Z",
        "user": { "id": "01990a6e-5a40-7c3e-9d0b-0d8f3b1c2a4e", "username": "ada@example.com", "role": "owner" }
    })
}

/// A user, as themselves.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Person {
    id: UserId,
    username: String,
    role: Role,
}

impl From<User> for Person {
    fn from(user: User) -> Self {
        Self { id: user.id, username: user.username, role: user.role }
    }
}

/// What a caller is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CredentialKind")]
enum Means {
    Session,
    ApiKey,
}

/// Who asks, and with which credential.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(example = me_example())]
pub(super) struct Me {
    id: UserId,
    username: String,
    role: Role,
    credential: Means,
    /// What an API key may of what its owner may; null for a login, which may all of that.
    scopes: Option<Vec<Scope>>,
    /// The one app that an API key is good for; null: every app of its owner.
    app_id: Option<AppId>,
}

fn me_example() -> Value {
    json!({
        "id": "01990a6e-5a40-7c3e-9d0b-0d8f3b1c2a4e",
        "username": "ada@example.com",
        "role": "owner",
        "credential": "session",
        "scopes": null,
        "app_id": null
    })
}

impl From<&Principal> for Me {
    fn from(principal: &Principal) -> Self {
        let (credential, scopes, app_id) = match principal.credential {
            Credential::Session(_) | Credential::Operator => (Means::Session, None, None),
            Credential::Key { scopes, app_id, .. } => (Means::ApiKey, Some(scopes.iter().collect()), app_id),
        };
        let (id, username, role) = (principal.user_id, principal.username.clone(), principal.role);
        Self { id, username, role, credential, scopes, app_id }
    }
}

/// A login of one's own.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session", example = session_example())]
pub(super) struct SessionJson {
    #[serde(flatten)]
    session: Session,
    /// The one that asks.
    current: bool,
}

fn session_example() -> Value {
    json!({
        "id": "01990a6e-6b51-7a10-8f3c-5e2d1c0b9a88",
        "created_at": "2026-01-02T03:04:05.678901Z",
        "last_used_at": "2026-01-02T03:04:05.678901Z",
        "expires_at": "2026-01-09T03:04:05.678901Z",
        "address": "192.0.2.7",
        "user_agent": "Mozilla/5.0",
        "current": true
    })
}

/// The password that is, and the one that is to be.
#[derive(Deserialize, JsonSchema)]
#[schemars(example = json!({ "current": "correct horse battery staple", "new": "another horse, another staple" }))]
pub(super) struct NewPassword {
    current: String,
    new: String,
}

/// An answer that sets the session cookie, or takes it away.
pub(super) struct WithCookie<B> {
    cookie: HeaderValue,
    body: B,
}

impl<B: IntoResponse> IntoResponse for WithCookie<B> {
    fn into_response(self) -> Response {
        ([(header::SET_COOKIE, self.cookie)], self.body).into_response()
    }
}

impl<B: Output> Output for WithCookie<B> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        B::describe(operation, schemas);
        for reply in operation.answers.values_mut() {
            reply.headers.push("Set-Cookie");
        }
    }
}

pub(super) async fn login(
    State(api): State<Api>,
    Whence(origin): Whence,
    headers: HeaderMap,
    body::Json(given): body::Json<Credentials>,
) -> Answer<WithCookie<Json<LoggedIn>>> {
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let login = service::sessions::login(&api.services, &given.username, &given.password, origin, user_agent).await?;
    let cookie = gate::new_cookie(&login.token, &api.config)?;
    let body = Json(LoggedIn { token: login.token, expires_at: login.expires_at, user: login.user.into() });
    Ok(WithCookie { cookie, body })
}

pub(super) async fn logout(State(api): State<Api>, Caller(by): Caller) -> Answer<WithCookie<NoContent>> {
    service::sessions::logout(&api.services, &by).await?;
    Ok(WithCookie { cookie: gate::ended_cookie(&api.config)?, body: NoContent })
}

pub(super) async fn me(Caller(by): Caller) -> Json<Me> {
    Json(Me::from(&*by))
}

/// One's own logins, on one page: there are at most `SESSIONS_PER_USER_MAX`.
pub(super) async fn list(State(api): State<Api>, Caller(by): Caller) -> Answer<Json<List<SessionJson>>> {
    let sessions = service::sessions::list(&api.services, by.user_id).await?;
    let shown = |session: Session| {
        let current = by.session_id() == Some(session.id);
        SessionJson { session, current }
    };
    Ok(Json(List { items: sessions.into_iter().map(shown).collect(), cursor: None }))
}

pub(super) async fn end(State(api): State<Api>, Path(id): Path<SessionId>, Caller(by): Caller) -> Answer<NoContent> {
    service::sessions::end(&api.services, &by, id).await?;
    Ok(NoContent)
}

pub(super) async fn change_password(
    State(api): State<Api>,
    Caller(by): Caller,
    body::Json(given): body::Json<NewPassword>,
) -> Answer<NoContent> {
    service::users::change_password(&api.services, &by, &given.current, &given.new).await?;
    Ok(NoContent)
}
