//! The copy of an item that goes out by itself on another desk: made, corrected and withdrawn with its source.
//!
//! A copy that is new is not stored before it goes out: it is made and published in the commit that ends the job. What the
//! producer refuses to publish stays on its desk, and the job says why.

use dateline_engine::{Ack, Condition, DocId, Durability, Error, ErrorKind, LeasedJob, Result, Transaction};
use dateline_formats::Fields;
use dateline_publish::action::Command;
use dateline_publish::internal::{Event, Follow};
use serde_json::{Value, json};

use super::act::{Asked, TRIES, is_locked_by_other, produced};
use super::shelf::Shelf;
use super::told::Sent;
use super::{enacting, notices};
use crate::app::App;
use crate::eve::problem::Problem;
use crate::eve::{json as text, patch};

/// What was done with a source, and the copy that is concerned.
pub(crate) struct Followed {
    pub(crate) event: Event,
    /// The id of the copy.
    pub(crate) id: DocId,
    /// The copy as it would be made now.
    pub(crate) fresh: Fields,
    /// The version of the source.
    pub(crate) source: Fields,
}

/// Does with the copy what was done with its source, in the commit that ends the job.
///
/// # Errors
/// `Busy` while somebody holds the copy, or it waits for its own time; what the store fails with.
pub(crate) fn follow(app: &App, job: &LeasedJob, followed: &Followed) -> Result<()> {
    for attempt in 1..=TRIES {
        match attempted(app, job, followed) {
            Err(error) if error.kind() == ErrorKind::Conflict && attempt < TRIES => {}
            done => return done,
        }
    }
    Ok(())
}

fn attempted(app: &App, job: &LeasedJob, followed: &Followed) -> Result<()> {
    let (store, collections, id) = (app.store(), app.publishing().collections(), followed.id.as_str());
    let end = |transaction: Transaction, result: Value| {
        let ack = Ack { lease: job.lease, result: Some(result.to_string().into()) };
        store.commit(transaction.complete(ack)).map(drop)
    };
    let shelf = Shelf::new(store.snapshot()?, collections, collections.desks);
    let stored = shelf.document(collections.archive, id).map(|(_, fields)| fields);
    let step = dateline_publish::internal::follow(followed.event, &followed.source, stored.as_ref());
    match &step {
        Follow::Wait(why) => return Err(Error::busy(*why)),
        Follow::Leave(why) => {
            shelf.check()?;
            return end(Transaction::new(Durability::Buffered), json!({"skipped": why}));
        }
        // A kill does not wait for whoever works on the copy.
        Follow::Act(Event::Publish | Event::Correct, _)
            if stored.as_ref().is_some_and(|copy| is_locked_by_other(copy, None)) =>
        {
            return Err(Error::busy("the copy is locked"));
        }
        Follow::Make(_) | Follow::Act(..) => {}
    }
    let is_new = stored.is_none();
    let original = stored.unwrap_or_else(|| {
        let mut fresh = followed.fresh.clone();
        fresh.insert("_id".to_owned(), id.into());
        fresh
    });
    let asked: Asked = Box::new(move |_: &Shelf<'_>, decide: &mut dyn FnMut(&Command<'_>)| {
        step.command().iter().for_each(decide);
        Ok(())
    });
    let decided = produced(app, store, &shelf, None, &original, Sent::AsRequest, &asked)
        .and_then(|production| Ok::<_, Problem>(enacting::enacted(app, &shelf, &production)?));
    shelf.check()?;
    let mut transaction = Transaction::new(Durability::Sync);
    if is_new {
        transaction = notices::record(app, transaction, "item:routed", id, "", &followed.fresh)?;
    }
    match decided {
        Ok(enacted) => end(enacted.add_to(transaction), json!({"copy": id, "event": followed.event.name()})),
        Err(problem) if problem.status_code() < 500 => {
            let reason = problem.detail().to_owned();
            tracing::warn!(item = id, reason, "a copy does not follow its source");
            if is_new {
                let mut fields = followed.fresh.clone();
                patch::set_version(&mut fields, 1);
                let bytes = text::encode(&fields);
                transaction =
                    transaction.put(collections.archive, followed.id.clone(), Condition::Absent, bytes);
            }
            end(transaction, json!({"copy": id, "refused": reason}))
        }
        Err(problem) => Err(Error::unavailable(problem.detail().to_owned())),
    }
}
