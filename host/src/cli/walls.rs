//! The walls of a node at the command line: `node` raises the second one, the hidden `wall-probe` tries what must not work
//! behind it (`attempt`), `doctor` tells which are up.

mod attempt;

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};

use serde::Serialize;

use self::attempt::Attempt;
use super::failure::{Exit, Failure, Result};
use crate::config::Seccomp;
use crate::walls::{self, Refusal, Status};

/// The name of the command that tries one thing.
const PROBE: &str = "wall-probe";
/// What it tries where everything shall work.
const CONTROL: &str = "nothing";
const UNIT: &str = "run it as a user of its own: docker/picloud.service does";

/// What `wall-probe` tries: something that must not work, or what a node does all the time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tried(Option<Attempt>);

/// One thing that stands between a script and the machine.
#[derive(Debug, Serialize)]
pub(super) struct Wall {
    pub(super) name: &'static str,
    pub(super) up: bool,
    pub(super) detail: String,
    /// How to have it, where it is down.
    pub(super) mend: Option<String>,
}

/// What is asked for by name on the command line.
pub(super) fn parse(name: &str) -> std::result::Result<Tried, String> {
    if name == CONTROL {
        return Ok(Tried(None));
    }
    let known = Attempt::ALL.into_iter().find(|attempt| attempt.as_str() == name);
    known.map(|attempt| Tried(Some(attempt))).ok_or_else(|| {
        let names: Vec<_> = Attempt::ALL.into_iter().map(Attempt::as_str).collect();
        format!("write {CONTROL}, or one of: {}", names.join(", "))
    })
}

/// Raises the wall that the setting asks for. A node that cannot have it serves all the same, and says so.
pub(super) fn raise(seccomp: Seccomp) {
    let refusal = match seccomp {
        Seccomp::Kill => Refusal::Kill,
        Seccomp::Log => Refusal::Log,
        Seccomp::Off => {
            tracing::warn!("system calls are not filtered, as PICLOUD_SECCOMP says");
            return;
        }
    };
    match walls::raise(refusal) {
        Ok(()) => tracing::debug!(?refusal, "system calls are filtered"),
        Err(error) => {
            tracing::warn!(%error, "system calls are not filtered: the node goes on without this wall (see picloud doctor)");
        }
    }
}

/// Tries it. What must not work ends the process; to come back is the failure then.
pub(super) fn probe(Tried(tried): Tried) -> Result<()> {
    let failed = |error: &dyn std::error::Error| Failure::new(Exit::Other, format!("no wall: {error}"));
    let Some(tried) = tried else {
        return attempt::control(|| walls::raise(Refusal::Kill)).map_err(|error| failed(&error));
    };
    walls::raise(Refusal::Kill).map_err(|error| failed(&error))?;
    attempt::attempt(tried);
    Err(Failure::new(Exit::Other, format!("{} works behind the wall", tried.as_str())))
}

/// Every wall here: what this machine and this user can have; then those of the node that runs as process `node`, if one does.
/// `postgres` is whom the private PostgreSQL of a node that is root runs as.
pub(super) fn examine(postgres: Option<&str>, node: Option<u32>) -> Vec<Wall> {
    let mut walls = vec![sandbox(), seccomp(), no_new_privileges()];
    let is_root = rustix::process::geteuid().is_root();
    walls.push(user("user", "this user", is_root));
    if let (true, Some(name)) = (is_root, postgres) {
        walls.push(up("postgres_user", format!("the private PostgreSQL runs as {name}")));
    }
    walls.extend(node.map(of_node).unwrap_or_default());
    walls
}

/// As rows of a table.
pub(super) fn rows(walls: &[Wall]) -> Vec<(&str, String)> {
    let text = |wall: &Wall| match (&wall.mend, wall.up) {
        (Some(mend), false) => format!("DOWN  {}; {mend}", wall.detail),
        (None, false) => format!("DOWN  {}", wall.detail),
        (_, true) => format!("up    {}", wall.detail),
    };
    walls.iter().map(|wall| (wall.name, text(wall))).collect()
}

fn up(name: &'static str, detail: impl Into<String>) -> Wall {
    Wall { name, up: true, detail: detail.into(), mend: None }
}

