//! What a monitor tells the listener as it happens, a byte each, and the listener's end of it.

use nacre_net::admission::Ending;
use nacre_net::privsep::AsyncMessageSocket;
use nacre_net::server::authority::Process;
use nacre_net::server::{LocalProcess, Order, Watcher};
use nacre_sys::messages::MessageSocket;
use nacre_sys::spawn::Child;
use std::future::poll_fn;
use std::io;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

/// Something the listener counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The first key exchange is done.
    Ready,
    /// A login is done.
    Authenticated,
    /// The connection ended like this.
    Ended(Ending),
}

const ENDINGS: [Ending; 8] = [
    Ending::AuthFailed { invalid_user: false },
    Ending::AuthFailed { invalid_user: true },
    Ending::Clean,
    Ending::Crash,
    Ending::GraceExceeded,
    Ending::LoggedIn,
    Ending::NoAuth,
    Ending::RefusedByPolicy,
];
/// Where endings begin among the bytes.
const FIRST_ENDING: usize = 16;

impl Notice {
    /// Its byte.
    pub fn to_byte(self) -> u8 {
        match self {
            Self::Ready => 1,
            Self::Authenticated => 2,
            Self::Ended(ending) => {
                let place = ENDINGS.iter().position(|known| *known == ending).unwrap_or(3);
                u8::try_from(FIRST_ENDING + place).unwrap_or(u8::MAX)
            }
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Ready),
            2 => Some(Self::Authenticated),
            other => {
                let place = usize::from(other).checked_sub(FIRST_ENDING)?;
                ENDINGS.get(place).copied().map(Self::Ended)
            }
        }
    }
}

/// A monitor as the listener sees it.
pub struct Monitored {
    control: AsyncMessageSocket,
    process: LocalProcess,
}

impl Monitored {
    /// A monitor that runs, and what it tells by.
    ///
    /// # Errors
    /// No descriptor is left. The monitor is ended then: nobody would hear of it or count it.
    pub fn new(control: MessageSocket, process: Child) -> io::Result<Self> {
        let control = AsyncMessageSocket::new(control).inspect_err(|_| drop(process.kill()))?;
        Ok(Self { control, process: LocalProcess::new(process)? })
    }

    /// Follows it to its end. A monitor that dies without a word says `None`.
    pub async fn follow(&mut self, watcher: &mut dyn Watcher, mut orders: Receiver<Order>) -> Option<Ending> {
        let mut ending = None;
        loop {
            let order = *orders.borrow_and_update();
            if let Order::Drain(deadline) = order {
                let left = deadline.saturating_duration_since(Instant::now());
                let milliseconds = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
                let _ = self.control.send(&milliseconds.to_be_bytes(), &[]);
            }
            loop {
                let notice = tokio::select! {
                    notice = next(&self.control) => notice,
                    changed = orders.changed(), if order == Order::Run => match changed {
                        Ok(()) => break,
                        Err(_) => return ending,
                    },
                };
                match notice {
                    Some(Notice::Ready) => watcher.ready(),
                    Some(Notice::Authenticated) => watcher.authenticated(),
                    Some(Notice::Ended(how)) => ending = Some(how),
                    None => {
                        poll_fn(|cx| self.process.poll_exit(cx)).await;
                        return ending;
                    }
                }
            }
        }
    }

    /// Ends it at once; the kernel ends its net process with it.
    pub async fn end(&mut self) {
        self.process.kill();
        poll_fn(|cx| self.process.poll_exit(cx)).await;
    }
}

/// The next notice; `None` when the monitor is gone.
async fn next(control: &AsyncMessageSocket) -> Option<Notice> {
    let (bytes, _) = poll_fn(|cx| control.poll_receive(cx)).await.ok()?;
    bytes.first().copied().and_then(Notice::from_byte)
}
