//! Holds a document against a schema.
//!
//! Three passes over the document: what may not be written, defaults, rules. The order of rules on one value and
//! what ends the work on it follow cerberus 1.3: null, type and emptiness each end it. On a PATCH only the given
//! fields are judged; a nested object in it stands for itself, since it replaces the stored one whole. What needs
//! the store is not decided here but handed back as a list of [`Check`]s.

use serde_json::{Map, Value};

use super::check::{Check, folded};
use super::defaults;
use super::issue::{Issue, Issues};
use super::order;
use super::schema::{Inner, Rule, Schema, Unique};
use super::system;

/// Which kind of write the document belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A new document.
    Create,
    /// A document in place of the stored one.
    Replace,
    /// Top-level fields to be merged into the stored one.
    Patch,
}

/// What validation found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Broken rules; empty means good so far.
    pub issues: Issues,
    /// What the caller has to ask the store.
    pub checks: Vec<Check>,
}

/// Judges `document` and puts defaults into it (not on a PATCH at top level). `stored` is the present version, on
/// PATCH and PUT: a read-only field may be sent unchanged, and dependencies of a PATCH may be met by it. `strict`
/// refuses top-level fields that the schema does not know; `_id` and `_version` are never unknown.
pub fn validate(
    document: &mut Map<String, Value>,
    schema: &Schema,
    mode: Mode,
    stored: Option<&Map<String, Value>>,
    strict: bool,
) -> Outcome {
    let mut walk = Walk { outcome: Outcome::default(), path: Vec::new(), refused: Vec::new(), mode, stored };
    walk.readonly(document, schema);
    match mode {
        Mode::Create | Mode::Replace => defaults::apply(document, schema),
        Mode::Patch => defaults::apply_inside(document, schema),
    }
    walk.fields(document, schema, document, !strict);
    walk.outcome
}

struct Walk<'a> {
    outcome: Outcome,
    path: Vec<String>,
    refused: Vec<Vec<String>>,
    mode: Mode,
    stored: Option<&'a Map<String, Value>>,
}

impl<'a> Walk<'a> {
    fn report(&mut self, issue: Issue) {
        self.outcome.issues.add(&self.path, issue);
    }

    fn inside(&mut self, name: impl Into<String>, work: impl FnOnce(&mut Self)) {
        self.path.push(name.into());
        work(self);
        self.path.pop();
    }

    fn readonly(&mut self, document: &Map<String, Value>, schema: &Schema) {
        for (name, value) in document {
            let Some(rule) = schema.fields.get(name) else { continue };
            self.inside(name, |walk| walk.readonly_value(value, rule));
        }
    }

    fn readonly_value(&mut self, value: &Value, rule: &Rule) {
        if rule.readonly && !self.stored_here().is_some_and(|stored| order::equal(stored, value)) {
            self.refused.push(self.path.clone());
            return self.report(Issue::ReadOnly);
        }
        match (value, &rule.schema) {
            (Value::Object(inner), Some(Inner::Fields(schema))) => self.readonly(inner, schema),
            (Value::Array(items), Some(Inner::Each(each))) => {
                for (index, item) in items.iter().enumerate() {
                    self.inside(index.to_string(), |walk| walk.readonly_value(item, each));
                }
            }
            _ => {}
        }
    }

