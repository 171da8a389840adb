//! Which certificates may log in, and with what limits (sshd(8), sshd_config(5); threat A7).

use super::keys;
use super::keys_command;
use super::login::{Ends, Login};
use super::shared::Shared;
use nacre_config::authorized_keys::{AuthorizedKeys, AuthorizedPrincipals, Entry, KeyOptions};
use nacre_crypto::{Certificate, CertificateKind, PublicKey, UserLimits};
use nacre_sys::account::Account;
use nacre_sys::user_files;
use nacre_wire::text::clean_line;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The largest file of CAs or principals that is read, in bytes.
const MAX_FILE: usize = 1024 * 1024;
/// The longest reason that is logged, in bytes.
const MAX_REASON: usize = 500;

/// What the certificate allows here, if it may log in. Why it may not stands in one line of the log.
pub fn find(
    shared: &Shared,
    login: &Login,
    account: &Account,
    ends: Ends,
    certificate: &Certificate,
) -> Option<KeyOptions> {
    let question = Question { shared, login, account, ends, certificate };
    match question.judge() {
        Ok(options) => Some(options),
        Err(why) => {
            refused(login, &why, Some(certificate));
            None
        }
    }
}

/// Logs why a key or certificate was refused.
pub fn refused(login: &Login, why: &str, certificate: Option<&Certificate>) {
    let why = clean_line(why.as_bytes(), MAX_REASON);
    match certificate {
        Some(certificate) => {
            tracing::info!("Certificate of {} refused: {why} ({})", login.shown, certificate.describe())
        }
        None => tracing::info!("Key of {} refused: {why}", login.shown),
    }
}

struct Question<'a> {
    shared: &'a Shared,
    login: &'a Login,
    account: &'a Account,
    ends: Ends,
    certificate: &'a Certificate,
}

