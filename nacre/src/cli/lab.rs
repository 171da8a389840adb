//! `nacre lab`: the flags.

use super::arg::switch;
use crate::failure::{Failure, USAGE};
use crate::lab::attack::ssh::{Kind, What};
use clap::{Arg, ArgMatches, Command, value_parser};
use nacre_lab::attack::Card;
use nacre_lab::challenge::Challenge;
use nacre_lab::{Fix, Fixes, Protocol, dh_chat, rsa_chat, toy_socket};
use std::path::PathBuf;

/// What a call of `nacre lab` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabArgs {
    /// What there is.
    Overview,
    /// `nacre lab serve`.
    Serve(PartArgs),
    /// `nacre lab watch`.
    Watch {
        /// `--json`: one JSON object a step in place of the story.
        json: bool,
        /// Everything else.
        part: PartArgs,
    },
    /// `nacre lab attack`.
    Attack(AttackArgs),
    /// `nacre lab attack A18` and `A19` on SSH as people use it.
    AttackSsh {
        /// Which of the two.
        what: What,
        /// `--on`: whose programs.
        kind: Kind,
        /// `--json`.
        json: bool,
    },
    /// `nacre lab attacks`.
    Attacks,
    /// `nacre lab challenge`.
    Challenge(ChallengeArgs),
    /// `nacre lab verify`.
    Verify {
        /// Of which challenge.
        number: u8,
        /// What is taken for its flag.
        flag: String,
    },
    /// `nacre lab matrix`.
    Matrix,
    /// `nacre lab compare`.
    Compare {
        /// `--json`: one JSON object a row.
        json: bool,
        /// `--tls`: with TLS beside them.
        tls: bool,
    },
    /// `nacre lab cost`.
    Cost(CostArgs),
    /// `nacre lab join`.
    Join {
        /// The server's host.
        host: String,
        /// Everything else.
        part: PartArgs,
    },
}

/// An attack that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttackArgs {
    /// Which.
    pub card: &'static Card,
    /// `--on`: the protocol.
    pub protocol: Protocol,
    /// `--fix`: the fixes that are on.
    pub fixes: Fixes,
    /// `--seed`: what decides every random byte, and stops the clock.
    pub seed: Option<u64>,
    /// `--json`: one JSON object in place of the story.
    pub json: bool,
    /// `--ask`: questions before each part of it, answered after.
    pub ask: bool,
}

/// Searches that are to be measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostArgs {
    /// `--bits`: the sizes.
    pub bits: Vec<u32>,
    /// `--seconds`: what takes longer is reckoned from what was measured.
    pub seconds: u32,
    /// `--seed`: what decides the numbers that are searched.
    pub seed: Option<u64>,
    /// `--json`: one JSON object a row.
    pub json: bool,
}

/// A challenge that is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeArgs {
    /// Which; without one they are listed.
    pub number: Option<u8>,
    /// `--hint`: one of its three hints, in place of it.
    pub hint: Option<u8>,
    /// `--port`: the first of its ports.
    pub port: Option<u16>,
    /// `--seed`: what decides the flag, and every random byte but SSH's.
    pub seed: Option<u64>,
}

/// One end of a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartArgs {
    /// Which protocol.
    pub protocol: Protocol,
    /// The port to listen on or to connect to.
    pub port: u16,
    /// `--seed`: what decides every random byte, and stops the clock.
    pub seed: Option<u64>,
    /// `--steps`: each step is told on standard error.
    pub steps: bool,
    /// `--show-secrets`: with the keys.
    pub show_secrets: bool,
    /// `--bits`: the size of the protocol's large numbers.
    pub bits: Option<u32>,
    /// `--user`: who may log in.
    pub user: Option<String>,
    /// `--password`: with which password.
    pub password: Option<String>,
    /// `--really-exec`: commands are run by a shell of this machine.
    pub really_exec: bool,
    /// `--iterations`: rounds of PBKDF2.
    pub iterations: Option<u32>,
    /// `--no-checks`: public values are taken as they come.
    pub no_checks: bool,
    /// `--fix`: the fixes that are on; both ends need the same.
    pub fixes: Fixes,
    /// `--key`: the file of the key that this end proves itself with.
    pub key: Option<PathBuf>,
    /// `--trust`: the fingerprint that the other end's key must have.
    pub trust: Option<String>,
    /// `--quiet-errors`: what cannot be opened closes the connection without a word.
    pub quiet_errors: bool,
    /// `--trace`: the file that the steps are written to.
    pub trace: Option<PathBuf>,
}

