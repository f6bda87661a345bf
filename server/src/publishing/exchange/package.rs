//! Packages: each subscriber gets one with those members that it has.

use std::collections::BTreeSet;

use dateline_engine::{Result, Store};
use dateline_publish::filter::Percolator;
use dateline_publish::recipients::{Delivery, Member, Share, shares};
use serde_json::Value;

use super::{Fault, deliveries};
use crate::publishing::{Collections, items};

/// Members of one package at the most.
const MEMBERS_MAX: usize = 1_000;

/// Who gets a package, by what they have of it; nobody where no member went to anybody.
///
/// # Errors
/// `Item` when a member has not been published.
pub(super) fn recipients(
    store: &Store,
    collections: &Collections,
    percolator: &Percolator,
    package: &Value,
    earlier: Option<&Value>,
) -> std::result::Result<Vec<Share>, Fault> {
    let current: BTreeSet<&str> = members(package).take(MEMBERS_MAX).collect();
    let removed = earlier.into_iter().flat_map(members).filter(|id| !current.contains(id));
    let mut known: Vec<(&str, String, Vec<Delivery>, bool)> = Vec::new();
    for id in &current {
        let state = state(store, collections, id)?;
        let state = state
            .ok_or_else(|| Fault::Item(format!("400: Package item with id: {id} has not been published.")))?;
        known.push((id, state, deliveries::of(store, collections.queue, id)?, false));
    }
    for id in removed.take(MEMBERS_MAX) {
        let state = state(store, collections, id)?.unwrap_or_default();
        known.push((id, state, deliveries::of(store, collections.queue, id)?, true));
    }
    let members: Vec<Member<'_>> = known
        .iter()
        .map(|(id, state, deliveries, is_removed)| Member { id, state, deliveries, is_removed: *is_removed })
        .collect();
    Ok(shares(percolator.catalog(), &members))
}

/// The state of an item, if it was published.
fn state(store: &Store, collections: &Collections, id: &str) -> Result<Option<String>> {
    let item = items::find(store, collections.archive, id)?;
    Ok(item.and_then(|item| item.get("state").and_then(Value::as_str).map(str::to_owned)))
}

/// The ids of the members of a package.
pub(super) fn members(package: &Value) -> impl Iterator<Item = &str> {
    let groups = package.get("groups").and_then(Value::as_array).into_iter().flatten();
    let refs = groups.filter_map(|group| group.get("refs")?.as_array()).flatten();
    refs.filter_map(|reference| reference.get("residRef")?.as_str())
}
