//! Packages that are written as documents: whether their groups hold together, and the links that members have to them.

use std::collections::BTreeSet;

use dateline_engine::{Condition, DocId, Store, Transaction};
use dateline_publish::action::{Refusal, check_package};
use serde_json::{Map, Value, json};

use super::shelf::Shelf;
use crate::eve::problem::Problem;
use crate::eve::{json as text, patch};
use crate::publishing::{Collections, audience};
use crate::resources::rules::Effect;

/// Checks the groups of a package, and gives the writes that link its members to it, or no more.
///
/// # Errors
/// When the store cannot be read. The inner error is why the package cannot be stored.
pub(super) fn link(
    store: &Store,
    collections: Collections,
    id: &DocId,
    stored: Option<&Map<String, Value>>,
    body: &Map<String, Value>,
) -> Result<Result<Vec<Effect>, Refusal>, Problem> {
    let shelf = Shelf::new(store.snapshot()?, collections, collections.desks);
    let mut package = body.clone();
    package.insert("_id".to_owned(), id.as_str().into());
    let checked = check_package(&shelf, &package);
    shelf.check()?;
    if let Err(refusal) = checked {
        return Ok(Err(refusal));
    }
    let (before, after) = (stored.map(members).unwrap_or_default(), members(body));
    let mut effects = Vec::new();
    for member in before.symmetric_difference(&after) {
        let Some(document) = store.get(collections.archive, member)? else { continue };
        let Value::Object(mut item) = audience::body(&document)? else { continue };
        let links = item.get("linked_in_packages").and_then(Value::as_array);
        let own = |link: &&Value| link.get("package").and_then(Value::as_str) == Some(id.as_str());
        let mut links: Vec<Value> = links.into_iter().flatten().filter(|link| !own(link)).cloned().collect();
        if after.contains(member) {
            links.push(json!({"package": id.as_str()}));
        }
        item.insert("linked_in_packages".to_owned(), links.into());
        let version = patch::version(&item) + 1;
        patch::set_version(&mut item, version);
        let (condition, bytes) = (Condition::Revision(document.revision()), text::encode(&item));
        effects.push(Effect::Also(Box::new(move |transaction: Transaction| {
            transaction.put(collections.archive, document.id, condition, bytes)
        })));
    }
    Ok(Ok(effects))
}

fn members(package: &Map<String, Value>) -> BTreeSet<String> {
    let groups = package.get("groups").and_then(Value::as_array).into_iter().flatten();
    let refs = groups.filter_map(|group| group.get("refs")?.as_array()).flatten();
    refs.filter_map(|reference| reference.get("residRef")?.as_str()).map(str::to_owned).collect()
}
