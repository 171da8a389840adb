//! The one table of message numbers: what each is called, who may send it, and when.
//!
//! Protocol code, tests, documentation and the lab all read this table, so a message has one
//! meaning everywhere (threats T1 to T5, A1, A2).

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that connected.
    Client,
    /// The end that listened.
    Server,
}

impl Role {
    /// The other end.
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Who may send a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Only the client.
    Client,
    /// Only the server.
    Server,
    /// Both.
    Either,
}

/// The layer a message belongs to, which says when it may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// RFC 4253 §11: at any time, but not inside a strict first key exchange.
    Transport,
    /// RFC 4253 §10: once, after the first key exchange.
    Service,
    /// RFC 8308 §2.4: first after NEWKEYS, or just before success.
    ExtInfo,
    /// Starts or answers a key exchange: KEXINIT.
    KexInit,
    /// The inner messages of a key exchange and NEWKEYS, at their places only.
    Kex,
    /// RFC 4252: after the service was accepted, before success.
    Auth,
    /// RFC 4254, and OpenSSH's ping: after success only.
    Connection,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The number on the wire.
    pub number: u8,
    /// The name without its `SSH_MSG_`.
    pub name: &'static str,
    /// Who may send it.
    pub sender: Sender,
    /// When.
    pub layer: Layer,
    /// Where it is defined.
    pub source: &'static str,
}

macro_rules! table {
    ($($konst:ident = $number:literal, $sender:ident, $layer:ident, $source:literal;)+) => {
        $(#[doc = concat!("SSH_MSG_", stringify!($konst), ", ", $source, ".")] pub const $konst: u8 = $number;)+
        /// Every message known, by number.
        pub const TABLE: &[Row] = &[$(Row {
            number: $number, name: stringify!($konst), sender: Sender::$sender, layer: Layer::$layer, source: $source,
        }),+];
    };
}

table! {
    DISCONNECT = 1, Either, Transport, "RFC 4253 §11.1";
    IGNORE = 2, Either, Transport, "RFC 4253 §11.2";
    UNIMPLEMENTED = 3, Either, Transport, "RFC 4253 §11.4";
    DEBUG = 4, Either, Transport, "RFC 4253 §11.3";
    SERVICE_REQUEST = 5, Client, Service, "RFC 4253 §10";
    SERVICE_ACCEPT = 6, Server, Service, "RFC 4253 §10";
    EXT_INFO = 7, Either, ExtInfo, "RFC 8308 §2.3";
    KEXINIT = 20, Either, KexInit, "RFC 4253 §7.1";
    NEWKEYS = 21, Either, Kex, "RFC 4253 §7.3";
    KEX_ECDH_INIT = 30, Client, Kex, "RFC 5656 §4";
    KEX_ECDH_REPLY = 31, Server, Kex, "RFC 5656 §4";
    USERAUTH_REQUEST = 50, Client, Auth, "RFC 4252 §5";
    USERAUTH_FAILURE = 51, Server, Auth, "RFC 4252 §5.1";
    USERAUTH_SUCCESS = 52, Server, Auth, "RFC 4252 §5.1";
    USERAUTH_BANNER = 53, Server, Auth, "RFC 4252 §5.4";
    USERAUTH_METHOD_60 = 60, Server, Auth, "RFC 4252 §7, §8, RFC 4256 §3.2";
    USERAUTH_INFO_RESPONSE = 61, Client, Auth, "RFC 4256 §3.4";
    GLOBAL_REQUEST = 80, Either, Connection, "RFC 4254 §4";
    REQUEST_SUCCESS = 81, Either, Connection, "RFC 4254 §4";
    REQUEST_FAILURE = 82, Either, Connection, "RFC 4254 §4";
    CHANNEL_OPEN = 90, Either, Connection, "RFC 4254 §5.1";
    CHANNEL_OPEN_CONFIRMATION = 91, Either, Connection, "RFC 4254 §5.1";
    CHANNEL_OPEN_FAILURE = 92, Either, Connection, "RFC 4254 §5.1";
    CHANNEL_WINDOW_ADJUST = 93, Either, Connection, "RFC 4254 §5.2";
    CHANNEL_DATA = 94, Either, Connection, "RFC 4254 §5.2";
    CHANNEL_EXTENDED_DATA = 95, Either, Connection, "RFC 4254 §5.2";
    CHANNEL_EOF = 96, Either, Connection, "RFC 4254 §5.3";
    CHANNEL_CLOSE = 97, Either, Connection, "RFC 4254 §5.3";
    CHANNEL_REQUEST = 98, Either, Connection, "RFC 4254 §5.4";
    CHANNEL_SUCCESS = 99, Either, Connection, "RFC 4254 §5.4";
    CHANNEL_FAILURE = 100, Either, Connection, "RFC 4254 §5.4";
    PING = 192, Either, Connection, "OpenSSH PROTOCOL §1.8";
    PONG = 193, Either, Connection, "OpenSSH PROTOCOL §1.8";
}

/// The row of a number, if the number is known.
pub fn row(number: u8) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.number == number)
}

