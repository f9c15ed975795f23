//! Seals of preview links: HMAC-SHA256 under a key that is derived from a master key and seals nothing else.
//!
//! The first master key seals, all that are held are tried: a link ends with the key that it was made with.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::keyring::MasterKey;
use super::{Error, Result, Vault};

const CONTEXT: &str = "picloud 2026 preview links";

impl Vault {
    /// The seal of what a link claims.
    pub fn seal_link(&self, claim: &[u8]) -> Result<[u8; 32]> {
        let mac = mac(self.ring().first(), claim).ok_or(Error::Damaged("the key of preview links"))?;
        Ok(mac.finalize().into_bytes().into())
    }

    /// Whether this is the seal of that claim. Takes the same time whichever byte is wrong.
    pub fn is_link_seal(&self, claim: &[u8], seal: &[u8]) -> bool {
        self.ring().all().any(|key| mac(key, claim).is_some_and(|mac| mac.verify_slice(seal).is_ok()))
    }
}

fn mac(key: &MasterKey, claim: &[u8]) -> Option<Hmac<Sha256>> {
    let derived = Zeroizing::new(blake3::derive_key(CONTEXT, &*key.key.0));
    let mut mac = Hmac::<Sha256>::new_from_slice(&*derived).ok()?;
    mac.update(claim);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Hidden;

    fn vault(digits: &[&str]) -> Vault {
        let keys: Vec<_> = digits.iter().map(|digit| digit.repeat(64)).collect();
        Vault::open(Path::new("/nowhere"), Some(&Hidden::new(keys.join(",")))).unwrap()
    }

    #[test]
    fn a_seal_is_of_one_claim_and_of_one_key() {
        let one = vault(&["1"]);
        let seal = one.seal_link(b"claim").unwrap();
        assert!(one.is_link_seal(b"claim", &seal));
        assert!(!one.is_link_seal(b"claim2", &seal) && !one.is_link_seal(b"", &seal));
        assert!(!vault(&["2"]).is_link_seal(b"claim", &seal));
        for at in 0..seal.len() {
            let mut changed = seal;
            changed[at] ^= 1;
            assert!(!one.is_link_seal(b"claim", &changed), "byte {at}");
            assert!(!one.is_link_seal(b"claim", &seal[..at]), "cut at {at}");
        }
        assert!(!one.is_link_seal(b"claim", &[&seal[..], &[0]].concat()));
    }

    #[test]
    fn a_link_ends_with_the_key_that_it_was_made_with() {
        let seal = vault(&["1"]).seal_link(b"claim").unwrap();
        assert!(vault(&["2", "1"]).is_link_seal(b"claim", &seal), "while the old key is held");
        assert_ne!(vault(&["2", "1"]).seal_link(b"claim").unwrap(), seal, "the new one seals");
        assert!(!vault(&["2"]).is_link_seal(b"claim", &seal));
    }
}
