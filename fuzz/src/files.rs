//! The text files, and what an agent says.

use nacre_agent::{Answer, Client, Request, Signature, next_frame};
use nacre_config::allowed_signers::AllowedSigners;
use nacre_config::authorized_keys::AuthorizedKeys;
use nacre_config::known_hosts::{self, KnownHosts};
use nacre_config::{AlgorithmSets, Check, LocalAccount, MatchContext, World, WorldError, client, server};
use nacre_crypto::{hmac_sha1, sha1};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

/// A machine with one file, which is also every file that it includes. A file that includes itself
/// twice doubles the work with each level, so the later readings find nothing.
struct Machine<'a> {
    file: &'a [u8],
    readings: Cell<u32>,
}

impl<'a> Machine<'a> {
    fn new(file: &'a [u8]) -> Self {
        Self { file, readings: Cell::new(0) }
    }
}

/// How often the file is there.
const READINGS: u32 = 40;

const FILE: &str = "/fuzz/config";

impl World for Machine<'_> {
    fn read(&self, path: &str, _check: Check) -> Result<Vec<u8>, WorldError> {
        let reading = self.readings.replace(self.readings.get() + 1);
        if path == FILE && reading < READINGS { Ok(self.file.to_vec()) } else { Err(WorldError::NotFound) }
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        if pattern.ends_with("self") { vec![FILE.to_owned()] } else { Vec::new() }
    }

    fn env(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/alice".to_owned())
    }

    fn exec(&self, command: &str) -> Result<bool, WorldError> {
        Ok(command.len().is_multiple_of(2))
    }

    fn home_of(&self, user: &str) -> Option<String> {
        Some(format!("/home/{user}"))
    }

    fn local_addresses(&self) -> Vec<IpAddr> {
        vec![Ipv4Addr::new(10, 0, 0, 1).into()]
    }

    fn account(&self) -> LocalAccount {
        let text = str::to_owned;
        LocalAccount { name: text("alice"), uid: text("1000"), home: text("/home/alice"), host_name: text("box") }
    }

    fn sha1(&self, data: &[u8]) -> [u8; 20] {
        sha1(data)
    }
}

/// A client's configuration, for a host.
pub fn ssh_config(data: &[u8]) {
    let file = client::ConfigFile {
        path: FILE.into(),
        include_base: "/fuzz".into(),
        check: Check::OwnerAndMode,
        required: true,
    };
    let invocation = client::Invocation {
        host: "Host.Example".into(),
        files: vec![file],
        version: "OpenSSH_9.2".into(),
        ..client::Invocation::default()
    };
    let read = || client::resolve(&Machine::new(data), &AlgorithmSets::default(), &invocation);
    match (read(), read()) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.dump(), second.dump(), "it depends on more than the file");
            let _ = first.dump_why();
        }
        (Err(first), Err(second)) => assert_eq!(first.to_string(), second.to_string()),
        _ => panic!("it depends on more than the file"),
    }
}

/// A server's configuration, in general and for a connection.
pub fn sshd_config(data: &[u8]) {
    let file = server::ConfigFile { path: FILE.into(), include_base: "/fuzz".into(), required: true };
    let invocation =
        server::Invocation { file: Some(file), version: "OpenSSH_9.2".into(), ..server::Invocation::default() };
    let Ok(options) = server::parse(&Machine::new(data), &AlgorithmSets::default(), &invocation) else { return };
    let context = MatchContext {
        user: Some("alice".into()),
        invalid_user: false,
        groups: vec!["staff".into()],
        host: Some("host.example".into()),
        address: Some(Ipv4Addr::new(192, 0, 2, 1).into()),
        local_address: Some(Ipv4Addr::LOCALHOST.into()),
        local_port: Some(22),
        rdomain: None,
    };
    let _ = (options.dump(None), options.dump_why(Some(&context)));
    let resolved = options.resolve(&context);
    let _ = resolved.may_log_in("alice", &context.groups, Some("host.example"), Ipv4Addr::LOCALHOST.into());
    let _ = resolved.authorized_keys_files("alice", 1000, "/home/alice");
}

/// A known_hosts file: looked up, searched, cleared of a name and hashed.
pub fn known_hosts(data: &[u8]) {
    let known = KnownHosts::parse("known_hosts", data);
    let lines = data.split(|byte| *byte == b'\n').count();
    assert!(known.entries.len() + known.warnings.len() <= lines);
    let _ = known.lookup("host.example", 22, b"blob", hmac_sha1);
    let _ = known.lookup_for_connection("host.example", 2222, b"blob", hmac_sha1);
    let _ = known.key_types("host.example", 22, hmac_sha1);
    let found = known_hosts::find(data, "host.example", hmac_sha1);
    let removed = known_hosts::remove(data, "host.example", hmac_sha1);
    assert!(removed.lines.len() <= lines && removed.content.len() <= data.len() + 1);
    let was_found = |line: &u32| found.iter().any(|found| found.line == *line);
    assert!(removed.lines.iter().all(was_found), "found {found:?}, removed {removed:?}");
    let hashed = known_hosts::hash_names(data, hmac_sha1, || [7; 20]);
    // Hashing hides names; the keys stay those they were.
    let again = KnownHosts::parse("known_hosts", &hashed.content);
    let verdict = |known: &KnownHosts| format!("{:?}", known.key_types("host.example", 22, hmac_sha1));
    assert_eq!(verdict(&again), verdict(&known));
}

/// An authorized_keys file.
pub fn authorized_keys(data: &[u8]) {
    let keys = AuthorizedKeys::parse(data);
    for entry in &keys.entries {
        assert!(keys.find(&entry.blob).chain(keys.authorities(&entry.blob)).any(|found| found == entry));
        let _ = entry.options.permits_source(Some("host.example"), Ipv4Addr::LOCALHOST.into());
    }
    for refused in &keys.refused {
        assert!(!refused.error.to_string().contains(char::is_control));
    }
}

/// An allowed_signers file.
pub fn allowed_signers(data: &[u8]) {
    let signers = AllowedSigners::parse(data);
    for entry in &signers.entries {
        let _ = (entry.names("me@example.org"), entry.counts_for("file"), entry.counts_at(0, |_| 3_600));
    }
    for refused in &signers.refused {
        assert!(!refused.error.to_string().contains(char::is_control));
    }
}

/// What an agent says to a client with two questions, and what comes to an agent.
pub fn agent_frames(data: &[u8]) {
    let mut client = Client::new();
    for _ in 0..2 {
        client.request(&Request::RequestIdentities).expect("a question");
    }
    for piece in data.chunks(1 + data.first().map_or(0, |byte| usize::from(*byte))) {
        if client.receive(piece).is_err() {
            break;
        }
    }
    let answers = std::iter::from_fn(|| client.poll_answer()).count();
    assert!(answers <= 2, "{answers} answers to two questions");
    let _ = client.receive_end();
    let mut buffer = data.to_vec();
    let mut eaten = 0;
    while let Ok(Some(frame)) = next_frame(&mut buffer) {
        assert!(!frame.is_empty());
        eaten += 4 + frame.len();
        let _ = Answer::decode(&frame);
    }
    assert_eq!(eaten + buffer.len(), data.len());
    let _ = (Answer::decode(data), Signature::decode(data));
}
