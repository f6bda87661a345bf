//! Routing: which consumer gets a delivery, and its place in line.
//!
//! A delivery to the content API of this server is done by being stored. All others are jobs of lane `transmit`. Those
//! of one destination form a group: one at a time, in the order of publishing, so a destination that fails delays itself
//! and nobody else. A subscriber with `async` has asked for no order; one with `priority` goes before others.

use dateline_engine::NewJob;
use serde_json::{Value, json};

use super::channel::Router;
use super::rows::hashed;

/// Lane of deliveries that are sent.
pub(crate) const TRANSMIT_LANE: &str = "transmit";
/// What a subscriber with `priority` gets.
const PRIORITY: u8 = 8;
/// A job has as many turns as it takes: the row of a delivery says when that is given up, and a request never is.
pub(super) const ATTEMPTS_MAX: u32 = 10_000;

/// The job that sends a row.
pub(crate) fn transmit_job(row: &str, subscriber: &str, destination: &str, document: &Value) -> NewJob {
    job(Router::Default, row, subscriber, destination, document)
}

pub(super) fn job(
    router: Router,
    row: &str,
    subscriber: &str,
    destination: &str,
    document: &Value,
) -> NewJob {
    let is_on = |flag: &str| document.get(flag) == Some(&Value::Bool(true));
    let line = match router {
        Router::Serial => Some(hashed(&["line", subscriber])),
        Router::Default if is_on("async") => None,
        Router::Default => Some(line(subscriber, destination)),
    };
    NewJob {
        group: line,
        priority: if is_on("priority") { PRIORITY } else { 0 },
        attempts_max: ATTEMPTS_MAX,
        ..NewJob::new(TRANSMIT_LANE, json!({"row": row}).to_string())
    }
}

/// The line of a destination, within the bounds of a group's name.
fn line(subscriber: &str, destination: &str) -> String {
    let name = format!("{subscriber}/{destination}");
    if name.len() <= 200 { name } else { hashed(&["line", subscriber, destination]) }
}
