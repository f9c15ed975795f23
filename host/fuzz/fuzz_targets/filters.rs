#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| picloud_fuzz::filters::check(data));
