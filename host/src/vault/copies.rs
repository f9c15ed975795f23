//! The master keys on their way into a backup, and out of one.

use std::path::Path;

use zeroize::Zeroizing;

use super::key_file::KeyFile;
use super::keyring::Keyring;
use super::{Error, Result, Vault, keyring_of_setting};
use crate::config::Hidden;
use crate::limits::MASTER_KEYS_MAX;

/// Master keys, of which only the ids are shown.
#[derive(Debug, Clone)]
pub struct KeyCopy(Keyring);

impl Vault {
    /// What this process holds.
    pub fn copy(&self) -> KeyCopy {
        KeyCopy((*self.ring()).clone())
    }
}

impl KeyCopy {
    /// Those of the key file in a data directory, where there is one.
    pub fn of_directory(data_dir: &Path) -> Result<Option<Self>> {
        Ok(KeyFile::in_directory(data_dir).read_if_there()?.map(Self))
    }

    /// Those of PICLOUD_SECRET_KEY.
    pub fn of_setting(setting: &Hidden) -> Result<Self> {
        Keyring::parse(setting.expose()).map(Self).map_err(keyring_of_setting)
    }

    /// What [`KeyCopy::to_text`] gave.
    pub fn read(text: &str) -> Result<Self> {
        Keyring::parse(text).map(Self).map_err(|_| Error::Damaged("the copy of the master keys"))
    }

    /// The keys themselves: for a backup, and nothing else.
    pub fn to_text(&self) -> Zeroizing<String> {
        self.0.to_text()
    }

    pub fn has(&self, id: &str) -> bool {
        self.0.find(id).is_some()
    }

    /// For people.
    pub fn ids(&self) -> String {
        self.0.ids()
    }

    /// Puts the keys into the key file of a data directory, before those that are there: none is lost. Whether the file was changed.
    pub fn place(&self, data_dir: &Path) -> Result<bool> {
        let file = KeyFile::in_directory(data_dir);
        let Some(there) = file.read_if_there()? else {
            file.make(&self.0)?;
            return Ok(true);
        };
        let first = there.ids().starts_with(&self.0.ids());
        if first {
            return Ok(false);
        }
        let both = Keyring::parse(&format!("{}{}", *self.0.to_text(), *there.to_text()));
        let both = both.map_err(|problem| {
            Error::File(format!(
                "the key file and the backup together: {problem} (at most {MASTER_KEYS_MAX}); move the file away"
            ))
        })?;
        file.change(|_| Ok(both))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(digit: char) -> KeyCopy {
        KeyCopy::read(&digit.to_string().repeat(64)).unwrap()
    }

    #[test]
    fn keys_go_where_none_are_and_before_those_that_are_there() {
        let home = tempfile::tempdir().unwrap();
        assert!(KeyCopy::of_directory(home.path()).unwrap().is_none());
        assert!(ring('1').place(home.path()).unwrap());
        assert!(!ring('1').place(home.path()).unwrap(), "they are there");
        assert!(ring('2').place(home.path()).unwrap());
        let there = KeyCopy::of_directory(home.path()).unwrap().unwrap();
        assert_eq!(there.ids(), format!("{}, {}", ring('2').ids(), ring('1').ids()));
        assert!(there.has(&ring('1').ids()) && !there.has(&ring('3').ids()));
        assert!(!ring('2').place(home.path()).unwrap());
        let text = there.to_text();
        assert_eq!(KeyCopy::read(&text).unwrap().ids(), there.ids());
    }

    #[test]
    fn no_more_keys_than_are_read_come_together() {
        let home = tempfile::tempdir().unwrap();
        let digits = "123456789abc".chars();
        for digit in digits.clone().take(MASTER_KEYS_MAX) {
            ring(digit).place(home.path()).unwrap();
        }
        let one_more = ring(digits.clone().nth(MASTER_KEYS_MAX).unwrap());
        assert!(one_more.place(home.path()).unwrap_err().to_string().contains("move the file away"));
        assert!(!format!("{one_more:?}").contains(&"9".repeat(8)));
    }
}
