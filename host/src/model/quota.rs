//! Three levels of limits: the platform's ceilings, what an app may use (its quota), what a script asks for.
//!
//! [`Limits`] is what one invocation may use, as a script asks for it; [`Quota`] what an app may use, part of which is the
//! most that its scripts may ask for. Both are lists of named bounds, each with floor, default and ceiling. A quota may be
//! lowered under what scripts were published with: what holds at the call is the lower of both.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::limits::*;

/// A bound that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    pub name: &'static str,
    pub unit: &'static str,
    /// The least, what holds where nobody asked, and the most.
    pub floor: u64,
    pub default: u64,
    pub ceiling: u64,
    pub about: &'static str,
}

impl Bound {
    /// 422 naming field, asked and bounds, unless `asked` lies between the floor and `ceiling`, which `whose` is.
    fn check(&self, field: &str, asked: u64, ceiling: u64, whose: &str) -> Result<()> {
        let floor = self.floor;
        if asked >= floor && asked <= ceiling {
            return Ok(());
        }
        Err(Error::invalid(field, format!("{field} is {asked}; {floor} to {ceiling} are allowed{whose}"))
            .with_details(json!({ "field": field, "asked": asked, "floor": floor, "ceiling": ceiling })))
    }
}

/// A struct of bounds that can be walked through by name.
macro_rules! bounds {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $shown_name:literal, asked $asked:ident $asked_name:literal {
            $($field:ident: $type:ty = $floor:expr, $default:expr, $ceiling:expr, $unit:literal, $about:literal;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(default)]
        #[schemars(rename = $shown_name)]
        pub struct $name {
            $(#[doc = $about] pub $field: $type,)*
        }

        impl $name {
            /// Every bound, in order.
            pub const BOUNDS: &'static [Bound] = &[$(Bound {
                name: stringify!($field),
                unit: $unit,
                floor: $floor as u64,
                default: $default as u64,
                ceiling: $ceiling as u64,
                about: $about,
            }),*];

            /// Every bound with its value, in order.
            pub fn each(&self) -> impl Iterator<Item = (&'static Bound, u64)> {
                Self::BOUNDS.iter().zip([$(self.$field as u64),*])
            }

            /// The value of that name.
            pub fn value(&self, name: &str) -> Option<u64> {
                self.each().find(|(bound, _)| bound.name == name).map(|(_, value)| value)
            }

            /// A value that no field can hold is taken for the largest: it was checked before.
            fn set(&mut self, name: &str, value: u64) {
                match name {
                    $(stringify!($field) => self.$field = <$type>::try_from(value).unwrap_or(<$type>::MAX),)*
                    _ => {}
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default as $type),* }
            }
        }

        /// The same as a person states them; what is left out is as it is, or has its default. `GET /api/v1/limits` tells
        /// what each means.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
        #[schemars(rename = $asked_name)]
        #[schemars(example = json!({ "fuel": 100_000_000 }))]
        pub struct $asked {
            $(#[schemars(range(min = $floor as u64, max = $ceiling as u64))] pub $field: Option<u64>,)*
        }

        impl $asked {
            /// What is stated, by name.
            pub fn named(&self) -> Named {
                let all = [$((stringify!($field), self.$field)),*];
                all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
            }
        }
    };
}

