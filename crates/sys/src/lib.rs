//! nacre-sys
