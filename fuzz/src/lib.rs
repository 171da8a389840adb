//! Every decoder and machine that a stranger's bytes reach, each as a plain function of bytes that
//! panics when what must always hold does not.
//!
//! libFuzzer calls them where a nightly is present (`cargo +nightly fuzz run NAME`); on stable
//! `cargo test --no-default-features` replays `corpus/NAME` and lets the in-tree mutator loose on it.

mod agent;
mod chat;
mod cores;
mod face;
mod files;
mod keys;
pub mod lab;
mod local;
mod messages;
mod nodes;
mod privsep;
mod sftp;
mod share;
mod socks;
mod told;

pub use agent::agent_requests;
pub use chat::{chat_command, chat_engine, chat_text};
pub use cores::{client_after_login, client_before_login, ident, inflate, server_after_login, server_before_login};
pub use face::chat_face;
pub use files::{agent_frames, allowed_signers, authorized_keys, known_hosts, ssh_config, sshd_config};
pub use keys::{
    certificate, foreign_public_key, openssh_private_key, pem, private_key_file, public_key_line, revocation_list,
    ssh_signature,
};
pub use lab::{lab_dh_chat, lab_mini_ssh, lab_rsa_chat, lab_terrapin, lab_tls, lab_toy_socket};
pub use local::{chat_admin, chat_join};
pub use messages::wire_messages;
pub use nodes::chat_nodes;
pub use privsep::{privsep_from_helper, privsep_from_monitor, privsep_to_helper, privsep_to_monitor};
pub use sftp::{sftp_replies, sftp_requests};
pub use share::share_messages;
pub use socks::socks;
pub use told::{explain_messages, explain_outside, explain_trace};

/// A target: its name, its function, and how many changed inputs the bounded run gives it.
pub type Target = (&'static str, fn(&[u8]), u32);

/// All of them.
pub const TARGETS: &[Target] = &[
    ("wire_messages", wire_messages, 40_000),
    ("ident", ident, 10_000),
    ("server_before_login", server_before_login, 10_000),
    ("client_before_login", client_before_login, 10_000),
    ("server_after_login", server_after_login, 5_000),
    ("client_after_login", client_after_login, 5_000),
    ("inflate", inflate, 5_000),
    ("private_key_file", private_key_file, 5_000),
    ("openssh_private_key", openssh_private_key, 5_000),
    ("pem", pem, 5_000),
    ("public_key_line", public_key_line, 20_000),
    ("certificate", certificate, 10_000),
    ("revocation_list", revocation_list, 10_000),
    ("ssh_signature", ssh_signature, 5_000),
    ("foreign_public_key", foreign_public_key, 10_000),
    ("allowed_signers", allowed_signers, 10_000),
    ("known_hosts", known_hosts, 5_000),
    ("authorized_keys", authorized_keys, 20_000),
    ("ssh_config", ssh_config, 5_000),
    ("sshd_config", sshd_config, 5_000),
    ("agent_frames", agent_frames, 20_000),
    ("agent_requests", agent_requests, 5_000),
    ("sftp_requests", sftp_requests, 20_000),
    ("sftp_replies", sftp_replies, 20_000),
    ("share_messages", share_messages, 20_000),
    ("socks", socks, 20_000),
    ("lab_dh_chat", lab_dh_chat, 300),
    ("lab_rsa_chat", lab_rsa_chat, 1_000),
    ("lab_mini_ssh", lab_mini_ssh, 3_000),
    ("lab_toy_socket", lab_toy_socket, 3_000),
    ("lab_terrapin", lab_terrapin, 20_000),
    ("lab_tls", lab_tls, 5_000),
    ("explain_messages", explain_messages, 10_000),
    ("explain_outside", explain_outside, 3_000),
    ("explain_trace", explain_trace, 5_000),
    ("chat_text", chat_text, 20_000),
    ("chat_face", chat_face, 2_000),
    ("chat_nodes", chat_nodes, 20_000),
    ("chat_command", chat_command, 20_000),
    ("chat_engine", chat_engine, 2_000),
    ("chat_join", chat_join, 20_000),
    ("chat_admin", chat_admin, 20_000),
    ("privsep_to_monitor", privsep_to_monitor, 20_000),
    ("privsep_from_monitor", privsep_from_monitor, 20_000),
    ("privsep_to_helper", privsep_to_helper, 20_000),
    ("privsep_from_helper", privsep_from_helper, 20_000),
];
