//! What a document breaks, field by field, and the words for it.
//!
//! Validation speaks in [`Issue`]s; the words are chosen when the answer is written. [`Wording::Codes`] is what the
//! resources answer: `{"required": 1}`, `{"unique": 1}`, `{"pattern": 1}`, `{"minlength": 1}`, texts for the rest.
//! [`Wording::Texts`] is cerberus' own, which publishing turns into its sentences.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Which words an answer uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wording {
    /// Codes for required, unique, pattern and minlength; texts otherwise.
    Codes,
    /// Texts for everything.
    Texts,
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Issue {
    /// The field must be there.
    Required,
    /// The schema does not know the field.
    Unknown,
    /// The field may not be written.
    ReadOnly,
    /// The field may not be null.
    Null,
    /// The value is empty.
    Empty,
    /// The value has none of these types, given as it is written in a message.
    Type(String),
    /// Shorter than this many characters or elements.
    MinLength(u64),
    /// Longer than this many characters or elements.
    MaxLength(u64),
    /// Below this bound.
    Min(Value),
    /// Above this bound.
    Max(Value),
    /// Not, or not wholly, made of allowed values.
    Unallowed(Value),
    /// Holds forbidden values.
    Forbidden(Value),
    /// Lacks these members.
    Lacks(Vec<Value>),
    /// Does not match this expression.
    Regex(String),
    /// Does not have the form that the field's kind asks for.
    Pattern,
    /// A list of the wrong length: expected, found.
    Items(usize, usize),
    /// Another field is needed beside this one.
    Needs(String),
    /// Other fields must have certain values.
    NeedsValues(Value),
    /// Must not stand beside these fields.
    Excludes(Vec<String>, String),
    /// The value stands twice in one list.
    Repeated,
    /// Another document has the value.
    NotUnique(Value),
    /// The document referred to does not exist: value, resource, field.
    NoSuch(Value, String, String),
    /// Any other text.
    Text(String),
    /// Any other value, put into the answer as it is.
    Raw(Value),
}

impl Issue {
    /// The issue as it stands in `_issues`.
    pub fn to_json(&self, wording: Wording) -> Value {
        match (wording, self) {
            (_, Self::Raw(value)) => value.clone(),
            (_, Self::Pattern) => json!({"pattern": 1}),
            (Wording::Codes, Self::Required) => json!({"required": 1}),
            (Wording::Codes, Self::MinLength(_)) => json!({"minlength": 1}),
            (Wording::Codes, Self::NotUnique(_)) => json!({"unique": 1}),
            _ => Value::String(self.text()),
        }
    }

    /// The issue in words.
    pub fn text(&self) -> String {
        match self {
            Self::Required => "required field".into(),
            Self::Unknown => "unknown field".into(),
            Self::ReadOnly => "field is read-only".into(),
            Self::Null => "null value not allowed".into(),
            Self::Empty => "empty values not allowed".into(),
            Self::Type(name) => format!("must be of {name} type"),
            Self::MinLength(length) => format!("min length is {length}"),
            Self::MaxLength(length) => format!("max length is {length}"),
            Self::Min(bound) => format!("min value is {}", text(bound)),
            Self::Max(bound) => format!("max value is {}", text(bound)),
            Self::Unallowed(value) | Self::Forbidden(value) => match value {
                Value::Array(items) => format!("unallowed values {}", tuple(items)),
                value => format!("unallowed value {}", text(value)),
            },
            Self::Lacks(values) => format!("missing members {}", tuple(values)),
            Self::Regex(pattern) => format!("value does not match regex '{pattern}'"),
            Self::Pattern => "value does not match the pattern".into(),
            Self::Items(expected, found) => format!("length of list should be {expected}, it is {found}"),
            Self::Needs(field) => format!("field '{field}' is required"),
            Self::NeedsValues(values) => format!("depends on these values: {}", literal(values)),
            Self::Excludes(others, field) => {
                let others: Vec<String> = others.iter().map(|other| format!("'{other}'")).collect();
                format!("{} must not be present with '{field}'", others.join(", "))
            }
            Self::Repeated => "must contain unique items only".into(),
            Self::NotUnique(value) => format!("value '{}' is not unique", text(value)),
            Self::NoSuch(value, resource, field) => {
                format!("value '{}' must exist in resource '{resource}', field '{field}'.", text(value))
            }
            Self::Text(text) => text.clone(),
            Self::Raw(value) => value.to_string(),
        }
    }
}

