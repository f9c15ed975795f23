//! `picloud keys rotate`: replaces the keys that lock secrets. May be killed and repeated at any moment.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::data_dir::{self, Access, DataDir};
use super::database::{self, Database, Plan, Source};
use super::failure::{Exit, Failure, Result, exit_of};
use super::terminal::{print, print_json, progress, say, table};
use crate::clock::Clock;
use crate::config::Settings;
use crate::id::DataKeyId;
use crate::service::{self, Services};
use crate::{postgres, vault};

pub(super) const EXAMPLES: &str = "\
Examples:
  picloud keys rotate            a new data key: every secret is encrypted anew
  picloud keys rotate --master   a new master key in the key file: the data keys are wrapped anew

Both may run beside nodes, and may be killed and repeated at any moment: every secret stays readable.

A master key that is set by PICLOUD_SECRET_KEY is replaced in three steps:
  1. start every node with PICLOUD_SECRET_KEY=NEW,OLD (the first locks, all open)
  2. PICLOUD_SECRET_KEY=NEW,OLD picloud keys rotate --master
  3. start every node with PICLOUD_SECRET_KEY=NEW";

/// Which keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Data,
    Master,
}

#[derive(Debug, Serialize)]
struct Done {
    /// The key that every secret is under; null while there is none.
    data_key: Option<DataKeyId>,
    /// The key that the data keys are under.
    master_key: String,
    /// Secrets that were encrypted anew.
    secrets: u64,
    /// Data keys that were wrapped anew.
    data_keys_wrapped: u64,
    /// Old data keys that are gone.
    data_keys_dropped: u64,
    /// Whether this went on with a rotation that was cut short.
    resumed: bool,
    took_ms: u64,
}

pub(super) async fn rotate(settings: Settings, what: What, json: bool) -> Result<()> {
    let began = Instant::now();
    let (data_dir, database) = open(&settings).await?;
    let done = replace(&settings, data_dir.path(), &database, what).await;
    database.close().await;
    let mut done = done?;
    done.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if json {
        print_json(&done);
    } else {
        print(&told(&done, what));
    }
    Ok(())
}

/// The database that a node with these settings has: its own, or that of the node that runs.
async fn open(settings: &Settings) -> Result<(DataDir, Database)> {
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
    let data_dir = DataDir::open(path.clone(), access)?;
    Ok((data_dir, database::open(plan).await?))
}

async fn replace(settings: &Settings, data_dir: &Path, database: &Database, what: What) -> Result<Done> {
    let failed = |error| Failure::of(exit_of(&error), "replacing keys", &error);
    let platform = service::Settings {
        apps_domain: settings.apps_domain.clone(),
        data_dir: data_dir.to_owned(),
        secret_key: settings.secret_key.clone(),
        egress: Default::default(),
        smtp: None,
    };
    let services = Services::new(database.pool.clone(), Clock::system(), platform).map_err(failed)?;
    services.check_keys().await.map_err(failed)?;
    let mut done = Done {
        data_key: None,
        master_key: String::new(),
        secrets: 0,
        data_keys_wrapped: 0,
        data_keys_dropped: 0,
        resumed: false,
        took_ms: 0,
    };
    match what {
        What::Data => {
            if let Some(rotation) = service::keys::rotate(&services, progress).await.map_err(failed)? {
                done.data_key = Some(rotation.data_key);
                (done.secrets, done.data_keys_dropped) = (rotation.secrets, rotation.keys_dropped);
                done.resumed = rotation.resumed;
            }
        }
        What::Master => {
            done.resumed = services.vault.master_keys() > 1 && !services.vault.is_from_setting();
            if services.vault.is_from_setting() && services.vault.master_keys() == 1 {
                return Err(Failure::new(
                    Exit::Usage,
                    "PICLOUD_SECRET_KEY holds one key: write the new one before it, with a comma (NEW,OLD), and repeat; `picloud help keys rotate` has the steps",
                ));
            }
            done.data_keys_wrapped = service::keys::replace_master_key(&services).await.map_err(failed)?;
        }
    }
    done.master_key = services.vault.master_key_id();
    Ok(done)
}

fn told(done: &Done, what: What) -> String {
    let mut rows = vec![("master key", done.master_key.clone())];
    let head = match (what, &done.data_key) {
        (What::Data, None) => "No secret was ever set: there is no data key to replace.",
        (What::Data, Some(key)) => {
            rows.insert(0, ("data key", key.to_string()));
            rows.push(("secrets encrypted anew", done.secrets.to_string()));
            rows.push(("old data keys deleted", done.data_keys_dropped.to_string()));
            if done.resumed { "The rotation that was cut short is complete." } else { "Every secret is under a new data key." }
        }
        (What::Master, _) => {
            rows.push(("data keys wrapped anew", done.data_keys_wrapped.to_string()));
            "The data keys are under the new master key."
        }
    };
    rows.push(("took", format!("{} ms", done.took_ms)));
    format!("{head}\n{}", table(&rows))
}
