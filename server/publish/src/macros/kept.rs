//! What a macro cannot change.

use dateline_formats::Fields;

/// Members that are of the item as it was: who it is, where it is on its way, who holds it. Beside these, all whose names
/// begin with `_`.
pub const KEPT: [&str; 38] = [
    "guid",
    "type",
    "family_id",
    "unique_id",
    "unique_name",
    "original_id",
    "original_creator",
    "processed_from",
    "ingest_id",
    "ingest_version",
    "ingest_provider",
    "ingest_provider_sequence",
    "task",
    "state",
    "revert_state",
    "pubstatus",
    "operation",
    "lock_user",
    "lock_session",
    "lock_time",
    "lock_action",
    "firstcreated",
    "versioncreated",
    "version_creator",
    "firstpublished",
    "expiry",
    "embargo",
    "publish_schedule",
    "schedule_settings",
    "rewrite_of",
    "rewritten_by",
    "rewrite_sequence",
    "correction_sequence",
    "published_in_package",
    "linked_in_packages",
    "marked_for_user",
    "item_id",
    "queue_state",
];

/// The changed item with all of these as they were.
pub(super) fn kept(item: &Fields, mut changed: Fields) -> Fields {
    let is_kept = |field: &String| field.starts_with('_') || KEPT.contains(&field.as_str());
    changed.retain(|field, _| !is_kept(field));
    let own = item.iter().filter(|(field, _)| is_kept(field));
    let mut out: Fields = own.map(|(field, value)| (field.clone(), value.clone())).collect();
    out.extend(changed);
    out
}
