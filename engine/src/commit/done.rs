//! How the writer's answer reaches who asked.

use std::sync::{Arc, Mutex, PoisonError};

use crate::commit::waking::Sleeper;
use crate::error::{Error, Result};

/// Tells a caller the outcome, exactly once: dropped untold, it says that the engine stopped.
pub(crate) struct Done<T>(Option<Ear<T>>);

enum Ear<T> {
    Call(Box<dyn FnOnce(Result<T>) + Send>),
    Thread(Arc<Mutex<Option<Result<T>>>>, Arc<Sleeper>),
}

impl<T> Done<T> {
    pub(crate) fn new(tell: impl FnOnce(Result<T>) + Send + 'static) -> Self {
        Self(Some(Ear::Call(Box::new(tell))))
    }

    pub(crate) fn tell(self, outcome: Result<T>) {
        if let Some(sleeper) = self.leave(outcome) {
            sleeper.wake();
        }
    }

    /// Leaves the outcome with the caller. A thread that sleeps goes on only when it is woken.
    #[must_use]
    pub(crate) fn leave(mut self, outcome: Result<T>) -> Option<Arc<Sleeper>> {
        self.0.take()?.hear(outcome)
    }
}

impl<T> Ear<T> {
    fn hear(self, outcome: Result<T>) -> Option<Arc<Sleeper>> {
        match self {
            Self::Call(tell) => {
                tell(outcome);
                None
            }
            Self::Thread(place, sleeper) => {
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
                Some(sleeper)
            }
        }
    }
}

impl<T> Drop for Done<T> {
    fn drop(&mut self) {
        let stopped = || Err(Error::unavailable("the engine stopped before it answered"));
        if let Some(sleeper) = self.0.take().and_then(|ear| ear.hear(stopped())) {
            sleeper.wake();
        }
    }
}

/// Asks, and waits until the answer has been told. It sleeps at once: waiting threads outnumber cores, and one
/// that spins takes the time the writer needs.
pub(crate) fn wait<T: Send + 'static>(ask: impl FnOnce(Done<T>)) -> Result<T> {
    let (place, sleeper) = (Arc::new(Mutex::new(None)), Arc::new(Sleeper::this_thread()));
    ask(Done(Some(Ear::Thread(Arc::clone(&place), Arc::clone(&sleeper)))));
    sleeper.sleep();
    let outcome = place.lock().unwrap_or_else(PoisonError::into_inner).take();
    outcome.unwrap_or_else(|| Err(Error::internal("a caller was woken without an answer")))
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
