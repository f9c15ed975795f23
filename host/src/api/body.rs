//! Request bodies: read to a bound, then JSON read strictly. Every mistake is named: where the text breaks, which
//! fields nobody knows, which field has the wrong type.

use std::error::Error as _;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::error::{Answer, Failed};
use super::gate::Caller;
use crate::error::{Error, Kind};
use crate::limits;
use crate::model::text;

/// A JSON object of exactly the fields of `T`, at most `limits::API_BODY_BYTES_MAX` long; from nobody in particular at most
/// `limits::PUBLIC_BODY_BYTES_MAX`.
///
/// Errors: 415 for another content type, 413 past the bound, 400 `malformed_json` with line and column, 422 `invalid`
/// with all unknown fields, or with the field that is missing or of another type.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(Failed::unsupported_media_type("the body must be JSON: send content-type: application/json"));
        }
        // Strangers' bodies are a login's; they must not fill the memory.
        let is_known = parts.extensions.get::<Caller>().is_some();
        let bytes_max = if is_known { limits::API_BODY_BYTES_MAX } else { limits::PUBLIC_BODY_BYTES_MAX };
        let bytes = read(&parts.headers, body, bytes_max).await?;
        Ok(Self(parse(&bytes)?))
    }
}

/// The same where nothing may come as well: [`Json`] then is `None`, whatever its content type.
#[derive(Debug)]
pub(crate) struct Maybe<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Maybe<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body, limits::API_BODY_BYTES_MAX).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !is_json(&parts.headers) {
            return Err(Failed::unsupported_media_type("the body must be JSON: send content-type: application/json"));
        }
        Ok(Self(Some(parse(&bytes)?)))
    }
}

/// The same for what holds the sources of a whole app, at most `limits::MANIFEST_BYTES_MAX` long.
#[derive(Debug)]
pub(crate) struct Large<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Large<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(Failed::unsupported_media_type("the body must be JSON: send content-type: application/json"));
        }
        Ok(Self(parse(&read(&parts.headers, body, limits::MANIFEST_BYTES_MAX).await?)?))
    }
}

/// The whole body, at most `bytes_max` long (413), within `limits::API_BODY_READ_MS` (408).
pub(crate) async fn read(headers: &HeaderMap, body: Body, bytes_max: usize) -> Answer<Bytes> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    let whole = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(Duration::from_millis(limits::API_BODY_READ_MS), whole).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large(bytes_max)),
        Ok(Err(_)) => Err(Error::new(Kind::Malformed, "incomplete_body", "the connection broke inside the body").into()),
        Err(_) => Err(Failed::with_status(
            StatusCode::REQUEST_TIMEOUT,
            Error::new(Kind::Malformed, "request_timeout", "the body took too long to arrive"),
        )),
    }
}

fn too_large(bytes_max: usize) -> Failed {
    Error::new(Kind::TooLarge, "request_too_large", format!("the body may be {bytes_max} bytes long at most"))
        .with_details(json!({ "bytes_max": bytes_max }))
        .into()
}

/// `application/json`, or a type built on it (`application/merge-patch+json`).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.strip_prefix("application/").is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(malformed("the body is empty; a JSON object is expected".into(), 1, 1));
    }
    let mut unknown = Unknown::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_ignored::deserialize(&mut deserializer, |path| unknown.note(&path));
    // A struct also reads from an array, by position; nobody means that.
    let object = bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    match parsed.and_then(|value: T| deserializer.end().map(|()| value)) {
        Err(error) if !error.is_data() => Err(malformed(plain(&error), error.line(), error.column())),
        _ if !object => Err(not_an_object(bytes)),
        Err(error) => Err(mistyped::<T>(bytes, &error, &unknown)),
        Ok(_) if !unknown.names.is_empty() => Err(unknown_fields(&unknown)),
        Ok(value) => Ok(value),
    }
}

fn malformed(message: String, line: usize, column: usize) -> Error {
    Error::new(Kind::Malformed, "malformed_json", format!("malformed JSON at line {line}, column {column}: {message}"))
        .with_details(json!({ "line": line, "column": column }))
}

