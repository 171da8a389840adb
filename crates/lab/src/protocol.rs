//! The four protocols by name.

/// One of the protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// X25519, Fernet, a password, commands.
    MiniSsh,
    /// A chat for many, its keys carried by RSA.
    RsaChat,
    /// A cipher, a hash and signatures small enough for pencil and paper.
    ToySocket,
    /// A chat of two, keyed by Diffie-Hellman.
    DhChat,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::DhChat, Self::RsaChat, Self::MiniSsh, Self::ToySocket];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MiniSsh => "mini-ssh",
            Self::RsaChat => "rsa-chat",
            Self::ToySocket => "toy-socket",
            Self::DhChat => "dh-chat",
        }
    }

    /// The protocol with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name)
    }

    /// The port its description gives.
    pub const fn port(self) -> u16 {
        match self {
            Self::MiniSsh => 8022,
            Self::RsaChat => 5174,
            Self::ToySocket => 8820,
            Self::DhChat => 12345,
        }
    }

    /// What it is, in a few words.
    pub const fn about(self) -> &'static str {
        match self {
            Self::MiniSsh => "a shell in miniature: X25519, Fernet, a password, commands",
            Self::RsaChat => "a chat for many: the client sends an AES key under the server's RSA key",
            Self::ToySocket => "pencil and paper: 16-bit keys, a toy cipher, 18-bit signatures",
            Self::DhChat => "a chat of two: Diffie-Hellman over 2048 bits, PBKDF2, AES-256-CBC",
        }
    }
}
