//! Updates, resending and spiking.

use serde_json::{Value, json};

use super::super::{Command, Rewrite};
use super::world::{NOW, World, edit, object};

fn rewrite(world: &World, update: Option<Value>) -> String {
    let update = update.map(object);
    let request = Rewrite { id: "new", update: update.as_ref(), desk: None };
    world
        .decide("a", &Command::Rewrite(request))
        .map_or_else(|refusal| refusal.to_string(), |_| String::new())
}

#[test]
fn what_cannot_be_rewritten() {
    let check = |item: Value, expected: &str| {
        assert_eq!(rewrite(&World::with(item.clone()), None), expected, "{item}")
    };
    check(json!({}), "");
    check(json!({"embargo": NOW}), "400: Rewrite of an Item having embargo isn't possible");
    check(json!({"event_id": null}), "404: Event id does not exist");
    check(json!({"rewritten_by": "b"}), "400: Article has been rewritten before !");
    check(json!({"state": "killed"}), "412: Workflow transition is invalid.");
    check(json!({"rewrite_of": "b"}), "400: Rewrite is not published. Cannot rewrite the story again.");
    check(json!({"rewrite_of": "b", "state": "corrected"}), "");
    let mut world = World::with(json!({"rewritten_by": "b", "rewrite_of": "c"}));
    world.settings.allows_multiple_updates = true;
    assert_eq!(rewrite(&world, None), "");
}

#[test]
fn what_cannot_become_an_update() {
    let world = World::with(json!({"profile": "story"}));
    let check = |update: Value, expected: &str| {
        let mut item = json!({"_id": "u", "type": "text", "state": "in_progress", "profile": "story"});
        item.as_object_mut().unwrap().extend(object(update));
        assert_eq!(rewrite(&world, Some(item)), expected);
    };
    check(json!({}), "");
    check(json!({"rewrite_of": "b"}), "400: Rewrite story has been used as update before !");
    check(json!({"state": "published"}), "412: Workflow transition is invalid.");
    check(json!({"type": "picture"}), "400: Rewrite story can only be text or pre-formatted !");
    check(json!({"genre": [{"qcode": "Broadcast Script"}]}), "400: Broadcast cannot be a update story !");
    check(
        json!({"profile": "other"}),
        "400: Rewrite item content profile does not match with Original item.",
    );
}

#[test]
fn a_new_update() {
    let mut world = World::with(json!({
        "state": "published", "family_id": "f", "flags": {"marked_for_sms": true, "marked_for_legal": true},
        "body_html": "<p>b</p>", "source": "dpa", "ednote": "not for updates", "rewrite_sequence": 1, "lock_user": "x",
    }));
    world.add_row("a", json!({}));
    let request = Rewrite { id: "new", update: None, desk: None };
    let production = world.run("a", &Command::Rewrite(request)).unwrap();
    assert_eq!(
        Value::from(world.items["new"].clone()),
        json!({
            "family_id": "f", "event_id": "e", "flags": {"marked_for_sms": false, "marked_for_legal": true},
            "rewrite_of": "a", "rewrite_sequence": 2, "anpa_take_key": "2nd update", "state": "in_progress",
            "versioncreated": NOW, "version_creator": "ed", "source": "dpa", "slugline": "S", "headline": "H",
            "body_html": "<p>b</p>", "_id": "new", "guid": "new", "type": "text", "operation": "create",
            "_current_version": 1, "firstcreated": NOW,
            "task": {"desk": "sport", "stage": "working", "user": "ed"},
        })
    );
    assert_eq!(world.items["a"]["rewritten_by"], "new");
    assert_eq!(world.rows[0]["rewritten_by"], "new");
    assert_eq!(world.items["a"]["_current_version"], 3, "the original has no new version");
    let operations: Vec<&Value> = production.history.iter().map(|row| &row["operation"]).collect();
    assert_eq!(operations, ["link", "rewrite"]);
    assert!(world.decide("new", &Command::Publish(edit(&object(json!({}))))).is_ok(), "the original is out");
}

