//! Documents and their declared indexes: a value finds exactly the documents that have it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use dateline_engine::{
    Collection, DocId, Document, ErrorKind, Result, Seq, Snapshot, Store, limits::INDEX_VALUE_BYTES_MAX,
};
use serde_json::Value;

use super::{Part, Watch};

/// Compares every declared index with the documents of the snapshot.
pub(super) fn check(store: &Store, snapshot: &Snapshot<'_>, watch: Watch<'_>) -> Result<Part> {
    let mut part = Part::new("lookups");
    let upto = snapshot.tail().seq;
    let catalog = store.catalog();
    let declared: u64 =
        catalog.iter().map(|c| (c.options.unique.len() + c.options.indexes.len()) as u64).sum();
    let mut done = 0;
    for collection in catalog.iter() {
        for fields in collection.options.unique.iter().chain(&collection.options.indexes) {
            watch("lookups", done, declared);
            let holders = holders(snapshot, collection, fields)?;
            let index = Index { store, collection, name: fields.join(","), upto };
            for (values, expected) in holders.into_values() {
                index.compare(&values, &expected, &mut part)?;
            }
            done += 1;
        }
    }
    Ok(part)
}

/// Who has which values, by the values' text.
type Holders = BTreeMap<String, (Vec<Value>, BTreeSet<DocId>)>;

fn holders(snapshot: &Snapshot<'_>, collection: &Collection, fields: &[String]) -> Result<Holders> {
    let mut holders = Holders::new();
    snapshot.scan(collection.id, None, false, |document: Document| {
        // A body that is no JSON is told where log and documents are compared.
        let body: Value = serde_json::from_slice(&document.body).unwrap_or_default();
        for values in rows(&body, fields) {
            let key = Value::Array(values.iter().map(canonical).collect()).to_string();
            let entry = holders.entry(key).or_insert_with(|| (values, BTreeSet::new()));
            entry.1.insert(document.id.clone());
        }
        ControlFlow::Continue(())
    })?;
    Ok(holders)
}

/// Every combination of values a document has in these fields; a list counts with each of its elements.
fn rows(body: &Value, fields: &[String]) -> Vec<Vec<Value>> {
    let columns: Vec<Vec<Value>> = fields.iter().map(|field| values_at(body, field)).collect();
    if columns.iter().all(Vec::is_empty) {
        return Vec::new();
    }
    columns.into_iter().fold(vec![Vec::new()], |rows, mut column| {
        if column.is_empty() {
            column.push(Value::Null);
        }
        let extended = |row: &Vec<Value>| -> Vec<Vec<Value>> {
            column.iter().map(|value| row.iter().chain([value]).cloned().collect()).collect()
        };
        rows.iter().flat_map(extended).collect()
    })
}

fn values_at(body: &Value, path: &str) -> Vec<Value> {
    let mut at = vec![body];
    for name in path.split('.') {
        let inner = |value: &'_ Value| match value {
            Value::Array(items) => items.iter().filter_map(|item| item.get(name)).count(),
            _ => 0,
        };
        at = at
            .into_iter()
            .flat_map(|value| match value {
                Value::Array(items) if inner(value) > 0 => {
                    items.iter().filter_map(|item| item.get(name)).collect::<Vec<_>>()
                }
                other => other.get(name).into_iter().collect(),
            })
            .collect();
    }
    let elements = at.into_iter().flat_map(|value| match value {
        Value::Array(items) => items.iter().collect::<Vec<_>>(),
        other => vec![other],
    });
    let is_indexed = |value: &&Value| match value {
        Value::String(text) => text.len() <= INDEX_VALUE_BYTES_MAX,
        Value::Array(_) | Value::Object(_) => false,
        _ => true,
    };
    elements.filter(is_indexed).cloned().collect()
}

/// Equal numbers are one value however they are written.
fn canonical(value: &Value) -> Value {
    match value.as_f64() {
        // Whole numbers of this size are exact as a fraction too.
        Some(number) if number.abs() < 9e15 => Value::from(number + 0.0),
        _ => value.clone(),
    }
}

struct Index<'a> {
    store: &'a Store,
    collection: &'a Collection,
    name: String,
    upto: Seq,
}

