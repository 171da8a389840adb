//! What a STATUS reply says (draft §7).

/// The code of a STATUS. Codes of later versions than 3 are kept as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// It was done.
    Ok,
    /// The end of a file or of a folder's names.
    Eof,
    /// There is no such file.
    NoSuchFile,
    /// The account may not do that.
    PermissionDenied,
    /// It failed; the message may say why.
    Failure,
    /// The request could not be read.
    BadMessage,
    /// A client's own: there is no connection.
    NoConnection,
    /// A client's own: the connection was lost.
    ConnectionLost,
    /// The server does not know the request.
    Unsupported,
    /// Any other.
    Other(u32),
}

impl Code {
    /// From the wire.
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Ok,
            1 => Self::Eof,
            2 => Self::NoSuchFile,
            3 => Self::PermissionDenied,
            4 => Self::Failure,
            5 => Self::BadMessage,
            6 => Self::NoConnection,
            7 => Self::ConnectionLost,
            8 => Self::Unsupported,
            other => Self::Other(other),
        }
    }

    /// For the wire.
    pub fn number(self) -> u32 {
        match self {
            Self::Ok => 0,
            Self::Eof => 1,
            Self::NoSuchFile => 2,
            Self::PermissionDenied => 3,
            Self::Failure => 4,
            Self::BadMessage => 5,
            Self::NoConnection => 6,
            Self::ConnectionLost => 7,
            Self::Unsupported => 8,
            Self::Other(other) => other,
        }
    }
}

impl Code {
    /// The words for it, if version 3 has the code.
    pub fn words(self) -> Option<&'static str> {
        Some(match self {
            Self::Ok => "Success",
            Self::Eof => "End of file",
            Self::NoSuchFile => "No such file or directory",
            Self::PermissionDenied => "Permission denied",
            Self::Failure => "Failure",
            Self::BadMessage => "Bad message",
            Self::NoConnection => "No connection",
            Self::ConnectionLost => "Connection lost",
            Self::Unsupported => "Operation unsupported",
            Self::Other(_) => return None,
        })
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.words() {
            Some(words) => f.write_str(words),
            None => write!(f, "Status {}", self.number()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        for number in (0..40).chain([u32::MAX]) {
            assert_eq!(Code::from_number(number).number(), number);
        }
    }
}
