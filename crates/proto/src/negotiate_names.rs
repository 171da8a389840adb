//! The lists of a KEXINIT by kind, for whoever tells people about a negotiation.

use crate::algorithm::CompressionMethod;
use crate::negotiate::Negotiated;
use nacre_wire::NameList;
use nacre_wire::message::KexInit;

/// A list that is negotiated (RFC 4253 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// Key exchange methods.
    Kex,
    /// Host key algorithms.
    HostKey,
    /// Ciphers, client to server.
    CipherClientToServer,
    /// Ciphers, server to client.
    CipherServerToClient,
    /// MACs, client to server.
    MacClientToServer,
    /// MACs, server to client.
    MacServerToClient,
    /// Compression, client to server.
    CompressionClientToServer,
    /// Compression, server to client.
    CompressionServerToClient,
}

impl Category {
    /// All, in the order of the message.
    pub const ALL: [Self; 8] = [
        Self::Kex,
        Self::HostKey,
        Self::CipherClientToServer,
        Self::CipherServerToClient,
        Self::MacClientToServer,
        Self::MacServerToClient,
        Self::CompressionClientToServer,
        Self::CompressionServerToClient,
    ];

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Kex => "key exchange",
            Self::HostKey => "host key",
            Self::CipherClientToServer => "cipher, client to server",
            Self::CipherServerToClient => "cipher, server to client",
            Self::MacClientToServer => "MAC, client to server",
            Self::MacServerToClient => "MAC, server to client",
            Self::CompressionClientToServer => "compression, client to server",
            Self::CompressionServerToClient => "compression, server to client",
        }
    }

    /// This list of a message.
    pub const fn list<'a>(self, message: &KexInit<'a>) -> NameList<'a> {
        match self {
            Self::Kex => message.kex_algorithms,
            Self::HostKey => message.server_host_key_algorithms,
            Self::CipherClientToServer => message.encryption_client_to_server,
            Self::CipherServerToClient => message.encryption_server_to_client,
            Self::MacClientToServer => message.mac_client_to_server,
            Self::MacServerToClient => message.mac_server_to_client,
            Self::CompressionClientToServer => message.compression_client_to_server,
            Self::CompressionServerToClient => message.compression_server_to_client,
        }
    }

    /// The name that won; `None` for a MAC beside a cipher that authenticates by itself, and where nothing is
    /// compressed.
    pub fn winner(self, algorithms: &Negotiated) -> Option<&'static str> {
        match self {
            Self::Kex => Some(algorithms.kex.name()),
            Self::HostKey => Some(algorithms.host_key.name()),
            Self::CipherClientToServer => Some(algorithms.client_to_server.cipher.name()),
            Self::CipherServerToClient => Some(algorithms.server_to_client.cipher.name()),
            Self::MacClientToServer => algorithms.client_to_server.mac.map(|mac| mac.name()),
            Self::MacServerToClient => algorithms.server_to_client.mac.map(|mac| mac.name()),
            Self::CompressionClientToServer => compression(algorithms.client_to_server.compression),
            Self::CompressionServerToClient => compression(algorithms.server_to_client.compression),
        }
    }
}

fn compression(method: CompressionMethod) -> Option<&'static str> {
    (method != CompressionMethod::None).then(|| method.name())
}
