#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| nacre_fuzz::client_after_login(data));
