//! What an index is declared with.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::date;
use crate::error::{Error, Result};
use crate::limits::{INDEX_FIELDS_MAX, INDEX_VALUE_BYTES_MAX};

/// What a field of an index may hold beside null and nothing. A document with something else is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// Anything, in the order of lists.
    #[default]
    Any,
    /// Texts, or lists of them.
    Text,
    /// Numbers, or lists of them.
    Number,
    /// Texts that are dates, with or without a time of day, or lists of them.
    Date,
    /// Lists; their elements are indexed.
    List,
}

/// One field of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexField {
    /// Dotted path of member names; it reaches into the elements of lists.
    pub path: String,
    /// What the field may hold.
    #[serde(default)]
    pub kind: FieldKind,
    /// Texts that differ only in case, or in blanks around them, are one.
    #[serde(default)]
    pub ignore_case: bool,
}

impl IndexField {
    /// A field that may hold anything.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), kind: FieldKind::Any, ignore_case: false }
    }

    /// Without regard to case.
    #[must_use]
    pub fn ignoring_case(self) -> Self {
        Self { ignore_case: true, ..self }
    }

    /// Refuses a body whose value is of another kind.
    pub(super) fn check(&self, body: &Json, values: &[Option<&Json>]) -> Result<()> {
        let wanted = match self.kind {
            FieldKind::Any => return Ok(()),
            FieldKind::List => {
                let whole = self.path.split('.').try_fold(body, |value, name| value.get(name));
                let fits = whole.is_none_or(|value| value.is_array() || value.is_null());
                return if fits { Ok(()) } else { Err(self.refuse("a list")) };
            }
            FieldKind::Text => "text",
            FieldKind::Number => "a number",
            FieldKind::Date => "a date",
        };
        let fits = |value: &Json| match self.kind {
            FieldKind::Number => value.is_number(),
            FieldKind::Date => value.as_str().is_some_and(|text| date::parse(text).is_some()),
            _ => value.is_string(),
        };
        let all = values.iter().flatten().all(|value| value.is_null() || fits(value));
        if all { Ok(()) } else { Err(self.refuse(wanted)) }
    }

    fn refuse(&self, wanted: &str) -> Error {
        Error::invalid_field(&self.path, format!("must be {wanted}, as its index is declared"))
    }

    /// Refuses a value that cannot be kept unique.
    pub(super) fn check_unique(&self, values: &[Option<&Json>]) -> Result<()> {
        let fits = |value: &Json| match value {
            Json::String(text) => text.len() <= INDEX_VALUE_BYTES_MAX,
            other => !other.is_array() && !other.is_object(),
        };
        if values.iter().flatten().all(|value| fits(value)) {
            return Ok(());
        }
        let why = format!(
            "a unique value is text of at most {INDEX_VALUE_BYTES_MAX} bytes, a number, a boolean or null"
        );
        Err(Error::invalid_field(&self.path, why))
    }
}

/// The fields of an index, first the most important.
///
/// From text: field paths separated by commas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IndexSpec {
    /// The fields.
    pub fields: Vec<IndexField>,
}

impl From<&str> for IndexSpec {
    fn from(fields: &str) -> Self {
        Self { fields: fields.split(',').map(IndexField::new).collect() }
    }
}

impl From<&IndexSpec> for IndexSpec {
    fn from(spec: &IndexSpec) -> Self {
        spec.clone()
    }
}

impl From<Vec<String>> for IndexSpec {
    fn from(fields: Vec<String>) -> Self {
        Self { fields: fields.into_iter().map(IndexField::new).collect() }
    }
}

impl From<IndexField> for IndexSpec {
    fn from(field: IndexField) -> Self {
        Self { fields: vec![field] }
    }
}

impl IndexSpec {
    /// The field paths joined with `,`.
    #[must_use]
    pub fn name(&self) -> String {
        self.fields.iter().map(|field| field.path.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Whether both find the same by the same values.
    pub(crate) fn finds_as(&self, other: &Self) -> bool {
        let same = |(a, b): (&IndexField, &IndexField)| a.path == b.path && a.ignore_case == b.ignore_case;
        self.fields.len() == other.fields.len() && self.fields.iter().zip(&other.fields).all(same)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let empty = |field: &IndexField| field.path.split('.').any(str::is_empty);
        if self.fields.is_empty() || self.fields.iter().any(empty) {
            return Err(Error::invalid("an index names at least one field, and none is empty"));
        }
        let name = self.name();
        if self.fields.len() > INDEX_FIELDS_MAX {
            return Err(Error::invalid(format!("index '{name}' has more than {INDEX_FIELDS_MAX} fields")));
        }
        for (place, field) in self.fields.iter().enumerate() {
            if field.path.split('.').any(|part| part.parse::<usize>().is_ok()) {
                let path = &field.path;
                return Err(Error::invalid(format!(
                    "'{path}': an index reaches into lists by itself, without a number"
                )));
            }
            if self.fields.iter().take(place).any(|before| before.path == field.path) {
                return Err(Error::invalid(format!("index '{name}' names a field twice")));
            }
        }
        Ok(())
    }
}
