//! Where nodes run: a database, and a directory for them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use picloud::postgres::{Options, Server};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::machine::Halves;
use super::{Failure, Node};

/// A private PostgreSQL, and a directory for nodes on it.
pub(crate) struct Ground {
    pub(crate) postgres: Server,
    pub(crate) url: String,
    dir: TempDir,
    /// Where nodes do not share cores with their callers.
    halves: Option<Halves>,
}

impl Ground {
    pub(crate) async fn open() -> Result<Self, Failure> {
        let dir = directory()?;
        let options = Options { data_dir: dir.path().to_owned(), binaries: None, connections_max: 50 };
        let postgres = picloud::postgres::start(picloud::postgres::plan(options)?, |_| {}).await?;
        let options = postgres.connect_options();
        let (name, user) = (options.get_database().unwrap_or_default(), options.get_username());
        let url = format!("postgres:///{name}?host={}&user={user}", postgres.socket_dir().display());
        Ok(Self { postgres, url, dir, halves: None })
    }

    /// The same, with nodes on their half of the cores.
    pub(crate) async fn of_halves(halves: Halves) -> Result<Self, Failure> {
        Ok(Self { halves: Some(halves), ..Self::open().await? })
    }

    /// A node that answers, and how long that took. The first one compiles and warms the sandbox.
    pub(crate) async fn start(&self) -> Result<(Node, Duration), Failure> {
        Node::start(self.dir.path(), &self.url, self.halves.as_ref()).await
    }

    /// A connection beside those of nodes.
    pub(crate) async fn connect(&self) -> Result<PgConnection, Failure> {
        Ok(PgConnection::connect_with(&self.postgres.connect_options()).await?)
    }

    pub(crate) async fn close(self) {
        self.postgres.stop().await;
    }
}

/// A directory that is gone with this. PostgreSQL runs as another user when this is root.
pub(crate) fn directory() -> Result<TempDir, Failure> {
    let dir = tempfile::Builder::new().prefix("picloud-bench").tempdir()?;
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o711))?;
    Ok(dir)
}
