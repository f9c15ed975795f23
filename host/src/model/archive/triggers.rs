//! Triggers in an archive: by the name of their script, and of another trigger by its place.

use std::collections::HashMap;

use super::manifest::{RetryPart, RulePart, TriggerPart};
use crate::error::{Error, Result};
use crate::id::{ScriptId, TriggerId};
use crate::model::event::Source;
use crate::model::retry::{Retry, RetryChange};
use crate::model::trigger::{Filter, NewRule, Rule, State, Trigger};

/// An app's triggers in the one order in which an archive has them: who listens to the letters of another stands after that one.
/// Also what is left out, in words: what listens to letters of a trigger or a script that is gone can never run again.
pub fn parts(triggers: &[Trigger], names: &HashMap<ScriptId, String>) -> (Vec<TriggerPart>, Vec<String>) {
    let (placed, left_out) = placed(triggers, names);
    (placed.into_iter().map(|(_, part)| part).collect(), left_out)
}

/// The same, each with its id.
pub fn placed(triggers: &[Trigger], names: &HashMap<ScriptId, String>) -> (Vec<(TriggerId, TriggerPart)>, Vec<String>) {
    let is_named = |trigger: &&Trigger| {
        let about = filter(trigger).and_then(|filter| filter.script_id);
        [Some(trigger.script_id), about].into_iter().flatten().all(|id| names.contains_key(&id))
    };
    let (mut open, mut lost): (Vec<&Trigger>, Vec<&Trigger>) = triggers.iter().partition(is_named);
    let mut parts = Vec::with_capacity(triggers.len());
    let mut places: HashMap<TriggerId, usize> = HashMap::new();
    loop {
        let about = |trigger: &Trigger| filter(trigger).and_then(|filter| filter.trigger_id);
        let is_ready = |trigger: &&Trigger| about(trigger).is_none_or(|id| places.contains_key(&id));
        let (ready, rest): (Vec<&Trigger>, Vec<&Trigger>) = open.into_iter().partition(is_ready);
        open = rest;
        if ready.is_empty() {
            break;
        }
        let mut round: Vec<_> = ready.into_iter().map(|trigger| (part(trigger, names, &places), trigger.id)).collect();
        round.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (part, id) in round {
            places.insert(id, parts.len());
            parts.push((id, part));
        }
    }
    lost.extend(open);
    let mut left_out: Vec<_> = lost.into_iter().map(|trigger| told(trigger, names)).collect();
    left_out.sort_unstable();
    (parts, left_out)
}

/// What tells a trigger from others, whatever its place in a list: script, kind and rule, and whose letters it listens to.
pub type RuleKey = (String, String, RulePart, Option<Box<(String, String, RulePart)>>);

/// The key of the trigger at a place of a list.
pub fn rule_key(parts: &[TriggerPart], place: usize) -> RuleKey {
    let own =
        |part: &TriggerPart| (part.script.clone(), part.kind.clone(), RulePart { about_trigger: None, ..part.rule.clone() });
    let part = parts.get(place);
    let about = part.and_then(|part| part.rule.about_trigger).and_then(|about| parts.get(about));
    let (script, kind, rule) = part.map(own).unwrap_or_default();
    (script, kind, rule, about.map(|about| Box::new(own(about))))
}

