//! `picloud audit verify`: reads the audit log from its first row to its last and checks every link.

use std::time::Instant;

use serde::Serialize;

use super::failure::{Exit, Failure, Result, exit_of};
use super::operator::Operator;
use super::terminal::{print, print_json, progress, table};
use crate::config::Settings;
use crate::service;

pub(super) const EXAMPLES: &str = "\
Examples:
  picloud audit verify
  picloud audit verify --expect 9f86d081884c…   the log must still hold the row that had this hash

A row that was altered, removed or put in is found, and the exit code is 1. Who owns the database could write the whole log
anew; note the last hash somewhere else from time to time, and name it with --expect. May run beside nodes.";

#[derive(Debug, Serialize)]
struct Done {
    /// Rows that hold, from the first.
    rows: i64,
    /// Hash of the last of them.
    head: String,
    /// The first thing that is wrong; null when nothing is.
    fault: Option<String>,
    took_ms: u64,
}

pub(super) async fn verify(settings: Settings, expected: Option<String>, json: bool) -> Result<()> {
    let began = Instant::now();
    let operator = Operator::open(&settings).await?;
    let done = match operator.services(&settings) {
        Ok(services) => {
            let done = service::audit::verify(&services, expected.as_deref(), progress).await;
            done.map_err(|error| Failure::of(exit_of(&error), "reading the audit log", &error))
        }
        Err(failure) => Err(failure),
    };
    operator.close().await;
    let verified = done?;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let fault = verified.fault.map(|fault| fault.to_string());
    let done = Done { rows: verified.rows, head: verified.head, fault, took_ms };
    if json {
        print_json(&done);
    } else if done.fault.is_none() {
        let rows = [("rows", done.rows.to_string()), ("last hash", done.head), ("took", format!("{} ms", done.took_ms))];
        print(&format!("The audit log is whole.\n{}", table(&rows)));
    }
    match done.fault {
        Some(fault) => Err(Failure::new(Exit::Other, format!("the audit log does not hold: {fault}"))),
        None => Ok(()),
    }
}
