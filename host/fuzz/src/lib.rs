//! What holds for every input: functions of bytes that panic where it does not. `fuzz_targets/` has libFuzzer look for such
//! bytes.

mod draw;
pub mod filters;
pub mod images;
pub mod routes;
pub mod wit_values;
