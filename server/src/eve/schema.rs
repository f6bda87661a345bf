//! Rules of a resource, parsed from the JSON that a client or a built-in resource gives: cerberus' rule names and
//! meanings, as Eve uses them.
//!
//! Parsing is strict: an unknown rule, a rule with a value of the wrong type and a pattern that does not compile are
//! errors that name the field, so that a schema which was accepted never fails later. A few names that steer other
//! parts of Eve (`mapping`, `versioned` ...) are taken and have no effect here. A rule or a field that is null counts
//! as absent.

use std::collections::BTreeMap;

use dateline_engine::{IndexField, IndexSpec};
use regex::Regex;
use serde_json::{Map, Value};

use super::order::Operand;
use super::path::FieldPath;
use super::problem::{Problem, Slug};

mod parse;

/// A schema that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// Dotted path of the field, empty for the schema as a whole.
    pub field: String,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for SchemaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.field.as_str() {
            "" => write!(f, "schema: {}", self.message),
            field => write!(f, "schema of field '{field}': {}", self.message),
        }
    }
}

impl std::error::Error for SchemaError {}

impl From<SchemaError> for Problem {
    fn from(error: SchemaError) -> Self {
        let text = error.to_string();
        let issue = match error.field.is_empty() {
            true => Value::from(error.message),
            false => serde_json::json!({ error.field: error.message }),
        };
        Self::new(Slug::ValidationFailed, text).issue("schema", issue)
    }
}

/// The rules of a document's fields.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub(crate) fields: BTreeMap<String, Rule>,
}

/// What one value must satisfy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rule {
    pub(crate) types: Vec<Type>,
    pub(crate) required: bool,
    pub(crate) nullable: bool,
    pub(crate) readonly: bool,
    pub(crate) default: Option<Value>,
    pub(crate) empty: Option<bool>,
    pub(crate) allowed: Option<Vec<Value>>,
    pub(crate) forbidden: Option<Vec<Value>>,
    pub(crate) contains: Vec<Value>,
    pub(crate) min: Option<Operand>,
    pub(crate) max: Option<Operand>,
    pub(crate) minlength: Option<u64>,
    pub(crate) maxlength: Option<u64>,
    pub(crate) regex: Option<(String, Regex)>,
    pub(crate) form: Option<Form>,
    pub(crate) schema: Option<Inner>,
    pub(crate) items: Option<Vec<Rule>>,
    pub(crate) keys: Option<Box<Rule>>,
    pub(crate) values: Option<Box<Rule>>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) excludes: Vec<String>,
    pub(crate) allow_unknown: Option<bool>,
    pub(crate) unique: Option<Unique>,
    pub(crate) unique_list: bool,
    pub(crate) relation: Option<Relation>,
}

/// Rules inside a container.
#[derive(Debug, Clone)]
pub(crate) enum Inner {
    Fields(Schema),
    Each(Box<Rule>),
}

/// How a value must be alone in its resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unique {
    /// Byte for byte.
    Exact,
    /// Ignoring case, by Unicode's case folding, and blanks around it; each element of a list by itself.
    IgnoringCase,
    /// Ignoring case, among the documents with the same value of this field.
    IgnoringCasePerParent(String),
}

impl Unique {
    /// The unique index that keeps a field so.
    pub fn index(&self, field: &str) -> IndexSpec {
        let field = IndexField::new(field);
        match self {
            Self::Exact => field.into(),
            Self::IgnoringCase => field.ignoring_case().into(),
            Self::IgnoringCasePerParent(parent) => {
                IndexSpec { fields: vec![IndexField::new(parent), field.ignoring_case()] }
            }
        }
    }
}

/// A reference to another resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Name of the resource.
    pub resource: String,
    /// The field that must hold the value, mostly `_id`.
    pub field: String,
}

/// A field that must be there too, if `values` is given with one of them.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) field: String,
    pub(crate) path: FieldPath,
    pub(crate) values: Option<Vec<Value>>,
    pub(crate) constraint: Value,
}

/// Texts with a known form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Twitter,
    Username,
    Phone,
    Emails,
}

