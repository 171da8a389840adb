//! The cryptography that Nacre ships: `nacre-proto`'s traits on top of AWS-LC.
//!
//! Only SSH's own constructions are written here; every primitive comes from `aws-lc-rs`, from
//! `crypto-bigint` (finite-field groups) or from `sntrup761`. This crate reads and writes no
//! files: bytes in, values out.

mod blob;
mod kex;
mod packet;
mod provider;
mod verify;

pub use provider::AwsLc;
