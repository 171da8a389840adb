#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| nacre_fuzz::lab_tls(data));
