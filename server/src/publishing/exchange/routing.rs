//! Routing: which consumer gets a delivery, and its place in line.
//!
//! A delivery to the content API of this server is done by being stored. All others are jobs of lane `transmit`. Those
//! of one destination form a group: one at a time, in the order of publishing, so a destination that fails delays itself
//! and nobody else. A subscriber with `async` has asked for no order; one with `priority` goes before others.

use dateline_engine::NewJob;
use serde_json::{Map, Value, json};

use super::channel::Router;
use super::rows::{delivery_of, hashed};

/// Lane of deliveries that are sent.
pub(crate) const TRANSMIT_LANE: &str = "transmit";
/// What a subscriber with `priority` gets.
const PRIORITY: u8 = 8;
/// A job has as many turns as it takes: the row of a delivery says when that is given up, and a request never is.
pub(super) const ATTEMPTS_MAX: u32 = 10_000;

/// Member of a row whose channel keeps one line per subscriber.
const SERIAL: &str = "serial";

/// Notes in a row how its channel routes, for whenever it gets another turn.
pub(super) fn note(router: Router, row: &mut Map<String, Value>) {
    if router == Router::Serial {
        row.insert("router".to_owned(), SERIAL.into());
    }
}

/// The job that sends a row. A row has one at a time: while that is unfinished, it is all there is.
pub(crate) fn transmit_job(row: &str, body: &Map<String, Value>, subscriber: &Value) -> NewJob {
    let is_on = |flag: &str| subscriber.get(flag) == Some(&Value::Bool(true));
    let id = body.get("subscriber_id").and_then(Value::as_str).unwrap_or_default();
    let line = match body.get("router").and_then(Value::as_str) {
        Some(SERIAL) => Some(hashed(&["line", id])),
        _ if is_on("async") => None,
        _ => Some(line(id, body.get("destination").map_or("", delivery_of))),
    };
    NewJob {
        group: line,
        priority: if is_on("priority") { PRIORITY } else { 0 },
        attempts_max: ATTEMPTS_MAX,
        unique: Some(row.to_owned()),
        ..NewJob::new(TRANSMIT_LANE, json!({"row": row}).to_string())
    }
}

/// The line of a destination, within the bounds of a group's name.
fn line(subscriber: &str, destination: &str) -> String {
    let name = format!("{subscriber}/{destination}");
    if name.len() <= 200 { name } else { hashed(&["line", subscriber, destination]) }
}
