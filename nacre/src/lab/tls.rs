//! A TLS 1.3 session between two ends of this process, over a socket: what passed on it, and the keys that open it.

use super::failed;
use super::wire::Wire;
use crate::failure::Failure;
use nacre_lab::{Step, tls};
use nacre_wire::Role;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, KeyLog, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

/// The name in certificates.
pub const NAME: &str = "localhost";
const MAX_LINE: u64 = 1024;
const LINE: &[u8] = b"Hi, server! This is encrypted.\n";

/// A server's certificate, signed by its own key, good for as long as this process lives.
pub struct Identity {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// Its key.
    pub key: PrivatePkcs8KeyDer<'static>,
}

impl Identity {
    /// A fresh one.
    ///
    /// # Errors
    /// The system's cryptography failed.
    pub fn generate() -> Result<Self, Failure> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).map_err(failed)?;
        Ok(Self { certificate: made.cert.into(), key: PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()) })
    }
}

/// What passed between two ends, in the order in which the client saw it, and the key log.
pub struct Recording {
    /// Who sent what.
    pub spoken: Vec<(Role, Vec<u8>)>,
    /// The keys.
    pub key_log: String,
}

impl Recording {
    /// What both said.
    ///
    /// # Errors
    /// It is no TLS 1.3.
    pub fn told(&self) -> Result<Vec<Step>, Failure> {
        tls::overheard(&self.spoken, &self.key_log).map_err(failed)
    }
}

/// A session with a line and its answer.
///
/// # Errors
/// There is no socket, or the two do not come together.
pub fn session() -> Result<Vec<Step>, Failure> {
    let (own, wire) = (Identity::generate()?, Wire::new()?);
    let trusted = own.certificate.clone();
    let server = std::thread::spawn(move || serve(wire.server, own));
    let recording = join(wire.client, trusted);
    let served = server.join().unwrap_or_else(|_| Err(failed("the TLS server broke")));
    // Of two that failed the server knows why.
    served?;
    recording?.told()
}

/// A server for one connection: answers a line, and says goodbye after the client.
///
/// # Errors
/// The client does not come that far.
pub fn serve(socket: TcpStream, own: Identity) -> Result<(), Failure> {
    let config = ServerConfig::builder_with_protocol_versions(VERSIONS).with_no_client_auth();
    let config = config.with_single_cert(vec![own.certificate], PrivateKeyDer::from(own.key)).map_err(failed)?;
    let connection = ServerConnection::new(Arc::new(config)).map_err(failed)?;
    answer(StreamOwned::new(connection, socket)).map_err(|error| failed(format!("the TLS server: {error}")))
}

fn answer(mut stream: StreamOwned<ServerConnection, TcpStream>) -> io::Result<()> {
    let line = line(&mut stream)?;
    stream.write_all(&[b"Server received: ", &*line].concat())?;
    stream.read_to_end(&mut Vec::new())?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// A client of a server on this machine whose certificate it knows: says a line, hears the answer, says goodbye.
///
/// # Errors
/// The server does not come that far.
pub fn join(socket: TcpStream, trusted: CertificateDer<'static>) -> Result<Recording, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).map_err(failed)?;
    let config = ClientConfig::builder_with_protocol_versions(VERSIONS);
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    let keys = Arc::new(Keys::default());
    config.key_log = keys.clone();
    let name = ServerName::try_from(NAME).map_err(failed)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(failed)?;
    let mut stream = StreamOwned::new(connection, Tap { socket, spoken: Vec::new() });
    converse(&mut stream).map_err(|error| failed(format!("the TLS client: {error}")))?;
    Ok(Recording { spoken: stream.sock.spoken, key_log: keys.lines() })
}

fn converse(stream: &mut StreamOwned<ClientConnection, Tap>) -> io::Result<()> {
    stream.write_all(LINE)?;
    line(stream)?;
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The next line. What comes at once with it is lost, and is not waited for.
fn line(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(stream.take(MAX_LINE)).read_until(b'\n', &mut line)?;
    Ok(line)
}

const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// A socket that keeps what passes.
struct Tap {
    socket: TcpStream,
    spoken: Vec<(Role, Vec<u8>)>,
}

impl Tap {
    fn keep(&mut self, by: Role, bytes: Option<&[u8]>) {
        self.spoken.extend(bytes.map(|bytes| (by, bytes.to_vec())));
    }
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(buffer)?;
        self.keep(Role::Server, buffer.get(..count));
        Ok(count)
    }
}

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.socket.write(bytes)?;
        self.keep(Role::Client, bytes.get(..count));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// The lines of a key log.
#[derive(Debug, Default)]
struct Keys(Mutex<String>);

impl Keys {
    fn lines(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl KeyLog for Keys {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |bytes| data_encoding::HEXLOWER.encode(bytes);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(lines, "{label} {} {}", hex(client_random), hex(secret));
    }
}
