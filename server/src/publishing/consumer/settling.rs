//! Moves a row from state to state, together with its job where that ends.

use std::time::Duration;

use dateline_engine::{Ack, Condition, Document, Durability, ErrorKind, LeasedJob, Result, Transaction};
use dateline_transmit::{Failure, Receipt};
use serde_json::{Map, Value, json};

use super::sender::InHand;
use crate::app::App;
use crate::eve::{date, json as text, patch};
use crate::publishing::audience;

/// Waits double so many times.
const DOUBLINGS_MAX: u32 = 6;
/// A row or subscriber that changes all the time is left to a later attempt.
pub(super) const TRIES: usize = 3;

/// Why a row has not arrived.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    message: String,
    /// The number by which subscribers know critical errors.
    code: u16,
    can_pass: bool,
    after: Option<Duration>,
    /// Whether the receiver is at fault, and others of its rows would fail too.
    pub(super) is_of_receiver: bool,
}

/// What became of a job.
pub(super) enum Settled {
    /// It is completed.
    Done,
    /// It comes again.
    Again { error: String, wait: Duration },
}

impl Trouble {
    pub(super) fn of(failure: &Failure) -> Self {
        Self {
            message: failure.error_message(),
            code: failure.code.number(),
            can_pass: failure.is_retryable(),
            after: failure.retry_after(),
            is_of_receiver: failure.is_retryable(),
        }
    }

    pub(super) fn inactive() -> Self {
        let message = "SubscriberError Error 8001 - Subscriber is inactive".to_owned();
        Self { message, code: 8_001, can_pass: true, after: None, is_of_receiver: false }
    }

