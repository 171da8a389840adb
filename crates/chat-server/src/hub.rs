//! The engine with all it needs: sessions to show things to, a store, passwords, a clock.

use crate::clock::{self, now};
use crate::pace::Pace;
use crate::seat::Seat;
use crate::store::Store;
use nacre_chat::{
    AdminAnswer, AdminRequest, BackAnswer, BackRequest, Connect, Effect, Engine, Input, Loaded, PasswordAnswer,
    PasswordRequest, Pressure, RequestId, SessionId,
};
use nacre_chat::{Config, Rules, Time};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, oneshot};

/// Makes and checks hashes of rooms' passwords. Called on threads of their own, one at a time.
pub trait Passwords: Send + Sync {
    /// A hash that [`Passwords::verify`] takes.
    ///
    /// # Errors
    /// Why there is none.
    fn hash(&self, password: &str) -> Result<String, String>;

    /// Whether it is the password of the hash.
    fn verify(&self, password: &str, hash: &str) -> bool;
}

/// The way to the other nodes.
pub(crate) trait BackPlane: Send + Sync {
    /// Takes a request; its answer comes later, as an input. Never waits, as everything waits for it.
    ///
    /// # Errors
    /// It is not taken: the answer.
    fn ask(&self, request: RequestId, what: BackRequest) -> Result<(), BackAnswer>;
}

/// What goes on behind one mutex: inputs are handled one after the other, and what they bring is
/// given out before the next one, so that all see everything in one order.
struct Inside {
    engine: Engine,
    seats: HashMap<SessionId, Arc<Seat>>,
    /// Operators at the machine who wait for an answer.
    operators: HashMap<u64, oneshot::Sender<AdminAnswer>>,
}

/// The chat of one server. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

/// A chat that may be over.
#[derive(Clone)]
pub(crate) struct WeakHub(Weak<Shared>);

impl WeakHub {
    fn upgrade(&self) -> Option<Hub> {
        self.0.upgrade().map(Hub)
    }

    /// [`Hub::handle`]; false if it is over.
    pub(crate) fn handle(&self, input: Input) -> bool {
        self.upgrade().map(|hub| hub.handle(input)).is_some()
    }
}

struct Shared {
    inside: Mutex<Inside>,
    store: Store,
    passwords: Box<dyn Passwords>,
    /// Set once where there are other nodes.
    back_plane: OnceLock<Box<dyn BackPlane>>,
    /// Hashing takes long on purpose.
    hashing: Arc<Semaphore>,
    next_session: AtomicU64,
    pace: Pace,
    /// The time of the next tick may have changed.
    rescheduled: Notify,
}

impl Hub {
    /// Opens the chat with a store and what was in it. From here on its clock runs on the runtime that
    /// this is called on.
    pub fn open(config: Config, (store, loaded): (Store, Loaded), passwords: Box<dyn Passwords>) -> Self {
        store.keep(config.rules.keep);
        if let Some(last) = loaded.recent.iter().map(|line| line.at).max() {
            clock::is_after(last);
        }
        let mut engine = Engine::new(config);
        // Nobody is there yet, so nothing is shown and nothing asked.
        engine.handle(now(), Input::Load(loaded));
        let hub = Self(Arc::new(Shared {
            inside: Mutex::new(Inside { engine, seats: HashMap::new(), operators: HashMap::new() }),
            store,
            passwords,
            back_plane: OnceLock::new(),
            hashing: Arc::new(Semaphore::new(1)),
            next_session: AtomicU64::new(1),
            pace: Pace::default(),
            rescheduled: Notify::new(),
        }));
        tokio::spawn(hub.clone().tick());
        hub
    }

    /// Other house rules hold from now on.
    pub fn set_rules(&self, rules: Rules) {
        self.0.store.keep(rules.keep);
        self.handle(Input::Rules(Box::new(rules)));
    }

    /// A handle that does not keep the chat open.
    pub(crate) fn downgrade(&self) -> WeakHub {
        WeakHub(Arc::downgrade(&self.0))
    }

