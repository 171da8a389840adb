//! Judging one connection: who it is, whether keys, passwords and codes are right, and what may run.
//! It blocks. Without root it works on threads of the same process, as root in the monitor.

use super::audit::Trail;
use super::auth_info;
use super::forward::{ListenPlan, Rules};
use super::instead;
use super::interactive::Asked;
use super::internal_chat;
use super::internal_sftp::is_internal;
use super::keys;
use super::launch::Launch;
use super::limits;
use super::log;
use super::login::{Ends, Login};
use super::names as client_names;
use super::passwords::{self, Checked};
use super::shared::{Mode, Shared};
use nacre_config::authorized_keys::KeyOptions;
use nacre_net::admission::Ending;
use nacre_net::privsep::EndedHow;
use nacre_net::server::authority::{KeyCheck, Permissions, Place, Refused, SessionRequests, Start, Target};
use nacre_proto::certificate::plain_key;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::server::{PasswordVerdict, UserPolicy};
use nacre_wire::names;
use std::io;
use std::path::PathBuf;
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
pub(super) struct State {
    login: Option<Arc<Login>>,
    /// What the keys that signed allow together.
    key: Option<KeyOptions>,
    /// How many factors have succeeded.
    pub(super) factors: u32,
    /// What succeeded, for the session (ExposeAuthInfo).
    auth_info: String,
    /// What keyboard-interactive asked last.
    pub(super) asked: Option<Asked>,
    /// The password that was right and must be changed before the login is complete.
    pub(super) old_password: Option<SecretBytes>,
    /// The password's time is over: sessions are for changing it.
    pub(super) force_change: bool,
    progress: Progress,
}

/// The judge of one connection. It remembers who is logging in.
pub struct Judge {
    /// What all connections share.
    pub shared: Arc<Shared>,
    /// Between whom the connection is.
    pub ends: Ends,
    /// What the audit log is told of it.
    pub trail: Arc<Trail>,
    state: Mutex<State>,
}

