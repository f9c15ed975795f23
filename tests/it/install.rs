//! The program as a service of a machine: `picloud install` and `uninstall`, into the root of a system that does not run.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::process::{Ended, Scratch, finish, picloud};
use crate::support::sources::walk;

const PROGRAM: &str = "usr/local/bin/picloud";
const UNIT: &str = "etc/systemd/system/picloud.service";
const LINK: &str = "etc/systemd/system/multi-user.target.wants/picloud.service";
const SETTINGS: &str = "etc/picloud/picloud.env";
const DATA: &str = "var/lib/picloud";

/// The root of a Debian on which nothing was done yet.
struct System {
    scratch: Scratch,
}

impl System {
    fn debian() -> Self {
        let system = Self { scratch: Scratch::new() };
        system.write("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n");
        system
    }

    fn at(&self, path: &str) -> PathBuf {
        self.scratch.path().join("system").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let at = self.at(path);
        std::fs::create_dir_all(at.parent().expect("a directory")).expect("a directory");
        std::fs::write(at, text).expect("a file");
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn has(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    fn mode(&self, path: &str) -> u32 {
        self.at(path).metadata().unwrap_or_else(|error| panic!("{path}: {error}")).permissions().mode() & 0o7777
    }

    /// Every file below, with what a change of it would change.
    fn fingerprint(&self) -> BTreeMap<PathBuf, (u64, u32, u64, i64)> {
        let root = self.at("");
        let one = |path: PathBuf| {
            let found = std::fs::symlink_metadata(root.join(&path)).expect("metadata");
            (path, (found.ino(), found.mode(), found.len(), found.mtime_nsec()))
        };
        walk(&root).into_iter().map(one).collect()
    }

    fn run(&self, args: &[&str]) -> Ended {
        let root = self.at("");
        let args: Vec<&str> = args.iter().copied().chain(["--root", root.to_str().expect("UTF-8")]).collect();
        finish(picloud(&self.scratch, &args))
    }

    /// What became of each thing, by its name.
    #[track_caller]
    fn done(&self, args: &[&str]) -> BTreeMap<String, String> {
        let ended = self.run(&[args, &["--json"]].concat());
        assert!(ended.status.success(), "{args:?}: {ended:?}");
        let steps: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
        let text = |step: &Value, key: &str| step[key].as_str().expect("a text").to_owned();
        steps.as_array().expect("steps").iter().map(|step| (text(step, "name"), text(step, "became"))).collect()
    }
}

/// One line, with this exit code and these words.
#[track_caller]
fn refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    assert_eq!(ended.stderr.lines().filter(|line| line.starts_with("picloud: ")).count(), 1, "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {ended:?}");
    }
}

#[test]
fn an_installation_is_there_as_a_whole_and_a_second_one_changes_nothing() {
    let system = System::debian();
    let steps = system.done(&["install"]);
    assert!(steps.len() == 6 && steps.values().all(|became| became == "made"), "{steps:?}");

    let itself = std::fs::read(env!("CARGO_BIN_EXE_picloud")).expect("the program");
    assert!(std::fs::read(system.at(PROGRAM)).expect("the program") == itself, "the program that was asked");
    assert!(system.read(UNIT).contains("\nExecStart=/usr/local/bin/picloud serve $SERVE_FLAGS\n"));
    assert_eq!(std::fs::read_link(system.at(LINK)).expect("a link"), Path::new("/etc/systemd/system/picloud.service"));
    assert!(system.read("etc/passwd").lines().any(|line| line.starts_with("picloud:") && line.ends_with(":/usr/sbin/nologin")));
    assert!(!system.has(DATA), "the service makes it, as its user");
    let modes = [PROGRAM, UNIT, SETTINGS, "etc/sysusers.d/picloud.conf"].map(|path| system.mode(path));
    assert_eq!(modes, [0o755, 0o644, 0o600, 0o644]);

    let before = system.fingerprint();
    let steps = system.done(&["install"]);
    let kept = steps.iter().filter(|(_, became)| *became == "kept").map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(kept, ["settings"], "{steps:?}");
    assert_eq!(steps.values().filter(|became| *became == "unchanged").count(), 5, "{steps:?}");
    assert_eq!(system.fingerprint(), before);
}

