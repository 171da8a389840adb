//! The net process: it parses what strangers send and may do nothing else. Everything it needs is
//! made before it gives its rights away; what it needs later it asks of the monitor.

use super::quiet::Noted;
use crate::serve::Nobody;
use crate::serve::listener::drive;
use crate::serve::log;
use nacre_crypto::AwsLc;
use nacre_net::privsep::{
    AsyncMessageSocket, ConnectionSettings, EndedHow, FromMonitor, MAX_MESSAGE, RemoteAuthority, RemoteLink, ToMonitor,
};
use nacre_net::server::ServerOwner;
use nacre_net::{Ended, StdioStream};
use nacre_proto::Connection;
use nacre_sys::account::Credentials;
use nacre_sys::become_account::become_account;
use nacre_sys::messages::MessageSocket;
use nacre_sys::role;
use nacre_sys::sandbox::Confinement;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};

/// Open files: the socket's, and three for each of the channels there may be.
const MAX_OPEN_FILES: u64 = 16 * 1024;

/// What the command line says: how many descriptors came along, whom to become, and whether to be confined.
struct Arguments {
    descriptors: usize,
    uid: u32,
    gid: u32,
    sandbox: bool,
}

impl Arguments {
    fn of(args: &[OsString]) -> Option<Self> {
        let text = |place: usize| args.get(place)?.to_str();
        Some(Self {
            descriptors: text(1)?.parse().ok()?,
            uid: text(2)?.parse().ok()?,
            gid: text(3)?.parse().ok()?,
            sandbox: text(4)?.parse().ok()?,
        })
    }
}

/// Runs one connection.
pub fn run(args: &[OsString]) -> ExitCode {
    match begin(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn begin(args: &[OsString]) -> io::Result<()> {
    let arguments = Arguments::of(args).ok_or(io::ErrorKind::InvalidInput)?;
    let mut fds = role::inherited(arguments.descriptors)?.into_iter();
    let (Some(link), Some(root), Some(input)) = (fds.next(), fds.next(), fds.next()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let output = fds.next();
    let link = MessageSocket::from(link);
    let settings = receive_settings(&link)?;
    // The generator reads from the system once, which it could not later.
    let _ = nacre_crypto::random_bytes::<32>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // On the heap, and so is what it waits for: each function that a task passes through by value leaves its own copy in the stack, and
    // those pages stay for as long as the connection does.
    runtime.block_on(Box::pin(async {
        let link = RemoteLink::new(AsyncMessageSocket::new(link)?);
        let target = link.clone();
        let send = move |level, line: &str| {
            let _ = target.tell(&ToMonitor::Log { level, line: line.to_owned() });
        };
        let _ = log::start(log::Target::function(send), log::Style::plain(log::filter_of(settings.log_level)));
        let stream = Stream::of(input, output)?;
        confine(&arguments, root)?;
        match stream {
            Stream::Socket(socket) => Box::pin(serve(socket, settings, link)).await,
            Stream::Pair(pair) => Box::pin(serve(pair, settings, link)).await,
        }
    }))
}

fn receive_settings(link: &MessageSocket) -> io::Result<ConnectionSettings> {
    let (bytes, _) = link.receive_whole(MAX_MESSAGE)?;
    match FromMonitor::from_bytes(&bytes) {
        Ok(FromMonitor::Settings { settings }) => Ok(settings),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The client: a socket, or two descriptors.
enum Stream {
    Socket(tokio::net::TcpStream),
    Pair(StdioStream),
}

impl Stream {
    fn of(input: OwnedFd, output: Option<OwnedFd>) -> io::Result<Self> {
        match output {
            Some(output) => StdioStream::of(input, output).map(Self::Pair),
            None => {
                let socket = std::net::TcpStream::from(input);
                socket.set_nonblocking(true)?;
                tokio::net::TcpStream::from_std(socket).map(Self::Socket)
            }
        }
    }
}

fn confine(arguments: &Arguments, root: OwnedFd) -> io::Result<()> {
    let Arguments { uid, gid, sandbox, .. } = *arguments;
    if sandbox {
        return Confinement { uid, gid, root, max_open_files: MAX_OPEN_FILES }.confine();
    }
    become_account(&Credentials { uid, gid, groups: Vec::new() })
}

async fn serve<S>(stream: S, settings: ConnectionSettings, link: Arc<RemoteLink>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (stream, activity) = Noted::new(stream);
    let ended = tokio::select! {
        ended = life(stream, settings, &link)? => ended,
        never = activity.rest() => never,
        // Without the monitor nothing can be decided any more.
        error = link.listen() => return Err(error),
    };
    link.tell(&ToMonitor::Ended {
        how: EndedHow::of(&ended.error),
        quiet: ended.error.is_parting(),
        why: ended.error.to_string(),
        received: ended.received,
        sent: ended.sent,
    })
}

/// The connection, before its first byte. A function of its own, whose part of the stack is free again when the connection
/// begins to work.
#[inline(never)]
fn life<S>(
    stream: S,
    settings: ConnectionSettings,
    link: &Arc<RemoteLink>,
) -> io::Result<Pin<Box<impl Future<Output = Ended>>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let provider = Arc::new(AwsLc::new(settings.required_rsa_bits));
    let connection = Connection::server(Instant::now(), settings.server_config(provider));
    let connection = connection.map_err(|error| io::Error::other(error.to_string()))?;
    let authority = Box::new(RemoteAuthority::new(Arc::clone(link)));
    let span = tracing::Span::none();
    let owner = ServerOwner::new(authority, Box::new(Nobody), settings.announced(), link.orders(), span);
    Ok(Box::pin(drive(stream, connection, owner)))
}
