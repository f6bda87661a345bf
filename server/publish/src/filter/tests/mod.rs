//! Tests of the rules; those of the index are beside it.

mod explained;
mod matrix;
mod refusals;
mod rules;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Answer, Bounds, Catalog, Kind, Lender, Lent, Operator, Part, Place, Question, TargetMedia, Test,
    Vocabulary,
};

/// Lends tests that are easy to foresee: `within` takes `w,s,e,n` in degrees, `near` is a square, `query` a word of the
/// headline.
pub(super) struct Boxes;

impl Lender for Boxes {
    fn lend(&self, operator: Operator, value: &str) -> Result<Lent, String> {
        let numbers: Result<Vec<f64>, _> = value.split(',').map(str::parse).collect();
        match (operator, numbers.as_deref()) {
            (Operator::Within, Ok(&[west, south, east, north])) => Ok(in_box(west, south, east, north)),
            (Operator::Near, Ok(&[lon, lat, far])) => Ok(in_box(lon - far, lat - far, lon + far, lat + far)),
            (Operator::Query, _) => {
                let word = value.to_owned();
                let test: Test = Box::new(move |asked| {
                    asked.item["headline"].as_str().is_some_and(|own| own.contains(&word))
                });
                Ok(Lent { test, bounds: None })
            }
            _ => Err("expected numbers".to_owned()),
        }
    }
}

fn in_box(west: f64, south: f64, east: f64, north: f64) -> Lent {
    let test: Test = Box::new(move |asked| {
        let is_inside =
            |place: &Place| (west..=east).contains(&place.lon) && (south..=north).contains(&place.lat);
        asked.places.iter().any(is_inside)
    });
    Lent { test, bounds: Some(Bounds { west, south, east, north }) }
}

pub(super) fn vocabularies() -> Vec<Vocabulary> {
    let of = |id: &str, kind| Vocabulary { id: id.into(), label: id.to_uppercase(), kind };
    vec![of("city", Kind::Text), of("mood", Kind::Codes), of("languages", Kind::Languages)]
}

pub(super) fn catalog() -> Catalog {
    Catalog::new(vocabularies(), Arc::new(Boxes))
}

pub(super) fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

pub(super) fn question(item: &Value) -> Question<'_> {
    Question { item, now: now(), media: TargetMedia::of_item(item), content_api: true }
}

/// As they are compared with literals.
fn texts(texts: &[Arc<str>]) -> Vec<&str> {
    texts.iter().map(|text| &**text).collect()
}

/// A catalog of these documents: (collection, id, document).
pub(super) fn catalog_of(documents: &[(Part, &str, Value)]) -> Catalog {
    let mut catalog = catalog();
    for (part, id, document) in documents {
        catalog.set(*part, id, Some(document));
    }
    catalog
}

/// Ids of those that get the item.
fn taken(answer: &Answer) -> Vec<&str> {
    answer.taken.iter().map(|taken| &*taken.subscriber).collect()
}

/// Names of all fields that are offered.
pub(super) fn fields() -> Vec<String> {
    catalog().offered().into_iter().map(|offered| offered.field).collect()
}

pub(super) fn condition(field: &str, operator: &str, value: &str) -> Value {
    json!({"name": format!("{field} {operator}"), "field": field, "operator": operator, "value": value})
}

/// A filter of statements, each (conditions, filters).
pub(super) fn filter(statements: &[(&[&str], &[&str])]) -> Value {
    let statements: Vec<Value> =
        statements.iter().map(|(fc, pf)| json!({"expression": {"fc": fc, "pf": pf}})).collect();
    json!({"name": "filter", "is_global": false, "content_filter": statements})
}

/// A product that needs the yes of a filter.
pub(super) fn permitting(filter: &str) -> Value {
    json!({"content_filter": {"filter_id": filter, "filter_type": "permitting"}})
}
