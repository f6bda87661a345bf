//! A word to stop that also ends a pause.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Said once, heard by everybody who waits here.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    said: Mutex<bool>,
    heard: Condvar,
}

impl Stop {
    pub(crate) fn set(&self) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_all();
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pauses until the time is over or the word is said.
    pub(crate) fn pause(&self, time: Duration) {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.heard.wait_timeout_while(said, time, |said| !*said));
    }

    /// Waits for the word.
    pub(crate) fn wait(&self) {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.heard.wait_while(said, |said| !*said));
    }
}
