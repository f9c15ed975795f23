//! Envelope encryption: the only home of key material. Knows no database.
//!
//! A *master key* is never in the database: `keyring` reads it from the setting, `key_file` keeps it in the data directory. It
//! wraps *data keys*, which the database holds wrapped; a data key seals secrets. Everything is XChaCha20-Poly1305 with a
//! random nonce of 24 bytes, stored as nonce, ciphertext, tag.
//!
//! Invariants: what is sealed is bound to its app, its name and its data key, a wrapped key to its id and its master key, so
//! that none opens in another's place. Keys are wiped when they are dropped, and nothing here prints one: a key is named by
//! its *id*, sixteen hex digits derived from it one way. `links` derives another key from it, which seals preview links.
//!
//! Several master keys may be held at once, the first to wrap and all to unwrap: that is how one is replaced by another with
//! every data key readable at every moment. A node that meets a data key of a master key it does not hold reads the file again.
//!
//! Crashes: the file is replaced whole. A key file that was not made to the end is none.

mod copies;
mod key_file;
mod keyring;
mod links;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand::TryRng as _;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use crate::config::Hidden;
use crate::id::{AppId, DataKeyId};
use crate::model::secret::{Secret, WrappedKey};

pub use copies::KeyCopy;
pub use key_file::NAME as KEY_FILE;

use key_file::KeyFile;
use keyring::{Keyring, MasterKey};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// What went wrong, in one line; no line holds key material or what was sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// PICLOUD_SECRET_KEY cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The key file cannot be used.
    #[error("{0}")]
    File(String),
    /// Stored keys are wrapped with a master key that is not held here.
    #[error("{0}")]
    Missing(String),
    /// Stored bytes are not what was sealed for this place.
    #[error("{0} does not open: what is stored was changed, or belongs elsewhere")]
    Damaged(&'static str),
    /// The system has no random bytes to give.
    #[error("no random bytes: {0}")]
    Random(String),
}

type Result<T, E = Error> = std::result::Result<T, E>;

/// 32 secret bytes, wiped when dropped.
#[derive(Clone)]
struct KeyBytes(Zeroizing<[u8; KEY_BYTES]>);

/// A data key, open.
#[derive(Clone)]
pub struct DataKey {
    pub id: DataKeyId,
    key: KeyBytes,
}

/// The master keys of this process, and where they came from.
#[derive(Debug)]
pub struct Vault {
    ring: Mutex<Arc<Keyring>>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// PICLOUD_SECRET_KEY.
    Setting,
    File(KeyFile),
}

/// What a caller sees of it is an id; the line is logged.
impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        Self::internal(error)
    }
}

impl Vault {
    /// With the keys of the setting, or else with those of the key file in the data directory, which is made when there is none.
    pub fn open(data_dir: &Path, setting: Option<&Hidden>) -> Result<Self> {
        let (ring, source) = match setting {
            Some(text) => (Keyring::parse(text.expose()).map_err(keyring_of_setting)?, Source::Setting),
            None => {
                let file = KeyFile::in_directory(data_dir);
                (file.read_or_make()?, Source::File(file))
            }
        };
        Ok(Self { ring: Mutex::new(Arc::new(ring)), source })
    }

    /// Fails, naming the keys, unless every one of them opens.
    pub fn check(&self, keys: &[WrappedKey]) -> Result<()> {
        keys.iter().try_for_each(|key| self.unwrap(key).map(drop))
    }

    /// A new data key, and what to store of it.
    ///
    /// # Errors
    /// `File` when the key file, which is read again so that a replaced master key is not used, cannot be.
    pub fn make_data_key(&self, id: DataKeyId) -> Result<(DataKey, WrappedKey)> {
        self.reload()?;
        let key = DataKey { id, key: KeyBytes::random()? };
        let wrapped = wrap(self.ring().first(), &key)?;
        Ok((key, wrapped))
    }

    pub fn unwrap(&self, key: &WrappedKey) -> Result<DataKey> {
        if self.ring().find(&key.master_key_id).is_none() {
            self.reload()?;
        }
        let ring = self.ring();
        let master = ring.find(&key.master_key_id).ok_or_else(|| self.missing(&key.master_key_id))?;
        let opened = open(&master.key, &wrapping(key.id, &key.master_key_id), &key.wrapped);
        let opened = opened.ok_or(Error::Damaged("a data key"))?;
        Ok(DataKey { id: key.id, key: KeyBytes::copied(&opened).ok_or(Error::Damaged("a data key"))? })
    }

    /// The same data key under the first master key; `None` when it is that one's already.
    pub fn rewrap(&self, key: &WrappedKey) -> Result<Option<WrappedKey>> {
        let opened = self.unwrap(key)?;
        let ring = self.ring();
        if ring.first().id == key.master_key_id { Ok(None) } else { wrap(ring.first(), &opened).map(Some) }
    }

    /// Puts a new master key before the others, on disk too; unless a replacement was begun and not ended, which then goes on.
    /// Keys of the setting are not ours to change: they stay.
    pub fn begin_replacing_master_key(&self) -> Result<()> {
        let Source::File(file) = &self.source else { return Ok(()) };
        self.hold(
            file.change(|ring| Ok(if ring.is_single() { ring.with_first(MasterKey::new(KeyBytes::random()?)) } else { ring }))?,
        );
        Ok(())
    }

