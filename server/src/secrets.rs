//! Secrets of a configuration: they stand elsewhere than it, and belong to an address.

use serde_json::{Map, Value};

/// Takes secrets out of a configuration: what it names replaces what is kept, null takes it away, the rest stays.
pub(crate) fn take(
    config: &mut Map<String, Value>,
    names: impl IntoIterator<Item = &'static str>,
    kept: &mut Map<String, Value>,
) {
    for secret in names {
        match config.shift_remove(secret) {
            None => {}
            Some(Value::Null) => drop(kept.shift_remove(secret)),
            Some(value) => drop(kept.insert(secret.to_owned(), value)),
        }
    }
}

/// Whether what is secret for the one may be sent to the other: they are of one `kind` and their `config` has the same
/// members of an `address`. Whoever reads them takes 21 and "21" alike.
pub(crate) fn is_same_address(
    kind: &str,
    address: &[&str],
    one: &Map<String, Value>,
    other: &Map<String, Value>,
) -> bool {
    let member = |own: &Map<String, Value>, name: &str| match own.get("config").and_then(|own| own.get(name))
    {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(value) => value.to_string(),
    };
    one.get(kind) == other.get(kind) && address.iter().all(|name| member(one, name) == member(other, name))
}
