//! The tokens that logins left, by node: one file that nobody else can read. It is written whole, by a rename.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use crate::cli::failure::{Exit, Failure, Result};
use crate::limits;
use crate::model::secret::Secret;

const FILE: &str = "credentials.json";

pub(super) struct Credentials {
    path: PathBuf,
    stored: Stored,
}

#[derive(Default, Serialize, Deserialize)]
struct Stored {
    /// The node of the last login.
    last: Option<String>,
    nodes: BTreeMap<String, Login>,
}

#[derive(Serialize, Deserialize)]
struct Login {
    username: String,
    token: String,
}

impl Credentials {
    /// Those of this user; none when there is no file.
    pub(super) fn open() -> Result<Self> {
        let config = std::env::var_os("XDG_CONFIG_HOME").filter(|dir| Path::new(dir).is_absolute()).map(PathBuf::from);
        let home = || std::env::var_os("HOME").filter(|home| !home.is_empty()).map(|home| PathBuf::from(home).join(".config"));
        let config = config.or_else(home).ok_or_else(|| {
            Failure::new(Exit::Usage, "there is no place for credentials: set HOME or XDG_CONFIG_HOME, or use PICLOUD_TOKEN")
        })?;
        Self::at(config.join("picloud").join(FILE))
    }

    fn at(path: PathBuf) -> Result<Self> {
        let failed = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", path.display()));
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { path, stored: Stored::default() }),
            Err(error) => return Err(failed(format!("cannot be read: {error}"))),
        };
        let mode = file.metadata().map_err(|error| failed(format!("cannot be read: {error}")))?.permissions().mode();
        if mode & 0o077 != 0 {
            let mend = format!("others may read it (mode {:03o}): chmod 600 {}", mode & 0o777, path.display());
            return Err(failed(format!("{mend}, and log in anew if somebody may have")));
        }
        let mut text = String::new();
        let read = file.take(limits::CLIENT_CREDENTIALS_BYTES_MAX as u64).read_to_string(&mut text);
        read.map_err(|error| failed(format!("cannot be read: {error}")))?;
        // The parser's words may quote what it found.
        let stored = serde_json::from_str(&text).map_err(|_| failed("is damaged: remove it and log in anew".to_owned()))?;
        Ok(Self { path, stored })
    }

    pub(super) fn token(&self, node: &Origin) -> Option<Secret> {
        self.stored.nodes.get(node.as_str()).map(|login| Secret::new(login.token.clone()))
    }

    /// The node of the last login.
    pub(super) fn last(&self) -> Option<&str> {
        self.stored.last.as_deref()
    }

    pub(super) fn keep(&mut self, node: &Origin, username: &str, token: &Secret) -> Result<()> {
        let login = Login { username: username.to_owned(), token: token.expose().to_owned() };
        self.stored.nodes.insert(node.as_str().to_owned(), login);
        self.stored.last = Some(node.as_str().to_owned());
        self.write()
    }

    pub(super) fn forget(&mut self, node: &Origin) -> Result<()> {
        self.stored.nodes.remove(node.as_str());
        if self.stored.last.as_deref() == Some(node.as_str()) {
            self.stored.last = None;
        }
        self.write()
    }

    fn write(&self) -> Result<()> {
        self.replace().map_err(|e| Failure::new(Exit::Other, format!("{} cannot be written: {e}", self.path.display())))
    }

    fn replace(&self) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let part = directory.join(format!("{FILE}.{}.part", std::process::id()));
        match std::fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let done = self.write_to(&part).and_then(|()| std::fs::rename(&part, &self.path));
        if done.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        done
    }

    fn write_to(&self, part: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part)?;
        file.write_all(&serde_json::to_vec_pretty(&self.stored)?)?;
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    #[test]
    fn a_token_is_kept_for_its_node_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep").join("picloud").join(FILE);
        let mut credentials = Credentials::at(path.clone()).unwrap();
        assert!(credentials.last().is_none());
        credentials.keep(&node("http://127.0.0.1:8081"), "ada", &Secret::new("pics_a".to_owned())).unwrap();
        credentials.keep(&node("https://pi.lan"), "ada", &Secret::new("pics_b".to_owned())).unwrap();

        let again = Credentials::at(path.clone()).unwrap();
        let token = |text: &str| again.token(&node(text)).map(|token| token.expose().to_owned());
        assert_eq!(token("http://127.0.0.1:8081").as_deref(), Some("pics_a"));
        assert_eq!(token("https://pi.lan/").as_deref(), Some("pics_b"));
        for other in ["http://pi.lan", "https://pi.lan:8443", "http://127.0.0.1:8082", "https://127.0.0.1:8081"] {
            assert_eq!(token(other), None, "{other}");
        }
        assert_eq!(again.last(), Some("https://pi.lan"));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_is_forgotten_is_gone_from_the_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(FILE);
        let mut credentials = Credentials::at(path.clone()).unwrap();
        credentials.keep(&node("https://pi.lan"), "ada", &Secret::new("pics_b".to_owned())).unwrap();
        credentials.forget(&node("https://pi.lan")).unwrap();
        assert!(!std::fs::read_to_string(&path).unwrap().contains("pics_b"));
        assert!(Credentials::at(path).unwrap().last().is_none());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_how_to_mend_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(FILE);
        std::fs::write(&path, r#"{"last": null, "nodes": {}}"#).unwrap();
        for (mode, taken) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o644, false), (0o660, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            match Credentials::at(path.clone()) {
                Ok(_) => assert!(taken, "{mode:o}"),
                Err(failure) => {
                    let line = failure.into_line();
                    assert!(!taken && line.contains(&format!("chmod 600 {}", path.display())), "{mode:o}: {line}");
                }
            }
        }
    }

    #[test]
    fn a_file_that_is_too_long_is_no_file_of_ours() {
        let home = tempfile::tempdir().unwrap();
        let (path, text) = (home.path().join(FILE), r#"{"last": null, "nodes": {}}"#);
        let most = limits::CLIENT_CREDENTIALS_BYTES_MAX;
        for (bytes, taken) in [(most, true), (most + 1, false)] {
            std::fs::write(&path, format!("{}{text}", " ".repeat(bytes - text.len()))).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(Credentials::at(path.clone()).is_ok(), taken, "{bytes}");
        }
    }

    #[test]
    fn a_damaged_file_is_not_quoted() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(FILE);
        std::fs::write(&path, r#"{"nodes": "pics_hush"}"#).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let line = Credentials::at(path).err().unwrap().into_line();
        assert!(line.contains("is damaged") && !line.contains("hush"), "{line}");
    }
}
