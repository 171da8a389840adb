//! The worker of an SFTP server, driven packet by packet over a socket pair.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

#[path = "server/copying.rs"]
mod copying;
#[path = "server/driver.rs"]
mod driver;
#[path = "server/journal.rs"]
mod journal;
#[path = "server/lending.rs"]
mod lending;
#[path = "server/limits.rs"]
mod limits;
#[path = "server/openssh.rs"]
mod openssh;
#[path = "server/ordinary.rs"]
mod ordinary;
#[path = "server/read_only.rs"]
mod read_only;
#[path = "server/rooted.rs"]
mod rooted;
#[path = "server/verifying.rs"]
mod verifying;
