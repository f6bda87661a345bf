//! The resources every store has, defined as a client would define them.

use dateline_engine::{CollectionOptions, Error, Store};
use dateline_index::{Language, Mapping};
use serde_json::{Map, Value, json};

use crate::publishing::collections;
use crate::resources::definition::options;
use crate::{ingest, internal};

/// Name and definition of each, in the order in which a new store gets them.
fn definitions() -> Vec<(&'static str, Value)> {
    let mut all = own();
    all.extend(collections::definitions());
    all.extend(ingest::collections::definitions());
    all.extend(internal::collections::definitions());
    all
}

fn own() -> Vec<(&'static str, Value)> {
    vec![
        ("users", users()),
        (
            "ads",
            json!({
                "search": true, "geo": ["location"], "indexes": [["category"], ["price"]],
                "schema": {
                    "title": {"type": "string", "required": true, "maxlength": 1000},
                    "text": {"type": "string"},
                    "category": {"type": "string"},
                    "price": {"type": "number"},
                    "currency": {"type": "string"},
                    "location": {"type": "dict"},
                    "coords": {"type": "list"},
                    "expires": {"type": "datetime", "nullable": true},
                    "active": {"type": "boolean", "default": true},
                    "media": {"type": "list", "nullable": true},
                    "tags": {"type": "list", "schema": {"type": "string"}},
                    "user": {"type": "string", "nullable": true},
                },
            }),
        ),
        (
            "adlists",
            json!({
                "strict": true, "indexes": [["device"], ["user"]],
                "schema": {
                    "name": {"type": "string", "maxlength": 1000},
                    "device": {"type": "string", "nullable": true},
                    "user": {"type": "string", "nullable": true},
                    "area": {"type": "dict", "required": true},
                    "category": {"type": ["string", "list"], "nullable": true},
                    "price_min": {"type": "number", "nullable": true},
                    "price_max": {"type": "number", "nullable": true},
                    "q": {"type": "string", "nullable": true},
                    "active": {"type": "boolean", "default": true},
                    "expires": {"type": "datetime", "nullable": true},
                },
            }),
        ),
        (
            "fences",
            json!({
                "strict": true,
                "schema": {
                    "name": {"type": "string", "maxlength": 1000},
                    "geometry": {"type": "dict"},
                    "circle": {"type": "dict"},
                    "sector": {"type": "dict"},
                    "roam": {"type": "dict"},
                    "buffer_m": {"type": "number"},
                    "detect": {"type": "list", "schema": {"type": "string"}},
                    "dwell_s": {"type": "number"},
                    "exit_dwell_s": {"type": "number"},
                    "interval_s": {"type": "number"},
                    "hysteresis_m": {"type": "number"},
                    "max_accuracy_m": {"type": "number"},
                    "altitude_min_m": {"type": "number"},
                    "altitude_max_m": {"type": "number"},
                    "schedule": {"type": "dict"},
                    "where": {"type": "dict"},
                    "initial": {"type": "boolean"},
                    "group": {"type": "string"},
                    "expires": {"type": "datetime", "nullable": true},
                    "meta": {"type": "dict"},
                },
            }),
        ),
        (
            "devices",
            json!({
                "indexes": [["user"]],
                "schema": {
                    "name": {"type": "string"},
                    "user": {"type": "string", "nullable": true},
                    "fields": {"type": "dict"},
                },
            }),
        ),
        ("matches", json!({"indexes": [["adlist"], ["user"]]})),
        ("fence_events", json!({"indexes": [["device"]]})),
        ("activity", json!({})),
        ("collections", json!({})),
        (
            "blobs",
            json!({"indexes": [["user"], ["sha256"]], "schema": {"user": {"type": "string", "nullable": true}}}),
        ),
        ("uploads", json!({"schema": {"user": {"type": "string", "nullable": true}}})),
        ("blob_manifests", json!({})),
        ("media", json!({})),
        ("media_references", json!({"indexes": [["media_id"], ["item_id"]]})),
        ("media_secrets", json!({})),
        ("upload", json!({"indexes": [["user"]], "schema": {"user": {"type": "string", "nullable": true}}})),
        (
            "schedules",
            json!({
                "strict": true, "versions": {"keep": 20},
                "schema": {
                    "name": {"type": "string", "required": true},
                    "cron": {"type": "string", "required": true, "maxlength": 200},
                    "time_zone": {"type": "string", "default": "UTC", "maxlength": 100},
                    "lane": {"type": "string", "required": true},
                    "payload": {"nullable": true},
                    "group": {"type": "string", "nullable": true},
                    "jitter_s": {"type": "number", "min": 0, "max": 86_400},
                    "overlap": {"type": "string", "allowed": ["skip", "queue"], "default": "skip"},
                    "catch_up": {"type": "string", "allowed": ["none", "last", "all"], "default": "last"},
                    "paused": {"type": "boolean", "default": false},
                    "until": {"type": "datetime", "nullable": true},
                    // Where it stands; what a client sends here is passed over.
                    "next_at": {"nullable": true}, "next": {}, "last_at": {"nullable": true},
                },
            }),
        ),
    ]
}

