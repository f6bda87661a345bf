//! What a resource is made of, read from its JSON definition.

use dateline_engine::{Collection, CollectionId, CollectionOptions};
use dateline_index::Mapping;
use serde_json::{Map, Value, json};

use crate::eve::{Issue, Issues, Schema, Unique};
use crate::resources::builtin;

/// One resource, ready to serve.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) collection: CollectionId,
    pub(crate) schema: Schema,
    pub(crate) strict: bool,
    pub(crate) searched: bool,
    /// Members that hold GeoJSON, for `near` and `bbox`.
    pub(crate) geo: Vec<String>,
}

/// Members of a definition that clients may give.
const MEMBERS: [&str; 10] = [
    "name",
    "schema",
    "strict",
    "unique",
    "indexes",
    "search",
    "geo",
    "versions",
    "expire_after_s",
    "durability",
];

impl Resource {
    /// Reads the definition that the catalog keeps; one that was accepted once is accepted again.
    pub(crate) fn of(collection: &Collection) -> Result<Self, Issues> {
        let definition = match builtin::definition(&collection.name) {
            Some(definition) => definition,
            None => serde_json::from_str(&collection.options.definition).unwrap_or_default(),
        };
        let parts = Parts::read(&definition)?;
        Ok(Self {
            name: collection.name.clone(),
            collection: collection.id,
            schema: parts.schema,
            strict: parts.strict,
            searched: parts.searched,
            geo: parts.geo,
        })
    }
}

/// Checks a definition and turns it into what the engine declares.
pub(crate) fn options(definition: &Map<String, Value>) -> Result<CollectionOptions, Issues> {
    let parts = Parts::read(definition)?;
    Ok(CollectionOptions {
        definition: Value::Object(definition.clone()).to_string(),
        unique: parts.unique,
        indexes: parts.indexes,
    })
}

/// Names that a client's definition may not have.
pub(crate) fn check_members(definition: &Map<String, Value>) -> Result<(), Issues> {
    let mut issues = Issues::new();
    for name in definition.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
        issues.add(&[name], Issue::Unknown);
    }
    for later in ["versions", "expire_after_s"] {
        if definition.get(later).is_some_and(|value| !value.is_null()) {
            issues.add(&[later], raw("not supported yet: every version is kept"));
        }
    }
    if issues.is_empty() { Ok(()) } else { Err(issues) }
}

struct Parts {
    schema: Schema,
    strict: bool,
    searched: bool,
    geo: Vec<String>,
    unique: Vec<Vec<String>>,
    indexes: Vec<Vec<String>>,
}

impl Parts {
    fn read(definition: &Map<String, Value>) -> Result<Self, Issues> {
        let mut issues = Issues::new();
        let empty = json!({});
        let schema = match Schema::parse(definition.get("schema").unwrap_or(&empty)) {
            Ok(schema) => schema,
            Err(error) => {
                let path = std::iter::once("schema").chain(error.field.split('.')).filter(|p| !p.is_empty());
                issues.add(&path.collect::<Vec<_>>(), raw(&error.message));
                Schema::open()
            }
        };
        let mut unique = field_sets(definition, "unique", &mut issues);
        for (field, how) in schema.unique() {
            match how {
                Unique::Exact => {
                    let set = vec![field.to_owned()];
                    if !unique.contains(&set) {
                        unique.push(set);
                    }
                }
                _ => issues.add(&["schema", field], raw("only 'unique' is supported yet, not 'iunique'")),
            }
        }
        if let Some(search) = definition.get("search").filter(|search| search.is_object())
            && let Err(error) = Mapping::parse(search)
        {
            issues.add(&["search"], raw(&error.to_string()));
        }
        let parts = Self {
            strict: flag(definition, "strict", &mut issues),
            searched: definition.get("search").is_some_and(|s| s.is_object() || s == &json!(true)),
            geo: names(definition.get("geo"), "geo", &mut issues),
            unique,
            indexes: field_sets(definition, "indexes", &mut issues),
            schema,
        };
        if issues.is_empty() { Ok(parts) } else { Err(issues) }
    }
}

pub(crate) fn raw(message: &str) -> Issue {
    Issue::Text(message.to_owned())
}

fn flag(definition: &Map<String, Value>, name: &str, issues: &mut Issues) -> bool {
    match definition.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::Bool(value)) => *value,
        Some(_) => {
            issues.add(&[name], raw("must be of boolean type"));
            false
        }
    }
}

fn names(value: Option<&Value>, name: &str, issues: &mut Issues) -> Vec<String> {
    let listed = match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().filter(|text| !text.is_empty()).map(str::to_owned))
            .collect(),
        Some(_) => None,
    };
    listed.unwrap_or_else(|| {
        issues.add(&[name], raw("must be a list of field names"));
        Vec::new()
    })
}

/// `[["plate"], ["brand", "year"]]`; a bare `["plate"]` inside may be written as `"plate"`.
fn field_sets(definition: &Map<String, Value>, name: &str, issues: &mut Issues) -> Vec<Vec<String>> {
    let Some(value) = definition.get(name).filter(|value| !value.is_null()) else { return Vec::new() };
    let Some(sets) = value.as_array() else {
        issues.add(&[name], raw("must be a list of lists of field names"));
        return Vec::new();
    };
    sets.iter()
        .map(|set| match set {
            Value::String(field) => vec![field.clone()],
            other => names(Some(other), name, issues),
        })
        .collect()
}
