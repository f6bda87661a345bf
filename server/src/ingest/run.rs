//! One run of a provider: what it has is fetched and taken, and how that went is written down with the end of the job.

use dateline_engine::{Ack, Condition, DocId, Durability, ErrorKind, LeasedJob, Result, Transaction};
use dateline_formats::{Fields, parse_time, wire_time};
use dateline_ingest::{Health, IngestError, Service};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::provider::Channel;
use super::{object, of, sources};
use crate::app::App;
use crate::eve::{json as text, patch};
use crate::ids;
use crate::publishing::now;
use crate::work::blocking;

/// A provider that somebody changes all the time.
const TRIES: usize = 5;

/// What came of the items of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) new: u64,
    pub(super) updated: u64,
    pub(super) known: u64,
    /// Too old, or of a type that the provider does not take.
    pub(super) left: u64,
    pub(super) failed: u64,
    /// The newest version of an item that was stored.
    pub(super) newest: Option<Timestamp>,
    /// The first thing that went wrong.
    pub(super) error: Option<IngestError>,
    /// What the source is told the next time.
    pub(super) cursor: Fields,
}

impl Report {
    pub(super) fn fail(&mut self, error: IngestError) {
        self.error.get_or_insert(error);
    }

    /// Adds what came of another document.
    pub(super) fn add(&mut self, other: &Report) {
        self.new += other.new;
        self.updated += other.updated;
        self.known += other.known;
        self.left += other.left;
        self.failed += other.failed;
        self.newest = self.newest.max(other.newest);
        if let Some(error) = &other.error {
            self.fail(error.clone());
        }
    }

