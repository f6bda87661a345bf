//! Who has the item already, by the rows of the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Cause, Delivery, Recipient};
use crate::filter::Catalog;

/// Subscribers with rows that bind, as long as they are active.
pub(super) struct Before {
    by_subscriber: BTreeMap<String, Bound>,
}

#[derive(Default)]
struct Bound {
    /// Of the last row.
    codes: Vec<Arc<str>>,
    /// Whether some row was for the content API.
    is_api_enabled: bool,
    /// Of all rows.
    associations: BTreeSet<String>,
}

impl Before {
    /// Only rows of what was published or corrected bind.
    pub(super) fn of(catalog: &Catalog, deliveries: &[Delivery]) -> Self {
        let mut by_subscriber: BTreeMap<String, Bound> = BTreeMap::new();
        let binding = deliveries.iter().filter(|delivery| {
            matches!(delivery.publishing_action.as_str(), "published" | "corrected")
                && catalog.is_active(&delivery.subscriber)
        });
        for delivery in binding {
            let bound = by_subscriber.entry(delivery.subscriber.clone()).or_default();
            bound.codes = delivery.codes.iter().map(|code| code.as_str().into()).collect();
            bound.is_api_enabled |= delivery.is_content_api;
            bound.associations.extend(delivery.associated_items.iter().cloned());
        }
        Self { by_subscriber }
    }

    pub(super) fn associations(&self, subscriber: &str) -> BTreeSet<String> {
        self.by_subscriber.get(subscriber).map(|bound| bound.associations.clone()).unwrap_or_default()
    }

    pub(super) fn recipients(self, cause: Cause) -> Vec<Recipient> {
        let each = self.by_subscriber.into_iter().map(|(subscriber, bound)| Recipient {
            subscriber,
            codes: bound.codes,
            is_api_enabled: bound.is_api_enabled,
            associations: bound.associations,
            cause: cause.clone(),
        });
        each.collect()
    }
}
