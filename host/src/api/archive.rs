//! An app as one file: taken out, and brought in.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Api;
use super::answer::Created;
use super::apps::AppJson;
use super::describe::{Content, Input, Operation, Output};
use super::error::{Answer, Failed};
use super::gate::Caller;
use super::openapi::schemas::Schemas;
use super::query::{Given, OfApp, Parameter, Parameters, Query};
use crate::error::{self, Error, Kind};
use crate::limits;
use crate::model::access::Scope;
use crate::model::archive::{Bounds, Wanted};
use crate::service;
use crate::service::archive::{Imported, Packed};
use crate::unstoppable::Unstoppable;

const MEDIA_TYPE: &str = "application/zstd";
/// A body that did not come in time, as it is told here.
const LATE: &str = "request_timeout";

/// An archive on its way out.
pub(super) struct ArchiveOut {
    slug: String,
    archive: Packed,
}

/// An archive on its way in: `application/zstd`, nothing of it read yet; 415 for another content type.
#[derive(Debug)]
pub(super) struct ArchiveIn(Body);

/// The app that was made of an archive: how many of everything it has, and what is not as it was.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ImportedApp", example = example())]
pub(super) struct ImportedJson {
    app: AppJson,
    scripts: u64,
    versions: u64,
    routes: u64,
    triggers: u64,
    kv_entries: u64,
    documents: u64,
    files: u64,
    /// For people: what was left out, what is to be set again.
    notes: Vec<String>,
}

fn example() -> Value {
    json!({
        "app": {
            "id": "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88",
            "slug": "shop",
            "name": "Shop",
            "cors_origins": [],
            "host": "shop.localhost",
            "url": "http://shop.localhost:8080",
            "created_at": "2026-01-02T03:04:05.678901Z",
            "updated_at": "2026-01-02T03:04:05.678901Z"
        },
        "scripts": 3,
        "versions": 14,
        "routes": 5,
        "triggers": 2,
        "kv_entries": 120,
        "documents": 64,
        "files": 9,
        "notes": ["secrets are in no archive; set these again: stripe-key"]
    })
}

impl ImportedJson {
    fn of(imported: Imported, api: &Api) -> Self {
        let Imported { app, counts, notes } = imported;
        Self {
            app: AppJson::of(app, api),
            scripts: counts.scripts,
            versions: counts.versions,
            routes: counts.routes,
            triggers: counts.triggers,
            kv_entries: counts.kv_entries,
            documents: counts.documents,
            files: counts.files,
            notes,
        }
    }
}

/// `slug` and `name`.
impl Parameters for Wanted {
    fn describe() -> Vec<Parameter> {
        vec![
            Parameter::text("slug", "The slug of the app that is made; left out: the one in the archive."),
            Parameter::text("name", "Its name; left out: the one in the archive."),
        ]
    }

    fn read(given: &mut Given) -> error::Result<Self> {
        Ok(Self { slug: given.take("slug", "text")?, name: given.take("name", "text")? })
    }
}

impl<S: Send + Sync> FromRequest<S> for ArchiveIn {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let given = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = given.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case(MEDIA_TYPE) {
            let mut failed = Failed::unsupported_media_type("the body must be an archive: send content-type: application/zstd");
            failed.set_header(header::ACCEPT, HeaderValue::from_static(MEDIA_TYPE));
            return Err(failed);
        }
        let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|bytes| bytes > limits::ARCHIVE_BYTES_MAX) {
            let allowed = limits::ARCHIVE_BYTES_MAX;
            let message = format!("an archive may be {allowed} bytes long at most");
            let error = Error::new(Kind::TooLarge, "request_too_large", message);
            return Err(error.with_details(json!({ "bytes_max": allowed })).into());
        }
        Ok(Self(body))
    }
}

impl Input for ArchiveIn {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.body = Some(binary());
        operation.fails(&[400, 408, 409, 413, 415, 422]);
    }
}

impl Output for ArchiveOut {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.answers("200", "The archive. One that is cut short is none: it has no end.", Some(binary()));
    }
}

fn binary() -> Content {
    Content {
        media_type: MEDIA_TYPE,
        schema: json!({ "type": "string", "format": "binary" }),
        example: Some("(an archive)".into()),
    }
}

impl IntoResponse for ArchiveOut {
    fn into_response(self) -> Response {
        let Self { slug, archive } = self;
        let name = HeaderValue::try_from(format!("attachment; filename=\"{slug}.picloud.tar.zst\""));
        let Ok(name) = name else {
            return Failed::from(Error::internal("a slug is no name of a file")).into_response();
        };
        // An error breaks the answer off, so that it is not taken for whole.
        let pieces = stream::unfold(archive, |mut archive| async move { Some((archive.next().await?, archive)) });
        let headers: [(HeaderName, HeaderValue); 2] =
            [(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)), (header::CONTENT_DISPOSITION, name)];
        (StatusCode::OK, headers, Body::from_stream(pieces)).into_response()
    }
}

pub(super) async fn export(State(api): State<Api>, OfApp(app): OfApp, Caller(by): Caller) -> Answer<ArchiveOut> {
    let archive = service::archive::export(&api.services, Some(&by), app.id).await?;
    Ok(ArchiveOut { slug: app.slug, archive })
}

pub(super) async fn import(
    State(api): State<Api>,
    Query(wanted): Query<Wanted>,
    Caller(by): Caller,
    ArchiveIn(body): ArchiveIn,
) -> Answer<Created<ImportedJson>> {
    // It publishes, routes and grants, too.
    for scope in [Scope::AppAdmin, Scope::ScriptWrite, Scope::RouteWrite] {
        by.decide_on_instance(scope).map_err(|_| service::access::forbidden(scope))?;
    }
    let (to, from) = service::archive::source();
    let (invoker, by) = (api.invoker.clone(), Arc::clone(&by));
    // What was begun comes to its end: without its client it finds the archive cut short, and leaves nothing.
    let mut importing = Unstoppable::new(async move { invoker.import(&by, from, wanted, Bounds::UPLOADED).await });
    let done = tokio::select! {
        done = &mut importing => done,
        () = feed(body, to) => importing.await,
    };
    let imported = done.unwrap_or_else(|| Err(Error::internal("an import panicked"))).map_err(|error| match error.code {
        LATE => Failed::with_status(StatusCode::REQUEST_TIMEOUT, error),
        _ => error.into(),
    })?;
    let location = format!("/api/v1/admin/apps/{}", imported.app.id);
    Ok(Created { location, tag: Some(imported.app.tag()), body: ImportedJson::of(imported, &api) })
}

/// Hands over the body as it comes, as fast as it is taken.
async fn feed(mut body: Body, to: mpsc::Sender<error::Result<Bytes>>) {
    loop {
        let frame = timeout(Duration::from_millis(limits::ARCHIVE_STALL_MS), body.frame()).await;
        let piece = match frame {
            Ok(None) => return,
            Ok(Some(Ok(frame))) => Ok(frame.into_data().unwrap_or_default()),
            Ok(Some(Err(_))) => Err(Error::new(Kind::Malformed, "incomplete_body", "the connection broke inside the body")),
            Err(_) => Err(Error::new(Kind::Malformed, LATE, "nothing more of the body arrived")),
        };
        let is_last = piece.is_err();
        if to.send(piece).await.is_err() || is_last {
            return;
        }
    }
}
