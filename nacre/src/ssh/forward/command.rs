//! The command line of `~C`: tunnels added and taken away while the connection runs.

use super::Tunnels;
use nacre_config::client::{Endpoint, Forward, ForwardKind};
use nacre_net::Port;

const HELP: &str = "Commands:
      -L[bind_address:]port:host:hostport    Request local forward
      -R[bind_address:]port:host:hostport    Request remote forward
      -D[bind_address:]port                  Request dynamic forward
      -KL[bind_address:]port                 Cancel local forward
      -KR[bind_address:]port                 Cancel remote forward
      -KD[bind_address:]port                 Cancel dynamic forward";

fn kind_of(letter: char) -> Option<ForwardKind> {
    match letter {
        'L' | 'l' => Some(ForwardKind::Local),
        'R' | 'r' => Some(ForwardKind::Remote),
        'D' | 'd' => Some(ForwardKind::Dynamic),
        _ => None,
    }
}

impl Tunnels {
    /// Does what a command says; the answer is for the person, and in ssh's words.
    pub fn command(&mut self, port: &mut Port<'_>, line: &str) -> String {
        let line = line.trim();
        let mut letters = line.strip_prefix('-').unwrap_or(line).chars();
        let answer = match letters.next() {
            None => "",
            Some('h' | 'H' | '?') => HELP,
            Some('K' | 'k') => match letters.next().and_then(kind_of) {
                Some(kind) => self.cancel(port, kind, letters.as_str().trim()),
                None => "Invalid command.",
            },
            Some(letter) => match kind_of(letter) {
                Some(kind) => self.add(port, kind, letters.as_str().trim()),
                None => "Invalid command.",
            },
        };
        answer.to_owned()
    }

    fn add(&mut self, port: &mut Port<'_>, kind: ForwardKind, spec: &str) -> &'static str {
        let Some(forward) = Forward::parse(spec, kind) else { return "Bad forwarding specification." };
        if kind == ForwardKind::Remote {
            self.remotes.add(forward);
            self.remotes.ask(port);
            return "Forwarding port.";
        }
        if self.listen(forward) { "Forwarding port." } else { "Port forwarding failed." }
    }

    fn cancel(&mut self, port: &mut Port<'_>, kind: ForwardKind, spec: &str) -> &'static str {
        // It has the form of a remote forwarding that names no target.
        let Some(Forward { listen, connect: None }) = Forward::parse(spec, ForwardKind::Remote) else {
            return "Bad forwarding specification.";
        };
        let found = match kind {
            // The port that the server chose is what the person sees.
            ForwardKind::Remote => self.remotes.cancel(port, |wish, bound| match (&wish.listen, &listen) {
                (Endpoint::Tcp { host, .. }, Endpoint::Tcp { host: other, port }) => host == other && bound == *port,
                (own, other) => own == other,
            }),
            ForwardKind::Local | ForwardKind::Dynamic => self.stop_listening(kind, &listen),
        };
        if found { "Canceled forwarding." } else { "Unknown port forwarding." }
    }

    fn stop_listening(&mut self, kind: ForwardKind, listen: &Endpoint) -> bool {
        let had = self.listening.len();
        let is_local = kind == ForwardKind::Local;
        self.listening.retain(|one| one.forward.listen != *listen || one.forward.connect.is_some() != is_local);
        self.listening.len() < had
    }
}
