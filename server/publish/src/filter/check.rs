//! What is refused when it is saved or removed, in the words that clients know.

use std::collections::BTreeSet;

use serde_json::Value;

use super::catalog::Catalog;
use super::condition::{Condition, is_tolerated};
use super::content::{ContentFilter, expressions, ids, name_of};
use super::field::Field;
use super::nesting::{DEPTH_MAX, WEIGHT_MAX};
use super::operator::Operator;
use super::product::ProductKind;
use super::slots::Slot;
use super::view::Fields;

/// Why something is not saved or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The fields at fault; none when something is removed.
    pub fields: Vec<&'static str>,
    /// The reason.
    pub message: String,
}

impl Refusal {
    fn of(field: &'static str, message: String) -> Self {
        Self { fields: vec![field], message }
    }

    fn removal(message: String) -> Self {
        Self { fields: Vec::new(), message }
    }
}

/// Whether two conditions say the same. Lists are compared by their characters, in any order: `a,b` is `b,a`, and
/// also `ab,` (clients may know it so).
fn is_same(a: &Condition, b: &Condition) -> bool {
    if a.field != b.field || a.operator != b.operator {
        return false;
    }
    let (a, b) = (a.value.to_uppercase(), b.value.to_uppercase());
    let sorted = |text: &str| {
        let mut characters: Vec<char> = text.chars().collect();
        characters.sort_unstable();
        characters
    };
    a == b || (a.contains(',') && a.len() == b.len() && sorted(&a) == sorted(&b))
}

impl Catalog {
    /// Checks a condition before it is saved under `id`.
    ///
    /// # Errors
    /// When another one says the same, when field or operator is unknown, or when the value is no value of the field.
    pub fn check_condition(&self, id: &str, document: &Value) -> Result<(), Refusal> {
        let lender = self.lender.as_ref();
        let condition = Condition::parse(document, &mut Fields::default(), &self.vocabularies, lender);
        let own = self.conditions.find(id);
        let mut others = self.conditions.iter().filter(|(slot, _)| Some(*slot) != own);
        if let Some((_, twin)) = others.find(|(_, other)| is_same(&condition, other)) {
            let message = format!("Filter condition:{} has identical settings", twin.name);
            return Err(Refusal { fields: vec!["field", "operator", "value"], message });
        }
        let Condition { name, field, operator, rule, .. } = condition;
        let is_known = is_tolerated(&field) || Field::resolve(&field, &self.vocabularies).is_some();
        if !is_known {
            let message = format!("Filter condition:{name} has unidentified field: {field}");
            return Err(Refusal::of("field", message));
        }
        if Operator::named(&operator).is_none() {
            let message = format!("Filter condition:{name} has unidentified operator: {operator}");
            return Err(Refusal::of("operator", message));
        }
        match rule {
            Err(reason) if !is_tolerated(&field) => {
                Err(Refusal::of("value", format!("Filter condition:{name} has an invalid value: {reason}")))
            }
            _ => Ok(()),
        }
    }

    /// Checks a condition before it is removed.
    ///
    /// # Errors
    /// When a content filter names it.
    pub fn check_condition_removal(&self, id: &str) -> Result<(), Refusal> {
        let Some(slot) = self.conditions.find(id) else {
            return Ok(());
        };
        let users = self.filters.iter().filter(|(_, filter)| filter.conditions().any(|own| own == slot));
        let names: Vec<&str> = users.map(|(_, filter)| filter.name.as_str()).collect();
        unless_empty(&names, |names| {
            format!("Filter condition has been referenced in content filter: {}", names.join(","))
        })
    }

    /// Checks a content filter before it is saved under `id`.
    ///
    /// # Errors
    /// When a statement has no conditions, when the filter would lead back to itself, or when it, or one that nests it,
    /// would nest too much.
    pub fn check_filter(&self, id: &str, document: &Value) -> Result<(), Refusal> {
        let refuse = |message: String| Err(Refusal::of("content_filter", message));
        let mut nested: Vec<String> = Vec::new();
        let mut conditions = 0;
        for (number, expression) in (1..).zip(expressions(document)) {
            let (inner, own) = (nested.len(), ids(expression, "fc").count());
            nested.extend(ids(expression, "pf"));
            if nested.len() == inner && own == 0 {
                return refuse(format!("Filter statement {number} does not have a filter condition"));
            }
            conditions += own as u64;
        }
        if self.leads_to(&nested, id) {
            let name = name_of(document);
            return refuse(format!("Circular dependency error in content filters:{name}"));
        }
        let bounds = format!("nests more than {DEPTH_MAX} levels or {WEIGHT_MAX} conditions");
        let slots = nested.iter().map(|inner| self.filters.find(inner));
        let Some(size) = self.nesting.size(conditions, slots) else {
            return refuse(format!("Content filter {bounds}"));
        };
        let own = self.filters.find(id);
        match own.and_then(|slot| self.nesting.newly_tangled(&self.filters, slot, size)) {
            Some(outer) => {
                let name = self.filters.get(outer).map_or("", |filter| &filter.name);
                refuse(format!("With it, content filter {name} {bounds}"))
            }
            None => Ok(()),
        }
    }

