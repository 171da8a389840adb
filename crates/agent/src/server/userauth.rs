//! Recognizing what is to be signed as a login (RFC 4252 §7): a key bound to destinations signs nothing else.

use nacre_wire::{DecodeError, DecodeErrorKind, Reader};

/// `SSH_MSG_USERAUTH_REQUEST` (RFC 4252 §5).
const USERAUTH_REQUEST: u8 = 50;

/// The longest user name, in bytes.
const MAX_USER: usize = 1024;

/// A login that is to be signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Login<'a> {
    pub(super) session_identifier: &'a [u8],
    pub(super) user: &'a [u8],
    /// The host key, where the method has one (OpenSSH PROTOCOL §3.1).
    pub(super) host_key: Option<&'a [u8]>,
}

/// Reads what a client has signed to log in with `public_key`.
///
/// # Errors
/// It is anything else.
pub(super) fn read<'a>(data: &'a [u8], public_key: &[u8]) -> Result<Login<'a>, DecodeError> {
    let other = |field| DecodeError { kind: DecodeErrorKind::BadValue, field };
    let is = |found: bool, field| if found { Ok(()) } else { Err(other(field)) };
    let mut reader = Reader::new(data);
    let session_identifier = reader.string("session identifier")?;
    is(reader.u8("number")? == USERAUTH_REQUEST, "number")?;
    let user = reader.string("user name")?;
    // It is compared with patterns, which takes time with its length.
    is(user.len() <= MAX_USER, "user name")?;
    is(reader.string("service name")? == b"ssh-connection", "service name")?;
    let with_host_key = match reader.string("method name")? {
        b"publickey" => false,
        b"publickey-hostbound-v00@openssh.com" => true,
        _ => return Err(other("method name")),
    };
    is(reader.bool("has signature")?, "has signature")?;
    reader.string("public key algorithm")?;
    is(reader.string("public key")? == public_key, "public key")?;
    let host_key = if with_host_key { Some(reader.string("host key")?) } else { None };
    reader.finish()?;
    Ok(Login { session_identifier, user, host_key })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nacre_wire::WriteExt;

    fn data(service: &str, method: &str, host_key: Option<&str>) -> Vec<u8> {
        let mut data = Vec::new();
        data.put_string("session");
        data.put_u8(50);
        data.put_string("me");
        data.put_string(service);
        data.put_string(method);
        data.put_bool(true);
        data.put_string("ssh-ed25519");
        data.put_string("KEY");
        if let Some(key) = host_key {
            data.put_string(key);
        }
        data
    }

    #[test]
    fn both_methods_are_read() {
        let plain = data("ssh-connection", "publickey", None);
        let login = read(&plain, b"KEY").unwrap();
        assert_eq!(login, Login { session_identifier: b"session", user: b"me", host_key: None });
        let bound = data("ssh-connection", "publickey-hostbound-v00@openssh.com", Some("HOST"));
        assert_eq!(read(&bound, b"KEY").unwrap().host_key, Some(&b"HOST"[..]));
    }

    #[test]
    fn g02_what_is_no_login_with_this_key_is_not_taken_for_one() {
        let plain = data("ssh-connection", "publickey", None);
        assert!(read(&plain, b"OTHER").is_err());
        assert!(read(&data("other", "publickey", None), b"KEY").is_err());
        assert!(read(&data("ssh-connection", "password", None), b"KEY").is_err());
        assert!(read(&data("ssh-connection", "publickey", Some("HOST")), b"KEY").is_err());
        assert!(read(&data("ssh-connection", "publickey-hostbound-v00@openssh.com", None), b"KEY").is_err());
        for cut in 0..plain.len() {
            assert!(read(plain.get(..cut).unwrap(), b"KEY").is_err(), "{cut}");
        }
        let mut other = plain.clone();
        *other.get_mut(11).unwrap() = 51;
        assert!(read(&other, b"KEY").is_err());
    }
}
