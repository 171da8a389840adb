//! Who is logging in: the account behind a name, what the configuration says of it, and what it
//! takes to get in. A name without an account gets answers of the same shape (threat A12).

use super::audit::{self, ConnectionId};
use super::passwords;
use super::shared::{Mode, Shared};
use crate::passwd;
use crate::passwd::name;
use nacre_config::server::{ConnectionOptions, MatchContext, PermitRootLogin};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::login::server::UserPolicy;
use nacre_sys::account::Account;
use nacre_sys::shadow::{self, Shadow};
use nacre_wire::names::{AUTH_KEYBOARD_INTERACTIVE, AUTH_PASSWORD, AUTH_PUBLICKEY};
use nacre_wire::text::clean_line;
use std::net::SocketAddr;

/// The largest banner file sent, in bytes.
const MAX_BANNER: u64 = nacre_proto::limits::MAX_BANNER as u64;

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// The client's.
    pub peer: SocketAddr,
    /// Ours.
    pub local: SocketAddr,
    /// Its name in the audit log.
    pub id: ConnectionId,
}

impl Ends {
    /// The words for an end: its address and port, or OpenSSH's for what is no socket of the network.
    pub fn words(end: SocketAddr) -> (String, u16) {
        match end.ip().is_unspecified() && end.port() == 0 {
            true => ("UNKNOWN".to_owned(), 65535),
            false => (end.ip().to_canonical().to_string(), end.port()),
        }
    }
}

/// Somebody who wants to log in.
#[derive(Debug)]
pub struct Login {
    /// The name as it came, cleaned for the log.
    pub shown: String,
    /// The name, when it could be one.
    pub name: Option<String>,
    /// The account sessions run as; `None` when nobody may log in by this name.
    pub account: Option<Account>,
    /// The client's verified name, with `UseDNS yes`.
    pub host: Option<String>,
    /// Passwords are those of the password file, not the machine's.
    own_passwords: bool,
    /// Keys of the account's own files count for this name.
    pub keys_count: bool,
    /// A one-time code is enrolled, and so compulsory.
    pub code_wanted: bool,
    /// The name stands in the password file with a password.
    pub has_own_password: bool,
    /// The configuration for this connection and user.
    pub options: ConnectionOptions,
}

impl Login {
    /// Looks everything up. It blocks: accounts may live across a network.
    pub fn look_up(shared: &Shared, ends: Ends, host: Option<String>, user: &[u8]) -> Self {
        let shown = clean_line(user, name::MAX_NAME);
        // OpenSSH's clients may name a style of login behind a colon, of which there is one here.
        let user = user.split(|byte| *byte == b':').next().unwrap_or_default();
        let name = std::str::from_utf8(user).ok().filter(|n| name::check(n).is_ok()).map(str::to_owned);
        let found = name.as_deref().map(|name| find(shared, name)).unwrap_or_default();
        let groups = found.account.as_ref().and_then(|a| a.group_names().ok()).unwrap_or_default();
        let context = MatchContext {
            user: name.clone(),
            invalid_user: found.account.is_none(),
            groups: groups.clone(),
            host: host.clone(),
            address: Some(ends.peer.ip().to_canonical()),
            local_address: Some(ends.local.ip().to_canonical()),
            local_port: Some(ends.local.port()),
            rdomain: None,
        };
        let options = shared.options().resolve(&context);
        let mut login = Self {
            shown,
            name,
            account: found.account,
            host,
            own_passwords: matches!(shared.mode, Mode::User(_)),
            keys_count: found.keys_count,
            code_wanted: found.code_wanted,
            has_own_password: found.has_own_password,
            options,
        };
        login.apply_lists(&groups, ends);
        login
    }

    /// AllowUsers and its kin: who is not let in is treated as if there were no such account.
    fn apply_lists(&mut self, groups: &[String], ends: Ends) {
        let (Some(name), Some(_)) = (&self.name, &self.account) else { return };
        if let Err(denied) = self.options.may_log_in(name, groups, self.host.as_deref(), ends.peer.ip().to_canonical())
        {
            audit::not_allowed(&self.shown, Some(ends), &denied.to_string());
            self.account = None;
        } else if self.own_passwords && self.options.chroot_directory.is_some() {
            audit::not_allowed(&self.shown, Some(ends), "ChrootDirectory needs a server that root runs");
            self.account = None;
        }
    }

    /// What the protocol needs to know.
    pub fn policy(&self, shared: &Shared, user: &[u8]) -> UserPolicy {
        let algorithm = |name: &String| SignatureAlgorithm::from_name(name);
        let methods = self.ways();
        let password_is_enough = methods.iter().any(|way| *way == [AUTH_PASSWORD]);
        UserPolicy {
            max_tries: self.options.max_auth_tries,
            failure_delay: shared.failure_delay(user),
            banner: self.options.banner.as_deref().and_then(read_banner),
            none_succeeds: password_is_enough && passwords::without_password(shared, self).is_some(),
            methods,
            algorithms: self.options.pubkey_accepted_algorithms.iter().filter_map(algorithm).collect(),
        }
    }

