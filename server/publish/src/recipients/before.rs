//! Who has the item already, by the rows of the queue.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cause, Delivery, Recipient};
use crate::filter::Catalog;

/// Subscribers with rows that bind, as long as they are active.
pub(super) struct Before<'a> {
    by_subscriber: BTreeMap<&'a str, Bound<'a>>,
}

struct Bound<'a> {
    /// Its codes are those of the last row.
    last: &'a Delivery,
    /// Whether some row was for the content API.
    is_api_enabled: bool,
    /// Of all rows.
    associations: BTreeSet<String>,
}

impl<'a> Before<'a> {
    /// Only rows of what was published or corrected bind.
    pub(super) fn of(catalog: &Catalog, deliveries: &'a [Delivery]) -> Self {
        let mut by_subscriber: BTreeMap<&str, Bound<'a>> = BTreeMap::new();
        let binding = deliveries.iter().filter(|delivery| {
            matches!(delivery.publishing_action.as_str(), "published" | "corrected")
                && catalog.is_active(&delivery.subscriber)
        });
        for delivery in binding {
            let bound = by_subscriber.entry(&delivery.subscriber).or_insert_with(|| Bound {
                last: delivery,
                is_api_enabled: false,
                associations: BTreeSet::new(),
            });
            bound.last = delivery;
            bound.is_api_enabled |= delivery.is_content_api;
            bound.associations.extend(delivery.associated_items.iter().cloned());
        }
        Self { by_subscriber }
    }

    pub(super) fn associations(&self, subscriber: &str) -> Option<&BTreeSet<String>> {
        self.by_subscriber.get(subscriber).map(|bound| &bound.associations)
    }

    pub(super) fn recipients(&self, cause: Cause) -> Vec<Recipient> {
        let each = self.by_subscriber.iter().map(|(subscriber, bound)| Recipient {
            subscriber: (*subscriber).into(),
            codes: bound.last.shared_codes(),
            is_api_enabled: bound.is_api_enabled,
            associations: bound.associations.clone(),
            cause: cause.clone(),
        });
        each.collect()
    }
}
