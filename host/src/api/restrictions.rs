//! What administrators of the instance keep an app from.

use axum::extract::State;

use super::answer::Tagged;
use super::error::Answer;
use super::etag::IfMatch;
use super::gate::Caller;
use super::query::OfApp;
use super::{Api, body};
use crate::model::restriction::Restrictions;
use crate::service;

pub(super) async fn get(State(api): State<Api>, OfApp(app): OfApp) -> Answer<Tagged<Restrictions>> {
    let body = service::restrictions::get(&api.services, app.id).await?;
    Ok(Tagged { tag: app.tag(), body })
}

pub(super) async fn replace(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    if_match: IfMatch,
    body::Json(asked): body::Json<Restrictions>,
) -> Answer<Tagged<Restrictions>> {
    let (app, body) = service::restrictions::put(&api.services, &by, app.id, asked, if_match.tag()).await?;
    Ok(Tagged { tag: app.tag(), body })
}