/// The name of a number for people, `unknown` when it has none.
pub fn name(number: u8) -> &'static str {
    row(number).map_or("unknown", |row| row.name)
}

/// Where the receiver of a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Before the first NEWKEYS of the peer.
    FirstKex {
        /// Both sides announced strict key exchange.
        strict: bool,
    },
    /// Keys are in use; nobody has logged in yet.
    Auth,
    /// Logged in.
    Open,
    /// Logged in, and the peer's KEXINIT of a rekey has come, its NEWKEYS has not.
    Rekey,
}

/// What the receiver does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Handle it (its handler still checks that this is its place).
    Process,
    /// Drop it without a word.
    Ignore,
    /// Answer with UNIMPLEMENTED (RFC 4253 §11.4).
    Unimplemented,
    /// End the connection: protocol error.
    Disconnect,
}

/// What `receiver` does with message `number` in `phase`.
pub fn verdict(receiver: Role, phase: Phase, number: u8) -> Verdict {
    let Some(row) = row(number) else { return unknown(phase) };
    let from_peer = match row.sender {
        Sender::Either => true,
        Sender::Client => receiver == Role::Server,
        Sender::Server => receiver == Role::Client,
    };
    if !from_peer {
        return Verdict::Disconnect;
    }
    match (phase, row.layer) {
        (Phase::FirstKex { strict: true }, Layer::Transport) if number != DISCONNECT => Verdict::Disconnect,
        (_, Layer::Transport) => Verdict::Process,
        (Phase::FirstKex { .. } | Phase::Rekey | Phase::Open, Layer::KexInit) => Verdict::Process,
        (Phase::FirstKex { .. } | Phase::Rekey, Layer::Kex) => Verdict::Process,
        (Phase::Auth, Layer::Service | Layer::ExtInfo | Layer::Auth) => Verdict::Process,
        (Phase::Open, Layer::Auth) if number == USERAUTH_REQUEST => Verdict::Ignore,
        (Phase::Open, Layer::Connection) => Verdict::Process,
        _ => Verdict::Disconnect,
    }
}

fn unknown(phase: Phase) -> Verdict {
    match phase {
        Phase::FirstKex { strict: true } | Phase::Rekey => Verdict::Disconnect,
        _ => Verdict::Unimplemented,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PHASES: [Phase; 5] =
        [Phase::FirstKex { strict: false }, Phase::FirstKex { strict: true }, Phase::Auth, Phase::Open, Phase::Rekey];

    #[test]
    fn numbers_are_unique_and_ascend() {
        assert!(TABLE.windows(2).all(|w| w.first().unwrap().number < w.last().unwrap().number));
    }

    #[test]
    fn a01_nothing_of_the_connection_layer_passes_before_login() {
        for number in 80..=255u8 {
            for role in [Role::Client, Role::Server] {
                for phase in [Phase::FirstKex { strict: true }, Phase::Auth] {
                    assert_ne!(verdict(role, phase, number), Verdict::Process, "{number} in {phase:?}");
                }
            }
        }
    }

    #[test]
    fn a02_a_server_takes_no_message_of_a_server() {
        for number in [SERVICE_ACCEPT, KEX_ECDH_REPLY, USERAUTH_FAILURE, USERAUTH_SUCCESS, USERAUTH_BANNER, 60] {
            for phase in PHASES {
                assert_eq!(verdict(Role::Server, phase, number), Verdict::Disconnect, "{number} in {phase:?}");
            }
        }
    }

    #[test]
    fn t01_a_strict_first_exchange_takes_key_exchange_and_disconnect_only() {
        for number in 0..=255u8 {
            for role in [Role::Client, Role::Server] {
                let passes = verdict(role, Phase::FirstKex { strict: true }, number) != Verdict::Disconnect;
                let kex = match role {
                    Role::Client => [DISCONNECT, KEXINIT, NEWKEYS, KEX_ECDH_REPLY].contains(&number),
                    Role::Server => [DISCONNECT, KEXINIT, NEWKEYS, KEX_ECDH_INIT].contains(&number),
                };
                assert_eq!(passes, kex, "message {number} at {role:?}");
            }
        }
    }

    #[test]
    fn t10_group_exchange_messages_mean_nothing() {
        for number in 32..=34u8 {
            assert!(row(number).is_none());
        }
    }
}
