//! Settings of backups.

use std::path::PathBuf;

use clap::Args;

use super::{Hidden, parse_hidden};

/// What stays where nobody says.
const KEEP_USUAL: &str = "last=3,daily=7,weekly=4,monthly=12";

/// Where backups are, who can read them, and when a node makes one.
#[derive(Debug, Clone, Args)]
pub struct Backup {
    /// The directory that holds backups; made by the first one. Better on another disk than the data.
    ///
    /// Example: /mnt/usb/picloud
    #[arg(long, env = "PICLOUD_BACKUP_DIR", value_name = "DIR", help_heading = "Backups")]
    pub backup_dir: Option<PathBuf>,

    /// When a node makes a backup by itself: six fields, seconds first. Needs PICLOUD_BACKUP_DIR. Left out, it makes none.
    ///
    /// Example: 0 30 2 * * * (every night at half past two)
    #[arg(long, env = "PICLOUD_BACKUP_SCHEDULE", value_name = "CRON", help_heading = "Backups")]
    pub backup_schedule: Option<String>,

    /// The time zone that the schedule is read in.
    ///
    /// Example: Europe/Berlin
    #[arg(long, env = "PICLOUD_BACKUP_TIMEZONE", value_name = "ZONE", default_value = "UTC", help_heading = "Backups")]
    pub backup_timezone: String,

    /// How many backups stay: the last ones, and the newest of each of the last days, weeks, months, years that have any.
    #[arg(long, env = "PICLOUD_BACKUP_KEEP", value_name = "RULES", default_value = KEEP_USUAL, help_heading = "Backups")]
    pub backup_keep: String,

    /// The passphrase that locks backups (12 characters or more). The first backup of a directory decides whether it is encrypted.
    #[arg(
        long,
        env = "PICLOUD_BACKUP_PASSPHRASE",
        value_name = "TEXT",
        hide_env_values = true,
        value_parser = parse_hidden,
        conflicts_with = "backup_key_file",
        help_heading = "Backups"
    )]
    pub backup_passphrase: Option<Hidden>,

    /// A file that holds the passphrase, instead of it. Keep a copy of it apart from the machine.
    ///
    /// Example: made by `openssl rand -hex 32`
    #[arg(long, env = "PICLOUD_BACKUP_KEY_FILE", value_name = "FILE", help_heading = "Backups")]
    pub backup_key_file: Option<PathBuf>,
}
