//! What a session finds: its variables, and what is shown first.

use super::launch::Launch;
use super::login::Ends;
use nacre_config::pattern::{self, ListMatch};
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// What is searched for programs, for root and for everybody else.
const ROOT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const USER_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/games";
/// The message of the day is cut here, in bytes.
const MAX_MOTD: u64 = 64 * 1024;
/// The user's own variables, below the home folder, and how much of them is read, in bytes.
const USER_FILE: &str = ".ssh/environment";
const MAX_USER_FILE: u64 = 128 * 1024;

/// Variables in order; a later one takes the place of an earlier one of its name.
#[derive(Default)]
struct Variables(Vec<(OsString, OsString)>);

impl Variables {
    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.retain(|(known, _)| known.as_os_str() != name);
        self.0.push((name.into(), value.into()));
    }

    /// Those whose names are text; no other could be asked for.
    fn set_all(&mut self, variables: &[(Vec<u8>, Vec<u8>)]) {
        for (name, value) in variables {
            if let Ok(name) = std::str::from_utf8(name) {
                self.set(name, OsString::from_vec(value.clone()));
            }
        }
    }
}

impl Launch {
    /// The whole environment: nothing of the server's own reaches a session but its time zone.
    pub(super) fn environment(
        &self,
        terminal: Option<(&Path, &str)>,
        auth_info: Option<&Path>,
        agent: Option<&Path>,
    ) -> Vec<(OsString, OsString)> {
        let mut env = Variables::default();
        env.set_all(&self.env);
        self.set_account(&mut env);
        self.set_own(&mut env);
        // As with OpenSSH these win over all but what the server alone knows.
        env.set_all(&self.pam_variables);
        env.set_all(&self.set_env);
        self.set_connection(&mut env);
        if let Some(path) = auth_info {
            env.set("SSH_USER_AUTH", path);
        }
        if let Some(path) = agent {
            env.set("SSH_AUTH_SOCK", path);
        }
        if let Some((path, term)) = terminal {
            env.set("SSH_TTY", path);
            env.set("TERM", term);
        }
        // A NUL cannot be said to execve; a name with `=` would set another variable.
        env.0.retain(|(name, value)| {
            !name.is_empty() && !name.as_bytes().contains(&b'=') && !value.as_bytes().contains(&0)
        });
        env.0
    }

    fn set_account(&self, env: &mut Variables) {
        let account = &self.account;
        env.set("USER", &account.name);
        env.set("LOGNAME", &account.name);
        env.set("HOME", &account.home);
        env.set("SHELL", &account.shell);
        env.set("PATH", if account.uid == 0 { ROOT_PATH } else { USER_PATH });
        env.set("MAIL", format!("/var/mail/{}", account.name));
        if let Some(zone) = std::env::var_os("TZ") {
            env.set("TZ", zone);
        }
    }

    /// What users set in their own files, where they may (PermitUserEnvironment): with their key, then in a file of
    /// lines `NAME=value`.
    fn set_own(&self, env: &mut Variables) {
        let Some(patterns) = &self.user_environment else { return };
        let may = |name: &str| pattern::matches_list(name, patterns, false) == ListMatch::Yes;
        for (name, value) in self.key_environment.iter().filter(|(name, _)| may(name)) {
            env.set(name, value);
        }
        let mut text = Vec::new();
        let file =
            File::open(self.account.home.join(USER_FILE)).ok().filter(|f| f.metadata().is_ok_and(|m| m.is_file()));
        let Some(Ok(_)) = file.map(|file| file.take(MAX_USER_FILE).read_to_end(&mut text)) else { return };
        for line in String::from_utf8_lossy(&text).lines() {
            let line = line.trim_start_matches([' ', '\t']);
            if let Some((name, value)) = line.split_once('=').filter(|(name, _)| !line.starts_with('#') && may(name)) {
                env.set(name, value);
            }
        }
    }

    fn set_connection(&self, env: &mut Variables) {
        let ((peer, peer_port), (local, local_port)) = (Ends::words(self.peer), Ends::words(self.local));
        env.set("SSH_CLIENT", format!("{peer} {peer_port} {local_port}"));
        env.set("SSH_CONNECTION", format!("{peer} {peer_port} {local} {local_port}"));
        if let Some(command) = &self.original_command {
            env.set("SSH_ORIGINAL_COMMAND", OsString::from_vec(command.clone()));
        }
    }

    /// What PAM has to say, the last login and the message of the day, unless the user wants neither.
    pub(super) fn greeting(&self) -> Vec<u8> {
        if self.account.home.join(".hushlogin").exists() {
            return Vec::new();
        }
        let mut text = self.pam_texts.clone();
        if let Some(line) = &self.last_login {
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
        }
        if self.motd {
            for path in ["/run/motd.dynamic", "/etc/motd"] {
                let file = File::open(path).map(|file| file.take(MAX_MOTD));
                // Without the file there is nothing to show.
                let _ = file.and_then(|mut file| file.read_to_end(&mut text));
            }
        }
        // The terminal is raw on the other side: a line feed alone would leave the cursor where it is.
        let mut out = Vec::with_capacity(text.len());
        for byte in text {
            if byte == b'\n' {
                out.push(b'\r');
            }
            out.push(byte);
        }
        out
    }
}
