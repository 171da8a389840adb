//! A net process that obeys its peer, and that peer's side. Lines go each way: `do WORDS` is a deed
//! behind the walls, `say HEX` a message for the monitor; the answer is what came of it. `repeat COUNT HEX` waits for no answers.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::root::{NOBODY, Root};
use data_encoding::HEXLOWER;
use nacre_net::privsep::{FromMonitor, MAX_MESSAGE, ToMonitor};
use nacre_sys::messages::MessageSocket;
use nacre_sys::sandbox::Confinement;
use std::borrow::Cow;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Whether the peer of this net process is not 127.0.0.1: its socket is descriptor 5.
pub fn is_taken() -> bool {
    let link = std::fs::read_link("/proc/self/fd/5").unwrap().display().to_string();
    let inode = link.trim_start_matches("socket:[").trim_end_matches(']');
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let line = table.lines().find(|line| line.split_whitespace().nth(9) == Some(inode));
    let remote = line.and_then(|line| line.split_whitespace().nth(2)).unwrap_or_default();
    !remote.starts_with("0100007F")
}

/// The net process.
pub fn run(args: &[Cow<'_, str>]) -> ExitCode {
    let mut fds = nacre_sys::role::inherited(args[0].parse().unwrap()).unwrap().into_iter();
    let link = MessageSocket::from(fds.next().unwrap());
    let root = fds.next().unwrap();
    let mut peer = TcpStream::from(fds.next().unwrap());
    peer.set_nonblocking(false).unwrap();
    link.receive(&mut vec![0; MAX_MESSAGE]).unwrap();
    let (uid, gid) = (args[1].parse().unwrap(), args[2].parse().unwrap());
    assert_eq!((uid, args[3].as_ref()), (NOBODY.1, "true"));
    Confinement { uid, gid, root, max_open_files: 100 }.confine().unwrap();
    let mut lines = BufReader::new(peer.try_clone().unwrap()).lines();
    writeln!(peer, "taken").unwrap();
    while let Some(Ok(line)) = lines.next() {
        let answer = match line.split_once(' ') {
            Some(("do", deed)) => errno(deed),
            Some(("say", hex)) => say(&link, &HEXLOWER.decode(hex.as_bytes()).unwrap()),
            Some(("repeat", words)) => repeat(&link, words),
            _ => panic!("{line}"),
        };
        let Some(answer) = answer else { break };
        writeln!(peer, "{answer}").unwrap();
    }
    ExitCode::SUCCESS
}

/// Says something and reads the answer, if it is a question; otherwise whatever comes.
fn say(link: &MessageSocket, message: &[u8]) -> Option<String> {
    link.send(message, &[]).ok()?;
    if message.first().is_some_and(|number| matches!(number, 10 | 11)) {
        return Some("nothing".to_owned());
    }
    let mut buffer = vec![0; MAX_MESSAGE];
    let received = link.receive(&mut buffer).ok().filter(|received| received.len > 0)?;
    Some(HEXLOWER.encode(&buffer[..received.len]))
}

/// Says something so many times.
fn repeat(link: &MessageSocket, words: &str) -> Option<String> {
    let (count, hex) = words.split_once(' ').unwrap();
    let message = HEXLOWER.decode(hex.as_bytes()).unwrap();
    (0..count.parse().unwrap()).try_for_each(|_: u32| link.send(&message, &[])).ok()?;
    Some("nothing".to_owned())
}

fn errno(deed: &str) -> Option<String> {
    let error = match try_to(deed) {
        Ok(()) => return Some("done".to_owned()),
        Err(error) => error,
    };
    Some(format!("errno {}", nacre_sys::errno_of(&error).unwrap_or(-1)))
}

fn try_to(deed: &str) -> std::io::Result<()> {
    let (what, object) = deed.split_once(' ').unwrap_or((deed, ""));
    match what {
        "open" => std::fs::File::open(object).map(drop),
        "list" => std::fs::read_dir(object).map(drop),
        "stat" => std::fs::metadata(object).map(drop),
        "unlink" => std::fs::remove_file(object),
        "mkdir" => std::fs::create_dir(object),
        "unix" => UnixStream::connect(object).map(drop),
        "socketpair" => UnixStream::pair().map(drop),
        "connect" => TcpStream::connect(object).map(drop),
        "bind" => TcpListener::bind(object).map(drop),
        "udp" => UdpSocket::bind(object).map(drop),
        "exec" => Err(Command::new(object).exec()),
        "spawn" => Command::new(object).status().map(drop),
        "thread" => std::thread::Builder::new().spawn(|| ()).map(drop),
        "chroot" => std::os::unix::fs::chroot(object),
        "kill" => {
            let pid = rustix::process::Pid::from_raw(object.parse().unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).map_err(Into::into)
        }
        _ => panic!("{deed}"),
    }
}

/// What came of an order.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time exists, in a test")]
pub enum Reply {
    /// The net process is gone, or its monitor.
    Gone,
    /// What a deed did.
    Text(String),
    /// What the monitor said.
    Message(FromMonitor),
}

impl PartialEq for Reply {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Gone, Self::Gone) => true,
            (Self::Text(one), Self::Text(two)) => one == two,
            _ => false,
        }
    }
}

impl Reply {
    /// A program runs or somebody is logged in who should not be.
    pub fn starts_something(&self) -> bool {
        matches!(self, Self::Message(FromMonitor::Password { permissions: Some(_), .. }))
    }
}

/// A connection whose net process obeys.
pub struct Taken {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
    address: Ipv4Addr,
}

/// Connects from an address of the loopback network.
pub fn connect_from(address: Ipv4Addr, port: u16) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((address, 0).into()).unwrap();
        socket.connect((Ipv4Addr::LOCALHOST, port).into()).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream
}

impl Taken {
    /// Each from an address of its own.
    pub fn connect(server: &Root) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(2);
        let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let address = Ipv4Addr::new(127, 1, high, low);
        let stream = connect_from(address, server.port);
        stream.set_read_timeout(Some(Duration::from_secs(180))).unwrap();
        let mut taken = Self { lines: BufReader::new(stream.try_clone().unwrap()), stream, address };
        assert_eq!(taken.line().as_deref(), Some("taken"), "{}", server.log());
        taken
    }

    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer"),
            Err(_) => None,
        }
    }

    fn order(&mut self, line: &str) -> Option<String> {
        writeln!(self.stream, "{line}").ok()?;
        self.line()
    }

    /// Has it try something.
    pub fn does(&mut self, deed: &str) -> Reply {
        self.order(&format!("do {deed}")).map_or(Reply::Gone, Reply::Text)
    }

    /// Has it say something to its monitor.
    pub fn says(&mut self, message: &ToMonitor) -> Reply {
        self.says_bytes(&message.to_bytes())
    }

    /// Has it say something many times, whatever is answered.
    pub fn repeats(&mut self, count: u32, message: &ToMonitor) -> Reply {
        let order = format!("repeat {count} {}", HEXLOWER.encode(&message.to_bytes()));
        self.order(&order).map_or(Reply::Gone, Reply::Text)
    }

    /// Has it say whatever.
    pub fn says_bytes(&mut self, bytes: &[u8]) -> Reply {
        match self.order(&format!("say {}", HEXLOWER.encode(bytes))) {
            None => Reply::Gone,
            Some(text) if text == "nothing" => Reply::Text(text),
            Some(hex) => {
                let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
                Reply::Message(FromMonitor::from_bytes(&bytes).unwrap())
            }
        }
    }
}
