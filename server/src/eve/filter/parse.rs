//! From JSON to a condition tree, within bounds.

use serde_json::{Map, Value};

use super::{Comparison, Element, FilterError, Node, Test};
use crate::eve::json;
use crate::eve::order::Operand;
use crate::eve::path::FieldPath;
use crate::eve::pattern;

const DEPTH_MAX: usize = 16;
const CONDITIONS_MAX: usize = 128;
const VALUES_MAX: usize = 1000;

type Parsed<T> = Result<T, FilterError>;

pub(super) fn parse(value: &Value) -> Parsed<Node> {
    Parser { depth: 0, conditions: 0, path: String::new() }.document(value, None)
}

struct Parser {
    depth: usize,
    conditions: usize,
    /// The field being read, for errors.
    path: String,
}

impl Parser {
    fn fail<T>(&self, operator: Option<&str>, message: impl Into<String>) -> Parsed<T> {
        Err(FilterError {
            operator: operator.map(str::to_owned),
            path: self.path.clone(),
            message: message.into(),
        })
    }

    fn deeper<T>(&mut self, operator: Option<&str>, work: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEPTH_MAX {
            return self.fail(operator, format!("nested deeper than {DEPTH_MAX} levels"));
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    fn count(&mut self, operator: Option<&str>) -> Parsed<()> {
        self.conditions += 1;
        match self.conditions > CONDITIONS_MAX {
            true => self.fail(operator, format!("more than {CONDITIONS_MAX} conditions")),
            false => Ok(()),
        }
    }

    /// `{field: condition, "$or": [...], ...}`: all members must hold.
    fn document(&mut self, value: &Value, operator: Option<&str>) -> Parsed<Node> {
        let Value::Object(map) = value else {
            return self
                .fail(operator, format!("expected an object of conditions, found {}", json::name(value)));
        };
        self.deeper(operator, |parser| {
            let nodes = map.iter().map(|(name, value)| parser.member(name, value));
            let mut nodes = nodes.collect::<Parsed<Vec<_>>>()?;
            Ok(match nodes.len() {
                1 => nodes.remove(0),
                _ => Node::All(nodes),
            })
        })
    }

    fn member(&mut self, name: &str, value: &Value) -> Parsed<Node> {
        self.count(None)?;
        match name {
            "$and" => Ok(Node::All(self.branches(name, value)?)),
            "$or" => Ok(Node::Any(self.branches(name, value)?)),
            "$nor" => Ok(Node::Not(Box::new(Node::Any(self.branches(name, value)?)))),
            "$not" => Ok(Node::Not(Box::new(self.document(value, Some(name))?))),
            "$where" | "$expr" | "$function" => self.fail(Some(name), "code in a condition is not allowed"),
            name if name.starts_with('$') => {
                self.fail(Some(name), "unknown operator, or one that needs a field")
            }
            name => self.field(name, value),
        }
    }

    fn branches(&mut self, operator: &str, value: &Value) -> Parsed<Vec<Node>> {
        match value {
            Value::Array(items) if !items.is_empty() => {
                items.iter().map(|item| self.document(item, Some(operator))).collect()
            }
            other => self.fail(
                Some(operator),
                format!("expected a list of at least one condition, found {}", found(other)),
            ),
        }
    }

    fn field(&mut self, name: &str, value: &Value) -> Parsed<Node> {
        let path = match FieldPath::parse(name) {
            Ok(path) => path,
            Err(message) => return self.fail(None, message),
        };
        let outer = std::mem::replace(&mut self.path, name.to_owned());
        if !outer.is_empty() {
            self.path = format!("{outer}.{name}");
        }
        let test = self.test(value)?;
        self.path = outer;
        Ok(Node::Field(path, test))
    }

    /// Operators, or a plain value to be equal to.
    fn test(&mut self, value: &Value) -> Parsed<Test> {
        match value {
            Value::Object(map) if map.keys().any(|name| name.starts_with('$')) => {
                self.deeper(None, |parser| parser.operators(map))
            }
            value => Ok(Test::Equal(Operand::new(value.clone()))),
        }
    }

    fn operators(&mut self, map: &Map<String, Value>) -> Parsed<Test> {
        let mut tests = Vec::with_capacity(map.len());
        for (name, value) in map {
            self.count(Some(name))?;
            if name != "$options" {
                tests.push(self.operator(name, value, map)?);
            } else if !map.contains_key("$regex") {
                return self.fail(Some(name), "belongs to $regex");
            }
        }
        Ok(match tests.len() {
            1 => tests.remove(0),
            _ => Test::Both(tests),
        })
    }

    fn operator(&mut self, name: &str, value: &Value, map: &Map<String, Value>) -> Parsed<Test> {
        let not = |test| Test::Not(Box::new(test));
        Ok(match name {
            "$eq" => Test::Equal(Operand::new(value.clone())),
            "$ne" => not(Test::Equal(Operand::new(value.clone()))),
            "$in" => Test::In(self.values(name, value)?),
            "$nin" => not(Test::In(self.values(name, value)?)),
            "$all" => Test::Every(self.values(name, value)?),
            "$gt" => Test::Compare(Comparison::Greater, self.scalar(name, value)?),
            "$gte" => Test::Compare(Comparison::GreaterOrEqual, self.scalar(name, value)?),
            "$lt" => Test::Compare(Comparison::Less, self.scalar(name, value)?),
            "$lte" => Test::Compare(Comparison::LessOrEqual, self.scalar(name, value)?),
            "$exists" => match self.truth(name, value)? {
                true => Test::Exists,
                false => not(Test::Exists),
            },
            "$regex" => self.regex(value, map.get("$options"))?,
            "$size" => match value.as_u64().and_then(|size| usize::try_from(size).ok()) {
                Some(size) => Test::Size(size),
                None => {
                    return self
                        .fail(Some(name), format!("expected a whole number from 0, found {}", found(value)));
                }
            },
            "$not" => match value {
                Value::Object(inner) if inner.keys().any(|name| name.starts_with('$')) => {
                    not(self.test(value)?)
                }
                other => {
                    return self.fail(
                        Some(name),
                        format!("expected an object of operators, found {}", found(other)),
                    );
                }
            },
            "$elemMatch" => Test::Element(Box::new(self.element(value)?)),
            name if name.starts_with('$') => return self.fail(Some(name), "unknown operator"),
            name => {
                return self.fail(
                    None,
                    format!(
                        "'{name}' stands among operators; put $eq before the value to compare with an object"
                    ),
                );
            }
        })
    }

    fn element(&mut self, value: &Value) -> Parsed<Element> {
        let Value::Object(map) = value else {
            return self.fail(Some("$elemMatch"), format!("expected an object, found {}", found(value)));
        };
        let of_document =
            |name: &String| !name.starts_with('$') || matches!(name.as_str(), "$and" | "$or" | "$nor");
        match map.keys().all(of_document) {
            true => Ok(Element::Document(self.document(value, Some("$elemMatch"))?)),
            false => Ok(Element::Value(self.test(value)?)),
        }
    }

    fn values(&self, operator: &str, value: &Value) -> Parsed<Vec<Operand>> {
        match value {
            Value::Array(items) if items.len() > VALUES_MAX => {
                self.fail(Some(operator), format!("{} values, at most {VALUES_MAX} are taken", items.len()))
            }
            Value::Array(items) if items.iter().any(is_operators) => {
                self.fail(Some(operator), "the list may hold values only, no operators")
            }
            Value::Array(items) => Ok(items.iter().cloned().map(Operand::new).collect()),
            other => self.fail(Some(operator), format!("expected a list, found {}", found(other))),
        }
    }

    fn scalar(&self, operator: &str, value: &Value) -> Parsed<Operand> {
        match value {
            Value::Array(_) | Value::Object(_) => self.fail(
                Some(operator),
                format!("expected a number, string, boolean or null, found {}", found(value)),
            ),
            scalar => Ok(Operand::new(scalar.clone())),
        }
    }

    fn truth(&self, operator: &str, value: &Value) -> Parsed<bool> {
        match value {
            Value::Bool(truth) => Ok(*truth),
            Value::Number(number) => Ok(number.as_f64() != Some(0.0)),
            other => self.fail(Some(operator), format!("expected true or false, found {}", found(other))),
        }
    }

    fn regex(&self, value: &Value, options: Option<&Value>) -> Parsed<Test> {
        let Value::String(source) = value else {
            return self.fail(Some("$regex"), format!("expected a string, found {}", found(value)));
        };
        let flags = match options {
            None => "",
            Some(Value::String(flags)) => flags,
            Some(other) => {
                return self.fail(Some("$options"), format!("expected a string, found {}", found(other)));
            }
        };
        match pattern::compile(source, flags) {
            Ok(regex) => Ok(Test::Matches(regex)),
            Err(reason) => self.fail(Some("$regex"), reason),
        }
    }
}

fn is_operators(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.keys().any(|name| name.starts_with('$')))
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Array(items) if items.is_empty() => "an empty array",
        other => json::name(other),
    }
}
