//! Secrets of providers stand elsewhere than the providers, as those of destinations do.
//!
//! They are in the document of `ingest_secrets` that has the provider's id, put there in the commit that stores the
//! provider, and no route, list, stream or version reads them out. A provider that is sent back without them keeps them;
//! null takes one away. They belong to the address: a provider that is given another one has to be given its secrets anew.

use dateline_engine::{CollectionId, Condition, DocId, Result, Store, Transaction};
use dateline_transmit::SECRET_SETTINGS;
use serde_json::{Map, Value};

use crate::resources::rules::Effect;
use crate::secrets;

/// Members of a provider's `config` that say, with its `feeding_service`, where it is.
const ADDRESS: [&str; 4] = ["url", "host", "port", "server"];

/// Settings that are secret.
fn names() -> impl Iterator<Item = &'static str> {
    SECRET_SETTINGS.into_iter().chain(["token", "api_key"])
}

/// Takes the secrets out of a provider about to be stored.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn settle(
    store: &Store,
    secrets: CollectionId,
    provider: &DocId,
    stored: Option<&Map<String, Value>>,
    body: &mut Map<String, Value>,
) -> Result<Option<Effect>> {
    let kept = super::object(store, secrets, provider.as_str())?.unwrap_or_default();
    let own = settled(&kept, stored, body);
    if own == kept {
        return Ok(None);
    }
    let (id, text) = (provider.clone(), Value::Object(own).to_string());
    let put = move |transaction: Transaction| transaction.put(secrets, id, Condition::Always, text);
    Ok(Some(Effect::Also(Box::new(put))))
}

/// The secrets of the body, which has none any more.
fn settled(
    kept: &Map<String, Value>,
    stored: Option<&Map<String, Value>>,
    body: &mut Map<String, Value>,
) -> Map<String, Value> {
    let stays =
        stored.is_some_and(|stored| secrets::is_same_address("feeding_service", &ADDRESS, stored, body));
    let mut own = if stays { kept.clone() } else { Map::new() };
    if let Some(config) = body.get_mut("config").and_then(Value::as_object_mut) {
        secrets::take(config, names(), &mut own);
    }
    own
}

/// The whole configuration of a provider, for the one who asks it.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn with_secrets(
    store: &Store,
    secrets: CollectionId,
    provider: &str,
    config: &Map<String, Value>,
) -> Result<Map<String, Value>> {
    let mut config = config.clone();
    config.extend(super::object(store, secrets, provider)?.unwrap_or_default());
    Ok(config)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn every_secret_is_taken_out_and_stays_with_its_address() {
        let before = of(json!({"feeding_service": "http", "config": {"url": "http://a"}}));
        for secret in names() {
            let mut body =
                of(json!({"feeding_service": "http", "config": {"url": "http://a", secret: "hidden"}}));
            let own = settled(&Map::new(), None, &mut body);
            assert_eq!((Value::Object(own), &body), (json!({secret: "hidden"}), &before));
        }
        let kept = of(json!({"password": "hidden", "token": "t"}));
        let check = |body: Value, expected: Value| {
            assert_eq!(
                Value::Object(settled(&kept, Some(&before), &mut of(body.clone()))),
                expected,
                "{body}"
            );
        };
        check(
            json!({"feeding_service": "http", "config": {"url": " http://a"}}),
            json!({"password": "hidden", "token": "t"}),
        );
        check(
            json!({"feeding_service": "http", "config": {"url": "http://a", "token": null}}),
            json!({"password": "hidden"}),
        );
        check(json!({"feeding_service": "rss", "config": {"url": "http://a"}}), json!({}));
        check(
            json!({"feeding_service": "http", "config": {"url": "http://b", "token": "new"}}),
            json!({"token": "new"}),
        );
        check(json!({"feeding_service": "http", "config": null}), json!({}));
    }
}
