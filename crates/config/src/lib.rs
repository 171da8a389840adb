//! nacre-config
