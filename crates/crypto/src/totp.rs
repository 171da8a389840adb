//! One-time codes: TOTP (RFC 6238) over HOTP (RFC 4226) with HMAC-SHA1, 6 digits, 30 seconds, which
//! is what every authenticator takes.

use crate::digest::{ct_eq, hmac_sha1};

/// Digits of a code.
pub const TOTP_DIGITS: usize = 6;

/// Seconds that a code is current.
pub const TOTP_STEP_SECONDS: u64 = 30;

/// Steps before and after the current one whose codes are taken too (RFC 6238 §5.2).
const WINDOW: u64 = 1;

/// The code of the step that `unix_seconds` falls into.
pub fn totp(secret: &[u8], unix_seconds: u64) -> String {
    code_of_step(secret, unix_seconds / TOTP_STEP_SECONDS)
}

/// Compares a code with those of the current step and its two neighbours, always with all three.
/// The result is the number of the latest step that matched: who accepts a code must remember it
/// and refuse every code of that step or an earlier one (RFC 6238 §5.2).
pub fn totp_check(secret: &[u8], unix_seconds: u64, code: &str) -> Option<u64> {
    let now = unix_seconds / TOTP_STEP_SECONDS;
    let mut matched = None;
    for step in now.saturating_sub(WINDOW)..=now.saturating_add(WINDOW) {
        if ct_eq(code_of_step(secret, step).as_bytes(), code.as_bytes()) {
            matched = Some(step);
        }
    }
    matched
}

/// HOTP, RFC 4226 §5.3.
fn code_of_step(secret: &[u8], step: u64) -> String {
    let digest = hmac_sha1(secret, &step.to_be_bytes());
    let offset = usize::from(digest.last().copied().unwrap_or(0) & 0x0f);
    let word = digest.get(offset..).and_then(|tail| tail.first_chunk::<4>()).copied().unwrap_or_default();
    let number = (u32::from_be_bytes(word) & 0x7fff_ffff) % 10u32.pow(6);
    format!("{number:0width$}", width = TOTP_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, the SHA-1 rows (their last six digits).
    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn the_documents_vectors() {
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(totp(SECRET, time), code);
        }
    }

    #[test]
    fn a_code_is_good_for_its_step_and_the_neighbours_only() {
        let step = 1_111_111_109 / TOTP_STEP_SECONDS;
        let code = "081804";
        for (distance, expected) in [(-2i64, None), (-1, Some(step)), (0, Some(step)), (1, Some(step)), (2, None)] {
            let now = (step * TOTP_STEP_SECONDS).saturating_add_signed(distance * 30);
            assert_eq!(totp_check(SECRET, now, code), expected, "distance {distance}");
        }
        assert_eq!(totp_check(SECRET, 0, &totp(SECRET, 0)), Some(0));
        for bad in ["", "81804", "0081804", "081805", "08180a"] {
            assert_eq!(totp_check(SECRET, 1_111_111_109, bad), None, "{bad}");
        }
    }
}
