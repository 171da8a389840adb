//! A running `nacre chat serve`, and people who come to it with OpenSSH's client.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{Scratch, nacre, program};
use crate::programs::Running;
use crate::screen::Screen;
use crate::serve::{Done, eventually, finish, free_port, make_key, send};
use std::process::Command;

/// A chat with a folder of its own.
pub struct Chat {
    pub place: Scratch,
    server: Option<Running>,
    pub port: u16,
}

impl Chat {
    pub fn start() -> Self {
        Self::with("")
    }

    /// One with these lines of configuration.
    #[track_caller]
    pub fn with(lines: &str) -> Self {
        let place = Scratch::new();
        for name in ["host", "alice", "bob", "carol", "mallory"] {
            make_key(&place, name);
        }
        place.write("config", lines);
        let mut chat = Self { place, server: None, port: 0 };
        chat.serve();
        chat
    }

    /// Starts the server, anew if it runs: the one before is killed.
    #[track_caller]
    pub fn serve(&mut self) {
        self.server = None;
        if self.port == 0 {
            self.port = free_port();
        }
        let mut command = nacre();
        command.args(["chat", "serve", "--user-mode", "--state"]).arg(self.place.path("state"));
        command.arg("-f").arg(self.place.path("config")).arg("-h").arg(self.place.path("host"));
        command.arg("--listen").arg(format!("127.0.0.1:{}", self.port));
        let server = Running::start(&mut command);
        server.complains("  stop  ");
        self.server = Some(server);
    }

    /// Writes another configuration and has the server read it (SIGHUP); waits until its log tells what came of it.
    #[track_caller]
    pub fn reload(&self, lines: &str) -> String {
        self.place.write("config", lines);
        let server = self.server.as_ref().unwrap();
        let before = server.err().len();
        send(server.id(), "HUP");
        let told =
            || server.err().get(before..)?.lines().find(|line| line.contains("configuration ")).map(str::to_owned);
        eventually("the server reads its configuration again", || told().is_some());
        told().unwrap()
    }

    /// Asks the server to end, and waits until it did.
    #[track_caller]
    pub fn end(&mut self) {
        let mut server = self.server.take().unwrap();
        send(server.id(), "TERM");
        assert_eq!(server.ends(), 0, "{}", server.err());
    }

    /// Kills the server.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Waits until the server has said this on standard error.
    #[track_caller]
    pub fn server_complains(&self, text: &str) {
        self.server.as_ref().unwrap().complains(text);
    }

    /// The socket that sessions of this machine come to: below a folder of the account's, where root started the chat.
    pub fn socket(&self) -> String {
        let folders = ["state/chat/join.sock", "state/join.sock"].map(|name| self.place.path(name));
        folders.iter().find(|path| path.exists()).unwrap().display().to_string()
    }

    /// OpenSSH's client as this person, without destination.
    pub fn ssh(&self, key: &str) -> Command {
        let mut ssh = program("ssh");
        ssh.args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o"]);
        ssh.arg(format!("UserKnownHostsFile={}", self.place.path("known").display()));
        ssh.args(["-o", "IdentitiesOnly=yes", "-p"]).arg(self.port.to_string());
        ssh.arg("-i").arg(self.place.path(key));
        ssh
    }

    /// Dropbear's client as this person, without destination.
    pub fn dropbear(&self, key: &str) -> Command {
        let converted = self.place.path(&format!("{key}.dropbear"));
        let mut convert = program("dropbearconvert");
        let done = finish(convert.args(["openssh", "dropbear"]).arg(self.place.path(key)).arg(&converted), b"");
        assert_eq!(done.code, 0, "{}", done.err);
        let mut client = program("dbclient");
        client.env("HOME", self.place.root()).env("TERM", "xterm").args(["-y", "-y", "-p", &self.port.to_string()]);
        client.arg("-i").arg(converted);
        client
    }

    /// Somebody comes in, with lines.
    #[track_caller]
    pub fn comes(&self, nick: &str, more: &[&str]) -> Running {
        let person = Running::start(self.ssh(nick).arg("-T").arg(format!("{nick}@127.0.0.1")).args(more));
        person.hears(&format!("You are {nick}"));
        person
    }

    /// Somebody sits down at a terminal of this size; `name` is a key's, and the nick.
    #[track_caller]
    pub fn sits(&self, name: &str, columns: u32, rows: u32) -> Screen {
        let mut ssh = self.ssh(name);
        ssh.env("TERM", "xterm-256color").args(["-q", "-t"]).arg(format!("{name}@127.0.0.1"));
        let mut screen = Screen::runs(&ssh, columns, rows);
        screen.sees(&format!("You are {name}"));
        screen
    }

    /// MiB of the server that are its own (proc(5), `RssAnon`).
    pub fn memory(&self) -> f64 {
        let pid = self.server.as_ref().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// What the server wrote so far.
    pub fn log(&self) -> String {
        self.server.as_ref().unwrap().err()
    }

    #[track_caller]
    pub fn runs(&self, words: &[&str]) -> Done {
        finish(self.ssh("alice").args(words), b"")
    }
}
