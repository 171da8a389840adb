//! Servers to talk to, files to move, and a watcher that remembers.

use nacre_files::remote::{Remote, shown};
use nacre_files::server::{Settings, serve};
use nacre_files::transfer::{Event, How, Proof, Watcher};
use nacre_sftp::packet::{self, LENGTH};
use nacre_sftp::{Code, Extensions, Reply, Request};
use rustix::pipe::{PipeFlags, pipe_with};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub const OPENSSH: &str = "/usr/lib/openssh/sftp-server";

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Nacre,
    OpenSsh,
}

pub const PEERS: [Peer; 2] = [Peer::Nacre, Peer::OpenSsh];

/// The bytes that may pass to a server and from it before the connection is cut.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    pub to: u64,
    pub from: u64,
}

impl Peer {
    /// A connection to a new server, whose relative paths count from where the tests run: use absolute ones.
    pub fn connect(self) -> Remote {
        let (input, output) = self.ends();
        Remote::open(input, output).unwrap()
    }

    /// A connection that is cut after so many bytes either way.
    pub fn connect_until(self, cut: Cut) -> Remote {
        let (input, output) = self.ends();
        let (near_input, far_output) = pipe();
        let (far_input, near_output) = pipe();
        std::thread::spawn(move || pass(&far_input, &output, cut.to));
        std::thread::spawn(move || pass(&input, &far_output, cut.from));
        Remote::open(near_input, near_output).unwrap()
    }

    /// The near ends of a new server: what it says, and what it hears.
    pub fn ends(self) -> (OwnedFd, OwnedFd) {
        match self {
            Self::Nacre => {
                let (near_input, far_output) = pipe();
                let (far_input, near_output) = pipe();
                remember(std::thread::spawn(move || drop(serve(Settings::default(), far_input, far_output))));
                (near_input, near_output)
            }
            Self::OpenSsh => {
                let child = Command::new(OPENSSH).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
                let mut child = child.expect("OpenSSH's sftp-server is installed (openssh-sftp-server)");
                let ends = (child.stdout.take().unwrap().into(), child.stdin.take().unwrap().into());
                remember(std::thread::spawn(move || drop(child.wait())));
                ends
            }
        }
    }
}

thread_local! {
    /// The servers that this test started.
    static SERVERS: RefCell<Vec<JoinHandle<()>>> = const { RefCell::new(Vec::new()) };
}

fn remember(server: JoinHandle<()>) {
    SERVERS.with_borrow_mut(|servers| servers.push(server));
}

/// Waits until every server of this test has seen the end of its connection, so that what was on its way is written.
pub fn servers_end() {
    for server in SERVERS.take() {
        server.join().unwrap();
    }
}

/// A server so far away that a byte takes `delay` in each direction, on a path of any width.
pub fn far_away(peer: Peer, delay: Duration) -> Remote {
    let (input, output) = peer.ends();
    let (near_input, far_output) = pipe();
    let (far_input, near_output) = pipe();
    for (from, to) in [(far_input, output), (input, far_output)] {
        let (mut from, mut to) = (std::fs::File::from(from), std::fs::File::from(to));
        let (sender, receiver) = std::sync::mpsc::channel::<(Instant, Vec<u8>)>();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let _ = sender.send((Instant::now() + delay, buffer[..count].to_vec()));
            }
        });
        std::thread::spawn(move || {
            for (due, data) in receiver {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let _ = to.write_all(&data);
            }
        });
    }
    Remote::open(near_input, near_output).unwrap()
}

