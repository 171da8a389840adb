//! RevokedKeys: keys that never log in, nor does anything they signed (sshd_config(5)).

use super::login::Login;
use crate::failure::Failure;
use crate::revocations;
use nacre_config::server::ServerOptions;
use nacre_crypto::{Certificate, RevocationList};
use std::io::ErrorKind;
use std::path::Path;

/// Stops a server whose key revocation list cannot be read, is damaged or holds what is not known: as long as it stands nobody gets in
/// by a key.
pub fn check(options: &ServerOptions) -> Result<(), Failure> {
    for (path, origin) in options.revoked_keys_files() {
        let bytes = match revocations::read(Path::new(&path)) {
            Ok(bytes) => bytes,
            // Whoever makes it may come later.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Failure::new(format!("{origin}: RevokedKeys {path}: {error}"))),
        };
        if !RevocationList::is_list(&bytes) {
            continue;
        }
        if let Err(error) = RevocationList::read(&bytes) {
            return Err(Failure::new(format!("{origin}: RevokedKeys {path}: {error}"))
                .hint("make it anew: nacre keygen -k -f FILE KEYS..."));
        }
    }
    Ok(())
}

/// Why this key is refused as revoked; `None` when it is not.
pub fn refusal(login: &Login, shown: &[u8], certificate: Option<&Certificate>) -> Option<String> {
    revocations::refusal("RevokedKeys", login.options.revoked_keys.as_ref()?, shown, certificate)
}