#[test]
fn an_update_replaces_what_is_ours_and_leaves_what_is_peoples() {
    let system = System::debian();
    system.done(&["install"]);
    system.write(PROGRAM, "an older one");
    std::fs::set_permissions(system.at(PROGRAM), std::fs::Permissions::from_mode(0o700)).expect("chmod");
    let first = system.read(UNIT).lines().next().expect("a line").to_owned();
    system.write(UNIT, &format!("{first}\n[Service]\nExecStart=/usr/local/bin/picloud serve --old\n"));
    system.write(SETTINGS, "PICLOUD_APPS_DOMAIN=apps.example.org\n");
    system.write("var/lib/picloud/secret.key", "theirs");
    let steps = system.done(&["install"]);
    let became: Vec<_> = ["program", "unit", "settings", "user"].iter().map(|name| steps[*name].as_str()).collect();
    assert_eq!(became, ["replaced", "replaced", "kept", "unchanged"]);
    assert!(system.read(UNIT).contains("serve $SERVE_FLAGS"));
    assert_eq!(system.read(SETTINGS), "PICLOUD_APPS_DOMAIN=apps.example.org\n");
    assert_eq!(system.read("var/lib/picloud/secret.key"), "theirs");
    assert_eq!(system.mode(PROGRAM), 0o755, "rights are mended, too");
}