    fn figures(&self) -> [(&'static str, u64); 5] {
        [
            ("new", self.new),
            ("updated", self.updated),
            ("known", self.known),
            ("left", self.left),
            ("failed", self.failed),
        ]
    }

    fn shown(&self) -> Value {
        let figures = self.figures().into_iter().map(|(name, count)| (name.to_owned(), count.into()));
        Value::Object(figures.collect())
    }
}

/// Runs a provider.
///
/// # Errors
/// What concerns the store. What is wrong with the provider stands in its state.
pub(super) async fn run(app: &App, job: &LeasedJob, provider: &str) -> Result<()> {
    let (read, id) = (app.clone(), provider.to_owned());
    let channel = blocking(move || Channel::read(&read, &id)).await?;
    let Some(channel) = channel.filter(|channel| !channel.provider.is_closed) else {
        return end(
            app,
            Transaction::new(Durability::Buffered),
            job,
            &json!({"skipped": "it is gone or closed"}),
        )
        .await;
    };
    let report = match channel.provider.service {
        Some(Service::Http | Service::Rss) => sources::http(app, &channel).await,
        Some(Service::File) => sources::folder(app, &channel).await,
        Some(Service::Ftp) => sources::ftp(app, &channel).await,
        Some(Service::Email) => sources::mailbox(app, &channel).await,
        None => {
            return end(app, Transaction::new(Durability::Buffered), job, &json!({"skipped": "no service"}))
                .await;
        }
    };
    let report = report?;
    app.metrics().ingest.count(&report.figures(), report.error.is_none());
    for attempt in 1..=TRIES {
        match settle(app, job, &channel, &report).await {
            Err(error) if error.kind() == ErrorKind::Conflict && attempt < TRIES => {}
            done => return done,
        }
    }
    Ok(())
}

async fn end(app: &App, transaction: Transaction, job: &LeasedJob, result: &Value) -> Result<()> {
    let ack = Ack { lease: job.lease, result: Some(result.to_string().into()) };
    app.commit(transaction.complete(ack)).await.map(drop)
}

async fn settle(app: &App, job: &LeasedJob, channel: &Channel, report: &Report) -> Result<()> {
    let (provider, now) = (&channel.provider, now(app.store()));
    let mut state = channel.state.clone();
    let mut set = |name: &str, value: Value| drop(state.insert(name.to_owned(), value));
    set("last_updated", wire_time(now).into());
    set("last_run", report.shown());
    set("cursor", report.cursor.clone().into());
    set(
        "last_error",
        report.error.as_ref().map_or(
            Value::Null,
            |error| json!({"code": error.code.number(), "message": error.to_string(), "at": wire_time(now)}),
        ),
    );
    if let Some(newest) = report.newest {
        let before = state.get("last_item_update").and_then(Value::as_str).and_then(parse_time);
        state.insert(
            "last_item_update".to_owned(),
            wire_time(before.map_or(newest, |before| before.max(newest))).into(),
        );
        state.insert("last_item_arrived".to_owned(), wire_time(now).into());
    }
    let mut transaction = Transaction::new(Durability::Buffered);
    let health = Health { provider, now };
    if report.newest.is_none() && health.is_quiet() {
        transaction = quiet(app, transaction, channel, &mut state)?;
    }
    if let Some(message) = report.error.as_ref().and_then(|error| health.closing(error)) {
        transaction = close(app, transaction, &provider.id, &message, now)?;
    }
    if let Some(error) = &report.error {
        tracing::info!(provider = provider.name, %error, "a provider has failed");
    }
    let collections = of(app).collections;
    let version = patch::version(&state) + 1;
    patch::set_version(&mut state, version);
    let id = DocId::new(provider.id.as_str())?;
    // Runs of one provider follow each other, so nobody else writes this.
    let transaction = transaction.put(collections.states, id, Condition::Always, text::encode(&state));
    let mut result = report.shown();
    result["error"] = report.error.as_ref().map_or(Value::Null, |error| error.to_string().into());
    end(app, transaction, job, &result).await
}

/// Silence is told once for each arrival after which it came.
fn quiet(app: &App, transaction: Transaction, channel: &Channel, state: &mut Fields) -> Result<Transaction> {
    let last = state.get("last_item_arrived").cloned().unwrap_or_default();
    if state.get("quiet_since") == Some(&last) {
        return Ok(transaction);
    }
    let message = "Provider {{name}} has gone strangely quiet. Last activity was on {{last}}";
    let data = json!({"name": channel.provider.name, "last": last});
    state.insert("quiet_since".to_owned(), last);
    activity(app, transaction, &channel.provider.id, message, &data)
}

/// A provider that counts this error as critical is closed in the commit that notes it.
fn close(
    app: &App,
    transaction: Transaction,
    id: &str,
    message: &str,
    now: Timestamp,
) -> Result<Transaction> {
    let providers = of(app).collections.providers;
    let (Some(document), Some(mut body)) =
        (app.store().get(providers, id)?, object(app.store(), providers, id)?)
    else {
        return Ok(transaction);
    };
    tracing::warn!(provider = id, message, "a provider is closed");
    body.insert("is_closed".to_owned(), Value::Bool(true));
    let told = json!({"closed_at": wire_time(now), "closed_by": null, "message": message});
    body.insert("last_closed".to_owned(), told);
    let version = patch::version(&body) + 1;
    patch::set_version(&mut body, version);
    let data = json!({"name": body.get("name"), "message": message});
    let condition = Condition::Revision(document.revision());
    let transaction = transaction.put(providers, document.id, condition, text::encode(&body));
    activity(app, transaction, id, "{{name}}: {{message}}", &data)
}

/// A line for those who keep providers.
fn activity(
    app: &App,
    transaction: Transaction,
    provider: &str,
    message: &str,
    data: &Value,
) -> Result<Transaction> {
    let row = json!({
        "name": "ingest:provider", "message": message, "data": data, "resource": "ingest_providers", "item": provider,
        "_version": 1,
    });
    let bytes = row.as_object().map(text::encode).unwrap_or_default();
    let id = ids::new_id(app.store().now())?;
    Ok(transaction.put(of(app).collections.activity, id, Condition::Absent, bytes))
}
