//! The client against the machine's own ssh-agent: keys made by ssh-keygen, given by ssh-add,
//! listed and used here, and the signatures judged by ssh-keygen. Needs openssh-client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use nacre_agent::{Answer, Client, Identity, Request, SessionBind, SignFlags, SignRequest, Signature};
use nacre_wire::{Reader, WriteExt};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running ssh-agent in a folder of its own; both go when this does.
struct Agent {
    child: Child,
    folder: PathBuf,
}

impl Agent {
    fn start(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("nacre-agent-{}-{test}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(folder.join("socket"))
            .stdout(Stdio::null())
            .spawn()
            .expect("ssh-agent starts; install openssh-client");
        let agent = Self { child, folder };
        let deadline = Instant::now() + Duration::from_secs(120);
        while UnixStream::connect(agent.socket()).is_err() {
            assert!(Instant::now() < deadline, "ssh-agent made no socket within 20 s");
            std::thread::sleep(Duration::from_millis(10));
        }
        agent
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn connect(&self) -> Connection {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        Connection { stream, client: Client::new() }
    }

    /// Makes a key, gives it to the agent and returns its public half as its file has it.
    fn add_key(&self, kind: &str, bits: &str) -> String {
        let file = self.folder.join(kind);
        let comment = format!("{kind} of the test");
        run(Command::new("ssh-keygen").args(["-q", "-N", "", "-t", kind, "-b", bits, "-C", &comment, "-f"]).arg(&file));
        run(Command::new("ssh-add").arg("-q").arg(&file).env("SSH_AUTH_SOCK", self.socket()));
        std::fs::read_to_string(file.with_extension("pub")).unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

struct Connection {
    stream: UnixStream,
    client: Client,
}

impl Connection {
    fn ask(&mut self, request: &Request<'_>) -> Answer {
        let id = self.client.request(request).unwrap();
        let mut out = Vec::new();
        self.client.poll_transmit(&mut out, usize::MAX);
        self.stream.write_all(&out).unwrap();
        let mut bytes = [0; 512];
        loop {
            if let Some((of, answer)) = self.client.poll_answer() {
                assert_eq!(of, id);
                return answer;
            }
            match self.stream.read(&mut bytes).expect("ssh-agent answers within 20 s") {
                0 => self.client.receive_end().expect("ssh-agent answers before it closes"),
                n => self.client.receive(&bytes[..n]).unwrap(),
            }
        }
    }

    fn identities(&mut self) -> Vec<Identity> {
        match self.ask(&Request::RequestIdentities) {
            Answer::Identities(keys) => keys,
            other => panic!("asked for keys, got {other:?}"),
        }
    }

    fn sign(&mut self, public_key: &[u8], data: &[u8], flags: SignFlags) -> Signature {
        match self.ask(&Request::SignRequest(SignRequest { public_key, data, flags })) {
            Answer::Signature(signature) => signature,
            other => panic!("asked for a signature, got {other:?}"),
        }
    }
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn base64(folder: &Path, bytes: &[u8]) -> String {
    let file = folder.join("raw");
    std::fs::write(&file, bytes).unwrap();
    String::from_utf8(run(Command::new("base64").args(["-w", "0"]).arg(&file))).unwrap()
}

fn sha512(file: &Path) -> Vec<u8> {
    let line = String::from_utf8(run(Command::new("sha512sum").arg(file))).unwrap();
    (0..64).map(|i| u8::from_str_radix(&line[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// What a file signature signs, or holds, up to its last field (OpenSSH PROTOCOL.sshsig).
fn sshsig(head: impl FnOnce(&mut Vec<u8>), last: &[u8]) -> Vec<u8> {
    let mut out = b"SSHSIG".to_vec();
    head(&mut out);
    out.put_string(b"nacre-test");
    out.put_string(b"");
    out.put_string(b"sha512");
    out.put_string(last);
    out
}

/// Whether ssh-keygen finds `signature` to be of `message` by `public_key`.
fn ssh_keygen_verifies(folder: &Path, public_key: &[u8], signature: &[u8], message: &Path) -> bool {
    let head = |out: &mut Vec<u8>| {
        out.put_u32(1);
        out.put_string(public_key);
    };
    let armoured = base64(folder, &sshsig(head, signature));
    let file = folder.join("signature");
    let text = format!("-----BEGIN SSH SIGNATURE-----\n{armoured}\n-----END SSH SIGNATURE-----\n");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "check-novalidate", "-n", "nacre-test", "-s"]).arg(&file);
    command.stdin(std::fs::File::open(message).unwrap()).output().unwrap().status.success()
}

#[test]
fn keys_are_listed_as_ssh_add_gave_them() {
    let agent = Agent::start("list");
    let mut connection = agent.connect();
    assert_eq!(connection.identities(), []);
    let files = [agent.add_key("ed25519", "256"), agent.add_key("ecdsa", "384")];
    let keys = connection.identities();
    assert_eq!(keys.len(), 2);
    for (key, file) in keys.iter().zip(&files) {
        let words: Vec<&str> = file.trim_end().splitn(3, ' ').collect();
        assert_eq!(Reader::new(&key.public_key).text("algorithm").unwrap(), words[0]);
        assert_eq!(base64(&agent.folder, &key.public_key), words[1]);
        assert_eq!(key.comment, words[2]);
    }
}

#[test]
fn signatures_are_of_the_algorithm_asked_for_and_hold() {
    let agent = Agent::start("sign");
    for (kind, bits) in [("ed25519", "256"), ("ecdsa", "256"), ("rsa", "2048")] {
        agent.add_key(kind, bits);
    }
    let message = agent.folder.join("message");
    let other = agent.folder.join("other");
    std::fs::write(&message, "what is signed").unwrap();
    std::fs::write(&other, "what is not signed").unwrap();
    let data = sshsig(|_| {}, &sha512(&message));
    let mut connection = agent.connect();
    let keys = connection.identities();
    let algorithms = [(0, "ssh-ed25519"), (1, "ecdsa-sha2-nistp256"), (2, "rsa-sha2-256"), (2, "rsa-sha2-512")];
    for (index, algorithm) in algorithms {
        let key: &Identity = &keys[index];
        let made = connection.sign(&key.public_key, &data, SignFlags::for_algorithm(algorithm));
        assert_eq!(made.algorithm(), algorithm);
        let blob = made.into_blob(algorithm).unwrap();
        assert!(ssh_keygen_verifies(&agent.folder, &key.public_key, &blob, &message), "{algorithm}");
        assert!(!ssh_keygen_verifies(&agent.folder, &key.public_key, &blob, &other), "{algorithm}");
    }
}

#[test]
fn an_rsa_signature_without_flags_is_not_taken_for_sha2() {
    let agent = Agent::start("sha1");
    agent.add_key("rsa", "2048");
    let mut connection = agent.connect();
    let key = connection.identities().remove(0).public_key;
    let made = connection.sign(&key, b"data", SignFlags::NONE);
    assert_eq!(made.algorithm(), "ssh-rsa");
    assert!(made.into_blob("rsa-sha2-512").is_err());
}

#[test]
fn a_key_the_agent_does_not_hold_is_a_failure_and_the_connection_goes_on() {
    let agent = Agent::start("unknown");
    agent.add_key("ed25519", "256");
    let mut connection = agent.connect();
    let mut key = connection.identities().remove(0).public_key;
    *key.last_mut().unwrap() ^= 1;
    let sign = SignRequest { public_key: &key, data: b"data", flags: SignFlags::NONE };
    assert_eq!(connection.ask(&Request::SignRequest(sign)), Answer::Failure);
    assert_eq!(connection.identities().len(), 1);
}

#[test]
fn a_session_is_bound_by_the_hosts_signature_only_and_once_for_a_login() {
    let agent = Agent::start("bind");
    agent.add_key("ed25519", "256");
    let host_key = agent.connect().identities().remove(0).public_key;
    // The agent's own key stands for a host's: it signs a session identifier as a host would.
    let host_signs = |session_identifier: &[u8]| {
        let made = agent.connect().sign(&host_key, session_identifier, SignFlags::NONE);
        made.into_blob("ssh-ed25519").unwrap()
    };
    let (first, second) = ([0x5a; 32], [0x5b; 32]);
    let (of_first, of_second) = (host_signs(&first), host_signs(&second));
    let bind = |session_identifier, signature| {
        Request::SessionBind(SessionBind { host_key: &host_key, session_identifier, signature, is_forwarding: false })
    };
    let refused = |answer: Answer| matches!(answer, Answer::Failure | Answer::ExtensionFailure);
    let mut connection = agent.connect();
    assert!(refused(connection.ask(&bind(&first, &of_second))), "a signature of another session");
    assert_eq!(connection.ask(&bind(&first, &of_first)), Answer::Success);
    assert!(refused(connection.ask(&bind(&second, &of_second))), "a second session after one bound for a login");
    assert_eq!(agent.connect().ask(&bind(&second, &of_second)), Answer::Success);
}
