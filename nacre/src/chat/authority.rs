//! Who may come into the chat: whoever has an SSH key, or a password here. The login name is the nick that is wished
//! for; the engine knows whose it is.

use super::named::{Named, Parts};
use super::session;
use crate::serve::judge::Progress;
use crate::serve::limits;
use crate::serve::login::Ends;
use crate::serve::shared::Shared;
use nacre_chat::Proof;
use nacre_chat_server::Hub;
use nacre_config::server::{ChatOptions, ConnectionOptions, MatchContext};
use nacre_net::Descriptor;
use nacre_net::server::Authority;
use nacre_net::server::authority::{
    Answer, KeyCheck, Listening, Permissions, Place, Refused, SessionRequests, StartedSession, Target,
};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use nacre_wire::names::{AUTH_KEYBOARD_INTERACTIVE, AUTH_PUBLICKEY};
use nacre_wire::userauth::InfoRequest;
use std::future::ready;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// What somebody without a key reads: clients show it when they have none that they could try.
const NO_KEY: &str = "This chat knows people by their SSH keys, and yours was not shown.\n\
    To make one:      ssh-keygen -t ed25519\n\
    Then come again:  the same command as now\n\
    If you have keys: ssh -i FILE ..., or ssh-add FILE";

/// What follows where not every key opens the door.
const ONLY_KNOWN: &str = "\nAn operator lets your key in: send what ssh-keygen -l -f FILE.pub shows.";

/// The same where they may come in all the same.
const AS_GUEST: &str = "No key was shown, so you come in as a guest, and nobody owns your name.\n\
    To own it: ssh-keygen -t ed25519, then come again with the same command.";

/// Why there is nothing but the chat (threat U6).
const ONLY_CHAT: &str = "this server offers nothing but its chat";

/// How far the login came, for the listener.
#[derive(Clone, Default)]
pub(super) struct Shown(Arc<Mutex<Progress>>);

impl Shown {
    fn note(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn ending(&self, how: nacre_net::privsep::EndedHow) -> nacre_net::admission::Ending {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ending(how)
    }
}

/// The authority over one connection to the chat.
pub(super) struct ChatAuthority {
    hub: Hub,
    shared: Arc<Shared>,
    ends: Ends,
    login: Vec<u8>,
    /// The fingerprint of the key that signed.
    key: Option<String>,
    /// The client's identification.
    client: String,
    progress: Shown,
    named: Named,
}

impl ChatAuthority {
    pub(super) fn new(hub: Hub, shared: Arc<Shared>, ends: Ends) -> Self {
        let named = Named::new(shared.clone(), ends);
        let (login, client, progress) = (Vec::new(), String::new(), Shown::default());
        Self { hub, shared, ends, login, key: None, client, progress, named }
    }

    /// What the configuration says here; `Match` asks about accounts, which the chat has none of.
    fn here(&self) -> ConnectionOptions {
        self.shared.options().resolve(&MatchContext::default())
    }

    pub(super) fn progress(&self) -> Shown {
        self.progress.clone()
    }
}

/// What somebody without a key is to do.
fn without_key(chat: &ChatOptions) -> String {
    match (chat.guests, chat.registration) {
        (true, _) => AS_GUEST.to_owned(),
        (false, true) => NO_KEY.to_owned(),
        (false, false) => [NO_KEY, ONLY_KNOWN].concat(),
    }
}

impl Authority for ChatAuthority {
    fn sign(&mut self, host_key: Vec<u8>, algorithm: SignatureAlgorithm, data: Vec<u8>) -> Answer<Option<Vec<u8>>> {
        Box::pin(ready(self.shared.host_keys.sign(&host_key, algorithm, &data)))
    }

    fn look_up(&mut self, user: Vec<u8>) -> Answer<UserPolicy> {
        let here = self.here();
        let policy = UserPolicy {
            methods: [AUTH_PUBLICKEY, AUTH_KEYBOARD_INTERACTIVE].map(|method| vec![method.to_owned()]).to_vec(),
            max_tries: here.max_auth_tries,
            failure_delay: self.shared.failure_delay(&user),
            banner: None,
            none_succeeds: false,
            algorithms: SignatureAlgorithm::PLAIN.to_vec(),
        };
        let name = Parts::of(&user).name;
        self.login = user;
        self.named.look_up(name, policy)
    }

    fn check_key(&mut self, key: KeyCheck) -> Answer<bool> {
        // Whatever key signed is somebody's; the protocol has verified the signature.
        if key.proof.is_some() {
            self.key = Some(nacre_crypto::fingerprint_sha256(&key.public_key));
            self.progress.note(|progress| progress.attempted = true);
        }
        Box::pin(ready(true))
    }

    fn check_password(&mut self, password: SecretBytes, new: Option<SecretBytes>) -> Answer<PasswordVerdict> {
        self.progress.note(|progress| progress.attempted = true);
        self.named.check_password(password, new)
    }

    fn check_interactive(&mut self, answers: Option<Vec<SecretBytes>>) -> Answer<KeyboardInteractiveVerdict> {
        if self.named.is_meant() {
            self.progress.note(|progress| progress.attempted |= answers.is_some());
            return self.named.check_interactive(answers);
        }
        let chat = &self.shared.options().chat;
        Box::pin(ready(match answers {
            None => KeyboardInteractiveVerdict::Ask(InfoRequest {
                name: Vec::new(),
                instruction: without_key(chat).into_bytes(),
                prompts: Vec::new(),
            }),
            Some(_) if chat.guests => KeyboardInteractiveVerdict::Accept,
            Some(_) => KeyboardInteractiveVerdict::Reject,
        }))
    }

    fn logged_in(&mut self, _methods: &[String], client: &str) -> Permissions {
        self.client = client.to_owned();
        self.progress.note(|progress| progress.logged_in = true);
        let here = self.here();
        Permissions {
            pty: true,
            max_sessions: usize::try_from(here.max_sessions).unwrap_or(usize::MAX),
            signals: false,
            accept_env: vec![session::SINCE.to_owned(), session::NO_COLOR.to_owned()],
            limits: Some(limits::of(&here)),
            channel_timeouts: here.channel_timeouts.clone(),
        }
    }

    fn start(&mut self, requests: SessionRequests) -> Answer<io::Result<StartedSession>> {
        let (proof, login, room) = match &self.key {
            Some(key) => (Proof::Key(Arc::from(key.as_str())), self.login.clone(), None),
            // The password is the name's, whatever stands behind it.
            None if self.named.is_meant() => {
                let Parts { name, room } = Parts::of(&self.login);
                (Proof::Login, name, room)
            }
            None => (Proof::Guest, self.login.clone(), None),
        };
        let who = session::Who {
            proof,
            login,
            room,
            address: self.ends.peer.ip().to_canonical(),
            client: self.client.clone(),
        };
        Box::pin(ready(session::start(&self.hub, who, requests)))
    }

    fn connect(&mut self, _target: Target) -> Answer<Result<Descriptor, Refused>> {
        Box::pin(ready(Err(Refused::prohibited(ONLY_CHAT))))
    }

    fn listen(&mut self, _place: Place) -> Answer<Result<Listening, Refused>> {
        Box::pin(ready(Err(Refused::prohibited(ONLY_CHAT))))
    }
}
