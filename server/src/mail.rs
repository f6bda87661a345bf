//! Letters of the site to people. A letter is a job, so it goes out with the commit that causes it, or not at all.
//!
//! They go through the relay of the site (`superdesk.MAIL_SERVER` and its kin). Without one nothing is written, and the
//! log says so.

use dateline_engine::{Ack, Durability, Error, LeasedJob, NewJob, Result, Transaction};
use dateline_transmit::{Body, Config, Destination, NoMedia, Transmission, Transmitters};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::app::App;
use crate::publishing::consumer;
use crate::work::{Desk, Lane, hand_back};

/// Lane of the jobs.
const LANE: &str = "send:mail";

/// A letter in plain text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Letter {
    /// Addresses; none learns of the others.
    pub(crate) to: Vec<String>,
    /// One line.
    pub(crate) subject: String,
    /// Lines.
    pub(crate) text: String,
}

impl Letter {
    /// The job that sends it; none without a relay or anybody to send it to.
    ///
    /// # Errors
    /// `Internal` when it cannot be written down.
    pub(crate) fn job(&self, app: &App) -> Result<Option<NewJob>> {
        if self.to.is_empty() {
            return Ok(None);
        }
        if !is_configured(app) {
            tracing::info!(
                subject = self.subject,
                "superdesk.MAIL_SERVER is not set: a letter is not written"
            );
            return Ok(None);
        }
        let payload = serde_json::to_vec(self).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Some(NewJob::new(LANE, payload)))
    }
}

/// Whether letters can be sent.
pub(crate) fn is_configured(app: &App) -> bool {
    app.config().superdesk.get("MAIL_SERVER").and_then(Value::as_str).is_some_and(|host| !host.is_empty())
}

/// The lane.
pub(crate) struct Mail {
    transmitters: Transmitters,
    runtime: Runtime,
}

impl Mail {
    /// # Errors
    /// `Invalid` for settings that cannot be used, `Unavailable` when no runtime can be made.
    pub(crate) fn new(app: &App) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::unavailable(format!("no runtime for mail: {error}")))?;
        Ok(Self { transmitters: consumer::transmitters(app)?, runtime })
    }
}

impl Lane for Mail {
    fn name(&self) -> &'static str {
        LANE
    }

    fn jobs_max(&self) -> usize {
        16
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        let store = desk.app.store();
        desk.each(jobs, |job| {
            let letter: Letter = match serde_json::from_slice(&job.payload) {
                Ok(letter) => letter,
                Err(error) => return hand_back(store, job, &format!("the payload is no letter: {error}")),
            };
            let transmission = transmission(job, &letter);
            match self.runtime.block_on(self.transmitters.send(&transmission, &NoMedia)) {
                Ok(receipt) => {
                    let result = json!({"sent": receipt.id}).to_string();
                    let ack = Ack { lease: job.lease, result: Some(result.into()) };
                    store.commit(Transaction::new(Durability::Buffered).complete(ack)).map(drop)
                }
                Err(failure) => hand_back(store, job, &failure.error_message()),
            }
        })
    }
}

/// Every attempt has the same identity, by which mailboxes drop repeats.
fn transmission(job: &LeasedJob, letter: &Letter) -> Transmission {
    let mut config = Map::new();
    config.insert("recipients_bcc".to_owned(), letter.to.join(";").into());
    let text = json!({"message_subject": letter.subject, "message_text": letter.text}).to_string();
    Transmission {
        item_id: job.id.to_string(),
        item_version: 1,
        published_seq_num: 1,
        subscriber_id: LANE.to_owned(),
        destination: Destination {
            name: LANE.to_owned(),
            format: "Email".to_owned(),
            delivery_type: "email".to_owned(),
            config: Config::new(config),
        },
        body: Body::Text { text, encoding: "utf-8".to_owned() },
        is_in_package: false,
    }
}
