//! Session tokens: `pics_` and 32 random bytes in hex. The prefix lets people and scanners tell one when they see it.
//! Only its SHA-256 is stored: 256 random bits need no slow hash, and a stolen database holds no login.

use sha2::{Digest, Sha256};

use crate::error::Result;

const PREFIX: &str = "pics_";
const RANDOM_BYTES: usize = 32;

/// What is stored of a token.
pub type Hash = [u8; 32];

/// A new token. To be shown once.
pub fn mint() -> Result<String> {
    let random = super::random::<RANDOM_BYTES>()?;
    let mut token = String::with_capacity(PREFIX.len() + 2 * RANDOM_BYTES);
    token.push_str(PREFIX);
    token.extend(random.iter().map(|byte| format!("{byte:02x}")));
    Ok(token)
}

/// The stored form of a token; `None` for text that cannot be one.
pub fn hash(token: &str) -> Option<Hash> {
    let random = token.strip_prefix(PREFIX)?;
    let is_hex = random.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (random.len() == 2 * RANDOM_BYTES && is_hex).then(|| Sha256::digest(token).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_have_a_stored_form() {
        let (one, two) = (mint().unwrap(), mint().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 69);
        assert_eq!(hash(&one), hash(&one));
        assert_ne!(hash(&one).unwrap(), hash(&two).unwrap());
    }

    #[test]
    fn what_cannot_be_a_token_has_none() {
        let token = mint().unwrap();
        for bad in [
            "",
            "pics_",
            "x",
            &token[1..],
            &token[..68],
            &format!("{token}0"),
            &token.to_uppercase(),
            &token.replace("pics", "pict"),
        ] {
            assert_eq!(hash(bad), None, "{bad}");
        }
    }
}
