//! nacre-net
