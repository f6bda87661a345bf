//! Jobs that an operator takes out: a row whose job is gone would wait for ever, so it ends with it.

use dateline_engine::{Durability, ErrorKind, Job, JobId, Result, Transaction};
use serde_json::Value;

use super::settling;
use crate::app::App;
use crate::publishing::audience;
use crate::publishing::exchange::TRANSMIT_LANE;

/// Takes a job out wherever it stands, and with it the row it was to send.
///
/// # Errors
/// `NotFound` when it is not in the queue, `Conflict` when its row changes all the time.
pub(crate) fn cancel(app: &App, id: JobId, by: &str) -> Result<()> {
    let queue = app.store().queue();
    let Some(job) = queue.job(id)?.filter(|job| &*job.lane == TRANSMIT_LANE) else {
        return queue.cancel(id, by);
    };
    for _ in 1..settling::TRIES {
        match with_row(app, &job, by) {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            done => return done,
        }
    }
    with_row(app, &job, by)
}

/// As `cancel`, for jobs of one lane; answers how many were in the queue.
///
/// # Errors
/// As `cancel`, except `NotFound`.
pub(crate) fn cancel_jobs(app: &App, lane: &str, ids: Vec<JobId>, by: &str) -> Result<usize> {
    if lane != TRANSMIT_LANE {
        return app.store().queue().cancel_many(ids, by);
    }
    let mut cancelled = 0;
    for id in ids {
        match cancel(app, id, by) {
            Ok(()) => cancelled += 1,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(cancelled)
}

fn with_row(app: &App, job: &Job, by: &str) -> Result<()> {
    let store = app.store();
    let payload: Value = serde_json::from_slice(&job.payload).unwrap_or_default();
    let row = payload.get("row").and_then(Value::as_str).unwrap_or_default();
    let found = match store.get(app.publishing().collections().queue, row) {
        Err(error) if error.kind() == ErrorKind::Invalid => None,
        found => found?,
    };
    if let Some(document) = found
        && let Value::Object(mut body) = audience::body(&document)?
        && body.get("state").and_then(Value::as_str).is_some_and(settling::is_unsettled)
    {
        body.insert("state".to_owned(), "canceled".into());
        body.insert("error_message".to_owned(), by.into());
        let transaction = Transaction::new(Durability::Sync).cancel(TRANSMIT_LANE, row, by);
        let transaction = settling::put(app, transaction, &document, &mut body);
        store.commit(transaction)?;
    }
    match store.queue().cancel(job.id, by) {
        // It went with its row.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
