//! What the platform can do, whoever asks: the transactions, the rules that need the database, and what follows from a change.
//!
//! Free functions by noun (`service::kv::set`). A transaction that writes begins and ends here. Whoever may call what is
//! decided above, by the access rule of the endpoint or the grant of the app; `by` is only who to name as the author.
//!
//! A change of what the directory shows (apps, scripts, active versions, routes) signals the other nodes in its own
//! transaction and reloads this node's directory after the commit, so a writer's next request meets its own change.
//! A crash before the commit changes nothing; one after it loses nothing: the directory is read anew at the start.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use futures_util::future::BoxFuture;
use sqlx::PgPool;

use crate::auth::password::Hasher;
use crate::auth::throttle::Throttle;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::Hidden;
use crate::egress;
use crate::error::{Error, Result};
use crate::fair::{Ask, Fair, Full, Place, Size};
use crate::id::AppId;
use crate::limits;
use crate::model::quota::Quota;
use crate::store;
use crate::vault::Vault;

pub mod access;
pub mod allowances;
pub mod api_keys;
pub mod apps;
pub mod archive;
pub mod audit;
pub mod backup;
mod collections;
pub mod counts;
pub mod dead_letters;
pub mod deliveries;
pub mod deployments;
pub mod docs;
pub mod domains;
pub mod email;
pub mod events;
pub mod executions;
pub mod files;
pub mod follow;
pub mod grants;
pub mod health;
pub mod http;
pub mod idempotency;
pub mod imports;
pub mod invocations;
pub mod keys;
pub mod kv;
pub mod mail_in;
pub mod members;
pub mod nodes;
pub mod previews;
pub mod queues;
pub mod quotas;
pub mod reach;
pub mod realtime;
pub mod restrictions;
pub mod retention;
pub mod routes;
pub mod routing;
pub mod schedules;
pub mod scripts;
pub mod secrets;
pub mod sessions;
pub mod splits;
pub mod storage;
pub mod subscriber_tokens;
pub mod topics;
pub mod triggers;
pub mod usage;
pub mod users;

use routing::Routing;

/// Does a transaction again, a few times, that PostgreSQL ended because others waited for each other and for it.
async fn unless_deadlocked<'a, T>(work: impl Fn() -> BoxFuture<'a, Result<T>>) -> Result<T> {
    again_if(store::is_deadlock, work).await
}

/// The same, also where another one took the key of a row meanwhile and the next try takes another key.
async fn unless_raced<'a, T>(work: impl Fn() -> BoxFuture<'a, Result<T>>) -> Result<T> {
    again_if(|error| store::is_deadlock(error) || store::is_taken(error), work).await
}

async fn again_if<'a, T>(may: impl Fn(&Error) -> bool, work: impl Fn() -> BoxFuture<'a, Result<T>>) -> Result<T> {
    let mut tries = 1;
    loop {
        match work().await {
            Err(error) if tries < limits::DEADLOCK_TRIES_MAX && may(&error) => tries += 1,
            done => return done,
        }
    }
}

/// What one process has of the platform; shared by its planes.
#[derive(Debug)]
pub struct Services {
    pub db: PgPool,
    /// What scripts do goes through connections of their own.
    pub script_db: store::ScriptDb,
    pub clock: Clock,
    pub routing: Routing,
    /// The way to a collector of traces and logs, where there is one.
    pub exporter: OnceLock<egress::otlp::Exporter>,
    /// What happened on this node.
    pub counts: counts::Counts,
    /// What this node is.
    pub node: nodes::Own,
    /// Whether the database is within reach, for whoever asks for this node's health.
    reach: reach::Reach,
    /// Every app answers at `{slug}.{apps_domain}`.
    pub apps_domain: String,
    /// Host names that no app may claim: where people reach the control plane.
    pub reserved_hosts: Vec<String>,
    pub passwords: Hasher,
    /// How often they may be tried.
    pub logins: Throttle,
    /// What locks secrets.
    pub vault: Vault,
    /// Who follows logs on this node.
    pub follow: follow::Hub,
    /// Who subscribes to topics on this node.
    pub realtime: realtime::Hub,
    /// What wakes the workers.
    pub events: events::Events,
    /// When scripts' entries expire.
    pub kv_expiry: kv::expiry::Expiry,
    /// The bytes of files; none until connected.
    blobs: OnceLock<Blobs>,
    /// The way out for scripts.
    pub egress: egress::Client,
    /// What apps may do for each second.
    pub allowances: allowances::Allowances,
    /// Uploads under way, as they count against their apps' quotas.
    uploads: storage::Uploads,
    /// Places at the database for what scripts do: of those that somebody waits for, and of others.
    statements: Fair,
    /// Exports and imports under way.
    pub archives: archive::Places,
    /// The mail relay, where there is one.
    pub mail: Option<egress::smtp::Relay>,
}

