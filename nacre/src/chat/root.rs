//! Started by root, the chat becomes an account without rights before it hears a byte of anybody.

use super::FOLDER;
use crate::failure::Failure;
use crate::state;
use nacre_sys::account::Account;
use nacre_sys::become_account::become_account;
use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Where root's chat keeps what it makes: host keys here, the rest in a folder of its account's below.
pub const STATE: &str = "/var/lib/nacre-chat";
/// Accounts that may be there for it, in order of preference.
const ACCOUNTS: [&str; 3] = ["nacre-chat", "nacre", "nobody"];
/// Others pass through on their way to a socket, and see nothing.
const PASSAGE: u32 = 0o711;

/// Whom a chat becomes, and its folder.
pub struct Unprivileged {
    account: Account,
    folder: PathBuf,
}

impl Unprivileged {
    /// Finds the account and makes its folder in root's.
    ///
    /// # Errors
    /// There is no such account, or the folder is another's.
    pub fn prepare(state: &Path) -> Result<Self, Failure> {
        let found = ACCOUNTS.iter().find_map(|name| Account::by_name(name).ok().flatten());
        let account = found.filter(|account| account.uid != 0 && account.gid != 0).ok_or_else(|| {
            Failure::new(format!("root serves no chat, and there is none of {}", ACCOUNTS.join(", ")))
                .hint("make one: useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin nacre-chat")
        })?;
        state::prepare(state)?;
        let folder = state.join(FOLDER);
        let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
        fs::set_permissions(state, Permissions::from_mode(PASSAGE)).map_err(failed)?;
        match DirBuilder::new().mode(PASSAGE).create(&folder) {
            Ok(()) => {
                chown(&folder, Some(account.uid), Some(account.gid)).map_err(failed)?;
                fs::set_permissions(&folder, Permissions::from_mode(PASSAGE)).map_err(failed)?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let owner = fs::symlink_metadata(&folder).map_err(failed)?.uid();
                if owner != account.uid {
                    return Err(Failure::new(format!(
                        "{}: belongs to user {owner}, not to {}",
                        folder.display(),
                        account.name
                    ))
                    .hint(format!(
                        "`chown -R {} {}`, or choose another with --state",
                        account.name,
                        folder.display()
                    )));
                }
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(Self { account, folder })
    }

    /// Becomes it, for good; gives the folder.
    ///
    /// # Errors
    /// The kernel refuses, or the folder cannot be reached as that account.
    pub fn become_it(self) -> Result<PathBuf, Failure> {
        let Self { account, folder } = self;
        let name = &account.name;
        let failed = |error: std::io::Error| Failure::new(format!("cannot become {name}: {error}"));
        let credentials = account.credentials().map_err(failed)?;
        become_account(&credentials).map_err(failed)?;
        fs::metadata(&folder).map_err(|error| {
            Failure::new(format!("{}: {name} cannot reach it: {error}", folder.display()))
                .hint("let it pass through the folders above (chmod a+x), or choose another with --state")
        })?;
        Ok(folder)
    }
}