bounds! {
    /// What one invocation may use.
    pub struct Limits "ScriptLimits", asked AskedLimits "AskedScriptLimits" {
        fuel: u64 = FUEL_MIN, FUEL_DEFAULT, FUEL_CEILING, "fuel", "one invocation; about one Wasm instruction each";
        memory_mb: u32 = MEMORY_MB_MIN, MEMORY_MB_DEFAULT, MEMORY_MB_CEILING, "MiB", "linear memory of one instance";
        timeout_ms: u32 = TIMEOUT_MS_MIN, TIMEOUT_MS_DEFAULT, TIMEOUT_MS_CEILING, "ms", "wall clock of one invocation, host calls included";
        request_body_bytes: u32 = 0, REQUEST_BODY_BYTES_MAX, REQUEST_BODY_BYTES_CEILING, "bytes", "body of a request to a script";
        response_body_bytes: u32 = RESPONSE_BODY_BYTES_MIN, RESPONSE_BODY_BYTES_MAX, RESPONSE_BODY_BYTES_CEILING, "bytes", "body of a script's answer";
        log_line_bytes: u32 = LOG_LINE_BYTES_MIN, LOG_LINE_BYTES_MAX, LOG_LINE_BYTES_CEILING, "bytes", "one log line; the rest is cut";
        log_bytes: u32 = 0, LOG_BYTES_PER_INVOCATION_MAX, LOG_BYTES_CEILING, "bytes", "log of one invocation; further lines are dropped and counted";
        host_calls: u32 = 0, HOST_CALLS_PER_INVOCATION_MAX, HOST_CALLS_CEILING, "calls", "calls of one invocation that reach the database or the network";
        outbound_requests: u32 = 0, HTTP_REQUESTS_PER_INVOCATION_MAX, OUTBOUND_REQUESTS_CEILING, "requests", "outbound requests of one invocation, mail and redirects counted";
        event_depth: u32 = 1, EVENT_DEPTH_MAX, EVENT_DEPTH_CEILING, "hops", "a chain of events that still reaches the script; a delivery past it is a dead letter at once";
    }
}

bounds! {
    /// What an app may use. Up to `event_depth`: the most that one of its scripts may ask for.
    pub struct Quota "Quota", asked AskedQuota "NewQuota" {
        fuel: u64 = FUEL_MIN, FUEL_CEILING, FUEL_CEILING, "fuel", "what a script may ask for";
        memory_mb: u32 = MEMORY_MB_MIN, MEMORY_MB_CEILING, MEMORY_MB_CEILING, "MiB", "what a script may ask for";
        timeout_ms: u32 = TIMEOUT_MS_MIN, TIMEOUT_MS_CEILING, TIMEOUT_MS_CEILING, "ms", "what a script may ask for";
        request_body_bytes: u32 = 0, REQUEST_BODY_BYTES_CEILING, REQUEST_BODY_BYTES_CEILING, "bytes", "what a script may ask for";
        response_body_bytes: u32 = RESPONSE_BODY_BYTES_MIN, RESPONSE_BODY_BYTES_CEILING, RESPONSE_BODY_BYTES_CEILING, "bytes", "what a script may ask for";
        log_line_bytes: u32 = LOG_LINE_BYTES_MIN, LOG_LINE_BYTES_CEILING, LOG_LINE_BYTES_CEILING, "bytes", "what a script may ask for";
        log_bytes: u32 = 0, LOG_BYTES_CEILING, LOG_BYTES_CEILING, "bytes", "what a script may ask for";
        host_calls: u32 = 0, HOST_CALLS_CEILING, HOST_CALLS_CEILING, "calls", "what a script may ask for";
        outbound_requests: u32 = 0, OUTBOUND_REQUESTS_CEILING, OUTBOUND_REQUESTS_CEILING, "requests", "what a script may ask for";
        event_depth: u32 = 1, EVENT_DEPTH_CEILING, EVENT_DEPTH_CEILING, "hops", "what a script may ask for";
        source_bytes: u32 = SOURCE_BYTES_MIN, SCRIPT_SOURCE_BYTES_MAX, SOURCE_BYTES_CEILING, "bytes", "source of one script";
        modules: u32 = 0, IMPORT_MODULES_MAX, MODULES_CEILING, "modules", "modules behind one script";
        kv_value_bytes: u32 = 0, KV_VALUE_BYTES_MAX, KV_VALUE_BYTES_MAX, "bytes", "one KV value";
        weight: u32 = WEIGHT_MIN, WEIGHT_DEFAULT, WEIGHT_CEILING, "parts", "share of a saturated node against other apps'";
        concurrency: u32 = 1, CONCURRENCY_DEFAULT, PLACES_CEILING, "invocations", "requests that run at once on a node, and handlers of events, each";
        statements: u32 = 1, STATEMENTS_DEFAULT, STATEMENTS_CEILING, "statements", "statements of scripts in the database at once, on a node";
        requests_per_s: u32 = 1, REQUESTS_PER_S_DEFAULT, REQUESTS_PER_S_CEILING, "requests/s", "requests let in on a node; a second's worth may come at once";
        outbound_per_s: u32 = 0, OUTBOUND_PER_S_DEFAULT, OUTBOUND_PER_S_CEILING, "requests/s", "outbound requests and mail of scripts on a node; a second's worth may come at once";
        fuel_per_s: u64 = FUEL_PER_S_MIN, FUEL_PER_S_DEFAULT, FUEL_PER_S_CEILING, "fuel/s", "fuel that scripts may burn on a node";
        fuel_burst: u64 = FUEL_BURST_MIN, FUEL_BURST_DEFAULT, FUEL_BURST_CEILING, "fuel", "fuel that may be burnt at once after a rest; more of it is waited off";
        data_bytes: u64 = 0, DATA_BYTES_DEFAULT, DATA_BYTES_CEILING, "bytes", "KV entries and documents";
        file_bytes: u64 = 0, FILE_BYTES_DEFAULT, FILE_BYTES_CEILING, "bytes", "files";
        log_bytes_per_day: u64 = 0, LOG_BYTES_PER_DAY_DEFAULT, LOG_BYTES_PER_DAY_CEILING, "bytes", "records of executions and their log lines that are kept of a UTC day";
        scripts: u32 = 0, SCRIPTS_DEFAULT, SCRIPTS_CEILING, "scripts", "scripts";
        triggers: u32 = 0, TRIGGERS_PER_APP_MAX, TRIGGERS_CEILING, "triggers", "triggers";
    }
}

