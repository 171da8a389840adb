//! Either end of a transfer is killed in the middle of a large file: what is there is gone on with, and is whole in the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/serve.rs"]
mod serve;

use common::{Scratch, nacre};
use serve::{Server, eventually, finish, is_alive, send};
use std::io::Write;
use std::process::{Command, Stdio};

/// 2 GiB where there is time (`NACRE_LARGE=1`); the same happens with less.
fn size() -> u64 {
    if std::env::var_os("NACRE_LARGE").is_some() { 1 << 31 } else { 192 << 20 }
}

/// A file whose blocks all differ, and its hash by a program that is not ours.
fn fill(place: &Scratch, size: u64) -> String {
    let mut file = std::io::BufWriter::new(std::fs::File::create(place.path("large")).unwrap());
    for number in 0..size / 8 {
        file.write_all(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).unwrap();
    }
    file.into_inner().unwrap();
    hash(place, "large")
}

fn hash(place: &Scratch, name: &str) -> String {
    let done = finish(Command::new("sha256sum").stdin(std::fs::File::open(place.path(name)).unwrap()), b"");
    assert_eq!(done.code, 0, "{done:?}");
    done.out
}

/// Those that any of its threads started.
fn children(pid: u32) -> Vec<u32> {
    let parent = |stat: &str| stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok();
    let is_child = |child: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        parent(&stat) == Some(pid) && is_alive(*child)
    };
    let all = std::fs::read_dir("/proc").unwrap();
    all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).filter(is_child).collect()
}

fn scp(place: &Scratch, server: &Server) -> Command {
    let mut scp = nacre();
    scp.args(["scp", "-q", "-F", "none", "-B", "-P", &server.port.to_string(), "-i"]).arg(server.place.path("id"));
    scp.args(["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=none", "-oLogLevel=ERROR"]);
    scp.current_dir(place.root()).stdin(Stdio::null());
    scp
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Victim {
    Scp,
    Ssh,
    Worker,
    Server,
}

/// Copies the large file and kills one of those who take part in the middle of it. False: it was quicker than that.
fn is_cut(place: &Scratch, server: &Server, victim: Victim, down: bool, size: u64) -> bool {
    let (from, to) = ends_of(place, server, down);
    let part = place.path("to/.large.nacre-part");
    let mut cut = scp(place, server).args(["-l", "1600000", &from, &to]).stderr(Stdio::null()).spawn().unwrap();
    let whole = place.path("to/large");
    eventually("half of it", || whole.exists() || part.metadata().is_ok_and(|metadata| metadata.len() > size / 2));
    let workers = children(server.pid());
    let pid = match victim {
        Victim::Scp => Some(cut.id()),
        Victim::Ssh => children(cut.id()).first().copied(),
        Victim::Worker => workers.first().copied(),
        Victim::Server => Some(server.pid()),
    };
    if let Some(pid) = pid {
        send(pid, "KILL");
    }
    let code = cut.wait().unwrap().code();
    if victim == Victim::Server {
        eventually("the server's end", || !is_alive(server.pid()));
    }
    // What is under way is written before the next one looks.
    eventually("the workers' end", || workers.iter().all(|pid| !is_alive(*pid)));
    if whole.exists() {
        assert_eq!(hash(place, "to/large"), hash(place, "large"), "{victim:?} {down}: it only looks finished");
        return false;
    }
    assert_ne!(code, Some(0), "{victim:?} {down}");
    true
}

fn ends_of(place: &Scratch, server: &Server, down: bool) -> (String, String) {
    let far = |name: &str| format!("{}@127.0.0.1:{}", server.user, place.path(name).display());
    if down { (far("large"), "to".to_owned()) } else { ("large".to_owned(), far("to")) }
}

#[test]
fn either_end_is_killed_and_resume_sends_little_twice() {
    let (place, size) = (Scratch::new(), size());
    let hash_of_large = fill(&place, size);
    for victim in [Victim::Scp, Victim::Ssh, Victim::Worker, Victim::Server] {
        for down in [true, false] {
            let mut server = Server::start("");
            let part = place.path("to/.large.nacre-part");
            eventually("a cut in the middle", || {
                std::fs::create_dir(place.path("to")).unwrap();
                let cut = is_cut(&place, &server, victim, down, size);
                if !cut {
                    // It was over before it could be cut: this machine has other things to do.
                    std::fs::remove_dir_all(place.path("to")).unwrap();
                    if victim == Victim::Server {
                        server = Server::start("");
                    }
                }
                cut
            });
            if victim == Victim::Server {
                server = Server::start("");
            }
            let left = part.metadata().unwrap().len();
            let (from, to) = ends_of(&place, &server, down);
            let done = finish(scp(&place, &server).args(["--resume", "--json", &from, &to]), b"");
            assert_eq!((done.code, done.err.as_str()), (0, ""), "{victim:?} {down}: {}", done.out);
            let total: serde_json::Value = serde_json::from_str(done.out.lines().last().unwrap()).unwrap();
            let twice = left + total["moved"].as_u64().unwrap() - size;
            assert!(twice < size / 10, "{victim:?} {down}: {twice} bytes of {size} were sent twice");
            assert_eq!(hash(&place, "to/large"), hash_of_large, "{victim:?} {down}");
            std::fs::remove_dir_all(place.path("to")).unwrap();
        }
    }
}
