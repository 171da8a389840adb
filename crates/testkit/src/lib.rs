//! nacre-testkit