/// A flag that some protocols have at some end.
struct Special {
    flag: &'static str,
    protocols: &'static [Protocol],
}

const SPECIAL: &[Special] = &[
    Special { flag: "user", protocols: &[Protocol::MiniSsh] },
    Special { flag: "password", protocols: &[Protocol::MiniSsh] },
    Special { flag: "really-exec", protocols: &[Protocol::MiniSsh] },
    Special { flag: "bits", protocols: &[Protocol::DhChat, Protocol::RsaChat, Protocol::ToySocket] },
    Special { flag: "iterations", protocols: &[Protocol::DhChat] },
    Special { flag: "no-checks", protocols: &[Protocol::DhChat] },
    Special { flag: "quiet-errors", protocols: &[Protocol::DhChat] },
];

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("lab")
        .about("Run the protocols that people learn from, and see why each falls")
        .after_help("`nacre lab` alone says what there is. None of these protocols is safe: that is what they are for.")
        .disable_help_subcommand(true)
        .subcommands([
            serve(),
            join(),
            watch(),
            attack(),
            attacks(),
            challenge(),
            verify(),
            matrix(),
            compare(),
            cost(),
        ])
}

fn serve() -> Command {
    part(Command::new("serve").about("Serve a protocol on 127.0.0.1"))
        .arg(number("port", "PORT", "Port to listen on; 0 for any").value_parser(value_parser!(u16)))
        .arg(number("user", "NAME", "mini-ssh: who may log in (user)"))
        .arg(number("password", "WORD", "mini-ssh: with which password (pass123)"))
        .arg(switch(
            "really-exec",
            "mini-ssh: run commands in a shell of this account, in place of a few harmless ones",
        ))
        .arg(trace())
}

fn join() -> Command {
    part(Command::new("join").about("Join a server on this machine, with lines from standard input"))
        .arg(Arg::new("host").value_name("HOST").default_value("localhost").help("The server's host"))
        .arg(Arg::new("to").value_name("PORT").value_parser(value_parser!(u16).range(1..)).help("The server's port"))
        .arg(trace())
}

fn watch() -> Command {
    part(Command::new("watch").about("Run both ends of a protocol and tell what each does, in seven rows"))
        .arg(switch("json", "One JSON object a step"))
}

fn attack() -> Command {
    let protocols = Protocol::CLASSROOM.iter().map(|protocol| protocol.name());
    let names: Vec<&str> = protocols.chain(["ssh", "nacre", "openssh"]).collect();
    Command::new("attack")
        .about("Attack a protocol on this machine, see why it works, and the same attack fail with the fix")
        .after_help("The exit code is 0 when the attack succeeded, 1 when it did not and 3 when it could not be performed. With --fix there is one run, with the fix.")
        .arg(Arg::new("attack").value_name("NAME").required(true).help("The attack, such as A2; `nacre lab attacks` lists them"))
        .arg(number("on", "PROTOCOL", "The protocol that is attacked (the attack's first)").value_parser(names))
        .arg(number("fix", "FIXES", "Fixes that both ends have, such as F1,F3"))
        .arg(seed())
        .arg(switch("json", "One JSON object"))
        .arg(switch("ask", "Ask what will happen before each part, and answer after it").conflicts_with("json"))
}

fn attacks() -> Command {
    Command::new("attacks").about("List the attacks and the fixes")
}

/// The numbers of things that are counted from 1.
fn counted(count: usize) -> clap::builder::RangedI64ValueParser<u8> {
    value_parser!(u8).range(1..=i64::try_from(count).unwrap_or(i64::MAX))
}

fn challenge() -> Command {
    Command::new("challenge")
        .about("Open a port with a flag behind it, for you to attack; without a number, list the ten of them")
        .arg(which_challenge())
        .arg(number("hint", "1..3", "Print one of its three hints").value_parser(counted(3)))
        .arg(
            number("port", "PORT", "The first of its ports (7000 and ten times N); 0 for any")
                .value_parser(value_parser!(u16)),
        )
        .arg(number("seed", "N", "Draw the flag and the keys from this number").value_parser(value_parser!(u64)))
}

