//! Many jobs in one commit, and each alone when one of them is in the way.

use dateline_engine::{Durability, Error, ErrorKind, LeasedJob, Nack, Result, Store, Transaction};

/// Adds to the transaction what finishes a job.
pub(crate) type Finish<'a, T> = &'a dyn Fn(Transaction, &T) -> Transaction;

/// Commits what finishes these tasks of jobs; those whose precondition or lease no longer holds come back with the
/// reason.
///
/// Not synced: what a power cut takes, it takes together with the completion of the job, which is then done again.
///
/// # Errors
/// What concerns the store rather than a job.
pub(crate) fn together<'t, T>(
    store: &Store,
    tasks: &'t [T],
    finish: Finish<'_, T>,
) -> Result<Vec<(&'t T, Error)>> {
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let transaction = tasks.iter().fold(Transaction::new(Durability::Buffered), finish);
    match store.commit(transaction) {
        Ok(_) => Ok(Vec::new()),
        Err(error) if !is_about_a_job(&error) => Err(error),
        Err(_) => alone(store, tasks, finish),
    }
}

fn alone<'t, T>(store: &Store, tasks: &'t [T], finish: Finish<'_, T>) -> Result<Vec<(&'t T, Error)>> {
    let mut left = Vec::new();
    for task in tasks {
        match store.commit(finish(Transaction::new(Durability::Buffered), task)) {
            Ok(_) => {}
            Err(error) if is_about_a_job(&error) => left.push((task, error)),
            Err(error) => return Err(error),
        }
    }
    Ok(left)
}

fn is_about_a_job(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Invalid | ErrorKind::NotFound)
}

/// Ends the attempt at a job; another one follows after the lane's backoff.
///
/// # Errors
/// What concerns the store; a lost lease is nobody's business any more.
pub(crate) fn hand_back(store: &Store, job: &LeasedJob, reason: &str) -> Result<()> {
    let nack = Nack { lease: job.lease, error: reason.to_owned(), retry_in: None };
    match store.queue().nack(nack) {
        Err(error) if error.kind() != ErrorKind::Conflict => Err(error),
        _ => Ok(()),
    }
}
