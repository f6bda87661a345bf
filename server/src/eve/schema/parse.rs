//! From JSON to rules. Every error names the field by its dotted path.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::{Dependency, Form, Inner, Relation, Rule, Schema, SchemaError, Type, Unique};
use crate::eve::json;
use crate::eve::order::Operand;
use crate::eve::path::FieldPath;
use crate::eve::pattern;

const FIELDS_MAX: usize = 2000;

pub(super) fn parse(value: &Value) -> Parsed<Schema> {
    Parser { fields: 0 }.schema(value, "")
}

/// Counts the fields of the whole schema, however deep.
struct Parser {
    fields: usize,
}

type Parsed<T> = Result<T, SchemaError>;

fn wrong<T>(field: &str, message: impl Into<String>) -> Parsed<T> {
    Err(SchemaError { field: field.to_owned(), message: message.into() })
}

fn join(field: &str, name: &str) -> String {
    if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") }
}

impl Parser {
    fn schema(&mut self, value: &Value, at: &str) -> Parsed<Schema> {
        let Value::Object(map) = value else {
            return wrong(at, format!("expected an object of fields, found {}", json::name(value)));
        };
        let mut fields = BTreeMap::new();
        for (name, rules) in map {
            let field = join(at, name);
            if name.is_empty() || name.starts_with('$') {
                return wrong(&field, "a field name may not be empty or begin with '$'");
            }
            fields.insert(name.clone(), self.rule(rules, &field)?);
        }
        Ok(Schema { fields })
    }

    fn rule(&mut self, value: &Value, field: &str) -> Parsed<Rule> {
        self.fields += 1;
        if self.fields > FIELDS_MAX {
            return wrong(field, format!("more than {FIELDS_MAX} fields"));
        }
        let rules = match value {
            Value::Object(rules) => rules,
            Value::Null => return Ok(Rule::default()),
            other => {
                return wrong(field, format!("expected an object of rules, found {}", json::name(other)));
            }
        };
        let mut rule = Rule { types: types(rules.get("type"), field)?, ..Rule::default() };
        for (name, value) in rules.iter().filter(|(_, value)| !value.is_null()) {
            self.apply(&mut rule, name, value, field)?;
        }
        // An explicit null is a value here, not an absence: a nullable field may be null from the start.
        if rules.get("default").is_some_and(Value::is_null) {
            rule.default = Some(Value::Null);
        }
        Ok(rule)
    }

    fn apply(&mut self, rule: &mut Rule, name: &str, value: &Value, field: &str) -> Parsed<()> {
        match name {
            "type" => {}
            "required" => rule.required = flag(name, value, field)?,
            "nullable" => rule.nullable = flag(name, value, field)?,
            "readonly" => rule.readonly = flag(name, value, field)?,
            "empty" => rule.empty = Some(flag(name, value, field)?),
            "default" => rule.default = Some(value.clone()),
            "allowed" => rule.allowed = Some(list(name, value, field)?),
            "forbidden" => rule.forbidden = Some(list(name, value, field)?),
            "contains" => rule.contains = one_or_many(value),
            "min" => rule.min = Some(bound(name, value, field)?),
            "max" => rule.max = Some(bound(name, value, field)?),
            "minlength" => rule.minlength = Some(length(name, value, field)?),
            "maxlength" => rule.maxlength = Some(length(name, value, field)?),
            "regex" => rule.regex = Some(regex(value, field)?),
            "schema" => rule.schema = Some(self.inner(rule, value, field)?),
            "items" => rule.items = Some(self.items(value, field)?),
            "keysrules" | "keyschema" => {
                rule.keys = Some(Box::new(self.rule(value, &join(field, "keysrules"))?))
            }
            "valuesrules" | "valueschema" => {
                rule.values = Some(Box::new(self.rule(value, &join(field, "valuesrules"))?))
            }
            "dependencies" => rule.dependencies = dependencies(value, field)?,
            "excludes" => rule.excludes = texts(name, value, field)?,
            "allow_unknown" => rule.allow_unknown = Some(flag(name, value, field)?),
            "unique" if flag(name, value, field)? => rule.unique = Some(Unique::Exact),
            "iunique" if flag(name, value, field)? => rule.unique = Some(Unique::IgnoringCase),
            "iunique_per_parent" => {
                rule.unique = Some(Unique::IgnoringCasePerParent(text(name, value, field)?))
            }
            "unique_list" => rule.unique_list = flag(name, value, field)?,
            "data_relation" => rule.relation = Some(relation(value, field)?),
            "twitter" if flag(name, value, field)? => rule.form = Some(Form::Twitter),
            "username_pattern" if flag(name, value, field)? => rule.form = Some(Form::Username),
            "phone_number" if flag(name, value, field)? => rule.form = Some(Form::Phone),
            "multiple_emails" if flag(name, value, field)? => rule.form = Some(Form::Emails),
            "unique" | "iunique" | "twitter" | "username_pattern" | "phone_number" | "multiple_emails" => {}
            // They steer the index, versions or embedding of other servers.
            "mapping" | "versioned" | "embeddable" | "media" | "meta" | "scope" | "unique_to_user"
            | "unique_template" => {}
            other => return wrong(field, format!("unknown rule '{other}'")),
        }
        Ok(())
    }

