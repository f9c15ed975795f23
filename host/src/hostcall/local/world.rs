//! What scripts without a node act on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use uuid::{Builder, Uuid};

use super::answers::{Called, Scripted};
use super::events::{Events, Listener};
use super::files::Kept;
use super::invoke::Scripts;
use crate::clock::Clock;
use crate::egress::Client;
use crate::error::Result;
use crate::id::{AppId, EventId, ExecutionId, FileId, RequestId};
use crate::limits;
use crate::model::docs::Document;
use crate::model::email::Message;
use crate::model::event::Origin;
use crate::model::grant::{Grants, Need};
use crate::model::kv::{self, SetOptions, Stored};
use crate::model::quota::Quota;
use crate::model::secret::{Secret, check_name};
use crate::model::storage::{self, Used};

/// An app without a node.
pub struct World {
    clock: Clock,
    purpose: Purpose,
    pub(super) app_id: AppId,
    pub(super) slug: String,
    grants: Grants,
    pub(super) quota: Quota,
    pub(super) listeners: Vec<Listener>,
    pub(super) way_out: Option<WayOut>,
    pub(super) scripts: Scripts,
    state: Mutex<State>,
}

/// What a world is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// One run: waits take their time.
    Run,
    /// A test: waits move the clock, calls are kept to be looked at, and what nobody scripted is a fault of the test.
    Test,
}

/// What a world begins with.
pub struct Settings {
    pub clock: Clock,
    pub purpose: Purpose,
    /// What chance and ids come of.
    pub seed: u64,
    /// How messages call the app.
    pub slug: String,
    pub grants: Grants,
    /// What runs scripts on events.
    pub listeners: Vec<Listener>,
    pub scripts: Scripts,
    /// None: nothing leaves.
    pub way_out: Option<WayOut>,
}

/// Where requests of scripts may leave to, beside what the app grants.
#[derive(Debug)]
pub struct WayOut {
    pub client: Client,
    pub allowed: Grants,
}

/// Things by collection and name.
pub(super) type Collections<T> = BTreeMap<String, BTreeMap<String, T>>;

/// All that changes.
pub(super) struct State {
    random: StdRng,
    /// Ids of one millisecond in the order in which they were made.
    made: u32,
    /// No revision below this one comes again.
    revision: i64,
    used: Used,
    pub kv: Collections<Stored>,
    pub docs: Collections<Document>,
    pub files: Collections<Kept>,
    pub secrets: BTreeMap<String, String>,
    pub events: Events,
    pub mails: Vec<Message>,
    pub calls: Vec<(String, Value)>,
    pub scripted: Vec<Scripted>,
    /// What happened that no test passes with.
    pub faults: Vec<String>,
    /// The test came to its end.
    pub is_done: bool,
}

