//! `nacre agent` as OpenSSH's programs use it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/agents.rs"]
mod agents;
mod common;

use agents::{Agent, Whose, askpass, certify, done, eventually, key, set_mode};
use common::{Scratch, nacre, program};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

const KINDS: [(&str, &[&str]); 5] = [
    ("ed", &["-t", "ed25519"]),
    ("ec256", &["-t", "ecdsa", "-b", "256"]),
    ("ec384", &["-t", "ecdsa", "-b", "384"]),
    ("ec521", &["-t", "ecdsa", "-b", "521"]),
    ("rsa", &["-t", "rsa", "-b", "2048"]),
];

fn agent(place: &Scratch) -> Agent {
    Agent::start(Whose::Ours, place, &[], &[])
}

#[test]
fn keys_of_every_kind_are_held_listed_and_used() {
    let place = Scratch::new();
    let agent = agent(&place);
    assert_eq!(agent.ssh_add(&["-l"]).code, 1);
    let message = place.write("message", "what is signed");
    let (mut fingerprints, mut publics) = (String::new(), String::new());
    for (name, more) in KINDS {
        let path = key(&place, name, more);
        let added = agent.ssh_add(&[&path]);
        assert_eq!((added.code, added.err), (0, format!("Identity added: {path} ({name} of the test)\n")));
        fingerprints += &done(program("ssh-keygen").arg("-lf").arg(&path)).out;
        publics += &place.read(&format!("{name}.pub"));
        let public = format!("{path}.pub");
        let tested = agent.ssh_add(&["-T", &public]);
        assert_eq!(tested.code, 0, "{}", tested.err);
        // The private half is away: only the agent can sign.
        std::fs::rename(&path, place.path("away")).unwrap();
        let sign = ["-Y", "sign", "-n", "test", "-f", &public, message.to_str().unwrap()];
        let signed = done(agent.client("ssh-keygen").args(sign));
        assert_eq!(signed.code, 0, "{}", signed.err);
        let check = ["-Y", "check-novalidate", "-n", "test", "-s", place.path("message.sig").to_str().unwrap()]
            .map(str::to_owned);
        let input = std::fs::File::open(&message).unwrap();
        let checked = done(program("ssh-keygen").args(check).stdin(input));
        assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
        std::fs::remove_file(place.path("message.sig")).unwrap();
        std::fs::rename(place.path("away"), &path).unwrap();
    }
    assert_eq!(agent.ssh_add(&["-l"]).out, fingerprints);
    assert_eq!(agent.ssh_add(&["-L"]).out, publics);
    let rsa = place.path("rsa");
    assert_eq!(agent.ssh_add(&["-d", rsa.to_str().unwrap()]).code, 0);
    assert_eq!(agent.ssh_add(&["-l"]).out.lines().count(), 4);
    assert_eq!(agent.ssh_add(&["-D"]).code, 0);
    assert_eq!(agent.ssh_add(&["-l"]).out, "The agent has no identities.\n");
}

#[test]
fn certificates_are_held_beside_their_keys() {
    let place = Scratch::new();
    let agent = agent(&place);
    key(&place, "ca", &["-t", "ed25519"]);
    for (name, more) in KINDS {
        let path = key(&place, name, more);
        certify(&place, "ca", &path, &["-I", "the id", "-n", "root"]);
        let added = agent.ssh_add(&[&path]);
        assert!(added.code == 0 && added.err.contains("Certificate added:"), "{}", added.err);
        assert_eq!(agent.ssh_add(&["-T", &format!("{path}-cert.pub")]).code, 0);
    }
    let listed = agent.ssh_add(&["-l"]).out;
    assert_eq!((listed.lines().count(), listed.matches("-CERT)").count()), (10, 5), "{listed}");
    let path = place.path("ed");
    assert_eq!(agent.ssh_add(&["-d", path.to_str().unwrap()]).code, 0);
    assert_eq!(agent.ssh_add(&["-l"]).out.lines().count(), 8);
}

