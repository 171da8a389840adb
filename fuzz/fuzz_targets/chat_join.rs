#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| nacre_fuzz::chat_join(data));