    /// The ways to log in. Where a one-time code is enrolled it ends every one of them; how they begin does not depend
    /// on that, since strangers see it (threat A12).
    fn ways(&self) -> Vec<Vec<String>> {
        let options = &self.options;
        if options.refuse_connection {
            return Vec::new();
        }
        let enabled = |method: &str| match method {
            AUTH_PUBLICKEY => options.pubkey_authentication,
            AUTH_PASSWORD => options.password_authentication,
            AUTH_KEYBOARD_INTERACTIVE => options.kbd_interactive_authentication,
            _ => false,
        };
        let mut ways: Vec<Vec<String>> = if options.authentication_methods.is_empty() {
            let all = [AUTH_PUBLICKEY, AUTH_PASSWORD, AUTH_KEYBOARD_INTERACTIVE];
            all.iter().filter(|method| enabled(method)).map(|method| vec![(*method).to_owned()]).collect()
        } else {
            options.authentication_methods.iter().map(|way| way.iter().map(|m| without_device(m)).collect()).collect()
        };
        ways.retain(|way| way.iter().all(|method| enabled(method)));
        if self.code_wanted {
            for way in &mut ways {
                if !way.iter().any(|method| method == AUTH_KEYBOARD_INTERACTIVE) {
                    way.push(AUTH_KEYBOARD_INTERACTIVE.to_owned());
                }
            }
        }
        ways
    }

    /// Whether PermitRootLogin lets this login use a password; keys are judged with their options.
    pub fn password_may_do(&self) -> bool {
        // The default keeps strangers from guessing the machine's root password. Whoever adds a name to the password
        // file of a server that root runs means it to log in, so there only a line of the configuration counts.
        let unsaid = self.own_passwords && !self.options.permit_root_login_is_set;
        !self.is_root() || unsaid || self.options.permit_root_login == PermitRootLogin::Yes
    }

    /// Whether PermitRootLogin lets this login use a key.
    pub fn key_may_do(&self, forced_command: bool) -> bool {
        if !self.is_root() {
            return true;
        }
        match self.options.permit_root_login {
            PermitRootLogin::No => false,
            PermitRootLogin::ForcedCommandsOnly => forced_command || self.options.force_command.is_some(),
            _ => true,
        }
    }

    fn is_root(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.uid == 0)
    }
}

/// `keyboard-interactive:pam` names a device; there is one here.
fn without_device(method: &str) -> String {
    method.split(':').next().unwrap_or_default().to_owned()
}

#[derive(Default)]
struct Found {
    account: Option<Account>,
    keys_count: bool,
    code_wanted: bool,
    has_own_password: bool,
}

fn find(shared: &Shared, name: &str) -> Found {
    let record = match passwd::open_in(&shared.state).and_then(|store| store.lookup(name)) {
        Ok(record) => record,
        Err(error) => {
            // A password file that cannot be read may hold a code that is compulsory: nobody gets in.
            tracing::error!("password file: {error}");
            return Found::default();
        }
    };
    let (account, keys_count) = match &shared.mode {
        Mode::User(own) if own.name == name => (Some(own.clone()), true),
        // Another name of the same account: its password counts, the account's keys do not, or a
        // key would get round the code of the name it belongs to.
        Mode::User(own) if record.is_some() => (Some(own.clone()), false),
        Mode::User(_) => return Found::default(),
        Mode::Root => (machine_account(shared, name), true),
    };
    let record = record.as_ref();
    Found {
        account,
        keys_count,
        code_wanted: record.is_some_and(|record| record.totp.is_some()),
        has_own_password: record.is_some_and(|record| record.password.is_some()),
    }
}

/// An account of the machine that is not locked, has not expired and has a shell to run: one without
/// a shell could run nothing, but might still forward. Where PAM is used it says who is locked or has expired.
fn machine_account(shared: &Shared, name: &str) -> Option<Account> {
    let account = match Account::by_name(name) {
        Ok(account) => account?,
        Err(error) => {
            tracing::error!("{error}");
            return None;
        }
    };
    if shared.options().use_pam {
        return has_shell(&account).then_some(account);
    }
    match Shadow::by_name(name) {
        Ok(Some(entry)) if entry.is_locked() || entry.is_expired(shadow::today()) => {
            audit::not_allowed(&account.name, None, "the account is locked or has expired");
            None
        }
        Ok(_) => has_shell(&account).then_some(account),
        Err(error) => {
            tracing::error!("{error}");
            None
        }
    }
}

fn has_shell(account: &Account) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let runs = |shell: std::fs::Metadata| shell.is_file() && shell.permissions().mode() & 0o111 != 0;
    let has = std::fs::metadata(&account.shell).is_ok_and(runs);
    if !has {
        let shell = account.shell.display();
        audit::not_allowed(&account.name, None, &format!("shell {shell} is missing or not executable"));
    }
    has
}

fn read_banner(path: &str) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut text = Vec::new();
    let file = std::fs::File::open(path).and_then(|file| file.take(MAX_BANNER).read_to_end(&mut text));
    match file {
        Ok(_) if text.len() as u64 == MAX_BANNER => {
            tracing::warn!("Banner {path}: only its first {MAX_BANNER} bytes are sent");
            Some(text)
        }
        Ok(_) => Some(text),
        Err(error) => {
            tracing::error!("Banner {path}: {error}");
            None
        }
    }
}
