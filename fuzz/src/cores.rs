//! The two machines: whatever comes, they neither panic nor loop, an end of the stream ends them, and
//! nobody is let in who was not.

use nacre_proto::algorithm::CompressionMethod;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::client::Attempt;
use nacre_proto::{Role, Stream};
use nacre_testkit::provider::NoMaths;
use nacre_testkit::raw::{Raw, Setup};
use std::sync::Arc;
use std::time::Duration;

/// Packets in clear and every signature good: a change is not stopped by a tag, and reaches the code
/// behind. The same bytes every time.
fn setup() -> Setup {
    let (provider, raw_provider) = (Arc::new(NoMaths::new(1)), Arc::new(NoMaths::new(2)));
    let mut setup = Setup { provider, raw_provider, ..Setup::default() };
    setup.policy.failure_delay = Duration::ZERO;
    setup
}

/// However it came, the machine can be brought to its end.
fn bring_to_its_end(raw: &mut Raw) {
    let now = raw.now;
    raw.end.receive_eof(now);
    raw.settle();
    if raw.end.error.is_none() {
        raw.advance(Duration::from_secs(1_000));
    }
    let c = &raw.end.connection;
    assert!(c.error().is_some() && c.is_finished(), "it goes on after the end of the stream: {:?}", raw.end.log);
}

/// Gives the machine the bytes in pieces, whose size the first byte says.
fn feed_in_pieces(raw: &mut Raw, data: &[u8]) {
    let Some((size, data)) = data.split_first() else { return };
    // Small pieces split every field; a large one brings several packets at once.
    let size = 1 + usize::from(*size) * usize::from(*size);
    for piece in data.chunks(size) {
        raw.feed(piece);
        if raw.end.error.is_some() {
            return;
        }
    }
}

/// An identification and what comes before and after it, to both machines.
pub fn ident(data: &[u8]) {
    for machine in [Role::Server, Role::Client] {
        let mut raw = Raw::of(machine.peer(), setup());
        let half = data.len() / 2;
        raw.feed(&data[..half]);
        raw.feed(&data[half..]);
        if let Some(ident) = raw.end.connection.peer_ident() {
            assert!(ident.starts_with("SSH-") && ident.len() < 1024 && !ident.contains(char::is_control), "{ident:?}");
        }
        bring_to_its_end(&mut raw);
    }
}

/// A stream to a server that lets nobody in.
pub fn server_before_login(data: &[u8]) {
    let mut setup = setup();
    setup.policy.keys = Vec::new();
    // No byte of a stranger's password is this.
    setup.policy.passwords = [(b"\0nobody".to_vec(), "\0nothing".to_owned())].into();
    setup.policy.asks_for_ever = true;
    setup.policy.methods = vec![vec!["publickey".into(), "password".into(), "keyboard-interactive".into()]];
    let mut raw = Raw::of(Role::Client, setup);
    feed_in_pieces(&mut raw, data);
    let end = &raw.end;
    assert!(!end.connection.is_authenticated(), "it let a stranger in: {:?}", end.log);
    assert!(end.requests.is_empty() && end.channels.is_empty() && end.data.is_empty(), "{:?}", end.log);
    bring_to_its_end(&mut raw);
}

/// A stream to a client, up to whatever login the server grants.
pub fn client_before_login(data: &[u8]) {
    let mut setup = setup();
    let key = setup.policy.attempts.swap_remove(1);
    let password = SecretBytes::new(b"correct horse".to_vec());
    setup.policy.attempts =
        vec![Attempt::None, key, Attempt::KeyboardInteractive(String::new()), Attempt::Password(password)];
    let mut raw = Raw::of(Role::Server, setup);
    feed_in_pieces(&mut raw, data);
    // It asked for nothing, so nothing may have come.
    assert!(raw.end.requests.is_empty() && raw.end.data.is_empty(), "{:?}", raw.end.log);
    bring_to_its_end(&mut raw);
}

/// Messages after login, to a machine that has channels of its own.
fn after_login(machine: Role, data: &[u8]) {
    let mut raw = Raw::of(machine.peer(), setup());
    raw.log_in();
    let now = raw.now;
    if machine == Role::Client {
        for _ in 0..2 {
            let _ = raw.end.connection.open_channel(now, "session", b"");
        }
        let _ = raw.end.connection.global_request(now, "tcpip-forward", b"", true);
        raw.settle();
    }
    let mut rest = data;
    // Each message stands after its length in two bytes; the last may be shorter than it says.
    while let Some((head, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*head)).min(after.len());
        let (message, next) = after.split_at(length);
        rest = next;
        if !message.is_empty() {
            raw.send(message);
        }
        for id in raw.end.channels.clone() {
            if let Some(mut channel) = raw.end.connection.channel(id) {
                channel.write(Stream::Main, b"words");
            }
        }
        raw.settle();
        if raw.end.error.is_some() {
            break;
        }
    }
    // The window bounds what the machine ever hands to its owner without being told to go on.
    let received: usize = raw.end.data.values().map(Vec::len).sum();
    assert!(received <= data.len(), "{received} bytes out of {}", data.len());
    bring_to_its_end(&mut raw);
}

/// Messages of a client that has logged in.
pub fn server_after_login(data: &[u8]) {
    after_login(Role::Server, data);
}

/// Messages of a server that has let us in.
pub fn client_after_login(data: &[u8]) {
    after_login(Role::Client, data);
}

/// Payloads of a client that has logged in and said that it compresses: each stands after its length in two bytes.
pub fn inflate(data: &[u8]) {
    let mut setup = setup();
    setup.config.compression = CompressionMethod::ALL.to_vec();
    let mut raw = Raw::of(Role::Client, setup);
    raw.offer.compression[0] = "zlib@openssh.com".to_owned();
    raw.log_in();
    let mut rest = data;
    while let Some((head, after)) = rest.split_first_chunk::<2>() {
        let (payload, next) = after.split_at(usize::from(u16::from_be_bytes(*head)).min(after.len()));
        rest = next;
        raw.send(payload);
        if raw.end.error.is_some() {
            break;
        }
    }
    bring_to_its_end(&mut raw);
}
