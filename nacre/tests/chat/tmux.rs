//! The chat in tmux, as many people have it: OpenSSH's client in a pane that is looked at and resized by tmux itself.

use crate::chats::Chat;
use crate::common::program;
use crate::serve::{eventually, finish};
use std::process::Command;

/// A server of tmux of our own, which ends with the test.
struct Tmux {
    socket: std::path::PathBuf,
}

impl Tmux {
    fn start(chat: &Chat, command: &Command) -> Self {
        let tmux = Self { socket: chat.place.path("tmux") };
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let mut start = tmux.command();
        start.args(["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "-s", "chat"]);
        let done = finish(start.args(words), b"");
        assert_eq!(done.code, 0, "apt-get install tmux: {done:?}");
        tmux
    }

    fn command(&self) -> Command {
        let mut command = program("tmux");
        command.env("TERM", "xterm-256color").arg("-S").arg(&self.socket);
        command
    }

    fn does(&self, words: &[&str]) -> String {
        let done = finish(self.command().args(words), b"");
        assert_eq!(done.code, 0, "{words:?}: {done:?}");
        done.out
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        eventually(text, || self.does(&["capture-pane", "-p", "-t", "chat"]).contains(text));
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command().arg("kill-server").output();
    }
}

#[test]
fn tmux_shows_the_chat_and_resizes_it() {
    let chat = Chat::start();
    let mut bob = chat.comes("bob", &[]);
    let mut ssh = chat.ssh("alice");
    let tmux = Tmux::start(&chat, ssh.args(["-q", "-t", "alice@127.0.0.1"]));
    tmux.shows("You are alice");
    tmux.does(&["send-keys", "-t", "chat", "-l", "half typed 日本"]);
    tmux.shows("> half typed 日本");
    for number in 1..=5 {
        bob.say(&format!("news {number} 🎉"));
    }
    tmux.shows("bob: news 5 🎉");
    tmux.does(&["resize-window", "-t", "chat", "-x", "40", "-y", "10"]);
    eventually("a narrow screen", || {
        let screen = tmux.does(&["capture-pane", "-p", "-t", "chat"]);
        !screen.contains('│') && screen.contains("bob: news 5 🎉") && screen.contains("> half typed 日本")
    });
    tmux.does(&["send-keys", "-t", "chat", "語", "Enter"]);
    bob.hears("alice: half typed 日本語\n");
    // A paste that tmux brackets is one message.
    tmux.does(&["set-buffer", "one\ntwo\nthree"]);
    tmux.does(&["paste-buffer", "-p", "-t", "chat"]);
    tmux.shows("3 lines pasted");
    tmux.does(&["send-keys", "-t", "chat", "Enter"]);
    bob.hears("    | three");
    assert_eq!(bob.out().matches("alice:").count(), 2, "{}", bob.out());
    tmux.does(&["send-keys", "-t", "chat", "-l", "/quit"]);
    tmux.does(&["send-keys", "-t", "chat", "Enter"]);
    bob.hears("alice left");
}
