//! Files of an app, for people: browsed, brought in, taken out, deleted. Scripts reach the same ones as `files`.
//!
//! What a file holds comes from a tenant and is given on the origin of the administration: a browser saves it, and one that shows
//! it all the same gives it an origin of its own, without scripts.

use axum::Extension;
use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{Stream, stream};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::answer::{Created, NoContent, Tagged};
use super::describe::{Content, Input, Operation, Output};
use super::error::{Answer, Failed};
use super::etag::{self, IfMatch};
use super::gate::Caller;
use super::kv::{CollectionJson, Names, listed, segment};
use super::openapi::schemas::Schemas;
use super::query::{Given, OfApp, Parameter, Parameters, Path, Query};
use super::{Api, List};
use crate::error::{Error, Kind, Result};
use crate::id::{FileId, RequestId};
use crate::model::event::Origin;
use crate::model::files::Metadata;
use crate::model::page::PageQuery;
use crate::model::text;
use crate::service;
use crate::service::files::{Download, NewFile, Piece};

/// What a content is that nobody said anything of.
const UNKNOWN_TYPE: &str = "application/octet-stream";
/// Content that did not come in time, as the service tells it.
const LATE: &str = "request_timeout";
/// As `execute` has it.
const POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'");

/// A file, without its content.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "File", example = example())]
pub(super) struct FileJson {
    id: FileId,
    name: String,
    content_type: String,
    size_bytes: u64,
    /// Of the content; lower-case hex.
    sha256: String,
    /// Grows by one with every change of the content.
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// How a new file is to be called.
#[derive(Debug)]
pub(super) struct Named {
    name: String,
}

/// Content on its way in, nothing of it read yet. Its type is what the request says; one that announces more than a file may have
/// is 413.
#[derive(Debug)]
pub(super) struct ContentIn {
    content_type: String,
    body: Body,
}

/// Content on its way out.
#[derive(Debug)]
pub(super) struct ContentOut {
    file: Metadata,
    first: Piece,
    rest: Option<Download>,
}

fn example() -> serde_json::Value {
    json!({
        "id": "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88",
        "name": "invoices/2026-01.pdf",
        "content_type": "application/pdf",
        "size_bytes": 48_213,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "revision": 1_767_323_045_678_901_i64,
        "created_at": "2026-01-02T03:04:05.678901Z",
        "updated_at": "2026-01-02T03:04:05.678901Z"
    })
}

impl From<Metadata> for FileJson {
    fn from(file: Metadata) -> Self {
        let Metadata { id, name, content_type, size_bytes, sha256, revision, created_at, updated_at } = file;
        Self { id, name, content_type, size_bytes, sha256: text::hex(&sha256), revision, created_at, updated_at }
    }
}

/// `name`, which must be given.
impl Parameters for Named {
    fn describe() -> Vec<Parameter> {
        vec![Parameter::text("name", "How the file is to be called; must be given.")]
    }

    fn read(given: &mut Given) -> Result<Self> {
        let Some(name) = given.take("name", "text")? else {
            let message = "say how the file is to be called: `?name=`";
            return Err(Error::new(Kind::Invalid, "invalid", message).with_details(json!({ "parameter": "name" })));
        };
        Ok(Self { name })
    }
}

impl<S: Send + Sync> FromRequest<S> for ContentIn {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        service::files::check_size(announced.unwrap_or_default())?;
        let content_type = parts.headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        Ok(Self { content_type: content_type.map_or_else(|| UNKNOWN_TYPE.to_owned(), |given| given.trim().to_owned()), body })
    }
}

impl Input for ContentIn {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.body = Some(content(UNKNOWN_TYPE, json!({ "type": "string", "format": "binary" })));
        operation.body_is_optional = true;
        operation.fails(&[400, 408, 413, 422]);
    }
}

impl Output for ContentOut {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let about = "The content, of the type that the file has. One that is cut short is broken off.";
        operation.answers("200", about, Some(content("*/*", json!({})))).headers.push("ETag");
    }
}

fn content(media_type: &'static str, schema: serde_json::Value) -> Content {
    Content { media_type, schema, example: Some("(what is in the file)".into()) }
}

impl IntoResponse for ContentOut {
    fn into_response(self) -> Response {
        let Self { file, first, rest } = self;
        match headers_of(&file) {
            Ok(headers) => (StatusCode::OK, headers, Body::from_stream(pieces(first, rest))).into_response(),
            Err(error) => Failed::from(error).into_response(),
        }
    }
}

fn headers_of(file: &Metadata) -> Result<[(HeaderName, HeaderValue); 6]> {
    Ok([
        (header::CONTENT_TYPE, HeaderValue::try_from(&file.content_type).map_err(Error::internal)?),
        (header::CONTENT_LENGTH, HeaderValue::from(file.size_bytes)),
        (header::CONTENT_DISPOSITION, disposition(&file.name)?),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        etag::header(file.revision)?,
    ])
}