    /// Whether one of these filters is the one of that id or nests it, at whatever level.
    fn leads_to(&self, filters: &[String], id: &str) -> bool {
        let Some(target) = self.filters.find(id) else {
            return filters.iter().any(|own| own == id);
        };
        let mut waiting: Vec<Slot> = filters.iter().filter_map(|own| self.filters.find(own)).collect();
        let mut seen: BTreeSet<Slot> = waiting.iter().copied().collect();
        while let Some(slot) = waiting.pop() {
            if slot == target {
                return true;
            }
            let nested = self.filters.get(slot).into_iter().flat_map(ContentFilter::nested);
            waiting.extend(nested.filter(|inner| seen.insert(*inner)));
        }
        false
    }

    /// Checks a content filter before it is removed; `routing_schemes` are the names of those that use it.
    ///
    /// # Errors
    /// When subscribers (through their products), routing schemes or other filters use it.
    pub fn check_filter_removal(&self, id: &str, routing_schemes: &[&str]) -> Result<(), Refusal> {
        let slot = self.filters.find(id);
        let is_of_filter = |product: &Slot| {
            slot.is_some() && self.products.get(*product).is_some_and(|product| product.filter == slot)
        };
        unless_empty(&self.holders(is_of_filter), |names| {
            format!("Content filter has been referenced by subscriber(s) {}", names.join(","))
        })?;
        unless_empty(routing_schemes, |names| {
            format!("Content filter has been referenced by routing scheme(s) {}", names.join(","))
        })?;
        let users =
            self.filters.iter().filter(|(_, filter)| filter.nested().any(|inner| Some(inner) == slot));
        let names: Vec<&str> = users.map(|(_, filter)| filter.name.as_str()).collect();
        unless_empty(&names, |names| format!("Content filter has been referenced in {}", names.join(",")))
    }

    /// Checks a product before it is saved under `id`.
    ///
    /// # Errors
    /// When its type changes although subscribers hold it.
    pub fn check_product(&self, id: &str, document: &Value) -> Result<(), Refusal> {
        match self.products.entry(id) {
            Some((slot, product)) if product.kind != ProductKind::parse(document) => self
                .unless_held(Some(slot))
                .map_err(|refusal| Refusal { fields: vec!["product_type"], ..refusal }),
            _ => Ok(()),
        }
    }

    /// Checks a product before it is removed.
    ///
    /// # Errors
    /// When subscribers hold it.
    pub fn check_product_removal(&self, id: &str) -> Result<(), Refusal> {
        self.unless_held(self.products.find(id))
    }

    fn unless_held(&self, slot: Option<Slot>) -> Result<(), Refusal> {
        unless_empty(&self.holders(|product| Some(*product) == slot), |names| {
            format!("Product is used by the subscriber(s): {}", names.join(", "))
        })
    }

    /// Checks a subscriber before it is saved: its numbers, its destinations, its products.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check_subscriber(&self, document: &Value) -> Result<(), Refusal> {
        check_numbers(document)?;
        let has =
            |key: &str| document.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        let is_active = document.get("is_active").and_then(Value::as_bool).unwrap_or(true);
        if is_active && !has("destinations") && !has("api_products") {
            let message = "At least one destination or one API Product should be specified".to_owned();
            return Err(Refusal { fields: vec!["destinations", "api_products"], message });
        }
        if has("products") && !has("destinations") {
            return Err(Refusal::of("destinations", "Destinations not specified.".to_owned()));
        }
        let of_kind = |key: &str, wrong: ProductKind| {
            let slots: BTreeSet<Slot> = ids(document, key).filter_map(|id| self.products.find(&id)).collect();
            let products = slots.into_iter().filter_map(|slot| self.products.get(slot));
            let names = products.filter(|product| product.kind == wrong);
            names.map(|product| product.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        match of_kind("products", ProductKind::Api) {
            names if names.is_empty() => {}
            names => {
                return Err(Refusal::of("products", format!("Invalid Product Type. Products {names}.")));
            }
        }
        match of_kind("api_products", ProductKind::Direct) {
            names if names.is_empty() => Ok(()),
            names => Err(Refusal::of("api_products", format!("Invalid Product Type. API Products {names}."))),
        }
    }

    /// Names of the subscribers, active or not, that hold such a product.
    fn holders(&self, is_meant: impl Fn(&Slot) -> bool) -> Vec<&str> {
        let holds = |list: &[Slot]| list.iter().any(&is_meant);
        let all = self.subscribers.iter().map(|(_, subscriber)| subscriber);
        let holders = all.filter(|own| holds(&own.products) || holds(&own.api_products));
        holders.map(|subscriber| subscriber.name.as_str()).collect()
    }
}

fn check_numbers(document: &Value) -> Result<(), Refusal> {
    const MAX_DEFAULT: i64 = 9_999;
    let Some(settings) = document.get("sequence_num_settings").filter(|settings| settings.is_object()) else {
        return Ok(());
    };
    let number = |key: &str, default| settings.get(key).and_then(Value::as_i64).unwrap_or(default);
    let (min, max) = (number("min", 1), number("max", MAX_DEFAULT));
    let refuse = |message: &str| Err(Refusal::of("sequence_num_settings.min", message.to_owned()));
    if min <= 0 {
        return refuse("Value of Minimum in Sequence Number Settings should be greater than 0");
    }
    if min >= max {
        return refuse(
            "Value of Minimum in Sequence Number Settings should be less than the value of Maximum",
        );
    }
    Ok(())
}

fn unless_empty(names: &[&str], message: impl FnOnce(&[&str]) -> String) -> Result<(), Refusal> {
    if names.is_empty() { Ok(()) } else { Err(Refusal::removal(message(names))) }
}
