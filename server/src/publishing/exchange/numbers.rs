//! The sequence numbers of subscribers: dense, within their bounds, moved in the commit that uses them.
//!
//! A document of `sequences` per subscriber holds the last number that was given. The first is `min`, and after `max`
//! comes `min` again.

use std::collections::BTreeMap;

use dateline_engine::{CollectionId, Condition, DocId, Result, Store, Transaction};
use serde_json::{Value, json};

use crate::publishing::audience::body;

const MIN: u64 = 1;
const MAX: u64 = 9_999;

/// Numbers on their way.
pub(crate) struct Numbers<'a> {
    store: &'a Store,
    sequences: CollectionId,
    taken: BTreeMap<String, Taken>,
}

struct Taken {
    last: Option<u64>,
    condition: Condition,
    version: u64,
}

impl<'a> Numbers<'a> {
    pub(crate) fn new(store: &'a Store, sequences: CollectionId) -> Self {
        Self { store, sequences, taken: BTreeMap::new() }
    }

    /// The next number of a subscriber.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn next(&mut self, subscriber: &str, document: &Value) -> Result<u64> {
        if !self.taken.contains_key(subscriber) {
            let taken = self.read(subscriber)?;
            self.taken.insert(subscriber.to_owned(), taken);
        }
        let settings = document.get("sequence_num_settings");
        let bound = |key: &str, usual| settings.and_then(|own| own.get(key)?.as_u64()).unwrap_or(usual);
        let (min, max) = (bound("min", MIN), bound("max", MAX));
        let Some(taken) = self.taken.get_mut(subscriber) else { return Ok(min) };
        let next = after(taken.last, min, max);
        taken.last = Some(next);
        Ok(next)
    }

    fn read(&self, subscriber: &str) -> Result<Taken> {
        let found = self.store.get(self.sequences, &key(subscriber))?;
        let Some(document) = found else {
            return Ok(Taken { last: None, condition: Condition::Absent, version: 0 });
        };
        let stored = body(&document)?;
        let number = |name: &str| stored.get(name).and_then(Value::as_u64);
        let condition = Condition::Revision(document.revision());
        Ok(Taken { last: number("sequence_number"), condition, version: number("_version").unwrap_or(0) })
    }

    /// Adds the move of one subscriber's number to the transaction that uses it.
    ///
    /// # Errors
    /// When the id of the subscriber is too long for a name.
    pub(crate) fn put(&self, transaction: Transaction, subscriber: &str) -> Result<Transaction> {
        let Some(Taken { last: Some(last), condition, version }) = self.taken.get(subscriber) else {
            return Ok(transaction);
        };
        let text = json!({"sequence_number": last, "_version": version + 1}).to_string();
        Ok(transaction.put(self.sequences, DocId::new(key(subscriber))?, *condition, text))
    }
}

fn after(last: Option<u64>, min: u64, max: u64) -> u64 {
    match last {
        Some(last) if (min..max).contains(&last) => last + 1,
        _ => min,
    }
}

/// Ids are as long as names may be, so what is put before them is short.
fn key(subscriber: &str) -> String {
    match subscriber.len() {
        ..=190 => format!("sub:{subscriber}"),
        _ => super::rows::hashed(&["sub", subscriber]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_round_within_their_bounds() {
        let check = |last, min, max, next| assert_eq!(after(last, min, max), next, "{last:?} {min} {max}");
        check(None, 1, 9_999, 1);
        check(None, 100, 200, 100);
        check(Some(1), 1, 9_999, 2);
        check(Some(9_999), 1, 9_999, 1);
        check(Some(200), 100, 200, 100);
        // The bounds were changed meanwhile.
        check(Some(7), 100, 200, 100);
        check(Some(500), 100, 200, 100);
        check(Some(u64::MAX), 1, u64::MAX, 1);
    }
}
