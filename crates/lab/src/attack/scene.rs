//! What a play is made of, for any protocol: its server, its clients, and what they type to get in.

use super::play::{Cue, Heard, Person, Play, Sign};
use super::tap::{Meddler, Tapped};
use crate::console::Console;
use crate::rsa_chat::ServerKey;
use crate::{Fault, Fix, Fixes, Identity, Protocol, Randomness, Repairs, dh_chat, mini_ssh, rsa_chat, ssh, toy_socket};
use std::sync::Arc;
use std::time::Instant;

/// The address of every server and client of a play.
const HOST: &str = "127.0.0.1";

/// A protocol with its fixes, and everybody's keys.
pub struct Scene {
    /// The protocol.
    pub protocol: Protocol,
    /// The fixes that both ends have.
    pub fixes: Fixes,
    pub(super) random: Randomness,
    pub(super) server_key: Option<ServerKey>,
    /// `dh-chat` checks groups and public values.
    pub(super) checks: bool,
    server: Arc<Identity>,
    user: Arc<Identity>,
    /// What SSH has in place of both, and when it is.
    ssh: ssh::Settings,
}

impl Scene {
    /// A scene whose random bytes come from `random`, all but those of SSH; it plays now.
    ///
    /// # Errors
    /// The system's generator failed.
    pub fn new(protocol: Protocol, fixes: Fixes, random: Randomness, now: Instant) -> Result<Self, Fault> {
        let identity = |who| Identity::generate(&mut random.part(who)).map(Arc::new);
        let (server, user) = (identity("server identity")?, identity("user identity")?);
        let server_key = match protocol {
            Protocol::RsaChat => Some(ServerKey::generate(rsa_chat::BITS, &mut random.part("server's RSA key"))?),
            _ => None,
        };
        let ssh = ssh::Settings::new(now)?;
        Ok(Self { protocol, fixes, random, server_key, checks: true, server, user, ssh })
    }

    /// The same with other fixes.
    #[must_use]
    pub fn with_fixes(&self, fixes: Fixes) -> Self {
        Self {
            protocol: self.protocol,
            fixes,
            random: self.random.part("scene"),
            server_key: self.server_key.clone(),
            checks: self.checks,
            server: self.server.clone(),
            user: self.user.clone(),
            ssh: self.ssh.clone(),
        }
    }

    /// The same with `dh-chat` told not to check what comes.
    pub(super) fn without_checks(&self) -> Self {
        Self { checks: false, ..self.with_fixes(self.fixes) }
    }

    fn repairs(&self, identity: &Arc<Identity>, trusted: &Identity) -> Repairs {
        let trust = Some(trusted.fingerprint());
        Repairs { fixes: self.fixes, identity: Some(identity.clone()), trust }
    }

    /// What Mallory has: a key of her own, and nobody whom she would not talk to.
    pub(super) fn repairs_of_mallory(&self) -> Result<Repairs, Fault> {
        let identity = Identity::generate(&mut self.random.part("Mallory's identity"))?;
        Ok(Repairs { fixes: self.fixes, identity: Some(Arc::new(identity)), trust: None })
    }

    /// The private key that the server proves itself with, for who has seized it.
    pub(super) fn private_of_server(&self) -> Result<Vec<u8>, Fault> {
        self.server.private()
    }

    pub(super) fn dh_settings(&self) -> dh_chat::Settings {
        dh_chat::Settings { checks: self.checks, ..dh_chat::Settings::default() }
    }

    fn ssh_settings(&self) -> ssh::Settings {
        self.ssh.with_strict(self.fixes.has(Fix::F9))
    }

    /// The server.
    pub(crate) fn server(&self) -> Result<Box<dyn Console>, Fault> {
        let (repairs, random, port) =
            (self.repairs(&self.server, &self.user), self.random.part("server"), self.protocol.port());
        Ok(match self.protocol {
            Protocol::DhChat => Box::new(dh_chat::Server::new(self.dh_settings(), repairs, random, port)),
            Protocol::MiniSsh => Box::new(mini_ssh::Server::new(mini_ssh::Settings::default(), repairs, random, port)),
            Protocol::ToySocket => Box::new(toy_socket::Server::new(toy_socket::BITS, repairs, random, port)),
            Protocol::RsaChat => {
                let key = self.server_key.clone().ok_or(Fault::Cryptography)?;
                Box::new(rsa_chat::Server::with_key(key, repairs, random, port))
            }
            Protocol::Ssh => Box::new(ssh::Server::new(&self.ssh_settings())),
        })
    }

