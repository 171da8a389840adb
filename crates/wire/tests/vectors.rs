//! `vectors/wire`: every message and every part of one, read, refused and written again.
//!
//! The files' bytes come from the RFCs' layouts and not from this crate's writer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use nacre_wire::message::*;
use nacre_wire::session::{SessionRequest, encode_modes};
use nacre_wire::userauth::{
    InfoRequest, PasswordRequest, PublicKeyRequest, decode_info_response, decode_keyboard_interactive,
    encode_info_response,
};
use nacre_wire::{DecodeError, DecodeErrorKind, NameList, Reader, WriteExt, ext_info, number};
use std::collections::BTreeMap;
use std::path::Path;

/// A value as the files write it.
trait Show {
    fn show(&self) -> String;
}

impl Show for u32 {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Show for bool {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Show for [u8] {
    fn show(&self) -> String {
        format!("\"{}\"", self.escape_ascii())
    }
}

impl Show for &[u8] {
    fn show(&self) -> String {
        (**self).show()
    }
}

impl Show for [u8; 16] {
    fn show(&self) -> String {
        self.as_slice().show()
    }
}

impl Show for NameList<'_> {
    fn show(&self) -> String {
        self.as_str().as_bytes().show()
    }
}

impl Show for Rest<'_> {
    fn show(&self) -> String {
        self.0.show()
    }
}

/// What was read, in words, and how it is written.
type Case = Result<(String, Vec<u8>), DecodeError>;

macro_rules! by_name {
    ($name:expr, $payload:expr; $($message:ident { $($field:ident),* })+) => {
        match $name {
            $(stringify!($message) => $message::decode($payload).map(|message| {
                let fields: Vec<String> = vec![$(format!("{}={}", stringify!($field), message.$field.show())),*];
                (fields.join(" "), message.to_bytes())
            }),)+
            part => read_part(part, $payload),
        }
    };
}

fn read(name: &str, payload: &[u8]) -> Case {
    by_name! { name, payload;
        Disconnect { reason, description, language }
        Unimplemented { sequence }
        Debug { always_display, message, language }
        ServiceRequest { service }
        ServiceAccept { service }
        KexInit {
            cookie, kex_algorithms, server_host_key_algorithms, encryption_client_to_server,
            encryption_server_to_client, mac_client_to_server, mac_server_to_client, compression_client_to_server,
            compression_server_to_client, languages_client_to_server, languages_server_to_client,
            first_kex_packet_follows, reserved
        }
        NewKeys {}
        KexEcdhInit { public }
        KexEcdhReply { host_key, public, signature }
        UserauthRequest { user, service, method, rest }
        UserauthFailure { methods, partial_success }
        UserauthSuccess {}
        UserauthBanner { message, language }
        UserauthPkOk { algorithm, public_key }
        UserauthPasswdChangereq { prompt, language }
        GlobalRequest { name, want_reply, rest }
        RequestSuccess { rest }
        RequestFailure {}
        ChannelOpen { kind, sender, initial_window, max_packet, rest }
        ChannelOpenConfirmation { recipient, sender, initial_window, max_packet, rest }
        ChannelOpenFailure { recipient, reason, description, language }
        ChannelWindowAdjust { recipient, bytes }
        ChannelData { recipient, data }
        ChannelExtendedData { recipient, code, data }
        ChannelEof { recipient }
        ChannelClose { recipient }
        ChannelRequest { recipient, kind, want_reply, rest }
        ChannelSuccess { recipient }
        ChannelFailure { recipient }
        Ping { data }
        Pong { data }
    }
}

