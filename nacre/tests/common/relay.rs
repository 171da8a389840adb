//! A relay that lets so many packets pass in each direction, then holds everything until told.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::spawn;
use std::time::Duration;

/// How long a connection that stopped talking is waited for.
const LIMIT: Duration = Duration::from_secs(180);

#[derive(Default)]
struct State {
    stopped: bool,
    go_on: bool,
    /// Directions that have ended.
    ended: usize,
}

type Shared = Arc<(Mutex<State>, Condvar)>;

/// The relay of one connection.
pub struct Relay {
    pub port: u16,
    shared: Shared,
}

impl Relay {
    /// Passes one connection on to `to`; what counts as a packet is what one read gets.
    pub fn start(to: u16, packets: (usize, usize)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared::default();
        let ours = shared.clone();
        spawn(move || {
            let client = listener.accept().unwrap().0;
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let (client2, server2) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let theirs = ours.clone();
            spawn(move || pass(client2, server2, packets.0, &theirs));
            pass(server, client, packets.1, &ours);
        });
        Self { port, shared }
    }

    /// Waits until the packets have passed and one more came; false when the connection ended before.
    pub fn wait_for_stop(&self) -> bool {
        let (lock, changed) = &*self.shared;
        let state = lock.lock().unwrap();
        let waited = changed.wait_timeout_while(state, LIMIT, |state| !state.stopped && state.ended == 0);
        let (state, timeout) = waited.unwrap();
        assert!(!timeout.timed_out(), "a connection neither goes on nor ends");
        state.stopped
    }

    /// Lets everything pass.
    pub fn go_on(&self) {
        self.shared.0.lock().unwrap().go_on = true;
        self.shared.1.notify_all();
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, packets: usize, shared: &Shared) {
    let (lock, changed) = &**shared;
    let mut buffer = vec![0; 64 * 1024];
    let mut passed = 0;
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if passed == packets {
            let mut state = lock.lock().unwrap();
            state.stopped = true;
            changed.notify_all();
            while !state.go_on {
                state = changed.wait(state).unwrap();
            }
        }
        passed += 1;
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    lock.lock().unwrap().ended += 1;
    changed.notify_all();
}
