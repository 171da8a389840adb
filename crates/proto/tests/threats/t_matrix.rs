//! Every message number at every step, in both roles, against an expectation written by hand: the
//! core's own table is not consulted (T2, A1, A2, T10, H4).

use crate::reason;
use nacre_proto::Role;
use nacre_proto::login::client::Attempt;
use nacre_testkit::raw::{Raw, Setup};
use nacre_testkit::sample;
use nacre_wire::message::{Message, UserauthFailure};
use nacre_wire::userauth::InfoRequest;
use nacre_wire::{NameList, number};

/// Where the machine stands when the message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Identifications have crossed.
    BeforeKexInit,
    /// Both KEXINITs have crossed.
    AfterKexInit { strict: bool },
    /// Both public values have crossed.
    BeforeNewKeys { strict: bool },
    /// Keys are in use, no service yet.
    BeforeService,
    /// A server waits for a first request, a client for the outcome of `none`.
    AfterService,
    /// A server waits for INFO_RESPONSE, a client for INFO_REQUEST.
    MidAuth,
    /// One of two methods was right. A client asks whether its key would do.
    AfterPartialSuccess,
    /// Logged in, one channel stands.
    Open,
    /// The machine has sent KEXINIT, the peer has not.
    OwnRekey,
    /// The peer has sent KEXINIT too, its public value comes next.
    Rekey,
}

const STEPS: [Step; 12] = [
    Step::BeforeKexInit,
    Step::AfterKexInit { strict: true },
    Step::AfterKexInit { strict: false },
    Step::BeforeNewKeys { strict: true },
    Step::BeforeNewKeys { strict: false },
    Step::BeforeService,
    Step::AfterService,
    Step::MidAuth,
    Step::AfterPartialSuccess,
    Step::Open,
    Step::OwnRekey,
    Step::Rekey,
];

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The connection goes on, without UNIMPLEMENTED.
    Goes,
    /// The connection goes on; UNIMPLEMENTED comes at once.
    Unimplemented,
    /// The machine ends the connection with this reason.
    Ends(u32),
    /// The peer ended it; nothing is said.
    Over,
}

/// Numbers that mean something to somebody.
const KNOWN: &[u8] = &[
    1, 2, 3, 4, 5, 6, 7, 20, 21, 30, 31, 50, 51, 52, 53, 60, 61, 80, 81, 82, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99,
    100, 192, 193,
];

/// The numbers that a server takes at a step, apart from DISCONNECT.
fn server_takes(step: Step) -> &'static [u8] {
    match step {
        Step::BeforeKexInit => &[2, 3, 4, 20],
        Step::AfterKexInit { strict: true } => &[30],
        Step::AfterKexInit { strict: false } => &[2, 3, 4, 30],
        Step::BeforeNewKeys { strict: true } => &[21],
        Step::BeforeNewKeys { strict: false } => &[2, 3, 4, 21],
        Step::BeforeService => &[2, 3, 4, 5, 7],
        Step::AfterService | Step::AfterPartialSuccess => &[2, 3, 4, 50],
        Step::MidAuth => &[2, 3, 4, 50, 61],
        // 50 is taken and dropped without a word (RFC 4252 §5.3).
        Step::Open | Step::OwnRekey => &[2, 3, 4, 20, 50, 80, 81, 82, 90, 93, 94, 95, 96, 97, 98, 99, 100, 192, 193],
        Step::Rekey => &[2, 3, 4, 30],
    }
}

