//! Forwarding, RFC 4254 §7 and OpenSSH PROTOCOL §2.4: what the channels that carry other connections are opened
//! with, and the requests to listen, as owned types.

use crate::{DecodeError, DecodeErrorKind, Reader, WriteExt, names};

/// The longest host name or address taken, in bytes.
pub const MAX_HOST_BYTES: usize = 1024;
/// The longest path of a socket taken, in bytes. Systems take far shorter ones.
pub const MAX_PATH_BYTES: usize = 4096;

/// Where a forwarded connection came from. It is the peer's word and decides nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Originator {
    /// Its address, not cleaned.
    pub address: String,
    /// Its port; some peers have none to tell and say something else.
    pub port: u32,
}

/// What a channel that carries a connection is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardOpen {
    /// `direct-tcpip`, RFC 4254 §7.2: connect to this host for me.
    DirectTcpip {
        /// Host name or address, not cleaned.
        host: String,
        /// Its port.
        port: u16,
        /// Who connected to the opener.
        originator: Originator,
    },
    /// `forwarded-tcpip`, RFC 4254 §7.2: somebody connected to the port you had me listen on.
    ForwardedTcpip {
        /// The address as the request to listen named it.
        address: String,
        /// The port that was listened on.
        port: u16,
        /// Who connected.
        originator: Originator,
    },
    /// `direct-streamlocal@openssh.com`: connect to this Unix socket for me.
    DirectStreamlocal {
        /// Its path, bytes for the file system.
        path: Vec<u8>,
    },
    /// `forwarded-streamlocal@openssh.com`: somebody connected to the Unix socket you had me listen on.
    ForwardedStreamlocal {
        /// Its path as the request to listen named it.
        path: Vec<u8>,
    },
    /// `auth-agent@openssh.com`: somebody connected to the socket that stands for your agent.
    AuthAgent,
}

/// A global request to listen for the peer, or to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardRequest {
    /// `tcpip-forward`, RFC 4254 §7.1.
    Tcpip {
        /// Where to listen: an address, a name, empty for everywhere.
        address: String,
        /// The port; 0 leaves it to the listener, whose answer tells it.
        port: u16,
    },
    /// `cancel-tcpip-forward`, RFC 4254 §7.1.
    CancelTcpip {
        /// The address as it was asked for.
        address: String,
        /// The port that is listened on.
        port: u16,
    },
    /// `streamlocal-forward@openssh.com`.
    Streamlocal {
        /// The path of the socket.
        path: Vec<u8>,
    },
    /// `cancel-streamlocal-forward@openssh.com`.
    CancelStreamlocal {
        /// The path as it was asked for.
        path: Vec<u8>,
    },
}

fn host(reader: &mut Reader<'_>, field: &'static str) -> Result<String, DecodeError> {
    let bytes = reader.string(field)?;
    if bytes.len() > MAX_HOST_BYTES {
        return Err(DecodeError { kind: DecodeErrorKind::TooLong, field });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| DecodeError { kind: DecodeErrorKind::NotUtf8, field })?;
    Ok(text.to_owned())
}

/// A port is 32 bits wide on the wire; a value beyond 16 would mean another port, or any, once cut (threat C7).
fn port(reader: &mut Reader<'_>, field: &'static str) -> Result<u16, DecodeError> {
    u16::try_from(reader.u32(field)?).map_err(|_| DecodeError { kind: DecodeErrorKind::BadValue, field })
}

fn path(reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    let field = "socket path";
    let bytes = reader.string(field)?;
    if bytes.len() > MAX_PATH_BYTES {
        return Err(DecodeError { kind: DecodeErrorKind::TooLong, field });
    }
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(DecodeError { kind: DecodeErrorKind::BadValue, field });
    }
    Ok(bytes.to_vec())
}

fn originator(reader: &mut Reader<'_>) -> Result<Originator, DecodeError> {
    Ok(Originator { address: host(reader, "originator address")?, port: reader.u32("originator port")? })
}

impl ForwardOpen {
    /// Reads what a channel type adds to CHANNEL_OPEN; `None` when the type is none of these.
    ///
    /// # Errors
    /// One of these types with malformed fields, or a port beyond 65535.
    pub fn decode(kind: &str, rest: &[u8]) -> Result<Option<Self>, DecodeError> {
        let mut r = Reader::new(rest);
        let open = match kind {
            names::CHANNEL_DIRECT_TCPIP => Self::DirectTcpip {
                host: host(&mut r, "host to connect")?,
                port: port(&mut r, "port to connect")?,
                originator: originator(&mut r)?,
            },
            names::CHANNEL_FORWARDED_TCPIP => Self::ForwardedTcpip {
                address: host(&mut r, "address that was connected")?,
                port: port(&mut r, "port that was connected")?,
                originator: originator(&mut r)?,
            },
            names::CHANNEL_DIRECT_STREAMLOCAL => {
                let path = path(&mut r)?;
                r.string("reserved")?;
                r.u32("reserved")?;
                Self::DirectStreamlocal { path }
            }
            names::CHANNEL_FORWARDED_STREAMLOCAL => {
                let path = path(&mut r)?;
                r.string("reserved")?;
                Self::ForwardedStreamlocal { path }
            }
            names::CHANNEL_AUTH_AGENT => Self::AuthAgent,
            _ => return Ok(None),
        };
        r.finish()?;
        Ok(Some(open))
    }

