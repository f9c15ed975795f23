//! Whom PostgreSQL runs as. It refuses root, so root hands over to an unprivileged user.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Error;

/// An unprivileged user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
    pub name: String,
}

/// The user to hand over to: the owner of existing data, else `postgres`, else `nobody`. `None`: no need, we are not root.
pub(super) fn choose(owner: Option<(u32, u32)>) -> Result<Option<Account>, Error> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    if let Some((uid, gid)) = owner {
        let known = users(&passwd).find(|user| user.uid == uid);
        return Ok(Some(known.unwrap_or_else(|| Account { uid, gid, name: format!("uid {uid}") })));
    }
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| users(&passwd).find(|user| user.name == *name && user.uid != 0))
        .map(Some)
        .ok_or_else(|| {
            Error::Server(
                "PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as; \
                 add one (useradd --system postgres) or start picloud as an ordinary user"
                    .to_owned(),
            )
        })
}

/// Makes `command` run as `account`, in `dir` (entered after the change, so that it must be within reach).
pub(super) fn run_as(command: &mut Command, account: Option<&Account>, dir: &Path) {
    if let Some(account) = account {
        // Supplementary groups are dropped with the uid.
        command.uid(account.uid).gid(account.gid);
    }
    command.current_dir(dir);
}

/// Asked of the system itself, by entering the directory as that user: mode bits alone would miss ACLs and mounts.
pub(super) fn can_reach(account: &Account, dir: &Path) -> bool {
    let Some(existing) = dir.ancestors().find(|dir| dir.is_dir()) else { return false };
    // A relative path's last ancestor is the empty one: the working directory.
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let mut command = Command::new("/bin/true");
    run_as(&mut command, Some(account), existing);
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::PermissionDenied,
    }
}

fn users(passwd: &str) -> impl Iterator<Item = Account> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { uid, gid, name })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_and_broken_lines_skipped() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\n\nbad:x:no:1::/:\n+::::::\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        let found: Vec<_> = users(passwd).map(|user| (user.name, user.uid, user.gid)).collect();
        assert_eq!(found, [("root".to_owned(), 0, 0), ("postgres".to_owned(), 101, 104)]);
    }

    #[test]
    fn root_hands_over_to_the_owner_of_the_data() {
        let chosen = choose(Some((4242, 4243))).unwrap();
        if rustix::process::geteuid().is_root() {
            let account = chosen.unwrap();
            assert_eq!((account.uid, account.gid, account.name.as_str()), (4242, 4243, "uid 4242"));
        } else {
            assert_eq!(chosen, None);
        }
    }
}
