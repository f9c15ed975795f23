//! Who can read a repository: a random key, wrapped with one that is made of a passphrase. It gives two more, of which one addresses
//! chunks, so that names tell nothing, and the other seals them, each for its address.
//!
//! A repository that is not encrypted has the same shape: its addresses are keyed with what everybody knows, and a checksum stands in
//! for the seal. Nothing here prints a key.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Error, MARK, Result};
use crate::limits;
use crate::model::backup::{ChunkId, SnapshotId};

const FORMAT: u64 = 1;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const SALT_BYTES: usize = 16;
/// What a chunk begins with: what it is, and the number of its form.
const PLAIN: &[u8] = b"picloud chunk 1 plain\n";
const SEALED: &[u8] = b"picloud chunk 1 sealed\n";
const LEVEL: i32 = 3;

type KeyBytes = Zeroizing<[u8; KEY_BYTES]>;

/// The keys of an open repository.
pub(super) struct Keys {
    addresses: KeyBytes,
    contents: Option<KeyBytes>,
}

/// The first file of a repository.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Mark {
    format: u64,
    encryption: Option<Encryption>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Encryption {
    kdf: Kdf,
    /// Base64.
    salt: String,
    /// Base64 of nonce, ciphertext, tag.
    wrapped: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
enum Kdf {
    Argon2id { memory_kib: u32, passes: u32 },
}

impl Mark {
    /// With a key of its own where there is a passphrase.
    pub(super) fn new(passphrase: Option<&[u8]>) -> Result<Self> {
        let Some(passphrase) = passphrase else { return Ok(Self { format: FORMAT, encryption: None }) };
        let salt: [u8; SALT_BYTES] = random()?;
        let kdf = Kdf::Argon2id { memory_kib: limits::BACKUP_KDF_KIB_DEFAULT, passes: limits::BACKUP_KDF_PASSES_DEFAULT };
        let damaged = |why| Error::Damaged { what: MARK.to_owned(), why };
        let outer = kdf.derive(passphrase, &salt).ok_or_else(|| damaged("its parameters are none"))?;
        let root: KeyBytes = Zeroizing::new(random()?);
        let wrapped = seal(&outer, WRAPPING, &*root)?.ok_or_else(|| damaged("its key cannot be wrapped"))?;
        let encryption = Encryption { kdf, salt: STANDARD.encode(salt), wrapped: STANDARD.encode(wrapped) };
        Ok(Self { format: FORMAT, encryption: Some(encryption) })
    }

    /// One line of JSON, and one with its checksum.
    pub(super) fn to_text(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{json}\n{}\n", blake3::hash(json.as_bytes()).to_hex())
    }

    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::Damaged { what: path.join(MARK).display().to_string(), why: "bring it back from a copy" };
        let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
        let (json, checksum) = text.strip_suffix('\n').and_then(|text| text.split_once('\n')).ok_or_else(damaged)?;
        if checksum != blake3::hash(json.as_bytes()).to_hex().as_str() {
            return Err(damaged());
        }
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let Format { format } = serde_json::from_str(json).map_err(|_| damaged())?;
        if format > FORMAT {
            return Err(Error::Newer { path: path.to_owned(), format });
        }
        serde_json::from_str(json).map_err(|_| damaged())
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.encryption.is_some()
    }

    pub(super) fn open(&self, path: &Path, passphrase: Option<&[u8]>) -> Result<Keys> {
        let Some(encryption) = &self.encryption else { return Ok(Keys::public()) };
        let passphrase = passphrase.ok_or_else(|| Error::KeyMissing(path.to_owned()))?;
        let opened = || {
            let (salt, wrapped) = (STANDARD.decode(&encryption.salt).ok()?, STANDARD.decode(&encryption.wrapped).ok()?);
            let outer = encryption.kdf.derive(passphrase, &salt)?;
            open(&outer, WRAPPING, &wrapped)
        };
        let root = opened().ok_or_else(|| Error::WrongKey(path.to_owned()))?;
        Ok(Keys::of(&root))
    }
}

impl Kdf {
    /// `None` where the parameters are none, or cost more than is spent on anybody's word.
    fn derive(&self, passphrase: &[u8], salt: &[u8]) -> Option<KeyBytes> {
        let Self::Argon2id { memory_kib, passes } = *self;
        if memory_kib > limits::BACKUP_KDF_KIB_MAX || passes > limits::BACKUP_KDF_PASSES_MAX {
            return None;
        }
        let params = Params::new(memory_kib, passes, 1, Some(KEY_BYTES)).ok()?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into(passphrase, salt, &mut *key).ok()?;
        Some(key)
    }
}

const WRAPPING: &[u8] = b"picloud backup key 1";

