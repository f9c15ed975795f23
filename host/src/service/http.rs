//! Requests that scripts send.

use std::time::Instant;

use super::Services;
use crate::egress::otlp::{Span, SpanKind};
use crate::egress::{Allowance, Traveller};
use crate::error::{Error, Result};
use crate::id::AppId;
use crate::model::http::{Request, Response};
use crate::model::trace::{TRACEPARENT, Trace};

/// Sends a request on the app's behalf, under what it grants at this moment. Any status is an answer. Where `trace` is something that
/// somebody is told of, the other side is told what it comes of, unless the script said that itself.
/// Errors as of `egress::Client::send`; 404 when the app is gone.
pub async fn send(
    s: &Services,
    app: AppId,
    mut request: Request,
    allowance: &Allowance,
    trace: Option<Trace>,
) -> Result<Response> {
    let table = s.routing.current().app_by_id(app).cloned().ok_or_else(|| Error::not_found("app"))?;
    let may_go = || s.allowances.go_out(app, &table.quota, s.clock.now());
    let traveller = Traveller { app, slug: &table.slug, grants: &table.grants, allowance, may_go: &may_go };
    let exporter = s.exporter.get().filter(|_| trace.is_some_and(|trace| trace.sampled));
    let (began_at, began) = (s.clock.now(), Instant::now());
    // A span of its own only where somebody is told of it; else the other side would be told of one that nobody knows.
    let own = trace.map(|trace| if exporter.is_some() { trace.under_new(began_at) } else { trace });
    if let Some(own) = own
        && request.header(TRACEPARENT).is_none()
    {
        request.headers.push((TRACEPARENT.to_owned(), own.header()));
    }
    let (method, host) = (request.method.clone(), request.target.host().to_owned());
    let answered = s.egress.send(traveller, request).await;
    if let (Some(exporter), Some(parent), Some(own)) = (exporter, trace, own) {
        exporter.span(Span {
            parent,
            id: own.span,
            name: method.clone(),
            kind: SpanKind::Client,
            began_at,
            took_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            attributes: vec![("http.request.method", method), ("server.address", host), ("app.id", app.to_string())],
            status: answered.as_ref().ok().map(|response| response.status),
            failed: answered.as_ref().err().map(|error| error.code),
        });
    }
    answered
}
