//! `api_audit`: which subscriber was shown which items, when, and at what address.
//!
//! An entry is handed to the writer before the answer goes out, and nobody waits for it: it survives a crash of the
//! program once it is written, milliseconds later, and may be lost in a power cut. A subscriber is never refused for
//! the sake of the log: an entry that cannot be written is missed, counted (`content_api_unlogged`) and told in the
//! server's own log.

use dateline_engine::{Condition, Durability, Error, Millis, Result, Transaction};
use prometheus_client::metrics::counter::Counter;
use serde_json::{Map, Value, json};

use super::access::Visit;
use crate::app::App;
use crate::eve::json as text;
use crate::ids;

/// Items in one entry; those of a longer list are several entries of the same access.
const ITEMS_MAX: usize = 200;
/// Bytes of an address that are kept.
const URI_BYTES_MAX: usize = 2_000;

/// What a subscriber was shown.
pub(super) struct Seen<'a> {
    /// `items`, `packages`, `search` or `assets`.
    pub(super) kind: &'static str,
    pub(super) items: &'a [String],
    /// Of a single item.
    pub(super) version: Option<&'a str>,
}

/// Writes an access down.
pub(super) fn record(app: &App, visit: &Visit, seen: &Seen<'_>) {
    let missed = app.metrics().content_api_unlogged.clone();
    match entries(app, visit, seen) {
        Ok(transaction) => app.store().submit(transaction, move |done| {
            if let Err(error) = done {
                miss(&missed, &error);
            }
        }),
        Err(error) => miss(&missed, &error),
    }
}

/// Told the first time, and from then on ever more rarely.
fn miss(missed: &Counter, error: &Error) {
    let count = missed.inc() + 1;
    if count.is_power_of_two() {
        tracing::warn!(%error, missed = count, "an access to the content API is not in its log");
    }
}

fn entries(app: &App, visit: &Visit, seen: &Seen<'_>) -> Result<Transaction> {
    let (publishing, now) = (app.publishing(), app.store().now());
    let collection = publishing.collections().audit;
    let kept = publishing.settings().audit_expiry;
    let end = kept.map(|kept| {
        let kept_ms = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
        Millis::new(now.get().saturating_add(kept_ms))
    });
    let mut transaction = Transaction::new(Durability::Buffered);
    for items in parts(seen.items) {
        let (id, body) = (ids::new_id(now)?, text::encode(&body(visit, seen, items)));
        transaction = match end {
            Some(end) => transaction.put_until(collection, id, Condition::Absent, body, end),
            None => transaction.put(collection, id, Condition::Absent, body),
        };
    }
    Ok(transaction)
}

/// Of a list that shows nothing too there is one.
fn parts(items: &[String]) -> impl Iterator<Item = &[String]> {
    let none = items.is_empty().then_some(items);
    none.into_iter().chain(items.chunks(ITEMS_MAX))
}

fn body(visit: &Visit, seen: &Seen<'_>, items: &[String]) -> Map<String, Value> {
    let uri = visit.uri.get(..visit.uri.floor_char_boundary(URI_BYTES_MAX)).unwrap_or_default();
    let body = json!({
        "type": seen.kind, "uri": uri, "subscriber": visit.subscriber, "items_id": items, "version": seen.version,
        "remote_addr": visit.address.to_string(), "_version": 1,
    });
    match body {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_several_entries() {
        let lengths = |count: usize| {
            let items: Vec<String> = (0..count).map(|n| n.to_string()).collect();
            parts(&items).map(<[String]>::len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(0), [0]);
        assert_eq!(lengths(200), [200]);
        assert_eq!(lengths(500), [200, 200, 100]);
    }
}
