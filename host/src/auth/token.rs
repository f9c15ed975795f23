//! Bearer tokens, all random: `pics_` and 64 hex digits for a session, `pic_` and 76 for an API key, `picr_` and 64 for who subscribes
//! to an app's topics. The prefixes let people and scanners tell one when they see it.
//!
//! Only a token's SHA-256 is stored: 256 random bits need no slow hash, and a stolen database lets nobody in. A key's first
//! 12 digits are stored in clear beside it: they find its row, and let a person tell their keys apart.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::Result;
use crate::model::text;

const SESSION: &str = "pics_";
const KEY: &str = "pic_";
const SUBSCRIBER: &str = "picr_";
const SECRET_DIGITS: usize = 64;
/// `pic_` and as many digits are a key's prefix.
const PREFIX_DIGITS: usize = 12;

/// What is stored of a token.
pub type Hash = [u8; 32];

/// What a token says it is, in the form in which it can be looked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Presented<'t> {
    Session(Hash),
    Key { prefix: &'t str, hash: Hash },
}

/// A new API key.
pub struct NewKey {
    /// To be shown once.
    pub token: String,
    pub prefix: String,
    pub hash: Hash,
}

/// A new session token, to be shown once, and its stored form.
pub fn mint_session() -> Result<(String, Hash)> {
    let token = format!("{SESSION}{}", text::hex(&super::random::<{ SECRET_DIGITS / 2 }>()?));
    let hash = hash(&token);
    Ok((token, hash))
}

/// A new token for a subscriber, to be shown once, and its stored form.
pub fn mint_subscriber() -> Result<(String, Hash)> {
    let token = format!("{SUBSCRIBER}{}", text::hex(&super::random::<{ SECRET_DIGITS / 2 }>()?));
    let hash = hash(&token);
    Ok((token, hash))
}

/// The stored form of what may be a subscriber's token; `None` for text that cannot be one.
pub fn read_subscriber(token: &str) -> Option<Hash> {
    let digits = token.strip_prefix(SUBSCRIBER)?;
    (digits.len() == SECRET_DIGITS && is_hex(digits)).then(|| hash(token))
}

fn is_hex(digits: &str) -> bool {
    digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

pub fn mint_key() -> Result<NewKey> {
    let prefix = format!("{KEY}{}", text::hex(&super::random::<{ PREFIX_DIGITS / 2 }>()?));
    let token = format!("{prefix}{}", text::hex(&super::random::<{ SECRET_DIGITS / 2 }>()?));
    let hash = hash(&token);
    Ok(NewKey { token, prefix, hash })
}

/// What a text may be the token of; `None` for text that cannot be one.
pub fn read(token: &str) -> Option<Presented<'_>> {
    if let Some(digits) = token.strip_prefix(SESSION) {
        return (digits.len() == SECRET_DIGITS && is_hex(digits)).then(|| Presented::Session(hash(token)));
    }
    let digits = token.strip_prefix(KEY)?;
    if digits.len() != PREFIX_DIGITS + SECRET_DIGITS || !is_hex(digits) {
        return None;
    }
    Some(Presented::Key { prefix: token.get(..KEY.len() + PREFIX_DIGITS)?, hash: hash(token) })
}

/// Whether a stored hash is that one, in a time that says nothing.
pub fn is_same(stored: &[u8], hash: &Hash) -> bool {
    stored.ct_eq(hash).into()
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_read_back() {
        let ((one, stored), (two, _)) = (mint_session().unwrap(), mint_session().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 69);
        assert_eq!(read(&one), Some(Presented::Session(stored)));
        let (one, two) = (mint_key().unwrap(), mint_key().unwrap());
        assert_ne!((&one.token, &one.prefix), (&two.token, &two.prefix));
        assert_eq!((one.token.len(), one.prefix.len()), (80, 16));
        assert_eq!(read(&one.token), Some(Presented::Key { prefix: &one.prefix, hash: one.hash }));
        assert!(is_same(&one.hash, &one.hash) && !is_same(&one.hash, &two.hash) && !is_same(&[], &one.hash));
    }

    #[test]
    fn a_subscribers_token_is_none_of_a_person_and_the_other_way_round() {
        let (token, stored) = mint_subscriber().unwrap();
        assert_eq!((read_subscriber(&token), read(&token), token.len()), (Some(stored), None, 69));
        for bad in ["", "picr_", &token[1..], &token[..68], &format!("{token}0"), &token.to_uppercase()] {
            assert_eq!(read_subscriber(bad), None, "{bad}");
        }
        for other in [mint_session().unwrap().0, mint_key().unwrap().token] {
            assert_eq!(read_subscriber(&other), None);
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_none() {
        let (session, key) = (mint_session().unwrap().0, mint_key().unwrap().token);
        for token in [session, key] {
            for bad in [
                "",
                "pics_",
                "pic_",
                "x",
                &token[1..],
                &token[..token.len() - 1],
                &format!("{token}0"),
                &token.to_uppercase(),
                &token.replace("pic", "pit"),
                &format!("{}é", &token[..token.len() - 2]),
            ] {
                assert_eq!(read(bad), None, "{bad}");
            }
        }
    }
}