impl TriggerPart {
    /// The rule as a person would write it; what it says of letters of others is for `about_script` and `about_trigger` alone.
    pub fn new_rule(&self) -> Result<NewRule> {
        let Some(kind) = Source::from_word(&self.kind) else { return Err(unknown_kind()) };
        let RulePart { collection, ops, schedule, timezone, topic, queue, secret, source, .. } = self.rule.clone();
        let fields: &[&str] = match kind {
            Source::Kv | Source::Docs | Source::Files => &["collection", "ops"],
            Source::Cron => &["schedule", "timezone"],
            Source::Pubsub => &["topic"],
            Source::Queue => &["queue"],
            Source::Email => &["secret"],
            Source::DeadLetter => &["source", "about_script", "about_trigger"],
            Source::Http | Source::Invoke => return Err(unknown_kind()),
        };
        if let Some(other) = self.rule.fields().into_iter().find(|field| !fields.contains(field)) {
            return Err(Error::invalid("rule", format!("a {} trigger has no `{other}`", self.kind)));
        }
        let missing = |field: &str| Error::invalid("rule", format!("a {} trigger has a `{field}`", self.kind));
        Ok(match kind {
            Source::Cron => NewRule::Cron {
                schedule: schedule.ok_or_else(|| missing("schedule"))?,
                timezone: Some(timezone.ok_or_else(|| missing("timezone"))?),
            },
            Source::Pubsub => NewRule::Pubsub { topic: topic.ok_or_else(|| missing("topic"))? },
            Source::Queue => NewRule::Queue { queue: queue.ok_or_else(|| missing("queue"))? },
            Source::Email => NewRule::Email { secret: secret.ok_or_else(|| missing("secret"))? },
            Source::DeadLetter => NewRule::DeadLetter { source, trigger_id: None, script_id: None },
            of => NewRule::Changes {
                of,
                collection: collection.ok_or_else(|| missing("collection"))?,
                ops: Some(ops.ok_or_else(|| missing("ops"))?),
            },
        })
    }
}

impl RetryPart {
    pub fn of(retry: &Retry) -> Self {
        Self {
            max_attempts: retry.max_attempts,
            backoff: retry.backoff.as_str().to_owned(),
            base_delay_ms: retry.base_delay_ms,
            max_delay_ms: retry.max_delay_ms,
            jitter: retry.jitter,
        }
    }

    /// The same as a person would ask for it.
    pub fn asked(&self) -> RetryChange {
        RetryChange {
            max_attempts: Some(self.max_attempts),
            backoff: Some(self.backoff.clone()),
            base_delay_ms: Some(self.base_delay_ms),
            max_delay_ms: Some(self.max_delay_ms),
            jitter: Some(self.jitter),
        }
    }
}

impl RulePart {
    /// Those that are there.
    fn fields(&self) -> Vec<&'static str> {
        let Self { collection, ops, schedule, timezone, topic, queue, secret, source, about_script, about_trigger } = self;
        let all = [
            ("collection", collection.is_some()),
            ("ops", ops.is_some()),
            ("schedule", schedule.is_some()),
            ("timezone", timezone.is_some()),
            ("topic", topic.is_some()),
            ("queue", queue.is_some()),
            ("secret", secret.is_some()),
            ("source", source.is_some()),
            ("about_script", about_script.is_some()),
            ("about_trigger", about_trigger.is_some()),
        ];
        all.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
    }
}

fn unknown_kind() -> Error {
    Error::invalid("kind", "there is no such kind of trigger")
}

fn filter(trigger: &Trigger) -> Option<&Filter> {
    match &trigger.rule {
        Rule::DeadLetter(filter) => Some(filter),
        _ => None,
    }
}

fn name(names: &HashMap<ScriptId, String>, id: ScriptId) -> String {
    names.get(&id).cloned().unwrap_or_default()
}

fn part(trigger: &Trigger, names: &HashMap<ScriptId, String>, places: &HashMap<TriggerId, usize>) -> TriggerPart {
    let plain = RulePart::default();
    let rule = match &trigger.rule {
        Rule::Changes { collection, ops, .. } => {
            let ops = ops.iter().map(|op| op.as_str().to_owned()).collect();
            RulePart { collection: Some(collection.clone()), ops: Some(ops), ..plain }
        }
        Rule::Cron { schedule, .. } => {
            let (schedule, timezone) = (schedule.as_str().to_owned(), schedule.timezone().to_owned());
            RulePart { schedule: Some(schedule), timezone: Some(timezone), ..plain }
        }
        Rule::Pubsub { topic } => RulePart { topic: Some(topic.clone()), ..plain },
        Rule::Queue { queue } => RulePart { queue: Some(queue.clone()), ..plain },
        Rule::Email { secret } => RulePart { secret: Some(secret.clone()), ..plain },
        Rule::DeadLetter(filter) => RulePart {
            source: filter.source.map(|source| source.as_str().to_owned()),
            about_script: filter.script_id.map(|id| name(names, id)),
            about_trigger: filter.trigger_id.and_then(|id| places.get(&id).copied()),
            ..plain
        },
    };
    let retry = RetryPart::of(&trigger.retry);
    let (script, kind) = (name(names, trigger.script_id), trigger.rule.kind().as_str().to_owned());
    TriggerPart { script, kind, rule, retry, enabled: trigger.state == State::Active }
}

