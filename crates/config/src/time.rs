//! Spans of time, sizes and modes as they are written in configuration files (sshd_config(5), TIME FORMATS).

use std::fmt;
use std::time::Duration;

/// Reads a span: `90`, `90s`, `1h30m`, `1w2d`; letters in either case. A bare number is seconds.
/// `None` when the text is none, is negative, or does not fit.
pub fn span(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = digits(rest)?;
        let mut chars = after.chars();
        let unit = match chars.next() {
            None => 1,
            Some(letter) => unit(letter)?,
        };
        rest = chars.as_str();
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    // OpenSSH keeps spans in a C int; a span past that is a slip of the finger.
    (total <= i32::MAX as u64).then_some(total)
}

/// [`span`] with an optional decimal fraction on a lone number (`0.5`, `1.25s`, `500ms`), for penalties.
pub fn fine_span(text: &str) -> Option<Duration> {
    if let Some(whole) = span(text) {
        return Some(Duration::from_secs(whole));
    }
    if let Some(milliseconds) = text.strip_suffix("ms") {
        let (number, after) = digits(milliseconds)?;
        return after.is_empty().then(|| Duration::from_millis(number)).filter(|d| d.as_secs() <= i32::MAX as u64);
    }
    let (number, scale) = match text.char_indices().last() {
        Some((at, letter)) if letter.is_ascii_alphabetic() => (text.get(..at)?, unit(letter)?),
        _ => (text, 1),
    };
    let (whole, fraction) = number.split_once('.')?;
    if fraction.is_empty() || fraction.len() > 6 || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let micros = format!("{fraction:0<6}").parse::<u64>().ok()?;
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let micros = whole.checked_mul(1_000_000)?.checked_add(micros)?.checked_mul(scale)?;
    Some(Duration::from_micros(micros)).filter(|d| d.as_secs() <= i32::MAX as u64)
}

fn digits(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, rest))
}

fn unit(letter: char) -> Option<u64> {
    Some(match letter.to_ascii_lowercase() {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    })
}

/// Reads a size: `512`, `64K`, `1G`; K, M and G are powers of 1024. `None` when it is none or does not fit.
pub fn size(text: &str) -> Option<u64> {
    let (number, rest) = digits(text)?;
    let scale: u64 = match rest {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(scale)
}

/// Reads an octal mode such as `0177`, at most `0777`.
pub fn octal_mode(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    plain.then(|| u32::from_str_radix(text, 8).ok()).flatten().filter(|mode| *mode <= 0o777)
}

/// When keys are renewed (ssh_config(5), RekeyLimit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RekeyLimit {
    /// After this many bytes; 0 is the cipher's own limit.
    pub bytes: u64,
    /// After this many seconds; 0 is never.
    pub seconds: u64,
}

impl RekeyLimit {
    /// What OpenSSH accepts.
    pub const ALLOWED: &'static str =
        "a size of at least 16 bytes (1G) or \"default\", then maybe a time (1h) or \"none\"";

    /// Reads the one or two words of the keyword.
    pub fn parse(words: &[String]) -> Option<Self> {
        let (bytes, rest) = words.split_first()?;
        let bytes = if bytes.eq_ignore_ascii_case("default") { 0 } else { size(bytes)? };
        if bytes != 0 && bytes < 16 {
            return None;
        }
        let seconds = match rest {
            [] => 0,
            [time] if time.eq_ignore_ascii_case("none") => 0,
            [time] => span(time)?,
            _ => return None,
        };
        Some(Self { bytes, seconds })
    }
}

impl fmt::Display for RekeyLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.bytes, self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (text, wanted) in [
            ("0", Some(0)),
            ("90", Some(90)),
            ("1h30m", Some(5_400)),
            ("1H30M", Some(5_400)),
            ("1w2d", Some(777_600)),
            ("10m5", Some(605)),
            ("", None),
            ("h", None),
            ("-1", None),
            ("+1", None),
            ("1x", None),
            ("1 h", None),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", None),
            ("99999999999999999999w", None),
        ] {
            assert_eq!(span(text), wanted, "{text:?}");
        }
        assert_eq!(fine_span("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(fine_span("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(fine_span("1.5m"), Some(Duration::from_secs(90)));
        assert_eq!(fine_span("10m"), Some(Duration::from_secs(600)));
        for bad in ["", ".", "1.", "1.2.3", "-0.5", "1.5x", "0.1234567"] {
            assert_eq!(fine_span(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn sizes_modes_and_rekey_limits() {
        assert_eq!(size("1G"), Some(1 << 30));
        assert_eq!(size("17k"), Some(17 << 10));
        assert_eq!(size("1T"), None);
        assert_eq!(size("99999999999G"), None);
        assert_eq!(octal_mode("0177"), Some(0o177));
        for bad in ["", "8", "01777", "0x1", "+7"] {
            assert_eq!(octal_mode(bad), None, "{bad:?}");
        }
        let of = |text: &str| RekeyLimit::parse(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(of("1G 1h"), Some(RekeyLimit { bytes: 1 << 30, seconds: 3_600 }));
        assert_eq!(of("default none"), Some(RekeyLimit::default()));
        assert_eq!(of("15"), None);
        assert_eq!(of("1G 1h 2"), None);
        assert_eq!(of("1G soon"), None);
    }
}
