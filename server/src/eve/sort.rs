//! `sort`: an order over documents, total and stable across pages.
//!
//! Order of unlike values: missing < null < numbers < texts < date-times < objects < arrays < booleans. Numbers order
//! by value, texts by their bytes, date-times as instants, objects and nested arrays by their JSON text. A field that
//! is an array counts as its smallest element when ascending and its largest when descending; an empty array counts
//! as missing. Equal documents are ordered by `_id`, ascending, so no two documents are ever equal.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value;

use super::date;
use super::order;
use super::path::FieldPath;
use super::problem::Problem;

const FIELDS_MAX: usize = 8;

/// Which fields order a list, first the most important.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sort {
    fields: Vec<(FieldPath, bool)>,
}

/// The place of one document in an order, computed once and comparable with [`Sort::compare`].
#[derive(Debug, Clone)]
pub struct SortKey {
    parts: Vec<Part>,
    id: String,
}

#[derive(Debug, Clone)]
struct Part {
    value: Option<Value>,
    instant: Option<Timestamp>,
}

impl Sort {
    /// By `_id` alone, which is the order of a scan.
    pub fn by_id() -> Self {
        Self::default()
    }

    /// Parses `-a,b`, `[("a", -1), ("b", 1)]` or `[["a", -1]]`. Empty text orders by `_id`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let fields = match text.strip_prefix('[') {
            Some(_) => pairs(text),
            None => text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(signed).collect(),
        };
        let fields = fields.map_err(|reason| Problem::query("sort", reason))?;
        if fields.len() > FIELDS_MAX {
            return Err(Problem::query("sort", format!("more than {FIELDS_MAX} fields")));
        }
        Ok(Self { fields })
    }

    /// Whether the order is that of a scan by id, ascending: nothing has to be collected and sorted.
    pub fn is_by_id(&self) -> bool {
        match self.fields.first() {
            None => true,
            Some((path, descending)) => path.as_str() == "_id" && !descending,
        }
    }

    /// Whether the order is that of a scan by id from the end.
    pub fn is_by_id_descending(&self) -> bool {
        self.fields.first().is_some_and(|(path, descending)| path.as_str() == "_id" && *descending)
    }

    /// Paths and directions; `true` is descending.
    pub fn fields(&self) -> impl Iterator<Item = (&str, bool)> {
        self.fields.iter().map(|(path, descending)| (path.as_str(), *descending))
    }

    /// The place of a document, which must have its system members if the order uses them.
    pub fn key(&self, document: &Value, id: &str) -> SortKey {
        let parts = self.fields.iter().map(|(path, descending)| {
            let mut best: Option<Part> = None;
            path.any(document, &mut |value| {
                for candidate in candidates(value) {
                    let part = Part::new(candidate);
                    let better = best.as_ref().is_none_or(|best| {
                        let order = part.compare(best);
                        if *descending { order.is_gt() } else { order.is_lt() }
                    });
                    if better {
                        best = Some(part);
                    }
                }
                false
            });
            best.unwrap_or(Part { value: None, instant: None })
        });
        SortKey { parts: parts.collect(), id: id.to_owned() }
    }

    /// The order of two places under this sort.
    pub fn compare(&self, left: &SortKey, right: &SortKey) -> Ordering {
        let parts = self.fields.iter().zip(left.parts.iter().zip(&right.parts));
        for ((_, descending), (left, right)) in parts {
            let order = left.compare(right);
            if order.is_ne() {
                return if *descending { order.reverse() } else { order };
            }
        }
        left.id.cmp(&right.id)
    }
}

impl SortKey {
    /// The document's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Values of the parts at these places, `None` where the field is missing.
    pub(crate) fn values<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = Option<&'a Value>> {
        places.iter().filter_map(|place| self.parts.get(*place)).map(|part| part.value.as_ref())
    }

    /// For a cursor: each part is `[]` if missing, else `[value]`; the id comes last.
    pub(crate) fn to_json(&self) -> Value {
        let parts = self.parts.iter().map(|part| Value::Array(part.value.iter().cloned().collect()));
        parts.chain([Value::from(self.id.as_str())]).collect()
    }

    /// The reverse of [`SortKey::to_json`].
    pub(crate) fn from_json(value: Value) -> Option<Self> {
        let Value::Array(mut parts) = value else { return None };
        let Some(Value::String(id)) = parts.pop() else { return None };
        let part = |value: Value| match value {
            Value::Array(mut one) if one.len() <= 1 => Some(Part::new(one.pop().as_ref())),
            _ => None,
        };
        Some(Self { parts: parts.into_iter().map(part).collect::<Option<_>>()?, id })
    }
}

impl Part {
    fn new(value: Option<&Value>) -> Self {
        Self { instant: value.and_then(Value::as_str).and_then(date::parse_time), value: value.cloned() }
    }

