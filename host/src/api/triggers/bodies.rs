//! What is sent about triggers: a shape for each kind, and what changes.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::id::{ScriptId, TriggerId};
use crate::limits;
use crate::model::event::Source;
use crate::model::retry::RetryChange;
use crate::model::trigger::{NewRule, NewTrigger, TriggerChange};

/// What every kind has beside its own fields.
macro_rules! body {
    ($name:ident as $shown:tt, $example:expr, { $($(#[$doc:meta])* $field:ident: $kind:ty),* $(,)? } |$own:ident| $rule:expr) => {
        #[derive(Deserialize, JsonSchema)]
        #[schemars(rename = $shown, example = $example)]
        pub(crate) struct $name {
            /// An endpoint of the app.
            script_id: ScriptId,
            $($(#[$doc])* $field: $kind,)*
            /// `async`, as without it.
            dispatch_mode: Option<String>,
            /// Attempts, the first included.
            #[schemars(range(min = 1, max = limits::DELIVERY_ATTEMPTS_MAX))]
            max_attempts: Option<u32>,
            /// `exponential`, `linear` or `constant`.
            backoff: Option<String>,
            /// The wait after the first attempt.
            #[schemars(range(max = limits::DELIVERY_DELAY_MS_MAX))]
            base_delay_ms: Option<u32>,
            /// The longest wait.
            #[schemars(range(max = limits::DELIVERY_DELAY_MS_MAX))]
            max_delay_ms: Option<u32>,
            /// Whether waits are drawn from their upper half.
            jitter: Option<bool>,
        }

        impl From<$name> for NewTrigger {
            fn from($own: $name) -> Self {
                let retry = RetryChange {
                    max_attempts: $own.max_attempts,
                    backoff: $own.backoff,
                    base_delay_ms: $own.base_delay_ms,
                    max_delay_ms: $own.max_delay_ms,
                    jitter: $own.jitter,
                };
                Self { script_id: $own.script_id, dispatch_mode: $own.dispatch_mode, retry, rule: $rule }
            }
        }
    };
}

const SCRIPT: &str = "01990a6e-8888-7a10-8f3c-5e2d1c0b9a88";

body!(Kv as "NewKvTrigger", json!({ "script_id": SCRIPT, "collection": "users", "ops": ["insert", "update"] }), {
    /// A name, a prefix that ends in `*`, or `*`.
    collection: String,
    /// Of `insert`, `update`, `delete`; left out: all.
    ops: Option<Vec<String>>,
} |new| NewRule::Changes { of: Source::Kv, collection: new.collection, ops: new.ops });

body!(Docs as "NewDocsTrigger", json!({ "script_id": SCRIPT, "collection": "orders*" }), {
    /// A name, a prefix that ends in `*`, or `*`.
    collection: String,
    /// Of `insert`, `update`, `delete`; left out: all.
    ops: Option<Vec<String>>,
} |new| NewRule::Changes { of: Source::Docs, collection: new.collection, ops: new.ops });

body!(Files as "NewFilesTrigger", json!({ "script_id": SCRIPT, "collection": "*", "ops": ["delete"] }), {
    /// A name, a prefix that ends in `*`, or `*`.
    collection: String,
    /// Of `insert`, `update`, `delete`; left out: all.
    ops: Option<Vec<String>>,
} |new| NewRule::Changes { of: Source::Files, collection: new.collection, ops: new.ops });

body!(Cron as "NewCronTrigger", json!({ "script_id": SCRIPT, "schedule": "0 30 6 * * MON-FRI", "timezone": "Europe/Vienna" }), {
    /// Six fields, seconds first.
    schedule: String,
    /// An IANA zone; left out: UTC.
    timezone: Option<String>,
} |new| NewRule::Cron { schedule: new.schedule, timezone: new.timezone });

body!(Pubsub as "NewPubsubTrigger", json!({ "script_id": SCRIPT, "topic": "orders.*" }), {
    /// A name, `prefix.*`, or `*`.
    topic: String,
} |new| NewRule::Pubsub { topic: new.topic });

body!(Queue as "NewQueueTrigger", json!({ "script_id": SCRIPT, "queue": "orders", "max_attempts": 10 }), {
    /// It has no other consumer.
    queue: String,
} |new| NewRule::Queue { queue: new.queue });

body!(Email as "NewEmailTrigger", json!({ "script_id": SCRIPT, "secret": "mail-in" }), {
    /// Name of the secret that signs what brings mail in.
    secret: String,
} |new| NewRule::Email { secret: new.secret });

body!(DeadLetter as "NewDeadLetterTrigger", json!({ "script_id": SCRIPT, "filter": { "source": "queue" } }), {
    /// Left out: all.
    filter: Option<FilterAsked>,
} |new| {
    let FilterAsked { source, trigger_id, script_id } = new.filter.unwrap_or_default();
    NewRule::DeadLetter { source, trigger_id, script_id }
});

/// Which dead letters; what is left out may be anything.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "NewDeadLetterFilter")]
struct FilterAsked {
    source: Option<String>,
    trigger_id: Option<TriggerId>,
    script_id: Option<ScriptId>,
}

/// What of a trigger changes; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TriggerChange", example = json!({ "enabled": false }))]
pub(crate) struct Change {
    /// True also starts one again that stopped, as the caller's.
    enabled: Option<bool>,
    /// Attempts, the first included.
    #[schemars(range(min = 1, max = limits::DELIVERY_ATTEMPTS_MAX))]
    max_attempts: Option<u32>,
    /// `exponential`, `linear` or `constant`.
    backoff: Option<String>,
    /// The wait after the first attempt.
    #[schemars(range(max = limits::DELIVERY_DELAY_MS_MAX))]
    base_delay_ms: Option<u32>,
    /// The longest wait.
    #[schemars(range(max = limits::DELIVERY_DELAY_MS_MAX))]
    max_delay_ms: Option<u32>,
    /// Whether waits are drawn from their upper half.
    jitter: Option<bool>,
}

impl From<Change> for TriggerChange {
    fn from(change: Change) -> Self {
        let Change { enabled, max_attempts, backoff, base_delay_ms, max_delay_ms, jitter } = change;
        Self { enabled, retry: RetryChange { max_attempts, backoff, base_delay_ms, max_delay_ms, jitter } }
    }
}

/// A schedule to be looked at.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ScheduleToPreview", example = json!({ "schedule": "0 30 6 * * MON-FRI", "timezone": "Europe/Vienna" }))]
pub(crate) struct Preview {
    /// Six fields, seconds first.
    pub(super) schedule: String,
    /// An IANA zone; left out: UTC.
    pub(super) timezone: Option<String>,
}