/// Anything but an object, if it is JSON at all.
fn not_an_object(bytes: &[u8]) -> Error {
    match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        Err(error) => malformed(plain(&error), error.line(), error.column()),
        Ok(_) => Error::new(Kind::Invalid, "invalid", "the body must be a JSON object"),
    }
}

/// Fields that nobody knows: the first ones by name, the others by number, for a body may hold a hundred thousand.
#[derive(Default)]
struct Unknown {
    names: Vec<String>,
    more: usize,
}

impl Unknown {
    fn note(&mut self, path: &serde_ignored::Path<'_>) {
        if self.names.len() == limits::API_ERROR_FIELDS_MAX {
            self.more += 1;
        } else {
            let name = path.to_string().replace(".?", "");
            self.names.push(text::cut(&name, limits::API_ERROR_FIELD_BYTES_MAX).into_owned());
        }
    }

    fn list(&self) -> String {
        let names = self.names.join(", ");
        if self.more == 0 { names } else { format!("{names} and {} more", self.more) }
    }
}

fn unknown_fields(unknown: &Unknown) -> Error {
    let plural = if unknown.names.len() == 1 { "" } else { "s" };
    Error::new(Kind::Invalid, "invalid", format!("unknown field{plural}: {}", unknown.list()))
        .with_details(json!({ "unknown_fields": unknown.names }))
}

/// A field that is missing or of another type; unknown ones before it are named too, since one is often the other
/// misspelt.
fn mistyped<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error, unknown: &Unknown) -> Error {
    // Text behind the object is worse than a field in it, and a data error stops before that is seen.
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        return malformed(plain(&error), error.line(), error.column());
    }
    let reason = plain(error);
    let field = failing_field::<T>(bytes, error);
    let mut message = match &field {
        Some(field) if reason.contains(&format!("`{field}`")) => reason,
        Some(field) => format!("{field}: {reason}"),
        None => reason,
    };
    let mut details = json!({ "line": error.line(), "column": error.column() });
    if let (Some(details), Some(field)) = (details.as_object_mut(), field) {
        details.insert("field".into(), field.into());
    }
    if !unknown.names.is_empty() {
        // Cut first: the reason may quote a value of any length, and these are what helps.
        message = format!("{}; unknown: {}", text::cut(&message, limits::API_ERROR_FIELD_BYTES_MAX * 2), unknown.list());
        if let Some(details) = details.as_object_mut() {
            details.insert("unknown_fields".into(), unknown.names.as_slice().into());
        }
    }
    Error::new(Kind::Invalid, "invalid", message).with_details(details)
}

/// The dotted path to the field that failed. axum's own reader tracks it; it is asked only once a body is known to be
/// wrong, and answers `path: reason`.
fn failing_field<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Option<String> {
    let rejection = axum::Json::<T>::from_bytes(bytes).err()?;
    let tracked = rejection.source().map(ToString::to_string).unwrap_or_default();
    let path = tracked.strip_suffix(&error.to_string()).and_then(|p| p.strip_suffix(": ")).filter(|p| *p != ".");
    // A missing field has no place of its own: the path is that of the object which lacks it.
    let missing = error.to_string().strip_prefix("missing field `").and_then(|rest| Some(rest.split_once('`')?.0.to_owned()));
    match (path, missing) {
        (Some(path), Some(missing)) => Some(format!("{path}.{missing}")),
        (Some(path), None) => Some(path.to_owned()),
        (None, missing) => missing,
    }
}

