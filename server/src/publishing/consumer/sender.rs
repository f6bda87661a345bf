//! Sends one row, and settles it with its job.

use std::time::{Duration, Instant};

use dateline_engine::{
    Beat, DocId, Document, Error, ErrorKind, Heartbeat, LeaseTerm, LeasedJob, Nack, Result,
};
use dateline_transmit::{Body, Config, Destination, Failure, Receipt, Transmission, Transmitters};
use serde_json::{Map, Value};

use super::breaker::Breakers;
use super::media;
use super::reach;
use super::settling::{self, Settled, Trouble};
use crate::app::App;
use crate::media::Lending;
use crate::outcome;
use crate::publishing::{audience, destinations, exchange, items};
use crate::work::LEASE;

/// How often a sender shows that it is alive.
const BEAT: Duration = Duration::from_secs(10);

/// Whoever sends.
pub(super) struct Sender {
    pub(super) app: App,
    pub(super) transmitters: Transmitters,
    breakers: Breakers,
}

/// A row in hand.
pub(super) struct InHand {
    pub(super) document: Document,
    pub(super) body: Map<String, Value>,
}

impl InHand {
    pub(super) fn text(&self, key: &str) -> &str {
        self.body.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn destination(&self) -> &Value {
        self.body.get("destination").unwrap_or(&Value::Null)
    }

    /// What breakers know the destination by.
    fn place(&self) -> String {
        format!("{}/{}", self.text("subscriber_id"), exchange::delivery_of(self.destination()))
    }
}

impl Sender {
    /// # Errors
    /// `Invalid` for settings that cannot be used.
    pub(super) fn new(app: &App) -> Result<Self> {
        Ok(Self { app: app.clone(), transmitters: reach::transmitters(app)?, breakers: Breakers::default() })
    }

    /// Does one job. What cannot be settled is handed back and comes again.
    pub(super) async fn deliver(&self, job: &LeasedJob) {
        if let Err(error) = self.delivered(job).await {
            tracing::debug!(job = %job.id, %error, "a delivery comes again");
            // The lease ends by itself if even this is not possible.
            drop(self.hand_back(job, &error.to_string(), None).await);
        }
    }

    async fn delivered(&self, job: &LeasedJob) -> Result<()> {
        let payload: Value = serde_json::from_slice(&job.payload).unwrap_or_default();
        let id = payload.get("row").and_then(Value::as_str).unwrap_or_default();
        let Some(row) = self.row(id)? else { return settling::skip(&self.app, job, "the row is gone").await };
        if !settling::is_unsettled(row.text("state")) {
            return settling::skip(&self.app, job, "the row is settled").await;
        }
        if let Err(wait) = self.breakers.admit(&row.place(), self.app.store().now()) {
            return self.hand_back(job, "the destination is left alone", Some(wait)).await;
        }
        let row = settling::begin(&self.app, row).await?;
        let began = Instant::now();
        let sent = self.send_alive(job, &row).await?;
        let took = began.elapsed();
        let now = self.app.store().now();
        let figures = &self.app.metrics().deliveries;
        match &sent {
            Ok(_) => self.breakers.succeeded(&row.place(), &figures.left_alone),
            Err(trouble) if trouble.is_of_receiver => {
                self.breakers.failed(&row.place(), now, &figures.left_alone);
            }
            Err(_) => {}
        }
        let bytes = sent.as_ref().ok().map(|receipt| receipt.bytes);
        let kind = self.kind_of(&row);
        let settled = settling::end(&self.app, job, row, sent).await?;
        let outcome = match (&settled, bytes) {
            (Settled::Again { .. }, _) => "retrying",
            (Settled::Done, Some(_)) => "success",
            (Settled::Done, None) => "failed",
        };
        figures.attempt(kind, outcome, took, bytes);
        match settled {
            Settled::Done => Ok(()),
            Settled::Again { error, wait } => self.hand_back(job, &error, Some(wait)).await,
        }
    }

    /// The transmitter of a row, by the name that there is.
    fn kind_of(&self, row: &InHand) -> &'static str {
        let named = row.destination().get("delivery_type").and_then(Value::as_str).unwrap_or_default();
        self.transmitters.get(named).map_or("unknown", |transmitter| transmitter.key())
    }

    fn row(&self, id: &str) -> Result<Option<InHand>> {
        if DocId::new(id).is_err() {
            return Ok(None);
        }
        let Some(document) = self.app.store().get(self.app.publishing().collections().queue, id)? else {
            return Ok(None);
        };
        match audience::body(&document)? {
            Value::Object(body) => Ok(Some(InHand { document, body })),
            _ => Ok(None),
        }
    }