#[test]
fn keys_are_forgotten_in_time() {
    let place = Scratch::new();
    let agent = Agent::start(Whose::Ours, &place, &["-t", "1"], &[]);
    let (short, long) = (key(&place, "short", &["-t", "ed25519"]), key(&place, "long", &["-t", "ed25519"]));
    assert_eq!(agent.ssh_add(&["-t", "1h", &long]).code, 0);
    assert_eq!(agent.ssh_add(&[&short]).code, 0);
    eventually("the end of a key's time", || agent.ssh_add(&["-l"]).out.lines().count() == 1);
    assert!(agent.ssh_add(&["-l"]).out.contains("long of the test"));
}

#[test]
fn g02_a_key_to_be_confirmed_asks_the_person() {
    let place = Scratch::new();
    let ask = askpass(&place);
    let asking = Agent::start(Whose::Ours, &place, &[], &[("SSH_ASKPASS", &ask), ("SSH_ASKPASS_REQUIRE", "force")]);
    let path = key(&place, "ed", &["-t", "ed25519"]);
    assert!(asking.ssh_add(&["-c", &path]).err.contains("The user must confirm each use of the key"));
    let public = format!("{path}.pub");
    for (answer, works) in [("yes\n", true), ("\n", true), ("no\n", false)] {
        place.write("answer", answer);
        assert_eq!(asking.ssh_add(&["-T", &public]).code == 0, works, "{answer}");
    }
    std::fs::remove_file(place.path("answer")).unwrap();
    assert_eq!(asking.ssh_add(&["-T", &public]).code, 1, "the program fails");
    let asked = place.read("asked");
    assert!(asked.starts_with("confirm|Allow use of key ed of the test?\nKey fingerprint SHA256:"), "{asked}");
    drop(asking);
    std::fs::remove_file(place.path("ours")).unwrap();
    let alone = agent(&place);
    assert_eq!(alone.ssh_add(&["-c", &path]).code, 0);
    assert_eq!(alone.ssh_add(&["-T", &public]).code, 1, "nobody can be asked");
}

#[test]
fn g05_a_locked_agent_gives_nothing_and_guesses_are_slow() {
    let place = Scratch::new();
    let agent = agent(&place);
    let path = key(&place, "ed", &["-t", "ed25519"]);
    agent.ssh_add(&[&path]);
    let ask = askpass(&place);
    let with = |password: &str, flag: &str| {
        place.write("answer", &format!("{password}\n"));
        let asking = [("SSH_ASKPASS", ask.as_str()), ("SSH_ASKPASS_REQUIRE", "force")];
        done(agent.client("ssh-add").arg(flag).envs(asking))
    };
    assert_eq!(with("correct horse", "-x").code, 0);
    assert_eq!(with("correct horse", "-x").code, 1, "it is locked already");
    assert_eq!(agent.ssh_add(&["-l"]).out, "The agent has no identities.\n");
    assert_eq!(agent.ssh_add(&["-T", &format!("{path}.pub")]).code, 1);
    assert_eq!(agent.ssh_add(&["-D"]).code, 1);
    assert_eq!(agent.ssh_add(&[&path]).code, 1);
    let start = Instant::now();
    // Side by side they are as slow as one after the other.
    place.write("answer", "wrong\n");
    let asking = [("SSH_ASKPASS", ask.as_str()), ("SSH_ASKPASS_REQUIRE", "force")];
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert_eq!(done(agent.client("ssh-add").arg("-X").envs(asking)).code, 1));
        }
    });
    let total: u64 = (0..6).map(|wrong| wrong * 100).sum();
    assert!(start.elapsed() >= Duration::from_millis(total), "{:?}", start.elapsed());
    assert_eq!(with("correct horse", "-X").code, 0);
    assert_eq!(agent.ssh_add(&["-l"]).out.lines().count(), 1);
}

