//! Destinations and rows.

use std::collections::BTreeSet;

use dateline_formats::{Fields, Registry};
use serde_json::{Value, json};

use super::{Content, Output, Plan, Why, name_subscribers, plan, with_members};
use crate::recipients::{Cause, Recipient};

fn object(value: Value) -> Fields {
    value.as_object().unwrap().clone()
}

fn recipient(is_api_enabled: bool) -> Recipient {
    Recipient {
        subscriber: "s".into(),
        codes: vec!["x".into(), "y".into()],
        is_api_enabled,
        associations: BTreeSet::from(["m".to_owned()]),
        cause: Cause::Chosen,
    }
}

fn subscriber(kind: &str) -> Fields {
    object(json!({"_id": "s", "subscriber_type": kind, "priority": true, "destinations": [
        {"_id": "1", "name": "ninjs push", "format": "ninjs", "delivery_type": "http_push", "config": {"url": "u"}},
        {"name": "packages", "format": "nitf", "delivery_type": "ftp", "config": {"packaged": true}},
        {"name": "odd", "format": "nosuch", "delivery_type": "ftp", "config": {}},
    ]}))
}

fn names(plan: &Plan<'_>) -> (Vec<String>, Vec<(String, Why)>) {
    let name = |task: &super::PublishTask<'_>| task.destination["name"].as_str().unwrap().to_owned();
    let skipped = plan.skipped.iter().map(|skipped| (skipped.destination.clone(), skipped.why));
    (plan.tasks.iter().map(name).collect(), skipped.collect())
}

#[test]
fn which_destinations_get_an_item() {
    let registry = Registry::standard();
    let check = |item: Value, kind: &str, api: bool, taken: &[&str], skipped: &[(&str, Why)]| {
        let (recipient, subscriber) = (recipient(api), subscriber(kind));
        let (names, why) = names(&plan(&registry, &object(item.clone()), &recipient, &subscriber));
        assert_eq!(names, taken, "{item} {kind}");
        let skipped: Vec<(String, Why)> =
            skipped.iter().map(|(name, why)| ((*name).to_owned(), *why)).collect();
        assert_eq!(why, skipped, "{item} {kind}");
    };
    let odd = ("odd", Why::NoFormat);
    check(json!({"type": "text"}), "all", false, &["ninjs push", "packages"], &[odd]);
    check(json!({"type": "text"}), "wire", true, &["ninjs push", "packages", "content api"], &[odd]);
    check(json!({"type": "picture"}), "digital", false, &["ninjs push"], &[("packages", Why::NoFormat), odd]);
    check(json!({"type": "composite"}), "wire", true, &[], &[("", Why::NotForWire)]);
    let in_package = json!({"type": "text", "published_in_package": "p"});
    check(in_package, "all", false, &["ninjs push"], &[("packages", Why::InPackage), odd]);
    check(
        json!({"type": "nosuch"}),
        "all",
        false,
        &[],
        &[("ninjs push", Why::NoFormat), ("packages", Why::NoFormat), odd],
    );
}

#[test]
fn planning_twice_is_the_same() {
    let registry = Registry::standard();
    let (recipient, subscriber) = (recipient(true), subscriber("all"));
    let item = object(json!({"type": "composite"}));
    let once = names(&plan(&registry, &item, &recipient, &subscriber));
    assert_eq!(once, names(&plan(&registry, &item, &recipient, &subscriber)));
}

#[test]
fn rows() {
    let registry = Registry::standard();
    let (recipient, subscriber) = (recipient(true), subscriber("all"));
    let item =
        object(json!({"item_id": "a", "_id": "row", "_current_version": 4, "type": "text", "headline": "H",
        "unique_name": "#1", "state": "corrected", "ingest_provider": "p"}));
    let plan = plan(&registry, &item, &recipient, &subscriber);
    let outputs = vec![
        Output { sequence: 7, content: Content::Text("text".to_owned(), "utf-16".to_owned()) },
        Output { sequence: 7, content: Content::Stored("blob".to_owned()) },
    ];
    let rows = plan.tasks[0].rows(&item, outputs);
    assert_eq!(
        Value::from(rows[0].clone()),
        json!({
            "item_id": "a", "item_version": 4, "formatted_item": "text", "item_encoding": "utf-16",
            "encoded_item_id": null, "subscriber_id": "s",
            "destination": {"name": "ninjs push", "format": "ninjs", "delivery_type": "http_push", "config": {"url": "u"}},
            "codes": ["x", "y"], "published_seq_num": 7, "publish_schedule": null, "publishing_action": "corrected",
            "published_in_package": null, "unique_name": "#1", "content_type": "text", "headline": "H",
            "ingest_provider": "p", "associated_items": ["m"], "priority": true, "state": "pending",
            "transmit_started_at": null, "completed_at": null, "error_message": null, "retry_attempt": 0,
            "next_retry_attempt_at": null, "moved_to_legal": false,
        })
    );
    assert_eq!((&rows[1]["formatted_item"], &rows[1]["encoded_item_id"]), (&json!(""), &json!("blob")));
    let api = plan.tasks.last().unwrap();
    assert!(api.is_content_api());
    let output = Output { sequence: 8, content: Content::Text("{}".to_owned(), "utf-8".to_owned()) };
    assert_eq!(api.rows(&item, vec![output])[0]["state"], "success");
    let failed = plan.tasks[1].failed(&item, "no date");
    assert_eq!((&failed["state"], &failed["error_message"]), (&json!("error"), &json!("no date")));
}

#[test]
fn as_what_an_item_goes_out() {
    let registry = Registry::standard();
    let (recipient, subscriber) = (recipient(false), subscriber("all"));
    for (item, expected) in [
        (json!({"state": "published"}), "published"),
        (json!({"state": "scheduled"}), "published"),
        (json!({"state": "recalled"}), "recalled"),
        (json!({"state": "being_corrected"}), "published"),
        (json!({"state": "being_corrected", "correction_sequence": 2}), "corrected"),
    ] {
        let mut item = object(item);
        item.insert("type".to_owned(), json!("text"));
        let row = plan(&registry, &item, &recipient, &subscriber).tasks[0].failed(&item, "");
        assert_eq!(row["publishing_action"], expected, "{item:?}");
    }
}

#[test]
fn members_within_their_package() {
    let package =
        object(json!({"groups": [{"id": "main", "refs": [{"residRef": "a"}, {"residRef": "gone"}]}]}));
    let member = |id: &str| (id == "a").then(|| object(json!({"headline": "H"})));
    assert_eq!(
        Value::from(with_members(&package, member)),
        json!({"groups": [{"id": "main", "refs": [
            {"residRef": "a", "package_item": {"headline": "H"}}, {"residRef": "gone"},
        ]}]})
    );
    let registry = Registry::standard();
    let (recipient, subscriber) = (recipient(false), subscriber("all"));
    let plan = plan(&registry, &object(json!({"type": "composite"})), &recipient, &subscriber);
    let whole: Vec<bool> = plan.tasks.iter().map(super::PublishTask::takes_packages_whole).collect();
    assert_eq!(whole, [false, true]);
}

#[test]
fn associations_name_who_may_have_them() {
    let item =
        object(json!({"associations": {"one": {"_id": "m"}, "two": {"_id": "n"}, "gone": null, "odd": {}}}));
    let named = name_subscribers(&item, &[recipient(true)]);
    assert_eq!(
        named["associations"],
        json!({"one": {"_id": "m", "subscribers": ["s"]}, "two": {"_id": "n", "subscribers": []},
            "gone": null, "odd": {}})
    );
}
