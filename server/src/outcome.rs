//! What the engine answers, waited for without holding a thread.

use std::pin::Pin;
use std::task::{Context, Poll};

use dateline_engine::{Error, Result};
use tokio::sync::oneshot;

/// An answer on its way. Dropping it takes nothing back.
pub(crate) struct Outcome<T>(oneshot::Receiver<Result<T>>);

/// Asks the engine for something: what is asked is handed over before this returns, in the order of the calls.
pub(crate) fn of<T: Send + 'static>(ask: impl FnOnce(Box<dyn FnOnce(Result<T>) + Send>)) -> Outcome<T> {
    let (answer, outcome) = oneshot::channel();
    // Nobody waits any more when the request was given up.
    ask(Box::new(move |result| drop(answer.send(result))));
    Outcome(outcome)
}

impl<T> From<oneshot::Receiver<Result<T>>> for Outcome<T> {
    fn from(outcome: oneshot::Receiver<Result<T>>) -> Self {
        Self(outcome)
    }
}

impl<T> Future for Outcome<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let stopped = |_| Err(Error::unavailable("the engine stopped before it answered"));
        Pin::new(&mut self.0).poll(context).map(|outcome| outcome.unwrap_or_else(stopped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_or_its_absence_is_told() {
        assert_eq!(of(|answer| answer(Ok(7))).await.unwrap(), 7);
        let lost = of::<u8>(drop).await.unwrap_err();
        assert_eq!(lost.kind(), dateline_engine::ErrorKind::Unavailable);
    }
}
