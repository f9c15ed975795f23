//! The data plane: a request by host and path to a script, and the script's answer back.
//!
//! `exchange` turns a request into a call and what came of it into an answer, `gate` says which come too many, `held` gives an answer bit by bit, `credentials` keeps
//! the platform's own out of scripts and scripts' out of the platform, `cors` speaks for apps to browsers, `refusal` is the
//! platform's own answer. `preview` and `split` have another deployment answer than what runs, and `deployment` says so.
//!
//! - One service answers everything; there is no router in front of the directory. Nothing here waits but for the body
//!   and the script.
//! - Every answer carries `x-request-id`, made here whatever the client sent; `picloud-execution-id` once a script was
//!   called. A caller never learns more of a failure than its code, nor of what a call used, but for one who sends a token of
//!   the platform's (which no script sees) and may read the app's log.
//! - `/healthz` is answered on hosts that are no app's: 200, or 503 once the node was told to end or the database has been out of
//!   reach for seconds. An app's host is the app's alone: its `/healthz` is its own.
//! - Below `/.well-known/picloud/email/` of an app's host the platform answers itself: mail comes in there.
//! - Below `/realtime/` of an app's host the platform answers itself, too: `realtime` is who subscribes to topics.
//! - A host under a slug that an app had before is sent on (308) to the same under its slug now, whatever is asked for. No
//!   other host that is no app's has anything of an app: the token of a claimed domain least of all (`service::domains`).
//! - `v7--{slug}.{apps domain}` is deployment 7 of the app, for those who may see it; mail comes in at no such host, nor is a topic
//!   subscribed to there.
//! - A route that is `async` stores the call and answers 202 with the id of the execution to come.
//! - HEAD runs the GET route and loses the body. OPTIONS that no route takes is answered with `Allow`.
//!
//! A crash at any point loses the requests under way and nothing else.

mod cors;
mod credentials;
mod deployment;
mod exchange;
mod gate;
mod held;
mod preview;
mod realtime;
mod refusal;
mod split;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::Response;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::Service;
use tracing::Instrument;

use crate::error::{Error, Kind};
use crate::fair::{Fair, Place, Size};
use crate::id::{ExecutionId, RequestId, TriggerId};
use crate::invoke::{Invoker, Snapshot};
use crate::limits;
use crate::model::event::{Origin, Source};
use crate::model::execution::FailureCode;
use crate::model::invocation::{Answer, Call, Deployed, InvocationType, Request as CallRequest};
use crate::model::route::{AppTable, Directory, DispatchMode, Lookup, PathFault};
use crate::service::{self, Services, mail_in};
use deployment::Mark;
use refusal::Refusal;

pub use gate::{LetIn, Verdict};

/// The data plane as one service. A clone is a handle. Scripts learn who called from the request's
/// `ConnectInfo<SocketAddr>`: the caller, not a proxy.
#[derive(Clone)]
pub struct Ingress {
    services: Arc<Services>,
    invoker: Arc<Invoker>,
    /// Bytes of bodies that are held, and of answers, shared between apps.
    bodies: Arc<Fair>,
    answers: Arc<Fair>,
    /// Tokens that may be looked up at once.
    readers: Arc<Semaphore>,
}

impl Ingress {
    pub fn new(services: Arc<Services>, invoker: Arc<Invoker>) -> Self {
        let bytes = invoker.pool().bodies_bytes;
        let kept = |kept_bytes| Size { places: limits::CONNECTIONS_MAX, kept_bytes };
        let room = || Arc::new(Fair::new(&[kept(0), kept(bytes as u64 / 4)], bytes as u64));
        let readers = Arc::new(Semaphore::new(limits::READERS_AT_ONCE));
        Self { services, invoker, bodies: room(), answers: room(), readers }
    }

    /// Answers one request.
    pub async fn answer(self, request: Request) -> Response {
        let request_id = RequestId::at(self.services.clock.now());
        let span = tracing::debug_span!("request", request.id = %request_id);
        self.exchange(request_id, request).instrument(span).await
    }

