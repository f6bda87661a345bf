//! Which schema an item is held to.

use std::borrow::Cow;

use dateline_formats::{Fields, Item};
use serde_json::Value;

use super::{Candidate, Rules, builtin};

/// A schema, and how it was written.
pub(super) struct Found<'a> {
    pub(super) schema: Cow<'a, Fields>,
    /// Schemas of profiles name vocabularies as fields; those of validators do not.
    pub(super) is_profile: bool,
}

/// The first of: the profile the item names or, if there is none, the one for its type; the schema of the site for its
/// type; a row of `validators`; the built-in schema for its type.
pub(super) fn find<'a>(rules: &Rules<'a>, candidate: &Candidate<'_>) -> Option<Found<'a>> {
    if candidate.act != "auto_publish" || rules.holds_auto_published_to_profile {
        let item = Item::from(candidate.item);
        let kind = if item.has("type") { item.text("type") } else { candidate.kind };
        if let Some(profile) = profile_of(rules, item.text("profile"), kind) {
            return Some(Found { schema: fields_of(profile, "schema"), is_profile: true });
        }
    }
    let by_type = rules.schemas.get(candidate.kind).and_then(Value::as_object);
    if let Some(schema) = by_type.filter(|schema| !schema.is_empty()) {
        return Some(Found { schema: Cow::Borrowed(schema), is_profile: true });
    }
    if let Some(row) = rules.validators.iter().find(|row| fits(row, candidate)) {
        return Some(Found { schema: fields_of(row, "schema"), is_profile: false });
    }
    Some(Found { schema: Cow::Owned(builtin::default_schema(candidate.kind)?), is_profile: false })
}

/// The profile of this id, or the one that is for all items of the type.
pub(super) fn profile_of<'a>(rules: &Rules<'a>, id: &str, kind: &str) -> Option<&'a Value> {
    let is_of_type =
        |profile: &&Value| !kind.is_empty() && profile.get("item_type").and_then(Value::as_str) == Some(kind);
    let by_type = || rules.profiles.get(kind).or_else(|| rules.profiles.values().find(is_of_type));
    rules.profiles.get(id).or_else(by_type)
}

fn fits(row: &Value, candidate: &Candidate<'_>) -> bool {
    let text = |key: &str| row.get(key).and_then(Value::as_str);
    let is_embedded = row.get("embedded").and_then(Value::as_bool).unwrap_or(false);
    text("act") == Some(candidate.act)
        && text("type") == Some(candidate.kind)
        && is_embedded == candidate.is_embedded
}

fn fields_of<'a>(value: &'a Value, key: &str) -> Cow<'a, Fields> {
    value.get(key).and_then(Value::as_object).map_or_else(Cow::default, Cow::Borrowed)
}
