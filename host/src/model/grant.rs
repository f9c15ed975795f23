//! What an app allows its scripts: which interfaces, and inside them which names.
//!
//! A capability is an interface of the world that leaves the instance with something to protect behind it. Each has a list
//! of patterns; what no pattern covers is refused at the host call, whoever called the script. `log`, clocks and randomness
//! need no grant: they reach nothing.

mod pattern;

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::model::text;

pub use self::pattern::Pattern;

/// An interface that a grant can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// There are no names inside it.
    DeadLetters,
    /// Names are collections.
    Docs,
    /// Names are the addresses of senders.
    Email,
    /// Names are collections.
    Files,
    /// Names are hosts; networks besides.
    Http,
    /// Names are scripts.
    Invoke,
    /// Names are collections.
    Kv,
    /// Names are topics.
    Pubsub,
    /// Names are queues.
    Queue,
    /// Names are secrets.
    Secrets,
}

impl Capability {
    pub const ALL: [Self; 10] = [
        Self::DeadLetters,
        Self::Docs,
        Self::Email,
        Self::Files,
        Self::Http,
        Self::Invoke,
        Self::Kv,
        Self::Pubsub,
        Self::Queue,
        Self::Secrets,
    ];

    /// The interface's name in scripts, SQL and JSON; WIT has a hyphen where it has an underscore.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeadLetters => "dead_letters",
            Self::Docs => "docs",
            Self::Email => "email",
            Self::Files => "files",
            Self::Http => "http",
            Self::Invoke => "invoke",
            Self::Kv => "kv",
            Self::Pubsub => "pubsub",
            Self::Queue => "queue",
            Self::Secrets => "secrets",
        }
    }

    /// The capability of a word; `None` for any other word (`log` needs no grant).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.as_str() == word)
    }

    /// What a new app is allowed: everything but `http` and `email`, which leave through the owner's network.
    fn is_given_by_default(self) -> bool {
        !matches!(self, Self::Http | Self::Email)
    }

    /// What the names inside it are.
    fn noun(self) -> &'static str {
        match self {
            Self::DeadLetters => "dead letter",
            Self::Docs | Self::Files | Self::Kv => "collection",
            Self::Email => "sender",
            Self::Http => "host",
            Self::Invoke => "script",
            Self::Pubsub => "topic",
            Self::Queue => "queue",
            Self::Secrets => "secret",
        }
    }
}

/// What one app allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    patterns: BTreeMap<Capability, Vec<Pattern>>,
    networks: Vec<IpNet>,
}

impl Default for Grants {
    /// Those of a new app.
    fn default() -> Self {
        let given = Capability::ALL
            .into_iter()
            .map(|capability| (capability, if capability.is_given_by_default() { vec![Pattern::Any] } else { Vec::new() }));
        Self { patterns: given.collect(), networks: Vec::new() }
    }
}

impl Grants {
    /// Nothing at all: those of an app that is gone.
    pub fn none() -> Self {
        Self { patterns: BTreeMap::new(), networks: Vec::new() }
    }

    /// Grants as a person states them: each capability's list is what it may do; one that is not named may nothing.
    /// 422 names an unknown capability or the place of a pattern that cannot be read.
    pub fn stated(lists: BTreeMap<String, Vec<String>>) -> Result<Self> {
        let mut grants = Self { patterns: Capability::ALL.into_iter().map(|c| (c, Vec::new())).collect(), networks: Vec::new() };
        grants.put(lists)?;
        Ok(grants)
    }

    /// These grants with the lists of the named capabilities in place of their own. Errors as in [`Grants::stated`].
    pub fn with(&self, lists: BTreeMap<String, Vec<String>>) -> Result<Self> {
        let mut grants = self.clone();
        grants.put(lists)?;
        Ok(grants)
    }

    /// These grants with nothing of one capability.
    pub fn without(mut self, capability: Capability) -> Self {
        self.patterns.insert(capability, Vec::new());
        if capability == Capability::Http {
            self.networks.clear();
        }
        self
    }

    /// As they are stored. A capability that was not known when they were is as in a new app.
    pub fn stored(value: &Value) -> Result<Self> {
        let mut grants = Self::default();
        let lists = serde_json::from_value(value.clone()).map_err(Error::internal)?;
        grants.put(lists).map_err(|error| Error::internal(error.to_string()))?;
        Ok(grants)
    }