    async fn exchange(self, request_id: RequestId, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let step = decide(&self.services.routing.current(), &parts);
        let (decision, mark) = match step {
            Step::Decided(decision) => (decision, Mark::default()),
            // What not every request needs is in boxes: what a future may come to hold, it always has room for.
            Step::Preview(asked) => Box::pin(self.preview(request_id, asked, &parts)).await,
            Step::Split(asked) => Box::pin(self.split(request_id, asked, &parts)).await,
        };
        let (app, mut response) = match decision {
            Decision::Answer { app, response } => (app, response),
            Decision::Health if self.services.node.is_leaving() => (None, Refusal::LEAVING.answer(request_id)),
            Decision::Health if !service::reach::is_there(&self.services) => (None, Refusal::NO_DATABASE.answer(request_id)),
            Decision::Health => (None, healthy()),
            Decision::Refuse { app, refusal } => (app, refusal.answer(request_id)),
            Decision::TakeMail { app, trigger } => {
                let response = Box::pin(self.take_mail(request_id, &app, trigger, &parts, body)).await;
                (Some(app), response)
            }
            Decision::Subscribe { app, topic } => {
                let response = Box::pin(self.subscribe(request_id, &app, &topic, &parts)).await;
                (Some(app), response)
            }
            Decision::Run(target) => {
                let app = target.app.clone();
                (Some(app), self.run(request_id, target, &parts, body).await)
            }
        };
        if let Some(app) = app {
            cors::apply(&app.cors_origins, parts.headers.get(header::ORIGIN), response.headers_mut());
        }
        mark.apply(response.headers_mut());
        insert_id(response.headers_mut(), REQUEST_ID, &request_id.0);
        if parts.method == Method::HEAD { without_body(response) } else { response }
    }

    async fn run(&self, request_id: RequestId, target: Target, parts: &Parts, body: Body) -> Response {
        let execution_id = ExecutionId::at(self.services.clock.now());
        let was_let_in = parts.extensions.get::<LetIn>().is_some();
        if !was_let_in && let Some(refused) = self.turn_away(request_id, execution_id, &target) {
            return refused.map(Body::from);
        }
        // The permit is held until the script has answered.
        let bytes_max = target.script.limits.request_body_bytes as usize;
        let (_bytes, body) = match self.take_body(&target.app, parts, body, bytes_max).await {
            Ok(taken) => taken,
            Err(refusal) => return refusal.answer(request_id),
        };
        let Target { app, of, script, dispatch_mode, params, rest, reads_log } = target;
        let request = exchange::request(parts, params, rest, body);
        if dispatch_mode == DispatchMode::Async {
            return Box::pin(self.accept(request_id, &app, &script, &request)).await;
        }
        let call = Call { execution_id, request_id, script, invocation_type: InvocationType::Http, request, delivered: None };
        let (ended, place) = self.invoker.run_and_keep(call, of).await;
        let reads_log = match reads_log {
            Some(known) => known,
            None => self.reader(parts, &app).await.unwrap_or(false),
        };
        let mut response = match ended.result {
            Ok(answer) => self.give(answer, &app).await.unwrap_or_else(|refusal| refusal.answer(request_id)),
            Err(failure) if reads_log => Refusal::told(failure).after(ended.retry_after).answer(request_id),
            Err(failure) => Refusal::of(failure.code).after(ended.retry_after).answer(request_id),
        };
        drop(place);
        let headers = response.headers_mut();
        if reads_log {
            headers.extend(ended.usage.headers().map(|(name, n)| (HeaderName::from_static(name), HeaderValue::from(n))));
        }
        insert_id(headers, EXECUTION_ID, &execution_id.0);
        response
    }

    /// The script's answer, once there is room for it among those that clients are still taking.
    async fn give(&self, answer: Answer, app: &AppTable) -> Result<Response, Refusal> {
        let room = exchange::admit_answer(&self.answers, app, answer.body.len()).await?;
        let answer = exchange::answer(answer, &app.host)?;
        Ok(match room {
            Some(room) => answer.map(|body| held::slowly(body, room)),
            None => answer,
        })
    }