impl World {
    pub fn new(settings: Settings) -> Arc<Self> {
        let Settings { clock, purpose, seed, slug, grants, listeners, scripts, way_out } = settings;
        let state = State {
            random: StdRng::seed_from_u64(seed),
            made: 0,
            revision: 0,
            used: Used::default(),
            kv: BTreeMap::new(),
            docs: BTreeMap::new(),
            files: BTreeMap::new(),
            secrets: BTreeMap::new(),
            events: Events::default(),
            mails: Vec::new(),
            calls: Vec::new(),
            scripted: Vec::new(),
            faults: Vec::new(),
            is_done: false,
        };
        let (app_id, quota, state) = (AppId(Uuid::from_u128(1)), Quota::default(), Mutex::new(state));
        Arc::new(Self { clock, purpose, app_id, slug, grants, quota, listeners, way_out, scripts, state })
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn app_id(&self) -> AppId {
        self.app_id
    }

    pub fn request_id(&self) -> RequestId {
        RequestId(self.id())
    }

    pub fn execution_id(&self) -> ExecutionId {
        ExecutionId(self.id())
    }

    /// Writes an entry (JSON text) from outside; 422 as for a script.
    pub fn put_entry(&self, collection: &str, key: &str, json: Vec<u8>) -> Result<()> {
        let value = kv::Value { encoding: kv::Encoding::Json, bytes: json };
        super::kv::set(self, self.beginning(), collection, key, value, SetOptions::default())
    }

    /// Sets a secret from outside; 422 as for a script.
    pub fn put_secret(&self, name: &str, value: String) -> Result<()> {
        check_name(name)?;
        let secret = Secret::new(value);
        secret.check()?;
        self.lock().secrets.insert(name.to_owned(), secret.expose().to_owned());
        Ok(())
    }

    /// What happened that no test passes with, in order.
    pub fn faults(&self) -> Vec<String> {
        self.lock().faults.clone()
    }

    /// Whether the test came to its end.
    pub fn is_done(&self) -> bool {
        self.lock().is_done
    }

    pub(super) fn note_done(&self) {
        self.lock().is_done = true;
    }

    /// How much was sent and not delivered: messages of queues and topics, calls that nobody waits for, mail.
    pub fn kept(&self) -> [(&'static str, usize); 4] {
        let state = self.lock();
        let of = |kind| state.events.sent(kind).count();
        [("queue", of("queue")), ("topic", of("topic")), ("start", of("start")), ("email", state.mails.len())]
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(super) fn is_test(&self) -> bool {
        self.purpose == Purpose::Test
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// 403 as on a node, unless the app grants it.
    pub(super) fn require(&self, need: &Need) -> Result<()> {
        self.grants.require(need, &self.slug)
    }

    /// Chance.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.lock().random.fill_bytes(bytes);
    }

    /// Begins chance anew.
    pub(super) fn reseed(&self, seed: u64) {
        self.lock().random = StdRng::seed_from_u64(seed);
    }

    /// Lets time go by.
    pub async fn pause(&self, pause: Duration) {
        self.clock.advance(TimeDelta::from_std(pause).unwrap_or_default());
        if !self.is_test() {
            tokio::time::sleep(pause).await;
        }
    }

    /// Keeps what was called, as long as there is room, where somebody may ask for it.
    pub(super) fn note(&self, called: &Called) {
        if !self.is_test() || called.need().is_none() {
            return;
        }
        let told = called.told();
        let mut state = self.lock();
        if state.calls.len() < limits::LOCAL_CALLS_KEPT_MAX {
            state.calls.push((called.what().to_owned(), told));
        }
    }

    /// What an event comes of that nothing in the world caused.
    pub(super) fn beginning(&self) -> Origin {
        Origin::of(self.request_id())
    }

    fn id(&self) -> Uuid {
        let now = self.now();
        self.lock().id(now)
    }
}

impl State {
    /// A new id of that time (UUIDv7): later ones are greater, also within a millisecond and while the clock stands still.
    pub(super) fn id(&mut self, now: DateTime<Utc>) -> Uuid {
        self.made = self.made.wrapping_add(1);
        let mut bytes = [0_u8; 10];
        self.random.fill_bytes(&mut bytes);
        // 26 bits behind the time, where an id has neither version nor variant.
        let made = self.made;
        let parts = [made >> 22, made >> 14, made >> 8, made];
        for (byte, part) in bytes.iter_mut().zip(parts) {
            *byte = u8::try_from(part & 0xff).unwrap_or_default();
        }
        if let Some(third) = bytes.get_mut(2) {
            *third &= 0x3f;
        }
        let millis = now.timestamp_millis().max(0).unsigned_abs();
        Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }

    pub(super) fn event_id(&mut self, now: DateTime<Utc>) -> EventId {
        EventId(self.id(now))
    }

    pub(super) fn file_id(&mut self, now: DateTime<Utc>) -> FileId {
        FileId(self.id(now))
    }

    /// The first revision of something new: none that something of its name may have had before.
    pub(super) fn first_revision(&mut self, now: DateTime<Utc>) -> i64 {
        self.revision = now.timestamp_micros().max(self.revision.saturating_add(1));
        self.revision
    }

    /// The revision after one.
    pub(super) fn next_revision(&mut self, before: i64) -> i64 {
        let next = before.saturating_add(1);
        self.revision = self.revision.max(next);
        next
    }

    /// Counts data that is written over other; 507 where there is no room for what it grows by.
    pub(super) fn count_data(&mut self, quota: &Quota, before: u64, after: u64) -> Result<()> {
        let grown = self.used.data_bytes.saturating_sub(before).saturating_add(after);
        let allowed = quota.data_bytes.min(limits::LOCAL_DATA_BYTES_MAX);
        if after > before && grown > allowed {
            return Err(storage::data_full(allowed));
        }
        self.used.data_bytes = grown;
        Ok(())
    }

    /// The same of files.
    pub(super) fn count_files(&mut self, quota: &Quota, before: u64, after: u64) -> Result<()> {
        let grown = self.used.file_bytes.saturating_sub(before).saturating_add(after);
        let allowed = quota.file_bytes.min(limits::LOCAL_FILE_BYTES_MAX);
        if after > before && grown > allowed {
            return Err(storage::files_full(allowed));
        }
        self.used.file_bytes = grown;
        Ok(())
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("slug", &self.slug).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostcall::local::tests::world;

    #[test]
    fn two_worlds_of_one_seed_make_the_same_ids_and_another_makes_others() {
        let ids = |world: &World| (0..3).map(|_| world.id()).collect::<Vec<_>>();
        let (one, two, other) = (ids(&world(7)), ids(&world(7)), ids(&world(8)));
        assert_eq!(one, two);
        assert!(one.iter().all(|id| !other.contains(id)));
    }

    #[test]
    fn ids_of_a_clock_that_stands_still_are_in_the_order_in_which_they_were_made() {
        let world = world(0);
        let ids: Vec<Uuid> = (0..70_000).map(|_| world.id()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn no_revision_comes_twice() {
        let (mut state, now) = (world(0), DateTime::UNIX_EPOCH + TimeDelta::seconds(1));
        let state = Arc::get_mut(&mut state).unwrap().state.get_mut().unwrap();
        let first = state.first_revision(now);
        let second = state.next_revision(first);
        assert_eq!((first, second), (1_000_000, 1_000_001));
        assert_eq!(state.first_revision(now), 1_000_002);
    }

    #[test]
    fn what_adds_nothing_is_never_refused_for_want_of_room() {
        let mut world = world(0);
        let state = Arc::get_mut(&mut world).unwrap().state.get_mut().unwrap();
        let quota = Quota { data_bytes: 100, file_bytes: 100, ..Quota::default() };
        assert!(state.count_data(&quota, 0, 100).is_ok());
        assert_eq!(state.count_data(&quota, 0, 1).unwrap_err().code, "quota_exceeded");
        assert!(state.count_data(&quota, 100, 100).is_ok() && state.count_data(&quota, 100, 40).is_ok());
        assert!(state.count_data(&quota, 40, 100).is_ok());
        assert!(state.count_files(&quota, 0, 101).is_err() && state.count_files(&quota, 0, 100).is_ok());
    }

    #[tokio::test]
    async fn a_wait_moves_the_clock_of_a_test_and_takes_no_time() {
        let world = world(0);
        let before = world.now();
        world.pause(Duration::from_secs(3_600)).await;
        assert_eq!(world.now() - before, TimeDelta::hours(1));
    }
}
