//! How values travel between our own processes: the data types of RFC 4251 §5, one field after
//! another. Whoever reads checks every byte, since the other side may have been taken over.

use crate::server::authority::{
    Exit, KeyCheck, Permissions, Place, PtyRequest, Refused, SessionRequests, Start, Target,
};
use nacre_config::channel_timeout::ChannelTimeouts;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::KeyProof;
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use nacre_proto::{ConnectionLimits, Keepalive, RekeyPolicy};
use nacre_sys::account::{Account, Credentials};
use nacre_wire::forward::Originator;
use nacre_wire::session::WindowSize;
use nacre_wire::userauth::{InfoRequest, Prompt};
use nacre_wire::{DecodeError, DecodeErrorKind, Reader, WriteExt};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

/// The most elements of a list.
const MAX_LIST: u32 = 4096;

/// A value that can be put into a message and taken out again.
pub trait Packed: Sized {
    /// Appends it.
    fn pack(&self, out: &mut Vec<u8>);

    /// Takes it out.
    ///
    /// # Errors
    /// The bytes are no such value.
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// Room for any message that carries a secret, so that growing never leaves a copy behind.
pub const SECRET_ROOM: usize = 80 * 1024;

/// A value that cannot be.
///
/// # Errors
/// Always.
pub fn bad<T>(field: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError { kind: DecodeErrorKind::BadValue, field })
}

impl Packed for bool {
    fn pack(&self, out: &mut Vec<u8>) {
        out.put_u8(u8::from(*self));
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("boolean")? {
            0 => Ok(false),
            1 => Ok(true),
            _ => bad("boolean"),
        }
    }
}

impl Packed for u32 {
    fn pack(&self, out: &mut Vec<u8>) {
        out.put_u32(*self);
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.u32("number")
    }
}

impl Packed for u16 {
    fn pack(&self, out: &mut Vec<u8>) {
        out.put_u32(u32::from(*self));
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::try_from(reader.u32("port")?).or_else(|_| bad("port"))
    }
}

impl Packed for u64 {
    fn pack(&self, out: &mut Vec<u8>) {
        out.put_u64(*self);
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.u64("number")
    }
}

impl Packed for usize {
    fn pack(&self, out: &mut Vec<u8>) {
        u64::try_from(*self).unwrap_or(u64::MAX).pack(out);
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::try_from(u64::unpack(reader)?).unwrap_or(Self::MAX))
    }
}

impl Packed for String {
    fn pack(&self, out: &mut Vec<u8>) {
        out.put_string(self);
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.text("text").map(str::to_owned)
    }
}

impl Packed for SecretBytes {
    fn pack(&self, out: &mut Vec<u8>) {
        out.put_string(self.expose());
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.string("secret").map(|bytes| Self::new(bytes.to_vec()))
    }
}

impl Packed for OsString {
    fn pack(&self, out: &mut Vec<u8>) {
        out.put_string(self.as_bytes());
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.string("system string").map(|bytes| Self::from_vec(bytes.to_vec()))
    }
}

impl Packed for PathBuf {
    fn pack(&self, out: &mut Vec<u8>) {
        out.put_string(self.as_os_str().as_bytes());
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        OsString::unpack(reader).map(Self::from)
    }
}

impl Packed for SocketAddr {
    fn pack(&self, out: &mut Vec<u8>) {
        self.to_string().pack(out);
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.text("address")?.parse().or_else(|_| bad("address"))
    }
}

impl Packed for Duration {
    fn pack(&self, out: &mut Vec<u8>) {
        u64::try_from(self.as_micros()).unwrap_or(u64::MAX).pack(out);
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        u64::unpack(reader).map(Self::from_micros)
    }
}

impl Packed for SignatureAlgorithm {
    fn pack(&self, out: &mut Vec<u8>) {
        out.put_string(self.name());
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_name(reader.text("signature algorithm")?).map_or_else(|| bad("signature algorithm"), Ok)
    }
}

impl<T: Packed> Packed for Option<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        self.is_some().pack(out);
        if let Some(value) = self {
            value.pack(out);
        }
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if bool::unpack(reader)? { T::unpack(reader).map(Some) } else { Ok(None) }
    }
}

impl Packed for Vec<u8> {
    fn pack(&self, out: &mut Vec<u8>) {
        out.put_string(self);
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.string("bytes").map(<[u8]>::to_vec)
    }
}

/// A list of anything but bytes, which are one string.
impl<T: Packed> Packed for Vec<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        u32::try_from(self.len()).unwrap_or(u32::MAX).pack(out);
        for element in self {
            element.pack(out);
        }
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = u32::unpack(reader)?;
        if count > MAX_LIST {
            return Err(DecodeError { kind: DecodeErrorKind::TooLong, field: "list" });
        }
        (0..count).map(|_| T::unpack(reader)).collect()
    }
}

impl<A: Packed, B: Packed> Packed for (A, B) {
    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
        self.1.pack(out);
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::unpack(reader)?, B::unpack(reader)?))
    }
}

