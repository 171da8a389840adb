//! The chat where root serves: who parses what, and as whom.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[cfg(feature = "nats")]
#[path = "common/nats.rs"]
mod nats;
#[path = "common/lab.rs"]
mod programs;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use common::{Scratch, program};
use programs::Running;
use root::{NOBODY, Root, children, possible, status};
use serve::{finish, free_port, make_key, send};
use std::path::Path;

/// `nacre chat serve` as root beside a server, with its view of accounts.
struct Chat {
    server: Running,
    port: u16,
}

impl Chat {
    /// With more words of the configuration.
    fn start(server: &Root, words: &[String]) -> Self {
        let port = free_port();
        let mut command = program("nsenter");
        command.args(["-t", &server.pid().to_string(), "-m", env!("CARGO_BIN_EXE_nacre"), "chat", "serve", "--state"]);
        command.arg(server.place.path("chat")).arg("-h").arg(server.place.path("host"));
        command.arg("--listen").arg(format!("127.0.0.1:{port}")).args(["-f", "/dev/null"]);
        command.args(words.iter().flat_map(|word| ["-o", word]));
        let chat = Self { server: Running::start(&mut command), port };
        chat.server.complains("  stop  ");
        chat
    }
}

fn start() -> Option<(Root, Chat)> {
    if !possible() {
        return None;
    }
    // The socket's place is known before the server is.
    let nacre = Path::new(env!("CARGO_BIN_EXE_nacre"));
    let place = Scratch::new();
    let socket = place.path("sock");
    let server = Root::start(
        nacre,
        &format!(
            "Subsystem chat internal-chat {socket}\nAcceptEnv LD_PRELOAD\nForceCommand none\n",
            socket = socket.display()
        ),
    );
    let chat = Chat::start(&server, &[]);
    std::fs::set_permissions(place.root(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(server.place.path("chat/chat/join.sock"), &socket).unwrap();
    std::mem::forget(place);
    Some((server, chat))
}

#[test]
fn root_gives_itself_up_before_anybody_comes() {
    let Some((server, chat)) = start() else { return };
    let pid = chat.server.id();
    let id = NOBODY.1.to_string();
    assert_eq!(status(pid, "Uid"), [id.as_str(); 4].join(" "));
    assert_eq!(status(pid, "Gid"), [id.as_str(); 4].join(" "));
    assert_eq!(status(pid, "CapEff"), "0000000000000000");
    assert!(children(pid).is_empty());
    let folder = server.place.path("chat/chat");
    use std::os::unix::fs::MetadataExt;
    assert_eq!(std::fs::metadata(folder.join("chat.db")).unwrap().uid(), NOBODY.1);
    assert_eq!(std::fs::metadata(folder.join("chat.db")).unwrap().mode() & 0o777, 0o600);
    make_key(&server.place, "zoe");
    let mut ssh = server.client(chat.port);
    let mut zoe = Running::start(ssh.arg("-i").arg(server.place.path("zoe")).args(["-T", "zoe@127.0.0.1"]));
    zoe.hears("You are zoe");
    zoe.say("hello");
    zoe.hears("zoe: hello");
    let mut admin = common::nacre();
    let done = finish(admin.args(["chat", "admin", "accounts", "--state"]).arg(server.place.path("chat")), b"");
    assert!(done.out.starts_with("zoe "), "{done:?}");
}

/// A file for root's eyes only.
fn secret(server: &Root, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    server.place.write(name, text);
    let path = server.place.path(name);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

#[test]
fn root_reads_what_the_configuration_names_before_it_gives_itself_up() {
    if !possible() {
        return;
    }
    let server = Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), "");
    let chat = Chat::start(&server, &[format!("ChatMotd={}", secret(&server, "motd", "From root itself.\n"))]);
    make_key(&server.place, "zoe");
    let zoe = || {
        let mut ssh = server.client(chat.port);
        let zoe = Running::start(ssh.arg("-i").arg(server.place.path("zoe")).args(["-T", "zoe@127.0.0.1"]));
        zoe.hears("From root itself.");
    };
    zoe();
    // It may not read it again, says so, and goes on with what it has.
    send(chat.server.id(), "HUP");
    chat.server.complains("configuration not reloaded, the old one stays: ");
    chat.server.complains("motd: Permission denied");
    zoe();
}

#[cfg(feature = "nats")]
#[test]
fn root_shows_nats_who_it_is_with_a_file_that_only_root_may_read() {
    if !possible() {
        return;
    }
    let server = Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), "");
    let mut nats = nats::Nats::with(&format!("authorization {{ users: [ {{ nkey: {} }} ] }}\n", nats::USER));
    let seed = secret(&server, "seed", nats::SEED);
    let words = [
        format!("ChatBackplane=nats://127.0.0.1:{}", nats.port),
        format!("ChatBackplaneCredentials={seed}"),
        "ChatNode=one".to_owned(),
    ];
    let chat = Chat::start(&server, &words);
    let reached = |times| {
        serve::eventually("the other nodes are reached", || {
            chat.server.err().matches("the other nodes are reached").count() == times
        });
    };
    reached(1);
    assert_eq!(status(chat.server.id(), "Uid"), [NOBODY.1.to_string().as_str(); 4].join(" "));
    send(chat.server.id(), "HUP");
    chat.server
        .complains("seed: Permission denied (os error 13): what was read before stays until the chat is started anew");
    chat.server.complains("configuration reloaded");
    // It is shown again on every link.
    nats.serve();
    reached(2);
    // A file that may be read is read: here it is of no use any more.
    std::fs::write(&seed, "SU").unwrap();
    std::fs::set_permissions(&seed, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    send(chat.server.id(), "HUP");
    chat.server.complains("seed was read again, for the next link to the other nodes");
    nats.serve();
    chat.server.complains("the other nodes are not reached by ");
}

