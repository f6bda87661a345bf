//! Whom an item is meant for.

use serde_json::Value;

use super::content::id_text;

/// The target fields of an item.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    pub(crate) subscribers: Vec<String>,
    pub(crate) types: Vec<Target>,
    pub(crate) regions: Vec<Target>,
}

/// A type or region that is wanted, or of which all others are.
#[derive(Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) code: Box<str>,
    pub(crate) allow: bool,
}

/// Why an item cannot be given to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemFault {
    /// The text for the item's error.
    pub message: String,
}

/// What a subscriber is to an item's targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The item is not for it.
    Excluded,
    /// It may have it, by its products.
    Eligible,
    /// It is named, and gets it without a product.
    Named,
}

impl Targets {
    /// Reads the target fields.
    ///
    /// # Errors
    /// When an entry of `target_types` or `target_regions` has no `qcode`.
    pub(crate) fn parse(item: &Value) -> Result<Self, ItemFault> {
        let list = |key: &str| item.get(key).and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            subscribers: list("target_subscribers").filter_map(id_text).collect(),
            types: list("target_types").map(target).collect::<Result<_, _>>()?,
            regions: list("target_regions").map(target).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn standing(&self, subscriber: &str, kind: &str) -> Standing {
        if self.subscribers.is_empty() && self.types.is_empty() {
            return Standing::Eligible;
        }
        if self.subscribers.iter().any(|id| id == subscriber) {
            return Standing::Named;
        }
        let is_of_type = self.types.iter().any(|target| (*target.code == *kind) == target.allow);
        if is_of_type || !self.regions.is_empty() { Standing::Eligible } else { Standing::Excluded }
    }
}

fn target(entry: &Value) -> Result<Target, ItemFault> {
    let code = entry.get("qcode").and_then(Value::as_str).ok_or_else(|| ItemFault {
        message: "Key is missing on article to be published: 'qcode'".to_owned(),
    })?;
    Ok(Target { code: code.into(), allow: entry.get("allow").and_then(Value::as_bool).unwrap_or(false) })
}
