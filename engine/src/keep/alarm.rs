//! When housekeeping wakes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::types::Millis;

/// Longest sleep without a look at the clock, which may have been set forward.
const SLEEP_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct State {
    at: Option<Millis>,
    stopping: bool,
}

/// Set by the writer and by housekeeping itself; the earliest time counts.
#[derive(Debug)]
pub(crate) struct Alarm {
    state: Mutex<State>,
    changed: Condvar,
}

impl Alarm {
    /// Goes off at once: what is due has to be found out after every opening.
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { at: Some(Millis::ZERO), stopping: false }), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, at: Millis) {
        let mut state = self.state();
        if state.at.is_none_or(|known| at < known) {
            state.at = Some(at);
            self.changed.notify_all();
        }
    }

    pub(crate) fn stop(&self) {
        self.state().stopping = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    /// Waits until it goes off, which clears it; false when there is nothing more to wait for.
    pub(crate) fn wait(&self, clock: &dyn Clock) -> bool {
        let mut state = self.state();
        loop {
            if state.stopping {
                return false;
            }
            let left = state.at.map(|at| at.get().saturating_sub(clock.now().get()));
            if left == Some(0) {
                state.at = None;
                return true;
            }
            let sleep = left.map_or(SLEEP_MAX, |left| Duration::from_millis(left).min(SLEEP_MAX));
            state = self.changed.wait_timeout(state, sleep).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
