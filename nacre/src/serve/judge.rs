//! Judging one connection: who it is, whether keys, passwords and codes are right, and what may run.
//! It blocks. Without root it works on threads of the same process, as root in the monitor.

use super::keys;
use super::launch::Launch;
use super::login::{Ends, Login};
use super::passwords;
use super::shared::{Mode, Shared};
use nacre_config::authorized_keys::KeyOptions;
use nacre_crypto::fingerprint_sha256;
use nacre_net::admission::Ending;
use nacre_net::privsep::EndedHow;
use nacre_net::server::authority::{KeyCheck, Permissions, SessionRequests, Start};
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use nacre_wire::names;
use nacre_wire::userauth::{InfoRequest, Prompt};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Variables taken when `AcceptEnv` says nothing: language and colour, which harm nobody (threat C9).
const USUAL_ENV: [&str; 4] = ["LANG", "LC_*", "COLORTERM", "NO_COLOR"];

/// How the login went, for the listener's penalties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// An attempt was made with a credential.
    pub attempted: bool,
    /// The name belongs to nobody.
    pub invalid_user: bool,
    /// The configuration refuses the connection (`RefuseConnection`).
    pub refused: bool,
    /// The login is done.
    pub logged_in: bool,
}

impl Progress {
    /// What the listener makes of a connection that ended so.
    pub fn ending(self, how: EndedHow) -> Ending {
        let Self { invalid_user, .. } = self;
        match how {
            _ if self.logged_in => Ending::LoggedIn,
            _ if self.refused => Ending::RefusedByPolicy,
            EndedHow::GraceExceeded => Ending::GraceExceeded,
            EndedHow::AuthTries => Ending::AuthFailed { invalid_user },
            EndedHow::Ordinary if self.attempted || invalid_user => Ending::AuthFailed { invalid_user },
            EndedHow::Ordinary => Ending::NoAuth,
        }
    }
}

/// What is known of the login so far.
#[derive(Default)]
struct State {
    login: Option<Arc<Login>>,
    /// What the keys that signed allow together.
    key: Option<KeyOptions>,
    /// A factor has succeeded already.
    factors: u32,
    progress: Progress,
}

/// The judge of one connection. It remembers who is logging in.
pub struct Judge {
    /// What all connections share.
    pub shared: Arc<Shared>,
    /// Between whom the connection is.
    pub ends: Ends,
    state: Mutex<State>,
}

