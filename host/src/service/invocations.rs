//! Calls of scripts that nobody waits for: stored as events, run by the pipeline at least once.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Services;
use crate::error::Result;
use crate::id::{AppId, EventId, ExecutionId, ScriptId};
use crate::model::event::{NewEvent, Origin, Source, Target};
use crate::model::invocation::{Deployed, Request};
use crate::model::script::{Kind as ScriptKind, missing, not_called};

/// The script that others of its app call by that name. 404; 422 for a module.
pub fn find(s: &Services, app: AppId, name: &str) -> Result<Arc<Deployed>> {
    callable(s.routing.current().script_of(app, name).cloned(), name)
}

/// The script that was found under that name, in what runs or in another deployment. Errors as [`find`].
pub fn callable(found: Option<Arc<Deployed>>, name: &str) -> Result<Arc<Deployed>> {
    let script = found.ok_or_else(|| missing(name))?;
    match script.kind {
        ScriptKind::Endpoint => Ok(script),
        ScriptKind::Module => Err(not_called(name)),
    }
}

/// Starts a script of the app with arguments (JSON text). Errors as [`find`].
pub async fn start(s: &Services, app: AppId, origin: Origin, name: &str, arguments: Vec<u8>) -> Result<ExecutionId> {
    let script = find(s, app, name)?;
    let request = Request::of_arguments(arguments);
    Ok(accept(s, Source::Invoke, (app, script.script_id), origin, &request).await?.0)
}

/// Accepts a call of a route (`Source::Http`) or of a script (`Source::Invoke`). Once this returns it is stored, and will be run;
/// the execution's id is that of the first attempt. With the time when it was accepted.
pub async fn accept(
    s: &Services,
    source: Source,
    script: (AppId, ScriptId),
    origin: Origin,
    request: &Request,
) -> Result<(ExecutionId, DateTime<Utc>)> {
    let now = s.now();
    let execution_id = ExecutionId::at(now);
    let (app_id, script_id) = script;
    let event = NewEvent {
        id: EventId::at(now),
        app_id,
        source,
        op: "call",
        at: now,
        origin,
        about: super::events::about(request)?,
        name: source.as_str().to_owned(),
        due_at: now,
        target: Target::Script { script_id, execution_id },
    };
    super::events::append(s, None, &event).await?;
    Ok((execution_id, now))
}
