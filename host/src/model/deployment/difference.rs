//! What is different between two states of an app, in the words of people: per script, route, trigger and capability.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{ScriptState, State};
use crate::limits;
use crate::model::access::Scope;
use crate::model::archive::manifest::{RoutePart, RulePart, TriggerPart};
use crate::model::archive::triggers::rule_key;
use crate::model::text;
use crate::model::topic::Access;

/// What kind of thing differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ChangedThing")]
pub enum Thing {
    Grant,
    Script,
    Route,
    Trigger,
    Topic,
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ChangeAction")]
pub enum Action {
    Add,
    Change,
    Remove,
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DeploymentChange")]
pub struct Change {
    pub thing: Thing,
    pub action: Action,
    /// For people: a script's name, `GET /path → script`, `kv orders → script`, a capability, a topic.
    pub name: String,
    /// Of a script: `source`, `modules`, `limits`, `description`, `kind`, `capabilities`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<&'static str>,
    /// As it was; left out of what is new. Of a script without its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// As it is to be; left out of what goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// What can be reached by it that could not before: capabilities of a script, patterns of a grant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gained: Vec<String>,
    /// What cannot any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// The lines of its source that differ, in the unified form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Change {
    /// The scope that making it needs.
    pub fn scope(&self) -> Scope {
        match self.thing {
            // Of another kind it is another script: what listens to it begins anew.
            Thing::Script if self.parts.contains(&"kind") => Scope::AppAdmin,
            Thing::Script => Scope::ScriptWrite,
            Thing::Route => Scope::RouteWrite,
            Thing::Grant | Thing::Trigger | Thing::Topic => Scope::AppAdmin,
        }
    }
}

/// Everything that differs: grants, then scripts, routes, triggers and topics, each by name.
pub fn between(before: &State, after: &State) -> Vec<Change> {
    let mut changes = grants(before, after);
    changes.extend(scripts(before, after));
    changes.extend(routes(before, after));
    changes.extend(triggers(before, after));
    changes.extend(topics(before, after));
    changes
}

/// Tells of each script that is new, changed or gone which lines of its source differ. Sources are by name.
pub fn add_sources(changes: &mut [Change], before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
    let until = Instant::now() + Duration::from_millis(limits::SOURCE_DIFFERENCE_MS);
    for change in changes.iter_mut().filter(|change| change.thing == Thing::Script) {
        let of = |sources: &BTreeMap<String, String>| sources.get(&change.name).cloned().unwrap_or_default();
        let (before, after) = (of(before), of(after));
        if before == after {
            continue;
        }
        change.source = Some(lines_until(&before, &after, until));
        // Limits that are other have hidden it.
        if change.action == Action::Change && !change.parts.contains(&"source") {
            change.parts.insert(0, "source");
        }
    }
}

/// The lines that differ, in the unified form with three lines around; at most `SOURCE_DIFFERENCE_BYTES_MAX`.
pub fn lines_between(before: &str, after: &str) -> String {
    lines_until(before, after, Instant::now() + Duration::from_millis(limits::SOURCE_DIFFERENCE_MS))
}

/// What is not compared by then is told as it comes.
fn lines_until(before: &str, after: &str, until: Instant) -> String {
    let difference = similar::TextDiff::configure().deadline(until).diff_lines(before, after);
    let text = difference.unified_diff().context_radius(3).missing_newline_hint(false).to_string();
    text::cut(&text, limits::SOURCE_DIFFERENCE_BYTES_MAX).into_owned()
}

/// What is in one list and not in the other.
fn only(these: &[String], others: &[String]) -> Vec<String> {
    these.iter().filter(|one| !others.contains(one)).cloned().collect()
}

fn grants(before: &State, after: &State) -> Vec<Change> {
    let none = Vec::new();
    let names: BTreeSet<&String> = before.grants.keys().chain(after.grants.keys()).collect();
    let changes = names.into_iter().filter_map(|name| {
        let (was, is) = (before.grants.get(name).unwrap_or(&none), after.grants.get(name).unwrap_or(&none));
        let (mut gained, mut lost) = (only(is, was), only(was, is));
        if gained.is_empty() && lost.is_empty() {
            return None;
        }
        // What `*` allowed already, or allows still; networks it does not.
        let all = |list: &Vec<String>| list.iter().any(|pattern| pattern == "*");
        gained.retain(|pattern| !all(was) || pattern.contains('/'));
        lost.retain(|pattern| !all(is) || pattern.contains('/'));
        let action = match (was.is_empty(), is.is_empty()) {
            (true, _) => Action::Add,
            (_, true) => Action::Remove,
            _ => Action::Change,
        };
        let (before, after) = (Some(json!(was)), Some(json!(is)));
        Some(Change {
            thing: Thing::Grant,
            action,
            name: name.clone(),
            parts: Vec::new(),
            before,
            after,
            gained,
            lost,
            source: None,
        })
    });
    changes.collect()
}

fn scripts(before: &State, after: &State) -> Vec<Change> {
    let names: BTreeSet<&str> = before.scripts.iter().chain(&after.scripts).map(|script| script.name.as_str()).collect();
    names.into_iter().filter_map(|name| script(name, before.script(name), after.script(name))).collect()
}

fn script(name: &str, before: Option<&ScriptState>, after: Option<&ScriptState>) -> Option<Change> {
    let none = Vec::new();
    let (was, is) = (before.map_or(&none, |s| &s.capabilities), after.map_or(&none, |s| &s.capabilities));
    let (gained, lost) = (only(is, was), only(was, is));
    let (action, parts) = match (before, after) {
        (None, None) => return None,
        (None, Some(_)) => (Action::Add, Vec::new()),
        (Some(_), None) => (Action::Remove, Vec::new()),
        (Some(before), Some(after)) => {
            let has_other_limits = before.limits != after.limits;
            // A digest is over source and limits: where both are other than before, the source may still be the same, and is
            // told so by who knows it.
            let differing = [
                ("kind", before.kind != after.kind),
                ("source", before.digest != after.digest && !has_other_limits),
                ("limits", has_other_limits),
                ("description", before.description != after.description),
                ("capabilities", !gained.is_empty() || !lost.is_empty()),
            ];
            let parts: Vec<_> = differing.into_iter().filter(|(_, differs)| *differs).map(|(part, _)| part).collect();
            if parts.is_empty() {
                return None;
            }
            (Action::Change, parts)
        }
    };
    let (before, after) = (before.map(|script| json!(script)), after.map(|script| json!(script)));
    Some(Change { thing: Thing::Script, action, name: name.to_owned(), parts, before, after, gained, lost, source: None })
}

/// What tells a route from the others of its app.
type RouteKey<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

fn routes(before: &State, after: &State) -> Vec<Change> {
    let key = |route: &'_ RoutePart| -> (String, Option<String>, Option<String>) {
        let (path, host, method): RouteKey<'_> = (&route.path, route.host.as_deref(), route.method.as_deref());
        (path.to_owned(), host.map(str::to_owned), method.map(str::to_owned))
    };
    let was: BTreeMap<_, _> = before.routes.iter().map(|route| (key(route), route)).collect();
    let is: BTreeMap<_, _> = after.routes.iter().map(|route| (key(route), route)).collect();
    pairs(&was, &is, Thing::Route, told_route)
}

fn triggers(before: &State, after: &State) -> Vec<Change> {
    let (mut was, mut is) = (BTreeMap::new(), BTreeMap::new());
    for (state, side) in [(before, &mut was), (after, &mut is)] {
        let mut seen = BTreeMap::new();
        for (place, trigger) in state.triggers.iter().enumerate() {
            // The same rule may be there more than once.
            let key = rule_key(&state.triggers, place);
            let again = seen.entry(key.clone()).or_insert(0_u32);
            side.insert((key, *again), trigger);
            *again += 1;
        }
    }
    // The place of another trigger means something in its own list alone.
    let plain =
        |trigger: &TriggerPart| TriggerPart { rule: RulePart { about_trigger: None, ..trigger.rule.clone() }, ..trigger.clone() };
    let plain = |side: BTreeMap<_, &TriggerPart>| {
        side.into_iter().map(|(key, trigger)| (key, plain(trigger))).collect::<BTreeMap<_, _>>()
    };
    let (was, is) = (plain(was), plain(is));
    pairs(&was.iter().collect(), &is.iter().collect(), Thing::Trigger, told_trigger)
}

/// A topic as it is told; its name stands beside.
#[derive(PartialEq, Serialize)]
struct TopicPart<'s> {
    #[serde(skip)]
    name: &'s str,
    access: Access,
}

