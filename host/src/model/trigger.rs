//! Triggers: which events run which script. Rules of what a person may write; whom an event is for is decided by the relay.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::event::{Op, Source};
use super::retry::{Retry, RetryChange};
use super::schedule::Schedule;
use super::{secret, text};
use crate::error::{Error, Result};
use crate::id::{AppId, ScriptId, TriggerId, UserId};
use crate::limits;

/// A rule of one app that leads events to one of its scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    pub id: TriggerId,
    pub app_id: AppId,
    pub script_id: ScriptId,
    pub rule: Rule,
    pub retry: Retry,
    pub state: State,
    /// It runs while this person may administrate the app; none once the person is gone.
    pub registered_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Trigger {
    /// The entity tag: another one after every change.
    pub fn tag(&self) -> String {
        format!("{:x}", self.updated_at.timestamp_micros())
    }
}

/// What it listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Writes to collections of `kv`, `docs` or `files`.
    Changes {
        of: Source,
        collection: String,
        ops: Vec<Op>,
    },
    Cron {
        schedule: Schedule,
        next_tick_at: Option<DateTime<Utc>>,
    },
    Pubsub {
        topic: String,
    },
    Queue {
        queue: String,
    },
    /// Requests signed with the app's secret of that name.
    Email {
        secret: String,
    },
    DeadLetter(Filter),
}

impl Rule {
    /// What it listens to, in the words in which it is registered.
    pub fn told(&self) -> Value {
        match self {
            Self::Changes { collection, ops, .. } => {
                json!({ "collection": collection, "ops": ops.iter().map(|op| op.as_str()).collect::<Vec<_>>() })
            }
            Self::Cron { schedule, .. } => json!({ "schedule": schedule.as_str(), "timezone": schedule.timezone() }),
            Self::Pubsub { topic } => json!({ "topic": topic }),
            Self::Queue { queue } => json!({ "queue": queue }),
            Self::Email { secret } => json!({ "secret": secret }),
            Self::DeadLetter(Filter { source, trigger_id, script_id }) => {
                json!({ "filter": { "source": source, "trigger_id": trigger_id, "script_id": script_id } })
            }
        }
    }
}

/// Which dead letters; without a word, all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub source: Option<Source>,
    pub trigger_id: Option<TriggerId>,
    pub script_id: Option<ScriptId>,
}

/// Whether its events run the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Active,
    /// A person switched it off.
    Disabled,
    /// Its principal lost the right to it.
    Stopped {
        reason: String,
        at: DateTime<Utc>,
    },
}

impl State {
    /// The word in SQL and JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Stopped { .. } => "stopped",
        }
    }
}

/// Why a trigger stopped, as it is stored and shown.
pub const PRINCIPAL_LOST_RIGHT: &str = "the person who registered it may not administrate the app any more";

/// What came of its deliveries so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "TriggerCounts")]
pub struct Counts {
    pub succeeded: u64,
    /// Attempts, those of dead letters included.
    pub failed: u64,
    pub dead: u64,
    pub last_at: Option<DateTime<Utc>>,
}

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct NewTrigger {
    pub script_id: ScriptId,
    pub rule: NewRule,
    pub dispatch_mode: Option<String>,
    pub retry: RetryChange,
}

/// A rule as a person writes it.
#[derive(Debug, Clone)]
pub enum NewRule {
    Changes { of: Source, collection: String, ops: Option<Vec<String>> },
    Cron { schedule: String, timezone: Option<String> },
    Pubsub { topic: String },
    Queue { queue: String },
    Email { secret: String },
    DeadLetter { source: Option<String>, trigger_id: Option<TriggerId>, script_id: Option<ScriptId> },
}

/// What a person changes of a trigger; what is not named stays.
#[derive(Debug, Clone, Default)]
pub struct TriggerChange {
    pub enabled: Option<bool>,
    pub retry: RetryChange,
}

impl NewTrigger {
    /// The rule and the policy that are stored: what was left out has its default. 422 naming the field.
    pub fn check(self, now: DateTime<Utc>) -> Result<(ScriptId, Rule, Retry)> {
        if let Some(mode) = self.dispatch_mode.filter(|mode| mode != "async") {
            let mode = text::cut(&mode, limits::COLLECTION_NAME_BYTES_MAX).into_owned();
            return Err(Error::invalid("dispatch_mode", format!("dispatch_mode is `{mode}`; triggers run async")));
        }
        Ok((self.script_id, self.rule.check(now)?, self.retry.over(Retry::default())?))
    }
}

