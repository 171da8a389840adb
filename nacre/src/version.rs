//! The version, as people and as other programs want to read it.

/// The version of OpenSSH whose flags, files and exit codes are followed.
pub const COMPATIBLE_WITH: &str = "OpenSSH_10.5";

/// The program's own version, such as `0.1.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `ssh -V` and `sshd -V` print on standard error. Tools look for the `OpenSSH_` at its
/// beginning to learn which flags they may use.
pub fn compatible() -> String {
    format!("{COMPATIBLE_WITH} compatible, Nacre {VERSION}")
}