fn read_part(name: &str, bytes: &[u8]) -> Case {
    match name {
        "publickey" => public_key(bytes, false),
        "publickey-hostbound" => public_key(bytes, true),
        "password" => PasswordRequest::decode(bytes).map(|request| {
            let mut out = Vec::new();
            request.encode(&mut out);
            let new = request.new_password.map(|new| format!(" new={}", new.show())).unwrap_or_default();
            let change = request.new_password.is_some();
            (format!("change={change} password={}{new}", request.password.show()), out)
        }),
        "keyboard-interactive" => decode_keyboard_interactive(bytes).map(|submethods| {
            let mut out = Vec::new();
            out.put_string("");
            out.put_string(submethods);
            (format!("language=\"\" submethods={}", submethods.show()), out)
        }),
        "ext-info" => ext_info::decode(bytes).map(|extensions| {
            let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
            let fields: Vec<_> = extensions.iter().map(|(n, v)| format!("{}={}", text(n), v.show())).collect();
            let named: Vec<_> = extensions.iter().map(|(n, v)| (text(n), *v)).collect();
            let named: Vec<_> = named.iter().map(|(n, v)| (n.as_str(), *v)).collect();
            (fields.join(" "), ext_info::encode(&named))
        }),
        "info-request" => InfoRequest::decode(bytes).map(|request| {
            let mut text = format!(
                "name={} instruction={}",
                request.name.as_slice().show(),
                request.instruction.as_slice().show()
            );
            for prompt in &request.prompts {
                text += &format!(" {}={}", String::from_utf8_lossy(&prompt.text), prompt.echo);
            }
            (text, request.to_bytes())
        }),
        "info-response-0" | "info-response-2" => decode_info_response(bytes, if name.ends_with('2') { 2 } else { 0 })
            .map(|answers| {
                let shown: Vec<_> = answers.iter().map(Show::show).collect();
                (shown.join(" "), encode_info_response(&answers))
            }),
        "mpint" => {
            let mut reader = Reader::new(bytes);
            let magnitude = reader.mpint("mpint")?;
            reader.finish()?;
            let mut out = Vec::new();
            out.put_mpint(magnitude);
            Ok((magnitude.show(), out))
        }
        kind => SessionRequest::decode(kind.as_bytes(), bytes).map(|request| {
            let mut out = Vec::new();
            request.encode_rest(&mut out);
            assert_eq!(request.kind(), kind.as_bytes());
            (show_session(&request), out)
        }),
    }
}

fn public_key(bytes: &[u8], hostbound: bool) -> Case {
    PublicKeyRequest::decode(bytes, hostbound).map(|request| {
        let mut out = Vec::new();
        let signed = request.signature.is_some();
        request.encode_unsigned(signed, &mut out);
        let mut text =
            format!("signed={signed} algorithm={} key={}", request.algorithm.show(), request.public_key.show());
        text += &request.host_key.map(|key| format!(" host_key={}", key.show())).unwrap_or_default();
        if let Some(signature) = request.signature {
            out.put_string(signature);
            text += &format!(" signature={}", signature.show());
        }
        (text, out)
    })
}

fn show_session(request: &SessionRequest) -> String {
    let size = |size: &nacre_wire::session::WindowSize| {
        format!("columns={} rows={} width={} height={}", size.columns, size.rows, size.width, size.height)
    };
    match request {
        SessionRequest::PtyReq { term, size: s, modes } => {
            let modes = encode_modes(modes);
            format!("term={} {} modes={}", term.as_bytes().show(), size(s), modes.as_slice().show())
        }
        SessionRequest::Env { name, value } => {
            format!("name={} value={}", name.as_slice().show(), value.as_slice().show())
        }
        SessionRequest::Exec { command } => format!("command={}", command.as_slice().show()),
        SessionRequest::Subsystem { name } | SessionRequest::Signal { name } => {
            format!("name={}", name.as_bytes().show())
        }
        SessionRequest::WindowChange { size: s } => size(s),
        SessionRequest::XonXoff { client_can_do } => format!("client_can_do={client_can_do}"),
        SessionRequest::Break { length } => format!("length={length}"),
        SessionRequest::ExitStatus { status } => format!("status={status}"),
        SessionRequest::ExitSignal { name, core_dumped, message } => format!(
            "name={} core_dumped={core_dumped} message={} language=\"\"",
            name.as_bytes().show(),
            message.as_slice().show()
        ),
        SessionRequest::Shell | SessionRequest::AuthAgentReq | SessionRequest::Eow | SessionRequest::Keepalive => {
            String::new()
        }
        SessionRequest::Unknown { kind } => panic!("no part is called {}", kind.escape_ascii()),
    }
}

