//! Products: what subscribers subscribe to.

use std::sync::Arc;

use serde_json::Value;

use super::content::{id_text, name_of};
use super::slots::{Slot, Slots};
use super::targets::Targets;
use super::truth::Truth;

/// A product.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) name: String,
    pub(crate) codes: Vec<Arc<str>>,
    pub(crate) filter: Option<Slot>,
    /// The filter must match; else it must not.
    pub(crate) is_permitting: bool,
    pub(crate) region: Option<Box<str>>,
    pub(crate) kind: ProductKind,
}

/// Which list of a subscriber a product may stand in; looked at when a subscriber is saved only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProductKind {
    Direct,
    Api,
    Both,
}

impl Product {
    pub(crate) fn parse<F>(document: &Value, filters: &mut Slots<F>) -> Self {
        let text = |key: &str| document.get(key).and_then(Value::as_str);
        let of_filter = |key: &str| document.get("content_filter").and_then(|filter| filter.get(key));
        Self {
            name: name_of(document),
            codes: codes(text("codes")),
            filter: of_filter("filter_id").and_then(id_text).map(|id| filters.slot(&id)),
            is_permitting: of_filter("filter_type").and_then(Value::as_str) == Some("permitting"),
            region: text("geo_restrictions").filter(|region| !region.is_empty()).map(Into::into),
            kind: ProductKind::parse(document),
        }
    }

    /// What a truth of its filter makes of it.
    pub(crate) fn accepts(&self, filter: Truth) -> Truth {
        match self.filter {
            None => Truth::True,
            Some(_) if self.is_permitting => filter,
            Some(_) => filter.not(),
        }
    }

    /// Whether the regions the item is for are those of the product.
    pub(crate) fn fits(&self, targets: &Targets) -> bool {
        match (&self.region, targets.regions.as_slice()) {
            (None, []) => true,
            (None, _) | (Some(_), []) => false,
            (Some(region), targeted) => {
                targeted.iter().any(|target| (target.code == *region) == target.allow)
            }
        }
    }
}

impl ProductKind {
    pub(crate) fn parse(document: &Value) -> Self {
        match document.get("product_type").and_then(Value::as_str) {
            Some("direct") => Self::Direct,
            Some("api") => Self::Api,
            _ => Self::Both,
        }
    }
}

/// Codes as they are written, each once: `a, b`.
pub(crate) fn codes(text: Option<&str>) -> Vec<Arc<str>> {
    let mut codes: Vec<Arc<str>> = Vec::new();
    for code in text.unwrap_or_default().split(',').map(str::trim).filter(|code| !code.is_empty()) {
        if codes.iter().all(|own| **own != *code) {
            codes.push(code.into());
        }
    }
    codes
}
