//! What actions write.

use serde_json::{Value, json};

use super::super::{Command, Edit, Message};
use super::world::{NOW, World, edit, object};
use crate::recipients::Action;

const LATER: &str = "2026-12-24T12:00:00+0000";

/// The fields of an item that are named.
pub(super) fn some(item: &dateline_formats::Fields, names: &[&str]) -> Value {
    let named = names.iter().map(|name| ((*name).to_owned(), item.get(*name).cloned().unwrap_or_default()));
    Value::Object(named.collect())
}

#[test]
fn a_story_goes_out() {
    let mut world = World::with(json!({"lock_user": "ed", "lock_session": "s", "marked_for_user": "u",
        "sign_off": "ED/AB", "_etag": "x"}));
    let production = world.publish("a", json!({"body_html": "<p>two words</p>"}));
    let item = production.version_of("a").unwrap();
    assert_eq!(
        Value::from(item.clone()),
        json!({
            "_id": "a", "guid": "a", "type": "text", "state": "published", "headline": "H", "slugline": "S",
            "event_id": "e", "unique_name": "#a", "_current_version": 4, "task": {"desk": "sport", "stage": "s"},
            "lock_user": null, "lock_session": null, "marked_for_user": null, "sign_off": "AB/ED", "_etag": "x",
            "body_html": "<p>two words</p>", "operation": "publish", "pubstatus": "usable", "versioncreated": NOW,
            "version_creator": "ed", "source": "AFP", "publish_schedule": null, "schedule_settings": {},
            "expiry": null, "firstpublished": NOW, "previous_marked_user": "u", "word_count": 2,
        })
    );
    let row = &production.snapshots[0];
    for field in ["_id", "_etag", "lock_user", "lock_session"] {
        assert!(!row.contains_key(field), "{field}");
    }
    assert_eq!(
        some(row, &["item_id", "queue_state", "last_published_version", "moved_to_legal", "headline"]),
        json!({"item_id": "a", "queue_state": "pending", "last_published_version": true,
            "moved_to_legal": false, "headline": "H"})
    );
    let history = &production.history[0];
    assert_eq!(
        some(history, &["item_id", "user_id", "operation", "version"]),
        json!({"item_id": "a", "user_id": "ed", "operation": "publish", "version": 4})
    );
    assert_eq!(history["update"]["word_count"], 2);
    let request = &production.requests[0];
    assert_eq!((request.action, request.item.as_str(), request.version), (Action::Publish, "a", 4));
    assert_eq!(request.due, None);
    let notice = &production.notices[0];
    assert_eq!(notice.event, "item:publish");
    assert_eq!(
        Value::from(notice.extra.clone()),
        json!({"item": "a", "unique_name": "#a", "desk": "sport", "user": "ed"})
    );
}

#[test]
fn a_client_may_send_the_item_back() {
    let mut world = World::with(json!({}));
    let production = world.publish(
        "a",
        json!({"_id": "b", "_etag": "x", "_current_version": 99, "state": "draft",
        "_links": {}, "headline": "New"}),
    );
    let item = production.version_of("a").unwrap();
    assert_eq!(
        some(item, &["_id", "_etag", "_current_version", "state", "headline"]),
        json!({"_id": "a", "_etag": null, "_current_version": 4, "state": "published", "headline": "New"})
    );
}

#[test]
fn older_rows_are_no_longer_the_last() {
    let mut world = World::with(json!({}));
    world.publish("a", json!({}));
    world.correct("a", json!({"headline": "New"}));
    world.correct("a", json!({}));
    let last: Vec<&Value> = world.rows.iter().map(|row| &row["last_published_version"]).collect();
    assert_eq!(last, [false, false, true]);
    let sequences: Vec<&Value> = world.rows.iter().skip(1).map(|row| &row["correction_sequence"]).collect();
    assert_eq!(sequences, [2, 3]);
    assert_eq!(world.items["a"]["firstpublished"], NOW);
}

