//! What the types of a handler say of its operation. An argument says what it reads of a request and how that can fail, the
//! return type which answers there are: so the document of `openapi` cannot say anything else than the code does.
//!
//! The type parameter `T` of [`Described`] is that of axum's `Handler`: whatever can be a row of `endpoints` is described.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::Api;
use super::answer::{Accepted, Added, Created, NoContent, Stored, Tagged};
use super::body;
use super::error::Failed;
use super::etag::IfMatch;
use super::gate::{Caller, OfStanding, Whence};
use super::openapi::schemas::Schemas;
use super::query::{OfApp, Parameter, Parameters, Path, Query};

/// One operation, as far as types tell.
#[derive(Debug, Default)]
pub(crate) struct Operation {
    /// Schemas of the path's parameters in their order; fewer where the handler does not read them.
    pub(crate) path: Vec<Value>,
    pub(crate) query: Vec<Parameter>,
    /// Whether `If-Match` is read.
    pub(crate) is_conditional: bool,
    pub(crate) body: Option<Content>,
    /// Whether it may come without one.
    pub(crate) body_is_optional: bool,
    /// By status: `200`, or a class of them.
    pub(crate) answers: BTreeMap<&'static str, Reply>,
    /// Statuses of failures.
    pub(crate) failures: BTreeSet<u16>,
}

/// A body of one media type.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) media_type: &'static str,
    pub(crate) schema: Value,
    pub(crate) example: Option<Value>,
}

/// One way to answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) about: &'static str,
    pub(crate) content: Option<Content>,
    /// The same in another media type.
    pub(crate) other: Option<Content>,
    /// Names of `openapi::HEADERS`, beside those of every answer.
    pub(crate) headers: Vec<&'static str>,
}

impl Operation {
    pub(crate) fn fails(&mut self, statuses: &[u16]) {
        self.failures.extend(statuses);
    }

    pub(crate) fn answers(&mut self, status: &'static str, about: &'static str, content: Option<Content>) -> &mut Reply {
        let reply = self.answers.entry(status).or_default();
        reply.about = about;
        reply.content = content;
        reply
    }
}

/// An argument of a handler.
pub(crate) trait Input {
    /// The query parameters that it reads; `None`: whatever comes.
    fn query() -> Option<Vec<Parameter>> {
        Some(Vec::new())
    }

    fn describe(_: &mut Operation, _: &mut Schemas) {}
}

/// What a handler returns.
pub(crate) trait Output {
    fn describe(operation: &mut Operation, schemas: &mut Schemas);
}

/// A handler that says what it does.
pub(crate) trait Described<T> {
    /// The query parameters that it knows; `None`: any.
    fn query() -> Option<Vec<Parameter>>;

    fn operation(schemas: &mut Schemas) -> Operation;
}

impl<F, Fut, R> Described<((),)> for F
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = R>,
    R: Output,
{
    fn query() -> Option<Vec<Parameter>> {
        Some(Vec::new())
    }

    fn operation(schemas: &mut Schemas) -> Operation {
        let mut operation = Operation::default();
        <R as Output>::describe(&mut operation, schemas);
        operation
    }
}

macro_rules! described {
    ($($argument:ident)+) => {
        impl<F, Fut, R, M, $($argument),+> Described<(M, $($argument,)+)> for F
        where
            F: FnOnce($($argument),+) -> Fut,
            Fut: Future<Output = R>,
            R: Output,
            $($argument: Input,)+
        {
            fn query() -> Option<Vec<Parameter>> {
                let mut known = Vec::new();
                $(known.extend(<$argument as Input>::query()?);)+
                Some(known)
            }

            fn operation(schemas: &mut Schemas) -> Operation {
                let mut operation = Operation::default();
                $(<$argument as Input>::describe(&mut operation, schemas);)+
                <R as Output>::describe(&mut operation, schemas);
                operation
            }
        }
    };
}

described!(A);
described!(A B);
described!(A B C);
described!(A B C D);
described!(A B C D E);
described!(A B C D E G);
described!(A B C D E G H);
described!(A B C D E G H I);

impl Input for State<Api> {}
impl Input for Caller {}
impl Input for OfStanding {}
impl Input for Whence {}
impl Input for HeaderMap {}
impl<T> Input for Extension<T> {}

/// The gate found it.
impl Input for OfApp {}

impl<T: JsonSchema> Input for Path<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        operation.path = schemas.parts::<T>();
        operation.fails(&[404]);
    }
}

impl<T: Parameters> Input for Query<T> {
    fn query() -> Option<Vec<Parameter>> {
        Some(T::describe())
    }

    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.query.extend(T::describe());
    }
}

impl<T: JsonSchema> Input for body::Json<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        operation.body = Some(schemas.request::<T>());
        operation.fails(&[400, 408, 413, 415, 422]);
    }
}

impl<T: JsonSchema> Input for body::Maybe<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        body::Json::<T>::describe(operation, schemas);
        operation.body_is_optional = true;
    }
}

impl<T: JsonSchema> Input for body::Large<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        body::Json::<T>::describe(operation, schemas);
    }
}

impl Input for IfMatch {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.is_conditional = true;
        operation.fails(&[412, 422]);
    }
}

/// A body that the handler reads itself.
impl Input for Request {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let schema = json!({ "type": "string", "format": "binary" });
        operation.body = Some(Content { media_type: "application/octet-stream", schema, example: None });
        operation.fails(&[400, 408, 413]);
    }
}

impl<T: Output> Output for Result<T, Failed> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        T::describe(operation, schemas);
    }
}

impl<T: JsonSchema> Output for Json<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let content = schemas.answer::<T>();
        operation.answers("200", "Done.", Some(content));
    }
}

impl<T: JsonSchema> Output for Tagged<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let content = schemas.answer::<T>();
        operation.answers("200", "The thing as it is now.", Some(content)).headers.push("ETag");
    }
}

impl<T: JsonSchema> Output for Created<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let content = schemas.answer::<T>();
        let reply = operation.answers("201", "Made; `ETag` where the thing has one.", Some(content));
        reply.headers.extend(["ETag", "Location"]);
    }
}

impl<T: JsonSchema> Output for Added<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let content = schemas.answer::<T>();
        operation.answers("201", "Made.", Some(content));
    }
}

impl<T: JsonSchema> Output for Stored<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let content = schemas.answer::<T>();
        operation.answers("200", "It was there, and is changed.", Some(content.clone()));
        operation.answers("201", "It is new.", Some(content));
    }
}

impl<T: JsonSchema> Output for Accepted<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let content = schemas.answer::<T>();
        operation.answers("202", "It will be done.", Some(content));
    }
}

impl Output for NoContent {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.answers("204", "Done.", None);
    }
}
