//! How a provider fares, in the document of `ingest_states` that has its id: not in the provider itself, whose version would
//! change under the hands of those who edit it.
//!
//! ```text
//! last_updated, last_item_update, last_item_arrived     times of the last run, of the newest item, of its arrival
//! last_error {code, message, at} | null                 what went wrong in the last run
//! last_run {new, updated, known, left, failed}          what came of its items
//! cursor {..}                                           what the source said for the next time
//! quiet_since                                           the arrival after which silence was told
//! ```

use std::borrow::Cow;

use dateline_engine::{Document, Result};
use dateline_formats::Fields;
use serde_json::{Value, json};

use super::{object, of};
use crate::app::App;

/// What is shown of it with the provider.
const SHOWN: [&str; 5] = ["last_updated", "last_item_update", "last_item_arrived", "last_error", "last_run"];

/// Empty for a provider that was never asked.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn read(app: &App, provider: &str) -> Result<Fields> {
    Ok(object(app.store(), of(app).collections.states, provider)?.unwrap_or_default())
}

/// Members that are shown with a provider.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn health(app: &App, provider: &Document) -> Result<Vec<(&'static str, Value)>> {
    let state = read(app, provider.id.as_str())?;
    Ok(SHOWN.into_iter().map(|name| (name, state.get(name).cloned().unwrap_or(Value::Null))).collect())
}

/// What clients are told of a change: a run that brought items.
pub(crate) fn notices_of(
    collection: &str,
    id: &str,
    before: Option<&Value>,
    body: &Value,
) -> Option<(Cow<'static, str>, Value)> {
    let arrived = |state: &Value| state.get("last_item_arrived").cloned().unwrap_or_default();
    let now = arrived(body);
    let is_news = collection == "ingest_states" && !now.is_null() && before.map(arrived) != Some(now);
    is_news.then(|| ("ingest:update".into(), json!({"provider_id": id, "run": body.get("last_run")})))
}
