//! What validation has to ask the store, as data: the caller asks and reports.

use serde_json::Value;

use super::issue::Issue;
use super::schema::{Relation, Unique};

/// What only the store can tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// No other document of the resource may have this value.
    Unique {
        /// Where to report it.
        path: Vec<String>,
        /// Dotted path of the field, without list indices.
        field: String,
        /// The value, already trimmed and lower-case where case does not matter.
        value: Value,
        /// How values are compared.
        how: Unique,
        /// For uniqueness per parent: its field and value.
        parent: Option<(String, Value)>,
    },
    /// A document of the other resource must have this value.
    Exists {
        /// Where to report it.
        path: Vec<String>,
        /// The value.
        value: Value,
        /// Resource and field.
        relation: Relation,
    },
}

impl Check {
    /// Where to report the check if it fails.
    pub fn path(&self) -> &[String] {
        match self {
            Self::Unique { path, .. } | Self::Exists { path, .. } => path,
        }
    }

    /// The issue of a failed check: `issues.add(check.path(), check.failed())`.
    pub fn failed(&self) -> Issue {
        match self {
            Self::Unique { value, .. } => Issue::NotUnique(value.clone()),
            Self::Exists { value, relation, .. } => {
                Issue::NoSuch(value.clone(), relation.resource.clone(), relation.field.clone())
            }
        }
    }
}

/// A value as it is compared where case does not matter.
pub fn folded(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(dateline_engine::fold(text)),
        other => other.clone(),
    }
}
