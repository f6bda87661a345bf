//! `projection`: which fields of the body an answer carries.
//!
//! `{"a": 1, "b.c": 1}` keeps, `{"a": 0}` drops, `["a", "b"]` keeps; the two directions do not mix. Members that the
//! server adds, and `_version`, always stay. A dotted path works inside objects and inside each element of an array.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::json;
use super::path::{FieldPath, parameter};
use super::problem::Problem;
use super::system;

const FIELDS_MAX: usize = 200;

/// A choice of fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projection {
    keep: bool,
    tree: Tree,
}

type Tree = BTreeMap<String, Branch>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Branch {
    Whole,
    Part(Tree),
}

impl Projection {
    /// Every field.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Parses the text of a `projection` parameter. Empty text and `{}` keep everything.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.trim().is_empty() {
            return Ok(Self::everything());
        }
        let value = parameter("projection", text);
        value.and_then(|value| from_value(&value)).map_err(|reason| Problem::query("projection", reason))
    }

    /// Whether bodies can be passed on as they are.
    pub fn is_everything(&self) -> bool {
        self.tree.is_empty() && !self.keep
    }

    /// Removes what is not chosen.
    pub fn apply(&self, document: &mut Map<String, Value>) {
        if self.is_everything() {
            return;
        }
        match self.keep {
            true => {
                document.retain(|name, value| system::is_known(name) || keep(name, value, &self.tree));
            }
            false => drop_from(document, &self.tree),
        }
    }
}

fn from_value(value: &Value) -> Result<Projection, String> {
    let choices: Vec<(&str, bool)> = match value {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| Ok((name.as_str(), chosen(name, value)?)))
            .collect::<Result<_, String>>()?,
        Value::Array(items) => {
            let name = |item: &Value| {
                item.as_str().map(|_| ()).ok_or_else(|| format!("expected names, found {}", json::name(item)))
            };
            items.iter().try_for_each(name)?;
            items.iter().filter_map(Value::as_str).map(|name| (name, true)).collect()
        }
        other => return Err(format!("expected an object such as {{\"a\": 1}}, found {}", json::name(other))),
    };
    if choices.len() > FIELDS_MAX {
        return Err(format!("more than {FIELDS_MAX} fields"));
    }
    let asked = choices.iter().any(|(_, keep)| *keep);
    // Server members stay whatever is said of them, so they do not decide the direction either.
    let choices: Vec<_> = choices.into_iter().filter(|(name, _)| !system::is_known(name)).collect();
    let keep = match (choices.first(), asked) {
        (Some((_, keep)), _) => *keep,
        // `{"_id": 1}` asks for the server's members alone.
        (None, asked) => asked,
    };
    let mut tree = Tree::default();
    for (name, choice) in choices {
        if choice != keep {
            return Err("fields can be kept or dropped, not both at once".to_owned());
        }
        let path = FieldPath::parse(name)?;
        insert(&mut tree, &path.names().collect::<Vec<_>>());
    }
    Ok(Projection { keep, tree })
}

fn chosen(name: &str, value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(choice) => Ok(*choice),
        Value::Number(number) if number.as_f64() == Some(1.0) => Ok(true),
        Value::Number(number) if number.as_f64() == Some(0.0) => Ok(false),
        other => Err(format!("'{name}' is {other}, expected 1 or 0")),
    }
}

fn insert(tree: &mut Tree, path: &[&str]) {
    match path {
        [] => {}
        [name] => {
            tree.insert((*name).to_owned(), Branch::Whole);
        }
        [name, rest @ ..] => {
            if let Branch::Part(inner) =
                tree.entry((*name).to_owned()).or_insert_with(|| Branch::Part(Tree::new()))
            {
                insert(inner, rest);
            }
        }
    }
}

/// Whether the member stays; what is inside it is cut to the branch.
fn keep(name: &str, value: &mut Value, tree: &Tree) -> bool {
    match tree.get(name) {
        None => false,
        Some(Branch::Whole) => true,
        Some(Branch::Part(inner)) => keep_in(value, inner),
    }
}

fn keep_in(value: &mut Value, tree: &Tree) -> bool {
    match value {
        Value::Object(map) => {
            map.retain(|name, value| keep(name, value, tree));
            true
        }
        Value::Array(items) => {
            items.retain_mut(|item| keep_in(item, tree));
            true
        }
        _ => false,
    }
}

fn drop_from(map: &mut Map<String, Value>, tree: &Tree) {
    map.retain(|name, value| match tree.get(name) {
        None => true,
        Some(Branch::Whole) => false,
        Some(Branch::Part(inner)) => {
            drop_in(value, inner);
            true
        }
    });
}

fn drop_in(value: &mut Value, tree: &Tree) {
    match value {
        Value::Object(map) => drop_from(map, tree),
        Value::Array(items) => items.iter_mut().for_each(|item| drop_in(item, tree)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(projection: &str, expected: Value) {
        let mut document =
            json!({"_id": "1", "a": 1, "b": {"c": 2, "d": 3}, "l": [{"c": 4, "d": 5}, 6], "_version": 7});
        let projection = Projection::parse(projection).unwrap();
        projection.apply(document.as_object_mut().unwrap());
        assert_eq!(document, expected, "{projection:?}");
    }

    #[test]
    fn choices() {
        let all =
            json!({"_id": "1", "a": 1, "b": {"c": 2, "d": 3}, "l": [{"c": 4, "d": 5}, 6], "_version": 7});
        check("", all.clone());
        check("{}", all.clone());
        check(r#"{"_id": 0}"#, all);
        check(r#"{"a": 1}"#, json!({"_id": "1", "a": 1, "_version": 7}));
        check(r#"{"a": true, "_id": 0}"#, json!({"_id": "1", "a": 1, "_version": 7}));
        check(r#"{"_id": 1}"#, json!({"_id": "1", "_version": 7}));
        check(r#"["a", "b.c"]"#, json!({"_id": "1", "a": 1, "b": {"c": 2}, "_version": 7}));
        check(r#"{"l.c": 1}"#, json!({"_id": "1", "l": [{"c": 4}], "_version": 7}));
        check(r#"{"b": 1, "b.c": 1}"#, json!({"_id": "1", "b": {"c": 2, "d": 3}, "_version": 7}));
        check(r#"{"b.c": 1, "b": 1}"#, json!({"_id": "1", "b": {"c": 2, "d": 3}, "_version": 7}));
        check(r#"{"b.c": 1, "b.d": 1}"#, json!({"_id": "1", "b": {"c": 2, "d": 3}, "_version": 7}));
        check(
            r#"{"a": 0, "b.c": 0, "l.d": 0}"#,
            json!({"_id": "1", "b": {"d": 3}, "l": [{"c": 4}, 6], "_version": 7}),
        );
    }

    #[test]
    fn errors() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Projection::parse(text).unwrap_err().detail(), expected, "{text}")
        };
        check(r#"{"a": 1, "b": 0}"#, "projection: fields can be kept or dropped, not both at once");
        check(r#"{"a": 2}"#, "projection: 'a' is 2, expected 1 or 0");
        check("7", "projection: expected an object such as {\"a\": 1}, found a number");
        check("[7]", "projection: expected names, found a number");
        check(r#"{"a.": 1}"#, "projection: field path 'a.' has an empty part");
    }
}