#[test]
fn root_serves_the_chat_to_accounts_by_their_own_names() {
    let Some((server, _chat)) = start() else { return };
    let mut carol = Running::start(server.ssh("carol", &["-T", "-s"]).arg("chat"));
    carol.hears("You are carol");
    let mut dave =
        Running::start(server.ssh("dave", &["-T", "-s", "-o", "SetEnv=LD_PRELOAD=/nonexistent"]).arg("chat"));
    dave.hears("You are dave");
    carol.hears("dave joined");
    dave.say("hello carol");
    carol.hears("dave: hello carol");
    assert!(!dave.err().contains("LD_PRELOAD"), "{}", dave.err());
    // What attends a session is its user.
    let helpers: Vec<u32> = server.families().into_iter().filter_map(|family| family.helper).collect();
    let attending: Vec<String> = helpers.iter().flat_map(|pid| children(*pid)).map(|pid| status(pid, "Uid")).collect();
    assert_eq!(attending.len(), 2, "{attending:?}");
    assert!(attending.iter().all(|uids| uids.starts_with("5440")), "{attending:?}");
    // Somebody with a shell is who the kernel says, whatever is claimed.
    let socket = server.place.path("chat/chat/join.sock");
    let claim = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
        s.sendall(b'{\"login\":\"root\",\"columns\":80,\"rows\":24,\"rooms\":[],\"json\":false,\"colours\":false}\\n')\n\
        b=b''\nwhile b'You are' not in b or not b.endswith(b'\\n'): b+=s.recv(4096)\nprint(b)\n";
    server.place.write("claim.py", claim);
    let command = format!("python3 {} {}", server.place.path("claim.py").display(), socket.display());
    let done = server.run("carol", &command);
    assert!(done.out.contains("You are carol") && !done.out.contains("You are root"), "{done:?}");
    carol.say("/quit");
    assert_eq!(carol.ends(), 0);
}
