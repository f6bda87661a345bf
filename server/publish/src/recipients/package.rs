//! Recipients of a package: each gets it with those members that it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::Delivery;
use crate::filter::Catalog;

/// A member of a package, or one that a correction has taken out of it.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The id of the item.
    pub id: &'a str,
    /// Its state now; rows of an earlier state do not count.
    pub state: &'a str,
    /// Its rows, oldest first.
    pub deliveries: &'a [Delivery],
    /// Whether a correction has taken it out: who had it is told, without it.
    pub is_removed: bool,
}

/// What of a package one subscriber gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The id of the subscriber.
    pub subscriber: String,
    /// The ids of the members that it has.
    pub members: BTreeSet<String>,
    /// The codes of the last row that counts.
    pub codes: Vec<Arc<str>>,
    /// Whether it gets the whole package through the content API.
    pub is_api_enabled: bool,
}

/// Who gets a package, in the order of their ids. Nobody: then the package is published like any item, to subscribers
/// of type `digital` and `all`.
#[must_use]
pub fn shares(catalog: &Catalog, members: &[Member<'_>]) -> Vec<Share> {
    let mut shares: BTreeMap<&str, Share> = BTreeMap::new();
    for member in members {
        let current = member.deliveries.iter().filter(|row| row.publishing_action == member.state);
        for row in current.filter(|row| catalog.is_active(&row.subscriber)) {
            let share = shares.entry(&row.subscriber).or_insert_with(|| Share {
                subscriber: row.subscriber.clone(),
                members: BTreeSet::new(),
                codes: Vec::new(),
                is_api_enabled: false,
            });
            share.codes = row.shared_codes();
            share.is_api_enabled |= row.is_content_api;
            if !member.is_removed {
                share.members.insert(member.id.to_owned());
            }
        }
    }
    shares.into_values().collect()
}

/// The package with only these members; `None` when none of them is in it. A group that is left empty goes, and the
/// root group no longer names it.
#[must_use]
pub fn share_of(package: &Value, members: &BTreeSet<String>) -> Option<Value> {
    let groups = package.get("groups").and_then(Value::as_array)?;
    let mut kept: Vec<Value> = groups.clone();
    let mut emptied: BTreeSet<String> = BTreeSet::new();
    let mut is_anything_left = false;
    for group in &mut kept {
        let id = group.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(refs) = group.get_mut("refs").and_then(Value::as_array_mut) else {
            continue;
        };
        let was_empty = refs.is_empty();
        refs.retain(|reference| {
            let item = reference.get("residRef").and_then(Value::as_str);
            is_anything_left |= item.is_some_and(|item| members.contains(item));
            item.is_none_or(|item| members.contains(item))
        });
        if refs.is_empty() && !was_empty {
            emptied.insert(id);
        }
    }
    if !is_anything_left {
        return None;
    }
    let named = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_str).is_some_and(|id| emptied.contains(id))
    };
    kept.retain(|group| !named(group, "id"));
    for group in &mut kept {
        if let Some(refs) = group.get_mut("refs").and_then(Value::as_array_mut) {
            refs.retain(|reference| !named(reference, "idRef"));
        }
    }
    let mut package = package.clone();
    package.as_object_mut()?.insert("groups".to_owned(), kept.into());
    Some(package)
}
