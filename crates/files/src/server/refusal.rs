//! Why a request is not done, as a STATUS says it. The codes are those of OpenSSH's sftp-server.

use nacre_sftp::{Code, Reply};
use rustix::io::Errno;

/// The code and the words of a STATUS that is not OK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    words: Words,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    /// The code's.
    Usual,
    /// The system's.
    Errno(Errno),
    /// Ours.
    Text(&'static str),
}

impl Refusal {
    /// With the code's own words.
    pub const fn code(code: Code) -> Self {
        Self { code, words: Words::Usual }
    }

    /// With words of ours.
    pub const fn text(code: Code, text: &'static str) -> Self {
        Self { code, words: Words::Text(text) }
    }

    /// The handle is none that was given out, or not of the right kind.
    pub const NO_HANDLE: Self = Self::text(Code::Failure, "No such handle");

    /// The words.
    pub fn words(&self) -> String {
        match self.words {
            Words::Usual => self.code.to_string(),
            Words::Text(text) => text.to_owned(),
            Words::Errno(errno) => {
                let text = std::io::Error::from(errno).to_string();
                // The number is the server's own and tells a client nothing.
                text.split(" (os error").next().unwrap_or(&text).to_owned()
            }
        }
    }

    /// Appends the STATUS.
    pub fn encode(&self, id: u32, out: &mut Vec<u8>) {
        Reply::Status { code: self.code, message: self.words().as_bytes() }.encode(id, out);
    }
}

impl From<Errno> for Refusal {
    /// Words that tell more than the code are the system's; what is not there is said in one way only, whatever the reason
    /// (threat F3).
    fn from(errno: Errno) -> Self {
        let code = match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::BADF | Errno::LOOP => return Self::code(Code::NoSuchFile),
            Errno::PERM | Errno::ACCESS | Errno::FAULT => return Self::code(Code::PermissionDenied),
            Errno::NOSYS => return Self::code(Code::Unsupported),
            Errno::NAMETOOLONG | Errno::INVAL => Code::BadMessage,
            _ => Code::Failure,
        };
        Self { code, words: Words::Errno(errno) }
    }
}
