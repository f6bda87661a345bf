//! Schedules that the server makes for lanes of its own.

use dateline_engine::{Condition, DocId, Durability, Error, ErrorKind, Result, Transaction};
use serde_json::{Value, json};

use super::schedule::Schedule;
use crate::app::App;
use crate::eve::{json as text, patch};

/// Adds a schedule if there has never been one of this name: what operators make of it stays, also that they removed it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn ensure(app: &App, name: &str, cron: &str, lane: &str) -> Result<()> {
    let (store, collection) = (app.store(), app.bell().collection());
    if store.head(collection, name)?.is_some() {
        return Ok(());
    }
    let made = json!({
        "name": name, "cron": cron, "time_zone": "UTC", "lane": lane, "payload": null, "overlap": "skip",
        "catch_up": "last", "paused": false,
    });
    let Value::Object(mut body) = made else { return Ok(()) };
    let wrong = |(member, why)| Error::internal(format!("schedule {name}: {member}: {why}"));
    let schedule = Schedule::read(name, &body).map_err(wrong)?;
    schedule.stand(&mut body, schedule.first(store.now()));
    patch::set_version(&mut body, 1);
    let transaction = Transaction::new(Durability::Sync);
    let transaction = transaction.put(collection, DocId::new(name)?, Condition::Absent, text::encode(&body));
    match store.commit(transaction) {
        Err(error) if error.kind() != ErrorKind::Conflict => Err(error),
        _ => {
            app.bell().changed(collection);
            Ok(())
        }
    }
}
