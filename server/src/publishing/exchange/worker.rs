//! Lane `publish`: each job is one request, exchanged and committed by itself, in the order of the lane.

use dateline_engine::{Ack, Condition, Document, Durability, ErrorKind, LeasedJob, Result, Transaction};
use serde_json::{Map, Value, json};

use super::numbers::Numbers;
use super::request::{PUBLISH_LANE, Request};
use super::{Fault, enact::enact, plan::plan};
use crate::app::App;
use crate::eve::json as text;
use crate::eve::patch;
use crate::publishing::{actions, audience};
use crate::work::{Desk, Lane, hand_back};

/// A published row that changes all the time is left to a later attempt.
const TRIES: usize = 5;

/// The lane.
pub(crate) struct Publish;

impl Lane for Publish {
    fn name(&self) -> &'static str {
        PUBLISH_LANE
    }

    fn jobs_max(&self) -> usize {
        16
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        desk.each(jobs, |job| match exchange(desk.app, job) {
            Ok(()) => Ok(()),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Unavailable | ErrorKind::Corrupt | ErrorKind::Internal
                ) =>
            {
                Err(error)
            }
            Err(error) => hand_back(desk.app.store(), job, &error.to_string()),
        })
    }
}

/// Does one request.
fn exchange(app: &App, job: &LeasedJob) -> Result<()> {
    let request = Request::read(job)?;
    for attempt in 1..=TRIES {
        match attempted(app, job, &request) {
            Err(error) if error.kind() == ErrorKind::Conflict && attempt < TRIES => {
                // Lost for good, or the published row was touched meanwhile: look again.
                tracing::debug!(item = request.item, %error, "a request is exchanged again");
            }
            done => return done,
        }
    }
    Ok(())
}

fn attempted(app: &App, job: &LeasedJob, request: &Request) -> Result<()> {
    let (store, collections) = (app.store(), app.publishing().collections());
    let done = |result: Value| Ack { lease: job.lease, result: Some(result.to_string().into()) };
    let skip = |reason: &str| {
        let tx = Transaction::new(Durability::Buffered);
        store.commit(tx.complete(done(json!({"skipped": reason})))).map(drop)
    };
    let Some(row) = store.get(collections.published, &request.published)? else {
        return skip("the published row is gone");
    };
    let Value::Object(published) = audience::body(&row)? else { return skip("the row is no object") };
    let is_resend = request.action == dateline_publish::recipients::Action::Resend;
    let state = published.get("queue_state").and_then(Value::as_str).unwrap_or("pending");
    if !is_resend && !request.again && !matches!(state, "pending" | "in_progress") {
        return skip("it has been exchanged");
    }
    if published.get("state").and_then(Value::as_str) == Some("scheduled") {
        // Its time has come; what it becomes asks the exchange anew.
        return match actions::fall_due(app, job, &request.item)? {
            true => Ok(()),
            false => skip("the schedule is void"),
        };
    }
    let item = item_of(&published, &request.item);
    let mut numbers = Numbers::new(store, collections.sequences);
    // What is sent again on purpose has rows of its own, however often its worker dies.
    let round = if is_resend { job.id.get().to_string() } else { String::new() };
    let (plan, fault) = match plan(app, request, &item, &mut numbers, &round) {
        Ok(plan) => (Some(plan), None),
        Err(Fault::Item(message)) => (None, Some(message)),
        Err(Fault::Store(error)) => return Err(error),
    };
    let (rows, undecided) = plan.as_ref().map_or((0, 0), |plan| (plan.rows.len(), plan.undecided.len()));
    if let Some(plan) = plan.as_ref().filter(|plan| !plan.undecided.is_empty()) {
        let subscribers: Vec<&str> = plan.undecided.iter().map(|own| &*own.subscriber).collect();
        tracing::warn!(item = request.item, ?subscribers, "a broken filter leaves open who gets an item");
    }
    let end = |transaction: Transaction, told: &str, error: Option<&str>| {
        let mut next = published.clone();
        if !(is_resend || request.again) || told == "queued" {
            next.insert("queue_state".to_owned(), told.into());
            next.insert("error_message".to_owned(), error.into());
        }
        let transaction = settle(app, transaction, &row, next);
        transaction.complete(done(json!({
            "rows": rows, "undecided": undecided, "queue_state": told, "error": error,
        })))
    };
    let fail =
        |why: &str| store.commit(end(Transaction::new(Durability::Sync), "error", Some(why))).map(drop);
    let Some(plan) = plan else { return fail(fault.as_deref().unwrap_or_default()) };
    let told = if plan.recipients.is_empty() { "queued_not_transmitted" } else { "queued" };
    match enact(app, &plan, &numbers, |transaction| end(transaction, told, None)) {
        // Nothing that is too large for the store gets smaller by being tried again.
        Err(error) if error.kind() == ErrorKind::Invalid => fail(&error.to_string()),
        done => done,
    }
}

/// The published row at its next version.
fn settle(app: &App, transaction: Transaction, row: &Document, mut next: Map<String, Value>) -> Transaction {
    let version = patch::version(&next) + 1;
    patch::set_version(&mut next, version);
    let condition = Condition::Revision(row.revision());
    transaction.put(app.publishing().collections().published, row.id.clone(), condition, text::encode(&next))
}

/// The item of a published row: under the item's own id, without what only rows have.
pub(crate) fn item_of(published: &Map<String, Value>, id: &str) -> Value {
    let mut item = published.clone();
    for member in [
        "item_id",
        "queue_state",
        "publish_sequence_no",
        "last_published_version",
        "error_message",
        "_version",
    ] {
        item.shift_remove(member);
    }
    item.insert("_id".to_owned(), id.into());
    Value::Object(item)
}
