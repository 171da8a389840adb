//! `Match` in `sshd_config`: read once, evaluated for every connection.

use std::net::IpAddr;

use crate::cidr;
use crate::error::ErrorKind;
use crate::pattern::{self, ListMatch};
use crate::token::Line;

/// What is known about a connection. What is not known matches nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatchContext {
    /// The name the client wants to log in as.
    pub user: Option<String>,
    /// There is no such account.
    pub invalid_user: bool,
    /// The names of the account's groups.
    pub groups: Vec<String>,
    /// The client's host name, verified both ways; only with UseDNS.
    pub host: Option<String>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The address it connected to.
    pub local_address: Option<IpAddr>,
    /// The port it connected to.
    pub local_port: Option<u16>,
    /// The routing domain it came in by.
    pub rdomain: Option<String>,
}

/// One criterion of a `Match` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Criterion {
    All,
    User(String),
    InvalidUser,
    Group(String),
    Host(String),
    Address(String),
    LocalAddress(String),
    LocalPort(u16),
    RDomain(String),
    Version(String),
}

const NAMES: [&str; 10] =
    ["all", "user", "invalid-user", "group", "host", "address", "localaddress", "localport", "rdomain", "version"];

fn bad(text: impl Into<String>) -> ErrorKind {
    ErrorKind::BadMatch(text.into())
}

/// Reads the criteria of a `Match` line.
pub(super) fn parse(line: &Line) -> Result<Vec<Criterion>, ErrorKind> {
    let mut out = Vec::new();
    let mut words = line.words.iter();
    while let Some(word) = words.next() {
        // Newer OpenSSH also takes `user=bob`.
        let (name, attached) = match word.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (word.as_str(), None),
        };
        let name = name.to_ascii_lowercase();
        let criterion = match name.as_str() {
            "all" => {
                if line.words.len() != 1 {
                    return Err(bad("'all' cannot be combined with other Match attributes"));
                }
                Criterion::All
            }
            "invalid-user" => Criterion::InvalidUser,
            known if NAMES.contains(&known) => {
                let argument = attached.or_else(|| words.next().map(String::as_str)).filter(|a| !a.is_empty());
                with_argument(known, argument.ok_or_else(|| bad(format!("'{name}' requires an argument")))?)?
            }
            _ => {
                let near = crate::nearest::nearest(&name, NAMES);
                let near = near.map_or(String::new(), |near| format!(" (did you mean {near}?)"));
                return Err(bad(format!("Unsupported Match attribute {name}{near}")));
            }
        };
        out.push(criterion);
    }
    if out.is_empty() { Err(bad("One or more attributes required for Match")) } else { Ok(out) }
}

fn with_argument(name: &str, argument: &str) -> Result<Criterion, ErrorKind> {
    let own = || argument.to_owned();
    let networks = || cidr::matches_list(None, argument).map(|_| own()).map_err(|error| bad(error.to_string()));
    Ok(match name {
        "user" => Criterion::User(own()),
        "group" => Criterion::Group(own()),
        "host" => Criterion::Host(own()),
        "address" => Criterion::Address(networks()?),
        "localaddress" => Criterion::LocalAddress(networks()?),
        "localport" => {
            let port = argument.parse().ok().filter(|port| *port != 0);
            Criterion::LocalPort(port.ok_or_else(|| bad(format!("Invalid port '{argument}' on Match line")))?)
        }
        "rdomain" => Criterion::RDomain(own()),
        _ => Criterion::Version(own()),
    })
}

impl Criterion {
    /// True when the connection meets it. `version` is our own version text.
    pub fn holds(&self, context: &MatchContext, version: &str) -> bool {
        let list = |text: &str, list: &str| pattern::matches_list(text, list, false) == ListMatch::Yes;
        // Masks were checked when the line was read.
        let network = |address: Option<IpAddr>, list: &str| {
            address.is_some() && cidr::matches_list(address, list) == Ok(ListMatch::Yes)
        };
        match self {
            Self::All => true,
            Self::User(wanted) => context.user.as_deref().is_some_and(|user| list(user, wanted)),
            Self::InvalidUser => context.invalid_user,
            Self::Group(wanted) => group(&context.groups, wanted),
            Self::Host(wanted) => {
                let address = context.address.map(|address| address.to_canonical().to_string());
                let host = context.host.as_ref().or(address.as_ref());
                host.is_some_and(|host| pattern::matches_host(host, wanted) == ListMatch::Yes)
            }
            Self::Address(wanted) => network(context.address, wanted),
            Self::LocalAddress(wanted) => network(context.local_address, wanted),
            Self::LocalPort(wanted) => context.local_port == Some(*wanted),
            Self::RDomain(wanted) => context.rdomain.as_deref().is_some_and(|domain| list(domain, wanted)),
            Self::Version(wanted) => list(version, wanted),
        }
    }
}

/// A negated pattern that matches any group says no, whatever the other groups say.
fn group(groups: &[String], wanted: &str) -> bool {
    let mut found = false;
    for group in groups {
        match pattern::matches_list(group, wanted, false) {
            ListMatch::Negated => return false,
            ListMatch::Yes => found = true,
            ListMatch::No => {}
        }
    }
    found
}
