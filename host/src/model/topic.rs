//! Topics that can be subscribed to, and the tokens of subscribers.
//!
//! A topic is for triggers alone until it is registered with another access. Then each of its messages has a number, from 1 and without
//! a gap, and the newest are kept for who comes back: so many, of such an age, and of an app no more than so many bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::trigger::{check_topic, check_topics};
use crate::error::{Error, Kind, Result};
use crate::id::{ScriptId, SubscriberTokenId, UserId};
use crate::limits;

/// Who may subscribe to a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TopicAccess")]
pub enum Access {
    /// Nobody: it is for triggers.
    #[default]
    Internal,
    /// Everybody.
    Public,
    /// Who has a token of the app for it.
    Token,
}

impl Access {
    pub const ALL: [Self; 3] = [Self::Internal, Self::Public, Self::Token];

    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Public => "public",
            Self::Token => "token",
        }
    }

    /// The access of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.as_str() == word)
    }
}

/// A message as subscribers get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub seq: u64,
    /// Its event in a stream. Whoever is given it holds the same bytes.
    pub text: Bytes,
}

impl Message {
    /// Of `{"topic", "seq", "message", "published_at"}` as JSON on one line.
    pub fn new(seq: u64, data: &str) -> Self {
        Self { seq, text: event("message", seq, data).into() }
    }
}

/// An event of a stream (`text/event-stream`); its data is one line.
pub fn event(name: &str, id: u64, data: &str) -> String {
    format!("event: {name}\nid: {id}\ndata: {data}\n\n")
}

/// What of a topic is kept at a moment: a message outside of any of these bounds is not given any more.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// The newest, so many.
    pub messages: i64,
    /// Published after this.
    pub after: DateTime<Utc>,
    /// Of all topics of the app that can be subscribed to, in equal parts.
    pub app_bytes: i64,
}

impl Window {
    pub fn at(now: DateTime<Utc>) -> Self {
        Self {
            messages: limits::TOPIC_MESSAGES_KEPT_MAX,
            after: now - TimeDelta::seconds(limits::TOPIC_MESSAGE_KEEP_S),
            app_bytes: limits::TOPIC_BYTES_KEPT_PER_APP_MAX,
        }
    }
}

/// A subscriber's token, without the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriberToken {
    pub id: SubscriberTokenId,
    /// Names of topics, `prefix.*`, or `*`.
    pub topics: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub made_by: Maker,
}

/// Who made a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    Person(UserId),
    Script(ScriptId),
    /// Somebody who is gone.
    Nobody,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewSubscriberToken {
    pub topics: Vec<String>,
    /// `None`: `SUBSCRIBER_TOKEN_TTL_S_DEFAULT`.
    pub ttl_s: Option<i64>,
}

impl NewSubscriberToken {
    /// Its topics, each once, and when it ends. 422 for none or more than `SUBSCRIBER_TOKEN_TOPICS_MAX` topics, for what is no name,
    /// `prefix.*` or `*`, and for a life that is not `SUBSCRIBER_TOKEN_TTL_S_MIN`..=`SUBSCRIBER_TOKEN_TTL_S_MAX` s.
    pub fn check(self, now: DateTime<Utc>) -> Result<(Vec<String>, DateTime<Utc>)> {
        let (asked, allowed) = (self.topics.len(), limits::SUBSCRIBER_TOKEN_TOPICS_MAX);
        if !(1..=allowed).contains(&asked) {
            return Err(Error::invalid("topics", format!("a token is for 1 to {allowed} topics; these are {asked}"))
                .with_details(json!({ "field": "topics", "asked": asked, "floor": 1, "allowed": allowed })));
        }
        for (index, topic) in self.topics.iter().enumerate() {
            check_topics(&format!("topics[{index}]"), topic)?;
        }
        let ttl_s = self.ttl_s.unwrap_or(limits::SUBSCRIBER_TOKEN_TTL_S_DEFAULT);
        let (floor, allowed) = (limits::SUBSCRIBER_TOKEN_TTL_S_MIN, limits::SUBSCRIBER_TOKEN_TTL_S_MAX);
        if !(floor..=allowed).contains(&ttl_s) {
            return Err(Error::invalid("ttl_s", format!("ttl_s is {ttl_s}; {floor} to {allowed} seconds are allowed"))
                .with_details(json!({ "field": "ttl_s", "asked": ttl_s, "floor": floor, "allowed": allowed })));
        }
        let mut topics = self.topics;
        topics.sort();
        topics.dedup();
        Ok((topics, now + TimeDelta::seconds(ttl_s)))
    }
}

