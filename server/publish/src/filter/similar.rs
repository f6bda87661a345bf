//! Whom a condition like a given one concerns: asked before a code is retired or renamed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::catalog::Catalog;
use super::condition::Condition;
use super::operator::Operator;
use super::pattern;
use super::slots::{Slot, Slots};

/// Ids of what a condition concerns, each list in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Similar {
    /// Conditions that are like it.
    pub conditions: Vec<String>,
    /// Content filters with one of these, in themselves or in what they nest.
    pub filters: Vec<String>,
    /// Products with one of these filters.
    pub products: Vec<String>,
    /// Subscribers with one of these products.
    pub subscribers: Vec<String>,
}

impl Catalog {
    /// What a condition `{"field", "operator", "value"}` concerns.
    ///
    /// Where the field has `in` or `nin`, a condition is like it when it has the same operator and its value holds
    /// the given one (a regular expression, ignoring case), or the first other operator of the field and its value
    /// does not hold it. Elsewhere it must be equal.
    #[must_use]
    pub fn similar(&self, condition: &Value) -> Similar {
        let text = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default();
        let (field, operator, value) = (text("field"), text("operator"), text("value"));
        let operators = self.operators_of(field);
        let (regex, lower) = (pattern::compile(value), value.to_lowercase());
        let holds = |own: &Condition| match &regex {
            Ok(regex) => regex.is_match(&own.value),
            Err(_) => own.value.to_lowercase().contains(&lower),
        };
        let is_list = operators.iter().any(|own| matches!(own, Operator::In | Operator::Nin));
        let other = operators.iter().map(|own| own.name()).find(|own| *own != operator);
        let is_like = |own: &Condition| {
            own.field == field
                && match is_list {
                    true if own.operator == operator => holds(own),
                    true => Some(own.operator.as_str()) == other && !holds(own),
                    false => own.operator == operator && own.value == value,
                }
        };
        let conditions = which(&self.conditions, is_like);
        let mut filters =
            which(&self.filters, |filter| filter.conditions().any(|own| conditions.contains(&own)));
        loop {
            let more = which(&self.filters, |filter| filter.nested().any(|own| filters.contains(&own)));
            let known = filters.len();
            filters.extend(more);
            if filters.len() == known {
                break;
            }
        }
        let products =
            which(&self.products, |product| product.filter.is_some_and(|own| filters.contains(&own)));
        let subscribers = which(&self.subscribers, |subscriber| {
            subscriber.products.iter().chain(&subscriber.api_products).any(|own| products.contains(own))
        });
        Similar {
            conditions: names(&self.conditions, &conditions),
            filters: names(&self.filters, &filters),
            products: names(&self.products, &products),
            subscribers: names(&self.subscribers, &subscribers),
        }
    }
}

fn which<T>(slots: &Slots<T>, is_meant: impl Fn(&T) -> bool) -> BTreeSet<Slot> {
    slots.iter().filter(|(_, entry)| is_meant(entry)).map(|(slot, _)| slot).collect()
}

fn names<T>(slots: &Slots<T>, chosen: &BTreeSet<Slot>) -> Vec<String> {
    let mut names: Vec<String> = chosen.iter().map(|slot| slots.id(*slot).to_owned()).collect();
    names.sort_unstable();
    names
}
