//! The lines of the old protocol: `C0644 12 name`, `D0755 0 name`, `E`, `T1700000000 0 1700000000 0`.
//!
//! It was never written down but in the programs; what is read here is what OpenSSH's scp writes, and nothing besides
//! (threats F9, F10).

use nacre_wire::text::clean_line;

/// Bytes of the longest line, its end included: as OpenSSH's.
pub const MAX_LINE: usize = 2048;

/// The most of a peer's message that is shown, in bytes.
const MAX_SHOWN: usize = 512;

/// A line that the sending end says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// `T`: the times of what comes next.
    Times(Times),
    /// `C`: a file.
    File(Entry),
    /// `D`: a folder begins.
    Folder(Entry),
    /// `E`: the folder ends.
    End,
}

/// Times in seconds and microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Of the last change.
    pub modified: (i64, u32),
    /// Of the last reading.
    pub accessed: (i64, u32),
}

/// A file or folder that is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Permission bits with set-user-id, set-group-id and sticky: at most 0o7777.
    pub mode: u32,
    /// Bytes of the file; means nothing for a folder. At most `i64::MAX`.
    pub size: u64,
    /// One component: not empty, no slash, not `.` or `..`.
    pub name: Vec<u8>,
}

/// Why a line is none of these, in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl Control {
    /// Reads a line without its end.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Self, Malformed> {
        match line.split_first() {
            Some((b'T', rest)) => Ok(Self::Times(times(rest)?)),
            Some((b'C', rest)) => Ok(Self::File(entry(rest)?)),
            Some((b'D', rest)) => Ok(Self::Folder(entry(rest)?)),
            Some((b'E', [])) => Ok(Self::End),
            _ => Err(Malformed(format!("unexpected message: {}", clean_line(line, MAX_SHOWN)))),
        }
    }
}

impl Entry {
    /// The line that announces it, with its end; `letter` is `C` or `D`. A line feed in the name would end the line, so it is
    /// written as `\^J`, as OpenSSH does.
    pub fn line(&self, letter: u8) -> Vec<u8> {
        let mut line = vec![letter];
        line.extend(format!("{:04o} {} ", self.mode, self.size).bytes());
        for byte in &self.name {
            match byte {
                b'\n' => line.extend(br"\^J"),
                other => line.push(*other),
            }
        }
        line.push(b'\n');
        line
    }
}

impl Times {
    /// The line that announces them, with its end.
    pub fn line(&self) -> String {
        // A time before 1970 cannot be said.
        let whole = |(seconds, _): (i64, u32)| seconds.max(0);
        format!("T{} 0 {} 0\n", whole(self.modified), whole(self.accessed))
    }
}

fn malformed<T>(what: &str) -> Result<T, Malformed> {
    Err(Malformed(format!("protocol error: {what}")))
}

fn times(rest: &[u8]) -> Result<Times, Malformed> {
    let mut fields = rest.split(|byte| *byte == b' ');
    let mut next = || fields.next().and_then(number);
    let (Some(modified), Some(modified_micros), Some(accessed), Some(accessed_micros)) =
        (next(), next(), next(), next())
    else {
        return malformed("times not present");
    };
    if fields.next().is_some() {
        return malformed("more than four times");
    }
    let time = |seconds: u64, micros: u64| -> Result<(i64, u32), Malformed> {
        let micros = u32::try_from(micros).ok().filter(|micros| *micros < 1_000_000);
        match (i64::try_from(seconds), micros) {
            (Ok(seconds), Some(micros)) => Ok((seconds, micros)),
            _ => malformed("time out of range"),
        }
    };
    Ok(Times { modified: time(modified, modified_micros)?, accessed: time(accessed, accessed_micros)? })
}

fn entry(rest: &[u8]) -> Result<Entry, Malformed> {
    let mut fields = rest.splitn(3, |byte| *byte == b' ');
    let mode = match fields.next() {
        Some(digits) if digits.len() == 4 && digits.iter().all(|digit| (b'0'..=b'7').contains(digit)) => {
            digits.iter().fold(0, |mode, digit| mode << 3 | u32::from(digit - b'0'))
        }
        _ => return malformed("bad mode"),
    };
    let Some(size) = fields.next().and_then(number) else { return malformed("size not present") };
    if i64::try_from(size).is_err() {
        return malformed("size out of range");
    }
    let Some(name) = fields.next() else { return malformed("name not present") };
    if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') || name.contains(&0) {
        return Err(Malformed(format!("unexpected filename: {}", clean_line(name, MAX_SHOWN))));
    }
    Ok(Entry { mode, size, name: name.to_vec() })
}

