#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| picloud_fuzz::wit_values::check(data));