impl NewRule {
    fn check(self, now: DateTime<Utc>) -> Result<Rule> {
        match self {
            Self::Changes { of, collection, ops } => {
                check_pattern("collection", &collection, limits::COLLECTION_NAME_BYTES_MAX)?;
                Ok(Rule::Changes { of, collection, ops: read_ops(ops)? })
            }
            Self::Cron { schedule, timezone } => {
                let schedule = Schedule::parse(&schedule, timezone.as_deref().unwrap_or("UTC"))?;
                let next_tick_at = schedule.next(now);
                if next_tick_at.is_none() {
                    return Err(Error::invalid("schedule", format!("schedule `{}` never comes", schedule.as_str())));
                }
                Ok(Rule::Cron { schedule, next_tick_at })
            }
            Self::Pubsub { topic } => {
                check_topics("topic", &topic)?;
                Ok(Rule::Pubsub { topic })
            }
            Self::Queue { queue } => {
                check_queue(&queue)?;
                Ok(Rule::Queue { queue })
            }
            Self::Email { secret } => {
                secret::check_name(&secret).map_err(|error| Error::invalid("secret", error.message))?;
                Ok(Rule::Email { secret })
            }
            Self::DeadLetter { source, trigger_id, script_id } => {
                let source = source.map(|word| source_of_letters(&word)).transpose()?;
                Ok(Rule::DeadLetter(Filter { source, trigger_id, script_id }))
            }
        }
    }
}

impl Rule {
    /// The source whose events it is for: its kind.
    pub fn kind(&self) -> Source {
        match self {
            Self::Changes { of, .. } => *of,
            Self::Cron { .. } => Source::Cron,
            Self::Pubsub { .. } => Source::Pubsub,
            Self::Queue { .. } => Source::Queue,
            Self::Email { .. } => Source::Email,
            Self::DeadLetter(_) => Source::DeadLetter,
        }
    }
}

/// A queue's name: 1..=`QUEUE_NAME_BYTES_MAX` bytes, no NUL, no `*`.
pub fn check_queue(name: &str) -> Result<()> {
    plain_name("queue", name, limits::QUEUE_NAME_BYTES_MAX)
}

/// A topic that is published to: 1..=`TOPIC_NAME_BYTES_MAX` bytes, no NUL, no `*`.
pub fn check_topic(name: &str) -> Result<()> {
    plain_name("topic", name, limits::TOPIC_NAME_BYTES_MAX)
}

/// A pattern of topics: `*`, a name, or `prefix.*`; 1..=`TOPIC_NAME_BYTES_MAX` bytes, no NUL.
pub fn check_topics(field: &str, pattern: &str) -> Result<()> {
    check_pattern(field, pattern, limits::TOPIC_NAME_BYTES_MAX)?;
    if pattern.ends_with('*') && pattern != "*" && !pattern.ends_with(".*") {
        let message = format!("{field} `{pattern}` has a `*` that follows no dot; write `*`, `name` or `prefix.*`");
        return Err(Error::invalid(field, message));
    }
    Ok(())
}

fn plain_name(field: &str, name: &str, bytes_max: usize) -> Result<()> {
    text::name_bytes(field, name, bytes_max)?;
    if name.contains('*') {
        return Err(Error::invalid(field, format!("{field} must not contain `*`, which stands for other names in patterns")));
    }
    Ok(())
}

/// `*`, a name, or a prefix that ends in `*`; never empty.
fn check_pattern(field: &str, pattern: &str, bytes_max: usize) -> Result<()> {
    text::name_bytes(field, pattern, bytes_max)?;
    if pattern.strip_suffix('*').unwrap_or(pattern).contains('*') {
        let message = format!("{field} `{pattern}` has a `*` before its end; write `*`, `name` or `prefix*`");
        return Err(Error::invalid(field, message));
    }
    Ok(())
}

/// Each once, in their own order; all where nothing is said.
fn read_ops(words: Option<Vec<String>>) -> Result<Vec<Op>> {
    let Some(words) = words else { return Ok(Op::ALL.to_vec()) };
    let known = || Op::ALL.map(Op::as_str).join(", ");
    if words.is_empty() {
        return Err(Error::invalid("ops", format!("ops must not be empty; leave it out for all of {}", known())));
    }
    for (index, word) in words.iter().enumerate() {
        if Op::from_word(word).is_none() {
            let word = text::cut(word, limits::COLLECTION_NAME_BYTES_MAX);
            return Err(Error::invalid("ops", format!("ops[{index}] is `{word}`; there are {}", known()))
                .with_details(json!({ "field": format!("ops[{index}]") })));
        }
    }
    Ok(Op::ALL.into_iter().filter(|op| words.iter().any(|word| word == op.as_str())).collect())
}

