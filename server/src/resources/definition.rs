//! What a resource is made of, read from its JSON definition.

use dateline_engine::limits::{INDEXES_MAX, KEEP_MS_MAX};
use dateline_engine::{Collection, CollectionId, CollectionOptions, IndexSpec, Keep, Upgrade};
use dateline_geo::{Ad, Shape};
use dateline_index::Mapping;
use serde_json::{Map, Value, json};

use crate::eve::{Issue, Issues, Schema};
use crate::resources::builtin;
use crate::resources::declaration::indexes;
use crate::resources::upgrades::upgrades;

/// One resource, ready to serve.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) collection: CollectionId,
    pub(crate) schema: Schema,
    /// Version that its documents are read and written at.
    pub(crate) schema_version: u32,
    pub(crate) strict: bool,
    pub(crate) searched: bool,
    /// Members that hold GeoJSON, for `near` and `bbox`.
    pub(crate) geo: Vec<String>,
}

/// Members of a definition that clients may give.
const MEMBERS: [&str; 12] = [
    "name",
    "schema",
    "strict",
    "unique",
    "indexes",
    "search",
    "geo",
    "versions",
    "expire_after_s",
    "tombstones_for_s",
    "durability",
    "upgrades",
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
            schema_version: collection.schema_version(),
            strict: parts.strict,
            searched: parts.searched,
            geo: parts.geo,
        })
    }

    /// Where a document of this body is, by its members that hold places.
    pub(crate) fn shapes(&self, body: &Value) -> Vec<Shape> {
        let Value::Object(body) = body else { return Vec::new() };
        if self.name == "ads" {
            // They have an older way to say it beside the declared one.
            return Ad::location_of(body).ok().into_iter().collect();
        }
        self.geo.iter().filter_map(|field| Shape::parse(field, body.get(field)?).ok()).collect()
    }
}

/// Checks a definition and turns it into what the engine declares.
pub(crate) fn options(definition: &Map<String, Value>) -> Result<CollectionOptions, Issues> {
    let parts = Parts::read(definition)?;
    Ok(CollectionOptions {
        definition: Value::Object(definition.clone()).to_string(),
        unique: parts.unique,
        indexes: parts.indexes,
        keep: parts.keep,
        upgrades: parts.upgrades,
    })
}

/// Names that a client's definition may not have.
pub(crate) fn check_members(definition: &Map<String, Value>) -> Result<(), Issues> {
    let mut issues = Issues::new();
    for name in definition.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
        issues.add(&[name], Issue::Unknown);
    }
    if issues.is_empty() { Ok(()) } else { Err(issues) }
}

struct Parts {
    schema: Schema,
    strict: bool,
    searched: bool,
    geo: Vec<String>,
    unique: Vec<IndexSpec>,
    indexes: Vec<IndexSpec>,
    keep: Keep,
    upgrades: Vec<Upgrade>,
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
        let mut unique = indexes(definition, "unique", &mut issues);
        for (field, how) in schema.unique() {
            let spec = how.index(field);
            if !unique.contains(&spec) {
                unique.push(spec);
            }
        }
        if let Some(search) = definition.get("search").filter(|search| search.is_object())
            && let Err(error) = Mapping::parse(search)
        {
            issues.add(&["search"], raw(&error.to_string()));
        }
        let indexes = indexes(definition, "indexes", &mut issues);
        if unique.len() + indexes.len() > INDEXES_MAX {
            issues.add(&["indexes"], raw(&format!("at most {INDEXES_MAX} indexes, unique ones among them")));
        }
        let parts = Self {
            strict: flag(definition, "strict", &mut issues),
            searched: definition.get("search").is_some_and(|s| s.is_object() || s == &json!(true)),
            geo: names(definition.get("geo"), &["geo"], &mut issues),
            unique,
            indexes,
            keep: keeps(definition, &mut issues),
            upgrades: upgrades(definition, &mut issues),
            schema,
        };
        if issues.is_empty() { Ok(parts) } else { Err(issues) }
    }
}

/// How long things are kept: `versions` {`keep`: number, `for_s`: seconds}, `expire_after_s`, `tombstones_for_s`.
fn keeps(definition: &Map<String, Value>, issues: &mut Issues) -> Keep {
    let mut keep = Keep {
        expire_after_ms: millis(definition, &["expire_after_s"], issues),
        tombstone_ms: millis(definition, &["tombstones_for_s"], issues),
        ..Keep::default()
    };
    match definition.get("versions") {
        None | Some(Value::Null) => {}
        Some(Value::Object(versions)) => {
            for name in versions.keys().filter(|name| !matches!(name.as_str(), "keep" | "for_s")) {
                issues.add(&["versions", name], Issue::Unknown);
            }
            keep.versions_ms = millis(versions, &["versions", "for_s"], issues);
            keep.versions_max = match versions.get("keep") {
                None | Some(Value::Null) => None,
                Some(number) => {
                    let number = number.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
                    if number.is_none() {
                        let message = "must be a number of versions, the current one among them: 1 or more";
                        issues.add(&["versions", "keep"], raw(message));
                    }
                    number
                }
            };
        }
        Some(_) => issues.add(&["versions"], raw("must be an object with 'keep' or 'for_s'")),
    }
    keep
}

/// A number of seconds, whole or not, in milliseconds.
fn millis(map: &Map<String, Value>, path: &[&str], issues: &mut Issues) -> Option<u64> {
    let given = path.last().and_then(|name| map.get(*name)).filter(|given| !given.is_null())?;
    let longest_s = KEEP_MS_MAX / 1000;
    let ms =
        given.as_f64().filter(|s| *s >= 0.001 && *s <= longest_s as f64).map(|s| (s * 1000.0).round() as u64);
    if ms.is_none() {
        issues.add(path, raw(&format!("must be a number of seconds, 0.001 to {longest_s}")));
    }
    ms
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

pub(crate) fn names(value: Option<&Value>, path: &[&str], issues: &mut Issues) -> Vec<String> {
    let listed = match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().filter(|text| !text.is_empty()).map(str::to_owned))
            .collect(),
        Some(_) => None,
    };
    listed.unwrap_or_else(|| {
        issues.add(path, raw("must be a list of field names"));
        Vec::new()
    })
}
