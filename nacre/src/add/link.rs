//! The connection to the agent of `$SSH_AUTH_SOCK`.

use crate::cli::add::AddArgs;
use crate::failure::Failure;
use crate::output;
use crate::ssh::connect::plain;
use nacre_agent::{Answer, Client, Request};
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use zeroize::Zeroizing;

/// Exit code when there is no agent.
const NO_AGENT: u8 = 2;
/// Bytes read at once.
const READ_SIZE: usize = 16 * 1024;

/// What is said when the agent says no, in ssh-add's words.
pub const REFUSED: &str = "agent refused operation";

/// A connected agent.
pub struct Link {
    stream: UnixStream,
    client: Client,
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// There is no agent; said in ssh-add's words, exit code 2.
    pub fn open(args: &AddArgs) -> Result<Self, Failure> {
        let Some(path) = std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()) else {
            output::complain("Could not open a connection to your authentication agent.");
            return Err(Failure::silent(NO_AGENT));
        };
        if args.verbose > 0 {
            output::complain(&format!("debug1: the agent is at {}", path.display()));
        }
        match Self::connect(&path) {
            Ok(link) => Ok(link),
            Err(error) => {
                output::complain(&format!("Error connecting to agent: {}", plain(&error)));
                Err(Failure::silent(NO_AGENT))
            }
        }
    }

    /// Connects to the agent whose socket has this name.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(path: &OsStr) -> io::Result<Self> {
        UnixStream::connect(path).map(|stream| Self { stream, client: Client::new() })
    }

    /// An agent that is silent, or takes nothing, for so long is given up.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn wait_at_most(&self, time: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(time))?;
        self.stream.set_write_timeout(Some(time))
    }

    /// Asks and waits for the answer. A refusal is an answer.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn ask(&mut self, request: &Request<'_>) -> Result<Answer, String> {
        self.client.request(request).map_err(|error| error.to_string())?;
        // Room for all of it at once, and wiped: a key may be among it.
        let mut out = Zeroizing::new(Vec::with_capacity(nacre_agent::MAX_FRAME + 4));
        while self.client.poll_transmit(&mut out, nacre_agent::MAX_FRAME) > 0 {}
        self.stream.write_all(&out).map_err(|error| plain(&error))?;
        let mut chunk = vec![0; READ_SIZE];
        loop {
            if let Some((_, answer)) = self.client.poll_answer() {
                return Ok(answer);
            }
            match self.stream.read(&mut chunk).map_err(|error| plain(&error))? {
                0 => self.client.receive_end().map_err(|error| error.to_string())?,
                count => {
                    let bytes = chunk.get(..count).unwrap_or_default();
                    self.client.receive(bytes).map_err(|error| error.to_string())?;
                }
            }
        }
    }

    /// Asks for something that is done or refused.
    ///
    /// # Errors
    /// Why it was not done.
    pub fn order(&mut self, request: &Request<'_>) -> Result<(), String> {
        match self.ask(request)? {
            Answer::Success => Ok(()),
            _ => Err(REFUSED.to_owned()),
        }
    }
}
