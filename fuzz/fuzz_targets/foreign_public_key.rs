#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| nacre_fuzz::foreign_public_key(data));