    fn put(&mut self, lists: BTreeMap<String, Vec<String>>) -> Result<()> {
        for (word, list) in lists {
            let capability = Capability::from_word(&word).ok_or_else(|| unknown(&word))?;
            let (asked, allowed) = (list.len(), limits::GRANT_PATTERNS_MAX);
            if asked > allowed {
                return Err(Error::invalid(&word, format!("{word} has {asked} patterns; at most {allowed} are allowed"))
                    .with_details(json!({ "field": word, "asked": asked, "allowed": allowed })));
            }
            let mut patterns = Vec::with_capacity(asked);
            for (index, text) in list.iter().enumerate() {
                let pattern = Pattern::parse(capability, &format!("{word}[{index}]"), text)?;
                if !patterns.contains(&pattern) {
                    patterns.push(pattern);
                }
            }
            self.patterns.insert(capability, patterns);
        }
        let http = self.patterns.get(&Capability::Http).map_or(&[][..], Vec::as_slice);
        let networks = http.iter().filter_map(|pattern| match pattern {
            Pattern::Network(network) => Some(*network),
            _ => None,
        });
        self.networks = networks.collect();
        Ok(())
    }

    /// Whether the app's scripts may reach `name` through `capability`. A host is asked for as the URL standard writes it.
    pub fn allows(&self, capability: Capability, name: &str) -> bool {
        let name = pattern::as_compared(capability, name);
        self.of(capability).iter().any(|pattern| pattern.covers(&name))
    }

    /// Whether they may reach anything at all through it: what is not so is refused at upload.
    pub fn allows_some(&self, capability: Capability) -> bool {
        !self.of(capability).is_empty()
    }

    /// Networks beside the public one that `http` may reach.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// 403 `denied`, naming the grant that is missing and how to give it, unless [`Grants::allows`] what is needed.
    pub fn require(&self, need: &Need, slug: &str) -> Result<()> {
        let allowed = match &need.name {
            Some(name) => self.allows(need.capability, name),
            None => self.allows_some(need.capability),
        };
        if allowed { Ok(()) } else { Err(self.refusal(need.capability, need.name.as_deref(), slug)) }
    }

    /// Why `capability` is refused, with the request that grants it, if there is one.
    pub fn refusal(&self, capability: Capability, name: Option<&str>, slug: &str) -> Error {
        let word = capability.as_str();
        if let (Capability::Http, Some(host)) = (capability, name)
            && pattern::is_out_of_reach(host)
        {
            let message = format!("`{host}` is this machine itself: loopback is never reachable, and can never be granted");
            return Error::new(Kind::Forbidden, "denied", message).with_details(json!({ "capability": word, "name": host }));
        }
        let wanted = name.map_or("*".to_owned(), |name| pattern::pattern_for(capability, name));
        let mut list: Vec<Value> = self.of(capability).iter().map(|pattern| pattern.to_string().into()).collect();
        list.push(wanted.clone().into());
        let path = format!("/api/v1/admin/apps/{slug}/grants");
        let body = json!({ word: list });
        let what = match name {
            Some(name) => format!("{word} for the {} `{}`", capability.noun(), text::cut(name, limits::GRANT_PATTERN_BYTES_MAX)),
            None => word.to_owned(),
        };
        let message = format!("the app {slug} does not grant {what}; its admin grants it with: PATCH {path} {body}");
        Error::new(Kind::Forbidden, "denied", message)
            .with_details(json!({ "capability": word, "name": name, "grant": { "method": "PATCH", "path": path, "body": body } }))
    }

    /// 422 `not_granted` for a source that reaches a capability of which nothing is granted, as [`Grants::refusal`].
    pub fn not_granted(&self, capability: Capability, slug: &str) -> Error {
        let Error { message, details, .. } = self.refusal(capability, None, slug);
        Error { details, ..Error::new(Kind::Invalid, "not_granted", message) }
    }

    /// `{"kv": ["*"], "http": [], …}`, every capability named.
    pub fn to_json(&self) -> Value {
        let lists = Capability::ALL.into_iter().map(|capability| {
            let list = self.of(capability).iter().map(ToString::to_string).collect::<Vec<_>>();
            (capability.as_str().to_owned(), Value::from(list))
        });
        Value::Object(lists.collect::<Map<_, _>>())
    }

    fn of(&self, capability: Capability) -> &[Pattern] {
        self.patterns.get(&capability).map_or(&[], Vec::as_slice)
    }
}

/// What a host call needs to be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    pub capability: Capability,
    /// The name inside it: a collection, a host, a queue, a secret. None where any will do.
    pub name: Option<String>,
}

impl Need {
    pub fn new(capability: Capability, name: &str) -> Self {
        Self { capability, name: Some(name.to_owned()) }
    }