/// Plain digits; no sign, no spaces.
fn number(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let entry = Entry { mode: 0o4755, size: 1 << 40, name: b"a b\xff".to_vec() };
        let line = entry.line(b'C');
        assert_eq!(line, b"C4755 1099511627776 a b\xff\n");
        assert_eq!(Control::parse(line.strip_suffix(b"\n").unwrap()), Ok(Control::File(entry)));
        let times = Times { modified: (1_700_000_000, 0), accessed: (5, 0) };
        assert_eq!(Control::parse(times.line().trim_end().as_bytes()), Ok(Control::Times(times)));
        assert_eq!(Times { modified: (-1, 0), accessed: (0, 0) }.line(), "T0 0 0 0\n");
        assert_eq!(Control::parse(b"E"), Ok(Control::End));
        let named = Entry { mode: 0, size: 0, name: b"a\nC0644 1 b".to_vec() };
        assert_eq!(named.line(b'C'), b"C0000 0 a\\^JC0644 1 b\n");
    }

    #[test]
    fn f09_names_that_lead_elsewhere_are_refused() {
        for name in ["", ".", "..", "/", "a/b", "../x", "/etc/passwd", "a/", "a\0b"] {
            let refused = Control::parse(format!("C0644 1 {name}").as_bytes()).unwrap_err();
            assert!(refused.0.contains("unexpected filename"), "{refused:?}");
            assert!(Control::parse(format!("D0755 0 {name}").as_bytes()).is_err());
        }
        let shown = Control::parse(b"D0755 0 ../\x1b[2J\x07x").unwrap_err().0;
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
    }

    #[test]
    fn f10_sizes_modes_and_times_are_bounded() {
        for line in [
            "C0644 -1 a",
            "C0644 -9999999999 a",
            "C0644 9223372036854775808 a",
            "C0644 99999999999999999999999 a",
            "C0644 +1 a",
            "C0644  1 a",
            "C0644 1",
            "C0644",
            "C",
            "C644 1 a",
            "C00644 1 a",
            "C0648 1 a",
            "Cxxxx 1 a",
            "C0644 1x a",
            "C-644 1 a",
            "T1 0 1",
            "T1 0 1 0 1",
            "T1 0 1 0 ",
            "T-1 0 1 0",
            "T1 1000000 1 0",
            "T9223372036854775808 0 1 0",
            "T",
            "T 1 0 1 0",
            "E0",
            "",
            "X",
            "\u{1}scp: a",
            "c0644 1 a",
        ] {
            assert!(Control::parse(line.as_bytes()).is_err(), "{line}");
        }
        let largest = Control::parse(b"C0644 9223372036854775807 a").unwrap();
        assert!(matches!(largest, Control::File(Entry { size: 9_223_372_036_854_775_807, .. })));
    }
    #[test]
    fn f10_whatever_comes_is_read_or_refused_and_written_again_as_it_was() {
        let seeds: [&[u8]; 4] = [b"C0644 12 name", b"D0755 0 name", b"E", b"T1700000000 0 1700000000 0"];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        for _ in 0..200_000 {
            let mut line = seeds.get(next(4)).unwrap().to_vec();
            for _ in 0..=next(4) {
                let at = next(line.len() + 1);
                let byte = *b"09 -/.\0\n\xffCDET\x1b".get(next(14)).unwrap();
                match next(3) {
                    0 => line.insert(at, byte),
                    1 if at < line.len() => {
                        line.remove(at);
                    }
                    _ => line.truncate(at.max(1)),
                }
            }
            match Control::parse(&line) {
                Ok(Control::File(entry) | Control::Folder(entry)) => {
                    assert!(i64::try_from(entry.size).is_ok() && entry.mode <= 0o7777);
                    assert!(!entry.name.contains(&b'/') && !matches!(entry.name.as_slice(), b"" | b"." | b".."));
                    let again = entry.line(b'C');
                    assert!(again.iter().filter(|byte| **byte == b'\n').count() == 1 && again.ends_with(b"\n"));
                }
                Ok(Control::Times(times)) => assert!(times.modified.0 >= 0 && times.modified.1 < 1_000_000),
                Ok(Control::End) => assert_eq!(line, b"E"),
                Err(Malformed(text)) => assert!(!text.chars().any(char::is_control), "{text:?}"),
            }
        }
    }
}