    /// Drops all master keys but the first, on disk too. To be done once nothing is wrapped with them.
    pub fn end_replacing_master_key(&self) -> Result<()> {
        let Source::File(file) = &self.source else { return Ok(()) };
        self.hold(file.change(|ring| Ok(ring.first_alone()))?);
        Ok(())
    }

    /// The id of the master key that wraps.
    pub fn master_key_id(&self) -> String {
        self.ring().first().id.clone()
    }

    /// How many master keys are held.
    pub fn master_keys(&self) -> usize {
        self.ring().len()
    }

    /// Whether the master key is a setting, and so not ours to replace.
    pub fn is_from_setting(&self) -> bool {
        matches!(self.source, Source::Setting)
    }

    /// For people: where the master key is.
    pub fn shown(&self) -> String {
        match &self.source {
            Source::Setting => "PICLOUD_SECRET_KEY".to_owned(),
            Source::File(file) => file.path().display().to_string(),
        }
    }

    fn reload(&self) -> Result<()> {
        if let Source::File(file) = &self.source {
            self.hold(file.read()?);
        }
        Ok(())
    }

    fn hold(&self, ring: Keyring) {
        *self.lock() = Arc::new(ring);
    }

    fn ring(&self) -> Arc<Keyring> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Keyring>> {
        // What is behind it is replaced whole: a panic elsewhere leaves nothing half done.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missing(&self, expected: &str) -> Error {
        let (held, shown) = (self.ring().ids(), self.shown());
        let mend = match &self.source {
            Source::Setting => "set PICLOUD_SECRET_KEY to the key that the other nodes have".to_owned(),
            Source::File(_) => {
                "bring that file back from a backup, or set PICLOUD_SECRET_KEY to the key that the other nodes have".to_owned()
            }
        };
        Error::Missing(format!(
            "the secrets in the database are locked with the master key {expected}, and {shown} holds {held}: {mend}"
        ))
    }
}

impl DataKey {
    /// Seals a secret for its place.
    pub fn seal(&self, app: AppId, name: &str, secret: &Secret) -> Result<Vec<u8>> {
        seal(&self.key, &place(app, name, self.id), secret.expose().as_bytes())
    }

    /// Opens what was sealed for this place, and nothing else.
    pub fn open(&self, app: AppId, name: &str, sealed: &[u8]) -> Result<Secret> {
        let opened = open(&self.key, &place(app, name, self.id), sealed).ok_or(Error::Damaged("a secret"))?;
        let text = std::str::from_utf8(&opened).map_err(|_| Error::Damaged("a secret"))?;
        Ok(Secret::new(text.to_owned()))
    }
}

impl KeyBytes {
    fn random() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    fn copied(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let mut key = Key::from(*self.0);
        let cipher = XChaCha20Poly1305::new(&key);
        zeroize::Zeroize::zeroize(key.as_mut_slice());
        cipher
    }
}

impl std::fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyBytes(…)")
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataKey").field("id", &self.id).finish_non_exhaustive()
    }
}

fn keyring_of_setting(problem: keyring::Problem) -> Error {
    Error::Setting(format!(
        "PICLOUD_SECRET_KEY {problem}; write 32 random bytes in hex or base64, as `openssl rand -hex 32` makes them"
    ))
}

fn wrap(master: &MasterKey, key: &DataKey) -> Result<WrappedKey> {
    let wrapped = seal(&master.key, &wrapping(key.id, &master.id), &*key.key.0)?;
    Ok(WrappedKey { id: key.id, master_key_id: master.id.clone(), wrapped })
}

/// What a wrapped key is bound to. Parts of fixed length come first, so no two places read the same.
fn wrapping(id: DataKeyId, master_key_id: &str) -> Vec<u8> {
    [&b"picloud data key 1\0"[..], id.0.as_bytes(), master_key_id.as_bytes()].concat()
}

/// What a secret is bound to.
fn place(app: AppId, name: &str, key: DataKeyId) -> Vec<u8> {
    [&b"picloud secret 1\0"[..], app.0.as_bytes(), key.0.as_bytes(), name.as_bytes()].concat()
}

fn seal(key: &KeyBytes, aad: &[u8], msg: &[u8]) -> Result<Vec<u8>> {
    let mut nonce = [0; NONCE_BYTES];
    fill(&mut nonce)?;
    // It fails only past 256 GiB.
    let sealed = key.cipher().encrypt(&XNonce::from(nonce), Payload { msg, aad }).map_err(|_| Error::Damaged("a secret"))?;
    Ok([&nonce[..], &sealed].concat())
}

fn open(key: &KeyBytes, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, msg) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    key.cipher().decrypt(&XNonce::from(*nonce), Payload { msg, aad }).ok().map(Zeroizing::new)
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    SysRng.try_fill_bytes(bytes).map_err(|e| Error::Random(e.to_string()))
}

#[cfg(test)]
mod tests;
