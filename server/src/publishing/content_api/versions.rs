//! Versions of an item, as the engine has kept them: each publish is a version of its document.
//!
//! A version is known by its member `version`. Of two under one number (published again, or given a place in a chain of
//! updates) the later one counts. What is canceled hides itself and all before it.

use std::collections::BTreeSet;

use dateline_engine::{CollectionId, Document, Result, Store};
use serde_json::Value;

use super::store::subscribers_of;
use crate::eve::problem::{Problem, Slug};
use crate::publishing::items;

/// Stored versions of an item, the current one among them, that are kept.
pub(crate) const VERSIONS_MAX: usize = 100;

/// One of them.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) number: String,
    pub(super) document: Document,
}

/// Newest first; for a subscriber those that it had when they were new.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn of(
    store: &Store,
    collection: CollectionId,
    id: &str,
    subscriber: Option<&str>,
) -> Result<Vec<Version>> {
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for document in store.versions(collection, id, VERSIONS_MAX)? {
        // Before it was removed it was another item.
        if document.deleted {
            break;
        }
        let item = items::view(&document)?;
        if item.get("pubstatus").and_then(Value::as_str) == Some("canceled") {
            break;
        }
        let number = number(&item);
        let is_own = subscriber.is_none_or(|asks| subscribers_of(&item).any(|own| own == asks));
        if seen.insert(number.clone()) && is_own {
            found.push(Version { number, document });
        }
    }
    Ok(found)
}

/// The number that an item has as a version.
pub(super) fn number(item: &Value) -> String {
    match item.get("version") {
        Some(Value::String(number)) => number.clone(),
        Some(Value::Null) | None => String::new(),
        Some(number) => number.to_string(),
    }
}

/// 404.
pub(super) fn none(id: &str, number: &str) -> Problem {
    Problem::new(Slug::NotFound, format!("'{id}' has no version {number}"))
}

#[cfg(test)]
mod tests {
    use dateline_engine::{CollectionOptions, Condition, DocId, Durability, Options, Transaction};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_later_of_one_number_counts_and_what_is_canceled_hides_the_rest() {
        let store = Store::memory(Options::new()).unwrap();
        let collection = store.ensure_collection("items", CollectionOptions::default()).unwrap();
        let put = |body: Value| {
            let tx = Transaction::new(Durability::Buffered);
            let tx = tx.put(collection, DocId::new("a").unwrap(), Condition::Always, body.to_string());
            store.commit(tx).unwrap();
        };
        let check = |subscriber: Option<&str>, expected: &[(&str, &str)]| {
            let found = of(&store, collection, "a", subscriber).unwrap();
            let found = found.iter().map(|version| {
                let item = items::view(&version.document).unwrap();
                (version.number.clone(), item["headline"].as_str().unwrap().to_owned())
            });
            let found: Vec<(String, String)> = found.collect();
            let expected = expected.iter().map(|(number, text)| ((*number).to_owned(), (*text).to_owned()));
            assert_eq!(found, expected.collect::<Vec<_>>(), "{subscriber:?}");
        };
        check(None, &[]);
        put(json!({"version": "1", "headline": "one", "subscribers": ["s"]}));
        put(json!({"version": "2", "headline": "two", "subscribers": ["s", "t"]}));
        put(json!({"version": "2", "headline": "two again", "subscribers": ["s", "t"]}));
        check(None, &[("2", "two again"), ("1", "one")]);
        check(Some("s"), &[("2", "two again"), ("1", "one")]);
        check(Some("t"), &[("2", "two again")]);
        put(json!({"version": "3", "headline": "gone", "pubstatus": "canceled", "subscribers": ["s", "t"]}));
        check(Some("s"), &[]);
        put(json!({"version": "4", "headline": "back", "subscribers": ["s", "t"]}));
        check(Some("s"), &[("4", "back")]);
        let delete = Transaction::new(Durability::Buffered);
        store.commit(delete.delete(collection, DocId::new("a").unwrap(), Condition::Present)).unwrap();
        put(json!({"version": "1", "headline": "anew", "subscribers": ["t"]}));
        check(None, &[("1", "anew")]);
    }
}
