//! What a person reads when the server starts: who it serves, its keys, and how to connect.

use super::configuration::Place;
use super::host_keys::HostKeys;
use super::shared::Mode;
use nacre_config::server::{MatchContext, PermitRootLogin, ServerOptions};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// The start-up text.
pub fn text(place: &Place, keys: &HostKeys, sockets: &[TcpListener], passed: bool, options: &ServerOptions) -> String {
    let mut out = String::new();
    let addresses: Vec<SocketAddr> = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
    let who = match &place.mode {
        _ if place.chat => "a chat".to_owned(),
        Mode::User(account) => format!("the account {}", account.name),
        Mode::Root => "the accounts of this machine".to_owned(),
    };
    let _ = writeln!(out, "Nacre {} serves {who}", env!("CARGO_PKG_VERSION"));
    for address in &addresses {
        let given = if passed { " (passed by the service manager; ListenAddress and Port do not count)" } else { "" };
        let _ = writeln!(out, "  listening   {address}{given}");
    }
    for loaded in keys.iter() {
        let public = &loaded.public;
        let _ = writeln!(out, "  host key    {} {}", public.type_label(), public.fingerprint_sha256());
    }
    if place.chat {
        let known = match options.chat.registration {
            true => "any SSH key; the first one to use a nick owns it",
            false => "SSH keys of accounts that are there",
        };
        let guests = if options.chat.guests { "; guests without one" } else { "" };
        let _ = writeln!(out, "  lets in     {known}{guests}");
    } else if let Mode::User(_) = &place.mode {
        let _ = writeln!(out, "  lets in     keys in ~/.ssh/authorized_keys, names added with `nacre passwd NAME`");
    }
    if let Some(line) = refused(place, options) {
        let _ = writeln!(out, "  {line}");
    }
    if let Some(address) = addresses.first() {
        let _ = writeln!(out, "  connect     {}", command(place, *address));
    }
    out.push_str("  stop        Ctrl-C");
    out
}

/// What a line about root means for a server that root runs for itself, since every name is root there.
fn refused(place: &Place, options: &ServerOptions) -> Option<String> {
    let Mode::User(account) = &place.mode else { return None };
    if place.chat {
        return None;
    }
    let here = options.resolve(&MatchContext { user: Some(account.name.clone()), ..MatchContext::default() });
    let says = account.uid == 0 && here.permit_root_login_is_set;
    let refused = match here.permit_root_login {
        PermitRootLogin::Yes => return None,
        PermitRootLogin::No => "every login",
        PermitRootLogin::ProhibitPassword => "every password",
        PermitRootLogin::ForcedCommandsOnly => "every password, and keys without a command",
    };
    says.then(|| format!("refuses     {refused}: all names run as root here, and PermitRootLogin says so"))
}

/// The exact command that connects.
fn command(place: &Place, address: SocketAddr) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() => "HOST".to_owned(),
        IpAddr::V6(ip) => ip.to_string(),
        IpAddr::V4(ip) => ip.to_string(),
    };
    let user = match &place.mode {
        _ if place.chat => "NICK".to_owned(),
        Mode::User(account) => account.name.clone(),
        Mode::Root => "USER".to_owned(),
    };
    let terminal = if place.chat { "-t " } else { "" };
    match address.port() {
        22 => format!("ssh {terminal}{user}@{host}"),
        port => format!("ssh {terminal}-p {port} {user}@{host}"),
    }
}
