//! One line of the password file.

use super::name::{self, NameError};
use data_encoding::BASE32_NOPAD;
use nacre_proto::crypto::SecretBytes;

/// The fewest bytes of a one-time code's secret (RFC 4226 §4, R6).
const MIN_SECRET: usize = 16;
/// More than any authenticator makes.
const MAX_SECRET: usize = 128;

/// The fifth field of a name whose password must be changed.
const CHANGE: &str = "change";

/// What is kept for one name.
#[derive(Debug, Clone)]
pub struct Record {
    /// The name to log in with.
    pub name: String,
    /// The argon2id hash as a PHC string; `None` when the name has no password.
    pub password: Option<String>,
    /// The one-time code, when one is enrolled; then it is compulsory.
    pub totp: Option<Totp>,
    /// The password must be changed at the next login.
    pub must_change: bool,
}

/// An enrolled one-time code.
#[derive(Debug, Clone)]
pub struct Totp {
    /// The secret shared with the authenticator.
    pub secret: SecretBytes,
    /// The latest 30-second step whose code was taken; this one and those before are spent
    /// (RFC 6238 §5.2).
    pub last_step: u64,
}

/// Why a line is not a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    /// It does not have four fields, or five of which the last is [`CHANGE`].
    Fields,
    /// Its name is not one that is allowed.
    Name(NameError),
    /// Its hash is not an argon2id hash.
    Password,
    /// Its secret is not base32, or not 16 to 128 bytes long.
    Secret,
    /// Its step is not a number, or stands without a secret.
    Step,
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fields => f.write_str("four fields parted by ':' were expected, and perhaps 'change'"),
            Self::Name(error) => error.fmt(f),
            Self::Password => f.write_str("the second field is not an argon2id hash"),
            Self::Secret => f.write_str("the third field is not a one-time code's secret in base32"),
            Self::Step => f.write_str("the fourth field is not the number of a step"),
        }
    }
}

impl std::error::Error for RecordError {}

impl Record {
    /// A name that has nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), password: None, totp: None, must_change: false }
    }

    /// Reads `name:hash:secret:step`, which `:change` may follow; the last three may be empty, the step only with
    /// the secret.
    ///
    /// # Errors
    /// Says which field is wrong. Nothing is guessed: a damaged line must not become a name
    /// without a one-time code.
    pub fn parse(line: &str) -> Result<Self, RecordError> {
        let mut fields = line.split(':');
        let mut field = || fields.next().ok_or(RecordError::Fields);
        let (name, hash, secret, step) = (field()?, field()?, field()?, field()?);
        let must_change = match (fields.next(), fields.next()) {
            (None, _) => false,
            (Some(CHANGE), None) => true,
            _ => return Err(RecordError::Fields),
        };
        name::check(name).map_err(RecordError::Name)?;
        if !hash.is_empty() && !hash.starts_with("$argon2id$") {
            return Err(RecordError::Password);
        }
        let password = (!hash.is_empty()).then(|| hash.to_owned());
        Ok(Self { name: name.to_owned(), password, totp: Self::totp(secret, step)?, must_change })
    }

    fn totp(secret: &str, step: &str) -> Result<Option<Totp>, RecordError> {
        if secret.is_empty() {
            return if step.is_empty() { Ok(None) } else { Err(RecordError::Step) };
        }
        let bytes = BASE32_NOPAD.decode(secret.as_bytes()).map_err(|_| RecordError::Secret)?;
        if !(MIN_SECRET..=MAX_SECRET).contains(&bytes.len()) {
            return Err(RecordError::Secret);
        }
        let last_step = step.parse().map_err(|_| RecordError::Step)?;
        Ok(Some(Totp { secret: SecretBytes::new(bytes), last_step }))
    }

    /// The line, without its end.
    pub fn to_line(&self) -> String {
        let hash = self.password.as_deref().unwrap_or_default();
        let change = if self.must_change { format!(":{CHANGE}") } else { String::new() };
        match &self.totp {
            None => format!("{}:{hash}::{change}", self.name),
            Some(totp) => {
                let secret = BASE32_NOPAD.encode(totp.secret.expose());
                format!("{}:{hash}:{secret}:{}{change}", self.name, totp.last_step)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_come_back_as_they_were() {
        for line in [
            "alice:$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA::",
            "bob:::",
            "carol::GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ:59",
            "dave:$argon2id$x:GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ:0",
            "erin:$argon2id$x:::change",
            "finn:$argon2id$x:GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ:0:change",
        ] {
            assert_eq!(Record::parse(line).unwrap().to_line(), line);
        }
    }

    #[test]
    fn damaged_lines_are_refused_not_mended() {
        for (line, problem) in [
            ("", RecordError::Fields),
            ("alice", RecordError::Fields),
            ("alice::", RecordError::Fields),
            ("alice::::", RecordError::Fields),
            ("alice::::Change", RecordError::Fields),
            ("alice::::change:", RecordError::Fields),
            ("-x:::", RecordError::Name(NameError::Dash)),
            ("alice:x::", RecordError::Password),
            ("alice:$1$x$y::", RecordError::Password),
            ("alice::gezdgnbvgy3tqojqgezdgnbvgy3tqojq:0", RecordError::Secret),
            ("alice::GEZDGNBV:0", RecordError::Secret),
            ("alice::GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ:", RecordError::Step),
            ("alice::GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ:x", RecordError::Step),
            ("alice::GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ:-1", RecordError::Step),
            ("alice:::7", RecordError::Step),
        ] {
            assert_eq!(Record::parse(line).unwrap_err(), problem, "{line:?}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let record = Record::parse("carol::GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ:59").unwrap();
        assert!(!format!("{record:?}").contains("49, 50"), "{record:?}");
    }
}