    /// Sends while the lease is kept alive; a job that was cancelled meanwhile stops.
    async fn send_alive(
        &self,
        job: &LeasedJob,
        row: &InHand,
    ) -> Result<std::result::Result<Receipt, Trouble>> {
        let send = self.send(row);
        tokio::pin!(send);
        loop {
            tokio::select! {
                sent = &mut send => return sent,
                () = tokio::time::sleep(BEAT) => {
                    let beat = Heartbeat { lease: job.lease, term: LeaseTerm::new(LEASE)?, progress: None };
                    let queue = self.app.store().queue();
                    let told = outcome::of(|done| queue.submit_heartbeat(beat, done));
                    match told.await {
                        Ok(Beat::Cancel) => return Err(Error::invalid("the job was cancelled")),
                        // The lease has passed to another, who sends as well.
                        Err(error) if error.kind() == ErrorKind::Conflict => return Err(error),
                        // Whatever keeps the engine from hearing this does not keep the receiver.
                        _ => {}
                    }
                }
            }
        }
    }

    /// Sends one row.
    async fn send(&self, row: &InHand) -> Result<std::result::Result<Receipt, Trouble>> {
        let (store, collections) = (self.app.store(), self.app.publishing().collections());
        let subscriber = items::find(store, collections.subscribers, row.text("subscriber_id"))?;
        let is_active = |subscriber: &Value| subscriber.get("is_active") == Some(&Value::Bool(true));
        let Some(subscriber) = subscriber.filter(is_active) else { return Ok(Err(Trouble::inactive())) };
        let body = match self.body(row)? {
            Ok(body) => body,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let transmission = self.transmission(row, &subscriber, body)?;
        let item = match items::find(store, collections.published, row.text("published_id"))? {
            Some(item) => Some(item),
            None => items::find(store, collections.archive, row.text("item_id"))?,
        };
        if let Some(item) = &item
            && let Some(trouble) = media::missing(&self.app, &transmission, item)?
        {
            return Ok(Err(trouble));
        }
        let lending = Lending::new(&self.app, item.as_ref());
        let sent = self.transmitters.send(&transmission, &lending).await;
        Ok(sent.map_err(|failure| self.trouble(row, &failure)))
    }

    fn trouble(&self, row: &InHand, failure: &Failure) -> Trouble {
        if let Some(reason) = &failure.reason {
            // The row is for everybody who may see it; the reason is for operators.
            tracing::info!(row = %row.document.id, reason, "a delivery was refused");
        }
        Trouble::of(failure)
    }

    fn transmission(&self, row: &InHand, subscriber: &Value, body: Body) -> Result<Transmission> {
        let destination = row.destination();
        let text = |key: &str| destination.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |key: &str| row.body.get(key).and_then(Value::as_u64).unwrap_or(0);
        let secrets = self.app.publishing().collections().secrets;
        let config = destinations::with_secrets(self.app.store(), secrets, subscriber, destination)?;
        Ok(Transmission {
            item_id: row.text("item_id").to_owned(),
            item_version: number("item_version"),
            published_seq_num: number("published_seq_num"),
            subscriber_id: row.text("subscriber_id").to_owned(),
            destination: Destination {
                name: text("name"),
                format: text("format"),
                delivery_type: text("delivery_type"),
                config: Config::new(config),
            },
            body,
            is_in_package: row.body.get("published_in_package").is_some_and(|own| !own.is_null()),
        })
    }

    /// The formatted item: in the row, or where the row says.
    fn body(&self, row: &InHand) -> Result<std::result::Result<Body, Trouble>> {
        let encoding = match row.text("item_encoding") {
            "" => "utf-8",
            encoding => encoding,
        };
        let text = |text: String| Body::Text { text, encoding: encoding.to_owned() };
        if let Some(own) = row.body.get("formatted_item").and_then(Value::as_str) {
            return Ok(Ok(text(own.to_owned())));
        }
        let formatted = self.app.publishing().collections().formatted;
        let Some(document) = self.app.store().get(formatted, row.text("formatted_item_id"))? else {
            return Ok(Err(Trouble::lasting("the formatted item is no longer kept")));
        };
        let (bytes, is_text) = exchange::stored_output(&audience::body(&document)?)?;
        Ok(Ok(match String::from_utf8(bytes) {
            Ok(own) if is_text => text(own),
            Ok(own) => Body::Binary(own.into_bytes().into()),
            Err(bytes) => Body::Binary(bytes.into_bytes().into()),
        }))
    }

    /// Ends the attempt; the next one begins after the wait.
    async fn hand_back(&self, job: &LeasedJob, error: &str, retry_in: Option<Duration>) -> Result<()> {
        let nack = Nack { lease: job.lease, error: error.to_owned(), retry_in };
        let queue = self.app.store().queue();
        outcome::of(|done| queue.submit_nack(nack, done)).await.map(drop)
    }
}
