//! Every message as a type that borrows from the packet it came in.
//!
//! A struct's fields stand in the order of the wire, so the struct is the layout. `decode` takes
//! the whole message with its number and refuses bytes after the last field; `encode` appends.

use crate::number;
use crate::{DecodeError, DecodeErrorKind, NameList, Reader, WriteExt};

/// A field that knows how it stands on the wire.
pub trait Field<'a>: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// The bytes are not such a field.
    fn read(reader: &mut Reader<'a>, name: &'static str) -> Result<Self, DecodeError>;
    /// Appends it.
    fn write(&self, out: &mut Vec<u8>);
}

macro_rules! plain_field {
    ($($ty:ty, $read:ident, $write:ident;)+) => {$(
        impl<'a> Field<'a> for $ty {
            fn read(reader: &mut Reader<'a>, name: &'static str) -> Result<Self, DecodeError> {
                reader.$read(name)
            }
            fn write(&self, out: &mut Vec<u8>) {
                out.$write(*self);
            }
        }
    )+};
}

plain_field! {
    u8, u8, put_u8;
    bool, bool, put_bool;
    u32, u32, put_u32;
    u64, u64, put_u64;
    &'a [u8], string, put_string;
    &'a str, text, put_string;
}

impl<'a> Field<'a> for NameList<'a> {
    fn read(reader: &mut Reader<'a>, name: &'static str) -> Result<Self, DecodeError> {
        reader.name_list(name)
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.put_string(self.as_str());
    }
}

