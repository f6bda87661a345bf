//! `GET /api/publish_queue/statistics`: how much stands where.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use axum::extract::State;
use dateline_engine::{DocId, IndexSpec, Result, Snapshot, Spans, Store};
use serde_json::{Value, json};

use super::rows::told;
use crate::app::App;
use crate::eve::problem::Problem;
use crate::http::Answer;
use crate::publishing::{Collections, items};

/// Rows of one state counted at the most.
const ROWS_MAX: u64 = 1_000_000;
/// Rows of one state of which subscribers are told.
const TOLD_MAX: usize = 5_000;
/// States of rows, and whether subscribers are told: not of what has ended well.
const STATES: [(&str, bool); 8] = [
    ("pending", true),
    ("routing", true),
    ("in-progress", true),
    ("retrying", true),
    ("error", true),
    ("failed", true),
    ("canceled", false),
    ("success", false),
];

/// `{"states": {state: rows}, "subscribers": {id: {state: rows}}}`. A state counts a million rows at the most, and 5,000
/// rows of each state are told by subscriber.
pub(super) async fn statistics(State(app): State<App>) -> Answer {
    let counted = app.clone();
    let all = app.scan(move |store| -> std::result::Result<Value, Problem> {
        Ok(count(store, counted.publishing().collections())?)
    });
    told(&all.await?)
}

fn count(store: &Store, collections: Collections) -> Result<Value> {
    let snapshot = store.snapshot()?;
    let mut states: BTreeMap<&str, u64> = BTreeMap::new();
    let mut subscribers: BTreeMap<String, BTreeMap<&str, u64>> = BTreeMap::new();
    for (state, is_told) in STATES {
        let (rows, some) = rows(&snapshot, collections, state)?;
        states.insert(state, rows);
        for id in some.iter().filter(|_| is_told) {
            let row = items::find(store, collections.queue, id.as_str())?;
            let subscriber = row.as_ref().and_then(|row| row.get("subscriber_id")?.as_str());
            if let Some(subscriber) = subscriber {
                *subscribers.entry(subscriber.to_owned()).or_default().entry(state).or_default() += 1;
            }
        }
    }
    Ok(json!({"states": states, "subscribers": subscribers}))
}

/// How many rows are in a state, and the first of them.
fn rows(snapshot: &Snapshot<'_>, collections: Collections, state: &str) -> Result<(u64, Vec<DocId>)> {
    let (mut rows, mut some) = (0, Vec::new());
    let spec: IndexSpec = "state".into();
    let index = snapshot.catalog().by_id(collections.queue).and_then(|known| known.readable(&spec));
    let Some(index) = index else { return Ok((0, some)) };
    let reading = index.reading(&[Spans::value(Some(&Value::from(state)))]);
    snapshot.entries(index, &reading, false, |entry| {
        rows += 1;
        if some.len() < TOLD_MAX {
            some.push(entry.id.clone());
        }
        if rows < ROWS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok((rows, some))
}
