//! Forwardings in the words of configuration, and in those of the protocol between guest and master.

use nacre_config::client::{Endpoint, Forward, ForwardKind};
use nacre_wire::share;

/// What OpenSSH calls the target of a forwarding whose clients speak SOCKS.
const SOCKS: &str = "socks";

/// In the words of the protocol.
pub fn to_wire(kind: ForwardKind, forward: &Forward) -> share::Forward {
    let listen = match &forward.listen {
        Endpoint::Unix(path) => share::End::Unix(path.clone()),
        Endpoint::Tcp { host, port } => {
            let host = match host.as_deref() {
                None => "",
                Some("") => "*",
                Some(host) => host,
            };
            share::End::Tcp { host: host.to_owned(), port: *port }
        }
    };
    let connect = match &forward.connect {
        None => share::End::Tcp { host: SOCKS.to_owned(), port: 0 },
        Some(to) => end_to_wire(to),
    };
    let kind = match kind {
        ForwardKind::Local => share::ForwardKind::Local,
        ForwardKind::Remote => share::ForwardKind::Remote,
        ForwardKind::Dynamic => share::ForwardKind::Dynamic,
    };
    share::Forward { kind, listen, connect }
}

/// One end that is reached, in the words of the protocol.
pub fn end_to_wire(end: &Endpoint) -> share::End {
    match end {
        Endpoint::Unix(path) => share::End::Unix(path.clone()),
        Endpoint::Tcp { host, port } => share::End::Tcp { host: host.clone().unwrap_or_default(), port: *port },
    }
}

/// In the words of configuration. `None` when the parts do not go together.
pub fn from_wire(forward: share::Forward) -> Option<(ForwardKind, Forward)> {
    let listen = match forward.listen {
        share::End::Unix(path) => Endpoint::Unix(path),
        share::End::Tcp { host, port } => Endpoint::Tcp { host: Some(host).filter(|host| !host.is_empty()), port },
    };
    let speaks_socks = matches!(forward.connect, share::End::Tcp { port: 0, .. });
    let is_unix = matches!(listen, Endpoint::Unix(_));
    let (kind, connect) = match forward.kind {
        share::ForwardKind::Dynamic if is_unix => return None,
        share::ForwardKind::Dynamic => (ForwardKind::Dynamic, None),
        share::ForwardKind::Remote if speaks_socks => (ForwardKind::Remote, None),
        share::ForwardKind::Remote => (ForwardKind::Remote, Some(end_from_wire(forward.connect)?)),
        share::ForwardKind::Local => (ForwardKind::Local, Some(end_from_wire(forward.connect)?)),
    };
    Some((kind, Forward { listen, connect }))
}

/// One end that is to be reached. `None` when it names nothing.
pub fn end_from_wire(end: share::End) -> Option<Endpoint> {
    match end {
        share::End::Unix(path) if !path.is_empty() => Some(Endpoint::Unix(path)),
        share::End::Tcp { host, port } if !host.is_empty() && port != 0 => {
            Some(Endpoint::Tcp { host: Some(host), port })
        }
        share::End::Unix(_) | share::End::Tcp { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn there_and_back() {
        for (kind, spec) in [
            (ForwardKind::Local, "80:h:81"),
            (ForwardKind::Local, "*:80:h:81"),
            (ForwardKind::Local, "127.0.0.1:80:/run/s"),
            (ForwardKind::Local, "/run/s:h:81"),
            (ForwardKind::Remote, "0:h:81"),
            (ForwardKind::Remote, "1080"),
            (ForwardKind::Dynamic, "1080"),
            (ForwardKind::Dynamic, "[::1]:1080"),
        ] {
            let forward = Forward::parse(spec, kind).unwrap();
            assert_eq!(from_wire(to_wire(kind, &forward)), Some((kind, forward)), "{spec}");
        }
    }

    #[test]
    fn what_does_not_go_together() {
        let tcp = |host: &str, port| share::End::Tcp { host: host.to_owned(), port };
        let path = |path: &str| share::End::Unix(path.to_owned());
        for (kind, listen, connect) in [
            (share::ForwardKind::Local, tcp("", 80), tcp("", 81)),
            (share::ForwardKind::Local, tcp("", 80), tcp("h", 0)),
            (share::ForwardKind::Local, tcp("", 80), path("")),
            (share::ForwardKind::Remote, tcp("", 80), tcp("", 81)),
            (share::ForwardKind::Dynamic, path("/s"), tcp("socks", 0)),
        ] {
            assert_eq!(from_wire(share::Forward { kind, listen, connect }), None);
        }
    }
}
