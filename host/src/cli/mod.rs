//! The commands: they read the settings, put a node together from the layers below, and end it in order.
//!
//! `node` is the composition root of `dev` and `serve`, with `data_dir`, `database` and `listen` for its parts and
//! `seed` for what a first start finds; `admin`, `app`, `audit`, `backup`, `keys`, `doctor`, `health`, `install`, `precompile`, `settings`
//! and `version` do one thing and end. `client` asks a node over its public API, wherever it is; `local` runs scripts and tests without one. `failure`
//! gives every way to fail one line and an exit code; `terminal` is what people see.
//!
//! Order of a start: data directory (its lock), listeners, then database and sandbox side by side, services, planes; a
//! wrong setting or a taken port is known before anything is written. Order of an end: planes, running scripts, their
//! records, the pool, PostgreSQL. A kill at any point loses nothing that was acknowledged: what must last is committed
//! before it is answered.

mod admin;
mod app;
mod audit;
mod backup;
mod client;
mod connection;
mod data_dir;
mod database;
mod doctor;
mod exchange;
mod failure;
mod gate;
mod head;
mod health;
mod install;
mod keys;
mod listen;
mod local;
mod node;
mod operator;
mod places;
mod precompile;
mod progress;
mod seed;
mod settings;
mod terminal;
mod version;
mod walls;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Settings;
use crate::model::archive::Wanted;
use crate::{limits, telemetry};
use failure::{EXIT_CODES, Exit, Failure, Result};

