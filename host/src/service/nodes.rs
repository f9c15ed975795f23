//! Nodes that share a database: who is there, and how each is.
//!
//! A node that may have company writes itself down when it starts, and holds a lock at the database for as long as it is connected:
//! whoever looks sees at once who is gone, and nobody writes now and then that it is still there (an idle node makes no queries).
//! Whoever asks how the others are calls the roll, by a signal; each that can answers with one statement. A node that ends says so
//! when it begins to, and strikes itself out at its end. A crash leaves a row: it is shown as gone for an hour, then struck out by
//! whoever starts or asks next.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Acquire as _;
use sqlx::postgres::PgListener;
use tokio::time::{Instant, sleep};

use super::Services;
use crate::config::Roles;
use crate::error::{Error, Result};
use crate::id::NodeId;
use crate::limits;
use crate::model::node::{Entry, Node, State, Told};
use crate::shutdown::{Phase, Shutdown};
use crate::store;

/// What this node is, and whether it was told to end.
#[derive(Debug)]
pub struct Own {
    node: OnceLock<Node>,
    started_at: DateTime<Utc>,
    is_leaving: AtomicBool,
}

impl Own {
    pub(super) fn at(now: DateTime<Utc>) -> Self {
        Self { node: OnceLock::new(), started_at: now, is_leaving: AtomicBool::new(false) }
    }

    /// Says what it is. Only the first word counts.
    pub fn introduce(&self, name: String, roles: Roles, data: Option<String>, admin: String) {
        self.node.get_or_init(|| self.named(name, roles, data, admin));
    }

    /// What it is; nameless where nobody has said.
    pub fn node(&self) -> &Node {
        self.node.get_or_init(|| self.named("node".to_owned(), Roles::ALL, None, String::new()))
    }

    /// From now on others are to be asked.
    pub fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    /// Whether others are to be asked.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    fn named(&self, name: String, roles: Roles, data: Option<String>, admin: String) -> Node {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let (id, schema, started_at) = (NodeId::at(self.started_at), store::schema_version(), self.started_at);
        Node { id, name, version, schema, roles, data, admin, started_at }
    }
}

/// Every node that shares this one's database, in the order in which they started, those that are gone for less than an hour among
/// them. Waits for the answers of those that are connected, `ROLL_CALL_MS` at most.
pub async fn list(s: &Services) -> Result<Vec<Told>> {
    let before = clear(s).await?;
    let (asked, waits) = (Instant::now(), Duration::from_millis(limits::ROLL_CALL_MS));
    let counted: HashMap<NodeId, i64> = before.iter().map(|entry| (entry.node.id, entry.answers)).collect();
    if before.iter().any(|entry| entry.is_present) {
        store::signals::roll_called(&mut *s.db.acquire().await?).await?;
    }
    // One that came meanwhile has said so just now.
    let has_answered = |entry: &Entry| counted.get(&entry.node.id).is_none_or(|answers| entry.answers > *answers);
    let mut entries = before;
    while entries.iter().any(|entry| entry.state(has_answered(entry)) == State::Silent) && asked.elapsed() < waits {
        sleep(Duration::from_millis(limits::ROLL_CALL_LOOK_MS)).await;
        entries = store::nodes::all(&mut *s.db.acquire().await?).await?;
    }
    let own = s.node.node();
    let mut told: Vec<_> = entries
        .into_iter()
        .map(|entry| Told {
            state: entry.state(has_answered(&entry)),
            is_this: entry.node.id == own.id,
            seen_at: entry.seen_at,
            node: entry.node,
        })
        .collect();
    if !told.iter().any(|told| told.is_this) {
        // It has a private database, or is about to be connected again.
        let state = if s.node.is_leaving() { State::Draining } else { State::Serving };
        told.push(Told { node: own.clone(), state, seen_at: s.now(), is_this: true });
    }
    Ok(told)
}

/// Notes who is gone, strikes out who has been for long; who is left.
async fn clear(s: &Services) -> Result<Vec<Entry>> {
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    store::nodes::clear(&mut tx, now, now - TimeDelta::seconds(limits::NODE_GONE_KEEP_S)).await?;
    let entries = store::nodes::all(&mut tx).await?;
    tx.commit().await?;
    Ok(entries)
}

/// Has this node listed, and answers roll calls, until it has left: for one that may have company.
pub async fn attend(services: Arc<Services>, shutdown: Shutdown) {
    let ceiling = Duration::from_millis(limits::ROUTING_RETRY_MS_CEILING);
    let mut pause = Duration::from_millis(limits::ROUTING_RETRY_MS);
    let mut is_lost = false;
    while !services.db.is_closed() {
        let error = match enter(&services).await {
            Ok(listener) => {
                if std::mem::take(&mut is_lost) {
                    tracing::info!("this node is listed again");
                }
                pause = Duration::from_millis(limits::ROUTING_RETRY_MS);
                answer(&services, listener, &shutdown).await
            }
            Err(error) => error,
        };
        // One that ends strikes itself out, and must not come back.
        if services.db.is_closed() || shutdown.phase() >= Phase::Draining {
            return;
        }
        if !is_lost {
            tracing::warn!(%error, cause = ?error.source, "this node cannot be listed; trying again");
        }
        is_lost = true;
        sleep(pause).await;
        pause = (pause * 2).min(ceiling);
    }
}

/// Strikes this node out, at its end.
pub async fn leave(s: &Services) -> Result<()> {
    Ok(store::nodes::leave(&mut *s.db.acquire().await?, s.node.node().id).await?)
}

async fn enter(s: &Services) -> Result<PgListener> {
    let mut listener = PgListener::connect_with(&s.db).await?;
    // Lost with its connection, the lock has to be taken anew.
    listener.eager_reconnect(false);
    listener.listen(store::signals::NODES).await?;
    let db = listener.acquire().await?;
    store::nodes::keep_alive(db).await?;
    store::nodes::enter(db, s.now(), s.node.node(), s.node.is_leaving()).await?;
    clear(s).await?;
    Ok(listener)
}

/// Answers roll calls, and says when the node begins to end; gives the reason why it no longer can.
async fn answer(s: &Services, mut listener: PgListener, shutdown: &Shutdown) -> Error {
    let mut has_said = s.node.is_leaving();
    loop {
        let said = tokio::select! {
            biased;
            () = shutdown.leaving(), if !has_said => {
                has_said = true;
                say_draining(s, &mut listener).await
            }
            signal = listener.try_recv() => match signal {
                Ok(Some(_)) => say_here(s, &mut listener).await,
                Ok(None) => Err(Error::internal("the connection that listens was closed")),
                Err(error) => Err(error.into()),
            },
        };
        if let Err(error) = said {
            return error;
        }
    }
}

async fn say_here(s: &Services, listener: &mut PgListener) -> Result<()> {
    Ok(store::nodes::answer(listener.acquire().await?, s.now(), s.node.node().id).await?)
}

async fn say_draining(s: &Services, listener: &mut PgListener) -> Result<()> {
    Ok(store::nodes::note_draining(listener.acquire().await?, s.now(), s.node.node().id).await?)
}
