//! Which machine this is, and whether PiCloud can be a service on it.

use std::path::Path;

use super::root::Root;
use super::{ENV_FILE, PACKAGED_UNIT};
use crate::cli::failure::{Exit, Failure, Result};
use crate::postgres;

/// Debian and what is made of it. Elsewhere users, units and PostgreSQL have other places, or none.
pub(super) fn judge(root: &Root) -> Result<()> {
    let release = match root.text("/etc/os-release")? {
        text if text.is_empty() => root.text("/usr/lib/os-release")?,
        text => text,
    };
    if !is_debian(&release) {
        let name = value(&release, "PRETTY_NAME").unwrap_or_else(|| "an unknown system".to_owned());
        return Err(Failure::new(
            Exit::Other,
            format!("this is {name}: picloud install knows Debian and what is made of it, Raspberry Pi OS for one"),
        )
        .hinting("docker/README.md says what a service of PiCloud needs; docker/picloud.service is its unit"));
    }
    if root.is_this_machine() && !Path::new("/run/systemd/system").is_dir() {
        return Err(Failure::new(Exit::Other, "this machine is not run by systemd: there is nothing to be a service of")
            .hinting(
                "in a container, start `picloud serve` itself (docker/Dockerfile); into a system that does not run: --root DIR",
            ));
    }
    Ok(())
}

/// Two of them on one machine would take each other's place.
pub(super) fn not_packaged(root: &Root, mend: &str) -> Result<()> {
    if root.has(PACKAGED_UNIT) {
        return Err(Failure::new(Exit::Conflict, "PiCloud is on this machine as a package").hinting(mend));
    }
    Ok(())
}

/// A service without any database would fail as soon as it is started.
pub(super) fn has_a_database(root: &Root) -> Result<()> {
    let settings = root.text(ENV_FILE)?;
    let is_set = |name: &str| value(&settings, name).is_some_and(|value| !value.is_empty());
    if is_set("DATABASE_URL") || is_set("DATABASE_URL_FILE") {
        return Ok(());
    }
    let binaries = value(&settings, "PICLOUD_POSTGRES_BIN").filter(|dir| !dir.is_empty());
    postgres::find(binaries.as_deref().map(Path::new)).map(|_| ()).map_err(|error| {
        Failure::from(error).hinting(format!(
            "without a PostgreSQL cluster of Debian's own beside it: `mkdir -p /etc/postgresql-common/createcluster.d && echo \
             create_main_cluster=false > /etc/postgresql-common/createcluster.d/picloud.conf && apt-get install postgresql`; \
             or name a database in {ENV_FILE}"
        ))
    })
}

/// By its own name, or by that of what it is made of.
fn is_debian(release: &str) -> bool {
    let names = |key: &str| value(release, key).unwrap_or_default();
    let (id, like) = (names("ID"), names("ID_LIKE"));
    matches!(id.as_str(), "debian" | "raspbian") || like.split_whitespace().any(|id| id == "debian")
}

/// What a file of assignments says of `name` last: one a line, with quotes or without, `#` before what does not count.
fn value(text: &str, name: &str) -> Option<String> {
    let found = text.lines().rev().find_map(|line| {
        let (key, value) = line.trim().split_once('=')?;
        (key.trim() == name).then(|| value.trim())
    })?;
    let quoted = |quote: char| found.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    Some(quoted('"').or_else(|| quoted('\'')).unwrap_or(found).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_is_known_by_its_name_and_by_its_family() {
        for release in [
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n",
            "ID=raspbian\nID_LIKE=debian\n",
            "ID=ubuntu\nID_LIKE=debian\n",
            "ID=\"linuxmint\"\nID_LIKE=\"ubuntu debian\"\n",
        ] {
            assert!(is_debian(release), "{release}");
        }
        for release in ["", "ID=fedora\n", "ID=arch\nPRETTY_NAME=debian\n", "#ID=debian\n", "ID_LIKE=debianish\n"] {
            assert!(!is_debian(release), "{release}");
        }
    }

    #[test]
    fn the_last_assignment_counts_and_a_comment_does_not() {
        let text = "A=1\n#A=3\n A = \"2\" \nB=\nC='x=y'\nD=\"\n";
        assert_eq!(value(text, "A").as_deref(), Some("2"));
        assert_eq!(value(text, "B").as_deref(), Some(""));
        assert_eq!(value(text, "C").as_deref(), Some("x=y"));
        assert_eq!(value(text, "D").as_deref(), Some("\""));
        assert_eq!(value(text, "E"), None);
    }
}