    fn inner(&mut self, rule: &Rule, value: &Value, field: &str) -> Parsed<Inner> {
        let Value::Object(map) = value else {
            return wrong(field, format!("rule 'schema' must be an object, found {}", json::name(value)));
        };
        let listed = rule.types.iter().any(|kind| matches!(kind, Type::List | Type::Set));
        let mapped = rule.types.contains(&Type::Dict);
        // Without a deciding type, an object that holds only objects describes fields, anything else one element.
        let each = if listed == mapped {
            !map.values().all(|inner| inner.is_object() || inner.is_null())
        } else {
            listed
        };
        match each {
            true => Ok(Inner::Each(Box::new(self.rule(value, field)?))),
            false => Ok(Inner::Fields(self.schema(value, field)?)),
        }
    }

    fn items(&mut self, value: &Value, field: &str) -> Parsed<Vec<Rule>> {
        let rules = list("items", value, field)?;
        rules
            .iter()
            .enumerate()
            .map(|(index, rule)| self.rule(rule, &join(field, &index.to_string())))
            .collect()
    }
}

fn types(value: Option<&Value>, field: &str) -> Parsed<Vec<Type>> {
    let names = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(value) => one_or_many(value),
    };
    let parse = |name: &Value| match name.as_str().and_then(Type::parse) {
        Some(kind) => Ok(kind),
        None => wrong(field, format!("unknown type {name}")),
    };
    names.iter().map(parse).collect()
}

fn flag(name: &str, value: &Value, field: &str) -> Parsed<bool> {
    match value.as_bool() {
        Some(flag) => Ok(flag),
        None => wrong(field, format!("rule '{name}' must be true or false, found {}", json::name(value))),
    }
}

fn length(name: &str, value: &Value, field: &str) -> Parsed<u64> {
    match value.as_u64() {
        Some(length) => Ok(length),
        None => wrong(field, format!("rule '{name}' must be a whole number from 0, found {value}")),
    }
}

fn bound(name: &str, value: &Value, field: &str) -> Parsed<Operand> {
    let bound = Operand::new(value.clone());
    match value.is_number() || bound.is_date() {
        true => Ok(bound),
        false => {
            wrong(field, format!("rule '{name}' must be a number or a date, found {}", json::name(value)))
        }
    }
}

fn text(name: &str, value: &Value, field: &str) -> Parsed<String> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => wrong(field, format!("rule '{name}' must be a string, found {}", json::name(value))),
    }
}

fn texts(name: &str, value: &Value, field: &str) -> Parsed<Vec<String>> {
    one_or_many(value).iter().map(|value| text(name, value, field)).collect()
}

fn list(name: &str, value: &Value, field: &str) -> Parsed<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items.clone()),
        other => wrong(field, format!("rule '{name}' must be a list, found {}", json::name(other))),
    }
}

fn one_or_many(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}

fn regex(value: &Value, field: &str) -> Parsed<(String, Regex)> {
    let source = text("regex", value, field)?;
    match pattern::compile_whole(&source) {
        Ok(regex) => Ok((source, regex)),
        Err(reason) => wrong(field, format!("rule 'regex': {reason}")),
    }
}

fn relation(value: &Value, field: &str) -> Parsed<Relation> {
    let resource = value.get("resource").and_then(Value::as_str);
    let target = value.get("field").map_or(Some("_id"), Value::as_str);
    match (resource, target) {
        (Some(resource), Some(target)) => {
            Ok(Relation { resource: resource.to_owned(), field: target.to_owned() })
        }
        _ => wrong(field, "rule 'data_relation' must be an object with 'resource' and, if not _id, 'field'"),
    }
}

fn dependencies(value: &Value, field: &str) -> Parsed<Vec<Dependency>> {
    let one = |name: &str, values: Option<Vec<Value>>| match FieldPath::parse(name.trim_start_matches('^')) {
        Ok(path) => Ok(Dependency { field: name.to_owned(), path, values, constraint: value.clone() }),
        Err(reason) => wrong(field, format!("rule 'dependencies': {reason}")),
    };
    match value {
        Value::Object(map) => map.iter().map(|(name, values)| one(name, Some(one_or_many(values)))).collect(),
        other => texts("dependencies", other, field)?.iter().map(|name| one(name, None)).collect(),
    }
}