/// The numbers that a client takes at a step, apart from DISCONNECT.
fn client_takes(step: Step) -> &'static [u8] {
    match step {
        Step::BeforeKexInit => &[2, 3, 4, 20],
        // 31 is taken, and then its signature is wrong.
        Step::AfterKexInit { strict: true } => &[],
        Step::AfterKexInit { strict: false } | Step::Rekey => &[2, 3, 4],
        Step::BeforeNewKeys { strict: true } => &[21],
        Step::BeforeNewKeys { strict: false } => &[2, 3, 4, 21],
        Step::BeforeService => &[2, 3, 4, 6, 7, 53],
        Step::AfterService => &[2, 3, 4, 7, 51, 52, 53],
        Step::MidAuth => &[2, 3, 4, 7, 51, 52, 53, 60],
        // Nobody has signed yet: success would be a gift (threat H9).
        Step::AfterPartialSuccess => &[2, 3, 4, 7, 51, 53],
        Step::Open | Step::OwnRekey => &[2, 3, 4, 20, 80, 81, 82, 90, 93, 94, 95, 96, 97, 98, 99, 100, 192, 193],
    }
}

fn expected(machine: Role, step: Step, number: u8) -> Outcome {
    let takes = match machine {
        Role::Server => server_takes(step),
        Role::Client => client_takes(step),
    };
    let unknown = !KNOWN.contains(&number);
    match step {
        _ if number == 1 => Outcome::Over,
        _ if takes.contains(&number) => Outcome::Goes,
        Step::AfterKexInit { .. } | Step::Rekey if number == 31 && machine == Role::Client => {
            Outcome::Ends(reason::HOST_KEY_NOT_VERIFIABLE)
        }
        // UNIMPLEMENTED waits until the machine's own NEWKEYS has gone out.
        Step::BeforeKexInit | Step::AfterKexInit { strict: false } | Step::OwnRekey if unknown => Outcome::Goes,
        Step::BeforeNewKeys { strict: false } if unknown => Outcome::Unimplemented,
        Step::AfterKexInit { .. } | Step::BeforeNewKeys { .. } | Step::Rekey => Outcome::Ends(reason::PROTOCOL_ERROR),
        _ if unknown => Outcome::Unimplemented,
        _ => Outcome::Ends(reason::PROTOCOL_ERROR),
    }
}

fn failure(partial_success: bool) -> Vec<u8> {
    let methods = NameList::parse(b"publickey,keyboard-interactive", "methods").unwrap();
    UserauthFailure { methods, partial_success }.to_bytes()
}

/// A raw peer with the machine at that step and all its words taken.
fn at(machine: Role, step: Step) -> Raw {
    let mut setup = Setup::default();
    match step {
        Step::MidAuth => setup.policy.attempts = vec![Attempt::KeyboardInteractive(String::new())],
        Step::AfterPartialSuccess => {
            setup.policy.methods = vec![vec!["password".into(), "publickey".into()]];
        }
        _ => {}
    }
    // A client with one more thing to try, so that it does not give up by itself.
    setup.policy.attempts.push(Attempt::None);
    let mut raw = Raw::of(machine.peer(), setup);
    if let Step::AfterKexInit { strict } | Step::BeforeNewKeys { strict } = step {
        raw.offer.strict = strict;
    }
    first_exchange(&mut raw, step);
    if matches!(step, Step::AfterService | Step::MidAuth | Step::AfterPartialSuccess) {
        login(&mut raw, step);
    }
    if matches!(step, Step::Open | Step::OwnRekey | Step::Rekey) {
        open(&mut raw, step);
    }
    let _ = raw.numbers();
    raw.assert_alive();
    raw
}

fn first_exchange(raw: &mut Raw, step: Step) {
    match step {
        Step::BeforeKexInit => raw.exchange_idents(),
        Step::AfterKexInit { .. } | Step::BeforeNewKeys { .. } => {
            raw.exchange_idents();
            raw.send_kexinit();
            raw.recv_kexinit();
            match (step, raw.role) {
                (Step::AfterKexInit { .. }, _) => {}
                (_, Role::Client) => {
                    raw.send_init();
                    raw.recv_reply();
                }
                (_, Role::Server) => raw.answer_init(),
            }
        }
        _ => raw.handshake(),
    }
}