impl Question<'_> {
    fn judge(&self) -> Result<KeyOptions, String> {
        let ca_algorithm = self.certificate.ca_algorithm().name();
        if !self.login.options.ca_signature_algorithms.iter().any(|name| name == ca_algorithm) {
            return Err(format!("its CA signed with {ca_algorithm}, which CASignatureAlgorithms leaves out"));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs());
        self.certificate.check(CertificateKind::User, now).map_err(|why| why.to_string())?;
        let own = self.certificate.user_limits(self.ends.peer.ip()).map_err(|why| why.to_string())?;
        // As with OpenSSH the machine's CAs come first; what they do not let in, a line of the user's files may.
        let mut reason = String::from("unknown CA");
        for attempt in [self.by_trusted_ca(), self.by_line()] {
            match attempt {
                Some(Ok(line)) => return self.narrowed(&line, &own),
                Some(Err(why)) => reason = why,
                None => {}
            }
        }
        Err(reason)
    }

    /// TrustedUserCAKeys; `None` when the CA does not stand there.
    fn by_trusted_ca(&self) -> Option<Result<KeyOptions, String>> {
        let path = self.login.options.trusted_user_ca_keys.as_ref()?;
        match read(path) {
            Ok(list) => lists(&list, self.certificate.ca()).then(|| self.by_principals()),
            Err(error) => {
                tracing::error!("TrustedUserCAKeys {path}: {error}");
                None
            }
        }
    }

    /// The names that AuthorizedPrincipalsFile or AuthorizedPrincipalsCommand has for the user, or without either the user's own.
    fn by_principals(&self) -> Result<KeyOptions, String> {
        let home = self.account.home.to_str().ok_or("the home folder is not UTF-8")?;
        let file = self.login.options.authorized_principals_file(&self.account.name, self.account.uid, home);
        let file = file.map_err(|error| format!("AuthorizedPrincipalsFile: {error}"))?;
        let told = keys_command::principals(self.login, self.account, self.ends, self.certificate);
        let told = told.map_err(|_| "AuthorizedPrincipalsCommand failed")?;
        if file.is_none() && told.is_none() {
            return self.own_name();
        }
        let mut why = String::new();
        if let Some(path) = file {
            match self.principals_in(&path) {
                Ok(options) => return Ok(options),
                Err(refused) => why = refused,
            }
        }
        match told {
            Some((program, bytes)) => self.among(&bytes, &program),
            None => Err(why),
        }
    }

    fn principals_in(&self, path: &str) -> Result<KeyOptions, String> {
        let file = match user_files::read_file_as(self.account, Path::new(path), MAX_FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(nobody(Path::new(path))),
            Err(error) => return Err(format!("AuthorizedPrincipalsFile {path}: {error}")),
        };
        if let Err(problem) = file.strict_modes
            && self.shared.options().strict_modes
        {
            return Err(format!("AuthorizedPrincipalsFile {path}: {problem}"));
        }
        self.among(&file.bytes, Path::new(path))
    }

    /// What the first line that the certificate names allows.
    fn among(&self, bytes: &[u8], path: &Path) -> Result<KeyOptions, String> {
        let names = AuthorizedPrincipals::parse(bytes);
        for line in &names.refused {
            tracing::warn!("{}:{}: line refused: {}", path.display(), line.line, line.error);
        }
        let host = self.login.host.as_deref();
        let permitted = names.entries.into_iter().find(|entry| {
            self.certificate.names_user(&entry.name) && keys::permits(&entry.options, host, self.ends, path, entry.line)
        });
        permitted.map(|entry| entry.options).ok_or_else(|| nobody(path))
    }

    fn own_name(&self) -> Result<KeyOptions, String> {
        if self.certificate.names_user(&self.account.name) {
            // No line stands beside the certificate that could ask for a touch.
            return Ok(KeyOptions { no_touch_required: true, ..KeyOptions::default() });
        }
        Err(nacre_crypto::CertificateRefusal::WrongPrincipal.to_string())
    }

    /// A line of authorized_keys with `cert-authority`; `None` when the CA stands on none.
    fn by_line(&self) -> Option<Result<KeyOptions, String>> {
        let mut refused = None;
        let found = keys::in_all(
            self.shared,
            self.login,
            self.account,
            self.ends,
            self.certificate.blob(),
            &mut |keys, path| self.in_lines(keys, path, &mut refused),
        );
        found.map(Ok).or(refused.map(Err))
    }

    fn in_lines(&self, keys: &AuthorizedKeys, path: &Path, refused: &mut Option<String>) -> Option<KeyOptions> {
        for entry in keys.authorities(self.certificate.ca().blob()) {
            if !self.is_named(entry) {
                let line = entry.line;
                *refused = Some(format!("wrong principal: none that it lists is meant by {}:{line}", path.display()));
            } else if keys::permits(&entry.options, self.login.host.as_deref(), self.ends, path, entry.line) {
                return Some(entry.options.clone());
            } else {
                *refused = Some(format!("the line of its CA does not permit it ({}:{})", path.display(), entry.line));
            }
        }
        None
    }

    fn is_named(&self, entry: &Entry) -> bool {
        match &entry.options.principals {
            Some(list) => names_of(list).any(|name| self.certificate.names_user(name)),
            None => self.certificate.names_user(&self.account.name),
        }
    }

    /// What both the line and the certificate allow.
    fn narrowed(&self, line: &KeyOptions, own: &UserLimits) -> Result<KeyOptions, String> {
        if let (Some(one), Some(other)) = (&line.command, &own.force_command)
            && one != other
        {
            return Err("its forced command is not that of the line of its CA".to_owned());
        }
        let own = KeyOptions {
            agent_forwarding: own.agent_forwarding,
            port_forwarding: own.port_forwarding,
            x11_forwarding: own.x11_forwarding,
            pty: own.pty,
            user_rc: own.user_rc,
            no_touch_required: own.no_touch_required,
            verify_required: own.verify_required,
            command: own.force_command.clone(),
            // A certificate says nothing of variables.
            environment: line.environment.clone(),
            ..KeyOptions::default()
        };
        let both = keys::intersect(line, &own);
        if self.login.key_may_do(both.command.is_some()) {
            Ok(both)
        } else {
            Err("PermitRootLogin keeps it out".to_owned())
        }
    }
}

fn nobody(path: &Path) -> String {
    format!("wrong principal: none that it lists stands in {}", path.display())
}

fn read(path: &str) -> io::Result<String> {
    let mut text = String::new();
    let limit = MAX_FILE as u64;
    File::open(path)?.take(limit + 1).read_to_string(&mut text)?;
    if text.len() > MAX_FILE { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

/// Whether a file of public keys, one a line, has this one.
fn lists(text: &str, ca: &PublicKey) -> bool {
    text.lines().filter_map(|line| PublicKey::parse_line(line).ok()).any(|key| key.blob() == ca.blob())
}

/// The names of a `principals` option. An empty one ends the list, as with OpenSSH.
fn names_of(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').take_while(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::names_of;

    #[test]
    fn a07_an_empty_name_ends_a_list_of_principals() {
        for (list, names) in [("a", &["a"][..]), ("a,b", &["a", "b"]), ("a,", &["a"]), ("a,,b", &["a"]), (",a", &[])] {
            assert_eq!(names_of(list).collect::<Vec<_>>(), names, "{list}");
        }
    }
}
