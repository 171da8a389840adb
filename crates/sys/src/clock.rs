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

/// The time since the machine started, also while it slept (CLOCK_BOOTTIME): for deadlines that a closed lid does not postpone.
pub fn since_boot() -> std::time::Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live value of its type. Linux has known this clock since 2.6.39, so it cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    let part = |value: i64| u64::try_from(value).unwrap_or_default();
    std::time::Duration::from_secs(part(time.tv_sec))
        .saturating_add(std::time::Duration::from_nanos(part(time.tv_nsec)))
}
