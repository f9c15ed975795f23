//! A private place for the socket: a directory that only PostgreSQL's user (and root) may enter.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};

use super::Error;
use super::account::Account;
use super::directory::unusable;
use crate::limits::SOCKET_PATH_BYTES_MAX;

const NAME: &str = "run";

/// The directory, made if needed, and private.
pub(super) fn prepare(data_dir: &Path, account: Option<&Account>, port: u16) -> Result<PathBuf, Error> {
    let owner = account.map_or_else(ourselves, |account| (account.uid, account.gid));
    let dir = place(data_dir, port);
    make(&dir, owner).map_err(|e| match dir.starts_with(data_dir) {
        true => unusable(&dir, &e),
        false => Error::Directory(format!(
            "{} cannot hold PostgreSQL's socket ({e}); choose a shorter PICLOUD_DATA_DIR",
            dir.display()
        )),
    })?;
    Ok(dir)
}

/// Where it is: `run` in the data directory, or where that path is too long for a socket, a directory of its own under the
/// system's temporary one, named after the data directory.
pub(super) fn place(data_dir: &Path, port: u16) -> PathBuf {
    let near = data_dir.join(NAME);
    if fits(&near, port) {
        return near;
    }
    let digest = blake3::hash(data_dir.as_os_str().as_encoded_bytes()).to_hex();
    let name = format!("picloud-{}", digest.get(..16).unwrap_or_default());
    let candidates = [std::env::temp_dir(), PathBuf::from("/tmp")];
    candidates.into_iter().map(|dir| dir.join(&name)).find(|dir| fits(dir, port)).unwrap_or(near)
}

/// Removes a directory outside the data directory, which nobody else would.
pub(super) fn remove(dir: &Path) {
    if !dir.ends_with(NAME) {
        let _ = std::fs::remove_dir(dir);
    }
}

fn fits(dir: &Path, port: u16) -> bool {
    dir.join(format!(".s.PGSQL.{port}")).as_os_str().len() <= SOCKET_PATH_BYTES_MAX
}

fn ourselves() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// In a shared temporary directory someone may have been there first: what is not a directory of `owner` is refused.
fn make(dir: &Path, owner: (u32, u32)) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let found = std::fs::symlink_metadata(dir)?;
    if !found.is_dir() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else has its name"));
    }
    if found.uid() != owner.0 {
        if found.uid() != ourselves().0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to someone else"));
        }
        lchown(dir, Some(owner.0), Some(owner.1))?;
    }
    if found.mode() & 0o777 != 0o700 {
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_fits_and_one_more_does_not() {
        let longest = format!("/{}", "a".repeat(SOCKET_PATH_BYTES_MAX - "/.s.PGSQL.5432".len() - 1));
        assert!(fits(Path::new(&longest), 5432));
        assert!(!fits(Path::new(&format!("{longest}a")), 5432));
    }

    #[test]
    fn a_long_data_directory_gets_a_private_directory_elsewhere() {
        let home = tempfile::tempdir().unwrap();
        let long = home.path().join("d".repeat(100));
        std::fs::create_dir(&long).unwrap();
        let far = prepare(&long, None, 5432).unwrap();
        assert!(!far.starts_with(home.path()) && fits(&far, 5432));
        assert_eq!(std::fs::metadata(&far).unwrap().mode() & 0o777, 0o700);
        assert_eq!(prepare(&long, None, 5432).unwrap(), far, "found again after a crash");
        remove(&far);
        assert!(!far.exists());
    }

    #[test]
    fn a_directory_is_made_private_and_a_link_refused() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(NAME)).unwrap();
        std::fs::set_permissions(home.path().join(NAME), std::fs::Permissions::from_mode(0o777)).unwrap();
        let dir = prepare(home.path(), None, 5432).unwrap();
        assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        std::fs::remove_dir(&dir).unwrap();
        std::os::unix::fs::symlink("/", &dir).unwrap();
        assert!(prepare(home.path(), None, 5432).is_err());
    }
}