impl Keys {
    fn of(root: &[u8]) -> Self {
        Self {
            addresses: Zeroizing::new(blake3::derive_key("picloud 2026 addresses of an encrypted backup", root)),
            contents: Some(Zeroizing::new(blake3::derive_key("picloud 2026 contents of an encrypted backup", root))),
        }
    }

    fn public() -> Self {
        Self { addresses: Zeroizing::new(blake3::derive_key("picloud 2026 addresses of a backup", b"")), contents: None }
    }

    /// The address of what is so of its kind.
    pub(super) fn address(&self, kind: u8, parts: &[&[u8]]) -> ChunkId {
        let mut hasher = blake3::Hasher::new_keyed(&self.addresses);
        hasher.update(&[kind]);
        parts.iter().for_each(|part| {
            hasher.update(part);
        });
        ChunkId(*hasher.finalize().as_bytes())
    }

    pub(super) fn address_of_snapshot(&self, id: &SnapshotId) -> ChunkId {
        self.address(0, &[id.as_str().as_bytes()])
    }

    /// What is written for `raw` at its address.
    pub(super) fn pack(&self, address: ChunkId, raw: &[u8]) -> Result<Vec<u8>> {
        let failed = |_| Error::Damaged { what: format!("the chunk {address}"), why: "it cannot be compressed" };
        let packed = zstd::bulk::compress(raw, LEVEL).map_err(failed)?;
        let Some(key) = &self.contents else {
            return Ok([PLAIN, self.checksum(address, &packed).as_bytes(), &packed].concat());
        };
        let sealed = seal(key, &address.0, &packed)?;
        let sealed = sealed.ok_or_else(|| Error::Damaged { what: format!("the chunk {address}"), why: "it cannot be sealed" })?;
        Ok([SEALED, &sealed].concat())
    }

    /// What was packed for that address, at most so many bytes; else why not.
    pub(super) fn unpack(&self, address: ChunkId, bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, &'static str> {
        const CHANGED: &str = "it is not what was written";
        let opened;
        let packed = match &self.contents {
            None => {
                let rest = bytes.strip_prefix(PLAIN).ok_or(CHANGED)?;
                let (checksum, packed) = rest.split_first_chunk::<32>().ok_or(CHANGED)?;
                if self.checksum(address, packed) != *checksum {
                    return Err(CHANGED);
                }
                packed
            }
            Some(key) => {
                opened = open(key, &address.0, bytes.strip_prefix(SEALED).ok_or(CHANGED)?).ok_or(CHANGED)?;
                &opened
            }
        };
        // What it says of its length is not believed past the bound, and nothing else is made room for.
        let length = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten();
        let length = length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= bytes_max);
        zstd::bulk::decompress(packed, length.ok_or("it is too long")?).map_err(|_| "it cannot be unpacked")
    }

    fn checksum(&self, address: ChunkId, packed: &[u8]) -> blake3::Hash {
        blake3::Hasher::new_keyed(&address.0).update(packed).finalize()
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// `None` past what can be sealed at once, which is far more than a chunk.
fn seal(key: &KeyBytes, aad: &[u8], msg: &[u8]) -> Result<Option<Vec<u8>>> {
    let nonce: [u8; NONCE_BYTES] = random()?;
    let sealed = cipher(key).encrypt(&XNonce::from(nonce), Payload { msg, aad }).ok();
    Ok(sealed.map(|sealed| [&nonce[..], &sealed].concat()))
}

fn open(key: &KeyBytes, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, msg) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    cipher(key).decrypt(&XNonce::from(*nonce), Payload { msg, aad }).ok().map(Zeroizing::new)
}

fn cipher(key: &KeyBytes) -> XChaCha20Poly1305 {
    let mut key = Key::from(**key);
    let cipher = XChaCha20Poly1305::new(&key);
    zeroize::Zeroize::zeroize(key.as_mut_slice());
    cipher
}

pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(|e| Error::Random(e.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_may_ask_for_so_much_work_and_no_more() {
        let small = |memory_kib, passes| Kdf::Argon2id { memory_kib, passes }.derive(b"x", &[0; SALT_BYTES]).is_some();
        assert!(small(8, limits::BACKUP_KDF_PASSES_MAX));
        assert!(!small(8, limits::BACKUP_KDF_PASSES_MAX + 1));
        assert!(small(limits::BACKUP_KDF_KIB_MAX, 1));
        assert!(!small(limits::BACKUP_KDF_KIB_MAX + 1, 1));
        assert!(!small(8, 0));
    }

    #[test]
    fn a_key_is_printed_nowhere() {
        let shown = format!("{:?} {:?}", Keys::of(b"hush"), Keys::public());
        assert_eq!(shown, "Keys(…) Keys(…)");
    }
}
