//! How an app does, at a glance.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::Api;
use super::error::Answer;
use super::query::{Given, OfApp, Parameter, Parameters, Query};
use crate::error::{Error, Result};
use crate::limits;
use crate::model::health::{Health, Window};
use crate::model::usage::Item;
use crate::service;

/// How an app did within a window, and what of it waits.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AppHealth", example = example())]
pub(super) struct HealthJson {
    /// When the first period of the series began (UTC).
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Invocations, those that were refused among them.
    calls: u64,
    /// Of these, the ones that ran and did not come to a good end.
    failed: u64,
    /// Of these, the ones that were refused before they ran.
    refused: u64,
    fuel: u64,
    /// Half of the executions took no longer, µs; null without any.
    p50_us: Option<u64>,
    /// Of a hundred executions 99 took no longer, µs; null without any.
    p99_us: Option<u64>,
    /// Of how many executions these are: the newest of the window.
    #[schemars(range(max = limits::HEALTH_EXECUTIONS_MAX))]
    sample: u64,
    /// Dead letters that nobody resolved, whenever they died; counted up to the bound.
    #[schemars(range(max = limits::HEALTH_DEAD_LETTERS_MAX))]
    unresolved_dead_letters: u64,
    /// Every minute of an hour, or every hour of a day; the one that runs is the last.
    series: Vec<PeriodJson>,
}

/// What an app did within a minute, or an hour.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HealthPeriod")]
struct PeriodJson {
    /// When it began (UTC).
    at: DateTime<Utc>,
    calls: u64,
    failed: u64,
    fuel: u64,
}

fn example() -> Value {
    json!({
        "from": "2026-01-02T02:05:00Z",
        "to": "2026-01-02T03:04:05.678901Z",
        "calls": 1_204,
        "failed": 3,
        "refused": 1,
        "fuel": 50_415_092,
        "p50_us": 412,
        "p99_us": 3_804,
        "sample": 1_000,
        "unresolved_dead_letters": 2,
        "series": [{ "at": "2026-01-02T02:05:00Z", "calls": 20, "failed": 0, "fuel": 837_460 }]
    })
}

impl From<Health> for HealthJson {
    fn from(health: Health) -> Self {
        let Health { from, to, used, times, unresolved_dead_letters, series } = health;
        Self {
            from,
            to,
            calls: used.calls,
            failed: used.failed,
            refused: used.refused,
            fuel: used.fuel,
            p50_us: times.p50_us,
            p99_us: times.p99_us,
            sample: times.sample,
            unresolved_dead_letters,
            series: series.into_iter().map(PeriodJson::from).collect(),
        }
    }
}

impl From<Item> for PeriodJson {
    fn from(Item { started_at, used, .. }: Item) -> Self {
        Self { at: started_at, calls: used.calls, failed: used.failed, fuel: used.fuel }
    }
}

/// `window`.
#[derive(Debug)]
pub(super) struct Asked(Window);

impl Parameters for Asked {
    fn describe() -> Vec<Parameter> {
        let words = Window::ALL.map(Window::as_str);
        let schema = json!({ "type": "string", "enum": words, "default": Window::default().as_str() });
        vec![Parameter::new("window", "How far back: an hour by the minute, or a day by the hour.", schema)]
    }

    fn read(given: &mut Given) -> Result<Self> {
        let Some(word) = given.take::<String>("window", "text")? else { return Ok(Self(Window::default())) };
        let window = Window::from_word(&word).ok_or_else(|| {
            let words = Window::ALL.map(Window::as_str).join(", ");
            Error::invalid("window", format!("window is one of {words}"))
        })?;
        Ok(Self(window))
    }
}

pub(super) async fn get(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(Asked(window)): Query<Asked>,
) -> Answer<Json<HealthJson>> {
    // What this node has counted, and what this caller just ran, is among it.
    api.invoker.flush_records().await;
    Ok(Json(service::health::get(&api.services, app.id, window).await?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::health::Times;
    use crate::model::usage::Used;

    #[test]
    fn a_window_is_a_word() {
        let read = |query: &str| Asked::read(&mut Given::read(&format!("/x?{query}").parse().unwrap()).unwrap());
        for (query, window) in [("", Window::Hour), ("window=hour", Window::Hour), ("window=day", Window::Day)] {
            assert_eq!(read(query).unwrap().0, window, "{query}");
        }
        for bad in ["window=week", "window=", "window=Day", "window=day&window=day"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_example_has_the_fields_of_what_is_told() {
        let item = Item { started_at: DateTime::UNIX_EPOCH, script_id: None, used: Used::default() };
        let health = Health {
            from: DateTime::UNIX_EPOCH,
            to: DateTime::UNIX_EPOCH,
            used: Used::default(),
            times: Times::default(),
            unresolved_dead_letters: 0,
            series: vec![item],
        };
        let shown = serde_json::to_value(HealthJson::from(health)).unwrap();
        let names = |value: &Value| {
            let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(&shown), names(&example()));
        assert_eq!(names(&shown["series"][0]), names(&example()["series"][0]));
        assert_eq!((&shown["p50_us"], &shown["p99_us"]), (&Value::Null, &Value::Null));
    }
}
