//! What a condition leaves of the values of one field, for a planner.

use dateline_engine::Spans;
use serde_json::Value;

use super::{Comparison, Filter, Node, Test};
use crate::eve::order::Operand;

/// Above every text that begins as the one before it.
const ABOVE: char = char::MAX;

impl Filter {
    /// Values of which every document that passes has at least one at the path; `None`: the condition does not say. With
    /// `single` no document has several, so that what is said twice of a field is said of one value.
    ///
    /// The set may hold more than what passes: the filter must still be asked.
    pub(crate) fn spans(&self, path: &str, single: bool) -> Option<Spans> {
        self.root.spans(path, single)
    }

    /// Paths of which every document that passes has something said, in the order of the condition.
    pub(crate) fn paths(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.root.paths(&mut found);
        found
    }
}

impl Node {
    fn spans(&self, path: &str, single: bool) -> Option<Spans> {
        match self {
            Self::All(nodes) => all(nodes.iter().filter_map(|node| node.spans(path, single)), single),
            Self::Any(nodes) => any(nodes.iter().map(|node| node.spans(path, single))),
            Self::Field(own, test) if own.as_str() == path => test.spans(single),
            Self::Field(..) | Self::Not(_) => None,
        }
    }

    fn paths<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().for_each(|node| node.paths(found)),
            Self::Field(path, _) if !found.contains(&path.as_str()) => found.push(path.as_str()),
            Self::Field(..) | Self::Not(_) => {}
        }
    }
}

/// All of these are said: of one value, or each of some value, where the narrowest is as good as any.
fn all(said: impl Iterator<Item = Spans>, single: bool) -> Option<Spans> {
    match single {
        true => said.reduce(|left, right| left.and(&right)),
        false => said.min_by_key(|spans| spans.count().unwrap_or(usize::MAX)),
    }
}

/// One of these is said; if any of them is nothing, nothing is.
fn any(said: impl Iterator<Item = Option<Spans>>) -> Option<Spans> {
    said.collect::<Option<Vec<Spans>>>().map(Spans::any)
}

impl Test {
    fn spans(&self, single: bool) -> Option<Spans> {
        match self {
            Self::Equal(operand) => equal(operand),
            Self::In(operands) => any(operands.iter().map(equal)),
            Self::Compare(comparison, operand) => compare(*comparison, operand),
            Self::Every(operands) => all(operands.iter().filter_map(equal), false),
            Self::Both(tests) => all(tests.iter().filter_map(|test| test.spans(single)), single),
            Self::Exists | Self::Matches(_) | Self::Size(_) | Self::Element(_) | Self::Not(_) => None,
        }
    }
}

fn equal(operand: &Operand) -> Option<Spans> {
    match &operand.value {
        Value::Null => Some(Spans::value(None).or(Spans::value(Some(&Value::Null)))),
        // A list is equal to a field as a whole, while keys hold its elements.
        Value::Array(_) | Value::Object(_) => None,
        value => {
            let own = Spans::value(Some(value));
            Some(match operand.days() {
                None => own,
                // A day and its midnight are equal, whichever of the two is spelled out.
                Some((_, day)) => {
                    let midnight = Value::from(format!("{day}T00:00:00Z"));
                    let midnight =
                        if operand.is_timed() { own } else { own.or(Spans::value(Some(&midnight))) };
                    midnight.or(Spans::value(Some(&Value::from(day))))
                }
            })
        }
    }
}

fn compare(comparison: Comparison, operand: &Operand) -> Option<Spans> {
    let up = matches!(comparison, Comparison::Greater | Comparison::GreaterOrEqual);
    let beyond = |value: &Value| if up { Spans::from(value) } else { Spans::up_to(value) };
    let value = &operand.value;
    Some(match value {
        Value::Null => match comparison {
            Comparison::GreaterOrEqual | Comparison::LessOrEqual => equal(operand)?,
            Comparison::Greater | Comparison::Less => Spans::none(),
        },
        Value::String(text) => match operand.days() {
            // Dates with a time, which all begin with a digit, are held against it letter by letter.
            None if up && text.as_str() > ":" || !up && text.as_str() < "0" => beyond(value),
            None => beyond(value).or(Spans::instants()),
            // Dates with a time are held against it as instants, and other texts, days among them, stand by their letters:
            // on that day here or in UTC.
            Some((here, utc)) => {
                let day = if up { here.min(&utc).to_owned() } else { format!("{}{ABOVE}", here.max(&utc)) };
                let instant =
                    if operand.is_timed() { value.clone() } else { format!("{utc}T00:00:00Z").into() };
                beyond(&Value::from(day)).or(beyond(&instant))
            }
        },
        value => beyond(value),
    })
}

#[cfg(test)]
mod tests {
    use dateline_engine::Spans;
    use serde_json::{Value, json};

    use super::super::Filter;

    fn spans(condition: Value, single: bool) -> Option<Spans> {
        Filter::from_value(&condition).unwrap().spans("a", single)
    }

    fn point(value: Value) -> Spans {
        Spans::value(Some(&value))
    }

    #[test]
    fn conditions_become_sets() {
        let check = |condition: Value, expected: Option<Spans>| {
            assert_eq!(spans(condition.clone(), true), expected, "{condition}");
        };
        check(json!({"a": 1}), Some(point(json!(1))));
        check(json!({"b": 1}), None);
        check(json!({"a": null}), Some(Spans::value(None).or(point(json!(null)))));
        check(json!({"a": [1]}), None);
        check(json!({"a": {"$in": ["x", 2]}}), Some(point(json!("x")).or(point(json!(2)))));
        check(json!({"a": {"$in": ["x", [2]]}}), None);
        check(json!({"a": {"$in": []}}), Some(Spans::none()));
        check(json!({"a": {"$gt": null}}), Some(Spans::none()));
        check(json!({"a": {"$gte": 3}}), Some(Spans::from(&json!(3))));
        check(json!({"a": {"$gte": 3, "$lt": 3}}), Some(point(json!(3))));
        check(json!({"a": {"$lt": "b"}}), Some(Spans::up_to(&json!("b")).or(Spans::instants())));
        check(json!({"a": {"$gt": "b"}}), Some(Spans::from(&json!("b"))));
        check(json!({"$and": [{"a": {"$gt": 1}}, {"b": 2}]}), Some(Spans::from(&json!(1))));
        check(json!({"$or": [{"a": 1}, {"a": 2}]}), Some(point(json!(1)).or(point(json!(2)))));
        check(json!({"$or": [{"a": 1}, {"b": 2}]}), None);
        check(json!({"a": {"$ne": 1}}), None);
        check(json!({"a": {"$not": {"$gt": 1}}}), None);
        check(json!({"a": {"$exists": true}}), None);
        check(json!({"a": {"$all": [1, 2]}}), Some(point(json!(1))));
        // In a list one element may pass one test and another the other.
        assert_eq!(spans(json!({"a": {"$gte": 3, "$lt": 3}}), false).unwrap().count(), None);
        assert_eq!(spans(json!({"a": {"$gte": 3, "$eq": 5}}), false), Some(point(json!(5))));
        let filter = Filter::from_value(&json!({"a": 1, "$or": [{"b": 1}, {"c": 2}], "$nor": [{"d": 1}]}));
        assert_eq!(filter.unwrap().paths(), ["a", "b", "c"]);
    }
}