    pub(super) fn lasting(message: &str) -> Self {
        let message = format!("PublishQueueError Error 9008 - {message}");
        Self { message, code: 9_008, can_pass: false, after: None, is_of_receiver: false }
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

/// Whether a row in this state is still to be sent.
pub(super) fn is_unsettled(state: &str) -> bool {
    matches!(state, "pending" | "retrying" | "in-progress" | "routing")
}

/// Completes a job of which nothing is left to do.
pub(super) async fn skip(app: &App, job: &LeasedJob, reason: &str) -> Result<()> {
    let result = json!({"skipped": reason}).to_string();
    let ack = Ack { lease: job.lease, result: Some(result.into()) };
    app.commit(Transaction::new(Durability::Buffered).complete(ack)).await.map(drop)
}

/// The row is on its way.
///
/// # Errors
/// `Conflict` when somebody has changed it meanwhile.
pub(super) async fn begin(app: &App, row: InHand) -> Result<InHand> {
    let mut body = row.body.clone();
    body.insert("state".to_owned(), "in-progress".into());
    body.insert("transmit_started_at".to_owned(), date::format(app.store().now().get()).into());
    let transaction = put(app, Transaction::new(Durability::Buffered), &row.document, &mut body);
    let receipt = app.commit(transaction).await?;
    let mut document = row.document;
    if let Some(seq) = receipt.seqs.first() {
        document.prev_seq = document.seq;
        document.seq = *seq;
        document.epoch = receipt.epoch;
    }
    Ok(InHand { document, body })
}

/// What was sent, or not, is written down, over whatever somebody has changed of the row meanwhile.
///
/// # Errors
/// `Conflict` when it changes all the time.
pub(super) async fn end(
    app: &App,
    job: &LeasedJob,
    mut row: InHand,
    sent: std::result::Result<Receipt, Trouble>,
) -> Result<Settled> {
    for _ in 1..TRIES {
        match written(app, job, &row, &sent).await {
            Err(error) if error.kind() == ErrorKind::Conflict => row = again(app, row)?,
            done => return done,
        }
    }
    written(app, job, &row, &sent).await
}

/// The row as it is now.
fn again(app: &App, row: InHand) -> Result<InHand> {
    let found = app.store().get(app.publishing().collections().queue, row.document.id.as_str())?;
    let Some(document) = found else { return Ok(row) };
    match audience::body(&document)? {
        Value::Object(body) => Ok(InHand { document, body }),
        _ => Ok(row),
    }
}

async fn written(
    app: &App,
    job: &LeasedJob,
    row: &InHand,
    sent: &std::result::Result<Receipt, Trouble>,
) -> Result<Settled> {
    let now_ms = app.store().now().get();
    let now = date::format(now_ms);
    let mut body = row.body.clone();
    let complete = |transaction: Transaction, result: Value| {
        transaction.complete(Ack { lease: job.lease, result: Some(result.to_string().into()) })
    };
    let trouble = match sent {
        Ok(receipt) => {
            body.insert("state".to_owned(), "success".into());
            body.insert("completed_at".to_owned(), now.into());
            body.insert("error_message".to_owned(), Value::Null);
            body.insert("receipt".to_owned(), shown(receipt));
            let transaction = put(app, Transaction::new(Durability::Buffered), &row.document, &mut body);
            app.commit(complete(transaction, json!({"sent": receipt.id}))).await?;
            return Ok(Settled::Done);
        }
        Err(trouble) => trouble,
    };
    let attempts = row.body.get("retry_attempt").and_then(Value::as_u64).unwrap_or(0);
    body.insert("error_message".to_owned(), trouble.message.as_str().into());
    let is_last = !trouble.can_pass || attempts >= u64::from(app.publishing().settings().retries_max);
    let wait = wait(app.config().publishing.retry_ms, attempts).max(trouble.after.unwrap_or_default());
    if is_last {
        body.insert("state".to_owned(), "failed".into());
        body.insert("completed_at".to_owned(), now.into());
    } else {
        let next = now_ms.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        body.insert("state".to_owned(), "retrying".into());
        body.insert("retry_attempt".to_owned(), (attempts + 1).into());
        body.insert("next_retry_attempt_at".to_owned(), date::format_precise(next).into());
    }
    let transaction = put(app, Transaction::new(Durability::Buffered), &row.document, &mut body);
    let transaction = close(app, transaction, row, trouble)?;
    if is_last {
        app.commit(complete(transaction, json!({"failed": trouble.message}))).await?;
        return Ok(Settled::Done);
    }
    app.commit(transaction).await?;
    Ok(Settled::Again { error: trouble.message.clone(), wait })
}

/// A subscriber that counts this error as critical is closed in the same commit.
fn close(app: &App, transaction: Transaction, row: &InHand, trouble: &Trouble) -> Result<Transaction> {
    let subscribers = app.publishing().collections().subscribers;
    let Some(document) = app.store().get(subscribers, row.text("subscriber_id"))? else {
        return Ok(transaction);
    };
    let Value::Object(mut subscriber) = audience::body(&document)? else { return Ok(transaction) };
    let critical = subscriber.get("critical_errors").and_then(|all| all.get(trouble.code.to_string()));
    if critical != Some(&Value::Bool(true)) || subscriber.get("is_active") != Some(&Value::Bool(true)) {
        return Ok(transaction);
    }
    tracing::warn!(subscriber = %document.id, error = trouble.message, "a subscriber is closed by a critical error");
    subscriber.insert("is_active".to_owned(), Value::Bool(false));
    subscriber.insert(
        "last_closed".to_owned(),
        json!({
            "closed_at": date::format(app.store().now().get()),
            "closed_by": Value::Null,
            "message": format!("Subscriber made inactive due to critical error: {}", trouble.message),
        }),
    );
    let version = patch::version(&subscriber) + 1;
    patch::set_version(&mut subscriber, version);
    let condition = Condition::Revision(document.revision());
    Ok(transaction.put(subscribers, document.id, condition, text::encode(&subscriber)))
}

/// The row at its next version, for as long as it was to be kept.
pub(super) fn put(
    app: &App,
    transaction: Transaction,
    row: &Document,
    body: &mut Map<String, Value>,
) -> Transaction {
    let version = patch::version(body) + 1;
    patch::set_version(body, version);
    let (queue, condition) = (app.publishing().collections().queue, Condition::Revision(row.revision()));
    match row.expires {
        Some(end) => transaction.put_until(queue, row.id.clone(), condition, text::encode(body), end),
        None => transaction.put(queue, row.id.clone(), condition, text::encode(body)),
    }
}

/// What is known of a delivery that arrived.
pub(super) fn shown(receipt: &Receipt) -> Value {
    let answer = receipt.answer.as_ref().map(|answer| json!({"status": answer.status, "text": answer.text}));
    json!({
        "id": receipt.id, "sha256": receipt.sha256, "bytes": receipt.bytes, "target": receipt.target, "answer": answer,
        "media_sent": receipt.media_sent,
        "duration_ms": u64::try_from(receipt.duration.as_millis()).unwrap_or(u64::MAX),
    })
}

/// The wait after so many attempts beside the first: it doubles, up to 64 times the first.
fn wait(first_ms: u64, attempts: u64) -> Duration {
    let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(DOUBLINGS_MAX);
    Duration::from_millis(first_ms.max(10)).saturating_mul(1 << doublings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let check = |attempts, seconds| assert_eq!(wait(60_000, attempts), Duration::from_secs(seconds));
        check(0, 60);
        check(1, 120);
        check(6, 3_840);
        check(60, 3_840);
        assert_eq!(wait(0, 0), Duration::from_millis(10));
    }
}
