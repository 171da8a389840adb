//! AuthorizedKeysFile and AuthorizedPrincipalsFile: where a user's keys, and names, are (threat A15); ChrootDirectory.

use std::fmt;

use super::ConnectionOptions;
use crate::expand::{self, Tokens};

/// A file, or a glob for several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// The path, absolute.
    pub path: String,
    /// The path is a glob(7) pattern (in which backslashes guard what came from tokens).
    pub is_pattern: bool,
}

/// The user's name cannot stand in a path, or the template is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsafeName(pub String);

impl fmt::Display for UnsafeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&nacre_wire::text::clean_line(self.0.as_bytes(), 200))
    }
}

impl std::error::Error for UnsafeName {}

impl ConnectionOptions {
    /// The file with the names that certificates may list for this user; `None` when there is none, and they must list
    /// the user's own. Relative paths and tokens as [`Self::authorized_keys_files`] has them.
    ///
    /// # Errors
    /// As [`Self::authorized_keys_files`].
    pub fn authorized_principals_file(&self, user: &str, uid: u32, home: &str) -> Result<Option<String>, UnsafeName> {
        let Some(template) = &self.authorized_principals_file else { return Ok(None) };
        // One file: no pattern.
        let file = key_file(template, user, uid, home)?;
        if file.is_pattern {
            Err(UnsafeName(format!("{template}: no pattern can stand here")))
        } else {
            Ok(Some(file.path))
        }
    }

    /// The folder that is all there is for a user; `None` when that is the whole file system. Tokens as
    /// [`Self::authorized_keys_files`] has them.
    ///
    /// # Errors
    /// As [`Self::authorized_keys_files`], and for a path that is not absolute.
    pub fn chroot_of(&self, user: &str, uid: u32, home: &str) -> Result<Option<String>, UnsafeName> {
        let Some(template) = &self.chroot_directory else { return Ok(None) };
        let path = fill_in(template, user, uid, home, str::to_owned)?;
        match path.starts_with('/') {
            true => Ok(Some(path)),
            false => Err(UnsafeName(format!("the folder {path} is not an absolute path"))),
        }
    }

    /// The files to look for a user's keys in, in order; none with `AuthorizedKeysFile none`. Relative paths start at
    /// the home folder. Tokens: `%h` home, `%u` name, `%U` number, `%%`.
    ///
    /// # Errors
    /// The name would change the path (`/`, `..`, control characters), or the home folder is not absolute.
    pub fn authorized_keys_files(&self, user: &str, uid: u32, home: &str) -> Result<Vec<KeyFile>, UnsafeName> {
        let templates = self.authorized_keys_file.iter().filter(|file| *file != "none");
        templates.map(|template| key_file(template, user, uid, home)).collect()
    }
}

fn key_file(template: &str, user: &str, uid: u32, home: &str) -> Result<KeyFile, UnsafeName> {
    let is_pattern = template.contains(['*', '?', '[']);
    let guarded = |text: &str| if is_pattern { guard(text) } else { text.to_owned() };
    let path = fill_in(template, user, uid, home, guarded)?;
    let path = if path.starts_with('/') { path } else { format!("{}/{path}", guarded(home).trim_end_matches('/')) };
    Ok(KeyFile { path, is_pattern })
}

/// Fills tokens in, each value as `guarded` has it.
fn fill_in(
    template: &str,
    user: &str,
    uid: u32,
    home: &str,
    guarded: impl Fn(&str) -> String,
) -> Result<String, UnsafeName> {
    let sly =
        user.is_empty() || user == "." || user.contains("..") || user.contains(|c: char| c == '/' || c.is_control());
    if template.contains("%u") && sly {
        return Err(UnsafeName(format!("the user name {user} cannot stand in a path")));
    }
    if !home.starts_with('/') || home.contains('\0') {
        return Err(UnsafeName(format!("the home folder {home} is not an absolute path")));
    }
    let tokens = Tokens::new().with('h', guarded(home)).with('u', guarded(user)).with('U', uid.to_string());
    expand::expand(template, &tokens, None).map_err(UnsafeName)
}

/// Takes the meaning from glob characters that came from a token.
fn guard(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