    /// Whether the request carries a token of somebody who may read the app's log; nothing where one could not be looked up: when
    /// many come, some are not.
    async fn reader(&self, parts: &Parts, app: &AppTable) -> Option<bool> {
        let values = parts.headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| value.to_str().ok());
        let Some(token) = values.filter_map(credentials::platform_token).next() else { return Some(false) };
        let _place = self.readers.try_acquire().ok()?;
        let may = service::access::may_read_log(&self.services, token, app.app_id);
        let may = Box::pin(timeout(Duration::from_millis(limits::READER_LOOKUP_MS), may)).await.ok()?;
        let warn = |error: &Error| tracing::warn!(%error, cause = ?error.source, "a token could not be looked up");
        may.inspect_err(warn).ok()
    }
}

impl Ingress {
    /// The body, under a permit for the bytes that it may hold.
    async fn take_body(
        &self,
        app: &AppTable,
        parts: &Parts,
        body: Body,
        bytes_max: usize,
    ) -> Result<(Option<Place>, Vec<u8>), Refusal> {
        let bytes = exchange::admit_body(&self.bodies, app, &body.size_hint(), bytes_max).await?;
        Ok((bytes, exchange::read_body(parts, body, bytes_max).await?))
    }

    /// Hands in mail for a trigger of the app.
    async fn take_mail(&self, request_id: RequestId, app: &AppTable, trigger: TriggerId, parts: &Parts, body: Body) -> Response {
        let (_bytes, body) = match self.take_body(app, parts, body, limits::REQUEST_BODY_BYTES_MAX).await {
            Ok(taken) => taken,
            Err(refusal) => return refusal.answer(request_id),
        };
        let _statement = match self.let_in_to_store(app).await {
            Ok(place) => place,
            Err(refusal) => return refusal.answer(request_id),
        };
        let signature = parts.headers.get(mail_in::SIGNATURE).and_then(|value| value.to_str().ok());
        match mail_in::receive(&self.services, app.app_id, trigger, request_id, signature, &body).await {
            Ok(event) => exchange::accepted(&serde_json::json!({ "event_id": event })),
            Err(error) => {
                if error.kind == Kind::Internal {
                    tracing::error!(request.id = %request_id, %error, cause = ?error.source, "mail could not be taken in");
                }
                Refusal::of_mail(error).answer(request_id)
            }
        }
    }

    /// What is stored rather than run is one of the app's requests, too, and one of its statements; somebody waits for it.
    async fn let_in_to_store(&self, app: &AppTable) -> Result<Place, Refusal> {
        let services = &self.services;
        let let_in = services.allowances.enter(app.app_id, &app.quota, services.clock.now());
        let_in.map_err(|spent| Refusal::of(FailureCode::RateLimited).after(Some(spent.retry_after)))?;
        let place = services.statement(app.app_id, false, Duration::from_millis(limits::DATABASE_ACQUIRE_MS)).await;
        place.map_err(|full| Refusal::of(FailureCode::Overloaded).after(Some(full.retry_after)))
    }

    /// Stores the call and tells where its execution will be found.
    async fn accept(&self, request_id: RequestId, app: &AppTable, script: &Deployed, request: &CallRequest) -> Response {
        let _statement = match self.let_in_to_store(app).await {
            Ok(place) => place,
            Err(refusal) => return refusal.answer(request_id),
        };
        let origin = Origin::of(request_id);
        let script = (script.app_id, script.script_id);
        let accepted = service::invocations::accept(&self.services, Source::Http, script, origin, request).await;
        match accepted {
            Ok((execution_id, at)) => {
                let told = serde_json::json!({ "execution_id": execution_id, "accepted_at": at });
                let mut response = exchange::accepted(&told);
                insert_id(response.headers_mut(), EXECUTION_ID, &execution_id.0);
                response
            }
            Err(error) => {
                if error.kind == Kind::Internal {
                    tracing::error!(request.id = %request_id, %error, cause = ?error.source, "a call could not be accepted");
                }
                Refusal::of_acceptance(&error).answer(request_id)
            }
        }
    }
}