    fn rank(&self) -> u8 {
        match &self.value {
            None => 0,
            Some(Value::Null) => 1,
            Some(Value::Number(_)) => 2,
            Some(Value::String(_)) => 3 + u8::from(self.instant.is_some()),
            Some(Value::Object(_)) => 5,
            Some(Value::Array(_)) => 6,
            Some(Value::Bool(_)) => 7,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank()).then_with(|| match (&self.value, &other.value) {
            (Some(Value::Number(left)), Some(Value::Number(right))) => order::numbers(left, right),
            (Some(Value::String(left)), Some(Value::String(right))) => match (self.instant, other.instant) {
                (Some(left), Some(right)) => left.cmp(&right),
                _ => left.cmp(right),
            },
            (Some(Value::Bool(left)), Some(Value::Bool(right))) => left.cmp(right),
            (Some(left), Some(right)) => left.to_string().cmp(&right.to_string()),
            _ => Ordering::Equal,
        })
    }
}

fn candidates(value: Option<&Value>) -> Vec<Option<&Value>> {
    match value {
        Some(Value::Array(items)) if items.is_empty() => vec![None],
        Some(Value::Array(items)) => items.iter().map(Some).collect(),
        other => vec![other],
    }
}

fn signed(text: &str) -> Result<(FieldPath, bool), String> {
    let (name, descending) = match text.strip_prefix('-') {
        Some(name) => (name, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    Ok((FieldPath::parse(name.trim())?, descending))
}

/// `[("a", -1), ...]`: read as JSON once the round brackets and single quotes are JSON's.
fn pairs(text: &str) -> Result<Vec<(FieldPath, bool)>, String> {
    let json: String = text
        .chars()
        .map(|letter| match letter {
            '(' => '[',
            ')' => ']',
            '\'' => '"',
            other => other,
        })
        .collect();
    // A tuple of tuples may end in a comma, which JSON may not.
    let json = json.replace(",]", "]").replace(", ]", "]");
    let expected = || format!("expected names such as -a,b or pairs such as [(\"a\", -1)], found '{text}'");
    let Ok(Value::Array(items)) = super::path::parameter("sort", &json) else { return Err(expected()) };
    let pair = |item: &Value| match item.as_array().map(Vec::as_slice) {
        Some([Value::String(name), Value::Number(direction)]) => match direction.as_i64() {
            Some(1) => Ok((FieldPath::parse(name)?, false)),
            Some(-1) => Ok((FieldPath::parse(name)?, true)),
            _ => Err(format!("the direction of '{name}' is {direction}, expected 1 or -1")),
        },
        _ => Err(expected()),
    };
    items.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(sort: &str, expected: &[&str]) {
        let documents = [
            ("missing", json!({})),
            ("null", json!({"a": null, "b": 1})),
            ("one", json!({"a": 1, "b": 2})),
            ("two", json!({"a": 2.0, "b": 1})),
            ("text", json!({"a": "x"})),
            ("early", json!({"a": "2026-01-31T12:00:00+0200"})),
            ("late", json!({"a": "2026-01-31T11:00:00Z"})),
            ("object", json!({"a": {"k": 1}})),
            ("many", json!({"a": [0, 3]})),
            ("none", json!({"a": []})),
            ("true", json!({"a": true})),
        ];
        let sort = Sort::parse(sort).unwrap();
        let mut keys: Vec<SortKey> = documents.iter().map(|(id, document)| sort.key(document, id)).collect();
        keys.sort_by(|left, right| sort.compare(left, right));
        let ids: Vec<&str> = keys.iter().map(SortKey::id).collect();
        assert_eq!(ids, expected, "{sort:?}");
        for key in &keys {
            let again = SortKey::from_json(key.to_json()).unwrap();
            assert_eq!(sort.compare(key, &again), Ordering::Equal);
        }
    }

    #[test]
    fn orders() {
        let up = ["missing", "none", "null", "many", "one", "two", "text", "early", "late", "object", "true"];
        check("a", &up);
        check("[('a', 1),]", &up);
        check(
            "-a",
            &["true", "object", "late", "early", "text", "many", "two", "one", "null", "missing", "none"],
        );
        check(
            r#"[("b", 1), ("a", -1)]"#,
            &["true", "object", "late", "early", "text", "many", "missing", "none", "two", "null", "one"],
        );
        let mut ids = up.to_vec();
        ids.sort_unstable();
        check("", &ids);
        check("_missing", &ids);
    }

    #[test]
    fn errors() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Sort::parse(text).unwrap_err().detail(), expected, "{text}")
        };
        check("$a", "sort: field path '$a' has a part that begins with '$'");
        check("-", "sort: a field name is empty");
        check("[(\"a\", 2)]", "sort: the direction of 'a' is 2, expected 1 or -1");
        check("[a]", "sort: expected names such as -a,b or pairs such as [(\"a\", -1)], found '[a]'");
        check("a,b,c,d,e,f,g,h,i", "sort: more than 8 fields");
        assert!(Sort::parse("_id").unwrap().is_by_id());
        assert!(Sort::parse("-_id").unwrap().is_by_id_descending());
    }
}
