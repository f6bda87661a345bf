//! What the rules of recipients ask of subscribers by their ids.

use std::sync::Arc;

use super::catalog::Catalog;
use super::subscriber::Subscriber;

impl Catalog {
    fn subscriber(&self, id: &str) -> Option<&Subscriber> {
        self.subscribers.entry(id).map(|(_, subscriber)| subscriber)
    }

    pub(crate) fn is_active(&self, subscriber: &str) -> bool {
        self.subscriber(subscriber).is_some_and(|subscriber| subscriber.is_active)
    }

    pub(crate) fn subscriber_type(&self, subscriber: &str) -> Option<&str> {
        self.subscriber(subscriber).map(|subscriber| &*subscriber.kind)
    }

    pub(crate) fn has_api_products(&self, subscriber: &str) -> bool {
        self.subscriber(subscriber).is_some_and(|subscriber| !subscriber.api_products.is_empty())
    }

    /// The codes of an active subscriber and of all its products, each once; also of one without products.
    pub(crate) fn all_codes(&self, subscriber: &str) -> Option<Vec<Arc<str>>> {
        let subscriber = self.subscriber(subscriber).filter(|subscriber| subscriber.is_active)?;
        Some(self.codes(subscriber, subscriber.products.iter().chain(&subscriber.api_products)))
    }
}