/// Bounds that were stated, by name.
pub type Named = BTreeMap<String, u64>;

impl AskedLimits {
    /// As [`Limits::asked`].
    pub fn over(&self, base: Limits, quota: &Quota) -> Result<Limits> {
        Limits::asked(base, &self.named(), quota)
    }
}

impl Limits {
    /// `base` with what was asked, each between its floor and the lower of ceiling and quota; 422 names field, asked and
    /// the bound. What `base` has above the quota comes down to it.
    pub fn asked(base: Self, asked: &Named, quota: &Quota) -> Result<Self> {
        let mut limits = base.under(quota);
        for (name, &value) in asked {
            let field = format!("limits.{name}");
            let bound = Self::BOUNDS.iter().find(|bound| bound.name == name).ok_or_else(|| unknown(&field))?;
            let allowed = quota.value(name).unwrap_or(bound.ceiling);
            let whose = if allowed < bound.ceiling { " by the app's quota" } else { "" };
            bound.check(&field, value, allowed.min(bound.ceiling), whose)?;
            limits.set(name, value);
        }
        Ok(limits)
    }

    /// What holds in an app of that quota.
    #[must_use]
    pub fn under(mut self, quota: &Quota) -> Self {
        let asked = self;
        for (bound, value) in asked.each() {
            if let Some(most) = quota.value(bound.name)
                && value > most
            {
                self.set(bound.name, most);
            }
        }
        self
    }

    /// The same, each between its floor and its ceiling; 422 names field, value and bound.
    pub fn allowed(self) -> Result<Self> {
        let named = self.each().map(|(bound, value)| (bound.name.to_owned(), value)).collect();
        Self::asked(self, &named, &Quota::default())
    }

    /// As it is stored with a version: every bound.
    pub fn to_json(self) -> Value {
        json!(self)
    }
}

impl Quota {
    /// What was set for an app, over the defaults; 422 names field, asked and the bound.
    pub fn of(set: &Named) -> Result<Self> {
        let mut quota = Self::default();
        for (name, &value) in set {
            let bound = Self::BOUNDS.iter().find(|bound| bound.name == name).ok_or_else(|| unknown(name))?;
            bound.check(name, value, bound.ceiling, "")?;
            quota.set(name, value);
        }
        Ok(quota)
    }

    /// The same of what is stored: a value that has come to lie outside its bounds counts as the nearest that does not,
    /// and a name that is known no more as nothing.
    pub fn stored(set: &Named) -> Self {
        let mut quota = Self::default();
        for bound in Self::BOUNDS {
            if let Some(&value) = set.get(bound.name) {
                quota.set(bound.name, value.clamp(bound.floor, bound.ceiling));
            }
        }
        quota
    }
}

