//! Commits a plan: its rows with their jobs, the numbers they use, and what ends the request.

use std::collections::BTreeSet;
use std::time::Duration;

use dateline_engine::{Condition, DocId, Durability, Millis, Result, Transaction};

use super::numbers::Numbers;
use super::plan::Plan;
use super::rows::Row;
use crate::app::App;

/// Rows of one transaction at the most: with its job, number and output each is four of the engine's operations.
const ROWS_MAX: usize = 2_000;
/// Bytes of outputs of one transaction at the most.
const BYTES_MAX: usize = 32 << 20;

/// Commits; `last` adds what ends the request to the last transaction. A plan within bounds is one transaction.
///
/// The commits are synced: a number that was sent must not be given again after a power cut.
///
/// # Errors
/// `Conflict` when something that `last` depends on has changed; what was committed before stays, and is found again.
pub(crate) fn enact(
    app: &App,
    plan: &Plan,
    numbers: &Numbers<'_>,
    last: impl FnOnce(Transaction) -> Transaction,
) -> Result<()> {
    let parts = parts(plan);
    let mut transaction = Transaction::new(Durability::Sync);
    for (place, rows) in parts.iter().enumerate() {
        transaction = add(app, transaction, plan, numbers, rows)?;
        if place + 1 < parts.len() {
            app.store().commit(std::mem::replace(&mut transaction, Transaction::new(Durability::Sync)))?;
        }
    }
    if let Some(stored) = &plan.stored {
        transaction = stored.add_to(app, transaction);
    }
    app.store().commit(last(transaction))?;
    app.metrics().deliveries.made(plan.rows.len());
    Ok(())
}

/// Rows that go together; those of one subscriber are never parted, so that its number moves once.
fn parts(plan: &Plan) -> Vec<&[Row]> {
    let (mut parts, mut rest) = (Vec::new(), &plan.rows[..]);
    while !rest.is_empty() {
        let (mut end, mut bytes) = (0, 0);
        let mut outputs = BTreeSet::new();
        while end < rest.len() {
            let subscriber = rest.get(end).map(|row| row.subscriber.as_str());
            let run = rest.iter().skip(end).take_while(|row| Some(row.subscriber.as_str()) == subscriber);
            let (mut count, mut size) = (0, 0);
            for row in run {
                count += 1;
                size += bytes_of(plan, row, &mut outputs);
            }
            if end > 0 && (end + count > ROWS_MAX || bytes + size > BYTES_MAX) {
                break;
            }
            end += count;
            bytes += size;
        }
        let (part, others) = rest.split_at(end);
        parts.push(part);
        rest = others;
    }
    parts
}

/// Of a row and of its output, if that is not one of the known.
fn bytes_of<'a>(plan: &'a Plan, row: &'a Row, known: &mut BTreeSet<&'a str>) -> usize {
    let output = row.body.get("formatted_item_id").and_then(|id| plan.outputs.get(id.as_str()?));
    let output = output.filter(|output| known.insert(output.id.as_str()));
    row.text.len() + output.map_or(0, |output| output.body.len())
}

fn add(
    app: &App,
    mut transaction: Transaction,
    plan: &Plan,
    numbers: &Numbers<'_>,
    rows: &[Row],
) -> Result<Transaction> {
    let collections = app.publishing().collections();
    let end = end(app);
    let mut outputs = BTreeSet::new();
    let mut subscriber = None;
    for row in rows {
        transaction =
            put(transaction, collections.queue, row.id.clone(), Condition::Absent, row.text.clone(), end);
        if let Some(job) = &row.job {
            transaction = transaction.enqueue(job.clone());
        }
        if subscriber != Some(row.subscriber.as_str()) {
            subscriber = Some(row.subscriber.as_str());
            transaction = numbers.put(transaction, &row.subscriber)?;
        }
        let output = row.body.get("formatted_item_id").and_then(|id| plan.outputs.get(id.as_str()?));
        if let Some(output) = output.filter(|output| outputs.insert(output.id.as_str())) {
            let (id, text) = (DocId::new(output.id.as_str())?, output.body.clone().into_bytes());
            transaction = put(transaction, collections.formatted, id, Condition::Always, text, end);
        }
    }
    Ok(transaction)
}

/// When rows made now are forgotten.
pub(crate) fn end(app: &App) -> Option<Millis> {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let kept = app.publishing().settings().queue_expiry?;
    Some(Millis::new(app.store().now().get().saturating_add(ms(kept))))
}

fn put(
    transaction: Transaction,
    collection: dateline_engine::CollectionId,
    id: DocId,
    condition: Condition,
    text: Vec<u8>,
    end: Option<Millis>,
) -> Transaction {
    match end {
        Some(end) => transaction.put_until(collection, id, condition, text, end),
        None => transaction.put(collection, id, condition, text),
    }
}
