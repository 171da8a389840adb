//! `-V`: when a certificate is valid, in ssh-keygen's grammar.

use nacre_config::authorized_keys::Expiry;
use nacre_config::time::span;
use nacre_crypto::FOREVER;

/// Reads `+SPAN` (from now on, so long) or `FROM:TO`, each a moment: `+SPAN` or `-SPAN` from now, `YYYYMMDD[HHMM[SS]][Z]`,
/// `0xSECONDS`, and for the ends `always` and `forever`. `now` is in seconds since 1970, as the result is.
pub(super) fn read(text: &str, now: u64) -> Result<(u64, u64), String> {
    let (from, to) = match text.split_once(':') {
        Some((from, to)) => {
            let from = if from == "always" { Some(0) } else { moment(from, now) };
            let to = if to == "forever" { Some(FOREVER) } else { moment(to, now) };
            (from, to)
        }
        // A whole minute, and the last one, so that a clock a little behind takes it at once.
        None if text.starts_with('+') => (Some(now.saturating_sub(59) / 60 * 60), moment(text, now)),
        None => (None, None),
    };
    let (Some(from), Some(to)) = (from, to) else {
        return Err(format!(
            "-V {}: not a validity such as +52w, -1d:+1w, 20260101:20270101 or always:forever",
            super::shown(text)
        ));
    };
    if from < to { Ok((from, to)) } else { Err(format!("-V {}: it would never be valid", super::shown(text))) }
}

fn moment(text: &str, now: u64) -> Option<u64> {
    if let Some(later) = text.strip_prefix('+') {
        return now.checked_add(span(later)?);
    }
    if let Some(earlier) = text.strip_prefix('-') {
        return now.checked_sub(span(earlier)?);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    let civil = Expiry::parse(text)?;
    let as_utc = civil.instant(0);
    u64::try_from(civil.instant(nacre_sys::clock::utc_offset(as_utc))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        let now = 1_700_000_000;
        for (text, expected) in [
            ("+1w", Some((1_699_999_920, now + 604_800))),
            ("+1h30m", Some((1_699_999_920, now + 5_400))),
            ("-1d:+52w", Some((now - 86_400, now + 31_449_600))),
            ("always:forever", Some((0, FOREVER))),
            ("20200101Z:202101010000Z", Some((1_577_836_800, 1_609_459_200))),
            ("20200101000001Z:forever", Some((1_577_836_801, FOREVER))),
            ("0x10:0x20", Some((16, 32))),
            ("always:+60", Some((0, now + 60))),
            ("", None),
            ("1w", None),
            ("-1w", None),
            ("+", None),
            (":", None),
            ("always", None),
            ("forever:always", None),
            ("+1w:+1d", None),
            ("20200101:20200101", None),
            ("20201301Z:forever", None),
            ("always:never", None),
            ("+99999999999999w", None),
        ] {
            assert_eq!(read(text, now).ok(), expected, "{text}");
        }
    }
}
