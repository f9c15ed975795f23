//! `picloud install` and `uninstall`: the program itself as a service of a Debian system: a user, a unit, a file of settings.
//!
//! `machine` says whether this is a system for it, `root` changes its files. Each step looks first and changes only what is
//! not so yet, so a run that was cut off, or is repeated, ends in the same state; an update is the new program's `install`.
//! What people own (settings, data, the user and whatever belongs to it) is not touched by either, but by `uninstall --purge`.

mod machine;
mod root;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use self::root::{Became, Root, Run};
use super::client::input::{Sure, confirm};
use super::failure::{Exit, Failure, Result};
use super::terminal::{print, print_json, table};
use crate::config::DATA_DIR_SYSTEM;

pub(super) const INSTALL_EXAMPLES: &str = "\
Examples:
  sudo ./picloud install              the program, its user and its service; started
  ./picloud install --dry-run         says what would be done, as any user
  sudo ./picloud install --root /mnt  into the system of a card that is mounted there

May be repeated: the program that runs it takes the place of the one that is installed. Settings: /etc/picloud/picloud.env, which
is made once and never changed again; data: /var/lib/picloud.";

pub(super) const UNINSTALL_EXAMPLES: &str = "\
Examples:
  sudo picloud uninstall          the service and the program; settings and data stay
  sudo picloud uninstall --purge  these too, for good";

/// As the package has it, at another place; what it starts is put in when it is written.
const UNIT: &str = include_str!("../../../docker/picloud.service");
const SETTINGS: &str = include_str!("../../../docker/picloud.env");
const SYSUSERS: &str = include_str!("../../../docker/picloud.sysusers");

const USER: &str = "picloud";
const SERVICE: &str = "picloud.service";
const PACKAGED_PROGRAM: &str = "/usr/bin/picloud";
const PROGRAM: &str = "/usr/local/bin/picloud";
const PACKAGED_UNIT: &str = "/usr/lib/systemd/system/picloud.service";
const UNIT_FILE: &str = "/etc/systemd/system/picloud.service";
const UNIT_LINK: &str = "/etc/systemd/system/multi-user.target.wants/picloud.service";
const SYSUSERS_FILE: &str = "/etc/sysusers.d/picloud.conf";
const ENV_DIR: &str = "/etc/picloud";
const ENV_FILE: &str = "/etc/picloud/picloud.env";
/// The program that runs, also when its file has been replaced meanwhile.
const ITSELF: &str = "/proc/self/exe";