impl Index<'_> {
    fn compare(&self, values: &[Value], expected: &BTreeSet<DocId>, part: &mut Part) -> Result<()> {
        part.checked(expected.len() as u64);
        let found = match self.store.lookup(self.collection.id, &self.name, values) {
            Ok(found) => found.into_iter().collect::<BTreeSet<_>>(),
            // Values no index holds, such as numbers out of its range.
            Err(error) if error.kind() == ErrorKind::Invalid => return Ok(()),
            Err(error) => return Err(error),
        };
        let place = || format!("{}.{} = {}", self.collection.name, self.name, Value::from(values.to_vec()));
        for id in expected.difference(&found) {
            if !self.has_changed(id)? {
                part.differ("look-up", place(), id, "nothing");
            }
        }
        for id in found.difference(expected) {
            let head = self.store.head(self.collection.id, id.as_str())?;
            // The entry of a document that has ended stays until the end is written down.
            let explains = head.is_some_and(|head| head.seq > self.upto || (!head.deleted && head.expires.is_some()));
            if !explains {
                part.differ("look-up", place(), "nothing", id);
            }
        }
        Ok(())
    }

    /// Whether it was written after the snapshot.
    fn has_changed(&self, id: &DocId) -> Result<bool> {
        Ok(self.store.head(self.collection.id, id.as_str())?.is_none_or(|head| head.seq > self.upto))
    }
}

#[cfg(test)]
mod tests {
    use dateline_engine::{CollectionOptions, Condition, Durability, Options, Transaction};
    use serde_json::json;

    use super::*;

    #[test]
    fn every_declared_index_agrees() {
        let store = Store::memory(Options::new()).unwrap();
        let sets = |sets: &[&[&str]]| {
            sets.iter().map(|set| set.iter().map(|&field| field.to_owned()).collect()).collect()
        };
        let options = CollectionOptions {
            definition: "{}".into(),
            unique: sets(&[&["plate"]]),
            indexes: sets(&[&["tags"], &["brand", "price"], &["owner.name"], &["parts.size"]]),
        };
        let cars = store.ensure_collection("cars", options).unwrap();
        let bodies = [
            json!({"plate": 1, "tags": ["a", "b", "a"], "brand": "saab", "price": 1.0}),
            json!({"plate": 2.5, "tags": [], "brand": "saab", "price": 1, "owner": {"name": "x"}}),
            json!({"plate": null, "tags": "a", "price": 7, "parts": [{"size": 1}, {"size": "L"}, {}]}),
            json!({"plate": "x".repeat(2000), "tags": [{"no": 1}, true, null], "brand": ["a", "b"], "price": [1, 2]}),
            json!({}),
        ];
        for (place, body) in bodies.iter().enumerate() {
            let id = DocId::new(format!("d{place}")).unwrap();
            let tx = Transaction::new(Durability::Buffered);
            store.commit(tx.put(cars, id, Condition::Absent, body.to_string())).unwrap();
        }
        let snapshot = store.snapshot().unwrap();
        let part = check(&store, &snapshot, &mut |_, _, _| {}).unwrap();
        assert_eq!(part.words(), Vec::<String>::new());
        assert!(part.count() >= 15, "{part:?}");
    }

    #[test]
    fn a_look_up_that_finds_too_little_or_too_much_is_told() {
        let store = Store::memory(Options::new()).unwrap();
        let options = CollectionOptions { indexes: vec![vec!["brand".into()]], ..CollectionOptions::default() };
        let cars = store.ensure_collection("cars", options).unwrap();
        let id = DocId::new("d").unwrap();
        let tx = Transaction::new(Durability::Sync).put(cars, id.clone(), Condition::Absent, r#"{"brand":"saab"}"#);
        let upto = store.commit(tx).unwrap().tail.seq;
        let catalog = store.catalog();
        let collection = catalog.by_id(cars).unwrap();
        let index = Index { store: &store, collection, name: "brand".into(), upto };
        let mut part = Part::new("lookups");
        index.compare(&[json!("saab")], &BTreeSet::new(), &mut part).unwrap();
        index.compare(&[json!("volvo")], &BTreeSet::from([id]), &mut part).unwrap();
        let expected = [
            "look-up cars.brand = [\"saab\"]: expected nothing, found d",
            "look-up cars.brand = [\"volvo\"]: expected d, found nothing",
        ];
        assert_eq!(part.words(), expected);
    }
}
