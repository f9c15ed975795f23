//! Runs a script now, for someone who may: the body is the request's body, the answer is the script's own.
//!
//! The answer comes from a tenant and is given on the origin of the administration. So it may not set cookies here,
//! and a browser that shows it gives it an origin of its own, without scripts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequest, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::describe::{Content, Input, Operation, Output};
use super::error::{Answer, Failed};
use super::gate::{self, Caller, OfStanding};
use super::openapi::schemas::Schemas;
use super::query::{Parameter, Path};
use super::{Api, body};
use crate::error::{Error, Kind, Result, whole_seconds};
use crate::id::{ExecutionId, RequestId, ScriptId};
use crate::model::access::Scope;
use crate::model::execution::{Failure, FailureCode};
use crate::model::invocation::{self, Call, Deployed, InvocationType};
use crate::model::quota::Quota;
use crate::model::script::{self, Script};
use crate::service;

const EXECUTION_ID: HeaderName = HeaderName::from_static("picloud-execution-id");

/// Headers that a script's answer does not bring: of the connection, or powers over this origin.
const WITHHELD: [HeaderName; 18] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TRAILER,
    header::UPGRADE,
    header::SET_COOKIE,
    HeaderName::from_static("clear-site-data"),
    header::STRICT_TRANSPORT_SECURITY,
    header::CONTENT_SECURITY_POLICY,
    // These ask for a password on our origin, or tell browsers things about it that outlast the answer.
    header::WWW_AUTHENTICATE,
    header::ALT_SVC,
    HeaderName::from_static("nel"),
    HeaderName::from_static("report-to"),
    HeaderName::from_static("reporting-endpoints"),
    HeaderName::from_static("accept-ch"),
    HeaderName::from_static("critical-ch"),
    super::edge::REQUEST_ID,
];

/// A request of any shape: it is the script's.
pub(super) struct Whole(Request);

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(Self(request))
    }
}

impl Input for Whole {
    fn query() -> Option<Vec<Parameter>> {
        None
    }

    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let example = Some(json!({ "name": "Ada" }));
        operation.body = Some(Content { media_type: "*/*", schema: json!({}), example });
        operation.body_is_optional = true;
        operation.fails(&[400, 408, 413]);
    }
}

/// An answer of any shape: the script made it.
pub(super) struct ScriptAnswer(Response);

impl IntoResponse for ScriptAnswer {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for ScriptAnswer {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let content = Content { media_type: "*/*", schema: json!({}), example: Some(json!({ "hello": "Ada" })) };
        operation.answers("2XX", "What the script answered.", Some(content)).headers.push("Picloud-Execution-Id");
        operation.answers("default", "What the script answered, of any other status.", None).headers.push("Picloud-Execution-Id");
        operation.fails(&[422, 429, 502, 503, 504, 507]);
    }
}

pub(super) async fn run(
    State(api): State<Api>,
    Path(script_id): Path<ScriptId>,
    Caller(by): Caller,
    OfStanding(standing): OfStanding,
    Extension(request_id): Extension<RequestId>,
    Whole(request): Whole,
) -> Answer<ScriptAnswer> {
    let script = service::scripts::get(&api.services, script_id).await?;
    let quota = api.services.quota(script.app_id);
    let script = deployed(script, &quota)?;
    let (parts, body) = request.into_parts();
    let body = body::read(&parts.headers, body, script.limits.request_body_bytes as usize).await?;
    let execution_id = ExecutionId::at(api.services.clock.now());
    let request = seen_by_script(&parts, body.into());
    let call = Call { execution_id, request_id, script, invocation_type: InvocationType::Direct, request, delivered: None };
    let ended = api.invoker.run(call).await;
    let execution_id = HeaderValue::try_from(execution_id.to_string()).map_err(Error::internal)?;
    let reads_log = by.decide_on(standing, Scope::LogRead).is_ok();
    let usage = ended.usage.headers().map(|(name, n)| (HeaderName::from_static(name), HeaderValue::from(n)));
    let told = usage.into_iter().filter(|_| reads_log).chain([(EXECUTION_ID, execution_id)]);
    match ended.result {
        Ok(answer) => {
            let mut response = answered(answer)?;
            response.headers_mut().extend(told);
            Ok(ScriptAnswer(response))
        }
        Err(failure) => {
            let mut failed = failed(failure, reads_log, ended.retry_after);
            for (name, value) in told {
                failed.set_header(name, value);
            }
            Err(failed)
        }
    }
}

/// The script as the database has it now: whoever publishes and runs sees the new version, on every node.
pub(super) fn deployed(script: Script, quota: &Quota) -> Result<Arc<Deployed>> {
    if script.kind == script::Kind::Module {
        let message = format!("{} is a module: it answers no requests, scripts import it", script.name);
        return Err(Error::invalid("script_id", message));
    }
    let Script { id, app_id, name, kind, active, generation, .. } = script;
    let limits = active.limits.under(quota);
    Ok(Arc::new(Deployed { app_id, script_id: id, version: active.number, generation, kind, name, limits }))
}

