//! `picloud doctor`: what was found on this machine, what is chosen from it, and what stands in the way. Changes nothing.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::backup;
use super::data_dir;
use super::database::{self, Source};
use super::failure::Failure;
use super::node;
use super::terminal::{print, print_json, table};
use super::walls::{self, Wall};
use crate::config::Settings;
use crate::model::backup::SnapshotId;
use crate::sandbox::probe::{Pool, Probe};
use crate::{egress, postgres, repository, sandbox};

#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    machine: Machine,
    pool: Pool,
    data_dir: DataDir,
    database: Database,
    sandbox: Artifact,
    mail: Mail,
    /// Where backups are made by schedule, or looked after.
    backups: Option<Backups>,
    /// What stands between a script and the machine; one that is down is no reason not to start.
    walls: Vec<Wall>,
    /// What stands in the way of a start, each in one line with how to mend it.
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Machine {
    arch: &'static str,
    #[serde(flatten)]
    probe: Probe,
}

#[derive(Debug, Serialize)]
struct DataDir {
    path: String,
    exists: bool,
    /// The process that works in it now.
    used_by: Option<String>,
}

#[derive(Debug, Serialize)]
struct Database {
    /// `private` or `external`.
    kind: &'static str,
    binaries: Option<String>,
    version: Option<String>,
    /// Whom PostgreSQL runs as, when not as this user.
    account: Option<String>,
}

#[derive(Debug, Serialize)]
struct Artifact {
    directory: String,
    /// Whether a start can map it as it is.
    ready: bool,
    bytes: Option<u64>,
    /// Why it is to be built.
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct Mail {
    /// Where the relay is and how it is spoken to; none: scripts cannot send mail.
    relay: Option<String>,
    /// The sender where a script names none.
    from: Option<String>,
}

#[derive(Debug, Serialize)]
struct Backups {
    directory: String,
    /// None: a node makes none by itself.
    schedule: Option<String>,
    newest: Option<SnapshotId>,
    /// What went wrong last, or is wrong now. No reason not to start.
    trouble: Option<String>,
}

/// Exit code 0 when a node could start, 1 when something stands in the way.
pub(super) fn run(settings: &Settings, json: bool) -> ExitCode {
    let report = match examine(settings) {
        Ok(report) => report,
        Err(failure) => return failure.report(),
    };
    if json {
        print_json(&report);
    } else {
        print(&describe(&report));
    }
    if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn examine(settings: &Settings) -> Result<Report, Failure> {
    let mut problems = Vec::new();
    let probe = Probe::take();
    let pool = probe.choose(settings.max_concurrent_executions);
    let path = data_dir::locate(settings)?;
    let exists = path.exists();
    if exists && let Err(failure) = data_dir::judge(&path) {
        problems.push(failure.into_line());
    }
    let database = match database::choose(settings, false)? {
        Source::External(_) => Database { kind: "external", binaries: None, version: None, account: None },
        Source::Embedded => private(settings, &path, &mut problems),
    };
    let sandbox = artifact(&pool, &path, &mut problems);
    let smtp = node::smtp(settings).unwrap_or_else(|failure| {
        problems.push(failure.into_line());
        None
    });
    let mail = Mail {
        relay: smtp.as_ref().map(egress::smtp::Settings::shown),
        from: smtp.as_ref().and_then(|smtp| smtp.from().map(str::to_owned)),
    };
    let backups = backups(settings).unwrap_or_else(|failure| {
        problems.push(failure.into_line());
        None
    });
    let used_by = exists.then(|| data_dir::holder(&path)).flatten();
    let walls = walls::examine(database.account.as_deref(), used_by.as_deref().and_then(|pid| pid.parse().ok()));
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        machine: Machine { arch: std::env::consts::ARCH, probe },
        pool,
        data_dir: DataDir { used_by, path: path.display().to_string(), exists },
        database,
        sandbox,
        mail,
        backups,
        walls,
        problems,
    })
}

fn private(settings: &Settings, data_dir: &Path, problems: &mut Vec<String>) -> Database {
    let account = postgres::account();
    if let Ok(Some(account)) = &account
        && !postgres::can_reach(account, data_dir)
    {
        problems.push(format!("{}, whom PostgreSQL runs as, cannot reach {}", account.name, data_dir.display()));
    }
    let found = postgres::find(settings.postgres_bin.as_deref());
    if let Err(error) = &found {
        problems.push(error.to_string());
    }
    let found = found.ok();
    Database {
        kind: "private",
        binaries: found.as_ref().map(|found| found.dir.display().to_string()),
        version: found.map(|found| found.version),
        account: account.ok().flatten().map(|account| account.name),
    }
}

/// What can be known without their passphrase.
fn backups(settings: &Settings) -> Result<Option<Backups>, Failure> {
    let plan = backup::plan(settings)?;
    if settings.backup.backup_dir.is_none() {
        return Ok(None);
    }
    let directory = backup::directory_of(settings, None)?;
    let names = repository::snapshots(&directory).map_err(|error| error.to_string());
    let noted = repository::State::read(&directory);
    let noted =
        noted.trouble().map(|failure| format!("failed at {}: {}", failure.at.format("%Y-%m-%d %H:%M UTC"), failure.message));
    let missing = (plan.is_some() && !repository::is_there(&directory)).then(|| "the directory holds no backups yet".to_owned());
    Ok(Some(Backups {
        schedule: plan.map(|plan| format!("{} {}", plan.schedule.as_str(), plan.schedule.timezone())),
        trouble: noted.or_else(|| names.as_ref().err().cloned()).or(missing),
        newest: names.ok().and_then(|mut names| names.pop()),
        directory: directory.display().to_string(),
    }))
}

