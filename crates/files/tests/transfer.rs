//! Transfers against two servers: our own worker, and OpenSSH's program over two pipes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

#[path = "transfer/cuts.rs"]
mod cuts;
#[path = "transfer/distance.rs"]
mod distance;
#[path = "transfer/evil.rs"]
mod evil;
#[path = "transfer/failures.rs"]
mod failures;
#[path = "transfer/holes.rs"]
mod holes;
#[path = "transfer/moving.rs"]
mod moving;
#[path = "transfer/names.rs"]
mod names;
#[path = "transfer/peers.rs"]
mod peers;
#[path = "transfer/verifying.rs"]
mod verifying;