impl Judge {
    /// A judge of a connection between these ends.
    pub fn new(shared: Arc<Shared>, ends: Ends) -> Self {
        let trail = Arc::new(Trail::new(ends, matches!(shared.mode, Mode::Root)));
        Self { shared, ends, trail, state: Mutex::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
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

    /// The client as records name it: by its name, where that is known, else by its address.
    pub fn client(&self) -> String {
        let host = self.login().and_then(|login| login.host.clone());
        host.unwrap_or_else(|| self.ends.peer.ip().to_canonical().to_string())
    }

    /// What holds for somebody of whom nothing could be found out.
    pub fn policy_of_nobody(&self, user: &[u8]) -> UserPolicy {
        UserPolicy { failure_delay: self.shared.failure_delay(user), ..UserPolicy::of_nobody() }
    }

    /// Begins a login. The name is any bytes.
    pub fn look_up(&self, user: &[u8]) -> UserPolicy {
        let address = self.ends.peer.ip().to_canonical();
        let host = self.shared.options().use_dns.then(|| client_names::of(address)).flatten();
        let login = Login::look_up(&self.shared, self.ends, host, user);
        let policy = login.policy(&self.shared, user);
        // Here this process serves one connection, so its level can be the user's.
        if matches!(self.shared.mode, Mode::Root) {
            log::change(log::filter(login.options.log_level), self.shared.options().log_json);
        }
        self.trail.looked_up(&login);
        let mut state = self.state();
        state.progress.invalid_user = login.account.is_none();
        state.progress.refused = login.options.refuse_connection;
        state.login = Some(Arc::new(login));
        policy
    }

    /// What has succeeded so far, a line for each method.
    pub fn auth_info(&self) -> String {
        self.state().auth_info.clone()
    }

    /// Judges a key. What it signed was verified before; `account` says whether the account may be used by whoever
    /// signed.
    pub fn check_key(&self, key: &KeyCheck, account: impl FnOnce() -> bool) -> bool {
        let Some(login) = self.login() else { return false };
        let found = keys::find(&self.shared, &login, self.ends, key).filter(|_| is_long(&login, key));
        if key.proof.is_none() {
            return found.is_some();
        }
        let found = found.filter(|_| account());
        let accepted = found.is_some();
        self.trail.attempted(accepted, names::AUTH_PUBLICKEY, &login, Some(key));
        let mut state = self.state();
        state.progress.attempted = true;
        if let Some(options) = found {
            state.factors += 1;
            state.auth_info += &auth_info::line(names::AUTH_PUBLICKEY, Some(&key.public_key));
            state.key = Some(match &state.key {
                Some(before) => keys::intersect(before, &options),
                None => options,
            });
        }
        accepted
    }

    /// Judges a password, and with `new` changes it, where it must be changed.
    pub fn check_password(&self, password: &SecretBytes, new: Option<&SecretBytes>) -> PasswordVerdict {
        let Some(login) = self.login() else { return PasswordVerdict::Reject };
        let checked = passwords::check(&self.shared, &login, password);
        let verdict = match (checked, new) {
            (Checked::Wrong, _) => PasswordVerdict::Reject,
            // After a code that is still to come; who does not have it must not set a password either.
            (Checked::MustChange, None) if login.code_wanted => {
                self.state().old_password = Some(SecretBytes::new(password.expose().to_vec()));
                PasswordVerdict::Accept
            }
            (Checked::MustChange, None) => PasswordVerdict::ChangeRequired(passwords::MUST_CHANGE.to_owned()),
            (Checked::MustChange, Some(new)) if !login.code_wanted => {
                match passwords::change(&self.shared, &login, password, new) {
                    Ok(()) => PasswordVerdict::Accept,
                    Err(why) => PasswordVerdict::ChangeRequired(why.to_owned()),
                }
            }
            // Nobody asked for a change.
            (_, Some(_)) => PasswordVerdict::Reject,
            (Checked::Right, None) => PasswordVerdict::Accept,
            (Checked::Expired, None) => {
                self.state().force_change = true;
                PasswordVerdict::Accept
            }
        };
        if !matches!(verdict, PasswordVerdict::ChangeRequired(_)) {
            let accepted = verdict == PasswordVerdict::Accept;
            self.trail.attempted(accepted, names::AUTH_PASSWORD, &login, None);
            self.count_attempt(accepted, names::AUTH_PASSWORD);
        }
        verdict
    }

    /// Takes PAM's word on a password.
    pub fn pam_judged_password(&self, right: bool) -> PasswordVerdict {
        let Some(login) = self.login() else { return PasswordVerdict::Reject };
        self.trail.attempted(right, names::AUTH_PASSWORD, &login, None);
        self.count_attempt(right, names::AUTH_PASSWORD);
        if right { PasswordVerdict::Accept } else { PasswordVerdict::Reject }
    }

    pub(super) fn count_attempt(&self, right: bool, method: &str) {
        let mut state = self.state();
        state.progress.attempted = true;
        if right {
            state.factors += 1;
            state.auth_info += &auth_info::line(method, None);
        }
    }

    /// `none` logged in, to an account that has no password.
    fn none_succeeded(&self) {
        let Some(login) = self.login() else { return };
        self.state().force_change = passwords::without_password(&self.shared, &login) == Some(Checked::Expired);
        self.trail.attempted(true, names::AUTH_NONE, &login, None);
        self.count_attempt(true, names::AUTH_NONE);
    }

    /// The login is complete: what it may do.
    pub fn logged_in(&self) -> Permissions {
        if self.state().factors == 0 {
            self.none_succeeded();
        }
        self.state().progress.logged_in = true;
        self.trail.logged_in();
        self.permissions()
    }

    /// What whoever logs in may do.
    pub fn permissions(&self) -> Permissions {
        let state = self.state();
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
            limits: Some(limits::of(options)),
            channel_timeouts: options.channel_timeouts.clone(),
        }
    }

    /// May the client be connected there?
    ///
    /// # Errors
    /// Why not.
    pub fn may_connect(&self, target: &Target) -> Result<(), Refused> {
        self.with_rules(|rules| rules.may_connect(target))
    }

    /// What to listen on for the client.
    ///
    /// # Errors
    /// Why nothing.
    pub fn plan_listening(&self, place: &Place) -> Result<ListenPlan, Refused> {
        self.with_rules(|rules| rules.plan(place))
    }

    fn with_rules<T>(&self, judge: impl FnOnce(&Rules<'_>) -> Result<T, Refused>) -> Result<T, Refused> {
        let state = self.state();
        let login = state.login.as_ref().filter(|_| state.progress.logged_in);
        let Some((login, account)) = login.and_then(|login| Some((login, login.account.as_ref()?))) else {
            return Err(Refused::prohibited("nobody is logged in"));
        };
        let key = state.key.clone().unwrap_or_default();
        let (is_root, must_change) = (account.uid == 0, state.force_change);
        let family = self.shared.options().address_family;
        let (options, home) = (&login.options, account.home.as_path());
        let forced = options.force_command.as_deref().or(key.command.as_deref());
        let only_chat = forced.is_some_and(internal_chat::is_chat);
        judge(&Rules { options, key: &key, is_root, home, must_change, only_chat, family })
    }

    /// The folder that is all there is for whoever is logged in, if there is one.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn jail(&self) -> io::Result<Option<PathBuf>> {
        let login = self.login();
        let Some((login, account)) = login.as_ref().and_then(|login| Some((login, login.account.as_ref()?))) else {
            return Ok(None);
        };
        let home = account.home.to_str().ok_or_else(|| io::Error::other("the home folder is not UTF-8"))?;
        let folder = login.options.chroot_of(&account.name, account.uid, home);
        folder.map(|path| path.map(PathBuf::from)).map_err(|why| io::Error::other(format!("ChrootDirectory: {why}")))
    }

    /// Decides what really runs, and as whom.
    ///
    /// # Errors
    /// Nobody is logged in, or nothing is configured for what was asked.
    pub fn launch(&self, requests: SessionRequests) -> io::Result<Launch> {
        let refused = |why: &str| io::Error::new(io::ErrorKind::PermissionDenied, why.to_owned());
        let login = self.login().ok_or_else(|| refused("nobody is logged in"))?;
        let account = login.account.clone().ok_or_else(|| refused("nobody is logged in"))?;
        let (key, must_change, auth_info) = {
            let state = self.state();
            (state.key.clone().unwrap_or_default(), state.force_change, state.auth_info.clone())
        };
        let options = &login.options;
        let user_rc = options.permit_user_rc && key.user_rc && options.force_command.is_none();
        let forced = options.force_command.clone().or(key.command);
        let asked = match &requests.start {
            Start::Shell => None,
            Start::Exec(command) => Some(command.clone()),
            Start::Subsystem(name) => Some(name.clone().into_bytes()),
        };
        let subsystem = matches!(requests.start, Start::Subsystem(_));
        let sftp_only = forced.as_deref().is_some_and(is_internal);
        let by_name =
            |name: &String| options.subsystems.iter().find(|known| known.name == *name).map(|s| s.command.clone());
        let chosen = match &requests.start {
            _ if forced.is_some() => forced.clone(),
            Start::Subsystem(name) => by_name(name),
            _ => None,
        };
        let attended = chosen.filter(|command| internal_chat::is_chat(command)).map(|command| {
            let name = login.name.as_deref().unwrap_or(&account.name);
            let address = self.ends.peer.ip().to_canonical().to_string();
            internal_chat::words(&command, &self.shared, name, address, asked.as_deref())
        });
        let (start, original_command) = match (forced, requests.start) {
            (Some(command), _) if sftp_only && subsystem || attended.is_some() => (Start::Subsystem(command), asked),
            (Some(command), _) => (Start::Exec(command.into_bytes()), asked),
            (None, Start::Subsystem(name)) => {
                let command = by_name(&name).ok_or_else(|| refused("no such subsystem is configured"))?;
                (Start::Subsystem(command), None)
            }
            (None, start) => (start, None),
        };
        let closed = instead::closed().filter(|_| matches!(self.shared.mode, Mode::Root) && account.uid != 0);
        let set = options.set_env.iter().map(|(n, v)| (n.clone().into_bytes(), v.clone().into_bytes()));
        Ok(Launch {
            account,
            closed,
            jailed: self.jail()?.is_some(),
            pty: requests.pty,
            env: requests.env,
            set_env: set.collect(),
            start,
            original_command,
            peer: self.ends.peer,
            local: self.ends.local,
            motd: self.shared.options().print_motd,
            last_login: None,
            must_change,
            sftp_only: sftp_only && !subsystem,
            auth_info: options.expose_auth_info.then_some(auth_info),
            user_rc,
            user_environment: self.shared.options().permit_user_environment.clone(),
            key_environment: key.environment,
            pam_variables: Vec::new(),
            pam_texts: Vec::new(),
            agent: requests.agent,
            chat: attended.unwrap_or_default(),
        })
    }
}

/// RequiredRSASize, as it holds for this user; the protocol knows only the least of all.
fn is_long(login: &Login, key: &KeyCheck) -> bool {
    let required = usize::try_from(login.options.required_rsa_size).unwrap_or(usize::MAX);
    let short = limits::rsa_bits(&plain_key(&key.public_key)).filter(|bits| *bits < required);
    if let Some(bits) = short {
        tracing::info!("RSA key of {} refused: {bits} bits are less than RequiredRSASize {required}", login.shown);
    }
    short.is_none()
}
