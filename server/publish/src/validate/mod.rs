//! Validation: whether an item may go out as it is, in the words that people see.
//!
//! A *schema* gives each field its rules. It comes from the content profile of the item, from the settings of the
//! site, from the rows of `validators` or, when nobody says anything, from here. Item and schema are prepared for each
//! other, the rules are judged, and each fault becomes a message.
//!
//! Faults are in the order of the names of their fields.

mod builtin;
mod judge;
mod media;
mod message;
mod prepare;
mod profile;
mod schema;
mod values;

use std::collections::BTreeMap;

use dateline_formats::Fields;
use serde_json::Value;

pub use builtin::shipped_validators;
pub(crate) use profile::{DEFAULT_FIELDS, is_related_content};
pub use profile::{check_profile, filter_document};

/// What validation needs to know of the site.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Content profiles by id: `{"label", "schema": {field: rule}, "editor", "item_type"?, "output_name"?}`.
    pub profiles: &'a BTreeMap<String, Value>,
    /// Vocabularies by id: `{"display_name", "field_type"?, "schema_field"?, "items"}`.
    pub vocabularies: &'a BTreeMap<String, Value>,
    /// Rows of `validators`: `{"act", "type", "embedded"?, "schema": {field: rule}}`. The first that fits is used.
    pub validators: &'a [Value],
    /// Schemas by type of item (`SCHEMA`), used where no profile fits.
    pub schemas: &'a Fields,
    /// Whether items that are published by a rule are held to their profile (`AUTO_PUBLISH_CONTENT_PROFILE`).
    pub holds_auto_published_to_profile: bool,
    /// Whether media are held to their profile when what they are in is published
    /// (`VALIDATE_MEDIA_METADATA_ON_PUBLISH`).
    pub holds_media_to_profile: bool,
    /// Characters that fields with `validate_characters` must not have (`DISALLOWED_CHARACTERS`).
    pub disallowed_characters: &'a str,
}

/// An item before validation: the body of `POST /validate`.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What is to be done with it: `publish`, `correct`, `kill`, `auto_publish` ...
    pub act: &'a str,
    /// The type of the item.
    pub kind: &'a str,
    /// The item.
    pub item: &'a Fields,
    /// Whether it stands in another item.
    pub is_embedded: bool,
    /// Whether each message begins with the headline of the item, or its id.
    pub names_headline: bool,
}

impl<'a> Candidate<'a> {
    /// The body of a request: `{"act", "type", "embedded"?, "validate": {item}}`; `None` if something is missing.
    #[must_use]
    pub fn of_request(body: &'a Fields) -> Option<Self> {
        let text = |field: &str| body.get(field)?.as_str();
        Some(Self {
            act: text("act")?,
            kind: text("type")?,
            item: body.get("validate")?.as_object()?,
            is_embedded: body.get("embedded").and_then(Value::as_bool).unwrap_or(false),
            names_headline: false,
        })
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Messages for people; none: the item is valid.
    pub errors: Vec<String>,
    /// The faults by field, as `_issues.fields` has them: a text, a list of texts, or faults by field or index inside.
    pub fields: Fields,
}

/// Validates an item. Without any schema for it, it is valid.
#[must_use]
pub fn validate(rules: &Rules<'_>, candidate: &Candidate<'_>) -> Verdict {
    let Some(found) = schema::find(rules, candidate) else {
        return Verdict::default();
    };
    let prepared = prepare::prepare(rules, candidate, found);
    let fields = judge::Judge::new(rules).document(&prepared.schema, &prepared.item);
    let errors = message::messages(rules, candidate, &fields);
    Verdict { errors, fields }
}

#[cfg(test)]
mod tests;
