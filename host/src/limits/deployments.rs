//! Bounds of deployments.

/// Deployments kept of an app, beside the one that runs: those that ran longest ago go.
pub const DEPLOYMENTS_PER_APP_MAX: i64 = 100;
/// What an author says of a version or a deployment, characters.
pub const DEPLOYMENT_MESSAGE_CHARS_MAX: usize = 1_000;
/// A manifest with its sources, bytes as JSON.
pub const MANIFEST_BYTES_MAX: usize = 32 << 20;
/// Scripts in a manifest.
pub const MANIFEST_SCRIPTS_MAX: usize = 1_000;
/// A difference of two sources as it is told, bytes; longer ones end there.
pub const SOURCE_DIFFERENCE_BYTES_MAX: usize = 64 << 10;
/// How long the sources of a difference are compared together before the rest is told as it comes, ms.
pub const SOURCE_DIFFERENCE_MS: u64 = 100;
/// How often a plan is made, of an app that others change meanwhile.
pub const PLANS_MAX: u32 = 3;
