//! One run of one version in one fresh instance: what goes in, what comes out.

use std::sync::Arc;

use crate::id::{AppId, ExecutionId, RequestId, ScriptId};
use crate::model::execution::{Failure, LogLine, Outcome, Usage};
use crate::model::script::{Kind, Limits};

/// The version of a script that answers now, as every plane needs it; shared, never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    pub app_id: AppId,
    pub script_id: ScriptId,
    pub version: i32,
    /// As in `Script`: what is held ready of the version belongs to it.
    pub generation: i32,
    pub kind: Kind,
    pub name: String,
    pub limits: Limits,
}

/// Who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvocationType {
    /// A public request on the data plane.
    Http,
    /// `POST /api/v1/execute/{script}` by a principal.
    Direct,
    /// Another script of the app.
    Function,
}

/// An HTTP request as a script sees it; platform credentials are already taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Values of the route's `:name` segments, percent-decoded.
    pub params: Vec<(String, String)>,
    /// What a prefix route (`/files/*`) left over.
    pub rest: Option<String>,
    /// The raw query string, without `?`.
    pub query: String,
    /// Lower-case names; a name that came more than once has its values joined by `, `.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub remote_addr: String,
}

/// Everything an invocation needs.
#[derive(Debug, Clone)]
pub struct Call {
    pub execution_id: ExecutionId,
    pub request_id: RequestId,
    pub script: Arc<Deployed>,
    pub invocation_type: InvocationType,
    pub request: Request,
}

/// A script's answer, checked: `status` is 100..=999 less 1xx, header names and values are legal HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// How an invocation ended. `Ok` exactly when `outcome` is `Responded`.
#[derive(Debug, Clone)]
pub struct Ended {
    pub outcome: Outcome,
    pub result: Result<Answer, Failure>,
    pub usage: Usage,
    pub logs: Vec<LogLine>,
    /// Lines that did not fit the invocation's log bound.
    pub logs_dropped: u32,
}
