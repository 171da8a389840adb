//! What a security key's signature has to show (sshd(8), sshd_config(5) PubkeyAuthOptions; threat A8).

use super::login::Login;
use nacre_config::authorized_keys::KeyOptions;
use nacre_crypto::security_key_flags;
use nacre_net::server::authority::KeyCheck;

/// Why the signature is not enough: nobody touched the security key, or it did not make sure who did. `None` when it is, for
/// keys in files, and as long as nothing was signed. The signature itself has been verified.
pub fn refusal(login: &Login, key: &KeyCheck, options: &KeyOptions) -> Option<&'static str> {
    if !key.algorithm.is_security_key() {
        // The line of a CA may ask for it, and a certificate be of another kind of key.
        return options.verify_required.then_some("verify-required asks for a security key, which it is not");
    }
    let proof = key.proof.as_ref()?;
    let Ok(flags) = security_key_flags(&proof.signature) else {
        return Some("its signature is none of a security key");
    };
    if (login.options.touch_required || !options.no_touch_required) && !flags.user_present {
        return Some("nobody touched the security key (user presence is required)");
    }
    if (login.options.verify_required || options.verify_required) && !flags.user_verified {
        return Some("the security key did not verify its user (verify-required)");
    }
    None
}
