//! Bounds of what runs without a node: `picloud run` and `picloud test`.

use super::MIB;

/// Entries and documents of a world in memory, bytes: what an app may have, at most this.
pub const LOCAL_DATA_BYTES_MAX: u64 = 256 * MIB;
/// Files of a world in memory, bytes.
pub const LOCAL_FILE_BYTES_MAX: u64 = 256 * MIB;
/// Events that a world has waiting, and messages that it keeps for a test to look at.
pub const LOCAL_EVENTS_MAX: usize = 10_000;
/// Attempts that one call of a test makes.
pub const LOCAL_DELIVERIES_MAX: usize = 1_000;
/// Host calls that a world keeps for a test to look at; later ones are not kept.
pub const LOCAL_CALLS_KEPT_MAX: usize = 10_000;
/// An argument of one of them, bytes; of a longer one its length is kept.
pub const LOCAL_ARGUMENT_BYTES_MAX: usize = 64 << 10;
/// Answers and failures that a test has scripted.
pub const LOCAL_ANSWERS_MAX: usize = 1_000;
/// What no test passes with, as it is told: so many times.
pub const LOCAL_FAULTS_MAX: usize = 20;
/// Fuel, memory (MiB), time (ms), host calls and log (bytes) of a test's own code. Scripts that it runs have their own.
pub const LOCAL_TEST_FUEL: u64 = 5_000_000_000;
pub const LOCAL_TEST_MEMORY_MB: u32 = 128;
pub const LOCAL_TEST_TIMEOUT_MS: u32 = 60_000;
pub const LOCAL_TEST_HOST_CALLS: u32 = 100_000;
pub const LOCAL_TEST_LOG_BYTES: u32 = 1 << 20;
/// Files of tests of one project.
pub const LOCAL_TEST_FILES_MAX: usize = 10_000;
/// Directories below a project's that are looked through for them, so deep.
pub const LOCAL_TEST_DIRECTORIES_DEEP_MAX: usize = 32;
/// Tests that run at once: the most that can be asked for.
pub const LOCAL_JOBS_MAX: usize = 64;
/// Instances for each test that runs at once: its own, and those of scripts that it has run, which call each other.
pub const LOCAL_PLACES_PER_JOB: usize = 4;
/// The least of them.
pub const LOCAL_PLACES_MIN: usize = 8;
