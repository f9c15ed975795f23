//! Secrets in files, one for each secret setting: as Docker, Kubernetes and systemd hand them to a process. What is in a file is
//! in no environment, which children inherit and `docker inspect` prints.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Hidden, Settings};

/// Where secret settings are read from when they are not given themselves.
#[derive(Debug, Clone, Default, Args)]
pub struct SecretFiles {
    /// A file with DATABASE_URL in its only line.
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "PATH", value_parser = parse_path, help_heading = "Secrets in files")]
    pub database_url_file: Option<PathBuf>,

    /// A file with PICLOUD_SECRET_KEY in its only line.
    #[arg(long, env = "PICLOUD_SECRET_KEY_FILE", value_name = "PATH", value_parser = parse_path, help_heading = "Secrets in files")]
    pub secret_key_file: Option<PathBuf>,

    /// A file with PICLOUD_ADMIN_PASSWORD in its only line.
    #[arg(long, env = "PICLOUD_ADMIN_PASSWORD_FILE", value_name = "PATH", value_parser = parse_path, help_heading = "Secrets in files")]
    pub admin_password_file: Option<PathBuf>,

    /// A file with PICLOUD_SMTP_URL in its only line.
    #[arg(long, env = "PICLOUD_SMTP_URL_FILE", value_name = "PATH", value_parser = parse_path, help_heading = "Secrets in files")]
    pub smtp_url_file: Option<PathBuf>,
}

impl Settings {
    /// With what the files of secrets say in its place. A file that is missing, empty, of several lines or of more than `bytes_max`
    /// is refused in one line that does not quote it, and so is a setting that is given both ways.
    pub fn with_files(mut self, bytes_max: u64) -> Result<Self, String> {
        let files = &self.files;
        let read = |variable, given, file| read(variable, given, file, bytes_max);
        let url = read("DATABASE_URL", self.database_url.as_deref(), files.database_url_file.as_deref())?;
        let key = read("PICLOUD_SECRET_KEY", self.secret_key.as_ref().map(Hidden::expose), files.secret_key_file.as_deref())?;
        let password = read("PICLOUD_ADMIN_PASSWORD", self.admin_password.as_deref(), files.admin_password_file.as_deref())?;
        let smtp = read("PICLOUD_SMTP_URL", self.smtp_url.as_ref().map(Hidden::expose), files.smtp_url_file.as_deref())?;
        self.database_url = url.or(self.database_url);
        self.secret_key = key.map(Hidden::new).or(self.secret_key);
        self.admin_password = password.or(self.admin_password);
        self.smtp_url = smtp.map(Hidden::new).or(self.smtp_url);
        Ok(self)
    }

    /// The file that the setting `id` is read from.
    pub fn file_of(&self, id: &str) -> Option<&Path> {
        match id {
            "database_url" => self.files.database_url_file.as_deref(),
            "secret_key" => self.files.secret_key_file.as_deref(),
            "admin_password" => self.files.admin_password_file.as_deref(),
            "smtp_url" => self.files.smtp_url_file.as_deref(),
            _ => None,
        }
    }
}

/// Nothing too: compose files leave variables empty that are not set.
fn parse_path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(PathBuf::from(text))
}

