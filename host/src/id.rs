//! Ids: UUIDv7 newtypes. They sort by time and never cross kinds.

use chrono::{DateTime, Utc};
use rand::RngExt;
use uuid::{Builder, Uuid};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, sqlx::Type, schemars::JsonSchema)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id whose order is that of `now` (millisecond precision), unguessable in its last 74 bits.
            pub fn at(now: DateTime<Utc>) -> Self {
                Self(at(now))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// A tenant.
    AppId,
    /// A named program of an app.
    ScriptId,
    /// A rule host + method + path → script.
    RouteId,
    /// A document that its script gave no id.
    DocumentId,
    /// A person.
    UserId,
    /// A login.
    SessionId,
    /// A bearer credential of a person, narrower than the person.
    ApiKeyId,
    /// A host name that an app claims.
    DomainId,
    /// A key that seals secrets.
    DataKeyId,
    /// One run of one version, and its record.
    ExecutionId,
    /// One HTTP request on either plane.
    RequestId,
    /// A message that a script sent by mail.
    MessageId,
    /// A file of an app.
    FileId,
    /// The bytes of one version of a file.
    BlobId,
    /// The directory that holds a database's blobs.
    VolumeId,
    /// A rule: which events run which script.
    TriggerId,
    /// An immutable fact.
    EventId,
    /// One event for one trigger.
    DeliveryId,
    /// One start of a node.
    NodeId,
    /// What a subscriber shows.
    SubscriberTokenId,
}

/// RFC 9562 §5.7. The thread's own generator rather than a system call: each request makes two ids.
#[allow(clippy::disallowed_methods, reason = "a home of randomness")]
fn at(now: DateTime<Utc>) -> Uuid {
    let millis = now.timestamp_millis().max(0).unsigned_abs();
    Builder::from_unix_timestamp_millis(millis, &rand::rng().random()).into_uuid()
}
