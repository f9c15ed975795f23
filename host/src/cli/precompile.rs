//! `picloud precompile`: the work of a first start, done ahead of it.

use std::time::Instant;

use serde::Serialize;

use super::data_dir::{self, Access, DataDir};
use super::failure::{Exit, Failure, Result};
use super::terminal::{print, print_json, say, table};
use crate::clock::Clock;
use crate::config::Settings;
use crate::sandbox::probe::Probe;
use crate::sandbox::{self, Sandbox};

#[derive(Debug, Serialize)]
struct Done {
    /// Hex hash of the warm component.
    component: String,
    directory: String,
    /// Whether there was anything to do.
    built: bool,
    took_ms: u64,
}

pub(super) async fn run(settings: Settings, json: bool) -> Result<()> {
    let began = Instant::now();
    let data_dir = DataDir::open(data_dir::locate(&settings)?, Access::Shared)?;
    let pool = Probe::take().choose(settings.max_concurrent_executions);
    let opened = Sandbox::open(data_dir.path(), pool, Clock::system(), &say).await;
    let sandbox = opened.map_err(|e| Failure::of(Exit::Sandbox, "the sandbox", &e))?;
    let done = Done {
        component: sandbox.component().to_owned(),
        directory: sandbox::artifact_directory(data_dir.path()).display().to_string(),
        built: sandbox.was_built(),
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    if json {
        print_json(&done);
    } else {
        let rows = [("component", done.component), ("directory", done.directory), ("took", format!("{} ms", done.took_ms))];
        let was = if done.built { "is" } else { "was already" };
        print(&format!("The sandbox {was} compiled for this machine.\n{}", table(&rows)));
    }
    Ok(())
}
