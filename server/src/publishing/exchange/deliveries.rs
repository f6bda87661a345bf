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
            rows.push((document.created, number(&row), read(&row)));
        }
    }
    rows.sort_by_key(|(created, number, _)| (*created, *number));
    Ok(rows.into_iter().map(|(_, _, delivery)| delivery).collect())
}

fn number(row: &Value) -> u64 {
    row.get("item_version").and_then(Value::as_u64).unwrap_or(0)
}

fn read(row: &Value) -> Delivery {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let texts = |key: &str| {
        let list = row.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let delivery_type = row.pointer("/destination/delivery_type").and_then(Value::as_str);
    Delivery {
        subscriber: text("subscriber_id"),
        publishing_action: text("publishing_action"),
        codes: texts("codes"),
        is_content_api: delivery_type == Some("content_api"),
        associated_items: texts("associated_items"),
    }
}
