//! What an app uses: counted for each script by the minute, the hour and the day.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::error::Answer;
use super::query::{Given, OfApp, Parameter, Parameters, Query};
use super::{Api, List};
use crate::error::{Error, Result};
use crate::id::ScriptId;
use crate::model::page::PageQuery;
use crate::model::usage::{Asked, By, Item, Period, Used};
use crate::service;

/// What an app, or one of its scripts, used in a period. Executions count where they began.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AppUsage", example = example())]
pub(super) struct UsageJson {
    /// When the period began (UTC).
    started_at: DateTime<Utc>,
    /// Of usage by script.
    #[serde(skip_serializing_if = "Option::is_none")]
    script_id: Option<ScriptId>,
    #[serde(flatten)]
    used: Used,
}

fn example() -> Value {
    json!({
        "started_at": "2026-01-02T03:00:00Z",
        "calls": 1_204,
        "failed": 3,
        "refused": 1,
        "fuel": 50_415_092,
        "wall_us": 496_048,
        "host_calls": 2_410,
        "bytes_in": 20_468,
        "bytes_out": 30_100,
        "log_bytes": 385_280,
        "memory_peak_bytes": 2_621_440
    })
}

impl From<Item> for UsageJson {
    fn from(Item { started_at, script_id, used }: Item) -> Self {
        Self { started_at, script_id, used }
    }
}

impl Parameters for Asked {
    fn describe() -> Vec<Parameter> {
        let periods = json!({ "type": "string", "enum": Period::ALL.map(Period::as_str), "default": Period::Hour.as_str() });
        let time = || json!({ "type": "string", "format": "date-time" });
        let mut known = vec![
            Parameter::new("period", "How long the periods are.", periods),
            Parameter::new("from", "Periods from the one that this lies in; left out: the last hour, day or month.", time()),
            Parameter::new("to", "Periods that began before this; left out: now.", time()),
            Parameter::id("script_id", "What this script used."),
            Parameter::one_of("by", "What each script used; left out: what they used together.", &["script"]),
        ];
        known.extend(PageQuery::describe());
        known
    }

    fn read(given: &mut Given) -> Result<Self> {
        let time = "a time such as 2026-01-02T03:04:05Z";
        let period = match given.take::<String>("period", "text")? {
            Some(word) => Period::from_word(&word).ok_or_else(|| {
                let words = Period::ALL.map(Period::as_str).join(", ");
                Error::invalid("period", format!("period is one of {words}"))
            })?,
            None => Period::Hour,
        };
        let by = match given.take::<String>("by", "text")?.as_deref() {
            Some("script") => By::Script,
            Some(_) => return Err(Error::invalid("by", "by is script, or left out")),
            None => By::App,
        };
        let (from, to) = (given.take("from", time)?, given.take("to", time)?);
        Ok(Self { period, from, to, script_id: given.take("script_id", "an id")?, by, page: PageQuery::read(given)? })
    }
}

pub(super) async fn list(State(api): State<Api>, OfApp(app): OfApp, Query(asked): Query<Asked>) -> Answer<Json<List<UsageJson>>> {
    // What this caller just ran is among it.
    api.invoker.flush_records().await;
    let page = service::usage::list(&api.services, app.id, &asked).await?;
    Ok(List::of(page, UsageJson::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Asked> {
        Asked::read(&mut Given::read(&format!("/x?{query}").parse().unwrap()).unwrap())
    }

    #[test]
    fn what_is_asked_is_read_strictly() {
        let asked = read("").unwrap();
        assert_eq!((asked.period, asked.by, asked.from, asked.script_id), (Period::Hour, By::App, None, None));
        let asked = read("period=day&by=script&from=2026-01-02T03:04:05Z&to=2026-01-02T05:04:05%2B01:00&limit=7").unwrap();
        assert_eq!((asked.period, asked.by, asked.page.limit), (Period::Day, By::Script, 7));
        assert_eq!(asked.to.unwrap() - asked.from.unwrap(), chrono::TimeDelta::hours(1));
        for bad in ["period=week", "period=", "by=app", "from=yesterday", "to=1", "script_id=x", "limit=0", "by=script&by=script"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_item_is_flat() {
        let item = Item { started_at: DateTime::UNIX_EPOCH, script_id: None, used: Used { calls: 1, ..Used::default() } };
        let shown = serde_json::to_value(UsageJson::from(item)).unwrap();
        assert_eq!((&shown["started_at"], &shown["calls"]), (&json!("1970-01-01T00:00:00Z"), &json!(1)));
        let mut names: Vec<_> = shown.as_object().unwrap().keys().cloned().collect();
        let mut told: Vec<_> = example().as_object().unwrap().keys().cloned().collect();
        names.sort_unstable();
        told.sort_unstable();
        assert_eq!(names, told);
    }
}
