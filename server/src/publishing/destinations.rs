//! Destinations of a subscriber: each has an id of its own, and its secrets stand elsewhere.
//!
//! Secrets of a destination are in the document of `subscriber_secrets` that has the subscriber's id, as
//! `{destination: {key: value}}`. They are put there in the commit that stores the subscriber, and no route, list, stream
//! or version reads them out. A client that sends a destination back without them keeps them, because it is known by its
//! `_id`, or by its name; one that sends null takes them away.

use std::collections::BTreeSet;

use dateline_engine::{CollectionId, Condition, DocId, Millis, Result, Store, Transaction};
use dateline_transmit::SECRET_SETTINGS;
use serde_json::{Map, Value};

use crate::ids;
use crate::resources::rules::Effect;

/// Gives each destination of a subscriber about to be stored its id, and takes its secrets out.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn settle(
    store: &Store,
    secrets: CollectionId,
    subscriber: &DocId,
    stored: Option<&Map<String, Value>>,
    body: &mut Map<String, Value>,
) -> Result<Option<Effect>> {
    let kept = read(store, secrets, subscriber.as_str())?;
    let all = settled(&kept, stored, body, store.now())?;
    if all == kept {
        return Ok(None);
    }
    let (id, text) = (subscriber.clone(), Value::Object(all).to_string());
    let put = move |transaction: Transaction| transaction.put(secrets, id, Condition::Always, text);
    Ok(Some(Effect::Also(Box::new(put))))
}

/// The secrets of all destinations of the body, which has none any more.
fn settled(
    kept: &Map<String, Value>,
    stored: Option<&Map<String, Value>>,
    body: &mut Map<String, Value>,
    now: Millis,
) -> Result<Map<String, Value>> {
    let mut all = Map::new();
    let Some(destinations) = body.get_mut("destinations").and_then(Value::as_array_mut) else {
        return Ok(all);
    };
    let known = stored.and_then(|stored| stored.get("destinations")).and_then(Value::as_array);
    let known = known.map_or(&[][..], Vec::as_slice);
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for destination in destinations.iter_mut().filter_map(Value::as_object_mut) {
        let id = id_of(destination, known, &taken, now)?;
        destination.shift_remove("_id");
        let mut named = Map::new();
        named.insert("_id".to_owned(), id.as_str().into());
        named.append(destination);
        *destination = named;
        let mut own = kept.get(&id).and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(config) = destination.get_mut("config").and_then(Value::as_object_mut) {
            for secret in SECRET_SETTINGS {
                match config.shift_remove(secret) {
                    None => {}
                    Some(Value::Null) => drop(own.shift_remove(secret)),
                    Some(value) => drop(own.insert(secret.to_owned(), value)),
                }
            }
        }
        if !own.is_empty() {
            all.insert(id.clone(), Value::Object(own));
        }
        taken.insert(id);
    }
    Ok(all)
}

/// Its own id; else that of a stored destination of the same name; else a new one.
fn id_of(
    destination: &Map<String, Value>,
    known: &[Value],
    taken: &BTreeSet<String>,
    now: Millis,
) -> Result<String> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let free = |id: &String| !taken.contains(id);
    if let Some(id) = destination.get("_id").and_then(text).filter(free) {
        return Ok(id);
    }
    let same = |other: &&Value| other.get("name") == destination.get("name");
    let stored = known.iter().filter(same).filter_map(|other| other.get("_id").and_then(text)).find(free);
    match stored {
        Some(id) => Ok(id),
        None => Ok(ids::new_id(now)?.as_str().to_owned()),
    }
}

/// The secrets of all destinations of a subscriber.
fn read(store: &Store, secrets: CollectionId, subscriber: &str) -> Result<Map<String, Value>> {
    let Some(document) = store.get(secrets, subscriber)? else { return Ok(Map::new()) };
    match super::audience::body(&document)? {
        Value::Object(all) => Ok(all),
        _ => Ok(Map::new()),
    }
}

/// The whole configuration of a destination, for the one who sends.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn with_secrets(
    store: &Store,
    secrets: CollectionId,
    subscriber: &str,
    destination: &Value,
) -> Result<Map<String, Value>> {
    let mut config = destination.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
    let Some(id) = destination.get("_id").and_then(Value::as_str) else { return Ok(config) };
    if let Some(Value::Object(own)) = read(store, secrets, subscriber)?.shift_remove(id) {
        config.extend(own);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Millis = Millis::new(1_000);

    fn of(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn subscriber(destination: Value) -> Map<String, Value> {
        of(json!({"destinations": [destination]}))
    }

    #[test]
    fn every_secret_is_taken_out() {
        for secret in SECRET_SETTINGS {
            let config = json!({"host": "h", secret: "hidden"});
            let mut body = subscriber(json!({"_id": "d", "name": "n", "config": config}));
            let all = settled(&Map::new(), None, &mut body, NOW).unwrap();
            assert_eq!(Value::Object(all), json!({"d": {secret: "hidden"}}));
            assert_eq!(body, subscriber(json!({"_id": "d", "name": "n", "config": {"host": "h"}})));
        }
    }
}
