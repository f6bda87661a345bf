//! An ingested item as one of the newsroom.

use crate::novelty::FINGERPRINT;
use dateline_formats::{Fields, Item, wire_time};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Where it goes, and what it is called there.
#[derive(Debug, Clone, Copy)]
pub struct Fetching<'a> {
    /// The id of the new item, which is its guid.
    pub id: &'a str,
    /// The id of the ingested item.
    pub ingest_id: &'a str,
    /// The desk.
    pub desk: &'a str,
    /// Its stage.
    pub stage: &'a str,
    /// `fetched` by somebody, `routed` by a rule.
    pub state: &'a str,
    /// Who fetches; empty for a rule.
    pub user: &'a str,
    /// The next number of the newsroom.
    pub unique_id: u64,
    /// The content profile for what is no medium.
    pub profile: Option<&'a str>,
    /// The time.
    pub now: Timestamp,
}

/// Members of an ingested item that are about its ingest.
const INGEST_ONLY: [&str; 8] =
    ["_id", "version", "expiry", "archived", "_current_version", "_version", "ingest_routed", FINGERPRINT];

/// The body of the new item.
#[must_use]
pub fn fetch(ingested: &Fields, fetching: &Fetching<'_>) -> Fields {
    let item = Item::from(ingested);
    let mut out: Fields = ingested
        .iter()
        .filter(|(name, _)| !INGEST_ONLY.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut set = |field: &str, value: Value| drop(out.insert(field.to_owned(), value));
    set("guid", fetching.id.into());
    set("ingest_id", item.text("guid").into());
    set("ingest_version", item.scalar("version").into());
    set("family_id", fetching.ingest_id.into());
    set("unique_id", fetching.unique_id.into());
    set("unique_name", format!("#{}", fetching.unique_id).into());
    set("state", fetching.state.into());
    set("operation", "fetch".into());
    set("versioncreated", wire_time(fetching.now).into());
    set("_current_version", 1.into());
    let user = if fetching.user.is_empty() { Value::Null } else { fetching.user.into() };
    set("task", json!({"desk": fetching.desk, "stage": fetching.stage, "user": user}));
    let is_medium = matches!(item.text("type"), "picture" | "audio" | "video" | "graphic" | "composite");
    match fetching.profile {
        Some(profile) if !is_medium => drop(out.insert("profile".to_owned(), profile.into())),
        _ => {}
    }
    out
}

/// What a text that is published by a rule cannot lack: the defaults of those who publish without looking.
pub fn with_defaults(item: &mut Fields, category: &str) {
    let defaults = [
        ("headline", json!(" ")),
        ("slugline", json!(" ")),
        ("body_html", json!("<p></p>")),
        ("anpa_category", json!([{"qcode": category, "name": category}])),
    ];
    for (field, value) in defaults {
        if !Item::from(&*item).has(field) {
            item.insert(field.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_item_knows_where_it_is_from() {
        let ingested = json!({
            "_id": "urn:1", "guid": "g", "version": "2", "type": "text", "headline": "H", "expiry": "x", "state": "ingested",
            "ingest_provider": "p", "ingest_fingerprint": "f", "firstcreated": "2026-01-01T00:00:00+0000", "family_id": "urn:1",
        });
        let fetching = Fetching {
            id: "urn:2",
            ingest_id: "urn:1",
            desk: "d",
            stage: "s",
            state: "routed",
            user: "",
            unique_id: 5,
            profile: Some("story"),
            now: "2026-01-03T00:00:00Z".parse().unwrap(),
        };
        let mut found = fetch(ingested.as_object().unwrap(), &fetching);
        with_defaults(&mut found, "a");
        let expected = json!({
            "guid": "urn:2", "type": "text", "headline": "H", "state": "routed", "ingest_provider": "p",
            "firstcreated": "2026-01-01T00:00:00+0000", "family_id": "urn:1", "ingest_id": "g", "ingest_version": "2",
            "unique_id": 5, "unique_name": "#5", "operation": "fetch", "versioncreated": "2026-01-03T00:00:00+0000",
            "_current_version": 1, "task": {"desk": "d", "stage": "s", "user": null}, "profile": "story",
            "slugline": " ", "body_html": "<p></p>", "anpa_category": [{"qcode": "a", "name": "a"}],
        });
        assert_eq!(Value::Object(found), expected);
    }
}
