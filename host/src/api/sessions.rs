//! Logging in and out.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Api;
use super::body::Json;
use super::error::Answer;
use super::gate::{self, Caller};
use crate::id::UserId;
use crate::model::access::Principal;
use crate::model::user::User;
use crate::service;

#[derive(Deserialize)]
pub(super) struct Credentials {
    username: String,
    password: String,
}

#[derive(Debug, Serialize)]
struct LoggedIn {
    token: String,
    expires_at: DateTime<Utc>,
    user: Person,
}

/// A user, as themselves.
#[derive(Debug, Serialize)]
pub(super) struct Person {
    id: UserId,
    username: String,
    role: &'static str,
}

impl From<User> for Person {
    fn from(user: User) -> Self {
        Self { id: user.id, username: user.username, role: user.role.as_str() }
    }
}

impl From<&Principal> for Person {
    fn from(principal: &Principal) -> Self {
        Self { id: principal.user_id, username: principal.username.clone(), role: principal.role.as_str() }
    }
}

pub(super) async fn login(State(api): State<Api>, Json(given): Json<Credentials>) -> Answer<Response> {
    let login = service::sessions::login(&api.services, &given.username, &given.password).await?;
    let cookie = gate::new_cookie(&login.token, &api.config)?;
    let body = LoggedIn { token: login.token, expires_at: login.expires_at, user: login.user.into() };
    Ok(([(header::SET_COOKIE, cookie)], axum::Json(body)).into_response())
}

pub(super) async fn logout(State(api): State<Api>, Caller(caller): Caller) -> Answer<Response> {
    service::sessions::logout(&api.services, &caller).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gate::ended_cookie(&api.config)?)]).into_response())
}

pub(super) async fn me(Caller(caller): Caller) -> axum::Json<Person> {
    axum::Json(Person::from(&*caller))
}