#[test]
fn a_profile_says_what_an_update_has() {
    let mut world =
        World::with(json!({"profile": "story", "ednote": "n", "abstract": "a", "body_html": "b"}));
    world
        .profiles
        .insert("story".to_owned(), json!({"schema": {"ednote": {}, "headline": {}, "body_html": {}}}));
    let request = Rewrite { id: "new", update: None, desk: Some("other") };
    world.run("a", &Command::Rewrite(request)).unwrap();
    let new = &world.items["new"];
    assert_eq!(
        (&new["ednote"], &new["headline"], &new["profile"]),
        (&json!("n"), &json!("H"), &json!("story"))
    );
    assert!(!new.contains_key("abstract") && !new.contains_key("body_html"));
    assert_eq!(new["task"]["desk"], "other");
}

#[test]
fn a_story_becomes_an_update_and_is_unlinked() {
    let mut world =
        World::with(json!({"subject": [{"qcode": "1"}, {"qcode": "2"}], "extra": {"x": 1, "y": 1},
        "anpa_take_key": "k"}));
    world
        .add("u", json!({"headline": "Own", "subject": [{"qcode": "2"}, {"qcode": "3"}], "extra": {"x": 2}}));
    let update = world.items["u"].clone();
    let request = Rewrite { id: "unused", update: Some(&update), desk: None };
    world.run("a", &Command::Rewrite(request)).unwrap();
    let own = &world.items["u"];
    assert_eq!(own["headline"], "Own");
    assert_eq!(own["subject"], json!([{"qcode": "3"}, {"qcode": "1"}, {"qcode": "2"}]));
    assert_eq!(own["extra"], json!({"x": 2, "y": 1}));
    assert_eq!(
        (&own["rewrite_of"], &own["anpa_take_key"], &own["_current_version"]),
        (&json!("a"), &json!("update"), &json!(4))
    );

    let production = world.run("u", &Command::Unlink { event_id: "e2" }).unwrap();
    let own = &world.items["u"];
    assert_eq!(
        (&own["rewrite_of"], &own["anpa_take_key"], &own["event_id"]),
        (&json!(null), &json!(null), &json!("e2"))
    );
    assert_eq!(world.items["a"]["rewritten_by"], json!(null));
    assert_eq!(production.notices[0].event, "item:unlink");
    assert_eq!(
        world.decide("u", &Command::Unlink { event_id: "e3" }).unwrap_err().to_string(),
        "400: Only updates can be unlinked!"
    );
}

#[test]
fn resending() {
    let mut world = World::with(json!({"state": "published"}));
    world.subscribers = vec![
        object(json!({"_id": "d", "is_active": true, "subscriber_type": "digital"})),
        object(json!({"_id": "w", "is_active": true, "subscriber_type": "wire"})),
        object(json!({"_id": "off", "is_active": false})),
    ];
    let check = |world: &World, ids: &[&str], version: Option<u64>, expected: &str| {
        let subscribers: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let told = world.decide("a", &Command::Resend { subscribers: &subscribers, version });
        assert_eq!(told.map_or_else(|refusal| refusal.to_string(), |_| String::new()), expected);
    };
    check(&world, &["d", "w"], Some(3), "");
    check(&world, &[], Some(3), "400: No subscribers selected!");
    check(&world, &["off", "gone"], Some(3), "400: No active subscribers found!");
    check(&world, &["d"], Some(2), "400: Please use the newest version 3 to resend!");
    check(&world, &["d"], None, "400: Please use the newest version 3 to resend!");
    let with = |item: Value| World { subscribers: world.subscribers.clone(), ..World::with(item) };
    check(
        &with(json!({"type": "picture", "state": "published"})),
        &["d"],
        Some(3),
        "400: Only text stories can be resent!",
    );
    check(
        &with(json!({})),
        &["d"],
        Some(3),
        "400: Only published, corrected or killed stories can be resent!",
    );
    check(
        &with(json!({"state": "published", "rewritten_by": "b"})),
        &["d"],
        Some(3),
        "400: Updated story cannot be resent!",
    );
    let broadcast = with(json!({"state": "published", "genre": [{"qcode": "Broadcast Script"}]}));
    check(&broadcast, &["d"], Some(3), "400: Only wire subscribers can receive broadcast stories!");
    check(&broadcast, &["w"], Some(3), "");
    let mut corrected = with(json!({"state": "correction"}));
    corrected.settings.has_corrections_workflow = true;
    check(&corrected, &["d"], Some(3), "400: Story couldn't be found!");
    corrected.add_row("a", json!({"type": "text", "state": "being_corrected", "_current_version": 2}));
    check(&corrected, &["d"], Some(2), "");
    let subscribers = ["d".to_owned()];
    let production =
        world.decide("a", &Command::Resend { subscribers: &subscribers, version: Some(3) }).unwrap();
    assert_eq!(production.requests[0].chosen, ["d"]);
    assert_eq!(production.history[0]["operation"], "resend");
    assert!(production.versions.is_empty() && production.snapshots.is_empty());
}

