//! The loop that serves clients, and the waits that the protocol's state machine leaves to it.

use super::{confirm, vault};
use crate::cli::keygen::FingerprintHash;
use crate::output;
use crate::signal::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, Signal};
use nacre_agent::server::{Inbound, Keeper, Outcome, Question, Refusal, Session};
use nacre_agent::{frame, number};
use nacre_sys::clock::since_boot;
use nacre_sys::readiness::wait_readable;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener as StdListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex as Turn, Notify};
use tokio::task::AbortHandle;
use zeroize::{Zeroize, Zeroizing};

/// The most clients at once (threat G1).
const MAX_CLIENTS: usize = 256;
/// Bytes read from a client at once.
const READ_SIZE: usize = 4096;
/// How often keys are looked at whose time is running: timers stand still while the machine sleeps, the keys' clock does not.
const EXPIRY_CHECK: Duration = Duration::from_secs(10);
/// The wait after the system refused a connection, for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the command line says.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long keys are kept that come without a time.
    pub lifetime: Option<Duration>,
    /// How fingerprints are shown.
    pub fingerprint: FingerprintHash,
    /// Tell what happens on standard error.
    pub debug: bool,
}

/// What all clients' tasks share.
struct Shared {
    keeper: Mutex<Keeper<vault::KeyVault>>,
    /// Passphrases are looked at one after the other, however many clients try (threat G5).
    unlocking: Turn<()>,
    /// One question at a time stands on the screen.
    asking: Turn<()>,
    /// The keys changed.
    changed: Notify,
    settings: Settings,
}

/// Serves until a signal says to end, or the process of `company` (a pidfd) has ended.
pub async fn serve(listener: StdListener, company: Option<OwnedFd>, settings: Settings) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    let shared = Arc::new(Shared {
        keeper: Mutex::new(Keeper::new(vault::KeyVault::default(), settings.lifetime)),
        unlocking: Turn::new(()),
        asking: Turn::new(()),
        changed: Notify::new(),
        settings,
    });
    let (mut term, mut hangup) = (Signal::catch(SIGTERM)?, Signal::catch(SIGHUP)?);
    let (mut interrupt, mut forget) = (Signal::catch(SIGINT)?, Signal::catch(SIGUSR1)?);
    let forgetting = async {
        loop {
            forget.recv().await;
            shared.keeper().forget_all();
        }
    };
    tokio::select! {
        () = accept(&listener, &shared) => {}
        () = expire(&shared) => {}
        () = forgetting => {}
        () = ended(company) => {}
        () = term.recv() => {}
        () = hangup.recv() => {}
        () = interrupt.recv() => {}
    }
    Ok(())
}

/// Waits for the end of the process beside which the agent runs.
async fn ended(company: Option<OwnedFd>) {
    let Some(company) = company else { return std::future::pending().await };
    // An error means that nobody can tell any more; staying for ever would be worse than leaving.
    off_loop(move || while matches!(wait_readable(&[company.as_fd()], None).as_deref(), Ok([false])) {}).await;
}

/// Wipes keys when their time is over, whether or not anybody asks for them.
async fn expire(shared: &Shared) {
    loop {
        let now = since_boot();
        let next = {
            let mut keeper = shared.keeper();
            keeper.expire(now);
            keeper.next_expiry()
        };
        let changed = shared.changed.notified();
        match next {
            Some(at) => drop(tokio::time::timeout(at.saturating_sub(now).min(EXPIRY_CHECK), changed).await),
            None => changed.await,
        }
    }
}

async fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    let mut clients = Clients::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                shared.debug(|| format!("accept: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if !is_owner(&stream) {
            shared.debug(|| "a client of another user is turned away".to_owned());
            continue;
        }
        if !clients.make_room() {
            shared.debug(|| format!("a client is turned away: {MAX_CLIENTS} are busy"));
            continue;
        }
        let shared = Arc::clone(shared);
        let resting: Resting = Arc::new(Mutex::new(Some(Instant::now())));
        let seen = Arc::clone(&resting);
        let task = tokio::spawn(async move {
            if let Err(error) = shared.converse(stream, &seen).await {
                shared.debug(|| format!("a client is left: {error}"));
            }
        });
        clients.0.push((resting, task.abort_handle()));
    }
}

/// Since when a client asks nothing; `None` while it is served.
type Resting = Arc<Mutex<Option<Instant>>>;

/// Those who are connected.
#[derive(Default)]
struct Clients(Vec<(Resting, AbortHandle)>);

