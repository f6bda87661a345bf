//! Content filters: statements of conditions and other filters.

use serde_json::Value;

use super::slots::{Slot, Slots};

/// A filter matches when one of its statements does.
#[derive(Debug)]
pub(crate) struct ContentFilter {
    pub(crate) name: String,
    pub(crate) statements: Vec<Statement>,
    /// It blocks every subscriber that has not switched it off. A stored filter that does not say counts as global.
    pub(crate) is_global: bool,
    /// It keeps expired items out of the text archive.
    pub(crate) is_archived: bool,
    /// It keeps items out of the content API.
    pub(crate) is_api_block: bool,
}

/// A statement matches when all its conditions and all its filters do.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Statement {
    pub(crate) conditions: Vec<Slot>,
    pub(crate) filters: Vec<Slot>,
}

impl Statement {
    /// A statement of nothing cannot be judged.
    pub(crate) fn is_empty(&self) -> bool {
        self.conditions.is_empty() && self.filters.is_empty()
    }
}

impl ContentFilter {
    pub(crate) fn parse<C, F>(document: &Value, conditions: &mut Slots<C>, filters: &mut Slots<F>) -> Self {
        let flag = |key: &str| document.get(key).and_then(Value::as_bool);
        let statements = expressions(document)
            .map(|expression| Statement {
                conditions: ids(expression, "fc").map(|id| conditions.slot(&id)).collect(),
                filters: ids(expression, "pf").map(|id| filters.slot(&id)).collect(),
            })
            .collect();
        Self {
            name: name_of(document),
            statements,
            is_global: flag("is_global").unwrap_or(true),
            is_archived: flag("is_archived_filter").unwrap_or(false),
            is_api_block: flag("api_block").unwrap_or(false),
        }
    }

    pub(crate) fn nested(&self) -> impl Iterator<Item = Slot> + '_ {
        self.statements.iter().flat_map(|statement| statement.filters.iter().copied())
    }

    pub(crate) fn conditions(&self) -> impl Iterator<Item = Slot> + '_ {
        self.statements.iter().flat_map(|statement| statement.conditions.iter().copied())
    }
}

/// The expression of each statement, null where there is none.
pub(crate) fn expressions(document: &Value) -> impl Iterator<Item = &Value> {
    let statements = document.get("content_filter").and_then(Value::as_array);
    statements.into_iter().flatten().map(|statement| statement.get("expression").unwrap_or(&Value::Null))
}

/// A list of ids in a document.
pub(crate) fn ids<'a>(document: &'a Value, key: &str) -> impl Iterator<Item = String> + use<'a> {
    document.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(id_text)
}

/// An id as text; also of an object that carries one.
pub(crate) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        Value::Object(members) => members.get("_id").filter(|id| !id.is_object()).and_then(id_text),
        _ => None,
    }
}

pub(crate) fn name_of(document: &Value) -> String {
    document.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
}