fn topics(before: &State, after: &State) -> Vec<Change> {
    let [was, is] = [before, after].map(|state| {
        state.topics.iter().map(|(name, access)| (name, TopicPart { name, access: *access })).collect::<BTreeMap<_, _>>()
    });
    pairs(&was.iter().collect(), &is.iter().collect(), Thing::Topic, |topic| topic.name.to_owned())
}

fn pairs<K: Ord, V: PartialEq + Serialize>(
    was: &BTreeMap<K, &V>,
    is: &BTreeMap<K, &V>,
    thing: Thing,
    told: impl Fn(&V) -> String,
) -> Vec<Change> {
    let keys: BTreeSet<&K> = was.keys().chain(is.keys()).collect();
    let changes = keys.into_iter().filter_map(|key| {
        let (before, after) = (was.get(key).copied(), is.get(key).copied());
        let action = match (before, after) {
            (None, Some(_)) => Action::Add,
            (Some(_), None) => Action::Remove,
            (before, after) if before != after => Action::Change,
            _ => return None,
        };
        let name = told(after.or(before)?);
        let (before, after) = (before.map(|one| json!(one)), after.map(|one| json!(one)));
        let (parts, gained, lost) = (Vec::new(), Vec::new(), Vec::new());
        Some(Change { thing, action, name, parts, before, after, gained, lost, source: None })
    });
    changes.collect()
}

