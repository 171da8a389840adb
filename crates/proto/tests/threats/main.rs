//! The threat table's rows against the real machines, each test named by its row's id. The other
//! side of the wire is the raw peer, which keeps to no rule, or the fault link.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::cast_possible_truncation)]

mod a_auth;
mod a_counts;
mod a_proof;
mod c_channels;
mod c_cut;
mod c_windows;
mod h_client;
mod t_compress;
mod t_kex;
mod t_matrix;
mod t_packets;
mod t_secrets;
mod t_strict;
mod t_time;
mod u_text;

use nacre_proto::Role;
use nacre_testkit::raw::{Raw, Setup};

/// The raw peer plays both roles.
const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// DISCONNECT reasons (RFC 4250 §4.2.2) that a machine gives.
mod reason {
    pub const PROTOCOL_ERROR: u32 = 2;
    pub const KEY_EXCHANGE_FAILED: u32 = 3;
    pub const MAC_ERROR: u32 = 5;
    pub const SERVICE_NOT_AVAILABLE: u32 = 7;
    pub const HOST_KEY_NOT_VERIFIABLE: u32 = 9;
    pub const CONNECTION_LOST: u32 = 10;
    pub const BY_APPLICATION: u32 = 11;
    pub const NO_MORE_AUTH_METHODS_AVAILABLE: u32 = 14;
    pub const ILLEGAL_USER_NAME: u32 = 15;
}

/// A raw peer that is logged in.
#[track_caller]
fn logged_in(role: Role) -> Raw {
    let mut raw = Raw::of(role, Setup::default());
    raw.log_in();
    raw
}
