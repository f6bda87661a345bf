//! Earlier rows of an item, as far as they bind.

use dateline_engine::{CollectionId, Result, Store};
use dateline_publish::recipients::Delivery;
use serde_json::Value;

use crate::publishing::audience::body;

/// The rows of an item, oldest first; those of which formatting failed bound nobody.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn of(store: &Store, queue: CollectionId, item: &str) -> Result<Vec<Delivery>> {
    let mut rows = Vec::new();
    for id in store.lookup(queue, "item_id", &[Value::from(item)])? {
        let Some(document) = store.get(queue, id.as_str())? else { continue };
        let row = body(&document)?;
        if row.get("state").and_then(Value::as_str) != Some("error") {
            let delivery = row.as_object().map(Delivery::of_row).unwrap_or_default();
            rows.push((document.created, number(&row), delivery));
        }
    }
    rows.sort_by_key(|(created, number, _)| (*created, *number));
    Ok(rows.into_iter().map(|(_, _, delivery)| delivery).collect())
}

fn number(row: &Value) -> u64 {
    row.get("item_version").and_then(Value::as_u64).unwrap_or(0)
}