/// `GET api.hello.localhost/users/:id → users`
pub fn told_route(route: &RoutePart) -> String {
    let (method, host) = (route.method.as_deref().unwrap_or("ANY"), route.host.as_deref().unwrap_or_default());
    format!("{method} {host}{} → {}", route.path, route.script)
}

/// `kv orders → mailer`
pub fn told_trigger(trigger: &TriggerPart) -> String {
    let RulePart { collection, schedule, topic, queue, secret, source, about_script, .. } = &trigger.rule;
    let of = [collection, schedule, topic, queue, secret, source, about_script].into_iter().flatten().next();
    let space = if of.is_some() { " " } else { "" };
    format!("{}{space}{} → {}", trigger.kind, of.map_or("", String::as_str), trigger.script)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::archive::manifest::RetryPart;
    use crate::model::retry::Retry;
    use crate::model::script::{Kind, Limits};

    fn script(name: &str, digest: char, capabilities: &[&str]) -> ScriptState {
        ScriptState {
            name: name.into(),
            kind: Kind::Endpoint,
            description: String::new(),
            version: 1,
            digest: digest.to_string().repeat(64),
            limits: Limits::default(),
            capabilities: capabilities.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    fn queue(name: &str, script: &str, enabled: bool) -> TriggerPart {
        let rule = RulePart { queue: Some(name.into()), ..RulePart::default() };
        TriggerPart { script: script.into(), kind: "queue".into(), rule, retry: RetryPart::of(&Retry::default()), enabled }
    }

    fn route(path: &str, script: &str) -> RoutePart {
        RoutePart {
            script: script.into(),
            path: path.into(),
            host: None,
            method: Some("GET".into()),
            dispatch_mode: "sync".into(),
        }
    }

    fn told(changes: &[Change]) -> Vec<String> {
        changes.iter().map(|change| format!("{:?} {:?} {}", change.action, change.thing, change.name)).collect()
    }

    #[test]
    fn what_is_the_same_is_not_told() {
        let state = State { scripts: vec![script("a", '0', &["kv"])], triggers: vec![queue("q", "a", true)], ..State::default() };
        assert_eq!(between(&state, &state), Vec::new());
    }

    #[test]
    fn everything_that_differs_is_told_once_and_what_is_gained_beside_it() {
        let lists = |names: &[&str]| BTreeMap::from([("http".to_owned(), names.iter().map(|name| (*name).to_owned()).collect())]);
        let topics = |given: &[(&str, Access)]| {
            given.iter().map(|(name, access)| ((*name).to_owned(), *access)).collect::<BTreeMap<_, _>>()
        };
        let before = State {
            scripts: vec![script("a", '0', &["kv"]), script("b", '1', &[])],
            routes: vec![route("/a", "a"), route("/b", "b")],
            triggers: vec![queue("q", "a", true), queue("r", "a", true)],
            grants: lists(&["one.example"]),
            topics: topics(&[("kept", Access::Token), ("news", Access::Public), ("old", Access::Internal)]),
        };
        let after = State {
            scripts: vec![script("a", '2', &["http", "kv"]), script("c", '1', &[])],
            routes: vec![route("/a", "c"), route("/c", "c")],
            triggers: vec![queue("q", "a", false), queue("s", "a", true)],
            grants: lists(&["one.example", "two.example"]),
            topics: topics(&[("kept", Access::Token), ("new", Access::Public), ("news", Access::Token)]),
        };
        let mut changes = between(&before, &after);
        assert_eq!(
            told(&changes),
            [
                "Change Grant http",
                "Change Script a",
                "Remove Script b",
                "Add Script c",
                "Change Route GET /a → c",
                "Remove Route GET /b → b",
                "Add Route GET /c → c",
                "Change Trigger queue q → a",
                "Remove Trigger queue r → a",
                "Add Trigger queue s → a",
                "Add Topic new",
                "Change Topic news",
                "Remove Topic old",
            ]
        );
        let token = json!({ "access": "token" });
        assert_eq!((&changes[11].before, &changes[11].after), (&Some(json!({ "access": "public" })), &Some(token)));
        assert!(changes.iter().filter(|change| change.thing == Thing::Topic).all(|change| change.scope() == Scope::AppAdmin));
        assert_eq!(
            (&changes[0].gained, &changes[1].gained, &changes[1].parts),
            (&vec!["two.example".to_owned()], &vec!["http".to_owned()], &vec!["source", "capabilities"])
        );
        let sources = |text: &str| BTreeMap::from([("a".to_owned(), text.to_owned())]);
        add_sources(&mut changes, &sources("1\n2\n3\n"), &sources("1\nx\n3\n"));
        assert_eq!(changes[1].source.as_deref(), Some("@@ -1,3 +1,3 @@\n 1\n-2\n+x\n 3\n"));
        assert_eq!(changes[2].source, None);
    }

    #[test]
    fn what_everything_allowed_is_not_gained() {
        let with = |names: &[&str]| State {
            grants: BTreeMap::from([("http".to_owned(), names.iter().map(|name| (*name).to_owned()).collect())]),
            ..State::default()
        };
        let narrowed = between(&with(&["*"]), &with(&["a.example", "10.0.0.0/8"]));
        assert_eq!((&narrowed[0].gained, &narrowed[0].lost), (&vec!["10.0.0.0/8".to_owned()], &vec!["*".to_owned()]));
        let widened = between(&with(&["a.example", "10.0.0.0/8"]), &with(&["*"]));
        assert_eq!((&widened[0].gained, &widened[0].lost), (&vec!["*".to_owned()], &vec!["10.0.0.0/8".to_owned()]));
    }

    #[test]
    fn a_difference_ends_at_its_bound() {
        let many = "a line of a source\n".repeat(10_000);
        assert!(lines_between("", &many).len() <= limits::SOURCE_DIFFERENCE_BYTES_MAX + 8);
        assert_eq!(lines_between("x", "x"), "");
    }
}
