//! The other nodes, by NATS with JetStream: one stream of lines whose order is everybody's order, and
//! buckets of records, nicks and who is where.
//!
//! A link lives until anything goes wrong with it; then the engine is told, everything it asked for and
//! was not answered is answered as failed, and a new link is made on which all is agreed from the start.
//! The engine repeats what failed under the same ids.

mod connection;
mod credentials;
mod desk;
mod lines;
mod link;
mod live;
mod names;
mod nicks;
mod presence;
mod records;
mod setup;
pub mod text;

pub use connection::{Nats, Servers};
pub use credentials::Credentials;
pub use names::is_node_name;

use crate::clock::now;
use crate::hub::{BackPlane, Hub, WeakHub};
use desk::Desk;
use link::{Broken, Link};
use nacre_chat::{BackAnswer, BackNews, BackRequest, Input, RequestId};
use presence::Afar;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long after a link ended the next one is tried.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked who was not heard of for too long.
const SWEEP: Duration = Duration::from_secs(1);

/// This node, for all who work on the link.
struct Node {
    name: Arc<str>,
    /// Milliseconds since 1970.
    started: u64,
    desk: Arc<Desk>,
    afar: Mutex<Afar>,
    hub: WeakHub,
    /// The engine was told that the others are reached.
    up: AtomicBool,
}

impl Node {
    fn tell(&self, input: Input) -> Result<(), Broken> {
        if self.hub.handle(input) { Ok(()) } else { Err(Broken("the chat has stopped".to_owned())) }
    }

    fn news(&self, news: BackNews) -> Result<(), Broken> {
        self.tell(Input::Back(news))
    }

    fn answer(&self, request: RequestId, answer: BackAnswer) -> Result<(), Broken> {
        self.tell(Input::BackAnswer { request, answer })
    }

    /// Something about somebody on another node.
    fn heard(&self, key: &str, payload: Option<&[u8]>) -> Result<(), Broken> {
        let news = self.afar.lock().unwrap_or_else(PoisonError::into_inner).came(Instant::now(), key, payload);
        news.into_iter().try_for_each(|news| self.news(news))
    }

    /// Forgets who was not heard of for too long, for as long as there is a chat.
    async fn sweep(&self) -> Broken {
        loop {
            tokio::time::sleep(SWEEP).await;
            let news = self.afar.lock().unwrap_or_else(PoisonError::into_inner).sweep(Instant::now());
            if let Err(broken) = news.into_iter().try_for_each(|news| self.news(news)) {
                return broken;
            }
        }
    }
}

/// What the hub asks.
struct Asked(Arc<Desk>);

impl BackPlane for Asked {
    fn ask(&self, request: RequestId, what: BackRequest) -> Result<(), BackAnswer> {
        let taken = self.0.ask(request, what);
        if taken { Ok(()) } else { Err(BackAnswer::Failed(Arc::from("too much waits for the other nodes"))) }
    }
}

/// Joins a chat with those on other nodes. Its engine must have been told that there are some, and what
/// this node is called. It goes on for as long as the hub lives; whether the others are reached, the
/// engine hears.
pub fn join(hub: &Hub, name: &str, nats: Nats) {
    let (desk, started) = (Arc::new(Desk::default()), now().0);
    hub.set_back_plane(Box::new(Asked(desk.clone())));
    let node = Node {
        name: Arc::from(name),
        started,
        desk,
        afar: Mutex::new(Afar::new(Arc::from(name), started)),
        hub: hub.downgrade(),
        up: AtomicBool::new(false),
    };
    tokio::spawn(async move {
        tokio::select! {
            () = links(&node, &nats) => {}
            _ = node.sweep() => {}
        }
    });
}

/// One link after the other.
async fn links(node: &Node, nats: &Nats) {
    let mut last = String::new();
    loop {
        let Broken(why) = link(node, nats).await;
        // The same again and again is no news.
        if why != last || node.up.load(Ordering::Relaxed) {
            tracing::warn!("chat: the other nodes are not reached by {nats}: {why}");
            last = why;
        }
        if over(node).is_err() {
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// The link is over: the engine hears that, and that nothing will come of what it asked.
fn over(node: &Node) -> Result<(), Broken> {
    if node.up.swap(false, Ordering::Relaxed) {
        node.news(BackNews::Down)?;
    }
    for request in node.desk.clear() {
        node.answer(request, BackAnswer::Failed(Arc::from("not connected to the other nodes")))?;
    }
    Ok(())
}

/// One link, to its end.
async fn link(node: &Node, nats: &Nats) -> Broken {
    let (link, ended) = match nats.connect(&node.name).await {
        Ok(connected) => connected,
        Err(broken) => return broken,
    };
    tokio::select! {
        broken = serve(node, &link) => broken,
        broken = ended => broken,
    }
}

async fn serve(node: &Node, link: &Link) -> Broken {
    let Err(broken) = work(node, link).await;
    broken
}

async fn work(node: &Node, link: &Link) -> Result<std::convert::Infallible, Broken> {
    setup::prepare(link).await?;
    let mut heard = live::listen(link).await?;
    let records = records::tell_all(node, link).await?;
    presence::tell_all(node, link).await?;
    node.up.store(true, Ordering::Relaxed);
    node.news(BackNews::Up)?;
    tracing::info!("chat: the other nodes are reached");
    tokio::select! {
        ended = live::pass_on(node, &mut heard, records) => ended,
        ended = lines::publish(node, link) => ended,
        ended = lines::fill(node, link) => ended,
        ended = nicks::settle(node, link) => ended,
        ended = records::write(node, link) => ended,
        ended = presence::tell(node, link) => ended,
    }
}
