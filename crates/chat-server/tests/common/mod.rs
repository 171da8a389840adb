//! What tests of a whole hub share.

use nacre_chat_server::Passwords;

/// Rooms here have no passwords.
pub struct NoPasswords;

impl Passwords for NoPasswords {
    fn hash(&self, _: &str) -> Result<String, String> {
        Err("none here".to_owned())
    }

    fn verify(&self, _: &str, _: &str) -> bool {
        false
    }
}