#[test]
fn spiking_and_back() {
    let mut world = World::with(json!({"rewrite_of": "b", "highlights": ["h"], "marked_for_user": "u",
        "translated_from": "t", "lock_user": "ed"}));
    world.settings.spiked_expiry_minutes = Some(60);
    world.add("b", json!({"rewritten_by": "a"}));
    world.add("t", json!({"translations": ["a", "x"]}));
    let production = world.run("a", &Command::Spike { event_id: "e2" }).unwrap();
    assert_eq!(production.notices[0].event, "item:spike");
    let item = &world.items["a"];
    for field in ["rewrite_of", "highlights", "marked_for_user", "translated_from", "lock_user"] {
        assert_eq!(item[field], json!(null), "{field}");
    }
    assert_eq!(
        (&item["state"], &item["revert_state"], &item["event_id"]),
        (&json!("spiked"), &json!("in_progress"), &json!("e2"))
    );
    assert_eq!((&item["expiry"], &item["_current_version"]), (&json!("2026-11-28T13:00:00+0000"), &json!(4)));
    assert_eq!(world.items["b"]["rewritten_by"], json!(null));
    assert_eq!(world.items["t"]["translations"], json!(["x"]));

    world.run("a", &Command::Unspike { desk: None, stage: None }).unwrap();
    let item = &world.items["a"];
    assert_eq!(
        (&item["state"], &item["revert_state"], &item["expiry"]),
        (&json!("in_progress"), &json!(null), &json!(null))
    );
    assert_eq!(item["task"], json!({"desk": "sport", "stage": "incoming"}));

    world.add("a", json!({"slugline": "Sun", "linked_in_packages": [{"package": "p"}]}));
    assert_eq!(
        world.decide("a", &Command::Spike { event_id: "e" }).unwrap_err().to_string(),
        "400: The item \"Sun\" is in a package it needs to be removed before the item can be spiked"
    );
}

#[test]
fn a_package_is_spiked_without_its_members() {
    let list =
        json!([{"id": "root", "refs": [{"idRef": "main"}]}, {"id": "main", "refs": [{"residRef": "b"}]}]);
    let mut world = World::with(json!({"type": "composite", "groups": list}));
    world.add("b", json!({"linked_in_packages": [{"package": "a"}, {"package": "p"}]}));
    world.run("a", &Command::Spike { event_id: "e2" }).unwrap();
    assert_eq!((&world.items["a"]["groups"], &world.items["a"]["deleted_groups"]), (&json!([]), &list));
    assert_eq!(world.items["b"]["linked_in_packages"], json!([{"package": "p"}]));
    world.run("a", &Command::Unspike { desk: Some("sport"), stage: Some("x") }).unwrap();
    assert_eq!((&world.items["a"]["groups"], &world.items["a"]["deleted_groups"]), (&list, &json!(null)));
    assert_eq!(world.items["b"]["linked_in_packages"], json!([{"package": "p"}, {"package": "a"}]));
    assert_eq!(world.items["a"]["task"], json!({"desk": "sport", "stage": "x"}));
}
