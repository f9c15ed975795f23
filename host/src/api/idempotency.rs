//! `Idempotency-Key` on POST: a request that comes again is answered again, and done once.
//!
//! The first request with a key takes it, runs to its end even if its client goes away, and leaves its answer if it was a success.
//! One that failed gives the key back: nothing was done, and the next try may do better. A key stays with its request: another
//! method, path or body under it is 422. While the first runs, and for good when its node died in the midst, the second is told so (409)
//! rather than run: it cannot be known what was done. Keys are forgotten after `IDEMPOTENCY_WINDOW_S`.
//!
//! What an answer tells once only ([`Once`]) is not kept: the second time is 409 `told_once`. Bodies with passwords in them are not even
//! compared: no hash of a password is kept but the slow one ([`WITHOUT_KEY`]).
//!
//! A key belongs to a person's logins together, or to one API key: what may less cannot use up what its owner counts on.

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::error::Answer;
use super::{Api, body};
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::model::access::{Credential, Principal};
use crate::model::idempotency::Kept;
use crate::service::idempotency::{self, Taken};
use crate::unstoppable::Unstoppable;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Headers of an answer that are given again with it.
const KEPT: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::LOCATION,
    header::ETAG,
    // A script's answer has no power over this origin, the second time neither.
    header::CONTENT_SECURITY_POLICY,
    HeaderName::from_static("picloud-execution-id"),
];

/// Paths of operations that read no key: their requests hold passwords, or are longer than what is held to be compared (an import,
/// of which the slug is taken the second time).
pub(super) const WITHOUT_KEY: [&str; 4] =
    ["/api/v1/admin/auth/login", "/api/v1/admin/auth/password", "/api/v1/admin/users", "/api/v1/admin/apps:import"];

/// In the extensions of an answer that must not be kept anywhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Once;

/// Runs the request, or answers as it was answered before.
pub(super) async fn once(api: &Api, by: &Principal, request: Request, next: Next) -> Response {
    let mut keys = request.headers().get_all(KEY).iter();
    let (key, more) = (keys.next().cloned(), keys.next().is_some());
    let takes_one = request.method() == Method::POST && !WITHOUT_KEY.contains(&request.uri().path());
    let Some(key) = key.filter(|_| takes_one) else { return next.run(request).await };
    let done = if more { Err(malformed().into()) } else { run_once(api, by, &key, request, next).await };
    done.unwrap_or_else(IntoResponse::into_response)
}

async fn run_once(api: &Api, by: &Principal, key: &HeaderValue, request: Request, next: Next) -> Answer<Response> {
    let key = check(key)?;
    let (parts, body) = request.into_parts();
    let bytes = body::read(&parts.headers, body, limits::API_BODY_BYTES_MAX).await?;
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let content_type = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let asked = [key.as_bytes(), parts.method.as_str().as_bytes(), target.as_bytes(), content_type, &bytes];
    let fingerprint = fingerprint(&asked);
    let key = match by.credential {
        Credential::Key { id, .. } => format!("{id} {key}"),
        Credential::Session(_) | Credential::Operator => key,
    };
    let (services, user) = (api.services.clone(), by.user_id);
    let request = Request::from_parts(parts, Body::from(bytes));
    // From here on to its end: a key that is taken for a request that is not run would be taken in vain.
    let work = async move {
        if let Taken::Before(kept) = idempotency::take(&services, user, &key, &fingerprint).await? {
            return again(kept);
        }
        let response = next.run(request).await;
        match keep(response).await {
            Ok((response, Some(kept))) => {
                // It was done, whether or not that can be noted.
                let noted = idempotency::keep(&services, user, &key, kept).await;
                let _ = noted.inspect_err(|error| tracing::warn!(%error, "an answer could not be kept for its idempotency key"));
                Ok(response)
            }
            Ok((response, None)) => {
                let given = idempotency::give_back(&services, user, &key).await;
                let _ = given.inspect_err(|error| tracing::warn!(%error, "an idempotency key could not be given back"));
                Ok(response)
            }
            Err(error) => Err(error),
        }
    };
    let done = Unstoppable::new(work).await;
    Ok(done.unwrap_or_else(|| Err(Error::internal("a request with an idempotency key panicked")))?)
}