/// To be saved under the name that it has (RFC 6266). A plain one also for clients that know no other.
fn disposition(name: &str) -> Result<HeaderValue> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let text = if is_plain {
        format!("attachment; filename=\"{name}\"")
    } else {
        format!("attachment; filename*=UTF-8''{}", segment(name))
    };
    HeaderValue::try_from(text).map_err(Error::internal)
}

/// An error breaks the answer off, so that it is not taken for whole.
fn pieces(first: Piece, rest: Option<Download>) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    stream::try_unfold((Some(first), rest), |(first, rest)| async move {
        let (piece, rest) = match (first, rest) {
            (Some(first), rest) => (first, rest),
            (None, Some(rest)) => service::files::read(rest).await?,
            (None, None) => return Ok(None),
        };
        Ok::<_, Error>(Some((Bytes::from(piece.bytes), (None, rest))))
    })
}

/// The body as it comes.
fn incoming(body: Body) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    stream::unfold(body, |mut body| async move {
        let frame = body.frame().await?;
        let bytes = match frame {
            Ok(frame) => Ok(frame.into_data().unwrap_or_default()),
            Err(_) => Err(Error::new(Kind::Malformed, "incomplete_body", "the connection broke inside the body")),
        };
        Some((bytes, body))
    })
}

pub(super) async fn collections(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<CollectionJson>>> {
    Ok(List::of(service::files::collections(&api.services, app.id, &page).await?, CollectionJson::from))
}

pub(super) async fn list(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection)): Path<(String, String)>,
    Query(names): Query<Names>,
) -> Answer<Json<List<FileJson>>> {
    let page = service::files::list(&api.services, app.id, &collection, names.query()?).await?;
    listed(page, |file| Ok(file.into()))
}

pub(super) async fn create(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection)): Path<(String, String)>,
    Query(Named { name }): Query<Named>,
    Caller(by): Caller,
    Extension(request_id): Extension<RequestId>,
    ContentIn { content_type, body }: ContentIn,
) -> Answer<Created<FileJson>> {
    let origin = Origin::of(request_id);
    let location = format!("/api/v1/admin/apps/{}/files/{}", app.id, segment(&collection));
    let new = NewFile { collection, name, content_type };
    let made = service::files::create_by_user(&api.services, &by, app.id, origin, new, incoming(body)).await;
    let file = made.map_err(|error| match error.code {
        LATE => Failed::with_status(StatusCode::REQUEST_TIMEOUT, error),
        _ => error.into(),
    })?;
    Ok(Created { location: format!("{location}/{}", file.id), tag: Some(file.revision.to_string()), body: file.into() })
}

pub(super) async fn get(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection, id)): Path<(String, String, FileId)>,
) -> Answer<Tagged<FileJson>> {
    let file = service::files::get(&api.services, app.id, &collection, id).await?;
    Ok(Tagged { tag: file.revision.to_string(), body: file.into() })
}

pub(super) async fn read(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection, id)): Path<(String, String, FileId)>,
) -> Answer<ContentOut> {
    let (file, first, rest) = service::files::open_by_id(&api.services, app.id, &collection, id).await?;
    Ok(ContentOut { file, first, rest })
}

pub(super) async fn delete(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, collection, id)): Path<(String, String, FileId)>,
    Caller(by): Caller,
    Extension(request_id): Extension<RequestId>,
    if_match: IfMatch,
) -> Answer<NoContent> {
    let origin = Origin::of(request_id);
    service::files::delete_by_user(&api.services, &by, app.id, origin, &collection, id, if_match.tag()).await?;
    Ok(NoContent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, content_type: &str) -> Metadata {
        Metadata {
            id: FileId(uuid::Uuid::nil()),
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            size_bytes: 3,
            sha256: [0; 32],
            revision: 7,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_content_is_saved_and_has_no_power_here() {
        let first = Piece { bytes: b"<p>".to_vec(), read_bytes: 3 };
        let out = ContentOut { file: file("page.html", "text/html; charset=utf-8"), first, rest: None };
        let response = out.into_response();
        let headers = response.headers();
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(headers["content-length"], "3");
        assert_eq!(headers["content-disposition"], "attachment; filename=\"page.html\"");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("sandbox;"));
        assert_eq!(headers["etag"], "\"7\"");
    }

    #[test]
    fn any_name_can_be_saved_under() {
        for (name, told) in [
            ("a b.txt", "attachment; filename*=UTF-8''a%20b.txt"),
            ("../x\r\ny: z", "attachment; filename*=UTF-8''..%2Fx%0D%0Ay%3A%20z"),
            ("\"grün\"", "attachment; filename*=UTF-8''%22gr%C3%BCn%22"),
        ] {
            assert_eq!(disposition(name).unwrap(), told, "{name:?}");
        }
    }

    #[tokio::test]
    async fn a_content_comes_as_one_piece_or_more() {
        let first = Piece { bytes: b"<p>".to_vec(), read_bytes: 3 };
        let body = Body::from_stream(pieces(first, None));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "<p>");
    }
}
