//! Subscribers, as far as they decide what they get.

use std::sync::Arc;

use serde_json::Value;

use super::content::{ids, name_of};
use super::product::codes;
use super::slots::{Slot, Slots};

/// A subscriber.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) name: String,
    /// `digital`, `wire` or `all`.
    pub(crate) kind: Box<str>,
    pub(crate) is_active: bool,
    pub(crate) products: Vec<Slot>,
    pub(crate) api_products: Vec<Slot>,
    pub(crate) codes: Vec<Arc<str>>,
    /// Global filters that do not block it.
    pub(crate) unblocked: Vec<Slot>,
}

/// Which kinds of subscribers an item may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetMedia {
    /// All.
    Any,
    /// Those of type `digital` and `all`.
    Digital,
    /// Those of type `wire` and `all`.
    Wire,
}

impl TargetMedia {
    /// Text goes everywhere; pictures and the like only to where they can be shown.
    #[must_use]
    pub fn of_item(item: &Value) -> Self {
        match item.get("type").and_then(Value::as_str) {
            None | Some("text" | "preformatted") => Self::Any,
            Some(_) => Self::Digital,
        }
    }

    pub(crate) fn fits(self, kind: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Digital => matches!(kind, "digital" | "all"),
            Self::Wire => matches!(kind, "wire" | "all"),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Digital => "digital",
            Self::Wire => "wire",
        }
    }
}

impl Subscriber {
    pub(crate) fn parse<P, F>(document: &Value, products: &mut Slots<P>, filters: &mut Slots<F>) -> Self {
        let text = |key: &str| document.get(key).and_then(Value::as_str);
        let switched = document.get("global_filters").and_then(Value::as_object).into_iter().flatten();
        let off = switched.filter(|(_, on)| **on == Value::Bool(false));
        let mut slots = |key: &str| {
            let mut slots: Vec<Slot> = Vec::new();
            for slot in ids(document, key).map(|id| products.slot(&id)) {
                if !slots.contains(&slot) {
                    slots.push(slot);
                }
            }
            slots
        };
        Self {
            name: name_of(document),
            kind: text("subscriber_type").unwrap_or_default().into(),
            is_active: document.get("is_active").and_then(Value::as_bool).unwrap_or(false),
            products: slots("products"),
            api_products: slots("api_products"),
            codes: codes(text("codes")),
            unblocked: off.map(|(id, _)| filters.slot(id)).collect(),
        }
    }
}