fn verify() -> Command {
    Command::new("verify")
        .about("Check the flag of a challenge, and see what would have stopped you")
        .after_help(
            "The exit code is 0 when it is the flag, 1 when it is not and 3 when that cannot be told: the challenge was \
             never opened here, or what is known of its flags cannot be read.",
        )
        .arg(which_challenge().required(true))
        .arg(Arg::new("flag").value_name("FLAG").required(true).help("The flag, such as nacre{0123456789abcdef}"))
}

fn which_challenge() -> Arg {
    let numbers = counted(Challenge::ALL.len());
    Arg::new("number").value_name("N").value_parser(numbers).help("The challenge, 1 to 10")
}

fn matrix() -> Command {
    Command::new("matrix").about("Perform every attack on every protocol with every fix, and print which succeed")
}

fn compare() -> Command {
    Command::new("compare")
        .about("Run the four protocols and SSH, and print what each does in the same seven rows")
        .arg(switch("json", "One JSON object a row"))
        .arg(switch("tls", "With a TLS 1.3 session beside them"))
}

fn cost() -> Command {
    Command::new("cost")
        .about("Find secrets by trying, and see how the time grows with every bit")
        .arg(
            number("bits", "BITS", "Sizes of the numbers, 8 to 16384")
                .value_parser(value_parser!(u32).range(8..=16384))
                .value_delimiter(',')
                .default_value("9,12,16,20,24,28,32,40,64,128,256,2048"),
        )
        .arg(
            number("seconds", "S", "Measure what takes at most so long, 1 to 3600; reckon the rest")
                .value_parser(value_parser!(u32).range(1..=3600))
                .default_value("2"),
        )
        .arg(number("seed", "N", "Draw the numbers from this one").value_parser(value_parser!(u64)))
        .arg(switch("json", "One JSON object a row"))
}

fn trace() -> Arg {
    number("trace", "FILE", "Write each step to a new file, for `nacre explain --trace FILE`")
        .value_parser(value_parser!(PathBuf))
}

fn seed() -> Arg {
    number("seed", "N", "Draw every random byte from this number and stop the clock: a run that repeats")
        .value_parser(value_parser!(u64))
}

