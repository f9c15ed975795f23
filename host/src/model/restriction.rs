//! What administrators of the instance keep an app from: capabilities that it may not grant, kinds of triggers that it may not have
//! running. An app's own administrators cannot change it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::archive::manifest::TriggerPart;
use super::event::Source;
use super::grant::{Capability, Grants};
use crate::error::{Error, Kind, Result};

/// Kinds of triggers, in the words in which they are registered.
pub const TRIGGER_KINDS: [Source; 8] =
    [Source::Cron, Source::DeadLetter, Source::Docs, Source::Email, Source::Files, Source::Kv, Source::Pubsub, Source::Queue];

/// What an app is kept from; in alphabetical order, each word once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "capabilities": ["http"], "trigger_kinds": ["email"] }))]
pub struct Restrictions {
    /// Capabilities that the app may not grant: `http`, `email`, …
    pub capabilities: Vec<String>,
    /// Kinds of triggers that the app may not have running: `cron`, `email`, …
    pub trigger_kinds: Vec<String>,
}

impl Restrictions {
    /// Read and put in order. 422 for a word that is none.
    pub fn stated(self) -> Result<Self> {
        let Self { mut capabilities, mut trigger_kinds } = self;
        check("capabilities", &capabilities, &Capability::ALL.map(Capability::as_str))?;
        check("trigger_kinds", &trigger_kinds, &TRIGGER_KINDS.map(Source::as_str))?;
        for words in [&mut capabilities, &mut trigger_kinds] {
            words.sort();
            words.dedup();
        }
        Ok(Self { capabilities, trigger_kinds })
    }

    pub fn forbids(&self, capability: Capability) -> bool {
        self.capabilities.iter().any(|word| word == capability.as_str())
    }

    pub fn forbids_triggers(&self, kind: Source) -> bool {
        self.trigger_kinds.iter().any(|word| word == kind.as_str())
    }

    /// 422 `restricted` for a trigger of a kind that is forbidden.
    pub fn admit_trigger(&self, kind: Source, slug: &str) -> Result<()> {
        match self.forbids_triggers(kind) {
            false => Ok(()),
            true => Err(self.refusal(&[format!("a trigger of the kind {}", kind.as_str())], slug)),
        }
    }

    /// 422 `restricted` for a state that has anything which is forbidden, naming all of it.
    pub fn admit_state(&self, grants: &Grants, triggers: &[TriggerPart], slug: &str) -> Result<()> {
        let mut held: Vec<_> = self.held_by(grants).map(|capability| format!("a grant of {}", capability.as_str())).collect();
        let running = triggers.iter().filter(|trigger| trigger.enabled && self.trigger_kinds.contains(&trigger.kind));
        held.extend(running.map(|trigger| format!("a trigger of the kind {} (script {})", trigger.kind, trigger.script)));
        if held.is_empty() { Ok(()) } else { Err(self.refusal(&held, slug)) }
    }

    /// These grants without what is forbidden.
    pub fn applied_to(&self, grants: &Grants) -> Grants {
        self.held_by(grants).fold(grants.clone(), Grants::without)
    }

    fn held_by<'g>(&'g self, grants: &'g Grants) -> impl Iterator<Item = Capability> + 'g {
        Capability::ALL.into_iter().filter(|capability| self.forbids(*capability) && grants.allows_some(*capability))
    }

    fn refusal(&self, held: &[String], slug: &str) -> Error {
        let message = format!(
            "the instance does not let the app {slug} have {}: an administrator of the instance can let it: PUT /api/v1/admin/apps/{slug}/restrictions",
            held.join(", or ")
        );
        let details = json!({ "refused": held, "restrictions": self });
        Error::new(Kind::Invalid, "restricted", message).with_details(details)
    }
}

fn check(field: &str, words: &[String], known: &[&str]) -> Result<()> {
    match words.iter().find(|word| !known.contains(&word.as_str())) {
        None => Ok(()),
        Some(word) => Err(Error::invalid(field, format!("{field} has {word:?}, which is none of {}", known.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(capabilities: &[&str], trigger_kinds: &[&str]) -> Restrictions {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Restrictions { capabilities: words(capabilities), trigger_kinds: words(trigger_kinds) }
    }

    #[test]
    fn words_are_put_in_order_and_unknown_ones_are_named() {
        let stated = of(&["kv", "http", "kv"], &["queue", "cron"]).stated().unwrap();
        assert_eq!(stated, of(&["http", "kv"], &["cron", "queue"]));
        for (wrong, field) in [(of(&["log"], &[]), "capabilities"), (of(&[], &["http"]), "trigger_kinds")] {
            let error = wrong.stated().unwrap_err();
            assert!(error.message.starts_with(field), "{error}");
        }
    }

    #[test]
    fn what_is_forbidden_is_taken_out_and_what_has_it_is_refused() {
        let restrictions = of(&["kv"], &["cron"]);
        let grants = Grants::default();
        let error = restrictions.admit_state(&grants, &[], "shop").unwrap_err();
        assert_eq!((error.code, error.details.unwrap()["refused"].clone()), ("restricted", json!(["a grant of kv"])));
        let left = restrictions.applied_to(&grants);
        assert!(!left.allows_some(Capability::Kv) && left.allows_some(Capability::Docs));
        restrictions.admit_state(&left, &[], "shop").unwrap();
        restrictions.admit_trigger(Source::Queue, "shop").unwrap();
        restrictions.admit_trigger(Source::Cron, "shop").unwrap_err();
    }
}