    fn stored_here(&self) -> Option<&'a Value> {
        let (first, rest) = self.path.split_first()?;
        rest.iter().try_fold(self.stored?.get(first)?, |value, name| match value {
            Value::Object(map) => map.get(name),
            Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            _ => None,
        })
    }

    fn fields(
        &mut self,
        document: &Map<String, Value>,
        schema: &Schema,
        root: &Map<String, Value>,
        open: bool,
    ) {
        let top = self.path.is_empty();
        for (name, value) in document {
            match schema.fields.get(name) {
                Some(rule) => {
                    self.inside(name, |walk| walk.field(value, rule, document, root, open));
                }
                None if open || (top && system::is_known(name)) => {}
                None => self.inside(name, |walk| walk.report(Issue::Unknown)),
            }
        }
        if top && self.mode == Mode::Patch {
            return;
        }
        for (name, rule) in &schema.fields {
            let excused = || rule.excludes.iter().any(|other| document.contains_key(other));
            if rule.required && !document.contains_key(name) && !excused() {
                self.inside(name, |walk| walk.report(Issue::Required));
            }
        }
    }

    fn field(
        &mut self,
        value: &Value,
        rule: &Rule,
        siblings: &Map<String, Value>,
        root: &Map<String, Value>,
        open: bool,
    ) {
        if self.refused.contains(&self.path) {
            return;
        }
        if value.is_null() {
            if !rule.nullable && !rule.types.contains(&super::schema::Type::Any) {
                self.report(Issue::Null);
            }
            return;
        }
        if !rule.takes(value) {
            return self.report(Issue::Type(rule.type_names()));
        }
        if let (Some(allowed), Some(0)) = (rule.empty, size(value)) {
            if !allowed {
                self.report(Issue::Empty);
            }
            return;
        }
        self.bounds(value, rule);
        self.members(value, rule);
        self.neighbours(rule, siblings, root);
        self.inner(value, rule, root, rule.allow_unknown.unwrap_or(open));
        self.checks(value, rule, root);
    }

    fn bounds(&mut self, value: &Value, rule: &Rule) {
        if let Some(min) = &rule.min
            && min.compare(value).is_some_and(std::cmp::Ordering::is_lt)
        {
            self.report(Issue::Min(min.value.clone()));
        }
        if let Some(max) = &rule.max
            && max.compare(value).is_some_and(std::cmp::Ordering::is_gt)
        {
            self.report(Issue::Max(max.value.clone()));
        }
        if let (Some(min), Some(size)) = (rule.minlength, size(value))
            && size < min
        {
            self.report(Issue::MinLength(min));
        }
        if let (Some(max), Some(size)) = (rule.maxlength, size(value))
            && size > max
        {
            self.report(Issue::MaxLength(max));
        }
        let Some(text) = value.as_str() else { return };
        if let Some((source, regex)) = &rule.regex
            && !regex.is_match(text)
        {
            self.report(Issue::Regex(source.clone()));
        }
        if rule.form.is_some_and(|form| !form.fits(text)) {
            self.report(Issue::Pattern);
        }
    }

    fn members(&mut self, value: &Value, rule: &Rule) {
        let among = |list: &[Value], value: &Value| list.iter().any(|one| order::equal(one, value));
        if let Some(allowed) = &rule.allowed
            && let Some(outside) = picked(value, |one| !among(allowed, one))
        {
            self.report(Issue::Unallowed(outside));
        }
        if let Some(forbidden) = &rule.forbidden
            && let Some(inside) = picked(value, |one| among(forbidden, one))
        {
            self.report(Issue::Forbidden(inside));
        }
        let Value::Array(items) = value else { return };
        let missing: Vec<Value> = rule.contains.iter().filter(|one| !among(items, one)).cloned().collect();
        if !missing.is_empty() {
            self.report(Issue::Lacks(missing));
        }
        let repeated =
            |(index, one): (usize, &Value)| items.iter().take(index).any(|other| order::equal(one, other));
        if rule.unique_list && items.iter().enumerate().any(repeated) {
            self.report(Issue::Repeated);
        }
    }

    fn neighbours(&mut self, rule: &Rule, siblings: &Map<String, Value>, root: &Map<String, Value>) {
        let nested = self.path.len() > 1;
        for dependency in &rule.dependencies {
            let home = if dependency.field.starts_with('^') { root } else { siblings };
            let here = dependency.path.get_in(home);
            let found = match self.stored {
                // A field that the PATCH itself gives, even as null, hides the stored one.
                Some(stored) if self.mode == Mode::Patch && !(nested && std::ptr::eq(home, siblings)) => here
                    .or_else(|| {
                        (!home.contains_key(dependency.path.root()))
                            .then(|| dependency.path.get_in(stored))
                            .flatten()
                    }),
                _ => here,
            };
            match (&dependency.values, found) {
                (None, Some(value)) if !value.is_null() => {}
                (None, _) => self.report(Issue::Needs(dependency.field.clone())),
                (Some(values), Some(value)) if values.iter().any(|one| order::equal(one, value)) => {}
                (Some(_), _) => self.report(Issue::NeedsValues(dependency.constraint.clone())),
            }
        }
        let beside: Vec<String> =
            rule.excludes.iter().filter(|other| siblings.contains_key(*other)).cloned().collect();
        if !beside.is_empty() {
            let own = self.path.last().cloned().unwrap_or_default();
            self.report(Issue::Excludes(beside, own));
        }
    }

    fn inner(&mut self, value: &Value, rule: &Rule, root: &Map<String, Value>, open: bool) {
        let none = Map::new();
        match value {
            Value::Object(map) => {
                if let Some(Inner::Fields(schema)) = &rule.schema {
                    self.fields(map, schema, root, open);
                }
                for (name, value) in map {
                    if let Some(keys) = &rule.keys {
                        let key = Value::String(name.clone());
                        self.inside(name, |walk| walk.field(&key, keys, &none, root, open));
                    }
                    if let Some(values) = &rule.values {
                        self.inside(name, |walk| walk.field(value, values, map, root, open));
                    }
                }
            }
            Value::Array(items) => {
                if let Some(Inner::Each(each)) = &rule.schema {
                    for (index, item) in items.iter().enumerate() {
                        self.inside(index.to_string(), |walk| walk.field(item, each, &none, root, open));
                    }
                }
                match &rule.items {
                    Some(rules) if rules.len() != items.len() => {
                        self.report(Issue::Items(rules.len(), items.len()))
                    }
                    Some(rules) => {
                        for (index, (item, rule)) in items.iter().zip(rules).enumerate() {
                            self.inside(index.to_string(), |walk| walk.field(item, rule, &none, root, open));
                        }
                    }
                    None => {}
                }
            }
            _ => {}
        }
    }

    fn checks(&mut self, value: &Value, rule: &Rule, root: &Map<String, Value>) {
        if let Some(relation) = &rule.relation {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                let (path, value, relation) = (self.path.clone(), value.clone(), relation.clone());
                self.outcome.checks.push(Check::Exists { path, value, relation });
            }
        }
        let Some(how) = &rule.unique else { return };
        let parent = match how {
            Unique::IgnoringCasePerParent(field) => {
                let stored =
                    || self.stored.filter(|_| self.mode == Mode::Patch).and_then(|stored| stored.get(field));
                Some((field.clone(), root.get(field).or_else(stored).cloned().unwrap_or(Value::Null)))
            }
            Unique::Exact | Unique::IgnoringCase => None,
        };
        let indexless = self.path.iter().filter(|name| name.parse::<usize>().is_err()).cloned();
        let field = indexless.collect::<Vec<_>>().join(".");
        let values = match (how, value) {
            (Unique::Exact, value) => vec![value.clone()],
            (_, Value::Array(items)) => items.iter().map(folded).collect(),
            (_, value) => vec![folded(value)],
        };
        for value in values {
            let (path, field, how, parent) = (self.path.clone(), field.clone(), how.clone(), parent.clone());
            self.outcome.checks.push(Check::Unique { path, field, value, how, parent });
        }
    }
}

/// Characters of a text, elements of a list, members of an object.
fn size(value: &Value) -> Option<u64> {
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(map) => map.len(),
        _ => return None,
    };
    Some(size as u64)
}

/// The elements of a list, or the value itself, for which `test` holds.
fn picked(value: &Value, test: impl Fn(&Value) -> bool) -> Option<Value> {
    match value {
        Value::Array(items) => {
            let found: Vec<Value> = items.iter().filter(|one| test(one)).cloned().collect();
            (!found.is_empty()).then_some(Value::Array(found))
        }
        one => test(one).then(|| one.clone()),
    }
}

#[cfg(test)]
mod tests;