impl Service<Request> for Ingress {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let ingress = self.clone();
        Box::pin(async move { Ok(ingress.answer(request).await) })
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const EXECUTION_ID: HeaderName = HeaderName::from_static("picloud-execution-id");

/// What a request's host and head say of it.
enum Step<'p> {
    Decided(Decision),
    Preview(preview::Asked),
    Split(split::Asked<'p>),
}

/// What is to be done with a request, before its body is read.
enum Decision {
    Run(Target),
    TakeMail {
        app: Arc<AppTable>,
        trigger: TriggerId,
    },
    Subscribe {
        app: Arc<AppTable>,
        topic: String,
    },
    Answer {
        app: Option<Arc<AppTable>>,
        response: Response,
    },
    /// Whether this node is to be asked.
    Health,
    Refuse {
        app: Option<Arc<AppTable>>,
        refusal: Refusal,
    },
}

struct Target {
    app: Arc<AppTable>,
    /// The deployment that the script is of, if that is not the one that runs.
    of: Option<Arc<Snapshot>>,
    script: Arc<Deployed>,
    dispatch_mode: DispatchMode,
    params: Vec<(String, String)>,
    rest: Option<String>,
    /// Whether whoever asks may read the log, where that is known.
    reads_log: Option<bool>,
}

fn decide<'p>(directory: &Directory, parts: &'p Parts) -> Step<'p> {
    let refuse = |app, refusal| Step::Decided(Decision::Refuse { app, refusal });
    let path = parts.uri.path();
    if path.len() + parts.uri.query().map_or(0, str::len) > limits::REQUEST_TARGET_BYTES_MAX {
        return refuse(None, Refusal::URI_TOO_LONG);
    }
    if header_bytes(&parts.headers) > limits::REQUEST_HEADER_BYTES_MAX {
        return refuse(None, Refusal::HEADERS_TOO_LARGE);
    }
    let asked_host = match host(parts) {
        Ok(host) => host,
        Err(refusal) => return refuse(None, refusal),
    };
    let Some((app, host)) = directory.app(asked_host) else {
        if let Some((app, now)) = directory.moved(asked_host) {
            return Step::Decided(send_on(app, &now, parts));
        }
        if let Some((app, number, host)) = directory.preview(asked_host) {
            return match mail_in::trigger_of(path).is_some() || service::realtime::asked(path).is_some() {
                true => refuse(Some(app.clone()), Refusal::NOT_FOUND),
                false => Step::Preview(preview::Asked { app: app.clone(), number, host }),
            };
        }
        return match (path, &parts.method) {
            ("/healthz", &Method::GET | &Method::HEAD) => Step::Decided(Decision::Health),
            ("/healthz", _) => refuse(None, Refusal::method_not_allowed(&["GET", "HEAD"])),
            _ => refuse(None, Refusal::UNKNOWN_HOST),
        };
    };
    if let Some(trigger) = mail_in::trigger_of(path) {
        return match (trigger, &parts.method) {
            (Some(trigger), &Method::POST) => Step::Decided(Decision::TakeMail { app: app.clone(), trigger }),
            (Some(_), _) => refuse(Some(app.clone()), Refusal::method_not_allowed(&["POST"])),
            (None, _) => refuse(Some(app.clone()), Refusal::NOT_FOUND),
        };
    }
    if let Some(asked) = service::realtime::asked(path) {
        return Step::Decided(realtime::decide(app, asked, parts));
    }
    match app.split {
        // A preflight brings no cookie, so it cannot tell who will answer what comes after it.
        Some(split) if cors::asked_method(&app.cors_origins, parts).is_none() => {
            Step::Split(split::Asked { app: app.clone(), split, host })
        }
        _ => Step::Decided(within(app, None, &host, parts)),
    }
}