/// Serverless on hardware people already own: upload a Rhai script, get an HTTP endpoint.
#[derive(Debug, Parser)]
#[command(
    name = "picloud",
    version,
    after_help = "Begin with `picloud dev`. Every setting, with its variable: `picloud help config`.",
    after_long_help = EXIT_CODES,
    max_term_width = 120,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a node to try things on: private PostgreSQL, a first owner, a hello app.
    ///
    /// Where there is a picloud.toml, here or further up, it is applied at each save, and what its app logs is shown.
    Dev {
        #[command(flatten)]
        beside: client::Beside,
        #[command(flatten)]
        settings: Settings,
    },
    /// Start a node: with DATABASE_URL, or with a private PostgreSQL (--embedded).
    Serve {
        /// Run a private PostgreSQL in the data directory, even if DATABASE_URL is set.
        #[arg(long, help_heading = "Data")]
        embedded: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Say what was found on this machine and what is chosen from it. Changes nothing.
    Doctor {
        /// As one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Say whether a node works, by the exit code; with --wait-s, once it does.
    #[command(after_help = health::EXAMPLES)]
    Health(health::Which),
    /// Make this program a service of this machine: its user, its unit, its settings. Debian and Raspberry Pi OS.
    #[command(after_help = install::INSTALL_EXAMPLES)]
    Install(install::Install),
    /// Remove what `install` made; settings and data only when told so.
    #[command(after_help = install::UNINSTALL_EXAMPLES)]
    Uninstall(install::Uninstall),
    /// Compile the sandbox into the data directory ahead of the first start (image builds, packages).
    Precompile {
        /// The result as one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// API keys: list, create, delete. And (rotate) the keys that lock the secrets of scripts.
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
    /// Let somebody in who can reach the database: a new password, or one more owner.
    Admin {
        #[command(subcommand)]
        command: Admin,
    },
    /// Put an app into one file, or make an app of one.
    App {
        #[command(subcommand)]
        command: App,
    },
    /// Back up the whole instance, and look after the backups.
    Backup {
        #[command(subcommand)]
        command: backup::Backup,
    },
    /// Make an instance of a backup.
    #[command(after_help = backup::RESTORE_EXAMPLES)]
    Restore(backup::Restore),
    /// The log of every change that was made through the platform: list it; check it.
    Audit {
        #[command(subcommand)]
        command: Audit,
    },
    /// Say what every setting is now, and where it comes from.
    Config {
        /// As one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Say which version this is.
    Version {
        /// As one JSON document.
        #[arg(long)]
        json: bool,
    },
    #[command(flatten)]
    Local(local::Local),
    #[command(flatten)]
    Remote(Box<client::Remote>),
    /// Try one thing that must not work behind the second wall.
    #[command(hide = true)]
    WallProbe {
        /// What to try; `nothing` is the control.
        #[arg(value_parser = walls::parse)]
        tried: walls::Tried,
    },
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Encrypt every secret with a new data key, or put the data keys under a new master key.
    #[command(after_help = keys::EXAMPLES)]
    Rotate {
        /// Replace the master key rather than the data key.
        #[arg(long)]
        master: bool,
        /// The result as one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    #[command(flatten)]
    Api(client::Keys),
}

#[derive(Debug, Subcommand)]
enum Admin {
    /// Set a person's password, end their logins, and let them log in again.
    #[command(after_help = admin::EXAMPLES)]
    ResetPassword {
        #[command(flatten)]
        whom: admin::Whom,
        #[command(flatten)]
        settings: Settings,
    },
    /// Make one more owner of the instance.
    #[command(after_help = admin::EXAMPLES)]
    CreateOwner {
        #[command(flatten)]
        whom: admin::Whom,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Subcommand)]
enum App {
    /// Write an app into an archive: everything but its secrets and members.
    #[command(after_help = app::EXPORT_EXAMPLES)]
    Export {
        /// The app.
        slug: String,
        /// Where to; `-` is standard output. SLUG.picloud.tar.zst if left out.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Replace a file that is there.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Make a new app of an archive.
    #[command(after_help = app::IMPORT_EXAMPLES)]
    Import {
        /// The archive.
        file: PathBuf,
        /// Another slug than the archive's.
        #[arg(long)]
        slug: Option<String>,
        /// Another name than the archive's.
        #[arg(long)]
        name: Option<String>,
        /// The result as one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// Read the whole log and find what was altered, removed or put in.
    #[command(after_help = audit::EXAMPLES)]
    Verify {
        /// A hash that an earlier check gave: its row must still be there.
        #[arg(long, value_name = "HASH")]
        expect: Option<String>,
        /// The result as one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    #[command(flatten)]
    Api(client::Audit),
}

/// The program: reads the command line, does what it says, and gives the exit code.
pub fn main() -> ExitCode {
    return_large_blocks();
    let matches = <Cli as clap::CommandFactory>::command().get_matches();
    let cli = match <Cli as clap::FromArgMatches>::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let done = match cli.command {
        Command::Dev { beside, settings } => on_runtime(settings, |settings| node::run(settings, node::Mode::Dev, Some(beside))),
        Command::Serve { embedded, settings } => {
            on_runtime(settings, move |settings| node::run(settings, node::Mode::Serve { embedded }, None))
        }
        Command::Precompile { json, settings } => on_runtime(settings, move |settings| precompile::run(settings, json)),
        Command::Keys { command: Keys::Rotate { master, json, settings } } => {
            let what = if master { keys::What::Master } else { keys::What::Data };
            on_runtime(*settings, move |settings| keys::rotate(settings, what, json))
        }
        Command::Keys { command: Keys::Api(keys) } => client::on_runtime(client::keys(keys)),
        Command::Audit { command: Audit::Api(audit) } => client::on_runtime(client::audit(audit)),
        Command::Local(local) => local::main(local),
        Command::Remote(remote) => client::on_runtime(client::run(*remote)),
        Command::Admin { command } => {
            let (what, whom, settings) = match command {
                Admin::ResetPassword { whom, settings } => (admin::What::ResetPassword, whom, settings),
                Admin::CreateOwner { whom, settings } => (admin::What::CreateOwner, whom, settings),
            };
            on_runtime(settings.told_by_command(), move |settings| admin::run(settings, what, whom))
        }
        Command::App { command: App::Export { slug, output, force, settings } } => {
            on_runtime(settings.told_by_command(), move |settings| app::export(settings, slug, output, force))
        }
        Command::App { command: App::Import { file, slug, name, json, settings } } => {
            on_runtime(settings.told_by_command(), move |settings| app::import(settings, file, Wanted { slug, name }, json))
        }
        Command::Backup { command } => {
            on_runtime(command.settings().told_by_command(), move |settings| backup::run(settings, command))
        }
        Command::Restore(asked) => {
            on_runtime(asked.settings().told_by_command(), move |settings| backup::restore(settings, asked))
        }
        Command::Audit { command: Audit::Verify { expect, json, settings } } => {
            on_runtime(settings.told_by_command(), move |settings| audit::verify(settings, expect, json))
        }
        Command::Health(which) => client::on_runtime(health::run(which)),
        Command::Install(asked) => install::install(&asked),
        Command::Uninstall(asked) => install::uninstall(&asked),
        Command::Doctor { json, settings } => match with_files(settings) {
            Ok(settings) => return doctor::run(&settings, json),
            Err(failure) => Err(failure),
        },
        Command::Config { json, settings } => {
            with_files(settings).map(|settings| settings::run(&settings, matches.subcommand_matches("config"), json))
        }
        Command::WallProbe { tried } => walls::probe(tried),
        Command::Version { json } => {
            version::run(json);
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Has the allocator give blocks of 128 KiB and more back to the system when they are freed. By itself it raises that
/// bound with use, and keeps for good what one burst of large bodies has taken.
fn return_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: before the first thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
    }
}

/// With the secrets that stand in files.
fn with_files(settings: Settings) -> Result<Settings> {
    settings.with_files(limits::SECRET_FILE_BYTES_MAX).map_err(|line| Failure::new(Exit::Usage, line))
}

/// Starts the log and a runtime as the settings say, and does `work` on it.
fn on_runtime<F>(settings: Settings, work: impl FnOnce(Settings) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let settings = with_files(settings)?;
    telemetry::start(&settings.log).map_err(|line| Failure::new(Exit::Usage, line))?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().event_interval(settings.event_interval).thread_name("picloud");
    if let Some(threads) = settings.worker_threads {
        builder.worker_threads(threads);
    }
    let runtime = builder.build().map_err(|e| Failure::new(Exit::Other, format!("no runtime: {e}")))?;
    let done = runtime.block_on(work(settings));
    // What was abandoned by a second signal is not waited for.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn help_config_lists_every_variable() {
        let mut command = <Cli as clap::CommandFactory>::command();
        let help = command.find_subcommand_mut("config").unwrap().render_long_help().to_string();
        for name in [
            "DATABASE_URL",
            "PICLOUD_DATA_DIR",
            "PICLOUD_BIND",
            "PICLOUD_ADMIN_BIND",
            "PICLOUD_APPS_DOMAIN",
            "PICLOUD_ADMIN_USERNAME",
            "PICLOUD_ADMIN_PASSWORD",
            "PICLOUD_MAX_CONCURRENT_EXECUTIONS",
            "PICLOUD_PUBLIC_BASE_URL",
            "PICLOUD_LOG",
            "PICLOUD_SECCOMP",
            "PICLOUD_SECRET_KEY",
            "PICLOUD_SMTP_URL",
            "PICLOUD_SMTP_FROM",
            "PICLOUD_BACKUP_DIR",
            "PICLOUD_BACKUP_SCHEDULE",
            "PICLOUD_BACKUP_TIMEZONE",
            "PICLOUD_BACKUP_KEEP",
            "PICLOUD_BACKUP_PASSPHRASE",
            "PICLOUD_BACKUP_KEY_FILE",
            "PICLOUD_ROLES",
            "PICLOUD_METRICS_TOKEN",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "PICLOUD_NODE_NAME",
            "PICLOUD_DRAIN_DELAY_MS",
            "DATABASE_URL_FILE",
            "PICLOUD_SECRET_KEY_FILE",
            "PICLOUD_ADMIN_PASSWORD_FILE",
            "PICLOUD_SMTP_URL_FILE",
        ] {
            assert!(help.contains(&format!("env: {name}")), "{name} is missing:\n{help}");
        }
    }
}
