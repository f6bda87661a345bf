//! The feeds at work: each with its group of consumers, made from what is stored when it is first asked for.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dateline_engine::{
    Claim, CollectionId, CollectionOptions, Conflict, DocId, Document, Durability, Error, Group, Millis,
    PositionSeq, Result, Seq, Store, Tail, Transaction,
};
use tokio::sync::Notify;

/// Records after which a position that moved without an acknowledgement is stored, and the longest time before it is.
const STORE_EVERY_RECORDS: u64 = 256;
const STORE_EVERY_MS: u64 = 1_000;

/// All feeds.
pub(crate) struct Feeds {
    pub(crate) collection: CollectionId,
    working: Mutex<HashMap<String, Arc<Working>>>,
}

/// One feed at work.
pub(crate) struct Working {
    pub(crate) name: String,
    /// The version of the definition: a lease of an earlier one is nobody's.
    pub(crate) made: Seq,
    group: Mutex<Keeping>,
    /// Told when a partition becomes free.
    pub(crate) freed: Notify,
}

struct Keeping {
    group: Group,
    /// Where each partition stands in the store, and since when.
    stored: Vec<(Seq, Millis)>,
    /// Its definition is being changed: nobody moves it any more.
    retired: bool,
}

/// A feed whose definition is being changed. Dropping it lets the next one who asks begin with what is stored.
pub(crate) struct Retired<'a> {
    feeds: &'a Feeds,
    name: &'a str,
}

impl Drop for Retired<'_> {
    fn drop(&mut self) {
        if let Some(gone) = self.feeds.working().remove(self.name) {
            gone.freed.notify_waiters();
        }
    }
}

/// How far a feed is.
pub(crate) struct State {
    pub(crate) positions: Vec<Seq>,
    pub(crate) lag: u64,
    pub(crate) leased: usize,
}

/// The durable cursor of one partition.
pub(crate) fn cursor(name: &str, partition: usize) -> String {
    format!("feed/{name}/{partition}")
}

/// A feed reads the log only; of the positions lane it holds nothing.
pub(crate) fn place(seq: Seq) -> Tail {
    Tail { seq, positions: PositionSeq::END }
}

impl Feeds {
    pub(crate) fn open(store: &Store) -> Result<Self> {
        let collection = store.ensure_collection("feeds", CollectionOptions::default())?;
        Ok(Self { collection, working: Mutex::default() })
    }

    fn working(&self) -> MutexGuard<'_, HashMap<String, Arc<Working>>> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored definition of this name.
    pub(crate) fn stored(&self, store: &Store, name: &str) -> Result<Option<Document>> {
        match DocId::new(name) {
            Ok(_) => store.get(self.collection, name),
            Err(_) => Ok(None),
        }
    }

    /// Names of all feeds.
    pub(crate) fn names(&self, store: &Store) -> Result<Vec<String>> {
        let mut names = Vec::new();
        store.snapshot()?.ids(self.collection, |name| {
            names.push(name.to_owned());
            ControlFlow::Continue(())
        })?;
        Ok(names)
    }

    /// The feed of a stored definition, at work.
    pub(crate) fn get(
        &self,
        store: &Store,
        definition: &Document,
        partitions: usize,
    ) -> Result<Arc<Working>> {
        let name = definition.id.as_str();
        let mut working = self.working();
        if let Some(known) = working.get(name).filter(|known| known.made == definition.seq) {
            return match known.keeping().retired {
                true => Err(Error::busy(format!("feed '{name}' is being changed; try again"))),
                false => Ok(Arc::clone(known)),
            };
        }
        let mut stored = Vec::with_capacity(partitions);
        for partition in 0..partitions {
            let cursor = store.cursor(&cursor(name, partition))?;
            let cursor =
                cursor.ok_or_else(|| Error::corrupt(format!("feed {name}: no cursor {partition}")))?;
            stored.push((cursor.at.seq, store.now()));
        }
        let group = Group::new(stored.iter().map(|(seq, _)| *seq));
        let group = Mutex::new(Keeping { group, stored, retired: false });
        let made = Working { name: name.to_owned(), made: definition.seq, group, freed: Notify::new() };
        let made = Arc::new(made);
        working.insert(name.to_owned(), Arc::clone(&made));
        Ok(made)
    }

