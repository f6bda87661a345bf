//! An item that is being changed.

use dateline_formats::{Fields, Item};
use serde_json::Value;

use super::publish_action::PublishAction;

/// What was stored, and what changes. Updates replace whole top-level fields.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) action: PublishAction,
    pub(super) original: Fields,
    pub(super) updates: Fields,
}

impl Draft {
    pub(super) fn get(&self, field: &str) -> Option<&Value> {
        self.updates.get(field).or_else(|| self.original.get(field))
    }

    pub(super) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.updates.insert(field.to_owned(), value.into());
    }

    /// The item as it will be.
    pub(super) fn merged(&self) -> Fields {
        merged(&self.original, &self.updates)
    }

    pub(super) fn id(&self) -> &str {
        id_of(&self.original)
    }

    pub(super) fn is_package(&self) -> bool {
        is_package(&self.original)
    }
}

/// Updates without what belongs to the system: a client may send the whole item back.
pub(super) fn without_system(mut updates: Fields) -> Fields {
    for field in ["_id", "_etag", "_created", "_updated", "_links", "_status", "_type", "_current_version"] {
        updates.shift_remove(field);
    }
    updates
}

/// The stored fields with the updates over them.
pub(super) fn merged(original: &Fields, updates: &Fields) -> Fields {
    let mut item = original.clone();
    for (field, value) in updates {
        item.insert(field.clone(), value.clone());
    }
    item
}

pub(super) fn id_of(item: &Fields) -> &str {
    Item::from(item).text("_id")
}

pub(super) fn is_package(item: &Fields) -> bool {
    Item::from(item).text("type") == "composite"
}

pub(super) fn version_of(item: &Fields) -> u64 {
    item.get("_current_version").and_then(Value::as_u64).unwrap_or(0)
}

/// Fields from literals.
pub(super) fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Fields {
    pairs.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
}
