//! The authority over one connection, in the same process: it answers the questions of
//! [`nacre_net::server::Authority`] from the configuration, the accounts and the key files.

use super::keys;
use super::launch::Launch;
use super::login::{Ends, Login};
use super::passwords;
use super::shared::{Mode, Shared};
use nacre_config::authorized_keys::KeyOptions;
use nacre_crypto::fingerprint_sha256;
use nacre_net::server::Authority;
use nacre_net::server::authority::{Answer, KeyCheck, Permissions, SessionRequests, Start, StartedSession};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use nacre_wire::names;
use nacre_wire::userauth::{InfoRequest, Prompt};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::spawn_blocking;

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

/// The authority over one connection.
pub struct LocalAuthority {
    shared: Arc<Shared>,
    ends: Ends,
    state: Arc<Mutex<State>>,
}

impl LocalAuthority {
    /// An authority for a connection between these ends.
    pub fn new(shared: Arc<Shared>, ends: Ends) -> Self {
        Self { shared, ends, state: Arc::default() }
    }

    /// A look at how far the login came, for after the connection.
    pub fn progress(&self) -> impl Fn() -> Progress + Send + use<> {
        let state = self.state.clone();
        move || lock(&state).progress
    }

    fn login(&self) -> Option<Arc<Login>> {
        lock(&self.state).login.clone()
    }

