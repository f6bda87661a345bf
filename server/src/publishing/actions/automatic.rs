//! Publishing that nobody asks for: a rule did, when the item came in.

use dateline_engine::{Ack, Durability, Error, ErrorKind, LeasedJob, Result, Transaction};
use dateline_formats::Fields;
use dateline_publish::action::{Command, Edit};
use serde_json::{Value, json};

use super::act::{Action, TRIES, decide};
use super::shelf::Shelf;
use super::told::Sent;
use crate::app::App;

/// Publishes an item as its desk would, with the validators of `auto_publish`, in the commit that ends the job. Gives the
/// producer's words when it refuses; the job is over then, too.
///
/// # Errors
/// When the store cannot be read or written.
pub(crate) fn publish_automatically(app: &App, job: &LeasedJob, item: &str) -> Result<Option<String>> {
    let updates = Fields::from_iter([("auto_publish".to_owned(), Value::Bool(true))]);
    let action = Action {
        id: item.to_owned(),
        privilege: "publish",
        sent: Sent::AsRequest,
        is_conditional: false,
        respects_lock: true,
        asked: Box::new(move |_: &Shelf<'_>, decide: &mut dyn FnMut(&Command<'_>)| {
            decide(&Command::Publish(Edit { updates: &updates, desk: None, is_confirmed: true }));
            Ok(())
        }),
    };
    let done = |result: Value| Ack { lease: job.lease, result: Some(result.to_string().into()) };
    for attempt in 1..=TRIES {
        let transaction = match decide(app, app.store(), None, &action, Durability::Sync) {
            Ok((_, transaction)) => transaction,
            Err(problem) if problem.status_code() < 500 => {
                let reason = problem.detail().to_owned();
                let transaction = Transaction::new(Durability::Buffered);
                app.store().commit(transaction.complete(done(json!({"refused": reason}))))?;
                return Ok(Some(reason));
            }
            Err(problem) => return Err(Error::unavailable(problem.detail().to_owned())),
        };
        match app.store().commit(transaction.complete(done(json!({"published": item})))) {
            Err(error) if error.kind() == ErrorKind::Conflict && attempt < TRIES => {}
            committed => return committed.map(|_| None),
        }
    }
    Ok(None)
}
