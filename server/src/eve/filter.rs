//! `where`: a Mongo-style condition, parsed once and held against documents.
//!
//! Meaning, where a document can surprise:
//! - A path reaches through arrays: `{"tags.name": "x"}` holds if any element's name is `x`.
//! - A test on an array holds for the array itself or for any of its elements.
//! - `null` equals a missing field. `$ne`, `$nin` and `$not` are the exact opposites of `$eq`, `$in` and what they
//!   hold, so they are true of a missing field.
//! - `$gt` and its kin compare within one type only; date texts compare as instants when at least one of the two has
//!   a time of day.
//! - `_id`, `_created`, `_updated`, `_seq`, `_etag`, `_version` are fields like others: the caller adds them to the
//!   document ([`super::system::add`]) before asking.
//!
//! Bounds: depth 16, 128 conditions, 1000 values of `$in`, patterns as [`super::pattern`] allows. Evaluation never
//! fails and never panics; its time is linear in the document for each condition.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::Value;

use super::order::Operand;
use super::path::{self, FieldPath};
use super::problem::Problem;

mod parse;
mod spans;

/// A condition on documents.
#[derive(Debug, Clone)]
pub struct Filter {
    root: Node,
}

/// A condition that cannot be understood, with the operator and field at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// The operator, if one is at fault.
    pub operator: Option<String>,
    /// The field it stands at, empty at top level.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for FilterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.operator, self.path.as_str()) {
            (None, "") => f.write_str(&self.message),
            (None, path) => write!(f, "at '{path}': {}", self.message),
            (Some(operator), "") => write!(f, "{operator}: {}", self.message),
            (Some(operator), path) => write!(f, "{operator} at '{path}': {}", self.message),
        }
    }
}

impl std::error::Error for FilterError {}

impl From<FilterError> for Problem {
    fn from(error: FilterError) -> Self {
        let problem = Self::query("where", &error);
        let problem = if error.path.is_empty() { problem } else { problem.with("field", error.path) };
        match error.operator {
            Some(operator) => problem.with("operator", operator),
            None => problem,
        }
    }
}

#[derive(Debug, Clone)]
enum Node {
    /// All hold; the empty list is true of everything.
    All(Vec<Node>),
    /// At least one holds.
    Any(Vec<Node>),
    Not(Box<Node>),
    Field(FieldPath, Test),
}

#[derive(Debug, Clone)]
enum Test {
    Equal(Operand),
    In(Vec<Operand>),
    Compare(Comparison, Operand),
    Exists,
    Matches(Regex),
    /// The array holds every one of these.
    Every(Vec<Operand>),
    Size(usize),
    /// One element satisfies all of it at once.
    Element(Box<Element>),
    /// All tests hold for the field.
    Both(Vec<Test>),
    Not(Box<Test>),
}

#[derive(Debug, Clone)]
enum Element {
    Document(Node),
    Value(Test),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Filter {
    /// The filter that every document passes.
    pub fn everything() -> Self {
        Self { root: Node::All(Vec::new()) }
    }

    /// Parses the text of a `where` parameter. Empty text passes everything.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.trim().is_empty() {
            return Ok(Self::everything());
        }
        let value = path::parameter("where", text);
        let value = value.map_err(|message| FilterError { operator: None, path: String::new(), message })?;
        Self::from_value(&value)
    }

    /// Parses a condition that is already a JSON value.
    pub fn from_value(value: &Value) -> Result<Self, FilterError> {
        parse::parse(value).map(|root| Self { root })
    }

    /// Whether the filter passes everything.
    pub fn is_everything(&self) -> bool {
        matches!(&self.root, Node::All(nodes) if nodes.is_empty())
    }

    /// Both this and the other must hold.
    pub fn and(self, other: Self) -> Self {
        match (self.is_everything(), other.is_everything()) {
            (true, _) => other,
            (_, true) => self,
            _ => Self { root: Node::All(vec![self.root, other.root]) },
        }
    }

    /// Whether the document passes.
    pub fn matches(&self, document: &Value) -> bool {
        self.root.holds(document)
    }

    /// The ids that can pass at all, if the condition says so by `_id` alone or by `_id` `$in`.
    pub fn ids(&self) -> Option<Vec<&str>> {
        self.root.ids()
    }

    /// Top-level fields the filter looks at; may repeat.
    pub fn roots(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.root.roots(&mut found);
        found
    }
}

