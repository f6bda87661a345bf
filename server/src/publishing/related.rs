//! Documents that an item points to, gathered for its formats.

use dateline_engine::Result;
use dateline_formats::Related;
use serde_json::Value;

use super::items;
use crate::app::App;

/// Items read for one item at the most; a package may not hold the store up.
const ITEMS_MAX: usize = 1_000;

/// Members of a package and related content, as they are now.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn of(app: &App, item: &Value) -> Result<Related> {
    let mut related = Related::default();
    let archive = app.publishing().collections().archive;
    for id in referred(item).take(ITEMS_MAX) {
        if let Some(found) = items::find(app.store(), archive, id)? {
            related.items.insert(id.to_owned(), found);
        }
    }
    Ok(related)
}

fn referred(item: &Value) -> impl Iterator<Item = &str> {
    let groups = item.get("groups").and_then(Value::as_array).into_iter().flatten();
    let refs = groups.filter_map(|group| group.get("refs")?.as_array()).flatten();
    let members = refs.filter_map(|reference| reference.get("residRef")?.as_str());
    let associated = item.get("associations").and_then(Value::as_object).into_iter().flatten();
    // Associations without a type are links to items, not items.
    let links = associated.filter(|(_, own)| own.get("type").is_none());
    members.chain(links.filter_map(|(_, own)| own.get("_id")?.as_str()))
}
