//! Rows of the publish queue: what goes to one destination.

use dateline_engine::{DocId, NewJob, Result};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::formatting::Output;
use crate::ids;

/// A row about to be stored, with what it causes.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: DocId,
    pub(crate) subscriber: String,
    pub(crate) body: Map<String, Value>,
    /// The body as it is stored.
    pub(crate) text: Vec<u8>,
    /// None for what is done by being stored, and for what could not be formatted.
    pub(crate) job: Option<NewJob>,
}

/// Completes a row that the plan has made: where it comes from, where its output is, and the id of its destination.
pub(super) fn completed(
    mut row: Map<String, Value>,
    published: &str,
    destination: &Map<String, Value>,
    output: Option<&Output>,
) -> Map<String, Value> {
    // Many rows share an output, so it stands elsewhere; reading one row shows it.
    row.shift_remove("formatted_item");
    let (text, binary) = match output {
        Some(output) if output.is_binary => (None, Some(output.id.as_str())),
        Some(output) => (Some(output.id.as_str()), None),
        None => (None, None),
    };
    row.insert("published_id".to_owned(), published.into());
    row.insert("formatted_item_id".to_owned(), text.or(binary).into());
    row.insert("encoded_item_id".to_owned(), binary.into());
    if let (Some(own), Some(id)) =
        (row.get_mut("destination").and_then(Value::as_object_mut), destination.get("_id"))
    {
        own.insert("_id".to_owned(), id.clone());
    }
    row.insert("_version".to_owned(), 1.into());
    row
}

/// The id of the row for a destination: the same however often it is made. `round` tells apart what is sent again on
/// purpose.
///
/// # Errors
/// Never: a hash is a name.
pub(crate) fn row_id(
    published: &str,
    subscriber: &str,
    destination: &str,
    part: usize,
    round: &str,
) -> Result<DocId> {
    DocId::new(hashed(&[published, subscriber, destination, &part.to_string(), round]))
}

/// 24 hex digits that follow from texts.
pub(crate) fn hashed(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut digits = ids::hex(&hash.finalize());
    digits.truncate(24);
    digits
}

/// The id of a destination, or what stands for it.
pub(crate) fn delivery_of(destination: &Value) -> &str {
    let text = |key: &str| destination.get(key).and_then(Value::as_str);
    text("_id").or_else(|| text("name")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_from_what_they_are_for() {
        let id = |parts: [&str; 3], part| row_id(parts[0], parts[1], parts[2], part, "").unwrap();
        assert_eq!(id(["p", "s", "d"], 0), id(["p", "s", "d"], 0));
        let others =
            [id(["p", "s", "d"], 1), id(["p", "s", "e"], 0), id(["ps", "", "d"], 0), id(["", "ps", "d"], 0)];
        for (place, other) in others.iter().enumerate() {
            assert_ne!(*other, id(["p", "s", "d"], 0));
            assert!(!others[place + 1..].contains(other));
        }
        assert_eq!(id(["p", "s", "d"], 0).as_str().len(), 24);
    }
}