fn artifact(pool: &Pool, data_dir: &Path, problems: &mut Vec<String>) -> Artifact {
    let directory = sandbox::artifact_directory(data_dir).display().to_string();
    match sandbox::artifact_state(pool, data_dir) {
        Ok(Ok(file)) => Artifact { directory, ready: true, bytes: file.metadata().ok().map(|found| found.len()), reason: None },
        Ok(Err(reason)) => Artifact { directory, ready: false, bytes: None, reason: Some(reason) },
        Err(error) => {
            problems.push(format!("scripts cannot be compiled on this machine: {error:#}"));
            Artifact { directory, ready: false, bytes: None, reason: Some(error.to_string()) }
        }
    }
}

fn describe(report: &Report) -> String {
    let (probe, pool) = (&report.machine.probe, &report.pool);
    let database = &report.database;
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let machine = table(&[
        ("kernel", format!("{} ({})", probe.kernel, report.machine.arch)),
        ("cores", probe.cores.to_string()),
        ("memory", size(probe.ram_bytes)),
        ("address space", size(probe.address_space_bytes)),
        ("page size", size(probe.page_bytes as u64)),
        ("pagemap_scan", format!("{}   (an instance is reset by the pages it touched; Linux 6.7)", yes(probe.pagemap_scan))),
    ]);
    let chosen = table(&[
        ("profile", format!("{}   (by memory: tiny, small, medium, large)", pool.profile.as_str())),
        ("scripts at once", pool.places.to_string()),
        (
            "memory for them",
            format!("{} together, {} for one at most", size(pool.memory_bytes), size(u64::from(pool.memory_mb_max) << 20)),
        ),
        ("connections", format!("{} on each plane", pool.connections)),
        ("address space for each", size(pool.reservation_bytes)),
        ("stack for each", size(pool.stack_bytes as u64)),
        ("kept ready", format!("{} instances of {}", pool.warm_places, size(pool.keep_resident_bytes as u64))),
    ]);
    let used_by = match (&report.data_dir.used_by, report.data_dir.exists) {
        (Some(pid), _) => format!("in use by process {pid}"),
        (None, true) => "free".to_owned(),
        (None, false) => "made at the first start".to_owned(),
    };
    let mut rows =
        vec![("data directory", format!("{}   ({used_by})", report.data_dir.path)), ("database", database.kind.to_owned())];
    if let (Some(dir), Some(version)) = (&database.binaries, &database.version) {
        rows.push(("PostgreSQL", format!("{version} in {dir}")));
    }
    if let Some(account) = &database.account {
        rows.push(("runs as", account.clone()));
    }
    let artifact = &report.sandbox;
    rows.push((
        "sandbox",
        match (artifact.ready, &artifact.reason) {
            (true, _) => format!("compiled for this machine, {} in {}", size(artifact.bytes.unwrap_or(0)), artifact.directory),
            (false, reason) => format!(
                "{}: the next start compiles it (ahead of it: picloud precompile)",
                reason.as_deref().unwrap_or("not built yet")
            ),
        },
    ));
    rows.push(("mail relay", report.mail.relay.clone().unwrap_or_else(|| "none (PICLOUD_SMTP_URL)".to_owned())));
    if let Some(from) = &report.mail.from {
        rows.push(("mail sender", from.clone()));
    }
    let none = || "none are made (PICLOUD_BACKUP_DIR, PICLOUD_BACKUP_SCHEDULE)".to_owned();
    rows.push(("backups", report.backups.as_ref().map_or_else(none, told_of_backups)));
    let (state, walls) = (table(&rows), table(&walls::rows(&report.walls)));
    let version = report.version;
    let mut text = format!("PiCloud {version}\n\nFound\n{machine}\nChosen\n{chosen}\nState\n{state}\nWalls\n{walls}\n");
    if report.problems.is_empty() {
        text.push_str("Nothing stands in the way.\n");
    } else {
        text.push_str("In the way\n");
        for problem in &report.problems {
            text.push_str(&format!("  - {problem}\n"));
        }
    }
    text
}

fn told_of_backups(backups: &Backups) -> String {
    let newest = backups.newest.as_ref().map_or_else(|| "none yet".to_owned(), |id| format!("newest {id}"));
    let when = backups.schedule.as_deref().map_or_else(|| "no schedule".to_owned(), |schedule| format!("at {schedule}"));
    let trouble = backups.trouble.as_ref().map(|trouble| format!("   TROUBLE: {trouble}")).unwrap_or_default();
    format!("{} ({when}, {newest}){trouble}", backups.directory)
}

/// In the largest unit that leaves at least one.
fn size(bytes: u64) -> String {
    let units = [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (unit, name) in units {
        if bytes >= unit {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            let (whole, part) = (tenths / 10, tenths % 10);
            return if part == 0 { format!("{whole} {name}") } else { format!("{whole}.{part} {name}") };
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        for (bytes, text) in
            [(0, "0 bytes"), (4096, "4 KiB"), (1 << 30, "1 GiB"), (1_610_612_736, "1.5 GiB"), (u64::MAX, "16777215.9 TiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