fn down(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Wall {
    Wall { name, up: false, detail: detail.into(), mend: Some(mend.into()) }
}

fn sandbox() -> Wall {
    up("sandbox", "every invocation has a WebAssembly instance of its own, bounded in fuel, memory and time")
}

/// Proved, not believed: by a process that tries what must not work.
fn seccomp() -> Wall {
    let not_here = "Linux with CONFIG_SECCOMP_FILTER has it; in a container, its profile must allow the system call `seccomp`";
    match run(CONTROL) {
        Ok(output) if output.status.success() => {}
        Ok(output) => return down("seccomp", last_line(&output), not_here),
        Err(error) => return down("seccomp", format!("it cannot be tried: {error}"), not_here),
    }
    let works = |attempt: &Attempt| !run(attempt.as_str()).is_ok_and(|output| output.status.signal() == Some(libc::SIGSYS));
    let working: Vec<_> = Attempt::ALL.into_iter().filter(works).map(Attempt::as_str).collect();
    if working.is_empty() {
        let count = Attempt::ALL.len();
        up("seccomp", format!("system calls can be filtered: {count} that must not work were tried, and ended the process"))
    } else {
        down("seccomp", format!("not everything is refused: {}", working.join(", ")), "report this with the kernel's version")
    }
}

fn no_new_privileges() -> Wall {
    let name = "no_new_privileges";
    match rustix::thread::set_no_new_privs(true) {
        Ok(()) => up(name, "no program that is started can gain privileges"),
        Err(error) => down(name, format!("the kernel does not grant it: {error}"), "Linux 3.5 or newer has it"),
    }
}

fn user(name: &'static str, who: &str, is_root: bool) -> Wall {
    if is_root {
        down(name, format!("{who} is root: so would be whoever gets past the other walls"), UNIT)
    } else {
        up(name, format!("{who} is not root"))
    }
}

/// Nothing when there is no such process any more, or it is somebody else's number (as in another container).
fn of_node(pid: u32) -> Vec<Wall> {
    let (Ok(node), Ok(own)) = (Status::of(pid), Status::own()) else { return Vec::new() };
    if node.name != own.name {
        return Vec::new();
    }
    let who = format!("process {pid}");
    let filtered = if node.seccomp {
        up("node_seccomp", format!("{who}: system calls are filtered"))
    } else {
        let mend = "start it with PICLOUD_SECCOMP=kill; its log says why it cannot";
        down("node_seccomp", format!("{who}: system calls are not filtered"), mend)
    };
    let bounded = if node.no_new_privileges {
        up("node_no_new_privileges", format!("{who} can gain no privileges"))
    } else {
        down("node_no_new_privileges", format!("{who} can gain privileges"), "start it with PICLOUD_SECCOMP=kill")
    };
    let capabilities = if node.capabilities == 0 {
        up("node_capabilities", format!("{who} has no privilege of root"))
    } else {
        down("node_capabilities", format!("{who} has privileges of root: {:#x}", node.capabilities), UNIT)
    };
    vec![filtered, bounded, user("node_user", &who, node.uid == 0), capabilities]
}

fn run(tried: &str) -> io::Result<Output> {
    Command::new(std::env::current_exe()?).args([PROBE, tried]).stdin(Stdio::null()).output()
}

fn last_line(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    match said.trim().lines().last() {
        Some(line) => line.trim_start_matches("picloud: ").to_owned(),
        None => format!("the attempt ended with {}", output.status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_has_a_name_on_the_command_line() {
        for attempt in Attempt::ALL {
            assert_eq!(parse(attempt.as_str()).unwrap().0, Some(attempt));
        }
        assert_eq!(parse(CONTROL).unwrap().0, None);
        assert!(parse("reboot").unwrap_err().contains("execve"));
    }

    #[test]
    fn a_wall_that_is_down_says_how_to_mend_it() {
        let walls = [up("a", "stands"), user("b", "this user", true), user("c", "this user", false)];
        let rows = rows(&walls);
        assert_eq!(rows[0], ("a", "up    stands".to_owned()));
        assert!(rows[1].1.starts_with("DOWN  ") && rows[1].1.ends_with(UNIT), "{rows:?}");
        assert!(rows[2].1.starts_with("up    "), "{rows:?}");
    }

    #[test]
    fn a_process_that_is_gone_has_no_walls() {
        assert!(of_node(u32::MAX).is_empty());
        // The first process of the machine is none of ours.
        assert!(of_node(1).is_empty() || Status::of(1).unwrap().name == Status::own().unwrap().name);
    }
}
