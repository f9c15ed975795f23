//! Typed answers of handlers: the type says the status and the headers that an answer has, `describe` reads them from it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::Failed;
use super::etag;
use crate::error::Error;

/// 200 with the thing and the `ETag` of its state.
#[derive(Debug)]
pub(super) struct Tagged<T> {
    pub(super) tag: String,
    pub(super) body: T,
}

/// 201 with the new thing, where it is, and the `ETag` of its state if it has one.
#[derive(Debug)]
pub(super) struct Created<T> {
    /// Its path on this plane.
    pub(super) location: String,
    pub(super) tag: Option<String>,
    pub(super) body: T,
}

/// 201 with a word about what was added, which has no place of its own.
#[derive(Debug)]
pub(super) struct Added<T>(pub(super) T);

/// 201 when the thing is new, 200 when it was there.
#[derive(Debug)]
pub(super) enum Stored<T> {
    New(T),
    Changed(T),
}

/// 202: it will be done.
#[derive(Debug)]
pub(super) struct Accepted<T>(pub(super) T);

/// 204.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoContent;

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        match etag::header(self.tag) {
            Ok(tag) => ([tag], Json(self.body)).into_response(),
            Err(error) => Failed::from(error).into_response(),
        }
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let Self { location, tag, body } = self;
        let Ok(location) = HeaderValue::try_from(location) else {
            return Failed::from(Error::internal("the location of a new thing is no header")).into_response();
        };
        let location = [(header::LOCATION, location)];
        match tag.map(etag::header).transpose() {
            Ok(Some(tag)) => (StatusCode::CREATED, location, [tag], Json(body)).into_response(),
            Ok(None) => (StatusCode::CREATED, location, Json(body)).into_response(),
            Err(error) => Failed::from(error).into_response(),
        }
    }
}

impl<T: Serialize> IntoResponse for Added<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: Serialize> IntoResponse for Stored<T> {
    fn into_response(self) -> Response {
        match self {
            Self::New(thing) => (StatusCode::CREATED, Json(thing)).into_response(),
            Self::Changed(thing) => Json(thing).into_response(),
        }
    }
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}
