//! `media_references`: who holds which file. A row is added in the commit of what holds it; a file without rows is swept.
//!
//! Rows of items are never taken away: earlier versions, and what subscribers have, still name the file.

use std::collections::BTreeSet;

use dateline_engine::{CollectionId, Condition, DocId, Transaction};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::ids;
use crate::publishing::items;
use crate::resources::rules::Effect;

/// Levels of items inside of items that are looked at.
const DEPTH_MAX: usize = 3;

/// Adds rows: `holder` holds these files.
pub(super) fn add(
    transaction: Transaction,
    references: CollectionId,
    holder: &str,
    files: &[String],
) -> Transaction {
    files.iter().fold(transaction, |transaction, file| {
        let row = json!({
            "item_id": holder, "media_id": file, "associated_id": null, "published": false, "_version": 1,
        });
        match row_id(holder, file) {
            Some(id) => transaction.put(references, id, Condition::Always, row.to_string()),
            None => transaction,
        }
    })
}

/// Ids may be longer than an id of both together could be.
fn row_id(holder: &str, file: &str) -> Option<DocId> {
    let digest = Sha256::digest(format!("{holder}\0{file}"));
    DocId::new(ids::hex(digest.get(..16)?)).ok()
}

/// The files of an item: of its renditions and attachments, and of the items inside of it.
pub(crate) fn ids_of(item: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(item, DEPTH_MAX, &mut found);
    found
}

fn collect(item: &Value, depth: usize, found: &mut BTreeSet<String>) {
    let members = |key: &str| item.get(key).and_then(Value::as_object).into_iter().flatten();
    for (_, rendition) in members("renditions") {
        found.extend(rendition.get("media").and_then(Value::as_str).map(str::to_owned));
    }
    found.extend(item.get("media").and_then(Value::as_str).map(str::to_owned));
    for attachment in item.get("attachments").and_then(Value::as_array).into_iter().flatten() {
        found.extend(attachment.get("media").and_then(Value::as_str).map(str::to_owned));
    }
    if depth > 0 {
        members("associations").for_each(|(_, inside)| collect(inside, depth - 1, found));
    }
}

/// The rows of an item that is written, for files that are here and that its stored version did not hold.
pub(crate) fn of_item(
    app: &App,
    id: &DocId,
    stored: Option<&Map<String, Value>>,
    body: &Map<String, Value>,
) -> dateline_engine::Result<Option<Effect>> {
    let had = stored.map(|stored| ids_of(&Value::Object(stored.clone()))).unwrap_or_default();
    let collections = app.media().collections();
    let all = ids_of(&Value::Object(body.clone()));
    // A file that is made in the same commit brings its row itself.
    let new = here(app, all.difference(&had))?;
    if new.is_empty() {
        return Ok(None);
    }
    let holder = id.as_str().to_owned();
    let effect = move |transaction| add(transaction, collections.references, &holder, &new);
    Ok(Some(Effect::Also(Box::new(effect))))
}

/// Those of the files that are here, each with the copy of it that says no place.
pub(super) fn here<'a>(
    app: &App,
    files: impl Iterator<Item = &'a String>,
) -> dateline_engine::Result<Vec<String>> {
    let mut found = Vec::new();
    for file in files {
        let Some(about) = items::find(app.store(), app.media().collections().files, file)? else { continue };
        found.push(file.clone());
        found.extend(about.get("public").and_then(Value::as_str).map(str::to_owned));
    }
    Ok(found)
}

/// The files of a document that is new in this commit.
pub(super) fn effect(app: &App, holder: &str, files: Vec<String>) -> Effect {
    let (references, holder) = (app.media().collections().references, holder.to_owned());
    Effect::Also(Box::new(move |transaction| add(transaction, references, &holder, &files)))
}

/// What goes with an upload that is removed: its hold on its files.
pub(crate) fn removed(app: &App, holder: &DocId) -> dateline_engine::Result<Vec<Effect>> {
    let references = app.media().collections().references;
    let rows = app.store().lookup(references, "item_id", &[Value::from(holder.as_str())])?;
    let effect = move |transaction: Transaction| {
        rows.into_iter()
            .fold(transaction, |transaction, row| transaction.delete(references, row, Condition::Always))
    };
    Ok(vec![Effect::Also(Box::new(effect))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_items_and_of_items_inside() {
        let picture =
            json!({"renditions": {"original": {"media": "a"}, "gone": null, "other": {"href": "h"}}});
        let item = json!({
            "associations": {"featuremedia": picture, "none": null},
            "attachments": [{"media": "b"}, {"attachment": "c"}], "renditions": {"original": {"media": "d"}},
        });
        let found: Vec<String> = ids_of(&item).into_iter().collect();
        assert_eq!(found, ["a", "b", "d"]);
        assert!(ids_of(&json!({"renditions": [], "associations": 3})).is_empty());
    }
}