/// The request as `ctx.request`: at the root, without our credentials.
fn seen_by_script(parts: &Parts, body: Vec<u8>) -> invocation::Request {
    let remote = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    invocation::Request {
        method: parts.method.to_string(),
        path: "/".into(),
        query: parts.uri.query().unwrap_or_default().into(),
        headers: headers_seen(&parts.headers),
        body,
        remote_addr: remote.map(|ConnectInfo(address)| address.ip().to_string()).unwrap_or_default(),
        ..invocation::Request::default()
    }
}

fn headers_seen(headers: &HeaderMap) -> Vec<(String, String)> {
    let names = headers.keys().filter(|name| ![header::AUTHORIZATION, header::COOKIE].contains(*name));
    let joined = names.map(|name| {
        let values: Vec<_> = headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        (name.as_str().to_owned(), values.join(", "))
    });
    joined.chain(gate::foreign_cookies(headers).map(|cookies| ("cookie".to_owned(), cookies))).collect()
}

fn answered(answer: invocation::Answer) -> Result<Response> {
    let status = StatusCode::from_u16(answer.status).map_err(Error::internal)?;
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let mut response = Response::new(if bodiless { Body::empty() } else { Body::from(answer.body) });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        let name = HeaderName::try_from(name).map_err(Error::internal)?;
        if !WITHHELD.contains(&name) && !name.as_str().starts_with("picloud-") {
            headers.append(name, HeaderValue::try_from(value).map_err(Error::internal)?);
        }
    }
    headers
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// Who may read the log sees what went wrong and where; others see the code.
pub(super) fn failed(failure: Failure, may_read_log: bool, retry_after: Option<Duration>) -> Failed {
    let code = failure.code;
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if code == FailureCode::Internal {
        // The record holds the cause; the caller gets the id, like everyone.
        return Error::internal(failure.message).into();
    }
    let (message, details) = if may_read_log {
        let details = json!({
            "message": failure.message,
            "script": failure.script,
            "line": failure.line,
            "column": failure.column,
            "calls": failure.calls,
        });
        (failure.message, Some(details))
    } else {
        ("the script did not answer; its log says why".to_owned(), None)
    };
    let mut failed = Failed::with_status(status, Error { details, ..Error::new(Kind::Invalid, code.as_str(), message) });
    if let Some(wait) = retry_after {
        failed.set_header(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&str, &str)]) -> Response {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let answer = invocation::Answer { status: 299, headers, body: b"hi".to_vec() };
        answered(answer).unwrap()
    }

    #[test]
    fn a_scripts_answer_is_its_own_and_has_no_power_here() {
        let response = answer(&[
            ("content-type", "text/html"),
            ("x-a", "1"),
            ("x-a", "2"),
            ("set-cookie", "picloud_session=mine"),
            ("content-length", "9000"),
            ("content-security-policy", "default-src *"),
            ("picloud-execution-id", "forged"),
            ("Picloud-Fuel-Used", "forged"),
        ]);
        assert_eq!(response.status().as_u16(), 299);
        let headers = response.headers();
        assert_eq!(headers["content-type"], "text/html");
        assert_eq!(headers.get_all("x-a").iter().count(), 2);
        assert!(headers.get("set-cookie").is_none() && headers.get("content-length").is_none());
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("sandbox"));
        assert!(!headers.keys().any(|name| name.as_str().starts_with("picloud-")));
    }

    #[test]
    fn a_script_sees_no_credential_of_ours() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer t"));
        headers.insert("cookie", HeaderValue::from_static("a=1; picloud_session=t"));
        headers.append("x-a", HeaderValue::from_static("1"));
        headers.append("x-a", HeaderValue::from_static("2"));
        let seen = headers_seen(&headers);
        assert_eq!(seen, [("x-a".to_owned(), "1, 2".to_owned()), ("cookie".to_owned(), "a=1".to_owned())]);
    }

    #[test]
    fn only_readers_of_the_log_see_where_a_script_failed() {
        let failure = || Failure { line: Some(3), ..Failure::new(FailureCode::ScriptError, "boom") };
        let told = failed(failure(), true, None);
        assert_eq!((told.status().as_u16(), &told.error().details.as_ref().unwrap()["line"]), (422, &json!(3)));
        let public = failed(failure(), false, None);
        assert!(public.error().details.is_none() && !public.error().message.contains("boom"));
        let ours = failed(Failure::new(FailureCode::Internal, "disk on fire"), true, None);
        assert!(!ours.error().message.contains("fire"));
    }
}