macro_rules! types {
    ($($name:ident $text:literal)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Type { $($name,)* }

        impl Type {
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            fn parse(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

types! {
    Any "any"
    String "string"
    Integer "integer"
    Float "float"
    Number "number"
    Boolean "boolean"
    Datetime "datetime"
    Date "date"
    Time "time"
    ObjectId "objectid"
    Dict "dict"
    List "list"
    Set "set"
    Media "media"
    File "file"
    Email "email"
    Phone "phone_number"
    JsonList "json_list"
    Point "point"
    MultiPoint "multipoint"
    LineString "linestring"
    MultiLineString "multilinestring"
    Polygon "polygon"
    MultiPolygon "multipolygon"
    GeometryCollection "geometrycollection"
    Geometry "geometry"
    Feature "feature"
    FeatureCollection "featurecollection"
}

impl Schema {
    /// A schema without a rule: everything is allowed unless the resource is strict.
    pub fn open() -> Self {
        Self::default()
    }

    /// Parses `{field: {rule: value}}`.
    pub fn parse(value: &Value) -> Result<Self, SchemaError> {
        parse::parse(value)
    }

    /// Whether the schema names no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether the schema names this top-level field.
    pub fn knows(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Top-level field names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// Top-level fields that must be alone in the resource, and how.
    pub fn unique(&self) -> impl Iterator<Item = (&str, &Unique)> {
        self.fields.iter().filter_map(|(name, rule)| Some((name.as_str(), rule.unique.as_ref()?)))
    }
}

impl Rule {
    /// The types as a message names them: one bare, several as a list.
    pub(crate) fn type_names(&self) -> String {
        match self.types.as_slice() {
            [one] => one.as_str().to_owned(),
            many => {
                super::issue::literal(&Value::from(many.iter().map(|kind| kind.as_str()).collect::<Vec<_>>()))
            }
        }
    }
}

/// A schema document as `POST /api/collections` takes it: absent and null mean no rules.
impl TryFrom<Option<&Value>> for Schema {
    type Error = SchemaError;

    fn try_from(value: Option<&Value>) -> Result<Self, SchemaError> {
        match value {
            None | Some(Value::Null) => Ok(Self::open()),
            Some(value) => Self::parse(value),
        }
    }
}

impl TryFrom<&Map<String, Value>> for Schema {
    type Error = SchemaError;

    fn try_from(map: &Map<String, Value>) -> Result<Self, SchemaError> {
        Self::parse(&Value::Object(map.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(schema: Value, expected: &str) {
        let found = Schema::parse(&schema).map_or_else(|error| error.to_string(), |_| "good".to_owned());
        assert_eq!(found, expected, "{schema}");
    }

    #[test]
    fn an_error_is_told_at_its_field() {
        let error = Schema::parse(&json!({"a": {"type": "text"}})).unwrap_err();
        let body = Problem::from(error).to_json();
        assert_eq!(body["_issues"], json!({"schema": {"a": "unknown type \"text\""}}));
    }

    #[test]
    fn schemas_and_their_errors() {
        check(json!({"a": {"type": "string", "required": true, "mapping": {}}, "b": null}), "good");
        check(json!({"a": {"type": ["string", "integer"], "nullable": true, "minlength": null}}), "good");
        check(
            json!({"a": {"schema": {"b": {"type": "list", "schema": {"type": "dict", "schema": {}}}}}}),
            "good",
        );
        check(json!([]), "schema: expected an object of fields, found an array");
        check(json!({"a": 1}), "schema of field 'a': expected an object of rules, found a number");
        check(json!({"a": {"type": "text"}}), "schema of field 'a': unknown type \"text\"");
        check(json!({"a": {"requird": true}}), "schema of field 'a': unknown rule 'requird'");
        check(
            json!({"a": {"required": 1}}),
            "schema of field 'a': rule 'required' must be true or false, found a number",
        );
        check(
            json!({"a": {"minlength": -1}}),
            "schema of field 'a': rule 'minlength' must be a whole number from 0, found -1",
        );
        check(
            json!({"a": {"type": "dict", "schema": {"b": {"min": "x"}}}}),
            "schema of field 'a.b': rule 'min' must be a number or a date, found a string",
        );
        check(
            json!({"a": {"regex": "(?=x)"}}),
            "schema of field 'a': rule 'regex': the pattern is not valid: \
            look-around, including look-ahead and look-behind, is not supported",
        );
        check(json!({"a": {"items": [{"type": "x"}]}}), "schema of field 'a.0': unknown type \"x\"");
        check(json!({"$a": {}}), "schema of field '$a': a field name may not be empty or begin with '$'");
        check(
            json!({"a": {"data_relation": {"field": "x"}}}),
            "schema of field 'a': rule 'data_relation' must be an object with 'resource' and, if not _id, 'field'",
        );
        check(
            json!({"a": {"allowed": "x"}}),
            "schema of field 'a': rule 'allowed' must be a list, found a string",
        );
    }
}
