//! The listener: takes connections, asks admission, runs each in a task of its own, and obeys
//! signals. It reads no byte of a peer.

use super::audit::{self, ConnectionId, Event, Happening};
use super::authority::Serving;
use super::log;
use super::login::Ends;
use super::privsep::{self, Spawner};
use super::shared::Shared;
use nacre_config::origin::Origin;
use nacre_config::server::{Keyword, MatchContext, Overflow as ConfigOverflow, ServerOptions};
use nacre_crypto::AwsLc;
use nacre_net::admission::{Admission, AdmissionConfig, Admissions, Ending, Overflow, PenaltyConfig, Ticket};
use nacre_net::privsep::ConnectionSettings;
use nacre_net::server::{Order, ServerOwner, Watcher};
use nacre_net::{Driver, Ended};
use nacre_proto::Connection;
use nacre_proto::algorithm::CompressionMethod;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_sys::socket;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// Unsent bytes the kernel keeps for a connection: enough to fill the pipe between two wake-ups,
/// little enough that a keystroke's echo does not wait behind them.
const NOTSENT_LOWAT: u32 = 256 * 1024;
/// How long running sessions have after SIGTERM.
const DRAIN: Duration = Duration::from_secs(30);
/// Connections that may be on their way out for newcomers at once: the processes of a killed connection take a moment to
/// end, and a flood must not start more than end.
const MAX_LEAVING: usize = 16;
/// How long accepting pauses when no descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections are served.
pub enum Place {
    /// In tasks of this process.
    Here,
    /// Each in processes of its own.
    Apart(Spawner),
}

/// Everything the tasks of a server share with its listener.
pub struct Listener {
    shared: Arc<Shared>,
    place: Place,
    gate: Arc<Gate>,
    order: watch::Sender<Order>,
    connections: JoinSet<()>,
}

/// What goes with a connection that was let in.
struct Admitted {
    ends: Ends,
    /// Told when it must go for a newcomer.
    evicted: oneshot::Receiver<()>,
    watcher: Progressing,
    report: Report,
}

/// Admission and the way to tell a connection to go.
struct Gate {
    admissions: Mutex<Admissions>,
    evictions: Mutex<HashMap<Ticket, oneshot::Sender<()>>>,
    /// Connections that were told to go and have not gone.
    leaving: Mutex<HashSet<Ticket>>,
}

