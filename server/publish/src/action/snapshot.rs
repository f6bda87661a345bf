//! Published rows: an item as it went out.

use dateline_formats::{Fields, wire_time};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::draft::{fields, id_of};

/// Fields that belong to an item in production and not to what went out.
const LEFT_OUT: [&str; 9] =
    ["_id", "_etag", "_links", "_status", "_type", "lock_user", "lock_session", "lock_time", "lock_action"];

/// The row of an item that is given to the exchange. Its own id and its `publish_sequence_no` come from the store.
pub(super) fn of(item: &Fields, now: Timestamp) -> Fields {
    let kept = item.iter().filter(|(field, _)| !LEFT_OUT.contains(&field.as_str()));
    let mut row: Fields = kept.map(|(field, value)| (field.clone(), value.clone())).collect();
    row.extend(fields([
        ("item_id", id_of(item).into()),
        ("versioncreated", wire_time(now).into()),
        ("queue_state", "pending".into()),
        ("last_published_version", true.into()),
        ("moved_to_legal", false.into()),
    ]));
    row
}

/// What older rows are told when a new one comes.
pub(super) fn no_longer_last() -> Fields {
    fields([("last_published_version", json!(false))])
}

/// The row that is the last one: the newest of those marked so, else the newest.
pub(super) fn last(rows: &[Fields]) -> Option<&Fields> {
    let is_marked = |row: &&Fields| row.get("last_published_version") == Some(&Value::Bool(true));
    rows.iter().rfind(is_marked).or_else(|| rows.last())
}