fn told(trigger: &Trigger, names: &HashMap<ScriptId, String>) -> String {
    let (kind, script) = (trigger.rule.kind().as_str(), name(names, trigger.script_id));
    format!("the {kind} trigger of the script {script}: what it listens to is gone")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::id::AppId;

    fn trigger(id: u128, script: u128, rule: Rule) -> Trigger {
        Trigger {
            id: TriggerId(Uuid::from_u128(id)),
            app_id: AppId(Uuid::nil()),
            script_id: ScriptId(Uuid::from_u128(script)),
            rule,
            retry: Retry::default(),
            state: State::Active,
            registered_by: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    fn letters(trigger: Option<u128>, script: Option<u128>) -> Rule {
        let id = |n: Option<u128>| n.map(Uuid::from_u128);
        Rule::DeadLetter(Filter { source: None, trigger_id: id(trigger).map(TriggerId), script_id: id(script).map(ScriptId) })
    }

    fn names() -> HashMap<ScriptId, String> {
        [(1, "a"), (2, "b")].map(|(id, name)| (ScriptId(Uuid::from_u128(id)), name.to_owned())).into()
    }

    #[test]
    fn their_order_does_not_depend_on_when_they_were_made() {
        let queue = |name: &str| Rule::Queue { queue: name.to_owned() };
        let one = [trigger(1, 2, queue("q")), trigger(2, 1, queue("p")), trigger(3, 1, letters(Some(1), Some(2)))];
        let other = [trigger(9, 1, letters(Some(8), Some(2))), trigger(8, 2, queue("q")), trigger(7, 1, queue("p"))];
        let (parts, left_out) = parts(&one, &names());
        assert_eq!((&parts, &left_out), (&super::parts(&other, &names()).0, &Vec::new()));
        assert_eq!(parts.iter().map(|part| part.script.as_str()).collect::<Vec<_>>(), ["a", "b", "a"]);
        assert_eq!((parts[2].rule.about_trigger, parts[2].rule.about_script.as_deref()), (Some(1), Some("b")));
    }

    #[test]
    fn who_listens_to_what_is_gone_is_left_out_and_said_so() {
        let gone = [(1, 1, letters(Some(9), None)), (2, 2, letters(None, Some(9))), (3, 2, letters(Some(1), None))];
        let gone = gone.map(|(id, script, rule)| trigger(id, script, rule));
        let (parts, left_out) = parts(&gone, &names());
        assert!(parts.is_empty());
        assert_eq!(left_out.len(), 3);
        assert!(left_out[0].contains("of the script a"));
    }

    #[test]
    fn a_rule_has_the_fields_of_its_kind_and_no_other() {
        let (mut parts, _) = parts(&[trigger(1, 1, Rule::Pubsub { topic: "t".to_owned() })], &names());
        let mut part = parts.remove(0);
        assert!(matches!(part.new_rule(), Ok(NewRule::Pubsub { .. })));
        part.rule.queue = Some("q".to_owned());
        assert!(part.new_rule().unwrap_err().message.contains("has no `queue`"));
        part.rule = RulePart::default();
        assert!(part.new_rule().unwrap_err().message.contains("has a `topic`"));
        for kind in ["http", "invoke", "", "novel"] {
            part.kind = kind.to_owned();
            assert!(part.new_rule().is_err(), "{kind}");
        }
    }
}