/// Asks with raw bytes; what comes back until the agent is silent for long, or closes.
fn raw(agent: &Agent, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut stream = UnixStream::connect(&agent.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let mut chunk = [0; 256];
    match stream.write_all(bytes).and_then(|()| stream.read(&mut chunk)) {
        Ok(count) => (chunk[..count].to_vec(), count == 0),
        // Closed with bytes of ours unread.
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => (Vec::new(), true),
        Err(error) => panic!("the agent says nothing: {error}"),
    }
}

#[test]
fn g01_impossible_lengths_end_the_connection_and_of_too_many_the_longest_silent_is_let_go() {
    let place = Scratch::new();
    let agent = agent(&place);
    for length in [0, 256 * 1024 + 1, u32::MAX] {
        assert!(raw(&agent, &length.to_be_bytes()).1, "{length}");
    }
    let list = [0, 0, 0, 1, 11];
    let held: Vec<UnixStream> = (0..300).filter_map(|_| UnixStream::connect(&agent.socket).ok()).collect();
    assert_eq!(held.len(), 300);
    let is_served = |mut stream: &UnixStream| {
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        stream.write_all(&list).is_ok() && matches!(stream.read(&mut [0; 64]), Ok(count) if count > 0)
    };
    // When the last has its answer all have come.
    assert!(is_served(&held[299]));
    let served: Vec<bool> = held.iter().map(is_served).collect();
    assert_eq!(served.iter().filter(|served| **served).count(), 256);
    assert!(!served[0] && served[299], "{served:?}");
    assert_eq!(raw(&agent, &list).0.len(), 9, "the next finds room");
    drop(held);
}

#[test]
fn g02_constraints_that_are_not_known_are_refused() {
    let place = Scratch::new();
    let agent = agent(&place);
    let path = key(&place, "ed", &["-t", "ed25519"]);
    let form = nacre_crypto::PrivateKey::read(&std::fs::read(path).unwrap(), None).unwrap().dangerous_agent_form();
    let add = |constraints: &[u8]| {
        let message = [&[25], form.as_slice(), constraints].concat();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        raw(&agent, &[&length, message.as_slice()].concat()).0
    };
    let (no, yes) = ([0, 0, 0, 1, 5], [0, 0, 0, 1, 6]);
    assert_eq!(add(&[3, 0, 0, 0, 1]), no, "a number of signatures");
    assert_eq!(add(&[7]), no);
    assert_eq!(add(&[255, 0, 0, 0, 3, b'x', b'@', b'y']), no, "an extension");
    assert_eq!(agent.ssh_add(&["-l"]).code, 1);
    assert_eq!(add(&[2]), yes);
}

#[test]
fn g03_tokens_and_their_libraries_are_refused() {
    let place = Scratch::new();
    let agent = agent(&place);
    let ask = askpass(&place);
    place.write("answer", "1234\n");
    let asking = [("SSH_ASKPASS", ask.as_str()), ("SSH_ASKPASS_REQUIRE", "force")];
    for flag in ["-s", "-e"] {
        let told = done(agent.client("ssh-add").args([flag, "/usr/lib/libc.so.6"]).envs(asking));
        assert_eq!(told.code, 1, "{}", told.err);
    }
    assert!(
        !std::fs::read_to_string(format!("/proc/{}/maps", agent.child.id())).unwrap().contains("/usr/lib/libc.so.6")
    );
    assert_eq!(agent.ssh_add(&["-l"]).code, 1, "it goes on");
}

#[test]
fn g05_other_users_reach_neither_socket_nor_memory() {
    assert!(rustix::process::geteuid().is_root(), "this test becomes another user, for which it must be root");
    let place = Scratch::new();
    let folder = place.path("tmp");
    std::fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o777);
    // The agent of user 54321 with no umask at all.
    let start = "umask 0; exec \"$0\" agent -s";
    let as_user = |uid: &str| {
        let mut command = program("setpriv");
        command.args(["--reuid", uid, "--regid", uid, "--clear-groups", "--"]);
        command
    };
    let binary = place.path("nacre");
    std::fs::copy(env!("CARGO_BIN_EXE_nacre"), &binary).unwrap();
    open_way(&binary);
    let started = done(as_user("54321").args(["sh", "-c", start]).arg(&binary).env("TMPDIR", &folder));
    assert_eq!(started.code, 0, "{}", started.err);
    let value = |name: &str| {
        let line = started.out.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap();
        line.split(';').next().unwrap().to_owned()
    };
    let (socket, process) = (value("SSH_AUTH_SOCK"), value("SSH_AGENT_PID"));
    let home = Path::new(&socket).parent().unwrap();
    assert_eq!(std::fs::metadata(home).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(std::fs::metadata(&socket).unwrap().mode() & 0o7777, 0o600);
    // A process that may not be inspected belongs to root in /proc.
    assert_eq!(std::fs::metadata(format!("/proc/{process}/environ")).unwrap().uid(), 0);
    // With all doors opened, the agent itself looks who comes.
    set_mode(home, 0o777);
    set_mode(Path::new(&socket), 0o777);
    let told = done(as_user("54322").args(["ssh-add", "-l"]).env("SSH_AUTH_SOCK", &socket));
    assert!(told.code != 0 && told.out.is_empty(), "another user is let in: {told:?}");
    let told = done(as_user("54321").args(["ssh-add", "-l"]).env("SSH_AUTH_SOCK", &socket));
    assert_eq!(told.out, "The agent has no identities.\n");
    let told = done(program("ssh-add").arg("-l").env("SSH_AUTH_SOCK", &socket));
    assert_eq!(told.out, "The agent has no identities.\n", "root may");
    assert_eq!(done(nacre().args(["agent", "-k"]).env("SSH_AGENT_PID", process)).code, 0);
    eventually("the end of the socket", || !home.exists());
}

/// Lets every user reach a file of the test.
fn open_way(file: &Path) {
    for folder in file.ancestors().skip(1).filter(|folder| folder.parent().is_some()) {
        let mode = std::fs::metadata(folder).unwrap().permissions().mode();
        if mode & 0o005 != 0o005 {
            set_mode(folder, mode | 0o005);
        }
    }
    set_mode(file, 0o755);
}

#[test]
fn an_agent_in_the_background_is_reached_and_ended_by_the_shell() {
    let place = Scratch::new();
    let script = "set -e; eval \"$(\"$NACRE\" agent -s)\" > started; ssh-add -q ed; ssh-add -l; echo $SSH_AUTH_SOCK > socket; \
                  ps -o pid= -p $SSH_AGENT_PID > running; eval \"$(\"$NACRE\" agent -k)\"; echo ${SSH_AUTH_SOCK-gone}";
    key(&place, "ed", &["-t", "ed25519"]);
    let run = done(
        program("sh")
            .args(["-c", script])
            .env("NACRE", env!("CARGO_BIN_EXE_nacre"))
            .env("TMPDIR", place.root())
            .current_dir(place.root()),
    );
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(
        run.out.contains("(ED25519)") && run.out.contains("killed\n") && run.out.ends_with("gone\n"),
        "{}",
        run.out
    );
    assert!(place.read("started").starts_with("Agent pid "));
    let socket = place.read("socket");
    assert!(socket.starts_with(place.root().to_str().unwrap()), "{socket}");
    eventually("the end of the folder", || !Path::new(socket.trim()).parent().unwrap().exists());
    // In the language of csh.
    let run = done(nacre().args(["agent", "-c"]).env("TMPDIR", place.root()));
    assert!(run.out.starts_with("setenv SSH_AUTH_SOCK ") && run.out.contains("\nsetenv SSH_AGENT_PID "), "{}", run.out);
    let process = run.out.lines().nth(1).unwrap().rsplit(' ').next().unwrap().trim_end_matches(';').to_owned();
    let run = done(nacre().args(["agent", "-k"]).env("SSH_AGENT_PID", &process).env("SHELL", "/bin/tcsh"));
    assert_eq!(
        run.out,
        format!("unsetenv SSH_AUTH_SOCK;\nunsetenv SSH_AGENT_PID;\necho Agent pid {process} killed;\n")
    );
    for (variables, told) in [(vec![], "SSH_AGENT_PID not set"), (vec![("SSH_AGENT_PID", "0x")], "not a good PID")] {
        let run = done(nacre().args(["agent", "-k"]).envs(variables));
        assert!(run.code == 1 && run.err.contains(told), "{}", run.err);
    }
}

#[test]
fn an_agent_in_front_tells_what_happens_and_forgets_all_at_a_signal() {
    let place = Scratch::new();
    let log = std::fs::File::create(place.path("log")).unwrap();
    let mut command = nacre();
    command.args(["agent", "-d", "-s", "-a"]).arg(place.path("socket"));
    let child = command.stdout(std::fs::File::create(place.path("out")).unwrap()).stderr(log).spawn().unwrap();
    let mut agent = Agent { child, socket: place.path("socket") };
    eventually("the socket", || UnixStream::connect(&agent.socket).is_ok());
    let path = key(&place, "ed", &["-t", "ed25519"]);
    assert_eq!(agent.ssh_add(&[&path]).code, 0);
    let signal = |name: &str| {
        let process = agent.child.id().to_string();
        assert_eq!(done(program("kill").args(["-s", name, &process])).code, 0);
    };
    signal("USR1");
    eventually("an empty agent", || agent.ssh_add(&["-l"]).code == 1);
    assert_eq!(agent.ssh_add(&["-d", &path]).code, 1);
    signal("TERM");
    assert_eq!(agent.child.wait().unwrap().code(), Some(2));
    assert!(!agent.socket.exists());
    let socket = place.path("socket");
    let said =
        format!("SSH_AUTH_SOCK={}; export SSH_AUTH_SOCK;\necho Agent pid {};\n", socket.display(), agent.child.id());
    assert_eq!(place.read("out"), said);
    let log = place.read("log");
    assert!(log.contains("debug1: SSH_AGENTC_ADD_IDENTITY: done; 1 keys are held"), "{log}");
    assert!(log.contains("debug1: SSH_AGENTC_REMOVE_IDENTITY: refused: the key is not held"), "{log}");
}

#[test]
fn an_agent_for_a_command_ends_with_it() {
    let place = Scratch::new();
    key(&place, "ed", &["-t", "ed25519"]);
    let script = "ssh-add -q ed && ssh-add -l && echo $SSH_AUTH_SOCK > socket && echo $SSH_AGENT_PID > pid; exit 3";
    let run = done(nacre().args(["agent", "sh", "-c", script]).env("TMPDIR", place.root()).current_dir(place.root()));
    assert_eq!(run.code, 3, "{}", run.err);
    assert!(run.out.contains("(ED25519)"), "{}", run.out);
    let (socket, process) = (place.read("socket"), place.read("pid"));
    eventually("the end of the agent", || !Path::new("/proc").join(process.trim()).join("exe").exists());
    assert!(!Path::new(socket.trim()).parent().unwrap().exists());
    let run = done(nacre().args(["agent", "/nonexistent"]).env("TMPDIR", place.path("")));
    assert!(run.code == 1 && run.err.contains("/nonexistent: No such file"), "{}", run.err);
}

#[test]
fn a_path_that_is_taken_or_too_long_is_refused_and_left_alone() {
    let place = Scratch::new();
    let taken = place.write("taken", "mine");
    let run = done(nacre().args(["agent", "-a"]).arg(&taken));
    assert!(run.code == 1 && run.err.contains("taken: Address already in use"), "{}", run.err);
    assert_eq!(place.read("taken"), "mine");
    let run = done(nacre().args(["agent", "-D", "-a"]).arg(place.path(&"x".repeat(120))));
    assert!(run.code == 1 && run.err.contains("at most 107 bytes"), "{}", run.err);
    let run = done(nacre().args(["agent", "-O", "x"]));
    assert!(run.code == 1 && run.err.contains("not supported"), "{}", run.err);
}