/// The line in the file, where there is to be one. A variable that is set to nothing counts as not set.
fn read(variable: &str, given: Option<&str>, file: Option<&Path>, bytes_max: u64) -> Result<Option<String>, String> {
    let Some(path) = file.filter(|path| !path.as_os_str().is_empty()) else { return Ok(None) };
    if given.is_some_and(|given| !given.trim().is_empty()) {
        return Err(format!("{variable} and {variable}_FILE are both set: leave one of them out"));
    }
    let wrong = |why: &str| format!("{variable}_FILE: {} {why}", path.display());
    let mut bytes = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes));
    opened.map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > bytes_max {
        return Err(wrong(&format!("holds more than {bytes_max} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("is no UTF-8"))?;
    match text.trim() {
        "" => Err(wrong("is empty")),
        line if line.contains(['\n', '\r', '\0']) => Err(wrong("holds more than one line")),
        line => Ok(Some(line.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    const MOST: u64 = 64;

    fn settings(arguments: &[&str]) -> Settings {
        let command = Settings::augment_args(clap::Command::new("it"));
        let matches = command.get_matches_from(std::iter::once("it").chain(arguments.iter().copied()));
        Settings::from_arg_matches(&matches).unwrap()
    }

    fn refusal(arguments: &[&str]) -> String {
        let refusal = settings(arguments).with_files(MOST).unwrap_err();
        assert!(!refusal.contains("hush"), "{refusal}");
        refusal
    }

    #[test]
    fn each_secret_is_taken_from_its_file_without_the_space_around_it() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = home.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (url, key) = (write("url", "postgres://a:hush@b/c\n"), write("key", "  k\r\n"));
        let (password, smtp) = (write("password", "hush hush hush"), write("smtp", "smtp://a\n\n"));
        let read = settings(&[
            "--database-url-file",
            &url,
            "--secret-key-file",
            &key,
            "--admin-password-file",
            &password,
            "--smtp-url-file",
            &smtp,
        ])
        .with_files(MOST)
        .unwrap();
        assert_eq!(read.database_url.as_deref(), Some("postgres://a:hush@b/c"));
        assert_eq!(read.secret_key.as_ref().map(Hidden::expose), Some("k"));
        assert_eq!(read.admin_password.as_deref(), Some("hush hush hush"));
        assert_eq!(read.smtp_url.as_ref().map(Hidden::expose), Some("smtp://a"));
        assert_eq!(read.file_of("secret_key"), Some(Path::new(&key)));
    }

    #[test]
    fn without_files_everything_stays_as_it_was() {
        let read = settings(&["--database-url", "postgres://a", "--admin-password-file", ""]).with_files(MOST).unwrap();
        assert_eq!((read.database_url.as_deref(), read.admin_password), (Some("postgres://a"), None));
    }

    #[test]
    fn a_file_that_is_missing_or_a_directory_or_empty_or_binary_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("it");
        let shown = path.display().to_string();
        let said = refusal(&["--secret-key-file", &shown]);
        assert!(said.starts_with(&format!("PICLOUD_SECRET_KEY_FILE: {shown} cannot be read")), "{said}");
        assert!(refusal(&["--secret-key-file", &home.path().display().to_string()]).contains("cannot be read"));
        for (content, why) in [
            (&b""[..], "is empty"),
            (b" \n", "is empty"),
            (b"hush\nhush\n", "more than one line"),
            (b"hush\0", "more than one line"),
            (b"hush\xff", "is no UTF-8"),
        ] {
            std::fs::write(&path, content).unwrap();
            assert!(refusal(&["--secret-key-file", &shown]).ends_with(why), "{content:?}");
        }
    }

    #[test]
    fn a_file_may_hold_so_many_bytes_and_not_one_more() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("it");
        let most = usize::try_from(MOST).unwrap();
        std::fs::write(&path, "a".repeat(most)).unwrap();
        let shown = path.display().to_string();
        let read = settings(&["--admin-password-file", &shown]).with_files(MOST).unwrap();
        assert_eq!(read.admin_password.map(|password| password.len()), Some(most));
        std::fs::write(&path, "a".repeat(most + 1)).unwrap();
        assert!(refusal(&["--admin-password-file", &shown]).ends_with("holds more than 64 bytes"));
    }

    #[test]
    fn a_secret_given_both_ways_is_refused_for_each_of_them() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("it");
        std::fs::write(&path, "hush").unwrap();
        let shown = path.display().to_string();
        for (flag, variable) in [
            ("--database-url", "DATABASE_URL"),
            ("--secret-key", "PICLOUD_SECRET_KEY"),
            ("--admin-password", "PICLOUD_ADMIN_PASSWORD"),
            ("--smtp-url", "PICLOUD_SMTP_URL"),
        ] {
            let file = format!("{flag}-file");
            let said = refusal(&[flag, "hush", &file, &shown]);
            assert_eq!(said, format!("{variable} and {variable}_FILE are both set: leave one of them out"));
            // Set to nothing is not set.
            assert!(settings(&[flag, "", &file, &shown]).with_files(MOST).is_ok());
        }
    }
}