impl Gate {
    fn admissions(&self) -> std::sync::MutexGuard<'_, Admissions> {
        self.admissions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leaving(&self) -> std::sync::MutexGuard<'_, HashSet<Ticket>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn evictions(&self) -> std::sync::MutexGuard<'_, HashMap<Ticket, oneshot::Sender<()>>> {
        self.evictions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports a connection's end however it comes, a panic included (promise P6).
struct Report {
    gate: Arc<Gate>,
    ticket: Ticket,
    exempt: bool,
    ending: Ending,
}

impl Report {
    /// The connection ended, and like this.
    fn note(mut self, ending: Ending) {
        self.ending = ending;
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.gate.evictions().remove(&self.ticket);
        self.gate.leaving().remove(&self.ticket);
        // Exempt sources never get a penalty.
        let ending = if self.exempt && self.ending != Ending::LoggedIn { Ending::Clean } else { self.ending };
        self.gate.admissions().ended(Instant::now(), self.ticket, ending);
    }
}

struct Progressing {
    gate: Arc<Gate>,
    ticket: Ticket,
}

impl Watcher for Progressing {
    fn ready(&mut self) {
        self.gate.admissions().key_exchange_done(self.ticket);
    }

    fn authenticated(&mut self) {
        self.gate.admissions().authenticated(self.ticket);
    }
}

impl Listener {
    /// A listener without sockets.
    pub fn new(shared: Arc<Shared>, place: Place) -> Self {
        let admissions = Mutex::new(Admissions::new(admission_config(&shared.options())));
        let gate = Arc::new(Gate { admissions, evictions: Mutex::default(), leaving: Mutex::default() });
        Self { shared, place, gate, order: watch::Sender::new(Order::Run), connections: JoinSet::new() }
    }

    /// Takes the limits of a new configuration, and the log file where it is now.
    pub fn reload(&mut self) {
        if let Place::Apart(spawner) = &mut self.place {
            spawner.renew(log::descriptor());
        }
        self.gate.admissions().reload(admission_config(&self.shared.options()));
    }

    /// Accepts on all sockets until `stop` says so; a panic in a connection ends that connection.
    pub async fn serve(&mut self, sockets: &[TcpListener], stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = accept_any(sockets), if self.gate.leaving().len() < MAX_LEAVING => accepted,
                Some(_) = self.connections.join_next(), if !self.connections.is_empty() => continue,
                () = &mut stop => return,
            };
            match accepted {
                Ok(stream) => self.admit(stream),
                Err(error) => {
                    tracing::error!("accept: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(&mut self, stream: TcpStream) {
        let Some(ends) = ends_of(&stream) else { return };
        let percent = nacre_crypto::random_bytes::<4>().map(u32::from_be_bytes).unwrap_or(0) % 100;
        let admission = self.gate.admissions().admit(Instant::now(), ends.peer.ip(), percent);
        match admission {
            Admission::Refuse(refusal) => {
                audit::write(&Event::ConnectionRefused { ends, reason: refusal.reason().to_string() });
                self.connections.spawn(refuse(stream, refusal.line()));
            }
            Admission::Admit { ticket, evict } => {
                if let Some(victim) = evict
                    && let Some(sender) = self.gate.evictions().remove(&victim)
                {
                    self.gate.leaving().insert(victim);
                    let _ = sender.send(());
                }
                self.spawn(stream, ends, ticket);
            }
        }
    }

    fn spawn(&mut self, stream: TcpStream, ends: Ends, ticket: Ticket) {
        let options = self.shared.options();
        audit::happened(ends, Happening::Accepted);
        let _ = socket::set_nodelay(&stream, true);
        let _ = socket::set_keepalive(&stream, options.tcp_keep_alive);
        let _ = socket::set_notsent_lowat(&stream, NOTSENT_LOWAT);
        let (sender, evicted) = oneshot::channel();
        self.gate.evictions().insert(ticket, sender);
        let report = Report {
            gate: self.gate.clone(),
            ticket,
            exempt: options.is_exempt(ends.peer.ip().to_canonical()),
            ending: Ending::Crash,
        };
        let admitted = Admitted { ends, evicted, watcher: Progressing { gate: self.gate.clone(), ticket }, report };
        let Place::Apart(spawner) = &mut self.place else { return self.serve_here(stream, admitted) };
        let connection =
            stream.into_std().map(|stream| privsep::Connection { ends, input: stream.into(), output: None });
        match connection.and_then(|connection| spawner.watch(connection)) {
            Ok(monitored) => self.follow(monitored, admitted),
            Err(error) => {
                tracing::error!("connection from {}: {error}", ends.peer);
                admitted.report.note(Ending::Clean);
            }
        }
    }

    fn serve_here(&mut self, stream: TcpStream, admitted: Admitted) {
        let Admitted { ends, evicted, watcher, report } = admitted;
        let (shared, order) = (self.shared.clone(), self.order.subscribe());
        self.connections.spawn(async move {
            let serving = serve_one(stream, ends, shared, Box::new(watcher), order);
            let ending = tokio::select! {
                ending = serving => ending,
                _ = evicted => {
                    audit::happened(ends, Happening::Evicted);
                    Ending::NoAuth
                }
            };
            report.note(ending);
        });
    }

    fn follow(&mut self, mut monitored: privsep::Monitored, admitted: Admitted) {
        let Admitted { ends, evicted, mut watcher, report } = admitted;
        let order = self.order.subscribe();
        self.connections.spawn(async move {
            let ending = tokio::select! {
                // A monitor that dies without a word is a crash (promise P6).
                ending = monitored.follow(&mut watcher, order) => ending.unwrap_or_else(|| {
                    audit::happened(ends, Happening::MonitorCrashed);
                    Ending::Crash
                }),
                _ = evicted => {
                    monitored.end().await;
                    audit::happened(ends, Happening::Evicted);
                    Ending::NoAuth
                }
            };
            report.note(ending);
        });
    }

    /// Tells every connection to finish and waits until they have, or their time is over.
    pub async fn drain(&mut self) {
        let deadline = tokio::time::Instant::now() + DRAIN;
        self.order.send_replace(Order::Drain(deadline));
        let all = async { while self.connections.join_next().await.is_some() {} };
        // Hang-up and kill of what still runs come after the deadline, so a little longer.
        if tokio::time::timeout(DRAIN + Duration::from_secs(5), all).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}

/// Serves one connection to its end in this process and says how it ended.
pub async fn serve_one<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    ends: Ends,
    shared: Arc<Shared>,
    watcher: Box<dyn Watcher>,
    order: watch::Receiver<Order>,
) -> Ending {
    let span = tracing::error_span!("connection", peer = %ends.peer);
    let settings = settings(&shared, ends);
    let provider = Arc::new(AwsLc::new(settings.required_rsa_bits));
    let connection = match Connection::server(Instant::now(), settings.server_config(provider)) {
        Ok(connection) => connection,
        Err(error) => {
            tracing::error!(parent: &span, "{error}");
            return Ending::Clean;
        }
    };
    let Serving { authority, over } = match shared.chat.get() {
        Some(chat) => chat.serving(shared.clone(), ends),
        None => Serving::accounts(shared, ends),
    };
    let owner = ServerOwner::new(authority, watcher, settings.announced(), order, span.clone());
    let ended = drive(stream, connection, owner).await;
    if let Some(error) = &ended.io {
        tracing::debug!(parent: &span, "socket: {error}");
    }
    over(&ended)
}

/// Drives a connection and ends what it ran.
pub async fn drive<S: AsyncRead + AsyncWrite + Unpin>(stream: S, connection: Connection, owner: ServerOwner) -> Ended {
    let (owner, ended) = Driver::new(stream, connection, owner).run().await;
    owner.end().await;
    ended
}

async fn refuse(mut stream: TcpStream, line: String) {
    let text = format!("{line}\r\n");
    let said = async {
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), said).await;
}

/// The next connection of any socket.
async fn accept_any(sockets: &[TcpListener]) -> std::io::Result<TcpStream> {
    std::future::poll_fn(|cx| {
        for socket in sockets {
            if let std::task::Poll::Ready(result) = socket.poll_accept(cx) {
                return std::task::Poll::Ready(result.map(|(stream, _)| stream));
            }
        }
        std::task::Poll::Pending
    })
    .await
}

fn ends_of(stream: &TcpStream) -> Option<Ends> {
    Some(Ends { peer: stream.peer_addr().ok()?, local: stream.local_addr().ok()?, id: ConnectionId::new() })
}

/// What the protocol gets from the configuration for a connection between these ends. What a
/// `Match` by user changes comes later, with the user.
pub fn settings(shared: &Shared, ends: Ends) -> ConnectionSettings {
    let options = shared.options();
    let here = options.resolve(&MatchContext {
        address: Some(ends.peer.ip().to_canonical()),
        local_address: Some(ends.local.ip().to_canonical()),
        local_port: Some(ends.local.port()),
        ..MatchContext::default()
    });
    ConnectionSettings {
        comment: options.version_addendum.clone().unwrap_or_default(),
        kex: options.kex_algorithms.clone(),
        host_key_algorithms: host_key_algorithms(shared, &options),
        ciphers: options.ciphers.clone(),
        macs: options.macs.clone(),
        compression: compression(options.compression),
        // All that could be verified, as with OpenSSH: which of it a user may use is known when he has a name.
        user_algorithms: SignatureAlgorithm::PLAIN.iter().map(|algorithm| algorithm.name().to_owned()).collect(),
        rekey_bytes: Some(here.rekey_limit.bytes).filter(|bytes| *bytes > 0),
        rekey_time: Some(here.rekey_limit.seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs),
        alive_interval: Some(here.client_alive_interval).filter(|interval| !interval.is_zero()),
        alive_count_max: here.client_alive_count_max,
        required_rsa_bits: usize::try_from(options.least_rsa_size()).unwrap_or(usize::MAX),
        login_timeout: Some(options.login_grace_time).filter(|time| !time.is_zero()),
        unused_timeout: here.unused_connection_timeout,
        host_keys: shared.host_keys.public().into_iter().map(|key| (key.blob, key.algorithms)).collect(),
        log_level: log::number(log::filter(options.log_level)),
    }
}

/// What host keys sign with. Naming a key (HostKey) turns its type on; only HostKeyAlgorithms leaves out one that was named.
fn host_key_algorithms(shared: &Shared, options: &ServerOptions) -> Vec<String> {
    let mut names = options.host_key_algorithms.clone();
    if !options.host_keys.is_empty() && options.origin(Keyword::HostKeyAlgorithms) == Origin::Default {
        let named = shared.host_keys.public().into_iter().flat_map(|key| key.algorithms);
        let named: Vec<&str> = named.map(|algorithm| algorithm.name()).collect();
        let left_out = named.into_iter().filter(|name| !options.host_key_algorithms.iter().any(|other| other == name));
        names.extend(left_out.map(str::to_owned));
    }
    names
}

/// A client that asks for compression before nothing gets it where it is on.
fn compression(on: bool) -> Vec<String> {
    let methods = CompressionMethod::ALL.iter().filter(|method| on || **method == CompressionMethod::None);
    methods.map(|method| method.name().to_owned()).collect()
}

fn admission_config(options: &ServerOptions) -> AdmissionConfig {
    let p = &options.penalties;
    let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let overflow = |o: ConfigOverflow| match o {
        ConfigOverflow::Permissive => Overflow::Permissive,
        ConfigOverflow::DenyAll => Overflow::DenyAll,
    };
    let penalties = PenaltyConfig {
        crash: p.crash,
        auth_fail: p.auth_fail,
        invalid_user: p.invalid_user,
        refuse_connection: p.refuse_connection,
        no_auth: p.no_auth,
        grace_exceeded: p.grace_exceeded,
        min: p.min,
        max: p.max,
        max_sources4: size(p.max_sources4),
        max_sources6: size(p.max_sources6),
        overflow4: overflow(p.overflow),
        overflow6: overflow(p.overflow6),
    };
    let most = options.max_startups;
    AdmissionConfig {
        max_startups: (most.start, most.rate, most.full),
        per_source_max_startups: options.per_source_max_startups,
        net_block: (options.net_block_bits4, options.net_block_bits6),
        penalties: p.enabled.then_some(penalties),
        exempt: Vec::new(),
    }
}
