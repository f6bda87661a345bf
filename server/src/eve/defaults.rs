//! Default values of a schema, put into a document before its rules are checked.
//!
//! A null counts as absent where the field does not take null. A default is a value like one that was sent: the
//! rules are checked on it too.

use serde_json::{Map, Value};

use super::schema::{Inner, Rule, Schema};

/// Puts the default of every absent field in, and so on inside.
pub(crate) fn apply(document: &mut Map<String, Value>, schema: &Schema) {
    for (name, rule) in &schema.fields {
        let Some(default) = &rule.default else { continue };
        // A null that the field does not take counts as not given.
        if document.get(name).is_none_or(|value| value.is_null() && !rule.nullable) {
            document.insert(name.clone(), default.clone());
        }
    }
    apply_inside(document, schema);
}

/// Puts defaults only into the containers that are there.
pub(crate) fn apply_inside(document: &mut Map<String, Value>, schema: &Schema) {
    for (name, rule) in &schema.fields {
        if let Some(value) = document.get_mut(name) {
            rule_defaults(value, rule);
        }
    }
}

fn rule_defaults(value: &mut Value, rule: &Rule) {
    match (value, &rule.schema) {
        (Value::Object(inner), Some(Inner::Fields(schema))) => apply(inner, schema),
        (Value::Array(items), Some(Inner::Each(each))) => {
            items.iter_mut().for_each(|item| rule_defaults(item, each))
        }
        _ => {}
    }
}
