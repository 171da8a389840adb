//! The wire crate: what can be read can be written, and is then read the same.

use nacre_wire::forward::{ForwardOpen, ForwardRequest};
use nacre_wire::message::*;
use nacre_wire::session::SessionRequest;
use nacre_wire::userauth::{
    InfoRequest, PasswordRequest, PublicKeyRequest, decode_info_response, decode_keyboard_interactive,
};
use nacre_wire::{NameList, Reader, ext_info, number, text};

macro_rules! read_all {
    ($data:expr; $($message:ident)+) => {$(
        if let Ok(message) = $message::decode($data) {
            let written = message.to_bytes();
            assert_eq!(written.len(), $data.len(), "{message:?}");
            assert_eq!($message::decode(&written), Ok(message));
        }
    )+};
}

/// Every message, every part of one and every list, all read from the same bytes.
pub fn wire_messages(data: &[u8]) {
    read_all! { data;
        Disconnect Unimplemented Debug ServiceRequest ServiceAccept KexInit NewKeys KexEcdhInit KexEcdhReply
        UserauthRequest UserauthFailure UserauthSuccess UserauthBanner UserauthPkOk UserauthPasswdChangereq
        GlobalRequest RequestSuccess RequestFailure ChannelOpen ChannelOpenConfirmation ChannelOpenFailure
        ChannelWindowAdjust ChannelData ChannelExtendedData ChannelEof ChannelClose ChannelRequest
        ChannelSuccess ChannelFailure Ping Pong
    }
    if let Ok(request) = UserauthRequest::decode(data) {
        userauth_parts(request.rest.0);
    }
    if let Ok(request) = ChannelRequest::decode(data) {
        session_request(request.kind, request.rest.0);
    }
    if let Ok(open) = ChannelOpen::decode(data) {
        forward_open(open.kind, open.rest.0);
    }
    if let Ok(request) = GlobalRequest::decode(data) {
        forward_request(request.name, request.rest.0);
    }
    if let Ok(request) = InfoRequest::decode(data) {
        assert_eq!(InfoRequest::decode(&request.to_bytes()), Ok(request));
    }
    for expected in 0..3 {
        if let Ok(answers) = decode_info_response(data, expected) {
            assert_eq!(answers.len(), expected);
        }
    }
    if let Ok(extensions) = ext_info::decode(data) {
        let size: usize = extensions.iter().map(|(name, value)| 8 + name.len() + value.len()).sum();
        assert_eq!(size + 5, data.len());
    }
    lists(data);
    for byte in data {
        let _ = number::name(*byte);
    }
}

fn userauth_parts(rest: &[u8]) {
    for hostbound in [false, true] {
        if let Ok(request) = PublicKeyRequest::decode(rest, hostbound) {
            assert_eq!(request.host_key.is_some(), hostbound);
        }
    }
    if let Ok(request) = PasswordRequest::decode(rest) {
        let mut written = Vec::new();
        request.encode(&mut written);
        assert!(PasswordRequest::decode(&written) == Ok(request));
    }
    let _ = decode_keyboard_interactive(rest);
}

fn session_request(kind: &[u8], rest: &[u8]) {
    let Ok(request) = SessionRequest::decode(kind, rest) else { return };
    assert_eq!(request.kind(), kind);
    if !matches!(request, SessionRequest::Unknown { .. }) {
        let mut written = Vec::new();
        request.encode_rest(&mut written);
        assert_eq!(SessionRequest::decode(kind, &written), Ok(request));
    }
}

fn forward_open(kind: &[u8], rest: &[u8]) {
    let Ok(kind) = std::str::from_utf8(kind) else { return };
    let Ok(Some(open)) = ForwardOpen::decode(kind, rest) else { return };
    assert_eq!(open.kind(), kind);
    let mut written = Vec::new();
    open.encode_rest(&mut written);
    assert_eq!(ForwardOpen::decode(kind, &written), Ok(Some(open)));
}

fn forward_request(name: &[u8], rest: &[u8]) {
    let Ok(name) = std::str::from_utf8(name) else { return };
    let Ok(Some(request)) = ForwardRequest::decode(name, rest) else { return };
    assert_eq!(request.name(), name);
    let mut written = Vec::new();
    request.encode_rest(&mut written);
    assert_eq!(ForwardRequest::decode(name, &written), Ok(Some(request)));
}

fn lists(data: &[u8]) {
    if let Ok(list) = NameList::parse(data, "list") {
        assert!(list.iter().all(|name| !name.is_empty() && list.contains(name)));
    }
    let mut reader = Reader::new(data);
    while let Ok(magnitude) = reader.mpint("mpint") {
        assert_ne!(magnitude.first(), Some(&0), "a magnitude has no leading zeros");
    }
    let clean = text::clean(data, 1024);
    assert!(!clean.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{clean:?} can steer a terminal");
}
