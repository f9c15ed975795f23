//! The directory of this node: read whole from the database, swapped whole, kept in step by signals.
//!
//! A reload that begins after a commit shows what was committed. Reloads run one at a time, so a later one never gives way
//! to an earlier one's older picture; those who waited while one ran share the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::Mutex;

use super::Services;
use crate::error::{Error, Result};
use crate::limits;
use crate::model::route::{Directory, Source};
use crate::shutdown::Shutdown;
use crate::store;

/// The directory that answers now. Empty until the first reload.
#[derive(Debug)]
pub struct Routing {
    directory: ArcSwap<Directory>,
    /// Reloads asked for so far.
    asked: AtomicU64,
    /// How many of these the directory answers. Held while reading, so that pictures are stored in the order of their age.
    answered: Mutex<u64>,
}

impl Default for Routing {
    fn default() -> Self {
        let directory = Directory::new("", Source::default());
        Self { directory: ArcSwap::from_pointee(directory), asked: AtomicU64::new(0), answered: Mutex::new(0) }
    }
}

impl Routing {
    /// Without a lock. Let the guard go before waiting for anything.
    pub fn current(&self) -> Guard<Arc<Directory>> {
        self.directory.load()
    }

    /// Afterwards `current` shows everything that was committed before the call.
    ///
    /// # Errors
    /// What the database refuses; the directory stays as it was.
    pub async fn reload(&self, db: &PgPool, apps_domain: &str) -> Result<()> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answered = self.answered.lock().await;
        if *answered >= mine {
            return Ok(());
        }
        let asked = self.asked.load(Ordering::SeqCst);
        let source = store::routing::load(db).await?;
        self.directory.store(Arc::new(Directory::new(apps_domain, source)));
        *answered = asked;
        Ok(())
    }
}

/// Keeps this node's directory in step with what other nodes change, until draining begins. Makes no query while nothing
/// changes. When the database goes away the last directory answers on; once it is back it is read anew, because signals of
/// the meantime are lost.
pub async fn follow(services: Arc<Services>, shutdown: Shutdown) {
    tokio::select! {
        biased;
        () = shutdown.draining() => {}
        () = listen_on(&services) => {}
    }
}

/// Ends when the pool is closed.
async fn listen_on(services: &Services) {
    let ceiling = Duration::from_millis(limits::ROUTING_RETRY_MS_CEILING);
    let mut pause = Duration::from_millis(limits::ROUTING_RETRY_MS);
    let mut lost = false;
    while !services.db.is_closed() {
        let listening = async {
            let mut listener = PgListener::connect_with(&services.db).await?;
            // Lost signals are made up for here, by listening first and reading then.
            listener.eager_reconnect(false);
            listener.listen(store::signals::ROUTING).await?;
            services.routing.reload(&services.db, &services.apps_domain).await?;
            Ok::<_, Error>(listener)
        };
        let error = match listening.await {
            Ok(listener) => {
                if lost {
                    tracing::info!("changes of apps, scripts and routes are followed again");
                }
                (lost, pause) = (false, Duration::from_millis(limits::ROUTING_RETRY_MS));
                follow_signals(services, listener).await
            }
            Err(error) => error,
        };
        store::reach::lost();
        if !lost && !services.db.is_closed() {
            tracing::warn!(%error, cause = ?error.source, "changes of apps, scripts and routes cannot be followed; trying again");
        }
        lost = true;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(ceiling);
    }
}

/// Reloads after every burst of signals; gives the reason why it no longer can.
async fn follow_signals(services: &Services, mut listener: PgListener) -> Error {
    loop {
        if let Err(error) = signal(&mut listener).await {
            return error;
        }
        let settled = tokio::time::sleep(Duration::from_millis(limits::ROUTING_SETTLE_MS));
        tokio::pin!(settled);
        loop {
            tokio::select! {
                biased;
                () = &mut settled => break,
                more = signal(&mut listener) => if let Err(error) = more {
                    return error;
                },
            }
        }
        if let Err(error) = services.routing.reload(&services.db, &services.apps_domain).await {
            return error;
        }
        // A command beside this node may have brought in an app with schedules and what waits for them.
        services.events.wake();
    }
}

/// Waits for one signal; loses none when dropped.
async fn signal(listener: &mut PgListener) -> Result<()> {
    match listener.try_recv().await? {
        Some(_) => Ok(()),
        None => Err(Error::internal("the connection that listens was closed")),
    }
}
