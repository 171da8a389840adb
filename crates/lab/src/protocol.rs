//! The protocols by name: the four of the classroom, and SSH beside them.

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
    /// SSH itself, as something to attack.
    Ssh,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::DhChat, Self::RsaChat, Self::MiniSsh, Self::ToySocket, Self::Ssh];

    /// Those of the classroom.
    pub const CLASSROOM: [Self; 4] = [Self::DhChat, Self::RsaChat, Self::MiniSsh, Self::ToySocket];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MiniSsh => "mini-ssh",
            Self::RsaChat => "rsa-chat",
            Self::ToySocket => "toy-socket",
            Self::DhChat => "dh-chat",
            Self::Ssh => "ssh",
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
            Self::Ssh => 22,
        }
    }

    /// What it is, in a few words.
    pub const fn about(self) -> &'static str {
        match self {
            Self::MiniSsh => "a shell in miniature: X25519, Fernet, a password, commands",
            Self::RsaChat => "a chat for many: the client sends an AES key under the server's RSA key",
            Self::ToySocket => "pencil and paper: 16-bit keys, a toy cipher, 18-bit signatures",
            Self::DhChat => "a chat of two: Diffie-Hellman over 2048 bits, PBKDF2, AES-256-CBC",
            Self::Ssh => "SSH with chacha20-poly1305, as it was before 2024",
        }
    }
}
