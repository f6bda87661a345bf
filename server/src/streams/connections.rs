//! The connections that stay: event streams, endless lines and sockets. Counted, bounded, listed, and ended from outside.
//!
//! A connection is in the list as long as its [`Seat`] lives, however it ends. Bounds: of one user, of one address, of all.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use dateline_engine::{CollectionId, DocId, Millis};
use prometheus_client::metrics::gauge::Gauge;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::auth::{Carried, Principal};
use crate::config::LimitsConfig;
use crate::eve::date;
use crate::eve::problem::{Problem, Slug};
use crate::streams::caller::Caller;
use crate::streams::window::Window;

/// The form of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Server-sent events of the log.
    Events,
    /// Endless NDJSON of the log.
    Lines,
    /// Server-sent events of one job.
    Job,
    /// A WebSocket.
    Socket,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Lines => "lines",
            Self::Job => "job",
            Self::Socket => "socket",
        }
    }
}

/// What a connection is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// An operator wants it to end.
    Disconnect,
    /// Something about its user, role or token has changed.
    LookAgain,
}

/// One open connection.
pub(crate) struct Connection {
    number: u64,
    kind: Kind,
    principal: Principal,
    address: IpAddr,
    agent: Box<str>,
    since: Millis,
    about: String,
    events: AtomicU64,
    messages: AtomicU64,
    subscriptions: Mutex<Vec<Arc<Window>>>,
    called: Notify,
    is_to_end: AtomicBool,
    closing: OnceLock<&'static str>,
}

impl Connection {
    /// Waits for the next call.
    pub(crate) async fn call(&self) -> Call {
        self.called.notified().await;
        if self.is_to_end() { Call::Disconnect } else { Call::LookAgain }
    }

    /// An operator has ended it.
    pub(crate) fn is_to_end(&self) -> bool {
        self.is_to_end.load(Ordering::Acquire)
    }

    fn disconnect(&self) {
        self.is_to_end.store(true, Ordering::Release);
        self.called.notify_one();
    }

