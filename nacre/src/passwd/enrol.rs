//! Enrolling a one-time code: the secret as an address, as text and as a picture.

use crate::failure::Failure;
use crate::{output, prompt};
use data_encoding::BASE32_NOPAD;
use nacre_crypto::{TOTP_DIGITS, TOTP_STEP_SECONDS, totp_check};
use nacre_proto::crypto::SecretBytes;
use qrcode::{Color, EcLevel, QrCode};
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of a new secret: the length of HMAC-SHA1's output (RFC 4226 §4, R6).
const SECRET_LEN: usize = 20;
/// Light modules around the picture; the standard asks for 4, phones are content with 2.
const QUIET: usize = 2;
/// How often a wrong confirmation may be repeated.
const TRIES: usize = 3;
/// Black on white out of the fixed part of the 256 colours, so that no theme turns it round.
const INK: &str = "\x1b[38;5;16;48;5;231m";
const PLAIN: &str = "\x1b[0m";

/// A new secret, and the step of the code that confirmed it, if a person typed one.
pub struct Enrolment {
    /// The secret.
    pub secret: SecretBytes,
    /// The step that is spent by the confirmation.
    pub used_step: Option<u64>,
}

/// Makes a secret, shows it, and at a terminal asks for one code of it: a code that an app cannot
/// show must not become compulsory.
///
/// # Errors
/// The confirmation failed; nothing is to be stored then.
pub fn enrol(name: &str) -> Result<Enrolment, Failure> {
    let secret = nacre_crypto::random_bytes::<SECRET_LEN>()
        .map_err(|error| Failure::new(format!("passwd: no random bytes: {error}")))?;
    let address = address(name, &host_name(), &secret);
    output::print(&format!("{address}\nsecret: {}\n", BASE32_NOPAD.encode(&secret)))?;
    if std::io::stdout().is_terminal()
        && let Some(picture) = picture(&address)
    {
        output::print(&picture)?;
    }
    let used_step = if prompt::is_interactive() { Some(confirm(&secret)?) } else { None };
    Ok(Enrolment { secret: SecretBytes::new(secret.to_vec()), used_step })
}

fn confirm(secret: &[u8]) -> Result<u64, Failure> {
    for _ in 0..TRIES {
        let Some(code) = prompt::visible("Code that the app shows now: ")? else { break };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if let Some(step) = totp_check(secret, now, code.trim()) {
            return Ok(step);
        }
        output::complain("That is not the code of this moment.");
    }
    Err(Failure::new("passwd: the one-time code was not confirmed; nothing was changed")
        .hint("check that the clocks of both devices are right"))
}

/// The address that authenticator apps read: `otpauth://totp/Nacre:name@host?...`.
pub fn address(name: &str, host: &str, secret: &[u8]) -> String {
    let label = percent_encode(&format!("{name}@{host}"));
    let secret = BASE32_NOPAD.encode(secret);
    format!(
        "otpauth://totp/Nacre:{label}?secret={secret}&issuer=Nacre&algorithm=SHA1&digits={TOTP_DIGITS}&period={TOTP_STEP_SECONDS}"
    )
}

fn percent_encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The picture of `text`, two rows of modules a line, in black on white whatever the terminal's
/// own colours are. `None` when the text is too long for one.
pub fn picture(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let (width, colors) = (code.width(), code.to_colors());
    let side = width + 2 * QUIET;
    let dark = |x: usize, y: usize| {
        let (column, row) = (x.checked_sub(QUIET), y.checked_sub(QUIET));
        match (column, row) {
            (Some(column), Some(row)) if column < width => colors.get(row * width + column) == Some(&Color::Dark),
            _ => false,
        }
    };
    let mut out = String::new();
    for y in (0..side).step_by(2) {
        out.push_str(INK);
        for x in 0..side {
            out.push(match (dark(x, y), dark(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        out.push_str(PLAIN);
        out.push('\n');
    }
    Some(out)
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_address_is_what_apps_read() {
        assert_eq!(
            address("a b", "h:1", b"12345678901234567890"),
            "otpauth://totp/Nacre:a%20b@h%3A1?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Nacre&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn a_camera_reads_the_picture_back() {
        let text = address("alice", "example", b"12345678901234567890");
        let drawn = picture(&text).unwrap();
        let rows: Vec<Vec<char>> = drawn
            .lines()
            .map(|l| l.strip_prefix(INK).unwrap().strip_suffix(PLAIN).unwrap().chars().collect())
            .collect();
        let (columns, scale) = (rows[0].len(), 4);
        let dark = |x: usize, y: usize| match rows[y / 2][x] {
            '█' => true,
            '▀' => y.is_multiple_of(2),
            '▄' => !y.is_multiple_of(2),
            _ => false,
        };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(columns * scale, rows.len() * 2 * scale, |x, y| {
            if dark(x / scale, y / scale) { 0 } else { 255 }
        });
        let (_, content) = image.detect_grids()[0].decode().unwrap();
        assert_eq!(content, text);
    }
}
