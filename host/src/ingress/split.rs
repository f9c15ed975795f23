//! An app whose requests are split: a part of them is answered by another of its deployments.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::request::Parts;

use super::deployment::Mark;
use super::{Decision, Ingress, credentials, within};
use crate::id::RequestId;
use crate::model::route::{AppTable, DispatchMode};
use crate::model::split::{Bucket, COOKIE, Split};

/// A request of such an app.
pub(super) struct Asked<'p> {
    pub(super) app: Arc<AppTable>,
    pub(super) split: Split,
    /// In the form that routes are compared in.
    pub(super) host: Cow<'p, str>,
}

impl Ingress {
    /// By the bucket that the visitor is in, or, where they need not stay in one, by any. What runs answers for a deployment that
    /// cannot be had, and what is stored rather than run is for what runs.
    pub(super) async fn split(&self, request_id: RequestId, asked: Asked<'_>, parts: &Parts) -> (Decision, Mark) {
        let Asked { app, split, host } = asked;
        let mut known = None;
        if split.sticky {
            known = credentials::platform_cookies(&parts.headers, COOKIE).find_map(Bucket::read);
        }
        let bucket = known.unwrap_or_else(|| Bucket::of(request_id));
        let is_new = split.sticky && known.is_none();
        let mark = Mark { is_sticky: split.sticky, bucket: is_new.then_some(bucket), ..Mark::default() };
        if split.takes(bucket)
            && let Some(snapshot) = self.invoker.snapshot_or_not(&app, split.deployment).await
        {
            let decision = within(&snapshot.table, Some(&snapshot), &host, parts);
            if !matches!(&decision, Decision::Run(target) if target.dispatch_mode == DispatchMode::Async) {
                return (decision, Mark { deployment: Some(snapshot.number), ..mark });
            }
        }
        (within(&app, None, &host, parts), mark)
    }
}