/// Packs a struct field by field, in the order given.
#[macro_export]
macro_rules! packed_fields {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::privsep::Packed for $type {
            fn pack(&self, out: &mut Vec<u8>) {
                $($crate::privsep::Packed::pack(&self.$field, out);)*
            }
            fn unpack(reader: &mut ::nacre_wire::Reader<'_>) -> Result<Self, ::nacre_wire::DecodeError> {
                Ok(Self { $($field: $crate::privsep::Packed::unpack(reader)?),* })
            }
        }
    };
}

/// Declares an enum of messages with its table: number, name, fields.
#[macro_export]
macro_rules! privsep_messages {
    ($(#[$doc:meta])* $type:ident { $($(#[$about:meta])* $number:literal $variant:ident {
        $($(#[$what:meta])* $field:ident: $content:ty),* $(,)?
    })* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $type { $($(#[$about])* $variant { $($(#[$what])* $field: $content),* }),* }

        impl $type {
            /// Every message: its number and its name.
            pub const TABLE: &'static [(u8, &'static str)] = &[$(($number, stringify!($variant))),*];

            /// Its name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => stringify!($variant)),* }
            }

            /// Its bytes, wiped when dropped.
            pub fn to_bytes(&self) -> ::zeroize::Zeroizing<Vec<u8>> {
                use $crate::privsep::Packed;
                let mut out = ::zeroize::Zeroizing::new(Vec::with_capacity($crate::privsep::SECRET_ROOM));
                match self { $(Self::$variant { $($field),* } => {
                    out.push($number);
                    $($field.pack(&mut out);)*
                })* }
                out
            }

            /// Reads one.
            ///
            /// # Errors
            /// No such message, or not of this form.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, ::nacre_wire::DecodeError> {
                use $crate::privsep::Packed;
                let mut reader = ::nacre_wire::Reader::new(bytes);
                let message = match reader.u8("message number")? {
                    $($number => Self::$variant { $($field: Packed::unpack(&mut reader)?),* },)*
                    _ => return $crate::privsep::bad("message number"),
                };
                reader.finish()?;
                Ok(message)
            }
        }
    };
}

packed_fields!(Refused { prohibited, why });
packed_fields!(Originator { address, port });
packed_fields!(WindowSize { columns, rows, width, height });
packed_fields!(PtyRequest { term, size, modes });
packed_fields!(SessionRequests { pty, env, agent, start });
packed_fields!(Permissions { pty, max_sessions, signals, accept_env, limits, channel_timeouts });
packed_fields!(ChannelTimeouts { limits });
packed_fields!(ConnectionLimits { rekey, keepalive, unused_timeout });
packed_fields!(RekeyPolicy { bytes, time });
packed_fields!(Keepalive { interval, count_max });
packed_fields!(KeyProof { signature, host_key });
packed_fields!(KeyCheck { algorithm, public_key, proof });
packed_fields!(UserPolicy { methods, max_tries, failure_delay, banner, none_succeeds, algorithms });
packed_fields!(Prompt { text, echo });
packed_fields!(InfoRequest { name, instruction, prompts });
packed_fields!(Account { name, uid, gid, gecos, home, shell, password });
packed_fields!(Credentials { uid, gid, groups });

/// A terminal mode (RFC 4254 §8): its opcode and its argument.
impl Packed for (u8, u32) {
    fn pack(&self, out: &mut Vec<u8>) {
        out.put_u8(self.0);
        out.put_u32(self.1);
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((reader.u8("mode")?, reader.u32("mode's argument")?))
    }
}

/// Packs an enum as a byte that says which, then its content.
macro_rules! packed_choices {
    ($type:ident, $what:literal { $($number:literal => $variant:ident $(($content:ident))? $({ $($field:ident),* })?),* $(,)? }) => {
        impl Packed for $type {
            fn pack(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(($content))? $({ $($field),* })? => {
                        out.put_u8($number);
                        $($content.pack(out);)?
                        $($($field.pack(out);)*)?
                    })*
                }
            }
            fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(match reader.u8($what)? {
                    $($number => packed_choices!(@make reader $variant $(($content))? $({ $($field),* })?),)*
                    _ => return bad($what),
                })
            }
        }
    };
    (@make $reader:ident $variant:ident) => { Self::$variant };
    (@make $reader:ident $variant:ident ($content:ident)) => { Self::$variant(Packed::unpack($reader)?) };
    (@make $reader:ident $variant:ident { $($field:ident),* }) => {
        Self::$variant { $($field: Packed::unpack($reader)?),* }
    };
}

packed_choices!(Start, "start" { 0 => Shell, 1 => Exec(command), 2 => Subsystem(name) });
packed_choices!(Target, "target" { 0 => Tcp { host, port }, 1 => Unix { path } });
packed_choices!(Place, "place" { 0 => Tcp { address, port }, 1 => Unix { path }, 2 => Agent });
packed_choices!(Exit, "exit" { 0 => Status(code), 1 => Signal { name, core_dumped } });
packed_choices!(PasswordVerdict, "password verdict" { 0 => Reject, 1 => Accept, 2 => ChangeRequired(text) });
packed_choices!(KeyboardInteractiveVerdict, "verdict" { 0 => Reject, 1 => Accept, 2 => Ask(request) });
