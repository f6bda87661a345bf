//! How the writer's answer reaches who asked.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::error::{Error, Result};

/// Tells a caller the outcome, exactly once: dropped untold, it says that the engine stopped.
pub(crate) struct Done<T>(Option<Box<dyn FnOnce(Result<T>) + Send>>);

impl<T> Done<T> {
    pub(crate) fn new(tell: impl FnOnce(Result<T>) + Send + 'static) -> Self {
        Self(Some(Box::new(tell)))
    }

    pub(crate) fn tell(mut self, outcome: Result<T>) {
        if let Some(tell) = self.0.take() {
            tell(outcome);
        }
    }
}

impl<T> Drop for Done<T> {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell(Err(Error::unavailable("the engine stopped before it answered")));
        }
    }
}

/// Where one thread waits for one outcome.
struct Place<T> {
    outcome: Mutex<Option<Result<T>>>,
    told: Condvar,
}

/// Asks, and waits until the answer has been told. It sleeps at once: waiting threads outnumber cores, and one
/// that spins takes the time the writer needs.
pub(crate) fn wait<T: Send + 'static>(ask: impl FnOnce(Done<T>)) -> Result<T> {
    let place = Arc::new(Place { outcome: Mutex::new(None), told: Condvar::new() });
    let there = Arc::clone(&place);
    ask(Done::new(move |outcome| {
        *there.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        there.told.notify_one();
    }));
    let mut outcome = place.outcome.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(outcome) = outcome.take() {
            return outcome;
        }
        outcome = place.told.wait(outcome).unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_from_another_thread_is_waited_for() {
        let answer = wait(|done| {
            std::thread::spawn(move || done.tell(Ok(7)));
        });
        assert_eq!(answer.unwrap(), 7);
    }

    #[test]
    fn a_question_that_is_dropped_is_answered() {
        let answer: Result<()> = wait(drop);
        assert!(answer.unwrap_err().to_string().contains("stopped before it answered"));
    }
}
