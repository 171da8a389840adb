//! `authorized_keys`: which keys may log in, and with what limits (sshd(8), AUTHORIZED_KEYS FILE FORMAT; threat A17).

mod expiry;
mod line;
mod options;

pub use expiry::{Civil, Expiry};
pub use line::{AuthorizedKeys, AuthorizedPrincipals, Entry, LineError, MAX_FILE, MAX_LINE, Principal, Refused};
pub(crate) use line::{KEY_TYPES, cut, meaningful, split_options};
pub(crate) use options::unquote;
pub use options::{KeyOptions, OptionsError, PermitPort, PermitTarget};