/// Every issue of one document: a tree that follows the document's shape; list elements are named by their index.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Issues {
    own: Vec<Issue>,
    fields: BTreeMap<String, Issues>,
}

impl Issues {
    /// No issue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the document is good.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.fields.is_empty()
    }

    /// Adds an issue at a path of names and indices.
    pub fn add<S: AsRef<str>>(&mut self, path: &[S], issue: Issue) {
        let node =
            path.iter().fold(self, |node, name| node.fields.entry(name.as_ref().to_owned()).or_default());
        node.own.push(issue);
    }

    /// The issues of a top-level field, not of what is inside it.
    pub fn of(&self, field: &str) -> &[Issue] {
        self.fields.get(field).map_or(&[], |node| &node.own)
    }

    /// Adds everything another check found.
    pub fn merge(&mut self, other: Self) {
        self.own.extend(other.own);
        for (name, node) in other.fields {
            self.fields.entry(name).or_default().merge(node);
        }
    }

    /// The branches below this node, by field name or index.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Issues)> {
        self.fields.iter().map(|(name, node)| (name.as_str(), node))
    }

    /// The issues of this node itself.
    pub fn own(&self) -> &[Issue] {
        &self.own
    }

    /// `_issues` of an answer: a single issue stands alone, several of one field form a list.
    pub fn to_json(&self, wording: Wording) -> Map<String, Value> {
        self.fields.iter().map(|(name, node)| (name.clone(), node.entry(wording))).collect()
    }

    fn entry(&self, wording: Wording) -> Value {
        let mut entries: Vec<Value> = self.own.iter().map(|issue| issue.to_json(wording)).collect();
        if !self.fields.is_empty() {
            entries.push(Value::Object(self.to_json(wording)));
        }
        match entries.len() {
            1 => entries.remove(0),
            _ => Value::Array(entries),
        }
    }
}

/// A value as it stands in running text: strings bare, the rest as [`literal`].
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => literal(other),
    }
}

/// A value in the notation of the messages' home, which clients compare texts against: `True`, `None`, `'text'`.
pub(crate) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.contains('\'') && !text.contains('"') => {
            format!("\"{}\"", text.replace('\\', "\\\\"))
        }
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let members: Vec<String> = map
                .iter()
                .map(|(name, value)| format!("{}: {}", literal(&json!(name)), literal(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

fn tuple(items: &[Value]) -> String {
    match items {
        [one] => format!("({},)", literal(one)),
        many => format!("({})", many.iter().map(literal).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let check =
            |issue: Issue, expected: Value| assert_eq!(issue.to_json(Wording::Codes), expected, "{issue:?}");
        check(Issue::Required, json!({"required": 1}));
        check(Issue::Unallowed(json!("B")), json!("unallowed value B"));
        check(Issue::Unallowed(json!(["B"])), json!("unallowed values ('B',)"));
        check(Issue::Type("['string', 'integer']".into()), json!("must be of ['string', 'integer'] type"));
        check(Issue::NotUnique(json!("a")), json!({"unique": 1}));
        check(Issue::Min(json!(0.0)), json!("min value is 0.0"));
        check(
            Issue::NeedsValues(json!({"a": ["it's", true, null]})),
            json!("depends on these values: {'a': [\"it's\", True, None]}"),
        );
        let missing = Issue::NoSuch(json!("x"), "desks".into(), "_id".into());
        check(missing, json!("value 'x' must exist in resource 'desks', field '_id'."));
        assert_eq!(Issue::Required.to_json(Wording::Texts), json!("required field"));
        assert_eq!(Issue::NotUnique(json!("a")).to_json(Wording::Texts), json!("value 'a' is not unique"));
    }

    #[test]
    fn the_tree_follows_the_document() {
        let mut issues = Issues::new();
        assert!(issues.is_empty());
        issues.add(&["destinations", "0", "name"], Issue::Empty);
        issues.add(&["destinations", "0", "format"], Issue::Required);
        issues.add(&["name"], Issue::Empty);
        issues.add(&["name"], Issue::MaxLength(3));
        assert_eq!(
            Value::Object(issues.to_json(Wording::Codes)),
            json!({
                "destinations": {"0": {"name": "empty values not allowed", "format": {"required": 1}}},
                "name": ["empty values not allowed", "max length is 3"],
            })
        );
        assert_eq!(issues.of("name").len(), 2);
    }
}
