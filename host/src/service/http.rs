//! Requests that scripts send.

use super::Services;
use crate::egress::{Allowance, Traveller};
use crate::error::{Error, Result};
use crate::id::AppId;
use crate::model::http::{Request, Response};

/// Sends a request on the app's behalf, under what it grants at this moment. Any status is an answer.
/// Errors as of `egress::Client::send`; 404 when the app is gone.
pub async fn send(s: &Services, app: AppId, request: Request, allowance: &Allowance) -> Result<Response> {
    let table = s.routing.current().app_by_id(app).cloned().ok_or_else(|| Error::not_found("app"))?;
    let may_go = || s.allowances.go_out(app, &table.quota, s.clock.now());
    s.egress.send(Traveller { app, slug: &table.slug, grants: &table.grants, allowance, may_go: &may_go }, request).await
}