    /// The channel type on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DirectTcpip { .. } => names::CHANNEL_DIRECT_TCPIP,
            Self::ForwardedTcpip { .. } => names::CHANNEL_FORWARDED_TCPIP,
            Self::DirectStreamlocal { .. } => names::CHANNEL_DIRECT_STREAMLOCAL,
            Self::ForwardedStreamlocal { .. } => names::CHANNEL_FORWARDED_STREAMLOCAL,
            Self::AuthAgent => names::CHANNEL_AUTH_AGENT,
        }
    }

    /// Appends what the type adds to CHANNEL_OPEN.
    pub fn encode_rest(&self, out: &mut Vec<u8>) {
        match self {
            Self::DirectTcpip { host: address, port, originator }
            | Self::ForwardedTcpip { address, port, originator } => {
                out.put_string(address);
                out.put_u32(u32::from(*port));
                out.put_string(&originator.address);
                out.put_u32(originator.port);
            }
            Self::DirectStreamlocal { path } => {
                out.put_string(path);
                out.put_string("");
                out.put_u32(0);
            }
            Self::ForwardedStreamlocal { path } => {
                out.put_string(path);
                out.put_string("");
            }
            Self::AuthAgent => {}
        }
    }
}

impl ForwardRequest {
    /// Reads what a global request's name adds; `None` when the name is none of these.
    ///
    /// # Errors
    /// One of these names with malformed fields, or a port beyond 65535.
    pub fn decode(name: &str, rest: &[u8]) -> Result<Option<Self>, DecodeError> {
        let mut r = Reader::new(rest);
        let request = match name {
            names::TCPIP_FORWARD => {
                Self::Tcpip { address: host(&mut r, "address to bind")?, port: port(&mut r, "port to bind")? }
            }
            names::CANCEL_TCPIP_FORWARD => {
                Self::CancelTcpip { address: host(&mut r, "address to bind")?, port: port(&mut r, "port to bind")? }
            }
            names::STREAMLOCAL_FORWARD => Self::Streamlocal { path: path(&mut r)? },
            names::CANCEL_STREAMLOCAL_FORWARD => Self::CancelStreamlocal { path: path(&mut r)? },
            _ => return Ok(None),
        };
        r.finish()?;
        Ok(Some(request))
    }

