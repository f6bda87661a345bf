//! The chain of updates that an item of the content API stands in.
//!
//! An update evolved from another item. The first of a chain lends all of them its id (`original_id`); each knows
//! those before it (`ancestors`, the first at the front) and which follows (`nextversion`). The bookmarks that portals
//! keep go over to the newest.

use dateline_engine::{CollectionId, Condition, DocId, Document, Result, Store, Transaction};
use serde_json::{Map, Value};

use crate::eve::{json, patch};
use crate::publishing::audience;

/// Ancestors that an item knows at the most: the nearest.
const ANCESTORS_MAX: usize = 1_000;

/// The item that another one evolved from.
pub(super) struct Parent {
    document: Document,
    body: Map<String, Value>,
}

impl Parent {
    /// The parent of `body`, if it is there and is no descendant of the item itself.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn of(
        store: &Store,
        items: CollectionId,
        own: &DocId,
        body: &Map<String, Value>,
    ) -> Result<Option<Self>> {
        let name = body.get("evolvedfrom").and_then(Value::as_str).unwrap_or_default();
        let Ok(id) = DocId::new(name) else { return Ok(None) };
        let Some(document) = store.get(items, id.as_str())? else { return Ok(None) };
        let Value::Object(body) = audience::body(&document)? else { return Ok(None) };
        let is_older = id != *own && !ancestors(&body).any(|ancestor| ancestor == own.as_str());
        Ok(is_older.then_some(Self { document, body }))
    }

    /// Says in the parent what follows it. A parent that is changed meanwhile fails the transaction, and so does one
    /// that is removed.
    pub(super) fn followed_by(
        &self,
        id: &DocId,
        items: CollectionId,
        transaction: Transaction,
    ) -> Transaction {
        let parent = self.document.id.clone();
        if self.body.get("nextversion").and_then(Value::as_str) == Some(id.as_str()) {
            return transaction.expect(items, parent, Condition::Present);
        }
        let mut body = self.body.clone();
        body.insert("nextversion".to_owned(), id.as_str().into());
        let version = patch::version(&body) + 1;
        patch::set_version(&mut body, version);
        let condition = Condition::Revision(self.document.revision());
        transaction.put(items, parent, condition, json::encode(&body))
    }
}

/// Gives an item its place in the chain; `known` is what is stored of it already. What it once knew it keeps.
pub(super) fn trace(
    body: &mut Map<String, Value>,
    own: &DocId,
    known: Option<&Map<String, Value>>,
    parent: Option<&Parent>,
) {
    let before = |name: &str| known.and_then(|known| known.get(name)).cloned();
    let original = parent.map(|parent| {
        let first = parent.body.get("original_id").and_then(Value::as_str);
        Value::from(first.unwrap_or(parent.document.id.as_str()))
    });
    let original = original.or_else(|| before("original_id")).unwrap_or_else(|| own.as_str().into());
    let line = parent.map(|parent| {
        let all: Vec<&str> = ancestors(&parent.body).chain([parent.document.id.as_str()]).collect();
        all.get(all.len().saturating_sub(ANCESTORS_MAX)..)
            .unwrap_or_default()
            .iter()
            .copied()
            .collect::<Value>()
    });
    let bookmarks = before("bookmarks").or_else(|| parent?.body.get("bookmarks").cloned());
    body.insert("original_id".to_owned(), original);
    for (name, value) in [
        ("ancestors", line.or_else(|| before("ancestors"))),
        ("bookmarks", bookmarks),
        ("nextversion", before("nextversion")),
    ] {
        body.extend(value.map(|value| (name.to_owned(), value)));
    }
}

