//! Finds an installed PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;
use super::account::{Account, run_as};
use crate::limits::POSTGRES_MAJOR_MIN;

/// `initdb` and `postgres` of one installed PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    pub dir: PathBuf,
    pub major: u32,
    /// As PostgreSQL says it: `15.14`.
    pub version: String,
}

impl Binaries {
    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }
}

/// The newest PostgreSQL, or the newest of `major` when data of that version exists, that `account` can run.
pub(super) fn find(chosen: Option<&Path>, major: Option<u32>, account: Option<&Account>) -> Result<Binaries, Error> {
    let places = match chosen {
        Some(dir) if is_place(dir) => vec![dir.to_owned()],
        Some(dir) => {
            let dir = dir.display();
            return Err(Error::Server(format!("PICLOUD_POSTGRES_BIN={dir}: there is no initdb and postgres in it")));
        }
        None => places(),
    };
    let mut found = Vec::new();
    let mut unusable = None;
    for dir in places {
        match ask_version(&dir, account) {
            Ok(binaries) => found.push(binaries),
            Err(reason) => unusable = Some(reason),
        }
    }
    choose(found, major).map_err(|why| match (why, unusable, major) {
        (Unfit::None, Some(reason), _) => Error::Server(reason),
        (Unfit::None, None, Some(major)) => Error::Server(missing(&format!("postgresql-{major}"))),
        (Unfit::None, None, None) => Error::Server(missing("postgresql")),
        (Unfit::TooOld(version), ..) => Error::Server(format!(
            "PostgreSQL {version} is too old: version {POSTGRES_MAJOR_MIN} or newer is needed; \
             install one, or point DATABASE_URL at one"
        )),
        (Unfit::OtherMajor { data, installed }, ..) => Error::Directory(format!(
            "the data directory holds a PostgreSQL {data} database, and only PostgreSQL {installed} is installed; \
             install PostgreSQL {data} (apt-get install postgresql-{data}), \
             or dump with the old version and restore with the new one"
        )),
    })
}

fn missing(package: &str) -> String {
    format!(
        "PostgreSQL is not installed (initdb and postgres, version {POSTGRES_MAJOR_MIN} or newer); \
         install it (apt-get install {package}), name its directory in PICLOUD_POSTGRES_BIN, or set DATABASE_URL"
    )
}

#[derive(Debug, PartialEq, Eq)]
enum Unfit {
    None,
    TooOld(String),
    OtherMajor { data: u32, installed: String },
}

/// Candidates stand best first within one version.
fn choose(found: Vec<Binaries>, major: Option<u32>) -> Result<Binaries, Unfit> {
    let mut versions: Vec<String> = found.iter().map(|binaries| binaries.version.clone()).collect();
    versions.dedup();
    let Some(newest) = found.iter().map(|binaries| binaries.major).max() else { return Err(Unfit::None) };
    let wanted = major.unwrap_or(newest);
    match found.into_iter().find(|binaries| binaries.major == wanted) {
        Some(binaries) if wanted >= POSTGRES_MAJOR_MIN => Ok(binaries),
        Some(binaries) => Err(Unfit::TooOld(binaries.version)),
        None => Err(Unfit::OtherMajor { data: wanted, installed: versions.join(", ") }),
    }
}

/// Where distributions put the server: Debian, Red Hat, Alpine, then the path.
fn places() -> Vec<PathBuf> {
    let mut versioned: Vec<(u32, PathBuf)> = Vec::new();
    for (parent, prefix, below) in
        [("/usr/lib/postgresql", "", "bin"), ("/usr", "pgsql-", "bin"), ("/usr/libexec", "postgresql", "")]
    {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(prefix)).and_then(|version| version.parse().ok());
            if let Some(version) = version {
                versioned.push((version, entry.path().join(below)));
            }
        }
    }
    versioned.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = versioned.into_iter().map(|(_, dir)| dir).collect();
    places.extend(std::env::split_paths(&path).filter(|dir| dir.is_absolute()));
    places.retain(|dir| is_place(dir));
    places
}

fn is_place(dir: &Path) -> bool {
    dir.join("initdb").is_file() && dir.join("postgres").is_file()
}

fn ask_version(dir: &Path, account: Option<&Account>) -> Result<Binaries, String> {
    let program = dir.join("postgres");
    let mut command = Command::new(&program);
    run_as(&mut command, account, Path::new("/"));
    let whom = account.map_or_else(|| "this user".to_owned(), |account| account.name.clone());
    let output = command
        .arg("--version")
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{} cannot be run by {whom}: {e}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (major, version) = parse_version(&text)
        .ok_or_else(|| format!("{} --version says {:?}, which is no PostgreSQL version", program.display(), text.trim()))?;
    Ok(Binaries { dir: dir.to_owned(), major, version })
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, `postgres (PostgreSQL) 18beta1`.
fn parse_version(text: &str) -> Option<(u32, String)> {
    let version = text.split_once("(PostgreSQL)")?.1.split_whitespace().next()?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((digits.parse().ok()?, version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(major: u32) -> Binaries {
        Binaries { dir: PathBuf::from(format!("/pg/{major}")), major, version: format!("{major}.1") }
    }

    #[test]
    fn versions_are_read_as_distributions_print_them() {
        let read = |text| parse_version(text).map(|(major, version)| format!("{major} {version}"));
        assert_eq!(read("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n").as_deref(), Some("15 15.14"));
        assert_eq!(read("postgres (PostgreSQL) 18beta1").as_deref(), Some("18 18beta1"));
        assert_eq!(read("postgres (PostgreSQL) "), None);
        assert_eq!(read("something else 15"), None);
    }

    #[test]
    fn the_newest_is_taken_and_data_keeps_its_version() {
        let all = || vec![binaries(14), binaries(17), binaries(15)];
        assert_eq!(choose(all(), None).unwrap().major, 17);
        assert_eq!(choose(all(), Some(14)).unwrap().major, 14);
        assert_eq!(choose(all(), Some(16)), Err(Unfit::OtherMajor { data: 16, installed: "14.1, 17.1, 15.1".to_owned() }));
    }

    #[test]
    fn none_and_too_old_are_told_apart() {
        assert_eq!(choose(vec![], None), Err(Unfit::None));
        assert_eq!(choose(vec![binaries(13)], None), Err(Unfit::TooOld("13.1".to_owned())));
        assert_eq!(choose(vec![binaries(14)], None).unwrap().major, 14);
    }
}
