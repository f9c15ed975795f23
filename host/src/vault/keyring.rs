//! Master keys: the first wraps, all unwrap.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use zeroize::Zeroizing;

use super::{KEY_BYTES, KeyBytes};
use crate::limits::MASTER_KEYS_MAX;

/// A key with its id.
#[derive(Debug, Clone)]
pub(super) struct MasterKey {
    /// Sixteen hex digits, derived from the key one way: for people, and to find the right one.
    pub(super) id: String,
    pub(super) key: KeyBytes,
}

/// At least one key, no key twice.
#[derive(Debug, Clone)]
pub(super) struct Keyring {
    keys: Vec<MasterKey>,
}

/// Why a text holds no keys, without a word of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("holds no key")]
    Empty,
    #[error("holds something at place {place} that is not 32 bytes in hex or base64")]
    Malformed { place: usize },
    #[error("holds {found} keys, and at most {MASTER_KEYS_MAX} are read")]
    TooMany { found: usize },
}

impl MasterKey {
    pub(super) fn new(key: KeyBytes) -> Self {
        let digest = blake3::derive_key("picloud 2026 id of a master key", &*key.0);
        let id = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { id, key }
    }
}

impl Keyring {
    pub(super) fn of(key: MasterKey) -> Self {
        Self { keys: vec![key] }
    }

    /// Keys parted by commas or white space, each 64 hex digits or base64.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let words: Vec<&str> = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()).collect();
        if words.len() > MASTER_KEYS_MAX {
            return Err(Problem::TooMany { found: words.len() });
        }
        let mut keys: Vec<MasterKey> = Vec::with_capacity(words.len());
        for (n, word) in words.into_iter().enumerate() {
            let key = MasterKey::new(parse_key(word).ok_or(Problem::Malformed { place: n + 1 })?);
            if keys.iter().all(|known| known.id != key.id) {
                keys.push(key);
            }
        }
        if keys.is_empty() { Err(Problem::Empty) } else { Ok(Self { keys }) }
    }

    /// One key a line, in hex: what [`Keyring::parse`] reads.
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(self.keys.len() * (2 * KEY_BYTES + 1)));
        for key in &self.keys {
            for byte in key.key.0.iter() {
                for digit in [byte >> 4, byte & 15] {
                    text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                }
            }
            text.push('\n');
        }
        text
    }

    pub(super) fn first(&self) -> &MasterKey {
        // One key at least is what makes a ring.
        #[allow(clippy::indexing_slicing, reason = "never empty")]
        &self.keys[0]
    }

    pub(super) fn find(&self, id: &str) -> Option<&MasterKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The first one first.
    pub(super) fn all(&self) -> impl Iterator<Item = &MasterKey> {
        self.keys.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn is_single(&self) -> bool {
        self.keys.len() == 1
    }

    pub(super) fn with_first(mut self, key: MasterKey) -> Self {
        self.keys.insert(0, key);
        self
    }

    pub(super) fn first_alone(mut self) -> Self {
        self.keys.truncate(1);
        self
    }

    /// For people.
    pub(super) fn ids(&self) -> String {
        self.keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn parse_key(word: &str) -> Option<KeyBytes> {
    let bytes = if word.len() == 2 * KEY_BYTES {
        Zeroizing::new(hex(word)?)
    } else {
        let padded = Zeroizing::new(format!("{}=", word.trim_end_matches('=')));
        let standard = STANDARD.decode(padded.as_bytes()).or_else(|_| URL_SAFE.decode(padded.as_bytes()));
        Zeroizing::new(standard.ok()?)
    };
    KeyBytes::copied(&bytes)
}

fn hex(word: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    word.as_bytes().chunks_exact(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

    fn one(text: &str) -> Option<[u8; KEY_BYTES]> {
        Keyring::parse(text).ok().filter(Keyring::is_single).map(|ring| *ring.first().key.0)
    }

    #[test]
    fn a_key_is_hex_or_base64_of_32_bytes() {
        let key = one(HEX).unwrap();
        assert_eq!((key[1], key[31]), (0x11, 0xff));
        let base64 = STANDARD.encode([0xfb; KEY_BYTES]);
        for same in [base64.clone(), base64.replace('+', "-").replace('/', "_"), base64.trim_end_matches('=').to_owned()] {
            assert_eq!(one(&same), Some([0xfb; KEY_BYTES]), "{same}");
        }
        assert_eq!(one(&format!("  {HEX}\n")), Some(key));
        let bad = [&HEX[1..], &HEX[2..], &format!("{HEX}0"), &HEX.replace('0', "g"), "x", &base64[4..], &base64.repeat(2)];
        for bad in bad {
            assert_eq!(Keyring::parse(bad).unwrap_err(), Problem::Malformed { place: 1 }, "{bad}");
        }
        assert_eq!(Keyring::parse(" ,\n").unwrap_err(), Problem::Empty);
    }

    #[test]
    fn the_first_key_leads_and_all_are_found() {
        let other = "11".repeat(KEY_BYTES);
        let ring = Keyring::parse(&format!("{HEX},{other} {HEX}")).unwrap();
        assert_eq!(ring.len(), 2, "the same key counts once");
        let (first, second) = (one(HEX).unwrap(), one(&other).unwrap());
        assert_eq!(*ring.first().key.0, first);
        let again = Keyring::parse(&ring.to_text()).unwrap();
        assert_eq!(again.ids(), ring.ids());
        assert_eq!(*again.find(&MasterKey::new(KeyBytes::copied(&second).unwrap()).id).unwrap().key.0, second);
        assert_eq!(Keyring::parse(&format!("{HEX} oops")).unwrap_err(), Problem::Malformed { place: 2 });
    }

    #[test]
    fn so_many_keys_are_read_and_no_more() {
        let keys = |n: usize| (0..n).map(|n| format!("{n:064x}")).collect::<Vec<_>>().join(",");
        assert_eq!(Keyring::parse(&keys(MASTER_KEYS_MAX)).unwrap().len(), MASTER_KEYS_MAX);
        assert_eq!(Keyring::parse(&keys(MASTER_KEYS_MAX + 1)).unwrap_err(), Problem::TooMany { found: MASTER_KEYS_MAX + 1 });
    }

    #[test]
    fn nothing_prints_a_key() {
        let ring = Keyring::parse(HEX).unwrap();
        let shown = format!("{ring:?} {}", Problem::Malformed { place: 1 });
        assert!(shown.contains(&ring.first().id) && !shown.contains("1122"), "{shown}");
        assert!(!HEX.to_lowercase().contains(&ring.first().id));
    }
}