fn source_of_letters(word: &str) -> Result<Source> {
    Source::from_word(word).filter(|source| *source != Source::DeadLetter).ok_or_else(|| {
        let known = Source::ALL.into_iter().filter(|source| *source != Source::DeadLetter).map(Source::as_str);
        let message = format!("filter.source is one of {}", known.collect::<Vec<_>>().join(", "));
        Error::invalid("filter.source", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(rule: NewRule) -> Result<Rule> {
        rule.check(DateTime::UNIX_EPOCH)
    }

    fn changes(collection: &str, ops: Option<&[&str]>) -> Result<Rule> {
        let ops = ops.map(|ops| ops.iter().map(|op| (*op).to_owned()).collect());
        rule(NewRule::Changes { of: Source::Kv, collection: collection.to_owned(), ops })
    }

    fn field(refused: Result<Rule>) -> String {
        refused.unwrap_err().details.unwrap()["field"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_pattern_is_a_name_a_prefix_or_everything() {
        for good in ["a", "*", "a*", "orders-2026*", &"c".repeat(limits::COLLECTION_NAME_BYTES_MAX)] {
            assert!(changes(good, None).is_ok(), "{good}");
        }
        for bad in ["", "a*b", "**", "*a", "a\0", &"c".repeat(limits::COLLECTION_NAME_BYTES_MAX + 1)] {
            assert_eq!(field(changes(bad, None)), "collection", "{bad:?}");
        }
        let topic = |topic: &str| rule(NewRule::Pubsub { topic: topic.to_owned() });
        for good in ["orders", "orders.*", "*", "a.b.*"] {
            assert!(topic(good).is_ok(), "{good}");
        }
        for bad in ["", "orders*", "*.orders", "a.*.b"] {
            assert_eq!(field(topic(bad)), "topic", "{bad:?}");
        }
        for bad in ["", "a*", "*", &"q".repeat(limits::QUEUE_NAME_BYTES_MAX + 1)] {
            assert_eq!(field(rule(NewRule::Queue { queue: bad.to_owned() })), "queue", "{bad:?}");
        }
    }

    #[test]
    fn ops_are_known_words_in_their_own_order() {
        let Ok(Rule::Changes { ops, .. }) = changes("c", None) else { panic!() };
        assert_eq!(ops, Op::ALL);
        let Ok(Rule::Changes { ops, .. }) = changes("c", Some(&["delete", "insert", "delete"])) else { panic!() };
        assert_eq!(ops, [Op::Insert, Op::Delete]);
        assert_eq!(field(changes("c", Some(&[]))), "ops");
        assert_eq!(field(changes("c", Some(&["insert", "upsert"]))), "ops[1]");
    }

    #[test]
    fn a_trigger_runs_async_and_nothing_else() {
        let new = |mode: Option<&str>| NewTrigger {
            script_id: ScriptId(uuid::Uuid::nil()),
            rule: NewRule::Queue { queue: "q".into() },
            dispatch_mode: mode.map(str::to_owned),
            retry: RetryChange::default(),
        };
        assert_eq!(new(None).check(DateTime::UNIX_EPOCH).unwrap().2, Retry::default());
        assert!(new(Some("async")).check(DateTime::UNIX_EPOCH).is_ok());
        assert_eq!(new(Some("sync")).check(DateTime::UNIX_EPOCH).unwrap_err().details.unwrap()["field"], "dispatch_mode");
    }

    #[test]
    fn dead_letters_are_filtered_by_where_they_came_from() {
        let letters = |source: &str| rule(NewRule::DeadLetter { source: Some(source.into()), trigger_id: None, script_id: None });
        assert!(letters("queue").is_ok() && letters("http").is_ok());
        for bad in ["dead_letter", "", "other"] {
            assert_eq!(field(letters(bad)), "filter.source", "{bad}");
        }
    }

    #[test]
    fn a_schedule_that_never_comes_is_refused() {
        let cron = |schedule: &str| rule(NewRule::Cron { schedule: schedule.into(), timezone: None });
        let Ok(Rule::Cron { schedule, next_tick_at }) = cron("0 0 0 * * *") else { panic!() };
        assert_eq!((schedule.timezone(), next_tick_at.unwrap().timestamp()), ("UTC", 86_400));
        assert_eq!(field(cron("0 0 0 31 FEB *")), "schedule");
    }
}