/// What a user document may hold; the password is taken out before anything is stored.
fn users() -> Value {
    json!({
        "strict": true,
        "schema": {
            "username": {"type": "string", "required": true, "minlength": 1, "maxlength": 100},
            "password": {"type": "string", "minlength": 5, "maxlength": 1000},
            "user_type": {"type": "string", "allowed": ["administrator", "user", "external"], "default": "user"},
            "email": {"type": "string", "nullable": true},
            "first_name": {"type": "string", "nullable": true},
            "last_name": {"type": "string", "nullable": true},
            "display_name": {"type": "string", "nullable": true},
            "role": {"type": "string", "nullable": true},
            "privileges": {"type": "dict"},
            "is_active": {"type": "boolean", "default": true},
            "is_enabled": {"type": "boolean", "default": true},
            "needs_activation": {"type": "boolean"},
        },
    })
}

/// The definition of a built-in resource.
pub(crate) fn definition(name: &str) -> Option<Map<String, Value>> {
    let (_, definition) = definitions().into_iter().find(|(known, _)| *known == name)?;
    match definition {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

/// Whether a name belongs to the server.
pub(crate) fn is_builtin(name: &str) -> bool {
    definitions().iter().any(|(known, _)| *known == name)
}

/// Defines what a store does not have yet, and adds what an older program has not declared; such indexes are built in
/// the background.
///
/// # Errors
/// When the engine refuses a definition or cannot write.
pub(crate) fn install(store: &Store) -> Result<(), Error> {
    for (name, _) in definitions() {
        let definition = definition(name).unwrap_or_default();
        let options = options(&definition)
            .map_err(|issues| Error::internal(format!("built-in resource {name}: {issues:?}")))?;
        match store.catalog().by_name(name) {
            None => drop(store.ensure_collection(name, options)?),
            Some(known) => {
                if let Some(options) = completed(&known.options, options) {
                    store.alter(known.id, options)?;
                }
            }
        }
    }
    Ok(())
}

/// What is declared with what is wanted; `None` when nothing is missing. What other parts of the server declared stays.
fn completed(declared: &CollectionOptions, wanted: CollectionOptions) -> Option<CollectionOptions> {
    let mut whole = declared.clone();
    whole.keep = wanted.keep;
    for (have, wanted) in [(&mut whole.unique, wanted.unique), (&mut whole.indexes, wanted.indexes)] {
        for spec in wanted {
            if !have.contains(&spec) {
                have.push(spec);
            }
        }
    }
    (whole != *declared).then_some(CollectionOptions { definition: wanted.definition, ..whole })
}

/// Built-in resources that are searched, and how.
pub(crate) fn searched() -> Vec<(String, Mapping)> {
    let english = Language::from_code("en").unwrap_or(Language::NONE);
    let searched = definitions().into_iter().filter(|(_, definition)| definition.get("search").is_some());
    let mapping = |name: &str| match name {
        // A search text must not tell what a subscriber is not shown.
        "items" => Mapping::declared(english, collections::items_searched(english)),
        _ => Mapping::derived(english),
    };
    searched.map(|(name, _)| (name.to_owned(), mapping(name))).collect()
}

#[cfg(test)]
mod tests {
    use dateline_engine::{Keep, Options};

    use super::*;

    #[test]
    fn what_an_older_program_defined_is_completed_once() {
        let store = Store::memory(Options::new()).unwrap();
        let own = CollectionOptions { indexes: vec!["role".into()], ..CollectionOptions::default() };
        store.ensure_collection("users", own.clone()).unwrap();
        let older = CollectionOptions { indexes: vec!["type".into()], ..CollectionOptions::default() };
        store.ensure_collection("items", older).unwrap();
        install(&store).unwrap();
        let options = |name: &str| store.catalog().by_name(name).unwrap().options.clone();
        let wanted = super::options(&definition("items").unwrap()).unwrap();
        assert_eq!(options("users"), own);
        assert!(wanted.indexes.iter().all(|spec| options("items").indexes.contains(spec)));
        assert_eq!((options("items").keep, options("items").definition), (wanted.keep, wanted.definition));
        assert_ne!(wanted.keep, Keep::default());
        assert!(store.build_indexes().unwrap());
        assert!(store.lookup(store.catalog().by_name("items").unwrap().id, "original_id", &[]).is_ok());
        let before = store.watermark().applied();
        install(&store).unwrap();
        assert_eq!(store.watermark().applied(), before);
    }
}
