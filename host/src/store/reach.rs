//! Whether the database is there, as far as that is known without asking.
//!
//! A database that was restarted has ended every connection, and each would fail whoever uses it first. Those that listen learn of it
//! at once, and say so here: what rested through a loss is tried before it is used. A process has one database, so this is its state.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::time::{Instant, timeout};

use crate::limits;

static LOST_AT: Mutex<Option<Instant>> = Mutex::new(None);

/// A connection that only listened has ended: others may have with it.
pub fn lost() {
    *LOST_AT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// Whether a connection that was not used for so long may have ended meanwhile.
pub(super) fn is_doubtful(idle_for: Duration) -> bool {
    let lost_at = *LOST_AT.lock().unwrap_or_else(PoisonError::into_inner);
    idle_for > Duration::from_millis(limits::DATABASE_TRUST_IDLE_MS) || lost_at.is_some_and(|at| at.elapsed() <= idle_for)
}

/// Asks the database for a sign of life, on a connection of its own: whoever is busy with the others does not keep it waiting.
#[derive(Debug, Default)]
pub struct Probe {
    connection: Option<PgConnection>,
}

impl Probe {
    /// Whether it answered in time. Makes no query.
    pub async fn ask(&mut self, db: &PgPool) -> bool {
        let mut connection = self.connection.take();
        let asked = async {
            let mut connection = match connection.take() {
                Some(connection) => connection,
                None => PgConnection::connect_with(&PgConnectOptions::clone(&db.connect_options())).await?,
            };
            connection.ping().await?;
            Ok::<_, sqlx::Error>(connection)
        };
        // A connection that did not answer is not asked again.
        self.connection = timeout(Duration::from_millis(limits::HEALTH_CHECK_MS), asked).await.ok().and_then(Result::ok);
        self.connection.is_some()
    }
}