    /// Stops all that goes on with a feed, so that its definition and positions can be changed.
    pub(crate) fn retire<'a>(
        &'a self,
        store: &Store,
        definition: &'a Document,
        partitions: usize,
    ) -> Result<Retired<'a>> {
        let working = self.get(store, definition, partitions)?;
        working.keeping().retired = true;
        Ok(Retired { feeds: self, name: definition.id.as_str() })
    }

    /// How far every feed is, by name.
    pub(crate) fn states(&self, store: &Store) -> Result<Vec<(String, State)>> {
        let mut states = Vec::new();
        for name in self.names(store)? {
            let known = self.working().get(&name).cloned();
            let state = match known {
                Some(known) => known.state(store),
                None => {
                    let cursors = store.cursors(&format!("feed/{name}/"))?;
                    State::of(store, cursors.iter().map(|(_, cursor)| cursor.at.seq).collect(), 0)
                }
            };
            states.push((name, state));
        }
        Ok(states)
    }
}

impl State {
    fn of(store: &Store, positions: Vec<Seq>, leased: usize) -> Self {
        let head = store.feed().head();
        let least = positions.iter().min().copied().unwrap_or(head);
        Self { lag: head.get().saturating_sub(least.get()), positions, leased }
    }
}

impl Working {
    fn keeping(&self) -> MutexGuard<'_, Keeping> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self, store: &Store) -> State {
        let (positions, leased) = {
            let keeping = self.keeping();
            (keeping.group.positions(), keeping.group.leased(store.now()))
        };
        State::of(store, positions, leased)
    }

    pub(crate) fn claim(&self, head: Seq, now: Millis, until: Millis) -> Option<Claim> {
        let mut keeping = self.keeping();
        if keeping.retired { None } else { keeping.group.claim(head, now, until) }
    }

    pub(crate) fn next_end(&self) -> Option<Millis> {
        self.keeping().group.next_end()
    }

    pub(crate) fn found(&self, claim: &Claim, through: Seq, until: Millis) -> bool {
        let mut keeping = self.keeping();
        !keeping.retired && keeping.group.found(claim, through, until)
    }

    pub(crate) fn release(&self, claim: &Claim) {
        self.keeping().group.release(claim);
        self.freed.notify_waiters();
    }

    /// Moves past records that are nobody's work; now and then the place is stored too.
    pub(crate) fn passed(&self, store: &Store, claim: &Claim, through: Seq) {
        let mut keeping = self.keeping();
        let now = store.now();
        if keeping.retired || !keeping.group.passed(claim, through) {
            return;
        }
        let Some((seq, since)) = keeping.stored.get_mut(claim.partition) else { return };
        let far = through.get().saturating_sub(seq.get()) >= STORE_EVERY_RECORDS;
        if far || now.get().saturating_sub(since.get()) >= STORE_EVERY_MS {
            (*seq, *since) = (through, now);
            let transaction = Transaction::new(Durability::Buffered);
            let transaction = transaction.cursor(cursor(&self.name, claim.partition), place(through));
            // Submitted under the lock, so that positions are stored in the order in which they moved.
            store.submit(transaction, |outcome| {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "position of a feed not stored");
                }
            });
        }
    }

    /// Acknowledges; `done` is called once the new position is durable.
    ///
    /// # Errors
    /// `Conflict` (`LeaseLost`).
    pub(crate) fn ack(
        &self,
        store: &Store,
        partition: usize,
        number: u64,
        upto: Option<Seq>,
        done: impl FnOnce(Result<()>) + Send + 'static,
    ) -> Result<()> {
        let mut keeping = self.keeping();
        if keeping.retired {
            return Err(Conflict::LeaseLost.into());
        }
        let at = keeping.group.ack(partition, number, upto)?;
        if let Some(stored) = keeping.stored.get_mut(partition) {
            *stored = (at, store.now());
        }
        let transaction = Transaction::new(Durability::Sync).cursor(cursor(&self.name, partition), place(at));
        store.submit(transaction, move |outcome| done(outcome.map(|_| ())));
        drop(keeping);
        self.freed.notify_waiters();
        Ok(())
    }
}
