//! Bounds of what an operator hands to a node, and of how one is asked whether it works.

use super::HEALTH_CHECK_MS;

/// A file with a secret setting, bytes.
pub const SECRET_FILE_BYTES_MAX: u64 = 4096;
/// `picloud health` waits so long for the answer, ms: more than a node gives its database.
pub const HEALTH_ANSWER_MS: u64 = HEALTH_CHECK_MS + 2_000;
/// The longest that `picloud health --wait-s` may be asked to wait for a node that starts, s.
pub const HEALTH_WAIT_S_MAX: u64 = 3_600;
/// A node that is waited for is asked this often, ms.
pub const HEALTH_WAIT_POLL_MS: u64 = 250;
/// A file of settings, or a list of users, that an installation reads, bytes.
pub const INSTALL_FILE_BYTES_MAX: u64 = 1 << 20;
