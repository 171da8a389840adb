//! An attacker of the laboratory before a real server of SSH, for one connection.

use super::super::stage::Act;
use crate::failure::Failure;
use crate::lab::clock::Clock;
use crate::lab::failed;
use nacre_lab::attack::{Attacker, Deed, Deeds, LinkId, Seen};
use nacre_wire::Role;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// The connection.
const LINK: LinkId = 0;
/// So long nothing comes, and Mallory takes it that nothing more will.
const SILENCE: Duration = Duration::from_secs(3);
/// Bytes read at once.
const READ: usize = 64 * 1024;

/// Mallory at work.
pub struct Mallory {
    pub port: u16,
    work: JoinHandle<Option<Vec<Act>>>,
}

impl Mallory {
    /// Waits for a client, whom she takes to the server at a port of this machine.
    ///
    /// # Errors
    /// There is no port to listen on.
    pub fn start(to: u16, attacker: Box<dyn Attacker>) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let work = spawn(move || {
            let (client, _) = listener.accept().ok()?;
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).ok()?;
            Some(Middle { attacker, client, server, told: Vec::new() }.work()?.told)
        });
        Ok(Self { port, work })
    }

    /// What she did, once the client has ended and the server is gone.
    pub fn ends(self) -> Vec<Act> {
        // A client that never came is not waited for any longer.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        self.work.join().ok().flatten().unwrap_or_default()
    }
}

struct Middle {
    attacker: Box<dyn Attacker>,
    client: TcpStream,
    server: TcpStream,
    told: Vec<Act>,
}

/// What came from one side; nothing when it is gone.
type Came = (Role, Option<Vec<u8>>);

impl Middle {
    /// Does what the attacker wants until both sides are gone.
    fn work(mut self) -> Option<Self> {
        let (sender, came) = channel();
        listen(Role::Client, self.client.try_clone().ok()?, sender.clone());
        listen(Role::Server, self.server.try_clone().ok()?, sender);
        let (mut gone, mut waits) = (0, false);
        while gone < 2 {
            waits |= match next(&came, waits)? {
                None => {
                    waits = false;
                    self.sees(Seen::Quiet)
                }
                Some((from, Some(bytes))) => self.sees(Seen::Bytes { link: LINK, from, bytes: &bytes }),
                Some((by, None)) => {
                    gone += 1;
                    self.sees(Seen::Closed { link: LINK, by })
                }
            };
        }
        Some(self)
    }

    /// True when the attacker wants to wait until nothing more comes.
    fn sees(&mut self, seen: Seen<'_>) -> bool {
        let (mut deeds, mut waits) = (Deeds::default(), false);
        self.attacker.handle(Clock::new(None).now(), seen, &mut deeds);
        while let Some(deed) = deeds.poll() {
            match deed {
                // Who does not take it is gone, and will be seen to be.
                Deed::Send { to, bytes, .. } => drop(self.side(to).write_all(&bytes)),
                Deed::Close { to, .. } => drop(self.side(to).shutdown(Shutdown::Both)),
                Deed::Wait => waits = true,
                Deed::Say(text) => self.told.push(Act::Says(text)),
                Deed::Show { label, bytes } => self.told.push(Act::Shows(label, bytes)),
                Deed::Connect => {}
            }
        }
        waits
    }

    const fn side(&mut self, role: Role) -> &mut TcpStream {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }
}

/// What comes next; `Some(None)` when there was silence.
fn next(came: &Receiver<Came>, waits: bool) -> Option<Option<Came>> {
    if !waits {
        return came.recv().ok().map(Some);
    }
    match came.recv_timeout(SILENCE) {
        Ok(came) => Some(Some(came)),
        Err(RecvTimeoutError::Timeout) => Some(None),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

/// Reads from one side to its end.
fn listen(from: Role, mut stream: TcpStream, sender: Sender<Came>) {
    spawn(move || {
        let mut buffer = vec![0; READ];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let bytes = buffer.get(..count).map(<[u8]>::to_vec);
            if sender.send((from, bytes)).is_err() {
                return;
            }
        }
        let _ = sender.send((from, None));
    });
}