#[test]
fn source_of_an_item() {
    let source = |item: Value| World::with(item).publish("a", json!({})).versions[0].get("source").cloned();
    assert_eq!(source(json!({})), Some(json!("AFP")));
    assert_eq!(source(json!({"task": {}})), Some(json!("AAP")));
    assert_eq!(source(json!({"ingest_provider": "p", "source": "dpa"})), Some(json!("dpa")));
}

#[test]
fn a_personal_item_goes_out_through_a_desk() {
    let world = World::with(json!({"task": {"user": "u"}}));
    let none = object(json!({}));
    let through = Edit { desk: Some("sport"), ..edit(&none) };
    let production = world.decide("a", &Command::Publish(through)).unwrap();
    let item = production.version_of("a").unwrap();
    assert_eq!(
        some(item, &["task", "source"]),
        json!({"task": {"user": "u", "desk": "sport"}, "source": "AFP"})
    );
}

#[test]
fn expiry_counts_from_when_it_is_due() {
    let check = |minutes: (u32, i64, i64, Option<u32>), updates: Value, expected: Value| {
        let mut world = World::with(json!({}));
        world.settings.expiry_minutes = minutes.0;
        world.desks.get_mut("sport").unwrap().insert("content_expiry".to_owned(), minutes.1.into());
        world.stages.insert("s".to_owned(), object(json!({"content_expiry": minutes.2})));
        world.settings.published_expiry_minutes = minutes.3;
        let production = world.publish("a", updates.clone());
        assert_eq!(production.versions[0]["expiry"], expected, "{minutes:?} {updates}");
    };
    check((0, 0, 0, None), json!({}), json!(null));
    check((10, 0, 0, None), json!({}), json!("2026-11-28T12:10:00+0000"));
    check((10, 20, 0, None), json!({}), json!("2026-11-28T12:20:00+0000"));
    check((10, 20, 30, None), json!({}), json!("2026-11-28T12:30:00+0000"));
    check((10, 20, 30, Some(40)), json!({}), json!("2026-11-28T12:40:00+0000"));
    check((10, -1, 0, None), json!({}), json!("2026-11-28T12:10:00+0000"));
    check((10, i64::MAX, 0, None), json!({}), json!(null));
    check((10, 0, 0, None), json!({"publish_schedule": LATER}), json!("2026-12-24T12:10:00+0000"));
    check((10, 0, 0, None), json!({"embargo": LATER}), json!("2026-12-24T12:10:00+0000"));
}

#[test]
fn a_schedule_is_made_given_up_and_falls_due() {
    let mut world = World::with(json!({"sign_off": "ED"}));
    let updates = json!({"publish_schedule": LATER, "schedule_settings": {"time_zone": "Australia/Sydney"}});
    let production = world.publish("a", updates);
    let due = "2026-12-24T01:00:00+0000";
    let settings = json!({"time_zone": "Australia/Sydney", "utc_publish_schedule": due});
    assert_eq!(
        some(
            &world.items["a"],
            &["state", "operation", "publish_schedule", "schedule_settings", "firstpublished"]
        ),
        json!({"state": "scheduled", "operation": "publish", "publish_schedule": LATER,
            "schedule_settings": settings, "firstpublished": due})
    );
    let asked = production.requests[0].due.map(dateline_formats::wire_time);
    assert_eq!(asked.as_deref(), Some(due));

    let mut given_up = world.clone();
    let none = object(json!({"publish_schedule": null, "headline": "New"}));
    let production = given_up.run("a", &Command::Deschedule(edit(&none))).unwrap();
    assert_eq!(
        some(
            &given_up.items["a"],
            &["state", "operation", "publish_schedule", "firstpublished", "headline", "_current_version"]
        ),
        // The time stays until another update clears it.
        json!({"state": "in_progress", "operation": "deschedule", "publish_schedule": LATER,
            "firstpublished": null, "headline": "New", "_current_version": 5})
    );
    assert!(given_up.rows.is_empty());
    assert!(production.requests.is_empty());

    // A request that was made before the item was put off.
    let early = world.decide("a", &Command::FallDue).unwrap_err();
    assert_eq!(early.to_string(), "412: Workflow transition is invalid.");
    world.now = dateline_formats::parse_time(due).unwrap();
    let production = world.run("a", &Command::FallDue).unwrap();
    for document in [&world.items["a"], &world.rows[0]] {
        assert_eq!(
            some(document, &["state", "_current_version", "versioncreated", "firstpublished"]),
            json!({"state": "published", "_current_version": 5, "versioncreated": due, "firstpublished": due})
        );
    }
    assert_eq!(world.rows.len(), 1);
    assert_eq!((production.requests[0].version, production.requests[0].due), (5, None));
    assert_eq!(
        world.decide("a", &Command::FallDue).unwrap_err().to_string(),
        "412: Workflow transition is invalid."
    );
}