impl Node {
    fn holds(&self, document: &Value) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(document)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(document)),
            Self::Not(node) => !node.holds(document),
            Self::Field(path, test) => test.holds(&mut |leaf| path.any(document, leaf)),
        }
    }

    fn ids(&self) -> Option<Vec<&str>> {
        match self {
            Self::All(nodes) => nodes.iter().find_map(Self::ids),
            Self::Field(path, Test::Equal(operand)) if path.as_str() == "_id" => {
                one_key_each(std::slice::from_ref(operand))
            }
            Self::Field(path, Test::In(operands)) if path.as_str() == "_id" => one_key_each(operands),
            Self::Field(..) | Self::Any(_) | Self::Not(_) => None,
        }
    }

    fn roots<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().for_each(|node| node.roots(found)),
            Self::Not(node) => node.roots(found),
            Self::Field(path, _) => found.push(path.root()),
        }
    }
}

/// The texts among the operands, unless one of them is a date and so equal to more than itself.
fn one_key_each(operands: &[Operand]) -> Option<Vec<&str>> {
    let plain = !operands.iter().any(Operand::is_date);
    plain.then(|| operands.iter().filter_map(|operand| operand.value.as_str()).collect())
}

/// Asks whether any value that the path reaches passes the leaf test.
type Reach<'a> = dyn FnMut(&mut dyn FnMut(Option<&Value>) -> bool) -> bool + 'a;

impl Test {
    fn holds(&self, reach: &mut Reach<'_>) -> bool {
        match self {
            Self::Equal(operand) => reach(&mut |value| equals(value, operand)),
            Self::In(operands) => reach(&mut |value| operands.iter().any(|operand| equals(value, operand))),
            Self::Compare(comparison, operand) => reach(&mut |value| compares(value, *comparison, operand)),
            Self::Exists => reach(&mut |value| value.is_some()),
            Self::Matches(regex) => reach(&mut |value| {
                any_of(value, |value| value.as_str().is_some_and(|text| regex.is_match(text)))
            }),
            Self::Every(operands) => {
                !operands.is_empty()
                    && operands.iter().all(|operand| reach(&mut |value| equals(value, operand)))
            }
            Self::Size(size) => {
                reach(&mut |value| value.and_then(Value::as_array).is_some_and(|items| items.len() == *size))
            }
            Self::Element(element) => reach(&mut |value| {
                value
                    .and_then(Value::as_array)
                    .is_some_and(|items| items.iter().any(|item| element.holds(item)))
            }),
            Self::Both(tests) => tests.iter().all(|test| test.holds(reach)),
            Self::Not(test) => !test.holds(reach),
        }
    }
}

impl Element {
    fn holds(&self, item: &Value) -> bool {
        match self {
            Self::Document(node) => item.is_object() && node.holds(item),
            Self::Value(test) => test.holds(&mut |leaf| leaf(Some(item))),
        }
    }
}

/// The value itself or any element of it.
fn any_of(value: Option<&Value>, test: impl Fn(&Value) -> bool) -> bool {
    value.is_some_and(|value| test(value) || value.as_array().is_some_and(|items| items.iter().any(&test)))
}

fn equals(value: Option<&Value>, operand: &Operand) -> bool {
    match value {
        None => operand.value.is_null(),
        some => any_of(some, |value| operand.equals(value)),
    }
}

fn compares(value: Option<&Value>, comparison: Comparison, operand: &Operand) -> bool {
    if operand.value.is_null() {
        return matches!(comparison, Comparison::GreaterOrEqual | Comparison::LessOrEqual)
            && equals(value, operand);
    }
    any_of(value, |value| operand.compare(value).is_some_and(|order| comparison.accepts(order)))
}

impl Comparison {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}

#[cfg(test)]
mod tests;
