//! Bounds of what is told of an app at a glance, and of what is noted of a run that somebody watches.

/// Minutes of the series of an hour.
pub const HEALTH_MINUTES: i64 = 60;
/// Hours of the series of a day.
pub const HEALTH_HOURS: i64 = 24;
/// Executions that percentiles are taken of: the newest.
pub const HEALTH_EXECUTIONS_MAX: i64 = 1_000;
/// Unresolved dead letters are counted up to this.
pub const HEALTH_DEAD_LETTERS_MAX: i64 = 10_000;
/// Host calls of one run that are noted one by one; further ones are counted.
pub const HOST_CALLS_TRACED_MAX: usize = 500;