    /// Anything at all inside the capability: for a call that names nothing, and shows only what is granted.
    pub fn any(capability: Capability) -> Self {
        Self { capability, name: None }
    }
}

fn unknown(word: &str) -> Error {
    let known: Vec<_> = Capability::ALL.into_iter().map(Capability::as_str).collect();
    let word = text::cut(word, limits::GRANT_PATTERN_BYTES_MAX);
    Error::invalid(&word, format!("there is no capability `{word}` to grant: there are {}", known.join(", ")))
        .with_details(json!({ "field": word, "known": known }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(capability: &str, patterns: &[&str]) -> Result<Grants> {
        let list = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        Grants::stated(BTreeMap::from([(capability.to_owned(), list)]))
    }

    #[test]
    fn a_new_app_may_everything_but_leave_through_the_network() {
        let grants = Grants::default();
        for capability in Capability::ALL {
            let leaves = matches!(capability, Capability::Http | Capability::Email);
            assert_eq!(grants.allows(capability, "anything"), !leaves, "{capability:?}");
        }
    }

    #[test]
    fn what_is_not_stated_is_not_granted() {
        let grants = grants("kv", &["orders"]).unwrap();
        assert!(grants.allows(Capability::Kv, "orders") && !grants.allows(Capability::Kv, "order"));
        assert!(!grants.allows(Capability::Kv, "orders2") && !grants.allows(Capability::Docs, "orders"));
        assert!(grants.allows_some(Capability::Kv) && !grants.allows_some(Capability::Docs));
    }

    #[test]
    fn a_change_of_one_list_leaves_the_others() {
        let changed = Grants::default().with(BTreeMap::from([("kv".to_owned(), Vec::new())])).unwrap();
        assert!(!changed.allows_some(Capability::Kv) && changed.allows(Capability::Docs, "c"));
    }

    #[test]
    fn stored_grants_read_back_and_know_new_capabilities() {
        let stated = grants("http", &["API.example.com.", "*.example.org", "10.1.2.3/8", "[::1:2]", "*"]).unwrap();
        assert_eq!(Grants::stored(&stated.to_json()).unwrap(), stated);
        assert_eq!(Grants::stored(&json!({})).unwrap(), Grants::default());
        assert!(Grants::stored(&json!({ "kv": 1 })).is_err());
    }

    #[test]
    fn a_prefix_covers_what_begins_so() {
        let grants = grants("secrets", &["stripe-*"]).unwrap();
        assert!(grants.allows(Capability::Secrets, "stripe-key") && grants.allows(Capability::Secrets, "stripe-"));
        assert!(!grants.allows(Capability::Secrets, "stripe"));
    }

    #[test]
    fn hosts_are_compared_as_urls_write_them() {
        let grants =
            grants("http", &["API.Example.com", "*.example.org", "bücher.example", "192.168.1.0/24", "2130706433"]).unwrap();
        for (host, allowed) in [
            ("api.example.com", true),
            ("x.api.example.com", false),
            ("example.org", false),
            ("a.example.org", true),
            ("a.b.example.org", true),
            ("evilexample.org", false),
            ("xn--bcher-kva.example", true),
            ("192.168.1.7", true),
            ("192.168.2.7", false),
            ("127.0.0.1", true),
        ] {
            assert_eq!(grants.allows(Capability::Http, host), allowed, "{host}");
        }
        assert_eq!(grants.networks(), ["192.168.1.0/24".parse::<IpNet>().unwrap()]);
    }

    #[test]
    fn senders_are_compared_with_their_domain_in_lower_case() {
        let grants = grants("email", &["Shop@Example.COM", "*@Example.org"]).unwrap();
        assert_eq!(grants.to_json()["email"], json!(["Shop@example.com", "*@example.org"]));
        for (sender, allowed) in [
            ("Shop@example.com", true),
            ("Shop@EXAMPLE.com", true),
            ("shop@example.com", false),
            ("shop@sub.example.com", false),
            ("anyone@example.org", true),
            ("anyone@EXAMPLE.ORG", true),
            ("anyone@sub.example.org", false),
            ("anyone@evilexample.org", false),
            ("anyone@example.org@evil.example", false),
            ("@example.org", false),
            ("example.org", false),
        ] {
            assert_eq!(grants.allows(Capability::Email, sender), allowed, "{sender}");
        }
        assert_eq!(Grants::stored(&grants.to_json()).unwrap(), grants);
        let refused = grants.refusal(Capability::Email, Some("Me@Example.net"), "shop");
        assert!(refused.message.contains("email for the sender `Me@Example.net`"), "{}", refused.message);
        assert!(
            refused.message.ends_with(r#"{"email":["Shop@example.com","*@example.org","Me@example.net"]}"#),
            "{}",
            refused.message
        );
    }

    #[test]
    fn dead_letters_are_granted_whole() {
        let grants = grants("dead_letters", &["*"]).unwrap();
        assert!(grants.require(&Need::any(Capability::DeadLetters), "shop").is_ok());
        let refused = Grants::none().require(&Need::any(Capability::DeadLetters), "shop").unwrap_err();
        assert!(
            refused.message.ends_with(r#"PATCH /api/v1/admin/apps/shop/grants {"dead_letters":["*"]}"#),
            "{}",
            refused.message
        );
    }

    #[test]
    fn patterns_that_mean_nothing_are_refused_with_their_place() {
        for (capability, pattern) in [
            ("kv", ""),
            ("kv", "a*b"),
            ("kv", "**"),
            ("kv", "a\0"),
            ("http", "*.*.example.com"),
            ("http", "exa mple"),
            ("http", "https://example.com"),
            ("http", "10.0.0.0/33"),
            ("http", "0.0.0.0/0"),
            ("http", "::/0"),
            ("http", "127.0.0.0/8"),
            ("http", "::1/128"),
            ("http", "*.10.0.0.1"),
            ("dead_letters", "orders"),
            ("dead_letters", "a*"),
            ("email", "example.com"),
            ("email", "*.example.com"),
            ("email", "shop-*@example.com"),
            ("email", "shop@*"),
            ("email", "shop@*.example.com"),
            ("email", "@example.com"),
            ("email", "shop@"),
            ("email", "shop@example.com."),
            ("email", "shop@10.0.0.1"),
            ("email", "shop@bücher.example"),
            ("email", "a b@example.com"),
            ("email", "a..b@example.com"),
            ("email", "a@b@example.com"),
            ("email", "Shop <shop@example.com>"),
        ] {
            let refused = grants(capability, &["*", pattern]).unwrap_err();
            assert_eq!(refused.kind, Kind::Invalid, "{pattern}");
            assert!(refused.message.contains("[1]"), "{pattern}: {}", refused.message);
        }
        assert!(grants("nothing", &[]).unwrap_err().message.contains("dead_letters, docs, email"));
        assert!(grants("log", &["*"]).is_err());
    }

    #[test]
    fn lists_and_patterns_are_bounded() {
        let many = |n: usize| (0..n).map(|n| format!("c{n}")).collect::<Vec<_>>();
        let of = |list| Grants::stated(BTreeMap::from([("kv".to_owned(), list)]));
        assert!(of(many(limits::GRANT_PATTERNS_MAX)).is_ok());
        assert!(of(many(limits::GRANT_PATTERNS_MAX + 1)).is_err());
        assert!(of(vec!["k".repeat(limits::GRANT_PATTERN_BYTES_MAX)]).is_ok());
        assert!(of(vec!["k".repeat(limits::GRANT_PATTERN_BYTES_MAX + 1)]).is_err());
    }

    #[test]
    fn a_refusal_names_the_request_that_grants() {
        let refused = grants("kv", &["orders"]).unwrap().require(&Need::new(Capability::Kv, "users"), "shop").unwrap_err();
        assert_eq!((refused.kind, refused.code), (Kind::Forbidden, "denied"));
        assert!(
            refused.message.ends_with(r#"PATCH /api/v1/admin/apps/shop/grants {"kv":["orders","users"]}"#),
            "{}",
            refused.message
        );
        let refused = Grants::default().refusal(Capability::Http, Some("10.0.0.7"), "shop");
        assert!(refused.message.ends_with(r#"{"http":["10.0.0.7/32"]}"#), "{}", refused.message);
    }

    #[test]
    fn what_no_grant_opens_is_not_said_to_be_granted() {
        for host in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]"] {
            let refused = Grants::default().refusal(Capability::Http, Some(host), "shop");
            assert_eq!((refused.kind, refused.code), (Kind::Forbidden, "denied"), "{host}");
            assert!(
                refused.message.contains("can never be granted") && !refused.message.contains("PATCH"),
                "{}",
                refused.message
            );
            assert!(refused.details.unwrap().get("grant").is_none(), "{host}");
        }
        // A name is judged by where it leads.
        assert!(Grants::default().refusal(Capability::Http, Some("localhost"), "shop").message.contains("PATCH"));
        assert!(Grants::default().refusal(Capability::Kv, Some("127.0.0.1"), "shop").message.contains("PATCH"));
    }
}
