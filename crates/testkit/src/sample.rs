//! A well-formed message for every number, so that a refusal is about the number and its place.

use nacre_wire::message::{
    ChannelClose, ChannelData, ChannelEof, ChannelExtendedData, ChannelFailure, ChannelOpen, ChannelOpenConfirmation,
    ChannelOpenFailure, ChannelRequest, ChannelSuccess, ChannelWindowAdjust, Debug, Disconnect, GlobalRequest,
    KexEcdhInit, KexEcdhReply, Message, Ping, Pong, RequestFailure, RequestSuccess, Rest, ServiceAccept,
    ServiceRequest, Unimplemented, UserauthBanner, UserauthFailure, UserauthPasswdChangereq, UserauthRequest,
    UserauthSuccess,
};
use nacre_wire::{NameList, WriteExt, ext_info, userauth};

/// The channel number that samples of channel messages name.
pub const CHANNEL: u32 = 0;

/// IGNORE.
pub fn ignore() -> Vec<u8> {
    let mut out = vec![2];
    out.put_string("nothing");
    out
}

/// DEBUG.
pub fn debug() -> Vec<u8> {
    Debug { always_display: true, message: b"note", language: b"" }.to_bytes()
}

/// UNIMPLEMENTED.
pub fn unimplemented() -> Vec<u8> {
    Unimplemented { sequence: 0 }.to_bytes()
}

/// DISCONNECT, with a text.
pub fn disconnect(description: &[u8]) -> Vec<u8> {
    Disconnect { reason: 11, description, language: b"" }.to_bytes()
}

/// EXT_INFO with one extension nobody knows.
pub fn ext_info() -> Vec<u8> {
    ext_info::encode(&[("nothing@example.com", b"")])
}

/// CHANNEL_OPEN of a type, from a channel numbered 0, with ordinary sizes.
pub fn open(kind: &str) -> Vec<u8> {
    open_with(kind, 0, 1 << 20, 32 * 1024)
}

/// CHANNEL_OPEN with chosen sizes.
pub fn open_with(kind: &str, sender: u32, initial_window: u32, max_packet: u32) -> Vec<u8> {
    ChannelOpen { kind: kind.as_bytes(), sender, initial_window, max_packet, rest: Rest(b"") }.to_bytes()
}

/// CHANNEL_REQUEST `exec`.
pub fn exec(recipient: u32, command: &str, want_reply: bool) -> Vec<u8> {
    let mut rest = Vec::new();
    rest.put_string(command);
    ChannelRequest { recipient, kind: b"exec", want_reply, rest: Rest(&rest) }.to_bytes()
}

/// CHANNEL_DATA.
pub fn data(recipient: u32, data: &[u8]) -> Vec<u8> {
    ChannelData { recipient, data }.to_bytes()
}

/// USERAUTH_REQUEST `none` for `alice`.
pub fn auth_none() -> Vec<u8> {
    let m = UserauthRequest { user: b"alice", service: b"ssh-connection", method: b"none", rest: Rest(b"") };
    m.to_bytes()
}

/// A well-formed message of any number. Numbers without a message get a few bytes of filling;
/// 20 gets a KEXINIT with empty lists, which is well-formed and agrees with nothing.
pub fn of(number: u8) -> Vec<u8> {
    let recipient = CHANNEL;
    match number {
        1 => disconnect(b"bye"),
        2 => ignore(),
        3 => unimplemented(),
        4 => debug(),
        5 => ServiceRequest { service: b"ssh-userauth" }.to_bytes(),
        6 => ServiceAccept { service: b"ssh-userauth" }.to_bytes(),
        7 => ext_info(),
        20 => [&[20][..], &[7; 16], &[0; 4 * 10 + 5]].concat(),
        21 => vec![21],
        30 => KexEcdhInit { public: &[9; 32] }.to_bytes(),
        31 => KexEcdhReply { host_key: b"key", public: &[9; 32], signature: b"signature" }.to_bytes(),
        50 => auth_none(),
        51 => {
            let methods = NameList::parse(b"password", "methods").expect("a list");
            UserauthFailure { methods, partial_success: false }.to_bytes()
        }
        52 => UserauthSuccess {}.to_bytes(),
        53 => UserauthBanner { message: b"hello", language: b"" }.to_bytes(),
        60 => UserauthPasswdChangereq { prompt: b"new one", language: b"" }.to_bytes(),
        61 => userauth::encode_info_response(&["123456"]),
        80 => GlobalRequest { name: b"x@example.com", want_reply: false, rest: Rest(b"") }.to_bytes(),
        81 => RequestSuccess { rest: Rest(b"") }.to_bytes(),
        82 => RequestFailure {}.to_bytes(),
        90 => open("session"),
        91 => ChannelOpenConfirmation { recipient, sender: 0, initial_window: 9, max_packet: 9, rest: Rest(b"") }
            .to_bytes(),
        92 => ChannelOpenFailure { recipient, reason: 1, description: b"no", language: b"" }.to_bytes(),
        93 => ChannelWindowAdjust { recipient, bytes: 1 }.to_bytes(),
        94 => data(recipient, b"data"),
        95 => ChannelExtendedData { recipient, code: 1, data: b"data" }.to_bytes(),
        96 => ChannelEof { recipient }.to_bytes(),
        97 => ChannelClose { recipient }.to_bytes(),
        98 => exec(recipient, "touch canary", false),
        99 => ChannelSuccess { recipient }.to_bytes(),
        100 => ChannelFailure { recipient }.to_bytes(),
        192 => Ping { data: b"ping" }.to_bytes(),
        193 => Pong { data: b"pong" }.to_bytes(),
        other => vec![other, 0, 0, 0, 0],
    }
}
