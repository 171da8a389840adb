#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| nacre_fuzz::server_after_login(data));
