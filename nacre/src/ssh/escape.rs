//! The escape character of a terminal session (ssh(1), ESCAPE CHARACTERS): a filter over what is
//! typed, without input or output of its own.

/// What a person asks for by escape character and letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `~.`: end the connection.
    Disconnect,
    /// `~^Z`: suspend the client.
    Suspend,
    /// `~#`: list the channels.
    List,
    /// `~?`: list the escapes.
    Help,
    /// `~R`: renew the keys.
    Rekey,
    /// `~B`: send a break.
    Break,
    /// `~v`: say more.
    More,
    /// `~V`: say less.
    Less,
    /// `~C`: a command line.
    CommandLine,
    /// `~I`: what was agreed with the server.
    Information,
    /// A letter that OpenSSH knows and this client does nothing for.
    Unsupported(char),
}

/// Where in what is typed the filter stands.
#[derive(Debug)]
pub struct Escapes {
    character: Option<u8>,
    at_line_start: bool,
    pending: bool,
}

impl Escapes {
    /// A filter for the character, `None` to let everything through. The session's beginning counts
    /// as the beginning of a line.
    pub const fn new(character: Option<u8>) -> Self {
        Self { character, at_line_start: true, pending: false }
    }

    /// Takes typed bytes up to and including the first escape: what is to be sent goes to `out`.
    /// Returns how many bytes were taken and what is asked for behind them.
    pub fn take(&mut self, typed: &[u8], out: &mut Vec<u8>) -> (usize, Option<Action>) {
        let Some(character) = self.character else {
            out.extend_from_slice(typed);
            return (typed.len(), None);
        };
        for (place, byte) in typed.iter().copied().enumerate() {
            if std::mem::take(&mut self.pending) {
                if let Some(action) = action(byte) {
                    // OpenSSH leaves the line's beginning as it was: another escape may follow.
                    return (place + 1, Some(action));
                }
                if byte != character {
                    out.push(character);
                }
            } else if self.at_line_start && byte == character {
                self.pending = true;
                continue;
            }
            self.at_line_start = matches!(byte, b'\r' | b'\n');
            out.push(byte);
        }
        (typed.len(), None)
    }

    /// What `~?` shows.
    pub fn help(&self) -> String {
        let c = match self.character {
            Some(control @ 0..32) => format!("^{}", char::from(control | 64)),
            Some(byte) => char::from(byte).to_string(),
            None => return String::new(),
        };
        format!(
            "Supported escape sequences:\n \
             {c}.   - end the connection\n \
             {c}B   - send a BREAK to the remote system\n \
             {c}C   - open a command line (EnableEscapeCommandline)\n \
             {c}I   - show what was agreed with the server\n \
             {c}R   - renew the keys\n \
             {c}V/v - say less/more (LogLevel)\n \
             {c}^Z  - suspend the client\n \
             {c}#   - list the open channels\n \
             {c}?   - this message\n \
             {c}{c}   - send the escape character by typing it twice\n\
             (Escapes are recognized at the beginning of a line only.)"
        )
    }
}

fn action(byte: u8) -> Option<Action> {
    Some(match byte {
        b'.' => Action::Disconnect,
        0x1a => Action::Suspend,
        b'#' => Action::List,
        b'?' => Action::Help,
        b'R' => Action::Rekey,
        b'B' => Action::Break,
        b'v' => Action::More,
        b'V' => Action::Less,
        b'C' => Action::CommandLine,
        b'I' => Action::Information,
        b'&' => Action::Unsupported(char::from(byte)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    /// What is sent and done for what is typed, however it is cut.
    fn typed(text: &[u8]) -> (Vec<u8>, Vec<Action>) {
        let whole = run(text.chunks(text.len().max(1)));
        for size in 1..text.len() {
            assert_eq!(run(text.chunks(size)), whole, "cut into {size}");
        }
        whole
    }

    fn run<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<Action>) {
        let (mut escapes, mut sent, mut actions) = (Escapes::new(Some(b'~')), Vec::new(), Vec::new());
        for mut chunk in chunks {
            while !chunk.is_empty() {
                let (taken, action) = escapes.take(chunk, &mut sent);
                actions.extend(action);
                chunk = &chunk[taken..];
            }
        }
        (sent, actions)
    }

    #[test]
    fn only_at_the_beginning_of_a_line() {
        assert_eq!(typed(b"~."), (b"".to_vec(), vec![Action::Disconnect]));
        assert_eq!(typed(b"a~."), (b"a~.".to_vec(), vec![]));
        assert_eq!(typed(b"a\r~."), (b"a\r".to_vec(), vec![Action::Disconnect]));
        assert_eq!(typed(b"a\n~.rest"), (b"a\nrest".to_vec(), vec![Action::Disconnect]));
        assert_eq!(typed(b"\r~\x1a"), (b"\r".to_vec(), vec![Action::Suspend]));
    }

    #[test]
    fn the_character_itself_and_unknown_letters() {
        assert_eq!(typed(b"~~x"), (b"~x".to_vec(), vec![]));
        assert_eq!(typed(b"~~."), (b"~.".to_vec(), vec![]));
        assert_eq!(typed(b"~x~."), (b"~x~.".to_vec(), vec![]));
        assert_eq!(typed(b"~\r~."), (b"~\r".to_vec(), vec![Action::Disconnect]));
    }

    #[test]
    fn every_letter() {
        use Action::{Break, CommandLine, Help, Information, Less, List, More, Rekey, Unsupported};
        let (sent, actions) = typed(b"~#~?~R~B~v~V~C~I~&x");
        assert_eq!(sent, b"x");
        assert_eq!(actions, [List, Help, Rekey, Break, More, Less, CommandLine, Information, Unsupported('&')]);
    }

    #[test]
    fn without_a_character_everything_passes() {
        let mut out = Vec::new();
        assert_eq!(Escapes::new(None).take(b"\r~.", &mut out), (3, None));
        assert_eq!(out, b"\r~.");
    }
}
