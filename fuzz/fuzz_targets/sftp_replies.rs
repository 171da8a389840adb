#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| nacre_fuzz::sftp_replies(data));
