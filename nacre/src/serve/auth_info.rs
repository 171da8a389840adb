//! ExposeAuthInfo: a file that tells a session how its user logged in, a line for each method (sshd_config(5)).

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where the files are made.
const FOLDER: &str = "/tmp";

/// Such a file. It goes with the session.
#[derive(Debug)]
pub struct AuthInfo(PathBuf);

impl AuthInfo {
    /// Makes one that only this process's account can read.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(text: &str) -> io::Result<Self> {
        let random = nacre_crypto::random_bytes::<10>().map_err(|error| io::Error::other(error.to_string()))?;
        let name = data_encoding::BASE32_NOPAD.encode(&random).to_ascii_lowercase();
        let path = Path::new(FOLDER).join(format!("sshauth.{name}"));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let info = Self(path);
        file.write_all(text.as_bytes())?;
        Ok(info)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for AuthInfo {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One line: the method, and for a key its type and itself.
pub fn line(method: &str, key: Option<&[u8]>) -> String {
    match key {
        Some(blob) => format!("{method} {} {}\n", key_type(blob), data_encoding::BASE64.encode(blob)),
        None => format!("{method}\n"),
    }
}

/// The type that a public key blob names.
pub fn key_type(blob: &[u8]) -> String {
    let named = nacre_wire::Reader::new(blob).string("key type").unwrap_or_default();
    nacre_wire::text::clean_line(named, 64)
}
