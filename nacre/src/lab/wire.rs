//! A connection of 127.0.0.1 whose both ends are held here.

use super::failed;
use crate::failure::Failure;
use nacre_wire::Role;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

/// How long what was written at one end may take to the other.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that may be under way: fewer than sockets hold.
const AT_ONCE: usize = 4096;

/// Both ends.
pub struct Wire {
    pub client: TcpStream,
    pub server: TcpStream,
}

impl Wire {
    /// A connection.
    ///
    /// # Errors
    /// There is no socket to be had.
    pub fn new() -> Result<Self, Failure> {
        Self::connected().map_err(|error| failed(format!("no connection on 127.0.0.1: {error}")))
    }

    fn connected() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let client = TcpStream::connect(listener.local_addr()?)?;
        let server = loop {
            // Anybody on this machine can connect; only our own connection counts.
            let (server, peer) = listener.accept()?;
            if peer == client.local_addr()? {
                break server;
            }
        };
        for end in [&client, &server] {
            end.set_nodelay(true)?;
            end.set_read_timeout(Some(PATIENCE))?;
            end.set_write_timeout(Some(PATIENCE))?;
        }
        Ok(Self { client, server })
    }

    /// Sends bytes to an end, from the other one, and gives what comes out there.
    ///
    /// # Errors
    /// They do not come.
    pub fn carry(&mut self, to: Role, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let (mut near, mut far) = match to {
            Role::Server => (&self.client, &self.server),
            Role::Client => (&self.server, &self.client),
        };
        let mut came = vec![0; bytes.len()];
        for (piece, space) in bytes.chunks(AT_ONCE).zip(came.chunks_mut(AT_ONCE)) {
            near.write_all(piece)?;
            far.read_exact(space)?;
        }
        Ok(came)
    }
}
