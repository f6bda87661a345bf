//! What a format is, and where formats are found.

use crate::context::Context;
use crate::error::{Fault, FormatError};
use crate::item::{Fields, Item, ItemType};
use crate::limits::{ITEM_BYTES_MAX, ITEM_DEPTH_MAX};
use serde_json::Value;

/// One output for a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The output; UTF-8 unless the content type is binary.
    pub bytes: Vec<u8>,
    /// Media type with parameters, as for a Content-Type header.
    pub content_type: &'static str,
    /// Extension of a file with this content, without the dot.
    pub extension: &'static str,
    /// The subscriber's sequence number if the bytes have it.
    pub sequence: Option<u64>,
}

impl Document {
    pub(crate) fn json(fields: &Fields) -> Result<Document, Fault> {
        let bytes = serde_json::to_vec(fields).map_err(|error| Fault::internal(&error))?;
        Ok(Document { bytes, content_type: "application/json", extension: "json", sequence: None })
    }
}

/// What an output depends on beside the item and the site. Where nothing is set, one output serves all subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Varies {
    /// The subscriber's sequence number and the time of sending are written.
    pub by_transmission: bool,
    /// The destination's configuration is read.
    pub by_destination: bool,
    /// What the subscriber may have is read.
    pub by_subscriber: bool,
}

/// A format of items. Pure: the same item and context give the same bytes.
pub trait Formatter: Send + Sync {
    /// The id that stands in a destination's `format`.
    fn id(&self) -> &'static str;
    /// The label people see.
    fn name(&self) -> &'static str;
    /// The number of its errors ([`FormatError::code`]).
    fn code(&self) -> u16;
    /// Whether it has a place for items of this type.
    fn accepts(&self, kind: ItemType) -> bool;
    /// What its output depends on.
    fn varies(&self) -> Varies;
    /// Whether people are offered its output to look at; one that is no text or means nothing alone is not.
    fn can_preview(&self) -> bool {
        true
    }
    /// Whether people are offered its output as a file.
    fn can_export(&self) -> bool {
        true
    }
    /// Writes an item of an accepted type. Called by [`Formatter::format`], which checks that first.
    ///
    /// # Errors
    /// When the item has values that the format cannot carry.
    fn write(&self, item: Item<'_>, context: &Context<'_>) -> Result<Vec<Document>, Fault>;

    /// Writes an item.
    ///
    /// # Errors
    /// [`FaultKind::Unsupported`](crate::FaultKind::Unsupported) for items of other types, `Invalid` and `TooLarge` with
    /// the field that is at fault.
    fn format(&self, item: &Value, context: &Context<'_>) -> Result<Vec<Document>, FormatError> {
        let checked = check(item).and_then(|(item, kind)| {
            if self.accepts(kind) {
                Ok(item)
            } else {
                Err(Fault::unsupported("type", format!("{} items cannot be written in it", kind.as_str())))
            }
        });
        let written = checked.and_then(|item| self.write(item, context));
        written.map_err(|fault| FormatError { code: self.code(), format: self.name(), fault })
    }
}

fn check(item: &Value) -> Result<(Item<'_>, ItemType), Fault> {
    let fields = Item::of(item).ok_or_else(|| Fault::invalid("", "an item must be an object"))?;
    let kind = match fields.get("type") {
        Some(Value::String(name)) => ItemType::parse(name)
            .ok_or_else(|| Fault::unsupported("type", format!("unallowed value {name}")))?,
        _ => return Err(Fault::invalid("type", "required field")),
    };
    let mut budget = ITEM_BYTES_MAX;
    measure(item, ITEM_DEPTH_MAX, &mut budget)?;
    Ok((fields, kind))
}

/// Refuses items that are too deep to walk or too large to copy.
fn measure(value: &Value, depth: usize, budget: &mut usize) -> Result<(), Fault> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Fault::too_large(
            "",
            format!("an item must not be nested more than {ITEM_DEPTH_MAX} levels"),
        ));
    };
    let own = match value {
        Value::String(text) => text.len(),
        Value::Object(fields) => fields.keys().map(|key| key.len() + 4).sum(),
        Value::Array(list) => list.len(),
        _ => 8,
    };
    *budget = budget.checked_sub(own).ok_or_else(|| {
        Fault::too_large("", format!("an item must not have more than {ITEM_BYTES_MAX} bytes"))
    })?;
    match value {
        Value::Object(fields) => fields.values().try_for_each(|value| measure(value, depth, budget)),
        Value::Array(list) => list.iter().try_for_each(|value| measure(value, depth, budget)),
        _ => Ok(()),
    }
}

/// The formats that destinations may name.
pub struct Registry {
    formatters: Vec<Box<dyn Formatter>>,
}

impl Registry {
    /// No formats.
    pub fn empty() -> Registry {
        Registry { formatters: Vec::new() }
    }

    /// Adds a format. One of the same id takes the place of the earlier one, so a site can replace a built-in format.
    pub fn register(&mut self, formatter: Box<dyn Formatter>) {
        match self.formatters.iter_mut().find(|known| is_same(known.id(), formatter.id())) {
            Some(known) => *known = formatter,
            None => self.formatters.push(formatter),
        }
    }

    /// The format of this id. Letter case makes no difference: destinations say `Email` and `email`.
    pub fn find(&self, id: &str) -> Option<&dyn Formatter> {
        self.iter().find(|formatter| is_same(formatter.id(), id))
    }

    /// All formats in the order of registration.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Formatter> {
        self.formatters.iter().map(Box::as_ref)
    }
}

fn is_same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}