/// Whether topics of a token cover a topic.
pub fn cover(topics: &[String], topic: &str) -> bool {
    topics.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => topic.starts_with(prefix),
        None => pattern == topic,
    })
}

/// The topic of a registration: as [`check_topic`], and one that a path can name.
pub fn check_registered(name: &str) -> Result<()> {
    check_topic(name)?;
    if name.chars().any(char::is_control) || matches!(name, "." | "..") {
        let message = "a topic that can be subscribed to is named in a path: no control characters, and neither `.` nor `..`";
        return Err(Error::invalid("topic", message));
    }
    Ok(())
}

/// All of an app's registrations: 422 for a name that is none, and for too many of them (`limit_reached`).
pub fn check_registry(topics: &BTreeMap<String, Access>) -> Result<()> {
    if i64::try_from(topics.len()).unwrap_or(i64::MAX) > limits::TOPICS_PER_APP_MAX {
        return Err(too_many("registered topics", limits::TOPICS_PER_APP_MAX));
    }
    topics.keys().try_for_each(|name| check_registered(name))
}

/// 422 `limit_reached` for one thing of an app too many.
pub fn too_many(what: &str, allowed: i64) -> Error {
    Error::new(Kind::Invalid, "limit_reached", format!("the app has {allowed} {what}, which is all that it may have"))
        .with_details(json!({ "allowed": allowed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(topics: &[&str], ttl_s: Option<i64>) -> Result<(Vec<String>, DateTime<Utc>)> {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        NewSubscriberToken { topics, ttl_s }.check(DateTime::UNIX_EPOCH)
    }

    fn field(refused: Result<(Vec<String>, DateTime<Utc>)>) -> String {
        refused.unwrap_err().details.unwrap()["field"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_token_is_for_topics_and_for_a_time() {
        let (topics, ends) = token(&["b", "a.*", "b"], None).unwrap();
        assert_eq!((topics, ends.timestamp()), (vec!["a.*".to_owned(), "b".to_owned()], limits::SUBSCRIBER_TOKEN_TTL_S_DEFAULT));
        for ttl_s in [limits::SUBSCRIBER_TOKEN_TTL_S_MIN, limits::SUBSCRIBER_TOKEN_TTL_S_MAX] {
            assert_eq!(token(&["*"], Some(ttl_s)).unwrap().1.timestamp(), ttl_s);
        }
        for ttl_s in [limits::SUBSCRIBER_TOKEN_TTL_S_MIN - 1, limits::SUBSCRIBER_TOKEN_TTL_S_MAX + 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(field(token(&["*"], Some(ttl_s))), "ttl_s", "{ttl_s}");
        }
        let names: Vec<_> = (0..=limits::SUBSCRIBER_TOKEN_TOPICS_MAX).map(|n| format!("t{n}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert!(token(&names[1..], None).is_ok());
        assert_eq!(field(token(&names, None)), "topics");
        assert_eq!(field(token(&[], None)), "topics");
        for bad in ["", "a*", "*.a", "a.*.b", "a\0", &"t".repeat(limits::TOPIC_NAME_BYTES_MAX + 1)] {
            assert_eq!(field(token(&["a", bad], None)), "topics[1]", "{bad:?}");
        }
    }

    #[test]
    fn a_token_covers_what_it_names() {
        let topics = ["orders".to_owned(), "news.*".to_owned()];
        for (topic, covered) in
            [("orders", true), ("orders.paid", false), ("order", false), ("news.all", true), ("news", false), ("news.", true)]
        {
            assert_eq!(cover(&topics, topic), covered, "{topic}");
        }
        assert!(cover(&["*".to_owned()], "anything"));
    }

    #[test]
    fn a_registry_is_of_names_and_of_so_many() {
        let many = |count: i64| (0..count).map(|n| (format!("t{n}"), Access::Public)).collect();
        assert!(check_registry(&many(limits::TOPICS_PER_APP_MAX)).is_ok());
        assert_eq!(check_registry(&many(limits::TOPICS_PER_APP_MAX + 1)).unwrap_err().code, "limit_reached");
        assert_eq!(check_registry(&BTreeMap::from([("..".to_owned(), Access::Token)])).unwrap_err().code, "invalid");
    }

    #[test]
    fn a_registered_topic_can_be_named_in_a_path() {
        for good in ["orders", "a/b", "ü", "...", &"t".repeat(limits::TOPIC_NAME_BYTES_MAX)] {
            assert!(check_registered(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a\n", "a*", &"t".repeat(limits::TOPIC_NAME_BYTES_MAX + 1)] {
            assert!(check_registered(bad).is_err(), "{bad:?}");
        }
    }
}
