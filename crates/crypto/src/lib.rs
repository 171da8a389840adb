//! nacre-crypto
