//! The steps of a connection as values, for whoever wants to watch: story, trace and comparison all draw from them.
//! The rows are those of SSH, so that all protocols can be told side by side.

use nacre_wire::Role;

/// The seven rows that every secure channel goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    /// Step 1.
    Connect,
    /// Step 2.
    Versions,
    /// Steps 3 and 4.
    KeyExchange,
    /// Step 5.
    ServerProof,
    /// Step 6.
    UserProof,
    /// Steps 7 and 8.
    Session,
    /// Step 9.
    End,
}

impl Row {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::Versions,
        Self::KeyExchange,
        Self::ServerProof,
        Self::UserProof,
        Self::Session,
        Self::End,
    ];

    /// Its name.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Versions => "versions",
            Self::KeyExchange => "key exchange",
            Self::ServerProof => "server proof",
            Self::UserProof => "user proof",
            Self::Session => "session",
            Self::End => "end",
        }
    }

    /// What it is for, in a sentence.
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Connect => "a TCP connection; nothing is secret yet",
            Self::Versions => "both sides say which protocol and software they speak",
            Self::KeyExchange => "both agree on algorithms and on a secret that no listener can know",
            Self::ServerProof => "the server signs the exchange with its host key: nobody stands in between",
            Self::UserProof => "the user proves who they are, inside the encrypted channel",
            Self::Session => "a channel opens and data flows, encrypted and checked packet by packet",
            Self::End => "one side says goodbye",
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The end that connected.
    Client,
    /// The end that listened.
    Server,
    /// Both, or neither.
    Both,
}

impl Who {
    /// One word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Both => "both",
        }
    }
}

impl From<Role> for Who {
    fn from(role: Role) -> Self {
        match role {
            Role::Client => Self::Client,
            Role::Server => Self::Server,
        }
    }
}

/// What a step can be unfolded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What it is.
    pub label: &'static str,
    /// Its value as text; binary values in hexadecimal.
    pub value: String,
    /// Only the two ends should know it: it is shown on request alone.
    pub secret: bool,
}

impl Field {
    /// What stands in a secret value's place.
    pub const HIDDEN: &'static str = "(secret; --show-secrets shows it)";

    /// The value, unless it is a secret and secrets are not to be shown.
    pub fn shown(&self, secrets: bool) -> &str {
        if self.secret && !secrets { Self::HIDDEN } else { &self.value }
    }
}

/// One thing that happened at one end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which row it belongs to.
    pub row: Row,
    /// Which of SSH's nine steps it stands for.
    pub step: u8,
    /// Who did it.
    pub who: Who,
    /// A short name for programs.
    pub name: &'static str,
    /// A sentence.
    pub text: String,
    /// What it unfolds to.
    pub fields: Vec<Field>,
    /// What passed on the wire, with its frame; empty when nothing did.
    pub bytes: Vec<u8>,
    /// A command that computes the same, with the fields' labels in capitals for their values.
    pub check: Option<String>,
}

impl Step {
    /// A step without anything to unfold.
    pub(crate) fn new(row: Row, step: u8, who: impl Into<Who>, name: &'static str, text: impl Into<String>) -> Self {
        Self { row, step, who: who.into(), name, text: text.into(), fields: Vec::new(), bytes: Vec::new(), check: None }
    }

    /// With a value that anybody on the way can see.
    pub(crate) fn public(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.fields.push(Field { label, value: value.into(), secret: false });
        self
    }

    /// With a value that only the ends should know.
    pub(crate) fn secret(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.fields.push(Field { label, value: value.into(), secret: true });
        self
    }

    /// With what passed on the wire.
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.bytes = bytes.to_vec();
        self
    }

    /// With a command to check it.
    pub(crate) fn check(mut self, command: impl Into<String>) -> Self {
        self.check = Some(command.into());
        self
    }
}
