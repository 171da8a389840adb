//! nacre-agent