/// A server whose requests pass through here first: `refuse` may answer one itself.
pub fn refusing(peer: Peer, refuse: impl FnMut(&Request<'_>) -> Option<Code> + Send + 'static) -> Remote {
    through(peer, refuse, |_| {})
}

/// A server whose announcement of extensions is lost on the way.
pub fn plain(peer: Peer) -> Remote {
    through(
        peer,
        |_| None,
        |packet| {
            if packet[LENGTH] == packet::VERSION {
                packet.clear();
                Extensions::default().encode(packet);
            }
        },
    )
}

fn through(
    peer: Peer,
    mut refuse: impl FnMut(&Request<'_>) -> Option<Code> + Send + 'static,
    mut change: impl FnMut(&mut Vec<u8>) + Send + 'static,
) -> Remote {
    let (input, output) = peer.ends();
    let (near_input, far_output) = pipe();
    let (far_input, near_output) = pipe();
    let back = Arc::new(Mutex::new(std::fs::File::from(far_output)));
    let (mut from_server, mut to_server) = (std::fs::File::from(input), std::fs::File::from(output));
    let mut from_client = std::fs::File::from(far_input);
    let answers = Arc::clone(&back);
    std::thread::spawn(move || {
        while let Some(packet) = packet_of(&mut from_client) {
            let request = Request::decode(&packet[LENGTH..]).ok();
            match request.and_then(|(id, request)| Some((id, refuse(&request)?))) {
                Some((id, code)) => {
                    let mut out = Vec::new();
                    Reply::encode_status(id, code, &mut out);
                    let _ = answers.lock().unwrap().write_all(&out);
                }
                None => drop(to_server.write_all(&packet)),
            }
        }
    });
    std::thread::spawn(move || {
        while let Some(mut packet) = packet_of(&mut from_server) {
            change(&mut packet);
            let _ = back.lock().unwrap().write_all(&packet);
        }
    });
    Remote::open(near_input, near_output).unwrap()
}

/// The next packet with its length.
fn packet_of(from: &mut std::fs::File) -> Option<Vec<u8>> {
    let mut packet = vec![0; LENGTH];
    from.read_exact(&mut packet).ok()?;
    let length = u32::from_be_bytes(packet[..].try_into().unwrap());
    packet.resize(LENGTH + length as usize, 0);
    from.read_exact(&mut packet[LENGTH..]).ok()?;
    Some(packet)
}

pub fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).unwrap()
}

/// Passes bytes on until there were so many, then drops both ends.
fn pass(from: &OwnedFd, to: &OwnedFd, mut most: u64) {
    let mut buffer = vec![0; 64 * 1024];
    while most > 0 {
        let room = buffer.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        let Ok(count) = rustix::io::read(from, &mut buffer[..room]) else { return };
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            match rustix::io::write(to, rest) {
                Ok(written) => rest = &rest[written..],
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
        if count == 0 {
            return;
        }
        most -= count as u64;
    }
}

/// What happened.
#[derive(Debug, Default)]
pub struct Seen {
    /// By name: where it was begun, and how.
    pub started: BTreeMap<String, (u64, How)>,
    pub finished: usize,
    pub verified: Vec<Proof>,
    /// By name.
    pub failed: BTreeMap<String, String>,
    pub notes: Vec<String>,
    pub planned: (u64, u64),
    pub progress: Vec<u64>,
    /// Cancels when so many bytes of a file are done.
    pub cancel_at: Option<u64>,
    pub cancel: Cell<bool>,
}

impl Watcher for Seen {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Planned { files, bytes } => self.planned = (*files, *bytes),
            Event::Started { name, resumed_at, how, .. } => {
                self.started.insert(last(name), (*resumed_at, *how));
            }
            Event::Progress { done, .. } => {
                self.progress.push(*done);
                if self.cancel_at.is_some_and(|at| *done >= at) {
                    self.cancel.set(true);
                }
            }
            Event::Verified { how, .. } => self.verified.push(*how),
            Event::Finished { .. } => self.finished += 1,
            Event::Failed { name, error, .. } => {
                self.failed.insert(last(name), error.to_string());
            }
            Event::Note(line) => self.notes.push((*line).to_owned()),
        }
    }

    fn cancelled(&self) -> bool {
        self.cancel.get()
    }
}

fn last(name: &[u8]) -> String {
    shown(name.rsplit(|byte| *byte == b'/').next().unwrap())
}

/// Bytes that no two offsets have alike.
pub fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(count + 8);
    while out.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(count);
    out
}

pub fn write(path: &Path, seed: u64, count: usize) -> Vec<u8> {
    let data = bytes(seed, count);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, &data).unwrap();
    data
}

/// All files of a tree: relative path to mode and content; folders have none.
pub fn tree(root: &Path) -> BTreeMap<PathBuf, (u32, Option<Vec<u8>>)> {
    use std::os::unix::fs::PermissionsExt;
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::metadata(&path).unwrap();
            let content = metadata.is_file().then(|| std::fs::read(&path).unwrap());
            let mode = metadata.permissions().mode() & 0o7777;
            all.insert(path.strip_prefix(root).unwrap().to_owned(), (mode, content));
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    all
}

pub fn raw(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}

/// What a transfer leaves of a file that is not complete.
pub fn part_of(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.nacre-part", path.file_name().unwrap().to_str().unwrap()))
}