#[test]
fn an_embargo_runs_and_lapses() {
    let mut world = World::with(json!({}));
    world.publish("a", json!({"embargo": LATER}));
    let settings = json!({"time_zone": null, "utc_embargo": LATER});
    let times = ["state", "embargo", "publish_schedule", "schedule_settings"];
    assert_eq!(
        some(&world.items["a"], &times),
        json!({"state": "published", "embargo": LATER, "publish_schedule": null, "schedule_settings": settings})
    );
    world.correct("a", json!({}));
    assert_eq!(
        some(&world.items["a"], &times),
        json!({"state": "corrected", "embargo": LATER, "publish_schedule": null, "schedule_settings": settings})
    );
    world.now = dateline_formats::parse_time("2026-12-24T12:00:01Z").unwrap();
    world.correct("a", json!({}));
    assert_eq!(
        some(&world.items["a"], &times),
        json!({"state": "corrected", "embargo": null, "publish_schedule": null, "schedule_settings": {}})
    );
}

#[test]
fn a_correction_is_begun_given_up_and_done() {
    let mut world = World::with(json!({}));
    world.settings.has_corrections_workflow = true;
    world.publish("a", json!({}));
    let states = |world: &World| {
        let row = world.rows.last().unwrap();
        [&world.items["a"]["state"], &world.items["a"]["operation"], &row["state"]]
            .map(|own| own.as_str().unwrap().to_owned())
    };
    let production = world.run("a", &Command::Correction).unwrap();
    assert_eq!(states(&world), ["correction", "correction", "being_corrected"]);
    assert!(production.versions.is_empty() && production.requests.is_empty());
    assert_eq!(production.notices[0].event, "item:correction");
    world.run("a", &Command::CancelCorrection).unwrap();
    assert_eq!(states(&world), ["published", "cancel_correction", "published"]);
    world.run("a", &Command::Correction).unwrap();
    world.correct("a", json!({}));
    assert_eq!(states(&world), ["corrected", "correct", "corrected"]);
    assert_eq!(world.rows[0]["state"], "published");
    world.run("a", &Command::Correction).unwrap();
    world.run("a", &Command::CancelCorrection).unwrap();
    assert_eq!(states(&world), ["corrected", "cancel_correction", "corrected"]);
}

#[test]
fn a_correction_sends_media_again_and_tells_translators() {
    let associations = json!({"featuremedia": {"_id": "m", "type": "picture", "is_queued": true}});
    let mut world = World::with(json!({"state": "published", "associations": associations}));
    world.add_row("a", json!({"translation_id": "a", "version_creator": "me"}));
    world.add_row("b", json!({"translation_id": "a", "version_creator": "v", "original_creator": "o"}));
    world.add_row("c", json!({"translation_id": "a", "version_creator": "o"}));
    let production = world.correct("a", json!({}));
    assert_eq!(
        world.items["a"]["associations"]["featuremedia"],
        json!({"_id": "m", "type": "picture", "state": "corrected", "operation": "correct"})
    );
    let Message::TranslationChanged { users, .. } = &production.messages[0] else {
        panic!("{:?}", production.messages)
    };
    assert_eq!(users, &["o", "v"]);
}

