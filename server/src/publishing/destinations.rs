//! Destinations of a subscriber: each has an id of its own, and its secrets stand elsewhere.
//!
//! Secrets of a destination are in the document of `subscriber_secrets` that has the subscriber's id, as
//! `{destination: {key: value}}`. They are put there in the commit that stores the subscriber, and no route, list, stream
//! or version reads them out. A client that sends a destination back without them keeps them, because it is known by its
//! `_id`, or by its name; one that sends null takes them away. They belong to the address too: a destination that is given
//! another one has to be given its secrets anew, and a row for another one is sent without them.

use std::collections::BTreeSet;

use dateline_engine::{CollectionId, Condition, DocId, Millis, Result, Store, Transaction};
use dateline_transmit::SECRET_SETTINGS;
use serde_json::{Map, Value};

use crate::ids;
use crate::resources::rules::Effect;
use crate::secrets;

/// Members of a destination's `config` that say, with its `delivery_type`, where it is.
const ADDRESS: [&str; 7] =
    ["host", "port", "resource_url", "assets_url", "queue_name", "endpoint_url", "connection"];

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
        let before = with_id(known, &id).and_then(Value::as_object);
        let stays = before.is_some_and(|before| is_same_address(before, destination));
        let own = kept.get(&id).and_then(Value::as_object).filter(|_| stays);
        let mut own = own.cloned().unwrap_or_default();
        if let Some(config) = destination.get_mut("config").and_then(Value::as_object_mut) {
            secrets::take(config, SECRET_SETTINGS, &mut own);
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

/// The destination of this id.
fn with_id<'a>(destinations: &'a [Value], id: &str) -> Option<&'a Value> {
    destinations.iter().find(|own| own.get("_id").and_then(Value::as_str) == Some(id))
}

fn is_same_address(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    secrets::is_same_address("delivery_type", &ADDRESS, one, other)
}

/// The destination of a subscriber that another one names, by its id or, without one, by its name.
pub(super) fn named<'a>(subscriber: &'a Value, asked: &Value) -> Option<&'a Value> {
    let all = subscriber.get("destinations").and_then(Value::as_array)?;
    match asked.get("_id").filter(|id| !id.is_null()) {
        Some(id) => with_id(all, id.as_str()?),
        None => {
            let name = asked.get("name")?.as_str()?;
            all.iter().find(|own| own.get("name").and_then(Value::as_str) == Some(name))
        }
    }
}

/// The whole configuration of a destination, for the one who sends; without secrets when the subscriber, as it is stored
/// now, has it at another address or not at all.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn with_secrets(
    store: &Store,
    secrets: CollectionId,
    subscriber: &Value,
    destination: &Value,
) -> Result<Map<String, Value>> {
    let id = subscriber.get("_id").and_then(Value::as_str).unwrap_or_default();
    Ok(merged(&read(store, secrets, id)?, subscriber, destination))
}

fn merged(kept: &Map<String, Value>, subscriber: &Value, destination: &Value) -> Map<String, Value> {
    let mut config = destination.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
    let Some(id) = destination.get("_id").and_then(Value::as_str) else { return config };
    let stored = named(subscriber, destination).and_then(Value::as_object);
    let is_there =
        stored.zip(destination.as_object()).is_some_and(|(one, other)| is_same_address(one, other));
    if let (true, Some(own)) = (is_there, kept.get(id).and_then(Value::as_object)) {
        config.extend(own.clone());
    }
    config
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

    #[test]
    fn secrets_stay_with_the_address() {
        let kept = of(json!({"d": {"password": "hidden"}}));
        let before = json!({
            "_id": "d", "name": "n", "delivery_type": "ftp", "config": {"host": "h", "port": 21, "path": "a"},
        });
        let stored = subscriber(before.clone());
        let check = |change: &dyn Fn(&mut Value), stays: bool| {
            let mut changed = before.clone();
            change(&mut changed);
            let all = settled(&kept, Some(&stored), &mut subscriber(changed.clone()), NOW).unwrap();
            assert_eq!(all.contains_key("d"), stays, "saved: {changed}");
            let own = json!({"_id": "s", "destinations": [before]});
            let config = merged(&kept, &own, &changed);
            assert_eq!(config.contains_key("password"), stays, "sent: {changed}");
        };
        check(&|_| {}, true);
        check(&|own| own["config"]["path"] = json!("b"), true);
        check(&|own| own["config"]["port"] = json!("21"), true);
        check(&|own| own["delivery_type"] = json!("http_push"), false);
        check(&|own| own["config"] = Value::Null, false);
        for name in ADDRESS {
            check(&|own| own["config"][name] = json!("elsewhere"), false);
        }
        let mut moved = before.clone();
        moved["config"] = json!({"host": "elsewhere", "password": "new"});
        let all = settled(&kept, Some(&stored), &mut subscriber(moved), NOW).unwrap();
        assert_eq!(Value::Object(all), json!({"d": {"password": "new"}}));
    }

    #[test]
    fn secrets_go_with_their_destination() {
        let kept = of(json!({"d": {"password": "hidden"}}));
        let stored = subscriber(json!({"_id": "d", "name": "n"}));
        for body in [json!({"destinations": null}), json!({"destinations": []}), json!({})] {
            assert!(settled(&kept, Some(&stored), &mut of(body), NOW).unwrap().is_empty());
        }
        let gone = json!({"_id": "s", "destinations": null});
        assert!(merged(&kept, &gone, &json!({"_id": "d", "name": "n"})).is_empty());
    }

    #[test]
    fn a_destination_is_named_by_its_id_or_else_by_its_name() {
        let subscriber = json!({"destinations": [{"_id": "d", "name": "n", "config": {"host": "h"}}]});
        let check = |asked: Value, known: bool| {
            assert_eq!(
                named(&subscriber, &asked),
                known.then_some(&subscriber["destinations"][0]),
                "{asked}"
            );
        };
        check(json!({"_id": "d", "config": {"host": "elsewhere"}}), true);
        check(json!({"name": "n"}), true);
        check(json!({"_id": "e", "name": "n"}), false);
        check(json!({"_id": 1, "name": "n"}), false);
        check(json!({}), false);
        check(Value::Null, false);
    }
}
