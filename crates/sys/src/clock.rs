//! Local time, for what people write without a zone.

/// Seconds east of UTC that the machine's zone is at this moment (seconds since 1970-01-01 UTC); 0 when it cannot tell.
pub fn utc_offset(unix_seconds: i64) -> i64 {
    let time: libc::time_t = unix_seconds;
    // SAFETY: an all-zero tm is a valid value of that plain C structure.
    let mut broken_down: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of their types.
    let result = unsafe { libc::localtime_r(&raw const time, &raw mut broken_down) };
    if result.is_null() { 0 } else { broken_down.tm_gmtoff }
}
