//! A step of a routing scheme: a new item for a desk, and whether it goes out from there.
//!
//! Where its macro is done by another server, the step is a job of lane `send:internal`, made in the commit that stores the
//! ingested item: a provider is not held up by a macro, and an item is not lost because one does not answer.

use dateline_engine::{Ack, Condition, Durability, ErrorKind, LeasedJob, Result, Transaction};
use dateline_formats::{Fields, Item};
use dateline_ingest::routing::{self, Step, Target};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::fetching::{Fetched, Fetcher};
use super::{object, of, publishing};
use crate::app::App;
use crate::internal::Routed;
use crate::macros::{Call, Trouble};
use crate::publishing::{hashed, now};
use crate::work::blocking;

/// An ingested item that changes all the time.
const TRIES: usize = 5;

/// Where an item goes.
pub(super) struct Outgoing {
    pub(super) target: Target,
    publishes: bool,
    subscribers: Vec<Value>,
    types: Vec<Value>,
}

impl Outgoing {
    pub(super) fn of(step: Step) -> Self {
        match step {
            Step::Fetch(target) => {
                Self { target, publishes: false, subscribers: Vec::new(), types: Vec::new() }
            }
            Step::Publish { target, subscribers, types } => {
                Self { target, publishes: true, subscribers, types }
            }
        }
    }

    fn of_order(order: &Routed) -> Self {
        Self {
            target: Target {
                desk: order.desk.clone(),
                stage: order.stage.clone(),
                macro_name: Some(order.macro_name.clone()),
            },
            publishes: order.publishes,
            subscribers: order.subscribers.clone(),
            types: order.types.clone(),
        }
    }

    /// The same as the order of a job.
    pub(super) fn order(&self, ingest: &str, macro_name: &str) -> Routed {
        Routed {
            ingest: ingest.to_owned(),
            desk: self.target.desk.clone(),
            stage: self.target.stage.clone(),
            macro_name: macro_name.to_owned(),
            publishes: self.publishes,
            subscribers: self.subscribers.clone(),
            types: self.types.clone(),
        }
    }

    /// Adds the new item, and the job that publishes it.
    pub(super) fn add_to(
        &self,
        app: &App,
        transaction: Transaction,
        mut fetched: Fetched,
        now: Timestamp,
    ) -> Result<Transaction> {
        let goes_out = self.publishes && self.completed(app, &mut fetched.item);
        let made = fetched.id.clone();
        let fetcher = Fetcher { app, user: "", state: "routed", now };
        let transaction = fetcher.add(transaction, fetched)?;
        Ok(if goes_out { transaction.enqueue(publishing::job(&made)) } else { transaction })
    }

    /// Gives an item what one that goes out has; says whether it does.
    fn completed(&self, app: &App, item: &mut Fields) -> bool {
        for (name, list) in [("target_subscribers", &self.subscribers), ("target_types", &self.types)] {
            if !list.is_empty() {
                item.insert(name.to_owned(), list.clone().into());
            }
        }
        routing::with_defaults(item, &of(app).settings.category);
        item.get("auto_publish") != Some(&Value::Bool(false))
    }
}

/// Brings an ingested item through a macro to a desk, in the commit that ends the job.
///
/// # Errors
/// What the store or the macro fails with: the job comes again.
pub(crate) async fn fetch_routed(app: &App, job: &LeasedJob, order: &Routed) -> Result<()> {
    for attempt in 1..=TRIES {
        match attempted(app, job, order).await {
            Err(error) if error.kind() == ErrorKind::Conflict && attempt < TRIES => {}
            done => return done,
        }
    }
    Ok(())
}

async fn attempted(app: &App, job: &LeasedJob, order: &Routed) -> Result<()> {
    let (ingest, now) = (of(app).collections.ingest, now(app.store()));
    let end = |transaction: Transaction, result: Value| {
        transaction.complete(Ack { lease: job.lease, result: Some(result.to_string().into()) })
    };
    let nothing = |result: Value| end(Transaction::new(Durability::Buffered), result);
    let (Some(document), Some(fields)) =
        (app.store().get(ingest, &order.ingest)?, object(app.store(), ingest, &order.ingest)?)
    else {
        return app.commit(nothing(json!({"skipped": "the item is gone"}))).await.map(drop);
    };
    if Item::from(&fields).text("state") != "ingested" {
        return app.commit(nothing(json!({"skipped": "the item was killed"}))).await.map(drop);
    }
    let (used, asked) = (app.clone(), order.clone());
    let made = blocking(move || {
        let fetcher = Fetcher { app: &used, user: "", state: "routed", now };
        let made = fetcher.fetch(&asked.ingest, &fields, &asked.desk, asked.stage.as_deref());
        made.map_or_else(|trouble| trouble.into_error().map(Err), |fetched| Ok(Ok(fetched)))
    });
    let mut fetched = match made.await? {
        Ok(fetched) => fetched,
        Err(reason) => {
            tracing::warn!(item = order.ingest, desk = order.desk, reason, "a routing rule leads nowhere");
            return app.commit(nothing(json!({"skipped": reason}))).await.map(drop);
        }
    };
    let id = hashed(&["routed", &job.id.to_string()]);
    let (desk, stage) = (order.desk.as_str(), Some(fetched.stage.as_str()));
    let call = Call { item: &fetched.item, desk, stage, cause: "routing", id: &id };
    let outcome = app.macros().run(app, &order.macro_name, &call).await.map_err(Trouble::into_error)?;
    if let Some(reason) = outcome.onto(&mut fetched.item) {
        return app.commit(nothing(json!({"stopped": reason}))).await.map(drop);
    }
    let made = fetched.id.clone();
    let unchanged = Condition::Revision(document.revision());
    let transaction = Transaction::new(Durability::Sync).expect(ingest, document.id, unchanged);
    let transaction = Outgoing::of_order(order).add_to(app, transaction, fetched, now)?;
    app.commit(end(transaction, json!({"item": made}))).await.map(drop)
}