/// Those before an item, the first at the front.
pub(super) fn ancestors(item: &Map<String, Value>) -> impl Iterator<Item = &str> {
    item.get("ancestors").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use dateline_engine::{CollectionOptions, Durability, Options};
    use serde_json::json;

    use super::*;

    struct Shelf {
        store: Store,
        items: CollectionId,
    }

    impl Shelf {
        fn read(&self, id: &str) -> Option<Map<String, Value>> {
            let document = self.store.get(self.items, id).unwrap()?;
            audience::body(&document).unwrap().as_object().cloned()
        }

        /// Stores an item with its place.
        fn publish(&self, id: &str, body: Value) -> Map<String, Value> {
            let mut body = body.as_object().cloned().unwrap();
            let (own, known) = (DocId::new(id).unwrap(), self.read(id));
            let parent = Parent::of(&self.store, self.items, &own, &body).unwrap();
            trace(&mut body, &own, known.as_ref(), parent.as_ref());
            let tx = Transaction::new(Durability::Buffered);
            let tx = parent.iter().fold(tx, |tx, parent| parent.followed_by(&own, self.items, tx));
            self.store.commit(tx.put(self.items, own, Condition::Always, json::encode(&body))).unwrap();
            body
        }
    }

    fn shelf() -> Shelf {
        let store = Store::memory(Options::new()).unwrap();
        let items = store.ensure_collection("items", CollectionOptions::default()).unwrap();
        Shelf { store, items }
    }

    #[test]
    fn updates_know_where_they_come_from() {
        let shelf = shelf();
        let a = shelf.publish("a", json!({"bookmarks": ["user"]}));
        assert_eq!(Value::Object(a), json!({"bookmarks": ["user"], "original_id": "a"}));
        let b = shelf.publish("b", json!({"evolvedfrom": "a"}));
        let expected =
            json!({"evolvedfrom": "a", "original_id": "a", "ancestors": ["a"], "bookmarks": ["user"]});
        assert_eq!(Value::Object(b), expected);
        let c = shelf.publish("c", json!({"evolvedfrom": "b"}));
        assert_eq!((&c["original_id"], &c["ancestors"]), (&json!("a"), &json!(["a", "b"])));
        let next = |id: &str| shelf.read(id).unwrap().get("nextversion").cloned();
        assert_eq!((next("a"), next("b"), next("c")), (Some(json!("b")), Some(json!("c")), None));
        assert_eq!(shelf.read("a").unwrap()["_version"], 1);
        // A correction of the one in the middle keeps its place, and writes the first no second time.
        let b = shelf.publish("b", json!({"evolvedfrom": "a", "headline": "corrected"}));
        assert_eq!((&b["nextversion"], &b["ancestors"]), (&json!("c"), &json!(["a"])));
        assert_eq!(shelf.read("a").unwrap()["_version"], 1);
    }

    #[test]
    fn what_is_not_there_or_comes_later_is_no_parent() {
        let shelf = shelf();
        for parent in ["nowhere", "a", "", "\u{7}"] {
            let a = shelf.publish("a", json!({"evolvedfrom": parent}));
            assert!(!a.contains_key("ancestors") && a["original_id"] == "a", "{parent}: {a:?}");
        }
        shelf.publish("b", json!({"evolvedfrom": "a"}));
        let a = shelf.publish("a", json!({"evolvedfrom": "b"}));
        assert!(!a.contains_key("ancestors"), "a ring: {a:?}");
    }

    #[test]
    fn the_nearest_ancestors_are_kept() {
        let shelf = shelf();
        let line: Vec<String> = (0..ANCESTORS_MAX).map(|n| n.to_string()).collect();
        let a = json!({"ancestors": line, "original_id": "0"}).to_string();
        let tx = Transaction::new(Durability::Buffered);
        let tx = tx.put(shelf.items, DocId::new("a").unwrap(), Condition::Absent, a);
        shelf.store.commit(tx).unwrap();
        let b = shelf.publish("b", json!({"evolvedfrom": "a"}));
        let line = b["ancestors"].as_array().unwrap();
        assert_eq!((line.len(), &line[0], line.last().unwrap()), (ANCESTORS_MAX, &json!("1"), &json!("a")));
        assert_eq!(b["original_id"], "0");
    }
}
