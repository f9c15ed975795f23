//! What proves who somebody is: password hashes and bearer tokens, and how often it may be tried. Knows no user and no database.

pub mod password;
pub mod throttle;
pub mod token;

use rand::TryRng;
use rand::rngs::SysRng;

use crate::error::{Error, Result};

/// Bytes from the operating system; it fails only where the system has no entropy to give.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(Error::internal)?;
    Ok(bytes)
}
