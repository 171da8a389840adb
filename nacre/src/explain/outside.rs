//! `nacre explain -- ssh ...`: a foreign client's connection, told by what passes between it and its server.
//!
//! Who stands there reads what anybody on the way can read, and no more: that is told, and what cannot be seen is said.

use super::check::Checks;
use super::clear::{Clear, Piece};
use super::message::{detail, text};
use super::negotiation::{Offer, Offers};
use super::parts::parts;
use super::record::{Record, Recorder, Row, Who};
use super::relay::{self, Log, Passed};
use super::route::route;
use super::watching::{Watching, key_details};
use crate::agent::shell::quoted;
use crate::failure::{Failure, SSH, USAGE};
use nacre_proto::observe::{Observer, Packet};
use nacre_wire::message::{KexEcdhReply, KexInit, Message};
use nacre_wire::{Role, number};
use signal_hook::consts::{SIGINT, SIGQUIT};
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What a client did.
pub struct Seen {
    /// From its call to its end.
    pub records: Vec<Record>,
    /// Its exit code.
    pub code: ExitCode,
}

/// Runs the command line and tells its connection. What it prints goes to standard error.
///
/// # Errors
/// It is no command line of `ssh`, or cannot be started.
pub fn watch(words: &[OsString]) -> Result<Seen, Failure> {
    let folder = Folder::new()?;
    let log = folder.0.join("log");
    let start = Instant::now();
    let status = run(words, &log)?;
    let recorder = Recorder::new(start);
    let place = (Row::Connect, 1, Who::Client);
    recorder.add(start, place, "command", "is called; this is what each part means", parts(words));
    let (now, how) = match relay::read(&log) {
        Some(log) => (Story::new(&recorder, &log, start).tell(&log), ended(status)),
        None => (Instant::now(), format!("makes no connection that can be seen: {}", ended(status))),
    };
    recorder.add(now, (Row::End, 9, Who::Client), "closed", how, vec![]);
    // As a shell has it.
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    let code = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(SSH);
    Ok(Seen { records: recorder.records(), code: ExitCode::from(code) })
}

/// What anybody on the way reads in what two ends say, as records of one moment.
pub fn overheard<'a>(said: impl IntoIterator<Item = (Role, &'a [u8])>) -> Vec<Record> {
    let at = Duration::ZERO;
    let passed = |(by, bytes): (Role, &[u8])| Passed { by, at, count: bytes.len(), first: bytes.to_vec() };
    let passed = said.into_iter().map(passed).collect();
    let log = Log { host: "host".to_owned(), port: 22, address: "host:22".to_owned(), passed };
    let start = Instant::now();
    let recorder = Recorder::new(start);
    Story::new(&recorder, &log, start).tell(&log);
    recorder.records()
}

/// A folder of our own for as long as this lives.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Failure> {
        // What is in a folder that was there before would be told as this connection's story.
        crate::state::temporary("nacre-explain").map(Self)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(words: &[OsString], log: &Path) -> Result<ExitStatus, Failure> {
    let Some((program, rest)) = words.split_first() else { return Err(not_ssh("nothing")) };
    if Path::new(program).file_name().is_none_or(|name| name != "ssh") {
        return Err(not_ssh(&text(program.as_encoded_bytes())));
    }
    let ours = std::env::current_exe().map_err(|error| Failure::new(format!("cannot find this program: {error}")))?;
    let word = |text: &str| quoted(text).replace('%', "%%");
    let (Some(ours), Some(log)) = (ours.to_str().map(word), log.to_str().map(word)) else {
        return Err(Failure::new("the path of this program, or of the temporary folder, is not UTF-8"));
    };
    let route: String = route(program, rest)?.iter().map(|line| format!(" -o {}", word(line))).collect();
    // Ctrl-C is for the client; a handler, unlike to ignore it, is not inherited.
    for signal in [SIGINT, SIGQUIT] {
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
    let mut command = Command::new(program);
    // The first value of a keyword wins.
    command.arg("-o").arg(format!("ProxyCommand={ours} explain -F none --relay {log}{route} %h %p"));
    command.args(["-o", "ProxyUseFdpass=no", "-o", "ControlPath=none"]);
    let started = command.args(rest).stdout(std::io::stderr()).status();
    started.map_err(|error| Failure::new(format!("{}: {error}", text(program.as_encoded_bytes()))))
}

fn not_ssh(name: &str) -> Failure {
    let message =
        format!("explain: behind -- a command line of ssh is wanted, such as `ssh -i key user@host`, not '{name}'");
    Failure::with_code(USAGE, message)
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("the command ends with exit code {code}"),
        None => "a signal ends the command".to_owned(),
    }
}