impl Clients {
    /// Makes room for one more: where there is none, who asked nothing for longest is let go. False when all are busy.
    fn make_room(&mut self) -> bool {
        self.0.retain(|(_, task)| !task.is_finished());
        if self.0.len() < MAX_CLIENTS {
            return true;
        }
        let since = |resting: &Resting| *resting.lock().unwrap_or_else(PoisonError::into_inner);
        let places = self.0.iter().enumerate().filter_map(|(place, (resting, _))| Some((since(resting)?, place)));
        let Some((_, place)) = places.min() else { return false };
        self.0.swap_remove(place).1.abort();
        true
    }
}

/// Whether the client runs as this user or as root, whatever the file's mode let through (threat G5).
fn is_owner(stream: &UnixStream) -> bool {
    let uid = stream.peer_cred().map(|peer| peer.uid());
    uid.is_ok_and(|uid| uid == 0 || uid == rustix::process::getuid().as_raw())
}

impl Shared {
    fn keeper(&self) -> MutexGuard<'_, Keeper<vault::KeyVault>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn debug(&self, line: impl FnOnce() -> String) {
        if self.settings.debug {
            output::complain(&format!("debug1: {}", line()));
        }
    }

    /// Answers a client's requests in turn.
    async fn converse(&self, mut stream: UnixStream, resting: &Resting) -> io::Result<()> {
        let mut session = Session::new();
        let mut inbound = Inbound::new();
        let mut chunk = Zeroizing::new(vec![0; READ_SIZE]);
        loop {
            while let Some(message) = inbound.next_message().map_err(io::Error::other)? {
                let answer = self.answer(&mut session, &message).await;
                let mut out = Vec::with_capacity(4 + answer.len());
                frame::put_frame(&mut out, &answer).map_err(io::Error::other)?;
                stream.write_all(&out).await?;
            }
            let rest = |since| *resting.lock().unwrap_or_else(PoisonError::into_inner) = since;
            rest(Some(Instant::now()));
            let count = stream.read(&mut chunk).await?;
            rest(None);
            if count == 0 {
                return Ok(());
            }
            let bytes = chunk.get_mut(..count).unwrap_or_default();
            inbound.receive(bytes);
            bytes.zeroize();
        }
    }

    async fn answer(&self, session: &mut Session, message: &[u8]) -> Vec<u8> {
        let asked = message.first().copied().unwrap_or_default();
        let first = self.keeper().handle(since_boot(), session, message);
        let last = match first {
            Outcome::Confirm(question) => match self.ask(&question).await {
                true => self.keeper().handle_confirmed(since_boot(), session, message),
                false => Keeper::<vault::KeyVault>::unconfirmed(),
            },
            Outcome::Lock(passphrase) => {
                // One at a time: each takes much memory.
                let _turn = self.unlocking.lock().await;
                let verifier = off_loop(move || vault::verifier(&passphrase)).await.flatten();
                self.keeper().finish_lock(verifier)
            }
            Outcome::Unlock(passphrase) => self.unlock(passphrase).await,
            answered @ Outcome::Answer(..) => answered,
        };
        self.changed.notify_one();
        match last {
            Outcome::Answer(answer, refusal) => {
                self.told(asked, refusal.as_ref());
                answer
            }
            // Nothing is asked twice about one message.
            _ => vec![number::FAILURE],
        }
    }

    fn told(&self, asked: u8, refusal: Option<&Refusal>) {
        self.debug(|| match refusal {
            Some(refusal) => format!("{}: refused: {refusal}", number::name(asked)),
            None => format!("{}: done; {} keys are held", number::name(asked), self.keeper().len()),
        });
    }

    async fn ask(&self, question: &Question) -> bool {
        let _turn = self.asking.lock().await;
        let text = confirm::text(question, self.settings.fingerprint);
        off_loop(move || confirm::ask(&text)).await.unwrap_or(false)
    }

    async fn unlock(&self, passphrase: Zeroizing<Vec<u8>>) -> Outcome {
        let _turn = self.unlocking.lock().await;
        let delay = self.keeper().unlock_delay();
        tokio::time::sleep(delay).await;
        let verifier = self.keeper().verifier().map(str::to_owned);
        let right = match verifier {
            Some(verifier) => off_loop(move || vault::unlocks(&verifier, &passphrase)).await.unwrap_or(false),
            None => false,
        };
        self.keeper().finish_unlock(right)
    }
}

/// Runs what takes long on another thread; `None` when it panicked.
async fn off_loop<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
