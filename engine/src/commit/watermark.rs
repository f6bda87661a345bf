//! How far the store has come, and waking those who wait for it.
//!
//! `applied` is what readers can see, `durable` what survives power loss. Both only move forward,
//! and only through this type; both lanes of a tail move together, so a pair is always consistent.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::types::Tail;

type Listener = Box<dyn Fn(Tail) + Send + Sync>;

#[derive(Clone, Copy, Debug)]
struct Marks {
    applied: Tail,
    durable: Tail,
}

/// The two marks of a store.
pub struct Watermark {
    marks: Mutex<Marks>,
    moved: Condvar,
    listeners: RwLock<Vec<Listener>>,
}

impl std::fmt::Debug for Watermark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let marks = *self.lock();
        write!(f, "Watermark {{ applied: {:?}, durable: {:?} }}", marks.applied, marks.durable)
    }
}

impl Watermark {
    pub(crate) fn new(at: Tail) -> Self {
        Self {
            marks: Mutex::new(Marks { applied: at, durable: at }),
            moved: Condvar::new(),
            listeners: RwLock::new(Vec::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What readers can see.
    #[must_use]
    pub fn applied(&self) -> Tail {
        self.lock().applied
    }

    /// What survives power loss: the end of the feed.
    #[must_use]
    pub fn durable(&self) -> Tail {
        self.lock().durable
    }

    /// Waits until either lane has durably gone past `seen`, at most `timeout`; returns the tail.
    pub fn wait_past(&self, seen: Tail, timeout: Duration) -> Tail {
        // An hour at a time: no caller waits longer without looking around.
        let deadline = Instant::now() + timeout.min(Duration::from_secs(3_600));
        let mut marks = self.lock();
        loop {
            let tail = marks.durable;
            let left = deadline.saturating_duration_since(Instant::now());
            if tail.seq > seen.seq || tail.positions > seen.positions || left.is_zero() {
                return tail;
            }
            marks = self.moved.wait_timeout(marks, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Calls `listener` after each move of the durable mark, on the writer's thread: it must be
    /// quick and must not call the store.
    pub fn subscribe(&self, listener: impl Fn(Tail) + Send + Sync + 'static) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(listener));
    }

    pub(crate) fn apply(&self, to: Tail) {
        let mut marks = self.lock();
        debug_assert!(to.seq >= marks.applied.seq && to.positions >= marks.applied.positions);
        marks.applied = to;
    }

    /// Everything applied so far is durable.
    pub(crate) fn advance(&self) {
        let tail = {
            let mut marks = self.lock();
            if marks.durable == marks.applied {
                return;
            }
            marks.durable = marks.applied;
            marks.durable
        };
        self.moved.notify_all();
        for listener in self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(tail);
        }
    }
}