#[test]
fn a_kill_says_which_story() {
    let mut world = World::with(json!({
        "state": "corrected", "headline": "<b>Fire</b> & smoke", "body_html": "<p>old</p>", "embargo": LATER,
        "publish_schedule": LATER, "schedule_settings": {"utc_embargo": LATER}, "sign_off": "AB",
        "dateline": {"located": {"city": "Sydney"}},
    }));
    world.add_row("a", json!({"versioncreated": "2015-01-30T10:20:00+0000", "marked_for_user": "u"}));
    world.subscribers = vec![
        object(json!({"_id": "s1", "email": "b@x.org, a@x.org", "is_active": false})),
        object(json!({"_id": "s2", "email": "a@x.org,"})),
        object(json!({"_id": "s3"})),
    ];
    let updates = object(json!({"body_html": "<p>Wrong.</p>", "headline": "Kill"}));
    let production = world.run("a", &Command::Kill(edit(&updates))).unwrap();
    let item = &world.items["a"];
    assert_eq!(
        some(
            item,
            &[
                "state",
                "operation",
                "pubstatus",
                "embargo",
                "publish_schedule",
                "schedule_settings",
                "sign_off"
            ]
        ),
        json!({"state": "killed", "operation": "kill", "pubstatus": "canceled", "embargo": null,
            "publish_schedule": null, "schedule_settings": {}, "sign_off": "AB"})
    );
    assert_eq!(
        item["body_html"],
        "<p>Please kill story slugged S headlined Fire &amp; smoke ex Sydney at 30 Jan 2015 10:20 UTC.</p><p>Wrong.</p>"
    );
    assert_eq!(world.rows[0]["marked_for_user"], json!(null));
    let [Message::Withdrawn { addresses, item }] = production.messages.as_slice() else {
        panic!("{:?}", production.messages)
    };
    assert_eq!(addresses, &["a@x.org", "b@x.org"]);
    assert_eq!(
        some(item, &["headline", "body_html", "desk_name", "city", "action"]),
        json!({"headline": "Kill", "body_html": "<p>Wrong.</p>", "desk_name": "Sport", "city": "Sydney",
            "action": "kill"})
    );
    assert_eq!(production.requests[0].action, Action::Kill);
}

#[test]
fn takedown_and_unpublish() {
    let world = World::with(json!({"state": "published", "body_html": "<p>old</p>", "versioncreated": NOW,
        "dateline": {"text": "OSLO, Nov 28 -"}}));
    let none = object(json!({}));
    let production = world.decide("a", &Command::Takedown(edit(&none))).unwrap();
    let item = production.version_of("a").unwrap();
    assert_eq!(item["state"], "recalled");
    assert_eq!(
        item["body_html"],
        "<p>Please takedown story slugged S headlined H ex OSLO at 28 Nov 2026 12:00 UTC.</p>"
    );
    let mut world = world;
    world.subscribers = vec![object(json!({"_id": "s1", "email": "a@x.org"}))];
    let production = world.run("a", &Command::Unpublish(edit(&none))).unwrap();
    assert_eq!(
        some(&world.items["a"], &["state", "pubstatus", "body_html"]),
        json!({"state": "unpublished", "pubstatus": "canceled", "body_html": "<p>old</p>"})
    );
    assert!(production.messages.is_empty());
    assert_eq!(production.requests[0].action, Action::Unpublish);
    world.publish("a", json!({}));
    assert_eq!(
        some(&world.items["a"], &["state", "pubstatus"]),
        json!({"state": "published", "pubstatus": "usable"})
    );
}
