//! Debian's nats-server with a folder and a port of its own.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{Scratch, program};
use crate::programs::Running;
use crate::serve::{eventually, free_port};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An nkey that everybody knows, and its public half.
pub const SEED: &str = "SUAG433UEBQSA43FMNZGK5B2EBXW43DZEBTG64RAN52XEIDUMVZXI42PDE";
pub const USER: &str = "UAIAG4J6YFFXJCXJICQVQFAZ43V7USYR3GHKCKETDT7LKAHI3UPIQM4S";

/// A NATS with JetStream.
pub struct Nats {
    place: Scratch,
    server: Option<Running>,
    pub port: u16,
}

impl Nats {
    #[track_caller]
    pub fn start() -> Self {
        Self::with("")
    }

    /// One with these lines of configuration.
    #[track_caller]
    pub fn with(lines: &str) -> Self {
        let place = Scratch::new();
        place.write("config", lines);
        let mut nats = Self { place, server: None, port: free_port() };
        nats.serve();
        nats
    }

    /// Starts it, anew if it runs: the one before is killed.
    #[track_caller]
    pub fn serve(&mut self) {
        self.dies();
        let mut command: Command = program("nats-server");
        command.args(["-js", "-a", "127.0.0.1", "-p"]).arg(self.port.to_string());
        command.arg("-sd").arg(self.place.path("store")).arg("-c").arg(self.place.path("config"));
        self.server = Some(Running::start(&mut command));
        eventually("nats-server (Debian's package nats-server)", || self.greets());
    }

    /// Whether it says hello.
    fn greets(&self) -> bool {
        let Ok(socket) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).is_ok() && line.contains("\"jetstream\":true")
    }

    /// kill -9.
    pub fn dies(&mut self) {
        self.server = None;
    }

    /// It hears and says nothing, as behind a link that is down.
    pub fn stands_still(&self) {
        self.signal(Signal::STOP);
    }

    pub fn goes_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = self.server.as_ref().unwrap().id();
        kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), signal).unwrap();
    }

    /// Lines of configuration for a node.
    pub fn node(&self, name: &str) -> String {
        format!("ChatBackplane nats://127.0.0.1:{}\nChatNode {name}\n", self.port)
    }
}

/// A cable to a server on this machine, which can be cut and mended.
pub struct Cable {
    pub port: u16,
    whole: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let cable = Self { port: own, whole: Arc::new(AtomicBool::new(true)), ends: Arc::default() };
        let (whole, ends) = (cable.whole.clone(), cable.ends.clone());
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let mut ends = ends.lock().unwrap();
                // One that is cut closes what comes.
                if let Some(far) =
                    whole.load(Ordering::SeqCst).then(|| TcpStream::connect(("127.0.0.1", port)).unwrap())
                {
                    carry(&near, &far);
                    carry(&far, &near);
                    ends.extend([near, far]);
                }
            }
        });
        cable
    }

    pub fn cut(&mut self) {
        let mut ends = self.ends.lock().unwrap();
        self.whole.store(false, Ordering::SeqCst);
        ends.drain(..).for_each(|end| drop(end.shutdown(Shutdown::Both)));
    }

    pub fn mend(&mut self) {
        self.whole.store(true, Ordering::SeqCst);
    }
}

fn carry(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
