//! Packages: groups of references to other items.

use dateline_formats::{Fields, Item};
use serde_json::{Value, json};

/// A package of these items: a root and one group.
pub(crate) fn groups(members: &[&str]) -> Vec<Value> {
    let references: Vec<Value> = members
        .iter()
        .map(|id| json!({"residRef": id, "type": "text", "location": "ingest", "renditions": {}}))
        .collect();
    vec![
        json!({"id": "root", "role": "grpRole:NEP", "refs": [{"idRef": "main"}]}),
        json!({"id": "main", "role": "grpRole:main", "refs": references}),
    ]
}

/// The guids that a package refers to, in order.
pub fn references(item: &Fields) -> Vec<String> {
    let groups = Item::from(item).objects("groups");
    let refs = groups.flat_map(|group| group.objects("refs").collect::<Vec<_>>());
    refs.map(|own| own.text("residRef").to_owned()).filter(|id| !id.is_empty()).collect()
}