    /// Where what is asked of the other nodes goes.
    #[cfg(feature = "nats")]
    pub(crate) fn set_back_plane(&self, back_plane: Box<dyn BackPlane>) {
        let _ = self.0.back_plane.set(back_plane);
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for one more session.
    pub(crate) fn number(&self) -> SessionId {
        SessionId(self.0.next_session.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets somebody in; gives the place where what is shown arrives.
    pub(crate) fn connect(&self, connect: Connect) -> Arc<Seat> {
        let seat = Arc::new(Seat::default());
        self.inside().seats.insert(connect.session, seat.clone());
        self.handle(Input::Connect(Box::new(connect)));
        seat
    }

    /// Somebody is gone.
    pub(crate) fn disconnect(&self, session: SessionId) {
        self.handle(Input::Disconnect(session));
        self.inside().seats.remove(&session);
    }

    /// How often sessions draw.
    pub(crate) fn pace(&self) -> &Pace {
        &self.0.pace
    }

    /// Whether lines of a session wait for their turn to be said.
    pub(crate) fn is_behind(&self, session: SessionId) -> bool {
        self.inside().engine.is_behind(session)
    }

    /// Whether what a session searches is not found yet.
    pub(crate) fn is_searching(&self, session: SessionId) -> bool {
        self.inside().engine.is_searching(session)
    }

    /// What the text before a session's cursor may become.
    pub(crate) fn complete(&self, session: SessionId, before: &str) -> nacre_chat::command::Completion {
        self.inside().engine.complete(session, before)
    }

    /// Tells the engine, and does what it wants.
    pub fn handle(&self, input: Input) {
        let now = now();
        let mut inside = self.inside();
        let mut waiting = vec![input];
        while let Some(input) = waiting.pop() {
            for effect in inside.engine.handle(now, input) {
                self.act(&mut inside, now, effect, &mut waiting);
            }
        }
        drop(inside);
        self.0.rescheduled.notify_one();
    }

    fn act(&self, inside: &mut Inside, now: Time, effect: Effect, next: &mut Vec<Input>) {
        match effect {
            Effect::Show { to, event, ring } => {
                for session in to.sessions() {
                    let Some(seat) = inside.seats.get(&session) else { continue };
                    if seat.push(now, event.clone(), ring.contains(&session)) == Pressure::Stalled {
                        // Whoever takes nothing for a minute does not hear why, either (threat U5).
                        seat.close(Arc::from("reads nothing"));
                        inside.seats.remove(&session);
                        next.push(Input::Disconnect(session));
                    }
                }
            }
            Effect::Close { session, reason } => {
                if let Some(seat) = inside.seats.remove(&session) {
                    seat.close(reason);
                }
            }
            Effect::Store { request, what } => {
                let hub = self.downgrade();
                let asked = self.0.store.ask(what, move |answer| {
                    let _ = hub.handle(Input::Stored { request, answer });
                });
                if let Err(answer) = asked {
                    next.push(Input::Stored { request, answer });
                }
            }
            Effect::Password { request, what } => self.password(request, what),
            // Only an engine that was told of other nodes asks for them.
            Effect::Back { request, what } => {
                if let Some(Err(answer)) = self.0.back_plane.get().map(|plane| plane.ask(request, what)) {
                    next.push(Input::BackAnswer { request, answer });
                }
            }
            Effect::Admin { ticket, answer } => {
                if let Some(asked) = inside.operators.remove(&ticket) {
                    let _ = asked.send(answer);
                }
            }
            Effect::Audit(audit) => tracing::info!("chat: {audit}"),
        }
    }

    fn password(&self, request: RequestId, what: PasswordRequest) {
        let hub = self.clone();
        tokio::spawn(async move {
            let permit = hub.0.hashing.clone().acquire_owned().await;
            let passwords = hub.clone();
            let answer = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                match what {
                    PasswordRequest::Hash(password) => match passwords.0.passwords.hash(&password.0) {
                        Ok(hash) => PasswordAnswer::Hash(Arc::from(hash)),
                        Err(why) => PasswordAnswer::Failed(Arc::from(why)),
                    },
                    PasswordRequest::Verify { password, hash } => {
                        PasswordAnswer::Verified(passwords.0.passwords.verify(&password.0, &hash))
                    }
                }
            });
            let failed = |error: tokio::task::JoinError| PasswordAnswer::Failed(Arc::from(error.to_string()));
            let answer = answer.await.unwrap_or_else(failed);
            hub.handle(Input::Password { request, answer });
        });
    }

    /// Brings the engine its ticks for as long as anybody has a hub.
    async fn tick(self) {
        let weak = self.downgrade();
        drop(self);
        loop {
            let Some(hub) = weak.upgrade() else { return };
            let due = hub.inside().engine.next_timeout();
            let wait = due.map_or(Duration::from_secs(3600), |due| due.since(now()));
            if wait.is_zero() && due.is_some() {
                hub.handle(Input::Tick);
                // Never more than a thousand a second, whatever the engine says.
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = hub.0.rescheduled.notified() => {}
            }
        }
    }

    /// Asks as an operator at the machine, who has every right.
    pub async fn admin(&self, request: AdminRequest) -> AdminAnswer {
        let ticket = self.0.next_session.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.inside().operators.insert(ticket, sender);
        self.handle(Input::Admin { ticket, request });
        receiver.await.unwrap_or_else(|_| AdminAnswer::Refused(Arc::from("the chat has stopped")))
    }

    /// Waits until everything that was said is written down.
    pub async fn settled(&self) {
        self.0.store.settled().await;
    }

    /// The last thing that is done: what was said is written down, and the store's file is closed. Nothing is kept after it.
    pub async fn stop(&self) {
        self.0.store.stop().await;
    }
}