fn error_word(kind: DecodeErrorKind) -> &'static str {
    match kind {
        DecodeErrorKind::Truncated => "truncated",
        DecodeErrorKind::Trailing => "trailing",
        DecodeErrorKind::NotUtf8 => "not-utf8",
        DecodeErrorKind::BadMpint => "bad-mpint",
        DecodeErrorKind::BadNameList => "bad-name-list",
        DecodeErrorKind::BadValue => "bad-value",
        DecodeErrorKind::TooLong => "too-long",
        DecodeErrorKind::WrongMessage => "wrong-message",
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = if text == "-" { "" } else { text };
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect("hex");
    digits.as_bytes().chunks(2).map(pair).collect()
}

/// The files' cases: message, bytes, what is expected.
fn cases() -> Vec<(String, Vec<u8>, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/wire");
    let mut cases = Vec::new();
    for file in std::fs::read_dir(folder).expect("vectors/wire") {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (case, expected) = line.split_once(" -> ").unwrap_or_else(|| panic!("no expectation: {line}"));
            let (name, hex) = case.split_once(' ').expect("a name and bytes");
            cases.push((name.to_owned(), unhex(hex), expected.trim_end().to_owned()));
        }
    }
    cases
}

#[test]
fn every_vector_is_read_or_refused_as_it_says() {
    let mut counts: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for (name, bytes, expected) in cases() {
        let got = read(&name, &bytes);
        let (positive, text) = match &got {
            Ok((fields, _)) => (true, fields.clone()),
            Err(error) => (false, format!("{} {}", error_word(error.kind), error.field)),
        };
        let (word, fields) = expected.split_once(' ').unwrap_or((&expected, ""));
        let count = counts.entry(name.clone()).or_default();
        if let ("ok" | "reads", Ok((_, written))) = (word, &got) {
            assert_eq!(text, fields, "{name} {bytes:02x?}");
            assert!(
                word == "reads" || *written == bytes,
                "{name} is written otherwise: {written:02x?}, not {bytes:02x?}"
            );
            count.0 += 1;
        } else {
            assert!(!positive, "{name} {bytes:02x?} was read, though {expected}");
            assert_eq!(text, expected, "{name} {bytes:02x?}");
            count.1 += 1;
        }
    }
    // Every message has both, and more refusals than readings; one without fields and with any
    // bytes behind it cannot be refused often.
    for (name, (read, refused)) in &counts {
        assert!(*read > 0 && refused > read, "{name}: {read} read, {refused} refused");
    }
    let count = counts.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    println!("{} read and {} refused, of {} messages and parts", count.0, count.1, counts.len());
}

/// IGNORE is dropped whatever it holds; every other message has its vectors.
#[test]
fn every_number_of_the_table_has_a_vector() {
    let lists = ["ext-info", "info-request", "info-response-2"];
    let is_message = |name: &str| name.starts_with(char::is_uppercase) || lists.contains(&name);
    let numbers: Vec<u8> = cases()
        .iter()
        .filter(|(name, bytes, expected)| is_message(name) && expected.starts_with("ok") && !bytes.is_empty())
        .map(|(_, bytes, _)| bytes[0])
        .collect();
    for row in number::TABLE.iter().filter(|row| row.number != number::IGNORE) {
        assert!(numbers.contains(&row.number), "no vector for {}", row.name);
    }
}

/// Every cut of every good vector is an error or, where a message ends in whatever its name adds,
/// another message; never a panic, and never the same message.
#[test]
fn t18_no_cut_reads_as_the_whole() {
    for (name, bytes, _) in cases().into_iter().filter(|case| case.2.starts_with("ok")) {
        let whole = read(&name, &bytes).unwrap().0;
        for cut in 0..bytes.len() {
            if let Ok((fields, _)) = read(&name, &bytes[..cut]) {
                assert_ne!(fields, whole, "{name} cut at {cut}");
            }
        }
    }
}