    /// A client of somebody who knows the server's key.
    pub(crate) fn client(&self, who: Person) -> Result<(Person, Box<dyn Console>), Fault> {
        let (repairs, port) = (&self.repairs(&self.user, &self.server), self.protocol.port());
        let random = &self.random.part(&who.to_string());
        let console: Box<dyn Console> = match self.protocol {
            Protocol::DhChat => Box::new(dh_chat::Client::new(self.dh_settings(), repairs, random, HOST, port)),
            Protocol::RsaChat => Box::new(rsa_chat::Client::new(repairs, random, HOST, port)),
            Protocol::MiniSsh => Box::new(mini_ssh::Client::new(repairs, random, HOST, port)?),
            Protocol::ToySocket => Box::new(toy_socket::Client::new(toy_socket::BITS, repairs, random, HOST, port)?),
            Protocol::Ssh => Box::new(ssh::Client::new(&self.ssh_settings(), HOST)?),
        };
        Ok((who, console))
    }

    /// A play of Alice alone, who comes through Mallory.
    pub(super) fn alone(
        &self,
        mallory: impl Meddler + 'static,
        cues: Vec<Cue>,
        judge: impl Fn(&Heard) -> bool + Send + 'static,
    ) -> Result<Play, Fault> {
        Ok(Play {
            server: self.server()?,
            clients: vec![self.client(Person::Alice)?],
            straight: Vec::new(),
            mallory: Box::new(Tapped::new(self.protocol, mallory)),
            cues,
            judge: Box::new(judge),
        })
    }

    /// A client comes in.
    pub(super) fn enter(&self, who: Person) -> Vec<Cue> {
        let mut cues = vec![Cue::Enter(who)];
        let lines: &[&str] = match self.protocol {
            Protocol::RsaChat => &[&who.to_string()],
            Protocol::MiniSsh => &["user", "pass123"],
            Protocol::DhChat | Protocol::ToySocket | Protocol::Ssh => &[],
        };
        cues.extend(lines.iter().map(|line| Cue::Type(who, (*line).to_owned())));
        cues.push(Cue::Until(vec![self.is_in(who)]));
        // The server may still have something of the exchange to read.
        let at_server = match self.protocol {
            Protocol::RsaChat => format!("[JOIN] {who} "),
            Protocol::DhChat => "Secure connection established".to_owned(),
            Protocol::MiniSsh => "authenticated".to_owned(),
            Protocol::ToySocket => "Shared secret and RSA keys exchanged".to_owned(),
            Protocol::Ssh => "logged in with a key".to_owned(),
        };
        cues.push(Cue::Until(vec![Sign::of(Person::Server, at_server)]));
        cues
    }

    /// The sign that a client believes itself in a secure connection.
    pub(super) fn is_in(&self, who: Person) -> Sign {
        Sign::of(
            who,
            match self.protocol {
                Protocol::DhChat | Protocol::Ssh => "Secure connection established!",
                Protocol::RsaChat => "✓ Secure connection established!",
                Protocol::MiniSsh => "Authentication successful",
                Protocol::ToySocket => "Shared secret and RSA keys exchanged",
            },
        )
    }

    /// What is typed so that a text goes to the server.
    pub(super) fn line(&self, text: &str) -> String {
        match self.protocol {
            Protocol::MiniSsh => format!("echo {text}"),
            _ => text.to_owned(),
        }
    }

    /// Somebody says a text, and the server shows it.
    pub(super) fn says(&self, who: Person, text: &str) -> [Cue; 2] {
        [Cue::Type(who, self.line(text)), Cue::Until(vec![Sign::of(Person::Server, text)])]
    }
}
