//! A worker on a thread, and a client that says exactly what a test wants said.

use nacre_files::server::{Error, Settings, Totals, serve};
use nacre_sftp::request::{FXF_CREAT, FXF_READ, FXF_TRUNC, FXF_WRITE};
use nacre_sftp::{Attributes, Code, Extensions, Name, Reply, Request, client, packet};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

/// A reply that keeps its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    Status(Code, String),
    Handle(Vec<u8>),
    Data(Vec<u8>),
    Names(Vec<Name>),
    Attributes(Attributes),
    Extended(Vec<u8>),
}

impl Got {
    #[track_caller]
    pub fn code(&self) -> Code {
        match self {
            Self::Status(code, _) => *code,
            other => panic!("no status: {other:?}"),
        }
    }

    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Status(Code::Ok, _))
    }

    #[track_caller]
    pub fn handle(self) -> Vec<u8> {
        match self {
            Self::Handle(handle) => handle,
            other => panic!("no handle: {other:?}"),
        }
    }

    #[track_caller]
    pub fn attributes(self) -> Attributes {
        match self {
            Self::Attributes(attributes) => attributes,
            other => panic!("no attributes: {other:?}"),
        }
    }

    #[track_caller]
    pub fn data(self) -> Vec<u8> {
        match self {
            Self::Data(data) | Self::Extended(data) => data,
            other => panic!("no data: {other:?}"),
        }
    }

    /// The one name of a NAME reply.
    #[track_caller]
    pub fn name(self) -> Vec<u8> {
        match self {
            Self::Names(names) if names.len() == 1 => names[0].name.clone(),
            other => panic!("not one name: {other:?}"),
        }
    }
}

impl From<Reply<'_>> for Got {
    fn from(reply: Reply<'_>) -> Self {
        match reply {
            Reply::Status { code, message } => Self::Status(code, String::from_utf8_lossy(message).into_owned()),
            Reply::Handle(handle) => Self::Handle(handle.to_vec()),
            Reply::Data(data) => Self::Data(data.to_vec()),
            Reply::Names(names) => Self::Names(names),
            Reply::Attributes(attributes) => Self::Attributes(attributes),
            Reply::Extended(data) => Self::Extended(data.to_vec()),
        }
    }
}

/// The client's end.
pub struct Raw {
    pub stream: UnixStream,
    /// Where replies come from: the other direction of the stream, or a pipe.
    pub replies: File,
    worker: Option<JoinHandle<Result<Totals, Error>>>,
    next: u32,
    pub extensions: Extensions,
}

/// The bytes of a path.
pub fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

impl Raw {
    /// A worker that has been greeted.
    pub fn start(settings: Settings) -> Self {
        Self::silent(settings).greeted()
    }

    /// One whose replies come through a pipe, as they do below an ssh server.
    pub fn start_on_pipe(settings: Settings) -> Self {
        let (read, write) = rustix::pipe::pipe().unwrap();
        Self::answering(settings, Some((File::from(read), write))).greeted()
    }

    fn greeted(self) -> Self {
        let mut raw = self;
        let mut out = Vec::new();
        client::encode_init(&mut out);
        raw.stream.write_all(&out).unwrap();
        raw.extensions = client::decode_version(&raw.packet().unwrap()).unwrap();
        raw
    }

    /// A worker that has heard nothing yet.
    pub fn silent(settings: Settings) -> Self {
        Self::answering(settings, None)
    }

    fn answering(settings: Settings, pipe: Option<(File, OwnedFd)>) -> Self {
        let (stream, theirs) = UnixStream::pair().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let (replies, output) = pipe.unwrap_or_else(|| {
            let ours = OwnedFd::from(stream.try_clone().unwrap());
            (File::from(ours), OwnedFd::from(theirs.try_clone().unwrap()))
        });
        let worker = std::thread::spawn(move || serve(settings, &theirs, &output));
        Self { stream, replies, worker: Some(worker), next: 0, extensions: Extensions::default() }
    }

    /// One packet from the type byte on; `None` when the stream ended.
    pub fn packet(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.replies.read_exact(&mut length).ok()?;
        let mut packet = vec![0; u32::from_be_bytes(length) as usize];
        self.replies.read_exact(&mut packet).unwrap();
        let mut whole = length.to_vec();
        whole.extend(&packet);
        assert_eq!(packet::split(&whole), Ok(Some(packet.as_slice())), "a packet within bounds");
        Some(packet)
    }

    pub fn send(&mut self, request: &Request<'_>) -> u32 {
        let (id, mut out) = (self.next, Vec::new());
        self.next = self.next.wrapping_add(1);
        request.encode(id, &mut out);
        self.stream.write_all(&out).unwrap();
        id
    }

    #[track_caller]
    pub fn receive(&mut self) -> (u32, Got) {
        let packet = self.packet().expect("the worker ended");
        let (id, reply) = Reply::decode(&packet).unwrap();
        (id, reply.into())
    }

    #[track_caller]
    pub fn ask(&mut self, request: &Request<'_>) -> Got {
        let id = self.send(request);
        let (answered, reply) = self.receive();
        assert_eq!(answered, id);
        reply
    }

    /// Opens a file as `flags` say.
    #[track_caller]
    pub fn open(&mut self, path: &[u8], flags: u32) -> Got {
        self.ask(&Request::Open { path, flags, attributes: Attributes::default() })
    }

    #[track_caller]
    pub fn open_read(&mut self, path: &[u8]) -> Vec<u8> {
        self.open(path, FXF_READ).handle()
    }

    #[track_caller]
    pub fn create(&mut self, path: &[u8]) -> Vec<u8> {
        self.open(path, FXF_WRITE | FXF_CREAT | FXF_TRUNC).handle()
    }

    /// All that a file holds.
    #[track_caller]
    pub fn content(&mut self, path: &[u8]) -> Vec<u8> {
        let handle = self.open_read(path);
        let mut content = Vec::new();
        loop {
            let read = Request::Read { handle: &handle, offset: content.len() as u64, length: u32::MAX };
            match self.ask(&read) {
                Got::Data(data) => content.extend(data),
                Got::Status(Code::Eof, _) => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(self.ask(&Request::Close { handle: &handle }).is_ok());
        content
    }

    /// All names in a folder, without `.` and `..`.
    #[track_caller]
    pub fn list(&mut self, path: &[u8]) -> Vec<Name> {
        let handle = self.ask(&Request::Opendir { path }).handle();
        let mut all = Vec::new();
        while let Got::Names(names) = self.ask(&Request::Readdir { handle: &handle }) {
            assert!((1..=100).contains(&names.len()), "{} names in a reply", names.len());
            all.extend(names);
        }
        assert!(self.ask(&Request::Close { handle: &handle }).is_ok());
        all.retain(|name| !matches!(name.name.as_slice(), b"." | b".."));
        all
    }

    /// Ends the stream and waits for the worker.
    pub fn end(mut self) -> Result<Totals, Error> {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        self.worker.take().unwrap().join().unwrap()
    }
}
