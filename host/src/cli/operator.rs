//! The operator at the machine: commands that work on the database of a node, beside it or alone.

use super::data_dir::{self, Access, DataDir};
use super::database::{self, Database, Plan, Source};
use super::failure::{Exit, Failure, Result, exit_of};
use super::terminal::say;
use crate::clock::Clock;
use crate::config::Settings;
use crate::service::{self, Services};
use crate::{postgres, vault};

/// What a node with the same settings has.
pub(super) struct Operator {
    pub(super) data_dir: DataDir,
    pub(super) database: Database,
}

impl Operator {
    /// The data directory and the database that a node with these settings has: its own, or those of the node that runs.
    pub(super) async fn open(settings: &Settings) -> Result<Self> {
        let (data_dir, plan) = Self::find(settings)?;
        Ok(Self { data_dir, database: database::open(plan).await? })
    }

    /// The same, with the schema of the database left as it is: also that of a node of another version.
    pub(super) async fn open_as_it_is(settings: &Settings) -> Result<Self> {
        let (data_dir, plan) = Self::find(settings)?;
        Ok(Self { data_dir, database: database::open_as_it_is(plan).await? })
    }

    fn find(settings: &Settings) -> Result<(DataDir, Plan)> {
        let path = data_dir::locate(settings)?;
        let missing = |what: &str| {
            let at = path.display();
            Failure::new(Exit::DataDirectory, format!("{at} {what}: name the data directory of the node with PICLOUD_DATA_DIR"))
        };
        let source = database::choose(settings, false)?;
        if settings.secret_key.is_none() && !path.join(vault::KEY_FILE).is_file() {
            return Err(missing("holds no key file, and PICLOUD_SECRET_KEY is not set"));
        }
        let (plan, access) = match source {
            Source::External(options) => (Plan::External(options), Access::Shared),
            Source::Embedded if !data_dir::is_marked(&path) => return Err(missing("is not the data directory of a node")),
            Source::Embedded => match data_dir::holder(&path) {
                Some(pid) => {
                    say(&format!("a node runs in {} (process {pid}): this works in its database, beside it", path.display()));
                    let path = path.canonicalize().map_err(|e| missing(&format!("cannot be used ({e})")))?;
                    (Plan::Running(Box::new(postgres::connect_options(&path))), Access::Shared)
                }
                None => (database::plan(Source::Embedded, &path, settings)?, Access::Exclusive),
            },
        };
        Ok((DataDir::open(path.clone(), access)?, plan))
    }

    /// The platform without its planes, its workers and the files.
    pub(super) fn services(&self, settings: &Settings) -> Result<Services> {
        let platform = self.platform(settings);
        Services::new(self.database.pool.clone(), Clock::system(), platform)
            .map_err(|error| Failure::of(exit_of(&error), "opening the platform", &error))
    }

    /// What the platform is told.
    pub(super) fn platform(&self, settings: &Settings) -> service::Settings {
        service::Settings {
            apps_domain: settings.apps_domain.clone(),
            reserved_hosts: settings.reserved_hosts(),
            data_dir: self.data_dir.path().to_owned(),
            secret_key: settings.secret_key.clone(),
            egress: Default::default(),
            smtp: None,
        }
    }

    pub(super) async fn close(self) {
        self.database.close().await;
    }
}