/// What the routes of the app say, or of one of its deployments: then the table is that one's.
fn within(app: &Arc<AppTable>, of: Option<&Arc<Snapshot>>, host: &str, parts: &Parts) -> Decision {
    let refuse = |app, refusal| Decision::Refuse { app, refusal };
    let (path, asked) = (parts.uri.path(), cors::asked_method(&app.cors_origins, parts));
    match app.lookup(host, asked.unwrap_or(parts.method.as_str()), path) {
        Lookup::Malformed(fault) => refuse(Some(app.clone()), Refusal::malformed_path(fault)),
        lookup if asked.is_some() => {
            let allow = if let Lookup::OtherMethod { allow } = &lookup { Some(allow.as_slice()) } else { None };
            Decision::Answer { app: Some(app.clone()), response: cors::preflight(&app.cors_origins, parts, allow) }
        }
        Lookup::Found(found) => {
            let (app, script, dispatch_mode) = (app.clone(), found.script.clone(), found.route.dispatch_mode);
            let (params, rest, of) = (found.params, found.rest, of.cloned());
            Decision::Run(Target { app, of, script, dispatch_mode, params, rest, reads_log: None })
        }
        Lookup::OtherMethod { allow } if parts.method == Method::OPTIONS => {
            Decision::Answer { app: Some(app.clone()), response: options(&allow) }
        }
        Lookup::OtherMethod { allow } => refuse(Some(app.clone()), Refusal::method_not_allowed(&allow)),
        Lookup::NotFound => refuse(Some(app.clone()), Refusal::NOT_FOUND),
    }
}

/// To the same under the app's name of now, without a scheme: it stays what it is, and the port too, since whatever stands
/// before this plane is reached there. 308 keeps method and body; nobody may remember it, for the old slug may become somebody
/// else's.
fn send_on(app: &Arc<AppTable>, now: &str, parts: &Parts) -> Decision {
    let app = app.clone();
    if cors::asked_method(&app.cors_origins, parts).is_some() {
        // A browser follows no redirect of a preflight, but one of the request after it.
        let response = cors::preflight(&app.cors_origins, parts, None);
        return Decision::Answer { app: Some(app), response };
    }
    let target = parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let port = port(parts).map(|port| format!(":{port}")).unwrap_or_default();
    match HeaderValue::try_from(format!("//{now}{port}{target}")) {
        Ok(location) if target.starts_with('/') => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            response.headers_mut().insert(header::LOCATION, location);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Decision::Answer { app: Some(app), response }
        }
        _ => Decision::Refuse { app: Some(app), refusal: Refusal::malformed_path(PathFault::NotAbsolute) },
    }
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// The host a request is for: that of an absolute target, else the one `Host` header. `X-Forwarded-Host` is not heard.
fn host(parts: &Parts) -> Result<&str, Refusal> {
    if let Some(authority) = parts.uri.authority() {
        return Ok(authority.host());
    }
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(Refusal::MANY_HOSTS),
        (None, _) if parts.version == Version::HTTP_11 => Err(Refusal::NO_HOST),
        (host, _) => Ok(host.and_then(|host| host.to_str().ok()).unwrap_or_default()),
    }
}

/// The port that [`host`] was asked at, if it names one.
fn port(parts: &Parts) -> Option<u16> {
    match parts.uri.authority() {
        Some(authority) => authority.port_u16(),
        None => parts.headers.get(header::HOST)?.to_str().ok()?.rsplit_once(':')?.1.parse().ok(),
    }
}

fn healthy() -> Response {
    let mut response = Response::new(Body::from(r#"{"status":"ok"}"#));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn options(allow: &[&str]) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    insert_list(response.headers_mut(), header::ALLOW, allow);
    response
}

/// Says how long the body would have been, as GET does.
fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let framed = parts.status != StatusCode::NO_CONTENT && parts.status != StatusCode::NOT_MODIFIED;
    if let (true, Some(bytes)) = (framed, body.size_hint().exact()) {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    Response::from_parts(parts, Body::empty())
}

fn insert_id(headers: &mut HeaderMap, name: HeaderName, id: &uuid::Uuid) {
    let mut text = uuid::Uuid::encode_buffer();
    if let Ok(value) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)) {
        headers.insert(name, value);
    }
}

fn insert_list(headers: &mut HeaderMap, name: HeaderName, items: &[&str]) {
    if let Ok(value) = HeaderValue::try_from(items.join(", ")) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
