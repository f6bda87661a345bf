//! A copy of an item: the same content as an item of its own, on some desk.

use dateline_formats::{Fields, Item, wire_time};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What a copy does not have of its original.
const NOT_COPIED: [&str; 28] = [
    "_id",
    "_version",
    "guid",
    "lock_user",
    "lock_session",
    "lock_time",
    "lock_action",
    "firstpublished",
    "publish_schedule",
    "schedule_settings",
    "embargo",
    "published_in_package",
    "linked_in_packages",
    "rewrite_of",
    "rewritten_by",
    "rewrite_sequence",
    "correction_sequence",
    "expiry",
    "highlights",
    "marked_for_user",
    "revert_state",
    "translation_id",
    "translations",
    "auto_publish",
    "moved_to_legal",
    "processed_from",
    "previous_marked_user",
    "archived",
];

/// What a copy is called, and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Copying<'a> {
    /// The id of the copy, which is its guid.
    pub id: &'a str,
    /// The id of the original.
    pub original: &'a str,
    /// The desk.
    pub desk: &'a str,
    /// Its stage.
    pub stage: Option<&'a str>,
    /// The state of the copy.
    pub state: &'a str,
    /// Who copies; empty for a rule.
    pub user: &'a str,
    /// The next number of the newsroom.
    pub unique_id: u64,
    /// The time.
    pub now: Timestamp,
}

/// The body of the copy.
#[must_use]
pub fn copy(item: &Fields, copying: &Copying<'_>) -> Fields {
    let copied = item.iter().filter(|(field, _)| !NOT_COPIED.contains(&field.as_str()));
    let mut out: Fields = copied.map(|(field, value)| (field.clone(), value.clone())).collect();
    let now = wire_time(copying.now);
    let user = if copying.user.is_empty() { Value::Null } else { copying.user.into() };
    for (field, value) in [
        ("guid", json!(copying.id)),
        ("original_id", json!(copying.original)),
        ("unique_id", json!(copying.unique_id)),
        ("unique_name", json!(format!("#{}", copying.unique_id))),
        ("state", json!(copying.state)),
        ("operation", json!("duplicate")),
        ("pubstatus", json!("usable")),
        ("task", json!({"desk": copying.desk, "stage": copying.stage})),
        ("firstcreated", json!(now)),
        ("versioncreated", json!(now)),
        ("original_creator", user.clone()),
        ("version_creator", user),
        ("_current_version", json!(1)),
    ] {
        out.insert(field.to_owned(), value);
    }
    out
}

/// What holds for an item wherever it is: the end of its embargo, and that it must not be used.
#[must_use]
pub fn kept_back(item: &Fields) -> Fields {
    let view = Item::from(item);
    let mut out = Fields::new();
    if view.has("embargo") {
        out.extend(item.get("embargo").map(|end| ("embargo".to_owned(), end.clone())));
        let mut settings = view.object("schedule_settings").map(Item::to_fields).unwrap_or_default();
        settings.shift_remove("utc_publish_schedule");
        out.insert("schedule_settings".to_owned(), settings.into());
    }
    if view.text("pubstatus") == "canceled" {
        out.insert("pubstatus".to_owned(), "canceled".into());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_an_item_of_its_own() {
        let item = json!({
            "_id": "a", "guid": "a", "family_id": "f", "headline": "H", "state": "corrected", "pubstatus": "canceled",
            "lock_user": "u", "firstpublished": "2026-01-01T00:00:00+0000", "rewrite_of": "r", "processed_from": "x",
            "unique_id": 3, "task": {"desk": "1", "stage": "2", "user": "u"}, "_current_version": 7, "_version": 9,
            "embargo": "2030-01-01T00:00:00+0000",
            "schedule_settings": {"time_zone": "Europe/Oslo", "utc_publish_schedule": "x", "utc_embargo": "y"},
        });
        let copying = Copying {
            id: "b",
            original: "a",
            desk: "d",
            stage: Some("s"),
            state: "routed",
            user: "",
            unique_id: 4,
            now: "2026-01-03T00:00:00Z".parse().unwrap(),
        };
        let item = item.as_object().unwrap();
        let expected = json!({
            "family_id": "f", "headline": "H", "state": "routed", "pubstatus": "usable", "unique_id": 4,
            "task": {"desk": "d", "stage": "s"}, "_current_version": 1, "guid": "b", "original_id": "a",
            "unique_name": "#4", "operation": "duplicate", "firstcreated": "2026-01-03T00:00:00+0000",
            "versioncreated": "2026-01-03T00:00:00+0000", "original_creator": null, "version_creator": null,
        });
        assert_eq!(Value::Object(copy(item, &copying)), expected);
        let kept = json!({
            "embargo": "2030-01-01T00:00:00+0000", "pubstatus": "canceled",
            "schedule_settings": {"time_zone": "Europe/Oslo", "utc_embargo": "y"},
        });
        assert_eq!(Value::Object(kept_back(item)), kept);
        assert!(kept_back(&Fields::new()).is_empty());
    }
}