fn unknown(field: &str) -> Error {
    Error::invalid(field, format!("there is no bound {field}; GET /api/v1/limits lists them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, value: u64) -> Named {
        Named::from([(name.to_owned(), value)])
    }

    #[test]
    fn bounds_lie_in_order() {
        for bound in Limits::BOUNDS.iter().chain(Quota::BOUNDS) {
            assert!(bound.floor <= bound.default && bound.default <= bound.ceiling, "{}", bound.name);
        }
    }

    #[test]
    fn each_limit_is_taken_from_floor_to_ceiling_and_not_beyond() {
        for bound in Limits::BOUNDS {
            for (value, good) in [
                (bound.floor, true),
                (bound.ceiling, true),
                (bound.ceiling + 1, false),
                (bound.floor.wrapping_sub(1), false),
                (u64::MAX, false),
            ] {
                let limits = Limits::asked(Limits::default(), &asked(bound.name, value), &Quota::default());
                assert_eq!(limits.is_ok(), good, "{} {value}", bound.name);
                if let Ok(limits) = limits {
                    assert_eq!(limits.value(bound.name), Some(value));
                }
            }
        }
    }

    #[test]
    fn each_bound_of_a_quota_is_taken_from_floor_to_ceiling_and_not_beyond() {
        for bound in Quota::BOUNDS {
            for (value, good) in [(bound.floor, true), (bound.ceiling, true), (bound.ceiling + 1, false)] {
                assert_eq!(Quota::of(&asked(bound.name, value)).is_ok(), good, "{} {value}", bound.name);
            }
            if bound.floor > 0 {
                assert!(Quota::of(&asked(bound.name, bound.floor - 1)).is_err(), "{}", bound.name);
            }
        }
    }

    #[test]
    fn a_script_may_ask_for_what_the_quota_leaves_it() {
        let quota = Quota::of(&asked("fuel", 5_000_000)).unwrap();
        assert!(Limits::asked(Limits::default(), &asked("fuel", 5_000_000), &quota).is_ok());
        let refused = Limits::asked(Limits::default(), &asked("fuel", 5_000_001), &quota).unwrap_err();
        assert!(refused.message.contains("by the app's quota"), "{refused}");
        assert_eq!(
            refused.details,
            Some(json!({ "field": "limits.fuel", "asked": 5_000_001, "floor": FUEL_MIN, "ceiling": 5_000_000 }))
        );
        // Nobody asked for the default: it comes down by itself.
        assert_eq!(Limits::asked(Limits::default(), &Named::new(), &quota).unwrap().fuel, 5_000_000);
    }

    #[test]
    fn each_limit_has_its_part_in_the_quota() {
        for bound in Limits::BOUNDS {
            let most = Quota::default().value(bound.name);
            assert_eq!(most, Some(bound.ceiling), "{}: nothing is taken from scripts by default", bound.name);
        }
    }

    #[test]
    fn what_is_not_asked_for_stays() {
        let base = Limits { fuel: 2_000_000, memory_mb: 16, timeout_ms: 50, ..Limits::default() };
        let limits = Limits::asked(base, &asked("timeout_ms", 60), &Quota::default()).unwrap();
        assert_eq!(limits, Limits { timeout_ms: 60, ..base });
    }

    #[test]
    fn a_bound_that_is_not_there_is_named() {
        assert!(Limits::asked(Limits::default(), &asked("feul", 1), &Quota::default()).unwrap_err().message.contains("feul"));
        assert!(Quota::of(&asked("fuels", 1)).unwrap_err().message.contains("fuels"));
    }

    #[test]
    fn what_is_stored_is_read_back_within_todays_bounds() {
        let set = Named::from([("weight".to_owned(), u64::MAX), ("gone".to_owned(), 1), ("scripts".to_owned(), 3)]);
        let quota = Quota::stored(&set);
        assert_eq!((quota.weight, quota.scripts, quota.fuel), (WEIGHT_CEILING, 3, FUEL_CEILING));
        let older: Limits = serde_json::from_value(json!({ "fuel": 7_000_000, "memory_mb": 9, "timeout_ms": 11 })).unwrap();
        assert_eq!(older, Limits { fuel: 7_000_000, memory_mb: 9, timeout_ms: 11, ..Limits::default() });
    }
}