impl Judge {
    /// A judge of a connection between these ends.
    pub fn new(shared: Arc<Shared>, ends: Ends) -> Self {
        Self { shared, ends, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the login came.
    pub fn progress(&self) -> Progress {
        self.state().progress
    }

    /// Who is logging in, once that was looked up.
    pub fn login(&self) -> Option<Arc<Login>> {
        self.state().login.clone()
    }

    /// What holds for somebody of whom nothing could be found out.
    pub fn policy_of_nobody(&self, user: &[u8]) -> UserPolicy {
        UserPolicy { failure_delay: self.shared.failure_delay(user), ..UserPolicy::of_nobody() }
    }

    /// Begins a login. The name is any bytes.
    pub fn look_up(&self, user: &[u8]) -> UserPolicy {
        let login = Login::look_up(&self.shared, self.ends, user);
        let policy = login.policy(&self.shared, user);
        if login.account.is_none() {
            tracing::info!("Invalid user {} from {} port {}", login.shown, self.ends.peer.ip(), self.ends.peer.port());
        }
        let mut state = self.state();
        state.progress.invalid_user = login.account.is_none();
        state.progress.refused = login.options.refuse_connection;
        state.login = Some(Arc::new(login));
        policy
    }

    /// Judges a key. What it signed was verified before.
    pub fn check_key(&self, key: &KeyCheck) -> bool {
        let Some(login) = self.login() else { return false };
        let found = keys::find(&self.shared, &login, self.ends, &key.public_key);
        let accepted = found.is_some();
        if key.proof.is_none() {
            return accepted;
        }
        let detail = format!(": {} {}", key.algorithm, fingerprint_sha256(&key.public_key));
        self.log_attempt(accepted, names::AUTH_PUBLICKEY, &login, &detail);
        let mut state = self.state();
        state.progress.attempted = true;
        if let Some(options) = found {
            state.factors += 1;
            state.key = Some(match &state.key {
                Some(before) => keys::intersect(before, &options),
                None => options,
            });
        }
        accepted
    }

    /// Judges a password.
    pub fn check_password(&self, password: &SecretBytes, _new: Option<&SecretBytes>) -> PasswordVerdict {
        let Some(login) = self.login() else { return PasswordVerdict::Reject };
        let right = passwords::check(&self.shared, &login, password);
        self.log_attempt(right, names::AUTH_PASSWORD, &login, "");
        self.count_attempt(right);
        if right { PasswordVerdict::Accept } else { PasswordVerdict::Reject }
    }

    /// Goes one step through keyboard-interactive.
    pub fn check_interactive(&self, answers: Option<Vec<SecretBytes>>) -> KeyboardInteractiveVerdict {
        let Some(login) = self.login() else { return KeyboardInteractiveVerdict::Reject };
        let code_wanted = login.code_wanted;
        let password_wanted = self.state().factors == 0 || !code_wanted;
        let Some(answers) = answers else {
            return KeyboardInteractiveVerdict::Ask(prompts(password_wanted, code_wanted));
        };
        let mut answers = answers.into_iter();
        let mut right = true;
        if password_wanted {
            let password = answers.next().unwrap_or_default();
            right &= passwords::check(&self.shared, &login, &password);
        }
        if code_wanted {
            // A code is spent only by somebody who knew the password.
            let code = answers.next().unwrap_or_default();
            right = right && login.account.is_some() && passwords::check_code(&self.shared, &login, &code);
        }
        self.log_attempt(right, names::AUTH_KEYBOARD_INTERACTIVE, &login, "");
        self.count_attempt(right);
        if right { KeyboardInteractiveVerdict::Accept } else { KeyboardInteractiveVerdict::Reject }
    }

    fn count_attempt(&self, right: bool) {
        let mut state = self.state();
        state.progress.attempted = true;
        state.factors += u32::from(right);
    }

    fn log_attempt(&self, accepted: bool, method: &str, login: &Login, detail: &str) {
        let verb = if accepted { "Accepted" } else { "Failed" };
        let invalid = if login.account.is_none() { "invalid user " } else { "" };
        let (ip, port) = (self.ends.peer.ip().to_canonical(), self.ends.peer.port());
        tracing::info!("{verb} {method} for {invalid}{} from {ip} port {port} ssh2{detail}", login.shown);
    }

    /// The login is complete: what it may do.
    pub fn logged_in(&self) -> Permissions {
        let mut state = self.state();
        state.progress.logged_in = true;
        let key = state.key.clone().unwrap_or_default();
        let Some(login) = &state.login else { return Permissions::default() };
        let options = &login.options;
        let forced = options.force_command.is_some() || key.command.is_some();
        let usual = USUAL_ENV.iter().filter(|_| options.accept_env.is_empty()).map(|name| (*name).to_owned());
        Permissions {
            pty: options.permit_tty && key.pty,
            max_sessions: usize::try_from(options.max_sessions).unwrap_or(usize::MAX),
            // Who may not choose the command may not disturb it either (threat C10).
            signals: !forced,
            accept_env: options.accept_env.iter().cloned().chain(usual).collect(),
        }
    }

    /// Decides what really runs, and as whom.
    ///
    /// # Errors
    /// Nobody is logged in, or nothing is configured for what was asked.
    pub fn launch(&self, requests: SessionRequests) -> io::Result<Launch> {
        let refused = |why: &str| io::Error::new(io::ErrorKind::PermissionDenied, why.to_owned());
        let login = self.login().ok_or_else(|| refused("nobody is logged in"))?;
        let account = login.account.clone().ok_or_else(|| refused("nobody is logged in"))?;
        let key = self.state().key.clone().unwrap_or_default();
        let options = &login.options;
        let forced = options.force_command.clone().or(key.command);
        let asked = match &requests.start {
            Start::Shell => None,
            Start::Exec(command) => Some(command.clone()),
            Start::Subsystem(name) => Some(name.clone().into_bytes()),
        };
        let (start, original_command) = match (forced, requests.start) {
            (Some(command), _) => (Start::Exec(command.into_bytes()), asked),
            (None, Start::Subsystem(name)) => {
                let known = options.subsystems.iter().find(|known| known.name == name);
                let command = known.map(|known| known.command.clone());
                (Start::Subsystem(command.ok_or_else(|| refused("no such subsystem is configured"))?), None)
            }
            (None, start) => (start, None),
        };
        if runs_inside(&start) {
            return Err(refused("internal-sftp is not there yet"));
        }
        let set = options.set_env.iter().map(|(n, v)| (n.clone().into_bytes(), v.clone().into_bytes()));
        Ok(Launch {
            account,
            machine: matches!(self.shared.mode, Mode::Root),
            pty: requests.pty,
            env: requests.env.into_iter().chain(set).collect(),
            start,
            original_command,
            peer: self.ends.peer,
            local: self.ends.local,
            motd: self.shared.options().print_motd,
        })
    }
}

/// Commands that are to run inside the server, which it cannot do: a shell must not look for them.
fn runs_inside(start: &Start) -> bool {
    let command = match start {
        Start::Shell => return false,
        Start::Exec(command) => command.as_slice(),
        Start::Subsystem(command) => command.as_bytes(),
    };
    command.starts_with(b"internal-")
}

/// What keyboard-interactive asks for: after another factor only the code, else the password too.
fn prompts(password: bool, code: bool) -> InfoRequest {
    let prompt = |text: &str| Prompt { text: text.as_bytes().to_vec(), echo: false };
    let mut prompts = Vec::new();
    if password {
        prompts.push(prompt("Password: "));
    }
    if code {
        prompts.push(prompt("One-time code: "));
    }
    InfoRequest { prompts, ..InfoRequest::default() }
}
