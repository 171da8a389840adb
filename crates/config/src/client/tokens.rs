//! The client's %-tokens (ssh_config(5), TOKENS).

use crate::expand::Tokens;
use crate::world::World;

/// The tokens that may stand wherever tokens are allowed.
pub(super) const EVERYWHERE: &str = "CdhijkLlnpru";

/// The tokens of ProxyCommand.
pub(super) const PROXY_COMMAND: &str = "hknpr";

/// What the tokens are made of.
pub(super) struct Facts<'a> {
    pub world: &'a dyn World,
    pub original_host: &'a str,
    pub host: &'a str,
    pub host_key_alias: Option<&'a str>,
    pub port: u16,
    pub user: &'a str,
    pub jump: &'a str,
}

/// The tokens of a connection.
pub(super) fn build(facts: &Facts<'_>) -> Tokens {
    let account = facts.world.account();
    let port = facts.port.to_string();
    let connection = [account.host_name.as_str(), facts.host, &port, facts.user, facts.jump].concat();
    let digest: String = facts.world.sha1(connection.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    let short = account.host_name.split('.').next().unwrap_or_default();
    Tokens::new()
        .with('C', digest)
        .with('L', short)
        .with('d', account.home.as_str())
        .with('h', facts.host)
        .with('i', account.uid.as_str())
        .with('j', facts.jump)
        .with('k', facts.host_key_alias.unwrap_or(facts.original_host))
        .with('l', account.host_name.as_str())
        .with('n', facts.original_host)
        .with('p', port)
        .with('r', facts.user)
        .with('u', account.name.as_str())
}
