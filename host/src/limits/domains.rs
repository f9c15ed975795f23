//! Bounds of domains and slugs.

/// Domains of one app, claimed or proven.
pub const DOMAINS_PER_APP_MAX: i64 = 100;
/// Host of a domain, characters: what the DNS allows (253), less the label of its proof.
pub const DOMAIN_HOST_CHARS_MAX: usize = 244;
/// One look at a proof, ms.
pub const DOMAIN_PROOF_MS: u64 = 5_000;
/// Looks at proofs that one app may have under way on a node.
pub const DOMAIN_PROOFS_PER_APP_MAX: usize = 2;
/// Another one waits for its place at most this long, ms.
pub const DOMAIN_PROOF_WAIT_MS: u64 = 1_000;
/// A name server that has not answered in this time, ms, is asked again or passed over.
pub const DOMAIN_DNS_TRY_MS: u64 = 1_500;
/// TXT records that are looked at.
pub const DOMAIN_TXT_RECORDS_MAX: usize = 50;
/// Body of a proof fetched over HTTP, bytes.
pub const DOMAIN_PROOF_BODY_BYTES_MAX: usize = 4 << 10;
/// The same with its head, bytes.
pub const DOMAIN_PROOF_ANSWER_BYTES_MAX: u64 = 16 << 10;
/// What was found in place of a proof, as it is told: how many things, and bytes of one.
pub const DOMAIN_FOUND_ITEMS_MAX: usize = 10;
pub const DOMAIN_FOUND_BYTES_MAX: usize = 200;
/// Slugs that an app had before and that still lead to it; one more forgets the oldest.
pub const FORMER_SLUGS_PER_APP_MAX: i64 = 20;