fn login(raw: &mut Raw, step: Step) {
    raw.service();
    match (raw.role, step) {
        (Role::Client, Step::MidAuth) => {
            let message = raw.keyboard_interactive("alice", "");
            raw.send(&message);
            raw.expect(number::USERAUTH_METHOD_60);
        }
        (Role::Client, Step::AfterPartialSuccess) => {
            let message = raw.password("alice", "correct horse");
            raw.send(&message);
            raw.expect(number::USERAUTH_FAILURE);
        }
        (Role::Server, Step::AfterPartialSuccess) => {
            raw.expect(number::USERAUTH_REQUEST);
            raw.send(&failure(true));
        }
        _ => {}
    }
}

fn open(raw: &mut Raw, step: Step) {
    raw.service();
    raw.authenticate();
    assert_eq!(raw.open_session().theirs, sample::CHANNEL);
    if step == Step::OwnRekey {
        let now = raw.now;
        raw.end.connection.rekey(now).unwrap();
        raw.settle();
    }
    if step == Step::Rekey {
        raw.send_kexinit();
        raw.recv_kexinit();
    }
}

/// A message of that number that would be right at that step, if any is.
fn message(raw: &Raw, step: Step, number: u8) -> Vec<u8> {
    match number {
        number::KEXINIT => raw.offer.kexinit(),
        number::USERAUTH_METHOD_60 if step == Step::MidAuth => InfoRequest::default().to_bytes(),
        _ => sample::of(number),
    }
}

fn outcome(raw: &mut Raw) -> Outcome {
    // NEWKEYS of ours changes nothing in what the raw peer opens, so the order stays readable.
    let Some(error) = raw.end.error.clone() else {
        let said = raw.numbers();
        return if said.contains(&number::UNIMPLEMENTED) { Outcome::Unimplemented } else { Outcome::Goes };
    };
    match error.disconnect_reason() {
        Some(reason) => {
            raw.assert_disconnected(reason);
            Outcome::Ends(reason)
        }
        None => {
            raw.assert_ended_silently();
            Outcome::Over
        }
    }
}

fn check(machine: Role, step: Step) {
    for number in 0..=255u8 {
        let mut raw = at(machine, step);
        let before = (raw.end.data.len(), raw.end.requests.len(), raw.end.channels.len());
        let message = message(&raw, step, number);
        // The answer to a public value is a reply and NEWKEYS, which the raw peer did not ask for.
        let replies = matches!((step, number), (Step::AfterKexInit { .. } | Step::Rekey, 30));
        raw.send(&message);
        let got = if replies && raw.end.error.is_none() { Outcome::Goes } else { outcome(&mut raw) };
        assert_eq!(got, expected(machine, step, number), "message {number} to the {machine:?} at {step:?}");
        let after = (raw.end.data.len(), raw.end.requests.len(), raw.end.channels.len());
        let may_deliver = matches!(step, Step::Open | Step::OwnRekey);
        assert!(may_deliver || before == after, "message {number} to the {machine:?} at {step:?} was delivered");
    }
}

#[test]
fn t02_a01_a02_every_number_at_every_step_to_a_server() {
    for step in STEPS {
        check(Role::Server, step);
    }
}

#[test]
fn t02_h04_every_number_at_every_step_to_a_client() {
    for step in STEPS {
        check(Role::Client, step);
    }
}

#[test]
fn unimplemented_that_waited_for_an_exchange_names_the_right_packet() {
    for machine in [Role::Server, Role::Client] {
        // In a first exchange without the marker.
        let mut raw = Raw::of(machine.peer(), Setup::default());
        raw.offer.strict = false;
        raw.exchange_idents();
        raw.send_kexinit();
        raw.recv_kexinit();
        raw.send(&sample::of(200));
        raw.finish_exchange();
        raw.take_ext_info();
        assert_eq!(raw.skip_to(number::UNIMPLEMENTED), [3, 0, 0, 0, 1]);
        // In a rekey, where counting goes on.
        let mut raw = Raw::of(machine.peer(), Setup::default());
        raw.log_in();
        let now = raw.now;
        raw.end.connection.rekey(now).unwrap();
        raw.settle();
        raw.send(&sample::of(200));
        raw.answer_rekey();
        raw.expect(number::UNIMPLEMENTED);
    }
}
