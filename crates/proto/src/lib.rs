//! SSH-2 as state machines, sans-IO.
pub mod algorithm;
pub mod crypto;