/// On which system, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
    /// The root of another system, which does not run: files are changed there, and nothing is started or stopped.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// The result as one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Install {
    #[command(flatten)]
    at: Where,
    /// Install, and leave the start to somebody else.
    #[arg(long)]
    no_start: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Uninstall {
    #[command(flatten)]
    at: Where,
    /// Delete settings and data, too: every app, its files, the keys of its secrets.
    #[arg(long)]
    purge: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// One thing, and what became of it.
#[derive(Debug, Serialize)]
struct Step {
    name: &'static str,
    what: String,
    became: Became,
}

impl Step {
    fn new(name: &'static str, what: impl Into<String>, became: Became) -> Self {
        Self { name, what: what.into(), became }
    }
}

pub(super) fn install(asked: &Install) -> Result<()> {
    let root = asked.at.open("install")?;
    machine::judge(&root)?;
    machine::not_packaged(&root, "an update is one of the package; or remove it first (apt-get remove picloud: data stays)")?;
    let is_started = root.is_this_machine() && !asked.no_start;
    if is_started {
        machine::has_a_database(&root)?;
    }
    asked.at.needs_root(&root, "install")?;
    let foreign = root.text(UNIT_FILE)?;
    if !foreign.is_empty() && foreign.lines().next() != UNIT.lines().next() {
        return Err(Failure::new(Exit::Conflict, format!("{UNIT_FILE} is there and not of picloud install"))
            .hinting("move it away; what it changes belongs into a drop-in: systemctl edit picloud"));
    }

    let unit = UNIT.replace(PACKAGED_PROGRAM, PROGRAM);
    let mut steps = vec![
        Step::new("program", PROGRAM, root.put(PROGRAM, &mut Path::new(ITSELF), 0o755)?),
        Step::new("user, as asked for", SYSUSERS_FILE, root.put(SYSUSERS_FILE, &mut SYSUSERS.as_bytes(), 0o644)?),
        user(&root)?,
        Step::new("settings", ENV_FILE, root.put_once(ENV_FILE, SETTINGS, 0o600)?),
        Step::new("unit", UNIT_FILE, root.put(UNIT_FILE, &mut unit.as_bytes(), 0o644)?),
        Step::new("started at boot", UNIT_LINK, root.link(UNIT_LINK, UNIT_FILE)?),
    ];
    if root.is_this_machine() {
        systemctl(&root, &["daemon-reload"])?;
    }
    if is_started {
        // One that runs goes on where nothing is new.
        let is_new = steps.iter().any(|step| matches!(step.became, Became::Made | Became::Replaced));
        systemctl(&root, &[if is_new { "restart" } else { "start" }, SERVICE])?;
        steps.push(Step::new("started", SERVICE, Became::Done));
    }
    let next = match (root.run(), is_started) {
        (Run::Dry, _) => "",
        (Run::Real, false) => "\nIt is not started yet.\n",
        (Run::Real, true) => {
            "\nNext:\n  picloud health --wait-s 120                                          once it works\n  \
             sudo -u picloud picloud admin create-owner NAME --data-dir /var/lib/picloud   who may do everything\n  \
             journalctl -u picloud                                                what it says\n"
        }
    };
    asked.at.tell(&steps, root.run(), next);
    Ok(())
}

pub(super) fn uninstall(asked: &Uninstall) -> Result<()> {
    let root = asked.at.open("uninstall")?;
    machine::not_packaged(&root, "apt-get remove picloud (data stays), or apt-get purge picloud")?;
    asked.at.needs_root(&root, "uninstall")?;
    if root.run() == Run::Real {
        let question = if asked.purge {
            format!("remove PiCloud, and delete its settings and all its data in {} for good", root.at(DATA_DIR_SYSTEM).display())
        } else {
            "stop and remove PiCloud (its settings and data stay)".to_owned()
        };
        confirm(&question, Sure::from(asked.yes))?;
    }

    let mut steps = Vec::new();
    if root.is_this_machine() && root.has(UNIT_FILE) {
        systemctl(&root, &["stop", SERVICE])?;
        steps.push(Step::new("stopped", SERVICE, Became::Done));
    }
    for (name, path) in
        [("started at boot", UNIT_LINK), ("unit", UNIT_FILE), ("user, as asked for", SYSUSERS_FILE), ("program", PROGRAM)]
    {
        steps.push(Step::new(name, path, root.remove(path)?));
    }
    if root.is_this_machine() && Path::new("/run/systemd/system").is_dir() {
        systemctl(&root, &["daemon-reload"])?;
    }
    for (name, path) in [("settings", ENV_DIR), ("data", DATA_DIR_SYSTEM)] {
        let became = match (asked.purge, root.has(path)) {
            (true, _) => root.remove(path)?,
            (false, true) => Became::Kept,
            (false, false) => Became::Absent,
        };
        steps.push(Step::new(name, path, became));
    }
    // Files of theirs elsewhere must not fall to whoever would get the number next.
    if has_user(&root)? {
        steps.push(Step::new("user", USER, Became::Kept));
    }
    asked.at.tell(&steps, root.run(), "");
    Ok(())
}

impl Where {
    fn open(&self, command: &str) -> Result<Root> {
        let root = Root::open(&self.root, if self.dry_run { Run::Dry } else { Run::Real })?;
        if !root.is_this_machine() && !root.has("/etc") {
            let shown = root.path().display();
            return Err(Failure::new(
                Exit::Usage,
                format!("{shown} is not the root of a system: picloud {command} finds no etc in it"),
            ));
        }
        Ok(root)
    }

    fn needs_root(&self, root: &Root, command: &str) -> Result<()> {
        if !root.is_this_machine() || root.run() == Run::Dry || rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let itself = std::env::current_exe().map_or_else(|_| "picloud".to_owned(), |path| path.display().to_string());
        Err(Failure::new(Exit::Denied, "this changes the system, which only root may")
            .hinting(format!("sudo {itself} {command}; to see what would be done: {itself} {command} --dry-run")))
    }

    fn tell(&self, steps: &[Step], run: Run, next: &str) {
        if self.json {
            return print_json(&steps);
        }
        let rows: Vec<_> =
            steps.iter().map(|step| (step.name, format!("{:62}  {}", step.what, step.became.as_str(run)))).collect();
        print(&format!("{}{next}", table(&rows)));
    }
}

/// The user, made by the system's own means from what was asked for.
fn user(root: &Root) -> Result<Step> {
    if has_user(root)? {
        return Ok(Step::new("user", USER, Became::Unchanged));
    }
    if root.run() == Run::Real {
        let mut command = Command::new("systemd-sysusers");
        command.arg(format!("--root={}", root.path().display())).arg("picloud.conf");
        call(command)?;
    }
    Ok(Step::new("user", USER, Became::Made))
}

fn has_user(root: &Root) -> Result<bool> {
    let prefix = format!("{USER}:");
    Ok(root.text("/etc/passwd")?.lines().any(|line| line.starts_with(&prefix)))
}

fn systemctl(root: &Root, arguments: &[&str]) -> Result<()> {
    if root.run() == Run::Dry {
        return Ok(());
    }
    let mut command = Command::new("systemctl");
    command.args(arguments);
    call(command)
}

/// Runs a program of the system; what it says when it fails is the failure.
fn call(mut command: Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|e| Failure::new(Exit::Other, format!("{name} cannot be run: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::new(Exit::Other, format!("{name} failed ({}): {said}", output.status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_starts_the_program_where_the_package_has_it_and_reads_the_settings() {
        let lines: Vec<_> = UNIT.lines().collect();
        assert!(lines.contains(&format!("ExecStart={PACKAGED_PROGRAM} serve $SERVE_FLAGS").as_str()));
        assert!(lines.contains(&format!("EnvironmentFile=-{ENV_FILE}").as_str()));
        assert!(lines.contains(&format!("Environment=PICLOUD_DATA_DIR={DATA_DIR_SYSTEM}").as_str()));
        let here = UNIT.replace(PACKAGED_PROGRAM, PROGRAM);
        assert!(here.contains(&format!("ExecStart={PROGRAM} serve")) && !here.contains(PACKAGED_PROGRAM));
    }

    #[test]
    fn the_settings_are_all_comments_that_name_settings() {
        let command = <crate::config::Settings as clap::Args>::augment_args(clap::Command::new("it"));
        let known: Vec<_> = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()).collect();
        for line in SETTINGS.lines().filter(|line| !line.is_empty()) {
            let line = line.strip_prefix('#').unwrap_or_else(|| panic!("{line} would be set"));
            if let Some((name, _)) = line.split_once('=').filter(|_| !line.starts_with(' ')) {
                assert!(known.contains(&name) || name == "SERVE_FLAGS", "{name}");
            }
        }
    }
}
