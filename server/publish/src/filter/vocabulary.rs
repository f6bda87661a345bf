//! Vocabularies that are fields of conditions.

use serde_json::Value;

/// A vocabulary a condition may name as its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// Its id, which is the name of the field.
    pub id: Box<str>,
    /// What people call it.
    pub label: String,
    /// How an item holds its values.
    pub kind: Kind,
}

/// How an item holds the values of a vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A free text under `extra`.
    Text,
    /// Codes among the subjects.
    Codes,
    /// The language of the item.
    Languages,
}

impl Vocabulary {
    /// Reads a stored vocabulary; `None` for those that conditions cannot name: the unmanageable ones, and those of dates, embeds,
    /// media, links, related content and custom types.
    #[must_use]
    pub fn parse(id: &str, document: &Value) -> Option<Self> {
        let text = |key: &str| document.get(key).and_then(Value::as_str);
        let kind = match text("field_type") {
            Some("text") => Kind::Text,
            None if text("type") != Some("manageable") => return None,
            None if id == "languages" => Kind::Languages,
            None => Kind::Codes,
            Some(_) => return None,
        };
        let label = text("display_name").unwrap_or(id).to_owned();
        Some(Self { id: id.into(), label, kind })
    }
}