    /// Does blocking work on a thread of its own, for passwords behind the bound on hashing.
    fn work<T: Send + 'static>(
        &self,
        hashes: bool,
        failed: T,
        work: impl FnOnce(&Shared, &Login, &Mutex<State>, Ends) -> T + Send + 'static,
    ) -> Answer<T> {
        let (shared, state, ends, login) = (self.shared.clone(), self.state.clone(), self.ends, self.login());
        Box::pin(async move {
            let Some(login) = login else { return failed };
            let permit = if hashes { shared.hashing.clone().acquire_owned().await.ok() } else { None };
            let done = spawn_blocking(move || {
                let _permit = permit;
                work(&shared, &login, &state, ends)
            });
            done.await.unwrap_or(failed)
        })
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn log_attempt(accepted: bool, method: &str, login: &Login, ends: Ends, detail: &str) {
    let verb = if accepted { "Accepted" } else { "Failed" };
    let invalid = if login.account.is_none() { "invalid user " } else { "" };
    let (ip, port) = (ends.peer.ip().to_canonical(), ends.peer.port());
    tracing::info!("{verb} {method} for {invalid}{} from {ip} port {port} ssh2{detail}", login.shown);
}

fn judge_password(shared: &Shared, login: &Login, state: &Mutex<State>, ends: Ends, password: &SecretBytes) -> bool {
    let right = passwords::check(shared, login, password);
    log_attempt(right, names::AUTH_PASSWORD, login, ends, "");
    let mut state = lock(state);
    state.progress.attempted = true;
    state.factors += u32::from(right);
    right
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

fn judge_answers(
    shared: &Shared,
    login: &Login,
    state: &Mutex<State>,
    ends: Ends,
    answers: Option<Vec<SecretBytes>>,
) -> KeyboardInteractiveVerdict {
    let code_wanted = login.code_wanted;
    let password_wanted = lock(state).factors == 0 || !code_wanted;
    let Some(answers) = answers else {
        return KeyboardInteractiveVerdict::Ask(prompts(password_wanted, code_wanted));
    };
    let mut answers = answers.into_iter();
    let mut right = true;
    if password_wanted {
        let password = answers.next().unwrap_or_default();
        right &= passwords::check(shared, login, &password);
    }
    if code_wanted {
        // A code is spent only by somebody who knew the password.
        let code = answers.next().unwrap_or_default();
        right = right && login.account.is_some() && passwords::check_code(shared, login, &code);
    }
    log_attempt(right, names::AUTH_KEYBOARD_INTERACTIVE, login, ends, "");
    let mut state = lock(state);
    state.progress.attempted = true;
    state.factors += u32::from(right);
    if right { KeyboardInteractiveVerdict::Accept } else { KeyboardInteractiveVerdict::Reject }
}

fn judge_key(shared: &Shared, login: &Login, state: &Mutex<State>, ends: Ends, key: &KeyCheck) -> bool {
    let found = keys::find(shared, login, ends, &key.public_key);
    let accepted = found.is_some();
    if key.proof.is_none() {
        return accepted;
    }
    let detail = format!(": {} {}", key.algorithm, fingerprint_sha256(&key.public_key));
    log_attempt(accepted, names::AUTH_PUBLICKEY, login, ends, &detail);
    let mut state = lock(state);
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

impl Authority for LocalAuthority {
    fn sign(&mut self, host_key: Vec<u8>, algorithm: SignatureAlgorithm, data: Vec<u8>) -> Answer<Option<Vec<u8>>> {
        let signature = self.shared.host_keys.sign(&host_key, algorithm, &data);
        Box::pin(std::future::ready(signature))
    }

    fn look_up(&mut self, user: Vec<u8>) -> Answer<UserPolicy> {
        let (shared, state, ends) = (self.shared.clone(), self.state.clone(), self.ends);
        let nobody = UserPolicy {
            methods: Vec::new(),
            max_tries: 1,
            failure_delay: shared.failure_delay(&user),
            banner: None,
            none_succeeds: false,
            algorithms: Vec::new(),
        };
        Box::pin(async move {
            let looking = spawn_blocking(move || {
                let login = Login::look_up(&shared, ends, &user);
                let policy = login.policy(&shared, &user);
                if login.account.is_none() {
                    tracing::info!("Invalid user {} from {} port {}", login.shown, ends.peer.ip(), ends.peer.port());
                }
                let mut state = lock(&state);
                state.progress.invalid_user = login.account.is_none();
                state.progress.refused = login.options.refuse_connection;
                state.login = Some(Arc::new(login));
                policy
            });
            looking.await.unwrap_or(nobody)
        })
    }

    fn check_key(&mut self, key: KeyCheck) -> Answer<bool> {
        self.work(false, false, move |shared, login, state, ends| judge_key(shared, login, state, ends, &key))
    }

    fn check_password(&mut self, password: SecretBytes, _new: Option<SecretBytes>) -> Answer<PasswordVerdict> {
        self.work(true, PasswordVerdict::Reject, move |shared, login, state, ends| {
            match judge_password(shared, login, state, ends, &password) {
                true => PasswordVerdict::Accept,
                false => PasswordVerdict::Reject,
            }
        })
    }

    fn check_interactive(&mut self, answers: Option<Vec<SecretBytes>>) -> Answer<KeyboardInteractiveVerdict> {
        let hashes = answers.is_some();
        self.work(hashes, KeyboardInteractiveVerdict::Reject, move |shared, login, state, ends| {
            judge_answers(shared, login, state, ends, answers)
        })
    }

    fn logged_in(&mut self, _methods: &[String]) -> Permissions {
        let mut state = lock(&self.state);
        state.progress.logged_in = true;
        let key = state.key.clone().unwrap_or_default();
        let Some(login) = &state.login else { return Permissions { pty: false, max_sessions: 0, signals: false } };
        let options = &login.options;
        let forced = options.force_command.is_some() || key.command.is_some();
        Permissions {
            pty: options.permit_tty && key.pty,
            max_sessions: usize::try_from(options.max_sessions).unwrap_or(usize::MAX),
            // Who may not choose the command may not disturb it either (threat C10).
            signals: !forced,
        }
    }

    fn accepts_env(&self, name: &[u8], value: &[u8]) -> bool {
        let Some(login) = self.login() else { return false };
        let Ok(name) = std::str::from_utf8(name) else { return false };
        let sane = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains(&0);
        let configured = login.options.accept_env.iter().map(String::as_str);
        let usual = USUAL_ENV.iter().copied().filter(|_| login.options.accept_env.is_empty());
        sane && configured.chain(usual).any(|pattern| nacre_config::pattern::matches(name, pattern))
    }

    fn start(&mut self, requests: SessionRequests) -> Answer<io::Result<StartedSession>> {
        let launch = self.launch(requests);
        Box::pin(async move {
            let launch = launch?;
            spawn_blocking(move || launch.run()).await.unwrap_or_else(|error| Err(io::Error::other(error)))
        })
    }
}

impl LocalAuthority {
    /// Decides what really runs, and as whom.
    fn launch(&self, requests: SessionRequests) -> io::Result<Launch> {
        let refused = |why: &str| io::Error::new(io::ErrorKind::PermissionDenied, why.to_owned());
        let login = self.login().ok_or_else(|| refused("nobody is logged in"))?;
        let account = login.account.clone().ok_or_else(|| refused("nobody is logged in"))?;
        let key = lock(&self.state).key.clone().unwrap_or_default();
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
            become_account: matches!(self.shared.mode, Mode::Root),
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
