//! The room of a shard: its thread changes what is in it, and whoever asks looks in by himself.
//!
//! A question that goes through the shard's thread costs two switches of threads, more than most answers. So this is the
//! one place of the matcher where a mutable thing is shared: the thread locks it while it takes in a batch. Events are
//! stored after that, but for those of a batch that causes more than are held.
//! Invariant: a look sees every batch that was announced before it, or sees nothing and has to wait for its turn.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use dateline_engine::{Error, Result, Tail};

use crate::shard::Shard;

pub(crate) struct Room {
    /// Empty once the shard has stopped.
    inside: RwLock<Option<Inside>>,
    /// How many batches were ever on their way to the shard.
    announced: AtomicU64,
}

/// A shard, and what has been applied to it.
pub(crate) struct Inside {
    pub(crate) shard: Shard,
    /// Everything up to here.
    pub(crate) at: Tail,
    batches: u64,
}

impl Room {
    pub(crate) fn new(shard: Shard, at: Tail) -> Self {
        Self { inside: RwLock::new(Some(Inside { shard, at, batches: 0 })), announced: AtomicU64::new(0) }
    }

    /// A batch goes into the inbox next.
    pub(crate) fn announce(&self) {
        self.announced.fetch_add(1, Ordering::SeqCst);
    }

    /// What there is now. `None` while batches wait that must be seen first.
    pub(crate) fn look_up_to_date<T>(&self, look: impl FnOnce(&Inside) -> T) -> Result<Option<T>> {
        let announced = self.announced.load(Ordering::SeqCst);
        self.look(|inside| (inside.batches >= announced).then(|| look(inside)))
    }

    /// What there is now, whatever waits.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Inside) -> T) -> Result<T> {
        let inside = self.inside.read().map_err(|_| stopped())?;
        inside.as_ref().map(look).ok_or_else(stopped)
    }

    /// For the shard's thread alone: one announced batch is applied up to `through` by `apply`.
    pub(crate) fn take_in(
        &self,
        through: Tail,
        apply: impl FnOnce(&mut Shard, Tail) -> Result<()>,
    ) -> Result<Tail> {
        let mut inside = self.inside.write().map_err(|_| stopped())?;
        let inside = inside.as_mut().ok_or_else(stopped)?;
        apply(&mut inside.shard, inside.at)?;
        let (at, batches) = (inside.at, inside.batches + 1);
        inside.at = Tail { seq: at.seq.max(through.seq), positions: at.positions.max(through.positions) };
        inside.batches = batches;
        Ok(inside.at)
    }

    /// Empties the room: every later look fails.
    pub(crate) fn close(&self) {
        let shard = self.inside.write().unwrap_or_else(PoisonError::into_inner).take();
        // What a million devices hold is given back without the lock.
        drop(shard);
    }
}

pub(crate) fn stopped() -> Error {
    Error::unavailable("the geo matcher has stopped")
}
