//! Up to which log record a search is exact, and waiting for more.
//!
//! Moves forward only, and through this type only. It knows who waits for what, so that the follower can
//! commit early for them.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use dateline_engine::Seq;

/// The watermark of the search index.
#[derive(Default)]
pub(crate) struct Visible {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    /// `None` until an index serves.
    at: Option<Seq>,
    /// How many wait for each record.
    waiting: BTreeMap<Seq, usize>,
    closed: bool,
}

impl Visible {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn at(&self) -> Option<Seq> {
        self.lock().at
    }

    /// Wakes those who waited for it.
    pub(crate) fn advance(&self, to: Seq) {
        let mut state = self.lock();
        if state.at < Some(to) {
            state.at = Some(to);
            drop(state);
            self.moved.notify_all();
        }
    }

    /// Wakes everyone; nothing will move again.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.moved.notify_all();
    }

    /// Whether someone waits for a record up to this one.
    pub(crate) fn wanted(&self, upto: Seq) -> bool {
        self.lock().waiting.first_key_value().is_some_and(|(first, _)| *first <= upto)
    }

    /// Waits until `seq` is visible, at most until the deadline. `nudge` is called once in between, without a
    /// lock held, after the wish is known.
    pub(crate) fn wait(&self, seq: Seq, deadline: Instant, nudge: impl FnOnce()) -> bool {
        let mut state = self.lock();
        if state.at >= Some(seq) {
            return true;
        }
        *state.waiting.entry(seq).or_default() += 1;
        drop(state);
        nudge();
        let mut state = self.lock();
        while state.at < Some(seq) && !state.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if let Some(count) = state.waiting.get_mut(&seq) {
            *count -= 1;
            if *count == 0 {
                state.waiting.remove(&seq);
            }
        }
        state.at >= Some(seq)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn waits_nudges_and_gives_up() {
        let visible = Arc::new(Visible::default());
        let soon = || Instant::now() + Duration::from_millis(20);
        assert!(!visible.wait(Seq::ZERO, soon(), || {}), "nothing serves yet");
        visible.advance(Seq::new(5));
        visible.advance(Seq::new(3));
        assert_eq!(visible.at(), Some(Seq::new(5)));
        assert!(visible.wait(Seq::new(5), soon(), || panic!("no need to nudge")));
        let inner = Arc::clone(&visible);
        let nudge = move || {
            assert!(inner.wanted(Seq::new(9)) && !inner.wanted(Seq::new(8)));
            std::thread::spawn(move || inner.advance(Seq::new(9)));
        };
        assert!(visible.wait(Seq::new(9), Instant::now() + Duration::from_secs(20), nudge));
        assert!(!visible.wait(Seq::new(10), soon(), || {}));
        assert!(!visible.wanted(Seq::new(u64::MAX)), "who gave up is forgotten");
        visible.close();
        assert!(!visible.wait(Seq::new(10), Instant::now() + Duration::from_secs(20), || {}));
    }
}
