//! Mallory before a server of SSH: bytes pass as they come, until she is told to do something to the next of Alice's.

use crate::failure::Failure;
use crate::lab::failed;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::spawn;

/// What is done to what Alice sends next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    /// One bit of it is turned.
    Turn,
    /// It is sent twice.
    Twice,
}

/// The place of the bit that is turned: behind the packet's length.
const PLACE: usize = 10;

#[derive(Default)]
struct State {
    trick: Option<Trick>,
    /// What Alice sent, and what went on in its place.
    done: Option<(Vec<u8>, Vec<u8>)>,
}

/// The proxy of one connection.
pub struct Proxy {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Passes one connection on to a port of this machine.
    ///
    /// # Errors
    /// There is no port to listen on.
    pub fn start(to: u16) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let state = Arc::<Mutex<State>>::default();
        let ours = state.clone();
        spawn(move || {
            let (client, _) = listener.accept().ok()?;
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).ok()?;
            let (from_server, to_client) = (server.try_clone().ok()?, client.try_clone().ok()?);
            spawn(move || pass(from_server, to_client, |bytes| bytes));
            pass(client, server, |bytes| tricked(&ours, bytes));
            Some(())
        });
        Ok(Self { port, state })
    }

    /// Does something to what Alice sends next.
    pub fn arm(&self, trick: Trick) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).trick = Some(trick);
    }

    /// What Alice sent, and what went on in its place.
    pub fn done(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).done.clone()
    }
}

fn tricked(state: &Mutex<State>, bytes: Vec<u8>) -> Vec<u8> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(trick) = state.trick.take() else { return bytes };
    let mut changed = bytes.clone();
    match trick {
        Trick::Twice => changed.extend_from_slice(&bytes),
        Trick::Turn => changed.get_mut(PLACE).into_iter().for_each(|byte| *byte ^= 1),
    }
    state.done = Some((bytes, changed.clone()));
    changed
}

fn pass(mut from: TcpStream, mut to: TcpStream, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let bytes = buffer.get(..count).unwrap_or_default().to_vec();
        if to.write_all(&change(bytes)).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