impl<'a> Field<'a> for [u8; 16] {
    fn read(reader: &mut Reader<'a>, name: &'static str) -> Result<Self, DecodeError> {
        let bytes = reader.bytes(16, name)?;
        bytes.try_into().map_err(|_| DecodeError { kind: DecodeErrorKind::Truncated, field: name })
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

/// All that is left of a message: the part that depends on a name in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest<'a>(pub &'a [u8]);

impl<'a> Field<'a> for Rest<'a> {
    fn read(reader: &mut Reader<'a>, _name: &'static str) -> Result<Self, DecodeError> {
        Ok(Self(reader.rest()))
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
}

/// What all messages can do.
pub trait Message<'a>: Sized {
    /// The number of this message.
    const NUMBER: u8;

    /// Reads the whole message, number included.
    ///
    /// # Errors
    /// It is another message, a field is wrong, or bytes are left over.
    fn decode(payload: &'a [u8]) -> Result<Self, DecodeError>;

    /// Appends the whole message, number included.
    fn encode(&self, out: &mut Vec<u8>);

    /// The whole message as bytes of its own.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

macro_rules! messages {
    ($($(#[$meta:meta])* $name:ident $(<$lt:lifetime>)? = $number:ident {
        $($(#[$fmeta:meta])* $field:ident: $ty:ty),* $(,)?
    })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name $(<$lt>)? { $($(#[$fmeta])* pub $field: $ty),* }

        impl<'a> Message<'a> for $name $(<$lt>)? {
            const NUMBER: u8 = number::$number;

            fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
                let mut reader = Reader::new(payload);
                expect_number(&mut reader, Self::NUMBER)?;
                $(let $field = Field::read(&mut reader, stringify!($field))?;)*
                reader.finish()?;
                Ok(Self { $($field),* })
            }

            fn encode(&self, out: &mut Vec<u8>) {
                out.put_u8(Self::NUMBER);
                $(Field::write(&self.$field, out);)*
            }
        }
    )+};
}

fn expect_number(reader: &mut Reader<'_>, number: u8) -> Result<(), DecodeError> {
    if reader.u8("message number")? == number {
        Ok(())
    } else {
        Err(DecodeError { kind: DecodeErrorKind::WrongMessage, field: "message number" })
    }
}

messages! {
    /// RFC 4253 §11.1: the end, with a reason.
    Disconnect<'a> = DISCONNECT {
        /// A code of RFC 4250 §4.2.2.
        reason: u32,
        /// Text for people; clean it before showing.
        description: &'a [u8],
        /// RFC 3066 tag.
        language: &'a [u8],
    }
    /// RFC 4253 §11.4.
    Unimplemented = UNIMPLEMENTED {
        /// Sequence number of the packet that was not understood.
        sequence: u32,
    }
    /// RFC 4253 §11.3.
    Debug<'a> = DEBUG {
        /// Show it even when nobody asked.
        always_display: bool,
        /// Text for people; clean it before showing.
        message: &'a [u8],
        /// RFC 3066 tag.
        language: &'a [u8],
    }
    /// RFC 4253 §10.
    ServiceRequest<'a> = SERVICE_REQUEST {
        /// `ssh-userauth`.
        service: &'a [u8],
    }
    /// RFC 4253 §10.
    ServiceAccept<'a> = SERVICE_ACCEPT {
        /// The service asked for.
        service: &'a [u8],
    }
    /// RFC 4253 §7.1.
    KexInit<'a> = KEXINIT {
        /// 16 random bytes.
        cookie: [u8; 16],
        /// Key exchange methods and markers.
        kex_algorithms: NameList<'a>,
        /// Signature algorithms for the host key.
        server_host_key_algorithms: NameList<'a>,
        /// Ciphers, client to server.
        encryption_client_to_server: NameList<'a>,
        /// Ciphers, server to client.
        encryption_server_to_client: NameList<'a>,
        /// MACs, client to server.
        mac_client_to_server: NameList<'a>,
        /// MACs, server to client.
        mac_server_to_client: NameList<'a>,
        /// Compression, client to server.
        compression_client_to_server: NameList<'a>,
        /// Compression, server to client.
        compression_server_to_client: NameList<'a>,
        /// Unused languages.
        languages_client_to_server: NameList<'a>,
        /// Unused languages.
        languages_server_to_client: NameList<'a>,
        /// A guessed key exchange packet follows.
        first_kex_packet_follows: bool,
        /// Must be 0; other values are for the future and ignored.
        reserved: u32,
    }
    /// RFC 4253 §7.3.
    NewKeys = NEWKEYS {}
    /// RFC 5656 §4 (and RFC 4253 §8, whose mpint has the same shape).
    KexEcdhInit<'a> = KEX_ECDH_INIT {
        /// The client's public value.
        public: &'a [u8],
    }
    /// RFC 5656 §4.
    KexEcdhReply<'a> = KEX_ECDH_REPLY {
        /// The host key blob.
        host_key: &'a [u8],
        /// The server's public value.
        public: &'a [u8],
        /// Signature of the exchange hash.
        signature: &'a [u8],
    }
    /// RFC 4252 §5.
    UserauthRequest<'a> = USERAUTH_REQUEST {
        /// Who.
        user: &'a [u8],
        /// For which service.
        service: &'a [u8],
        /// By which method.
        method: &'a [u8],
        /// What the method adds.
        rest: Rest<'a>,
    }
    /// RFC 4252 §5.1.
    UserauthFailure<'a> = USERAUTH_FAILURE {
        /// Methods that may go on.
        methods: NameList<'a>,
        /// The attempt was right, more is wanted.
        partial_success: bool,
    }
    /// RFC 4252 §5.1.
    UserauthSuccess = USERAUTH_SUCCESS {}
    /// RFC 4252 §5.4.
    UserauthBanner<'a> = USERAUTH_BANNER {
        /// Text for people; clean it before showing.
        message: &'a [u8],
        /// RFC 3066 tag.
        language: &'a [u8],
    }
    /// RFC 4252 §7, number 60 inside `publickey`.
    UserauthPkOk<'a> = USERAUTH_METHOD_60 {
        /// The algorithm asked about.
        algorithm: &'a [u8],
        /// The key asked about.
        public_key: &'a [u8],
    }
    /// RFC 4252 §8, number 60 inside `password`.
    UserauthPasswdChangereq<'a> = USERAUTH_METHOD_60 {
        /// Text for people; clean it before showing.
        prompt: &'a [u8],
        /// RFC 3066 tag.
        language: &'a [u8],
    }
    /// RFC 4254 §4.
    GlobalRequest<'a> = GLOBAL_REQUEST {
        /// Its name.
        name: &'a [u8],
        /// An answer is wanted.
        want_reply: bool,
        /// What the name adds.
        rest: Rest<'a>,
    }
    /// RFC 4254 §4.
    RequestSuccess<'a> = REQUEST_SUCCESS {
        /// What the request's name adds.
        rest: Rest<'a>,
    }
    /// RFC 4254 §4.
    RequestFailure = REQUEST_FAILURE {}
    /// RFC 4254 §5.1.
    ChannelOpen<'a> = CHANNEL_OPEN {
        /// Channel type.
        kind: &'a [u8],
        /// The opener's number for it.
        sender: u32,
        /// Bytes the opener will take.
        initial_window: u32,
        /// Bytes of data in one message at most.
        max_packet: u32,
        /// What the type adds.
        rest: Rest<'a>,
    }
    /// RFC 4254 §5.1.
    ChannelOpenConfirmation<'a> = CHANNEL_OPEN_CONFIRMATION {
        /// The opener's number.
        recipient: u32,
        /// The accepter's number.
        sender: u32,
        /// Bytes the accepter will take.
        initial_window: u32,
        /// Bytes of data in one message at most.
        max_packet: u32,
        /// What the type adds.
        rest: Rest<'a>,
    }
    /// RFC 4254 §5.1.
    ChannelOpenFailure<'a> = CHANNEL_OPEN_FAILURE {
        /// The opener's number.
        recipient: u32,
        /// A code of RFC 4250 §4.3.
        reason: u32,
        /// Text for people; clean it before showing.
        description: &'a [u8],
        /// RFC 3066 tag.
        language: &'a [u8],
    }
    /// RFC 4254 §5.2.
    ChannelWindowAdjust = CHANNEL_WINDOW_ADJUST {
        /// The receiver's number.
        recipient: u32,
        /// Bytes more.
        bytes: u32,
    }
    /// RFC 4254 §5.2.
    ChannelData<'a> = CHANNEL_DATA {
        /// The receiver's number.
        recipient: u32,
        /// The data.
        data: &'a [u8],
    }
    /// RFC 4254 §5.2.
    ChannelExtendedData<'a> = CHANNEL_EXTENDED_DATA {
        /// The receiver's number.
        recipient: u32,
        /// 1 is standard error.
        code: u32,
        /// The data.
        data: &'a [u8],
    }
    /// RFC 4254 §5.3.
    ChannelEof = CHANNEL_EOF {
        /// The receiver's number.
        recipient: u32,
    }
    /// RFC 4254 §5.3.
    ChannelClose = CHANNEL_CLOSE {
        /// The receiver's number.
        recipient: u32,
    }
    /// RFC 4254 §5.4.
    ChannelRequest<'a> = CHANNEL_REQUEST {
        /// The receiver's number.
        recipient: u32,
        /// Request type.
        kind: &'a [u8],
        /// An answer is wanted.
        want_reply: bool,
        /// What the type adds.
        rest: Rest<'a>,
    }
    /// RFC 4254 §5.4.
    ChannelSuccess = CHANNEL_SUCCESS {
        /// The receiver's number.
        recipient: u32,
    }
    /// RFC 4254 §5.4.
    ChannelFailure = CHANNEL_FAILURE {
        /// The receiver's number.
        recipient: u32,
    }
    /// OpenSSH PROTOCOL §1.8.
    Ping<'a> = PING {
        /// To be sent back.
        data: &'a [u8],
    }
    /// OpenSSH PROTOCOL §1.8.
    Pong<'a> = PONG {
        /// As it came.
        data: &'a [u8],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn messages_survive_the_round_trip_and_refuse_every_cut() {
        let message =
            ChannelOpen { kind: b"session", sender: 7, initial_window: u32::MAX, max_packet: 32768, rest: Rest(b"") };
        let bytes = message.to_bytes();
        assert_eq!(ChannelOpen::decode(&bytes).unwrap(), message);
        for cut in 0..bytes.len() {
            assert!(ChannelOpen::decode(&bytes[..cut]).is_err());
        }
        let mut longer = ChannelEof { recipient: 1 }.to_bytes();
        longer.push(0);
        assert_eq!(ChannelEof::decode(&longer).unwrap_err().kind, DecodeErrorKind::Trailing);
        assert_eq!(ChannelClose::decode(&bytes).unwrap_err().kind, DecodeErrorKind::WrongMessage);
    }
}