#[test]
fn what_a_killed_installation_left_is_completed() {
    let system = System::debian();
    system.done(&["install"]);
    // As if it had ended after the program, in the midst of writing the unit.
    for path in [UNIT, LINK, SETTINGS] {
        std::fs::remove_file(system.at(path)).expect("removed");
    }
    system.write("etc/systemd/system/.picloud.service.picloud-new", "# Pi");
    system.done(&["install"]);
    assert!(system.has(UNIT) && system.has(LINK) && system.has(SETTINGS));
    assert!(!system.has("etc/systemd/system/.picloud.service.picloud-new"));
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let system = System::debian();
    let before = system.fingerprint();
    let ended = system.run(&["install", "--dry-run"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.stdout.matches("would be made").count(), 6, "{ended:?}");
    assert_eq!(system.fingerprint(), before);

    system.done(&["install"]);
    let before = system.fingerprint();
    let ended = system.run(&["uninstall", "--purge", "--dry-run"]);
    assert!(ended.stdout.contains("would be removed"), "{ended:?}");
    assert_eq!(system.fingerprint(), before);
}

#[test]
fn only_debian_and_what_is_made_of_it_is_installed_on() {
    for (release, name) in [("ID=fedora\nPRETTY_NAME=\"Fedora Linux 42\"\n", "Fedora Linux 42"), ("", "an unknown system")] {
        let system = System::debian();
        system.write("etc/os-release", release);
        let before = system.fingerprint();
        refused(&system.run(&["install"]), 1, &[name, "Debian", "hint: "]);
        assert_eq!(system.fingerprint(), before);
    }
    let system = System::debian();
    std::fs::remove_file(system.at("etc/os-release")).expect("removed");
    system.write("usr/lib/os-release", "ID=raspbian\nID_LIKE=debian\n");
    system.done(&["install"]);
}

#[test]
fn a_directory_that_is_no_system_is_refused() {
    let scratch = Scratch::new();
    for command in ["install", "uninstall"] {
        let root = scratch.path().to_str().expect("UTF-8");
        refused(&finish(picloud(&scratch, &[command, "--root", root])), 2, &["not the root of a system"]);
        refused(&finish(picloud(&scratch, &[command, "--root", "/nowhere/at/all"])), 1, &["/nowhere/at/all"]);
    }
}

#[test]
fn a_machine_without_systemd_is_told_so() {
    // Where systemd runs, nothing is tried but what would be done: this must not install anything.
    let runs = Path::new("/run/systemd/system").is_dir();
    let scratch = Scratch::new();
    let ended = finish(picloud(&scratch, if runs { &["install", "--dry-run"] } else { &["install"] }));
    if runs {
        assert!(ended.status.success() || ended.status.code() == Some(4), "{ended:?}");
    } else {
        refused(&ended, 1, &["systemd", "--root DIR"]);
    }
}

#[test]
fn a_package_and_an_installation_do_not_meet() {
    let system = System::debian();
    system.write("usr/lib/systemd/system/picloud.service", "of the package");
    let before = system.fingerprint();
    for command in ["install", "uninstall"] {
        refused(&system.run(&[command]), 11, &["as a package", "apt-get remove picloud"]);
    }
    assert_eq!(system.fingerprint(), before);
}

#[test]
fn a_unit_that_somebody_wrote_is_not_replaced() {
    let system = System::debian();
    system.write(UNIT, "[Service]\nExecStart=/opt/picloud serve\n");
    refused(&system.run(&["install"]), 11, &["not of picloud install", "systemctl edit picloud"]);
    assert_eq!(system.read(UNIT), "[Service]\nExecStart=/opt/picloud serve\n");
    assert!(!system.has(PROGRAM), "nothing was begun");
}

#[test]
fn uninstalling_keeps_settings_and_data_and_asks_first() {
    let system = System::debian();
    system.done(&["install"]);
    system.write("var/lib/picloud/secret.key", "theirs");
    let before = system.fingerprint();
    refused(&system.run(&["uninstall"]), 2, &["add --yes"]);
    assert_eq!(system.fingerprint(), before);

    let steps = system.done(&["uninstall", "--yes"]);
    for name in ["program", "unit", "started at boot"] {
        assert_eq!(steps[name], "removed", "{steps:?}");
    }
    for name in ["settings", "data", "user"] {
        assert_eq!(steps[name], "kept", "{steps:?}");
    }
    assert!(![PROGRAM, UNIT, LINK, "etc/sysusers.d/picloud.conf"].iter().any(|path| system.has(path)));
    assert_eq!(system.read("var/lib/picloud/secret.key"), "theirs");
    assert_eq!(system.mode(SETTINGS), 0o600);
    // Again, and back again.
    assert_eq!(system.done(&["uninstall", "--yes"])["program"], "absent");
    assert_eq!(system.done(&["install"])["settings"], "kept");
}

#[test]
fn purging_deletes_settings_and_data_and_nothing_that_links_lead_to() {
    let system = System::debian();
    system.done(&["install"]);
    system.write("var/lib/picloud/files/a", "theirs");
    system.write("srv/elsewhere", "kept");
    symlink(system.at("srv/elsewhere"), system.at("var/lib/picloud/link")).expect("a link");
    let before = system.fingerprint();
    refused(&system.run(&["uninstall", "--purge"]), 2, &["for good", "add --yes"]);
    assert_eq!(system.fingerprint(), before);

    let steps = system.done(&["uninstall", "--purge", "--yes"]);
    assert_eq!((steps["settings"].as_str(), steps["data"].as_str(), steps["user"].as_str()), ("removed", "removed", "kept"));
    assert!(!system.has(DATA) && !system.has("etc/picloud"));
    assert_eq!(system.read("srv/elsewhere"), "kept");
    assert!(system.read("etc/passwd").contains("picloud:"), "its number falls to nobody else");
}

/// With the program where it is: systemd looks for it.
#[test]
fn systemd_takes_the_installed_unit_as_it_is() {
    let system = System::debian();
    system.done(&["install"]);
    let program = system.at(PROGRAM);
    let unit = system.read(UNIT).replace("/usr/local/bin/picloud", program.to_str().expect("UTF-8"));
    system.write("verified/picloud.service", &unit);
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(system.at("verified/picloud.service"));
    let verified = verify.output().expect("systemd-analyze: .ci/setup installs it");
    let said = String::from_utf8_lossy(&verified.stderr);
    // Of this unit; the machine's own ones have their own faults.
    let ours: Vec<_> = said.lines().filter(|line| line.contains("picloud")).collect();
    assert!(ours.is_empty(), "{said}");
    // The control: it does look.
    system.write("verified/picloud.service", &unit.replace("KillMode=mixed", "KillMode=sometimes"));
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(system.at("verified/picloud.service"));
    let said = verify.output().expect("systemd-analyze").stderr;
    assert!(String::from_utf8_lossy(&said).contains("sometimes"), "{}", String::from_utf8_lossy(&said));
}
