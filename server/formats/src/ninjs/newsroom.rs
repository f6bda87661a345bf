//! What portals need beside the plain document.

use super::document::copy;
use crate::context::Context;
use crate::item::{Fields, Item, is_truthy};
use serde_json::{Value, json};

pub(super) fn adapt(out: &mut Fields, item: Item<'_>, context: &Context<'_>) {
    let related = context.related;
    let products: Vec<Value> =
        related.products.iter().map(|(id, name)| json!({"code": id, "name": name})).collect();
    out.insert("products".to_owned(), products.into());
    let keeps_guid = item.has("auto_publish")
        || item.object("extra").is_some_and(|extra| extra.has("publish_ingest_id_as_guid"));
    if keeps_guid && item.has("ingest_id") {
        out.insert("guid".to_owned(), item.text("ingest_id").into());
        if item.has("ingest_version") {
            out.insert("version".to_owned(), item.scalar("ingest_version").into());
        }
    }
    let assignment = related.assignment.as_ref().and_then(Item::of);
    for (field, source) in [("coverage_id", "coverage_item"), ("planning_id", "planning_item")] {
        let id = assignment.and_then(|assignment| assignment.get(source)).filter(|id| is_truthy(id));
        if let Some(id) = id {
            out.insert(field.to_owned(), id.clone());
        }
    }
    copy(item, "refs", out);
}
