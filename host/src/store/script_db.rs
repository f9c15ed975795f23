//! The connections of what scripts do.
//!
//! sqlx asks the database once more, in a task of its own, whenever a connection goes back to its pool (`PoolConnection`'s drop):
//! half of the round trips of a single statement. So a connection whose statements came to their end is laid aside for whoever is
//! next; a few are kept so. One whose statement failed, or was given up, goes back to the pool, which finds out what state it is in.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres};
use tokio::time::Instant;

use super::reach;
use crate::limits;

/// A pool, of which some connections lie aside: a transaction begins on the pool itself.
#[derive(Debug, Clone)]
pub struct ScriptDb {
    pool: PgPool,
    aside: Arc<Mutex<Vec<Aside>>>,
}

#[derive(Debug)]
struct Aside {
    connection: PoolConnection<Postgres>,
    since: Instant,
}

/// For one statement, or a few.
#[derive(Debug)]
pub struct Lent {
    connection: PoolConnection<Postgres>,
    home: ScriptDb,
}

impl ScriptDb {
    /// Of any pool; a node's own is that of [`super::for_scripts`].
    pub fn of(pool: PgPool) -> Self {
        Self { pool, aside: Arc::default() }
    }

    /// A connection, after a bounded wait.
    pub async fn acquire(&self) -> sqlx::Result<Lent> {
        while let Some(Aside { mut connection, since }) = self.pop() {
            if !reach::is_doubtful(since.elapsed()) || connection.ping().await.is_ok() {
                return Ok(Lent { connection, home: self.clone() });
            }
            connection.close_on_drop();
        }
        Ok(Lent { connection: self.pool.acquire().await?, home: self.clone() })
    }

    /// Ends all connections; those that are lent when they come back.
    pub async fn close(&self) {
        drop(std::mem::take(&mut *self.lock()));
        self.pool.close().await;
    }

    fn pop(&self) -> Option<Aside> {
        self.lock().pop()
    }

    fn lay_aside(&self, connection: PoolConnection<Postgres>) {
        // Somebody may wait at the pool for the last of them.
        let is_wanted = self.pool.num_idle() == 0 && self.pool.size() >= self.pool.options().get_max_connections();
        if is_wanted || self.pool.is_closed() {
            return;
        }
        let mut aside = self.lock();
        if aside.len() < limits::DATABASE_SCRIPT_CONNECTIONS_ASIDE_MAX {
            aside.push(Aside { connection, since: Instant::now() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Aside>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for ScriptDb {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.pool
    }
}

impl Lent {
    /// What was asked on it has been answered in full.
    pub fn done(self) {
        self.home.lay_aside(self.connection);
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
