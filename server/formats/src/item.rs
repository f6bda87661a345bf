//! A reading view of an item: a JSON object whose fields may be missing, null or of another type than expected.
//!
//! Nothing here fails because of a field's type: what is not there as expected is absent. Only dates that are there and
//! cannot be read are told, by [`Item::date`], since a format that needs one has nothing to put in its place.

use crate::error::Fault;
use crate::time;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// The fields of an object, in the order in which they were sent.
pub type Fields = Map<String, Value>;

/// What an item is, by its field `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemType {
    /// A story with markup.
    Text,
    /// A story whose line breaks and spaces are meant.
    Preformatted,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// A photo.
    Picture,
    /// A drawing, chart or map.
    Graphic,
    /// A package: groups of references to other items.
    Composite,
    /// Something that will happen.
    Event,
    /// How an event or topic will be covered.
    Planning,
}

impl ItemType {
    /// All types there are.
    pub const ALL: [ItemType; 9] = [
        ItemType::Text,
        ItemType::Preformatted,
        ItemType::Audio,
        ItemType::Video,
        ItemType::Picture,
        ItemType::Graphic,
        ItemType::Composite,
        ItemType::Event,
        ItemType::Planning,
    ];

    /// The type of this name, exactly as written in an item.
    pub fn parse(name: &str) -> Option<ItemType> {
        ItemType::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name as written in an item.
    pub fn as_str(self) -> &'static str {
        match self {
            ItemType::Text => "text",
            ItemType::Preformatted => "preformatted",
            ItemType::Audio => "audio",
            ItemType::Video => "video",
            ItemType::Picture => "picture",
            ItemType::Graphic => "graphic",
            ItemType::Composite => "composite",
            ItemType::Event => "event",
            ItemType::Planning => "planning",
        }
    }

    pub(crate) fn is_story(self) -> bool {
        matches!(self, ItemType::Text | ItemType::Preformatted)
    }

    /// Types whose content is a file with a caption.
    pub(crate) fn is_captioned(self) -> bool {
        matches!(self, ItemType::Audio | ItemType::Video | ItemType::Picture)
    }
}

/// A borrowed item, or a part of one that is an object.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    fields: &'a Fields,
}

impl<'a> Item<'a> {
    /// Views an object; none for any other value.
    pub fn of(value: &'a Value) -> Option<Item<'a>> {
        value.as_object().map(Item::from)
    }

    /// A copy of the object.
    pub fn to_fields(self) -> Fields {
        self.fields.clone()
    }

    pub(crate) fn fields(self) -> &'a Fields {
        self.fields
    }

    /// A field that is there and not null.
    pub fn get(self, field: &str) -> Option<&'a Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// A text, empty when there is none.
    pub fn text(self, field: &str) -> &'a str {
        self.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text, number or truth value as text, empty for anything else.
    pub fn scalar(self, field: &str) -> String {
        self.get(field).map(scalar).unwrap_or_default()
    }

    /// The first of these fields that is a text and not empty.
    pub(crate) fn first_text<const N: usize>(self, fields: [&str; N]) -> &'a str {
        fields.into_iter().map(|field| self.text(field)).find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// The first of these fields that says something, as [`Item::scalar`] gives it.
    pub(crate) fn first_scalar<const N: usize>(self, fields: [&str; N]) -> String {
        fields.into_iter().find(|field| self.has(field)).map(|field| self.scalar(field)).unwrap_or_default()
    }

    /// A field as [`Item::scalar`] gives it, and what it is usually when it says nothing.
    pub(crate) fn scalar_or(self, field: &str, usual: &str) -> String {
        if self.has(field) { self.scalar(field) } else { usual.to_owned() }
    }

    /// The elements of a list that are not null. A single value that is not a list has none.
    pub fn list(self, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.get(field)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|value| !value.is_null())
            .take(crate::limits::LIST_MAX)
    }

    /// The elements of a list that are objects.
    pub fn objects(self, field: &str) -> impl Iterator<Item = Item<'a>> + use<'a> {
        self.list(field).filter_map(Item::of)
    }

    /// An object inside.
    pub fn object(self, field: &str) -> Option<Item<'a>> {
        self.get(field).and_then(Item::of)
    }

    /// The entries of an object inside that are objects themselves, in its order.
    pub fn entries(self, field: &str) -> impl Iterator<Item = (&'a str, Item<'a>)> + use<'a> {
        let entries = self.object(field).map(|object| object.fields.iter());
        let objects = entries.into_iter().flatten();
        objects
            .filter_map(|(name, value)| Some((name.as_str(), Item::of(value)?)))
            .take(crate::limits::LIST_MAX)
    }

    /// Whether a field says something: false for null, false, 0, and empty texts, lists and objects.
    pub fn has(self, field: &str) -> bool {
        self.get(field).is_some_and(is_truthy)
    }

    /// A flag of the object `flags`.
    pub fn flag(self, name: &str) -> bool {
        self.object("flags").is_some_and(|flags| flags.has(name))
    }

    /// What the item is.
    pub fn kind(self) -> Option<ItemType> {
        ItemType::parse(self.text("type"))
    }

    /// A point in time, or none when the field is missing, null or empty.
    ///
    /// # Errors
    /// When the field has a value that is no date and time.
    pub fn date(self, field: &str) -> Result<Option<Timestamp>, Fault> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => {
                time::parse(text).map(Some).ok_or_else(|| Fault::invalid(field, "must be a date and time"))
            }
            Some(_) => Err(Fault::invalid(field, "must be a date and time")),
        }
    }

    /// A point in time that the format cannot do without.
    pub(crate) fn date_needed(self, field: &str) -> Result<Timestamp, Fault> {
        self.date(field)?.ok_or_else(|| Fault::invalid(field, "must be a date and time"))
    }

    /// The moment before which the item must not be used: the true instant if it was computed, else the field itself.
    pub(crate) fn embargo(self) -> Result<Option<Timestamp>, Fault> {
        if !self.has("embargo") {
            return Ok(None);
        }
        let settings = self.object("schedule_settings");
        match settings.map(|settings| settings.date("utc_embargo")).transpose()?.flatten() {
            Some(instant) => Ok(Some(instant)),
            None => self.date("embargo"),
        }
    }

    /// The number of the version, 1 when there is none.
    pub(crate) fn version(self) -> String {
        self.scalar_or("_current_version", "1")
    }

    /// Whom to credit: the source the item first came from, else its source.
    pub(crate) fn credit(self) -> &'a str {
        self.first_text(["original_source", "source"])
    }

    /// The place of the dateline.
    pub(crate) fn located(self) -> Option<Item<'a>> {
        self.object("dateline")?.object("located").filter(|located| !located.fields.is_empty())
    }

    /// The whole dateline as printed, such as `OSLO, Nov 28 DL -`.
    pub(crate) fn dateline(self) -> &'a str {
        self.object("dateline").map(|dateline| dateline.text("text")).unwrap_or_default()
    }
}

impl<'a> From<&'a Fields> for Item<'a> {
    fn from(fields: &'a Fields) -> Item<'a> {
        Item { fields }
    }
}

/// A text, number or truth value as text, empty for anything else.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => String::new(),
    }
}

pub(crate) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}
