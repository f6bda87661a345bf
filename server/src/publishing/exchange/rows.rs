//! Rows of the publish queue: what goes to one destination.

use dateline_engine::{DocId, NewJob, Result};
use dateline_publish::recipients::Recipient;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::ids;

/// Name of the destination that every subscriber with API products has.
pub(crate) const CONTENT_API: &str = "content_api";

/// A row about to be stored, with what it causes.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: DocId,
    pub(crate) subscriber: String,
    pub(crate) body: Map<String, Value>,
    /// None for what is done by being stored, and for what could not be formatted.
    pub(crate) job: Option<NewJob>,
}

/// What a row tells of.
pub(super) struct About<'a> {
    pub(super) item: &'a Value,
    pub(super) published: &'a str,
    pub(super) item_id: &'a str,
    pub(super) package: Option<&'a str>,
    pub(super) recipient: &'a Recipient,
    pub(super) subscriber: &'a Value,
    pub(super) destination: &'a Value,
    pub(super) sequence: u64,
}

/// What was made for it.
pub(super) enum Made<'a> {
    Output {
        id: &'a str,
        is_binary: bool,
    },
    /// Nothing: it is in the content API.
    Stored,
    Failed(&'a str),
}

/// The members that all rows have.
pub(super) fn body(about: &About<'_>, made: &Made<'_>, now: &str) -> Map<String, Value> {
    let item = |key: &str| about.item.get(key).cloned().unwrap_or(Value::Null);
    let codes: Vec<&str> = about.recipient.codes.iter().map(|code| &**code).collect();
    let (state, error) = match made {
        Made::Output { .. } => ("pending", Value::Null),
        Made::Stored => ("success", Value::Null),
        Made::Failed(error) => ("error", Value::from(*error)),
    };
    let mut row = json!({
        "item_id": about.item_id,
        "item_version": item("_current_version"),
        "published_id": about.published,
        "subscriber_id": &*about.recipient.subscriber,
        "destination": about.destination,
        "codes": codes,
        "published_seq_num": about.sequence,
        "publish_schedule": item("publish_schedule"),
        "publishing_action": item("state"),
        "published_in_package": about.package,
        "unique_name": item("unique_name"),
        "content_type": item("type"),
        "headline": item("headline"),
        "ingest_provider": item("ingest_provider"),
        "associated_items": about.recipient.associations,
        "priority": about.subscriber.get("priority") == Some(&Value::Bool(true)),
        "item_encoding": "utf-8",
        "state": state,
        "error_message": error,
        "retry_attempt": 0,
        "moved_to_legal": false,
        "_version": 1,
    });
    match made {
        Made::Output { id, is_binary } => {
            row["formatted_item_id"] = (*id).into();
            row["encoded_item_id"] = is_binary.then_some(*id).into();
        }
        Made::Stored => row["completed_at"] = now.into(),
        Made::Failed(_) => {}
    }
    match row {
        Value::Object(row) => row,
        _ => Map::new(),
    }
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