/// The answer, and what is to be kept of it; nothing of a failure.
async fn keep(response: Response) -> Result<(Response, Option<Kept>)> {
    if !response.status().is_success() {
        return Ok((response, None));
    }
    let status = response.status().as_u16();
    let headers = KEPT.into_iter().filter_map(|name| {
        let value = response.headers().get(&name)?.to_str().ok()?.to_owned();
        Some((name.as_str().to_owned(), value))
    });
    let headers = headers.collect();
    let announced = usize::try_from(response.body().size_hint().lower()).unwrap_or(usize::MAX);
    let is_long = announced > limits::IDEMPOTENT_ANSWER_BYTES_MAX;
    if response.extensions().get::<Once>().is_some() || is_long {
        return Ok((response, Some(Kept { status, headers, body: None })));
    }
    let (parts, body) = response.into_parts();
    let whole = Limited::new(body, limits::RESPONSE_BODY_BYTES_CEILING).collect().await.map_err(Error::internal)?.to_bytes();
    let kept = (whole.len() <= limits::IDEMPOTENT_ANSWER_BYTES_MAX).then(|| whole.to_vec());
    Ok((Response::from_parts(parts, Body::from(whole)), Some(Kept { status, headers, body: kept })))
}

/// An answer once more.
fn again(kept: Kept) -> Result<Response> {
    let Kept { status, headers, body } = kept;
    let Some(body) = body else {
        let message = "this was done, and its answer is told once only; look for what it made, or send another Idempotency-Key";
        let location = headers.into_iter().find(|(name, _)| name == header::LOCATION.as_str()).map(|(_, value)| value);
        return Err(Error::new(Kind::Conflict, "told_once", message).with_details(json!({ "location": location })));
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).map_err(Error::internal)?;
    for (name, value) in headers {
        let name = HeaderName::try_from(name).map_err(Error::internal)?;
        response.headers_mut().insert(name, HeaderValue::try_from(value).map_err(Error::internal)?);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn check(key: &HeaderValue) -> Result<String> {
    let text = key.to_str().ok().map(str::trim).filter(|key| !key.is_empty() && key.len() <= limits::IDEMPOTENCY_KEY_BYTES_MAX);
    text.map(str::to_owned).ok_or_else(malformed)
}

fn malformed() -> Error {
    let allowed = limits::IDEMPOTENCY_KEY_BYTES_MAX;
    Error::new(Kind::Invalid, "invalid", format!("idempotency-key must come once and be 1 to {allowed} visible ASCII characters"))
        .with_details(json!({ "header": "idempotency-key" }))
}

/// With the key in it, which is not stored: nobody tries out bodies on what is.
fn fingerprint(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_bounded_and_visible() {
        let longest = "k".repeat(limits::IDEMPOTENCY_KEY_BYTES_MAX);
        assert_eq!(check(&HeaderValue::try_from(&longest).unwrap()).unwrap(), longest);
        for bad in [format!("{longest}k"), String::new(), " ".to_owned()] {
            assert!(check(&HeaderValue::try_from(&bad).unwrap()).is_err(), "{}", bad.len());
        }
        assert!(check(&HeaderValue::from_bytes(b"\xff").unwrap()).is_err());
    }

    #[test]
    fn no_border_of_a_request_can_be_moved() {
        let one = fingerprint(&[b"k", b"POST", b"/a", b"b"]);
        assert_eq!(one, fingerprint(&[b"k", b"POST", b"/a", b"b"]));
        for other in [[&b"k"[..], b"POST", b"/ab", b""], [b"k", b"POST", b"/a", b"c"], [b"kP", b"OST", b"/a", b"b"]] {
            assert_ne!(one, fingerprint(&other));
        }
    }

    #[tokio::test]
    async fn a_failure_is_not_kept_and_neither_is_what_is_told_once() {
        let failed = StatusCode::CONFLICT.into_response();
        assert!(keep(failed).await.unwrap().1.is_none());
        let mut secret = "pic_…".into_response();
        secret.extensions_mut().insert(Once);
        let (told, kept) = keep(secret).await.unwrap();
        assert_eq!(told.into_body().collect().await.unwrap().to_bytes(), "pic_…");
        let kept = kept.unwrap();
        assert_eq!((kept.status, &kept.body), (200, &None));
        assert_eq!(again(kept).unwrap_err().code, "told_once");
        let long = "x".repeat(limits::IDEMPOTENT_ANSWER_BYTES_MAX + 1).into_response();
        assert_eq!(keep(long).await.unwrap().1.unwrap().body, None);
        let right = "x".repeat(limits::IDEMPOTENT_ANSWER_BYTES_MAX).into_response();
        let kept = keep(right).await.unwrap().1.unwrap();
        let replayed = again(kept).unwrap();
        assert_eq!(replayed.headers()[REPLAYED], "true");
        assert_eq!(replayed.into_body().collect().await.unwrap().to_bytes().len(), limits::IDEMPOTENT_ANSWER_BYTES_MAX);
    }
}
