//! `picloud keys rotate`: replaces the keys that lock secrets. May be killed and repeated at any moment.

use std::time::Instant;

use serde::Serialize;

use super::failure::{Exit, Failure, Result, exit_of};
use super::operator::Operator;
use super::terminal::{print, print_json, progress, table};
use crate::config::Settings;
use crate::id::DataKeyId;
use crate::service::{self, Services};

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
    let operator = Operator::open(&settings).await?;
    let done = replace(operator.services(&settings)?, what).await;
    operator.close().await;
    let mut done = done?;
    done.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if json {
        print_json(&done);
    } else {
        print(&told(&done, what));
    }
    Ok(())
}

async fn replace(services: Services, what: What) -> Result<Done> {
    let failed = |error| Failure::of(exit_of(&error), "replacing keys", &error);
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