/// What both ends have.
fn part(command: Command) -> Command {
    let names: Vec<&str> = Protocol::CLASSROOM.iter().map(|protocol| protocol.name()).collect();
    let most = i64::from(dh_chat::MAX_ITERATIONS);
    command
        .arg(Arg::new("name").value_name("NAME").required(true).value_parser(names).help("The protocol"))
        .arg(seed())
        .arg(
            number("bits", "BITS", "Size of primes or keys (dh-chat: 2048, 4096; rsa-chat: 2048, 3072, 4096; toy-socket, at both ends: 9 to 12)")
                .value_parser(value_parser!(u32)),
        )
        .arg(switch("steps", "Tell each step on standard error"))
        .arg(switch("show-secrets", "Show keys and texts in the steps"))
        .arg(
            number("iterations", "N", "dh-chat: rounds of PBKDF2 (100000); both ends need the same")
                .value_parser(value_parser!(u32).range(1..=most)),
        )
        .arg(number("fix", "FIXES", "Fixes that are on, such as F1,F2 (both ends need the same); `nacre lab attacks` lists them"))
        .arg(
            number("key", "FILE", "With F1 a server's, with F7 a client's own key; made when it is not there")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(number("trust", "FINGERPRINT", "The only key that the other end may have, with F1 or F7"))
        .arg(switch("no-checks", "dh-chat: take groups and public values as they come"))
        .arg(switch("quiet-errors", "dh-chat: close the connection, without a word, on what cannot be decrypted"))
}

fn number(long: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(long).long(long).value_name(name).help(help)
}

/// Reads what clap has checked.
///
/// # Errors
/// A flag that the protocol does not have.
pub(crate) fn from_matches(matches: &ArgMatches) -> Result<LabArgs, Failure> {
    match matches.subcommand() {
        Some(("serve", matches)) => {
            Ok(LabArgs::Serve(checked_keys(part_from(matches, "port")?, &[Fix::F1], &[Fix::F7])?))
        }
        Some(("watch", matches)) => {
            let both = &[Fix::F1, Fix::F7];
            let part = checked_keys(part_from(matches, "port")?, both, both)?;
            Ok(LabArgs::Watch { json: matches.get_flag("json"), part })
        }
        Some(("attack", matches)) => attack_from(matches),
        Some(("challenge", matches)) => Ok(LabArgs::Challenge(ChallengeArgs {
            number: matches.get_one("number").copied(),
            hint: matches.get_one("hint").copied(),
            port: matches.get_one("port").copied(),
            seed: matches.get_one("seed").copied(),
        })),
        Some(("verify", matches)) => Ok(LabArgs::Verify {
            number: matches.get_one("number").copied().unwrap_or_default(),
            flag: matches.get_one::<String>("flag").cloned().unwrap_or_default(),
        }),
        Some(("matrix", _)) => Ok(LabArgs::Matrix),
        Some(("compare", matches)) => {
            Ok(LabArgs::Compare { json: matches.get_flag("json"), tls: matches.get_flag("tls") })
        }
        Some(("attacks", _)) => Ok(LabArgs::Attacks),
        Some(("cost", matches)) => Ok(LabArgs::Cost(CostArgs {
            bits: matches.get_many("bits").into_iter().flatten().copied().collect(),
            seconds: matches.get_one("seconds").copied().unwrap_or_default(),
            seed: matches.get_one("seed").copied(),
            json: matches.get_flag("json"),
        })),
        Some(("join", matches)) => {
            let host = matches.get_one::<String>("host").cloned().unwrap_or_default();
            Ok(LabArgs::Join { host, part: checked_keys(part_from(matches, "to")?, &[Fix::F7], &[Fix::F1])? })
        }
        _ => Ok(LabArgs::Overview),
    }
}

fn attack_from(matches: &ArgMatches) -> Result<LabArgs, Failure> {
    let wrong = |message: String| Failure::with_code(USAGE, format!("lab: {message}"));
    let name = matches.get_one::<String>("attack").map(String::as_str).unwrap_or_default();
    let (seed, json) = (matches.get_one("seed").copied(), matches.get_flag("json"));
    let on = matches.get_one::<String>("on").map(String::as_str);
    match (name.to_ascii_uppercase().as_str(), on) {
        ("A18", Some("nacre" | "openssh")) => return ssh(What::Terrapin, matches),
        ("A19", None | Some("nacre" | "openssh")) => return ssh(What::Control, matches),
        ("A19", Some("ssh")) => {
            let message = "A19 is for SSH as people use it; ssh is the laboratory's own, as it was before 2024";
            return Err(wrong(message.to_owned()).hint("--on nacre, or --on openssh"));
        }
        ("A19", Some(other)) => {
            return Err(wrong(format!("A19 cannot be tried on {other}")).hint("it can on nacre, openssh"));
        }
        (_, Some(other @ ("nacre" | "openssh"))) => {
            return Err(wrong(format!("{name} cannot be tried on {other}")).hint("A18 and A19 can"));
        }
        _ => {}
    }
    let card = Card::from_name(name)
        .ok_or_else(|| wrong(format!("no attack '{}'", name.escape_debug())).hint("`nacre lab attacks` lists them"))?;
    let protocol = on
        .and_then(Protocol::from_name)
        .or_else(|| card.protocols().next())
        .ok_or_else(|| wrong("no such protocol".to_owned()))?;
    if !card.goes_with(protocol) {
        let names: Vec<&str> = card.protocols().map(Protocol::name).collect();
        let message = format!("{} cannot be tried on {}", card.name, protocol.name());
        return Err(wrong(message).hint(format!("it can on {}", names.join(", "))));
    }
    if protocol == Protocol::Ssh && seed.is_some() {
        return Err(wrong("ssh has no --seed: its keys come from the system's generator".to_owned()));
    }
    let fixes = fixes_from(matches, protocol)?;
    Ok(LabArgs::Attack(AttackArgs { card, protocol, fixes, seed, json, ask: matches.get_flag("ask") }))
}

/// An attack on SSH as people use it. Nothing of it can be mended or repeated by a flag.
fn ssh(what: What, matches: &ArgMatches) -> Result<LabArgs, Failure> {
    for flag in ["fix", "seed", "ask"] {
        if matches.value_source(flag) == Some(clap::parser::ValueSource::CommandLine) {
            return Err(Failure::with_code(USAGE, format!("lab: there is no --{flag} for SSH as people use it")));
        }
    }
    let on = matches.get_one::<String>("on").map(String::as_str);
    let kind = if on == Some("openssh") { Kind::OpenSsh } else { Kind::Nacre };
    Ok(LabArgs::AttackSsh { what, kind, json: matches.get_flag("json") })
}

fn fixes_from(matches: &ArgMatches, protocol: Protocol) -> Result<Fixes, Failure> {
    let fixes = matches.get_one::<String>("fix").map_or(Ok(Fixes::NONE), |text| Fixes::read(text, protocol));
    fixes.map_err(|error| Failure::with_code(USAGE, format!("lab: {error}")))
}

fn part_from(matches: &ArgMatches, port: &str) -> Result<PartArgs, Failure> {
    let name = matches.get_one::<String>("name").map(String::as_str).unwrap_or_default();
    let protocol = Protocol::from_name(name).ok_or_else(|| Failure::with_code(USAGE, "lab: no such protocol"))?;
    for special in SPECIAL {
        let given = matches.try_contains_id(special.flag).unwrap_or(false)
            && matches.value_source(special.flag) == Some(clap::parser::ValueSource::CommandLine);
        if given && !special.protocols.contains(&protocol) {
            return Err(Failure::with_code(USAGE, format!("lab: {name} has no --{}", special.flag)));
        }
    }
    let bits = matches.try_get_one("bits").ok().flatten().copied();
    check_bits(protocol, bits)?;
    let fixes = fixes_from(matches, protocol)?;
    Ok(PartArgs {
        protocol,
        port: matches.try_get_one(port).ok().flatten().copied().unwrap_or_else(|| protocol.port()),
        seed: matches.get_one("seed").copied(),
        steps: matches.get_flag("steps"),
        show_secrets: matches.get_flag("show-secrets"),
        bits,
        user: matches.try_get_one("user").ok().flatten().cloned(),
        password: matches.try_get_one("password").ok().flatten().cloned(),
        really_exec: matches.try_contains_id("really-exec").is_ok() && matches.get_flag("really-exec"),
        iterations: matches.get_one("iterations").copied(),
        no_checks: matches.get_flag("no-checks"),
        fixes,
        key: matches.get_one("key").cloned(),
        trust: matches.get_one("trust").cloned(),
        quiet_errors: matches.get_flag("quiet-errors"),
        trace: matches.try_get_one("trace").ok().flatten().cloned(),
    })
}

/// A key of its own, or a trusted one of the other end, is of no use to an end without one of these fixes.
fn checked_keys(part: PartArgs, key: &[Fix], trust: &[Fix]) -> Result<PartArgs, Failure> {
    for (given, flag, wants) in [(part.key.is_some(), "key", key), (part.trust.is_some(), "trust", trust)] {
        if given && !wants.iter().any(|fix| part.fixes.has(*fix)) {
            let names: Vec<&str> = wants.iter().map(|fix| fix.name()).collect();
            let message = format!("lab: --{flag} is of no use here without --fix {}", names.join(" or "));
            return Err(Failure::with_code(USAGE, message));
        }
    }
    Ok(part)
}

/// An end of a protocol as it is without a flag.
///
/// # Errors
/// There is no such protocol.
pub(crate) fn part_of(protocol: Protocol) -> Result<PartArgs, Failure> {
    let matches = watch().try_get_matches_from(["watch", protocol.name()]);
    part_from(&matches.map_err(|error| Failure::new(error.to_string()))?, "port")
}

/// Sizes within which a protocol is still itself.
fn check_bits(protocol: Protocol, bits: Option<u32>) -> Result<(), Failure> {
    let sizes: &[u32] = match protocol {
        Protocol::DhChat => &dh_chat::SIZES,
        Protocol::RsaChat => &rsa_chat::SIZES,
        Protocol::ToySocket => &toy_socket::SIZES,
        Protocol::MiniSsh | Protocol::Ssh => &[],
    };
    if bits.is_none_or(|bits| sizes.contains(&bits)) {
        return Ok(());
    }
    let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
    Err(Failure::with_code(USAGE, format!("lab: --bits of {} are one of {}", protocol.name(), sizes.join(", "))))
}