    /// The request's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tcpip { .. } => names::TCPIP_FORWARD,
            Self::CancelTcpip { .. } => names::CANCEL_TCPIP_FORWARD,
            Self::Streamlocal { .. } => names::STREAMLOCAL_FORWARD,
            Self::CancelStreamlocal { .. } => names::CANCEL_STREAMLOCAL_FORWARD,
        }
    }

    /// Appends what the name adds.
    pub fn encode_rest(&self, out: &mut Vec<u8>) {
        match self {
            Self::Tcpip { address, port } | Self::CancelTcpip { address, port } => {
                out.put_string(address);
                out.put_u32(u32::from(*port));
            }
            Self::Streamlocal { path } | Self::CancelStreamlocal { path } => out.put_string(path),
        }
    }

    /// What REQUEST_SUCCESS carries when `bound` is the port that is listened on: a port is told to who left it open.
    pub fn success(&self, bound: u16) -> Vec<u8> {
        let mut out = Vec::new();
        if matches!(self, Self::Tcpip { port: 0, .. }) {
            out.put_u32(u32::from(bound));
        }
        out
    }

    /// The port that the peer listens on, from what its REQUEST_SUCCESS carried: the one it tells where it was left
    /// open, else the one asked for, 0 for a Unix socket.
    ///
    /// # Errors
    /// A port was left open and none, or none that can be, was told.
    pub fn bound_port(&self, success: &[u8]) -> Result<u16, DecodeError> {
        match self {
            Self::Tcpip { port: 0, .. } => {
                let mut r = Reader::new(success);
                let field = "port that was bound";
                let bound = port(&mut r, field)?;
                r.finish()?;
                if bound == 0 { Err(DecodeError { kind: DecodeErrorKind::BadValue, field }) } else { Ok(bound) }
            }
            Self::Tcpip { port, .. } | Self::CancelTcpip { port, .. } => Ok(*port),
            Self::Streamlocal { .. } | Self::CancelStreamlocal { .. } => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn opens() -> Vec<ForwardOpen> {
        let originator = Originator { address: "192.0.2.7".into(), port: 65_535 };
        vec![
            ForwardOpen::DirectTcpip { host: "web.example".into(), port: 80, originator: originator.clone() },
            ForwardOpen::ForwardedTcpip { address: String::new(), port: 65_535, originator },
            ForwardOpen::DirectStreamlocal { path: b"/run/x\xff".to_vec() },
            ForwardOpen::ForwardedStreamlocal { path: b"relative".to_vec() },
        ]
    }

    fn requests() -> Vec<ForwardRequest> {
        vec![
            ForwardRequest::Tcpip { address: String::new(), port: 0 },
            ForwardRequest::CancelTcpip { address: "::1".into(), port: 8080 },
            ForwardRequest::Streamlocal { path: b"/tmp/s".to_vec() },
            ForwardRequest::CancelStreamlocal { path: b"/tmp/s".to_vec() },
        ]
    }

    fn rest_of(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut rest = Vec::new();
        encode(&mut rest);
        rest
    }

    #[test]
    fn they_survive_the_round_trip_and_refuse_every_cut_and_every_byte_more() {
        for open in opens() {
            let rest = rest_of(|out| open.encode_rest(out));
            assert_eq!(ForwardOpen::decode(open.kind(), &rest), Ok(Some(open.clone())));
            for cut in 0..rest.len() {
                assert!(ForwardOpen::decode(open.kind(), &rest[..cut]).is_err(), "{open:?} cut at {cut}");
            }
            let longer = [rest, vec![0]].concat();
            assert_eq!(ForwardOpen::decode(open.kind(), &longer).unwrap_err().kind, DecodeErrorKind::Trailing);
        }
        for request in requests() {
            let rest = rest_of(|out| request.encode_rest(out));
            assert_eq!(ForwardRequest::decode(request.name(), &rest), Ok(Some(request.clone())));
            for cut in 0..rest.len() {
                assert!(ForwardRequest::decode(request.name(), &rest[..cut]).is_err(), "{request:?} cut at {cut}");
            }
        }
        assert_eq!(ForwardOpen::decode("session", b""), Ok(None));
        assert_eq!(ForwardRequest::decode("hostkeys-00@openssh.com", b"x"), Ok(None));
    }

    #[test]
    fn c07_a_port_beyond_65535_is_no_port() {
        for port in [65_536, 0xffff_ffff, 0x1_0000 + 80] {
            let rest = rest_of(|out| {
                out.put_string("h");
                out.put_u32(port);
                out.put_string("o");
                out.put_u32(1);
            });
            let error = ForwardOpen::decode(names::CHANNEL_DIRECT_TCPIP, &rest).unwrap_err();
            assert_eq!((error.kind, error.field), (DecodeErrorKind::BadValue, "port to connect"));
            assert!(ForwardOpen::decode(names::CHANNEL_FORWARDED_TCPIP, &rest).is_err());
            let end = rest.len() - 9;
            assert!(ForwardRequest::decode(names::TCPIP_FORWARD, &rest[..end]).is_err());
            assert!(ForwardRequest::Tcpip { address: String::new(), port: 0 }.bound_port(&port.to_be_bytes()).is_err());
        }
    }

    #[test]
    fn c07_names_and_paths_are_bounded() {
        let long = |n: usize| {
            rest_of(|out| {
                out.put_string("x".repeat(n));
                out.put_u32(1);
            })
        };
        assert!(ForwardRequest::decode(names::TCPIP_FORWARD, &long(MAX_HOST_BYTES)).is_ok());
        assert!(ForwardRequest::decode(names::TCPIP_FORWARD, &long(MAX_HOST_BYTES + 1)).is_err());
        for bad in [&b""[..], b"/tmp/a\0b", &[b'x'; MAX_PATH_BYTES + 1]] {
            let rest = rest_of(|out| out.put_string(bad));
            assert!(ForwardRequest::decode(names::STREAMLOCAL_FORWARD, &rest).is_err());
        }
    }

    #[test]
    fn a_port_is_told_to_who_left_it_open() {
        let open = ForwardRequest::Tcpip { address: String::new(), port: 0 };
        assert_eq!(open.bound_port(&open.success(4711)), Ok(4711));
        assert!(open.bound_port(b"").is_err() && open.bound_port(&[0; 4]).is_err());
        let said = ForwardRequest::Tcpip { address: String::new(), port: 80 };
        assert!(said.success(80).is_empty());
        assert_eq!(said.bound_port(b""), Ok(80));
    }
}