/// The reason without the position, which is told apart.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "read by Debug only")]
    struct Shape {
        name: String,
        #[serde(default)]
        limits: Option<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "read by Debug only")]
    struct Inner {
        fuel: u64,
    }

    fn refuse(text: &str) -> Error {
        parse::<Shape>(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn malformed_text_is_400_with_its_place() {
        for (text, line, column) in
            [("{\n  \"name\": }", 2, 11), ("{\"name\": \"a\"} x", 1, 15), ("", 1, 1), ("[1,", 1, 3), ("nope", 1, 2)]
        {
            let error = refuse(text);
            assert_eq!((error.kind, error.code), (Kind::Malformed, "malformed_json"), "{text}");
            assert_eq!(error.details.unwrap(), json!({ "line": line, "column": column }), "{text}");
        }
        assert_eq!(refuse("{\"name\": 1} x").code, "malformed_json");
        assert_eq!(parse::<Shape>(b"{\"name\": \"\xff\"}").unwrap_err().code, "malformed_json");
    }

    #[test]
    fn all_unknown_fields_are_named_with_their_path() {
        let error = refuse(r#"{"nam":1,"name":"a","limits":{"fuel":1,"ful":2},"x":{"y":1}}"#);
        assert_eq!((error.kind, error.code), (Kind::Invalid, "invalid"));
        assert_eq!(error.details.unwrap()["unknown_fields"], json!(["nam", "limits.ful", "x"]));
    }

    #[test]
    fn of_many_unknown_fields_the_first_are_named() {
        let many: Vec<_> = (0..50_000).map(|n| format!("\"{}{n}\":1", "k".repeat(200))).collect();
        let error = refuse(&format!("{{\"name\":\"a\",{}}}", many.join(",")));
        assert!(error.message.ends_with("and 49980 more"), "{}", error.message.len());
        assert!(error.details.unwrap().to_string().len() < 4_000);
    }

    #[test]
    fn a_misspelt_field_is_named_beside_the_missing_one() {
        let error = refuse(r#"{"nam":"a"}"#);
        assert_eq!(error.message, "missing field `name`; unknown: nam");
        assert_eq!(error.details.as_ref().unwrap()["field"], "name");
        assert_eq!(error.details.unwrap()["unknown_fields"], json!(["nam"]));
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path() {
        let error = refuse(r#"{"name":"a","limits":{"fuel":"much"}}"#);
        assert_eq!(error.details.unwrap()["field"], "limits.fuel");
        assert!(error.message.starts_with("limits.fuel: invalid type: string \"much\", expected u64"), "{}", error.message);
        let error = refuse(r#"{"name":"a","limits":{}}"#);
        assert_eq!(error.details.unwrap()["field"], "limits.fuel");
    }

    #[test]
    fn arrays_and_scalars_are_not_objects() {
        for text in ["[\"a\"]", "[]", "1", "null", "\"a\""] {
            let error = refuse(text);
            assert_eq!((error.kind, &*error.message), (Kind::Invalid, "the body must be a JSON object"), "{text}");
        }
    }

    #[test]
    fn only_json_content_types_pass() {
        let with = |value: &'static str| HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())]);
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert!(is_json(&with(good)), "{good}");
        }
        for bad in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "text/json"] {
            assert!(!is_json(&with(bad)), "{bad}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn a_body_that_may_be_left_out_is_read_as_any_other_where_it_is_there() {
        async fn read(content_type: &'static str, body: &'static str) -> Answer<Maybe<Shape>> {
            let request = Request::post("/x").header(header::CONTENT_TYPE, content_type).body(Body::from(body)).unwrap();
            Maybe::from_request(request, &()).await
        }
        assert!(read("text/plain", "").await.unwrap().0.is_none());
        assert!(read("application/json", "{\"name\":\"a\"}").await.unwrap().0.is_some());
        assert_eq!(read("text/plain", "{\"name\":\"a\"}").await.unwrap_err().status(), 415);
        assert_eq!(read("application/json", "{").await.unwrap_err().status(), 400);
        assert_eq!(read("application/json", "{\"name\":\"a\",\"x\":1}").await.unwrap_err().status(), 422);
    }

    #[tokio::test]
    async fn a_body_may_be_as_long_as_the_bound_and_no_longer() {
        let none = HeaderMap::new();
        assert_eq!(read(&none, Body::from(vec![0; 8]), 8).await.unwrap().len(), 8);
        assert_eq!(read(&none, Body::from(vec![0; 9]), 8).await.unwrap_err().status(), 413);
        let announced = HeaderMap::from_iter([(header::CONTENT_LENGTH, 9.into())]);
        assert_eq!(read(&announced, Body::empty(), 8).await.unwrap_err().error().code, "request_too_large");
    }
}