/// What passed, turned into records.
struct Story<'a> {
    recorder: &'a Recorder,
    watching: Watching,
    start: Instant,
    client: Clear,
    server: Clear,
    offers: Offers,
}

impl<'a> Story<'a> {
    fn new(recorder: &'a Recorder, log: &Log, start: Instant) -> Self {
        let watching = Watching::new(recorder.clone(), Checks::new(&log.host, log.port).of_ssh(), false);
        let (client, server) = Default::default();
        Self { recorder, watching, start, client, server, offers: Offers::default() }
    }

    /// Tells all of it; when the last of it passed.
    fn tell(&mut self, log: &Log) -> Instant {
        let place = (Row::Connect, 1, Who::Client);
        let text = format!("connects to {}", log.address);
        self.recorder.add(self.start, place, "tcp", text, vec![detail("host", &*log.host)]);
        for passed in &log.passed {
            self.passed(passed);
        }
        let now = log.passed.last().map_or(self.start, |last| self.start + last.at);
        if self.client.is_hidden() || self.server.is_hidden() {
            self.hidden(now);
        }
        now
    }

    fn passed(&mut self, passed: &Passed) {
        let (at, by) = (self.start + passed.at, passed.by);
        let clear = match by {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        for piece in clear.hear(&passed.first, passed.count) {
            match piece {
                Piece::Line(wire) => {
                    self.watching.dangerous_packet(at, &Packet { by, wire: &wire, payload: None, encrypted: false });
                }
                Piece::Packet { wire, payload } => self.packet(at, by, &wire, &payload),
            }
        }
    }

    fn packet(&mut self, at: Instant, by: Role, wire: &[u8], payload: &[u8]) {
        self.watching.dangerous_packet(at, &Packet { by, wire, payload: Some(payload), encrypted: false });
        match payload.first() {
            Some(&number::KEXINIT) => self.kexinit(at, by, payload),
            Some(&number::KEX_ECDH_REPLY) if by == Role::Server => self.host_key(at, payload),
            _ => {}
        }
    }

    fn kexinit(&mut self, at: Instant, by: Role, payload: &[u8]) {
        let Ok(message) = KexInit::decode(payload) else { return };
        self.offers.keep(by, Offer::of(&message));
        if self.offers.are_both() {
            let sentence = "the client's first choice that the server has too wins, list by list";
            let place = (Row::KeyExchange, 3, Who::Both);
            self.recorder.add(at, place, "negotiated", sentence, self.offers.winners_by_name());
        }
    }

    fn host_key(&mut self, at: Instant, payload: &[u8]) {
        let Ok(reply) = KexEcdhReply::decode(payload) else { return };
        let mut details = key_details(reply.host_key);
        details.push(detail("signature", format!("{} bytes", reply.signature.len())));
        let sentence = "shows its host key and signs with it; whether the signature is right cannot be told from outside, \
                        as the secret that only the two have is part of what is signed";
        self.recorder.add(at, (Row::ServerProof, 5, Who::Server), "host_key", sentence, details);
    }

    /// Everything after the keys: how much, and that it cannot be read.
    fn hidden(&self, now: Instant) {
        let sentence = "how the user logs in cannot be seen from outside: it is encrypted, as is everything after it; \
                        `nacre ssh --explain` tells it from inside";
        self.recorder.add(now, (Row::UserProof, 6, Who::Both), "hidden", sentence, vec![]);
        for (who, clear) in [(Who::Client, &self.client), (Who::Server, &self.server)] {
            let sentence = format!("says {} bytes that only the two can read: login, data and goodbye", clear.hidden);
            self.recorder.add(now, (Row::Session, 8, who), "hidden", sentence, vec![]);
        }
    }
}
