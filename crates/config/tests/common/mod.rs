//! The machine for tests: real files and the real environment, a private folder per test.
#![allow(dead_code)]

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nacre_config::{Check, LocalAccount, World, WorldError};
use sha1::Digest;

pub struct Machine {
    pub addresses: Vec<IpAddr>,
    /// The content of `/memory/config`, a file that is nowhere.
    pub memory: Option<String>,
}

/// Where [`Machine::memory`] is read.
pub const MEMORY: &str = "/memory/config";

impl World for Machine {
    fn read(&self, path: &str, _check: Check) -> Result<Vec<u8>, WorldError> {
        if let Some(content) = self.memory.as_ref().filter(|_| path == MEMORY) {
            return Ok(content.clone().into_bytes());
        }
        std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => WorldError::NotFound,
            _ => WorldError::Other(error.to_string()),
        })
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        if pattern == MEMORY && self.memory.is_some() {
            return vec![MEMORY.to_owned()];
        }
        let Ok(paths) = glob::glob(pattern) else { return Vec::new() };
        paths.map(|path| path.unwrap().to_string_lossy().into_owned()).collect()
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn exec(&self, command: &str) -> Result<bool, WorldError> {
        let status = Command::new("/bin/sh").args(["-c", command]).status();
        status.map(|s| s.success()).map_err(|e| WorldError::Other(e.to_string()))
    }

    /// Names of a small network: `web.one.lan`, `db.two.lan`, and `www.one.lan`, which is an alias for `web.two.lan`.
    fn canonical_name(&self, host: &str) -> Option<String> {
        match host.trim_end_matches('.') {
            "www.one.lan" => Some("web.two.lan".to_owned()),
            known @ ("web.one.lan" | "db.two.lan" | "web.two.lan") => Some(known.to_owned()),
            _ => None,
        }
    }

    fn home_of(&self, user: &str) -> Option<String> {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
        passwd.lines().find(|l| l.split(':').next() == Some(user)).map(|l| l.split(':').nth(5).unwrap().to_owned())
    }

    fn local_addresses(&self) -> Vec<IpAddr> {
        self.addresses.clone()
    }

    fn account(&self) -> LocalAccount {
        static ACCOUNT: std::sync::OnceLock<LocalAccount> = std::sync::OnceLock::new();
        ACCOUNT.get_or_init(|| self.ask_account()).clone()
    }

    fn sha1(&self, data: &[u8]) -> [u8; 20] {
        sha1::Sha1::digest(data).into()
    }
}

impl Machine {
    fn ask_account(&self) -> LocalAccount {
        let run = |program: &str, args: &[&str]| {
            let out = Command::new(program).args(args).output().unwrap();
            String::from_utf8(out.stdout).unwrap().trim().to_owned()
        };
        let name = run("id", &["-un"]);
        // ssh takes the home folder from the account, whatever HOME says.
        let home = self.home_of(&name).unwrap();
        LocalAccount { home, uid: run("id", &["-u"]), host_name: run("uname", &["-n"]), name }
    }
}

pub fn machine() -> Machine {
    Machine { addresses: vec!["10.1.2.3".parse().unwrap(), "2001:db8::7".parse().unwrap()], memory: None }
}

/// [`machine`] with a file in memory.
pub fn machine_with(content: &str) -> Machine {
    Machine { memory: Some(content.to_owned()), ..machine() }
}

/// HMAC-SHA1, for hashed host names.
pub fn hmac_sha1(key: &[u8], data: &[u8]) -> [u8; 20] {
    use hmac::Mac;
    let mut mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().into()
}

/// A folder that goes away with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nacre-config-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// True when OpenSSH's programs are here to be compared with. `NACRE_WITHOUT_PEERS=1` allows them to be missing.
pub fn have(program: &str) -> bool {
    let found = ["/usr/bin", "/usr/sbin", "/usr/local/bin"].iter().any(|dir| Path::new(dir).join(program).exists());
    assert!(found || std::env::var_os("NACRE_WITHOUT_PEERS").is_some(), "{program} is not installed");
    found
}
