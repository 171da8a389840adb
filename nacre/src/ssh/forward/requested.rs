//! Tunnels that are asked for while the connection runs, by those who share it (`-O forward`, `-O cancel`).

use super::Tunnels;
use super::remote::Standing;
use nacre_config::client::{Endpoint, Forward, ForwardKind};
use nacre_net::Port;

/// By which whoever asked knows the answer again.
pub type Ticket = u64;

/// What a wish came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It stands, perhaps it has before; with the port that the server chose.
    Stands(Option<u16>),
    /// It cannot be had.
    Failed,
    /// The server was asked; [`Tunnels::take_answers`] has its answer later.
    Asked,
}

impl Tunnels {
    /// Adds one, unless it stands already.
    pub fn add_for(&mut self, port: &mut Port<'_>, kind: ForwardKind, forward: Forward, ticket: Ticket) -> Added {
        match kind {
            ForwardKind::Remote => match self.remotes.find(|wish, _| is_same(wish, &forward)) {
                Some(Standing { forward, bound }) => Added::Stands(chosen(&forward.listen, bound)),
                None => {
                    self.remotes.add_for(forward, ticket);
                    self.remotes.ask(port);
                    Added::Asked
                }
            },
            ForwardKind::Local | ForwardKind::Dynamic => {
                let stands = self.listening.iter().any(|one| is_same(&one.forward, &forward));
                if stands || self.listen(forward) { Added::Stands(None) } else { Added::Failed }
            }
        }
    }

    /// What the server has answered since; a port that it chose, or none if it refused.
    pub fn take_answers(&mut self) -> Vec<(Ticket, Result<Option<u16>, Forward>)> {
        self.remotes
            .take_answers()
            .map(|(ticket, Standing { forward, bound }, granted)| {
                let answer = if granted { Ok(chosen(&forward.listen, bound)) } else { Err(forward) };
                (ticket, answer)
            })
            .collect()
    }

    /// Takes back one that is exactly this. False when there is none.
    pub fn cancel_exactly(&mut self, port: &mut Port<'_>, kind: ForwardKind, forward: &Forward) -> bool {
        if kind == ForwardKind::Remote {
            return self.remotes.cancel(port, |wish, _| is_same(wish, forward));
        }
        let had = self.listening.len();
        self.listening.retain(|one| !is_same(&one.forward, forward));
        self.listening.len() < had
    }
}

/// The port that the server chose, if it was asked to.
fn chosen(listen: &Endpoint, bound: u16) -> Option<u16> {
    matches!(listen, Endpoint::Tcp { port: 0, .. }).then_some(bound)
}

/// Every address has two spellings.
fn is_same(one: &Forward, other: &Forward) -> bool {
    let plain = |end: &Endpoint| match end {
        Endpoint::Tcp { host: Some(host), port } if host == "*" => {
            Endpoint::Tcp { host: Some(String::new()), port: *port }
        }
        other => other.clone(),
    };
    plain(&one.listen) == plain(&other.listen) && one.connect == other.connect
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_the_same() {
        let of = |spec: &str| Forward::parse(spec, ForwardKind::Remote).unwrap();
        assert!(is_same(&of("*:80:h:1"), &of(":80:h:1")));
        assert!(!is_same(&of("80:h:1"), &of(":80:h:1")));
        assert!(!is_same(&of("80:h:1"), &of("80:h:2")));
        assert!(!is_same(&of("80"), &of("80:h:2")));
    }
}