/// A connection each; some are kept for either.
const STATEMENTS: [Size; 2] = {
    let places = limits::DATABASE_SCRIPT_CONNECTIONS_MAX as usize;
    [Size { places, kept_bytes: limits::STATEMENTS_KEPT[0] }, Size { places, kept_bytes: limits::STATEMENTS_KEPT[1] }]
};

/// What a process is told of its platform.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Every app answers at `{slug}.{apps_domain}`.
    pub apps_domain: String,
    /// Host names that no app may claim: where people reach the control plane.
    pub reserved_hosts: Vec<String>,
    /// Where what is not in the database is kept.
    pub data_dir: PathBuf,
    /// The master key; without, it is in the data directory.
    pub secret_key: Option<Hidden>,
    pub egress: egress::Settings,
    /// The mail relay; without, scripts send none.
    pub smtp: Option<egress::smtp::Settings>,
}

impl Services {
    /// Services over a database that is not asked for anything yet: the directory is empty.
    ///
    /// # Errors
    /// What in the data directory cannot be used.
    pub fn new(db: PgPool, clock: Clock, settings: Settings) -> Result<Self> {
        Ok(Self {
            script_db: store::for_scripts(&db),
            exporter: OnceLock::new(),
            counts: counts::Counts::default(),
            node: nodes::Own::at(clock.now().trunc_subsecs(6)),
            db,
            clock,
            routing: Routing::default(),
            reach: reach::Reach::default(),
            apps_domain: settings.apps_domain,
            reserved_hosts: settings.reserved_hosts,
            allowances: allowances::Allowances::default(),
            uploads: storage::Uploads::default(),
            statements: Fair::new(&STATEMENTS, limits::DATABASE_SCRIPT_CONNECTIONS_MAX.into()),
            archives: archive::Places::default(),
            passwords: Hasher::default(),
            logins: Throttle::default(),
            vault: Vault::open(&settings.data_dir, settings.secret_key.as_ref())?,
            follow: follow::Hub::default(),
            realtime: realtime::Hub::default(),
            events: events::Events::default(),
            kv_expiry: kv::expiry::Expiry::default(),
            blobs: OnceLock::new(),
            mail: settings.smtp.map(|smtp| egress::smtp::Relay::new(smtp, settings.egress.network.clone())),
            egress: egress::Client::new(settings.egress),
        })
    }

    /// Services over a migrated database, with the directory loaded and the files at hand.
    pub async fn connect(db: PgPool, clock: Clock, settings: Settings) -> Result<Self> {
        let data_dir = settings.data_dir.clone();
        let services = Self::new(db, clock, settings)?;
        services.check_keys().await?;
        let _ = services.blobs.set(files::open_blobs(&services, &data_dir).await?);
        services.routing.reload(&services.db, &services.apps_domain).await?;
        Ok(services)
    }

    /// Fails when what is stored is locked with keys that this process does not hold: it could not read the secrets of others,
    /// nor write any that they can read.
    pub async fn check_keys(&self) -> Result<()> {
        let keys = store::data_keys::all(&mut *self.db.acquire().await?).await?;
        Ok(self.vault.check(&keys)?)
    }

    /// The time in the microseconds that the database keeps: what a caller is told is what is read later.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now().trunc_subsecs(6)
    }

    /// What an app may use, as this node knows it at this moment.
    pub fn quota(&self, app: AppId) -> Quota {
        self.routing.current().app_by_id(app).map_or_else(Quota::default, |app| app.quota)
    }

    /// One of the app's places at the database, for a statement that somebody waits for or not.
    ///
    /// # Errors
    /// None came free within `wait`.
    pub async fn statement(&self, app: AppId, is_background: bool, wait: Duration) -> Result<Place, Full> {
        let Quota { statements, weight, .. } = self.quota(app);
        let ask = Ask { app, class: usize::from(is_background), bytes: 1, held_max: statements as usize, weight };
        self.statements.enter(ask, wait).await
    }

    /// Takes a committed change into this node's directory. The change stands whether or not this succeeds, so a failure is
    /// logged and not the caller's: the signal that went with the commit makes the follower try again.
    async fn reload_routing(&self) {
        if let Err(error) = self.routing.reload(&self.db, &self.apps_domain).await {
            tracing::warn!(%error, cause = ?error.source, "the directory could not be reloaded after a change");
        }
    }
}