    /// Counts events that were sent.
    pub(crate) fn sent(&self, events: usize) {
        self.events.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// Counts a message that came.
    pub(crate) fn received(&self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// It ends for this reason, as soon as the client has heard of it.
    pub(crate) fn closes(&self, reason: &'static str) {
        // The first reason stands.
        let _ = self.closing.set(reason);
    }

    pub(crate) fn add(&self, window: Arc<Window>) {
        self.windows().push(window);
    }

    pub(crate) fn remove(&self, id: u64) {
        self.windows().retain(|window| window.id() != id);
    }

    fn windows(&self) -> MutexGuard<'_, Vec<Arc<Window>>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a document says something about who this is: the user, the role, the session or the key.
    fn hangs_on(&self, kind: Source, id: &DocId) -> bool {
        let own = &self.principal;
        match kind {
            Source::User => own.user == *id,
            Source::Role => own.role.as_ref() == Some(id),
            Source::Token => match &own.carried {
                Carried::Session(own) | Carried::Key(own) => own == id,
            },
        }
    }

    fn shown(&self) -> Value {
        let mut shown = json!({
            "_id": self.number.to_string(),
            "kind": self.kind.word(),
            "user": self.principal.user.as_str(),
            "username": &*self.principal.username,
            "address": self.address.to_string(),
            "agent": &*self.agent,
            "since": date::format(self.since.get()),
            "events": self.events.load(Ordering::Relaxed),
        });
        let about = if self.kind == Kind::Socket {
            vec![
                ("messages", self.messages.load(Ordering::Relaxed).into()),
                ("subscriptions", self.windows().iter().map(|window| window.shown()).collect()),
            ]
        } else {
            vec![("about", self.about.as_str().into())]
        };
        let closing = self.closing.get().map(|reason| ("closing", Value::from(*reason)));
        for (name, value) in about.into_iter().chain(closing) {
            shown[name] = value;
        }
        shown
    }
}

/// What a document that somebody's rights hang on is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    User,
    Role,
    /// A session or an API key.
    Token,
}

impl Source {
    /// Of a collection that says who somebody is.
    pub(crate) fn of(collection: CollectionId, users: CollectionId, roles: CollectionId) -> Self {
        match collection {
            known if known == users => Self::User,
            known if known == roles => Self::Role,
            _ => Self::Token,
        }
    }
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    all: usize,
    per_user: usize,
    per_address: usize,
}

#[derive(Default)]
struct Open {
    by_number: BTreeMap<u64, Arc<Connection>>,
    users: HashMap<DocId, usize>,
    addresses: HashMap<IpAddr, usize>,
    last: u64,
}

/// All of them.
#[derive(Clone)]
pub(crate) struct Connections {
    open: Arc<Mutex<Open>>,
    bounds: Bounds,
    gauge: Gauge,
}

/// A place in the list; dropping it gives the place back.
pub(crate) struct Seat {
    connections: Connections,
    connection: Arc<Connection>,
}

impl Connections {
    pub(crate) fn new(limits: &LimitsConfig, gauge: Gauge) -> Self {
        let bounds = Bounds {
            all: limits.streams_max,
            per_user: limits.streams_per_user_max,
            per_address: limits.streams_per_address_max,
        };
        Self { open: Arc::default(), bounds, gauge }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more connection.
    ///
    /// # Errors
    /// 429 when the user or the address has as many as allowed, 503 when all together have.
    pub(crate) fn take(
        &self,
        kind: Kind,
        caller: &Caller,
        about: &str,
        now: Millis,
    ) -> Result<Seat, Problem> {
        let (user, address) = (&caller.principal.user, caller.peer.ip);
        let mut open = self.open();
        if open.by_number.len() >= self.bounds.all {
            return Err(Problem::new(Slug::Overloaded, "too many streams are open").retry_after(5));
        }
        let many = |whose| {
            let detail = format!("too many streams of this {whose} are open");
            Err(Problem::new(Slug::RateLimited, detail).retry_after(5))
        };
        if open.users.get(user).is_some_and(|count| *count >= self.bounds.per_user) {
            return many("user");
        }
        if open.addresses.get(&address).is_some_and(|count| *count >= self.bounds.per_address) {
            return many("address");
        }
        open.last += 1;
        let connection = Arc::new(Connection {
            number: open.last,
            kind,
            principal: caller.principal.clone(),
            address,
            agent: caller.agent.clone(),
            since: now,
            about: about.to_owned(),
            events: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            subscriptions: Mutex::default(),
            called: Notify::new(),
            is_to_end: AtomicBool::new(false),
            closing: OnceLock::new(),
        });
        *open.users.entry(user.clone()).or_default() += 1;
        *open.addresses.entry(address).or_default() += 1;
        open.by_number.insert(connection.number, Arc::clone(&connection));
        drop(open);
        self.gauge.inc();
        Ok(Seat { connections: self.clone(), connection })
    }

    /// Those that are open, the oldest first.
    pub(crate) fn shown(&self) -> Vec<Value> {
        let open: Vec<_> = self.open().by_number.values().map(Arc::clone).collect();
        open.iter().map(|connection| connection.shown()).collect()
    }

    /// Ends one; whether there is such a one.
    pub(crate) fn disconnect(&self, number: u64) -> bool {
        let found = self.open().by_number.get(&number).map(Arc::clone);
        found.as_ref().map(|connection| connection.disconnect()).is_some()
    }

    /// Tells those whose rights hang on one of these documents to look again.
    pub(crate) fn look_again(&self, changed: &[(Source, DocId)]) {
        for connection in self.open().by_number.values() {
            if changed.iter().any(|(kind, id)| connection.hangs_on(*kind, id)) {
                connection.called.notify_one();
            }
        }
    }

    /// Tells all to look again.
    pub(crate) fn all_look_again(&self) {
        self.open().by_number.values().for_each(|connection| connection.called.notify_one());
    }

    /// Users who have a connection: id, name, how many, since when; by name.
    pub(crate) fn present(&self) -> Vec<Value> {
        let mut present: BTreeMap<(Arc<str>, DocId), (usize, Millis)> = BTreeMap::new();
        for connection in self.open().by_number.values() {
            let who = &connection.principal;
            let entry =
                present.entry((Arc::clone(&who.username), who.user.clone())).or_insert((0, connection.since));
            entry.0 += 1;
        }
        let shown = present.into_iter().map(|((username, user), (connections, since))| {
            json!({
                "user": user.as_str(),
                "username": &*username,
                "connections": connections,
                "since": date::format(since.get()),
            })
        });
        shown.collect()
    }
}

impl std::ops::Deref for Seat {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let connection = &self.connection;
        let mut open = self.connections.open();
        open.by_number.remove(&connection.number);
        give_back(&mut open.users, &connection.principal.user);
        give_back(&mut open.addresses, &connection.address);
        drop(open);
        self.connections.gauge.dec();
    }
}

fn give_back<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
