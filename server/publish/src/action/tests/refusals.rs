//! Every text with which an action of the publishing chain is refused, and their order.

use serde_json::{Value, json};

use super::super::{Command, Edit, PublishAction, check_package};
use super::world::{World, edit, object};

fn text_of(world: &World, action: PublishAction, updates: Value) -> String {
    let updates = object(updates);
    let command = match action {
        PublishAction::Publish => Command::Publish(edit(&updates)),
        PublishAction::Correct => Command::Correct(edit(&updates)),
        PublishAction::Kill => Command::Kill(edit(&updates)),
        _ => Command::Unpublish(edit(&updates)),
    };
    match world.decide("a", &command) {
        Ok(_) => String::new(),
        Err(refusal) => refusal.issues()["validator exception"].as_str().unwrap().to_owned(),
    }
}

fn publish(world: &World, updates: Value) -> String {
    text_of(world, PublishAction::Publish, updates)
}

fn correct(world: &World, updates: Value) -> String {
    text_of(world, PublishAction::Correct, updates)
}

fn kill(world: &World, updates: Value) -> String {
    text_of(world, PublishAction::Kill, updates)
}

const LATER: &str = "2026-12-24T12:00:00+0000";
const EARLIER: &str = "2026-11-28T11:59:59+0000";

#[test]
fn the_item_itself() {
    let story = World::with(json!({}));
    assert_eq!(publish(&story, json!({})), "");
    assert_eq!(
        publish(&story, json!({"flags": {"marked_for_not_publication": true}})),
        "400: Cannot publish an item which is marked as Not for Publication"
    );
    assert_eq!(publish(&story, json!({"publish_schedule": "soon"})), "400: Schedule date is not recognized");
    assert_eq!(publish(&story, json!({"publish_schedule": 7})), "400: Schedule date is not recognized");
    assert_eq!(
        publish(&story, json!({"publish_schedule": "1970-01-01T00:00:00Z"})),
        "400: Schedule date is not recognized"
    );
    assert_eq!(
        publish(&story, json!({"publish_schedule": EARLIER})),
        "400: Schedule cannot be earlier than now"
    );
    // The wall in Sydney is eleven hours ahead.
    let in_sydney = json!({"publish_schedule": "2026-11-28T22:00:00Z",
        "schedule_settings": {"time_zone": "Australia/Sydney"}});
    assert_eq!(publish(&story, in_sydney), "400: Schedule cannot be earlier than now");
    assert_eq!(publish(&story, json!({"embargo": "soon"})), "400: Invalid Embargo");
    assert_eq!(publish(&story, json!({"embargo": EARLIER})), "400: Embargo cannot be earlier than now");
    assert_eq!(
        publish(&story, json!({"embargo": LATER, "publish_schedule": LATER})),
        "400: An item can't have both Publish Schedule and Embargo"
    );
    assert_eq!(
        publish(&story, json!({"embargo": LATER, "rewrite_of": "b"})),
        "400: Rewrites doesn't support Embargo"
    );
    let package = World::with(json!({"type": "composite"}));
    assert_eq!(publish(&package, json!({"embargo": LATER})), "400: A Package doesn't support Embargo");
    let kept = World::with(json!({"embargo": EARLIER}));
    assert_eq!(publish(&kept, json!({"embargo": EARLIER})), "", "it was not changed");
}

#[test]
fn a_schedule_that_was_saved_counts() {
    let saved = World::with(json!({"publish_schedule": EARLIER}));
    assert_eq!(publish(&saved, json!({})), "400: Schedule cannot be earlier than now");
    assert_eq!(publish(&saved, json!({"publish_schedule": null})), "");
}

#[test]
fn what_is_out() {
    let story = World::with(json!({"state": "published"}));
    assert_eq!(correct(&story, json!({"embargo": LATER})), "400: Embargo can't be set after publishing");
    assert_eq!(kill(&story, json!({"embargo": LATER})), "400: Embargo can't be set after publishing");
    assert_eq!(
        kill(&story, json!({"dateline": {"text": "OSLO"}})),
        "400: Dateline can't be modified on kill or take down"
    );
    assert_eq!(
        text_of(&story, PublishAction::Unpublish, json!({"dateline": {}, "headline": "x"})),
        "",
        "an empty dateline is none"
    );
}

#[test]
fn a_story_and_its_update() {
    let mut world = World::with(json!({"rewritten_by": "b"}));
    assert_eq!(publish(&world, json!({})), "");
    world.add("b", json!({"state": "killed"}));
    assert_eq!(publish(&world, json!({})), "400: Cannot publish the story after Update is published.");
    world.add("a", json!({"rewrite_of": "b"}));
    assert_eq!(publish(&world, json!({})), "");
    world.add("b", json!({"state": "scheduled", "publish_schedule": LATER}));
    let late = "400: Can't publish update until original story is published.";
    assert_eq!(publish(&world, json!({})), late);
    assert_eq!(publish(&world, json!({"publish_schedule": "2026-12-24T11:59:59Z"})), late);
    assert_eq!(publish(&world, json!({"publish_schedule": LATER})), "");
    world.add("b", json!({}));
    assert_eq!(publish(&world, json!({})), late);
}

#[test]
fn validators() {
    let mut world = World::with(json!({"headline": null, "slugline": "x".repeat(25)}));
    let refusal = world.decide("a", &Command::Publish(edit(&object(json!({}))))).unwrap_err();
    assert_eq!(
        refusal.issues(),
        json!({
            "validator exception": "[['HEADLINE is a required field', 'SLUGLINE is too long']]",
            "fields": {"headline": "null value not allowed", "slugline": "max length is 24"},
        })
    );
    assert_eq!(refusal.status, 400);
    world.validators = vec![json!({"act": "auto_publish", "type": "text", "schema": {}})];
    assert_eq!(publish(&world, json!({"auto_publish": true})), "");
}

#[test]
fn what_goes_along() {
    let along = |item: Value| {
        let mut world =
            World::with(json!({"associations": {"featuremedia": {"_id": "m", "type": "picture"}}}));
        world.add("m", item);
        world
    };
    for state in ["killed", "recalled", "spiked", "scheduled"] {
        let world = along(json!({"type": "picture", "state": state}));
        assert_eq!(publish(&world, json!({})), format!("['Item cannot contain associated {state} item.']"));
    }
    let later = along(json!({"type": "picture", "state": "scheduled", "publish_schedule": LATER}));
    assert_eq!(
        publish(&later, json!({"publish_schedule": "2026-12-01T12:00:00Z"})),
        "['Associated item is scheduled later than current item.']"
    );
    assert_eq!(publish(&later, json!({"publish_schedule": LATER})), "");
    let embargoed = json!({"featuremedia": {"_id": "m", "type": "picture", "embargo": LATER}});
    let media = along(json!({"type": "picture"}));
    assert_eq!(
        publish(&media, json!({"associations": embargoed})),
        "['Item cannot have associated items with Embargo']"
    );
    let wordy = json!({"featuremedia": {"_id": "m", "type": "picture", "slugline": "Sun", "headline": "It's",
        "abstract": "x".repeat(161)}});
    assert_eq!(
        publish(&media, json!({"associations": wordy})),
        "[\"Associated item Sun It's: ABSTRACT is too long\"]"
    );
    assert_eq!(publish(&media, json!({"associations": {"featuremedia": null}})), "");
}

#[test]
fn locks_of_what_goes_along() {
    let mut world = World::with(json!({"associations": {"featuremedia": {"_id": "m", "type": "picture"}}}));
    world.settings.publishes_associated_items = true;
    assert_eq!(
        publish(&world, json!({})),
        "400: Associated item \"featuremedia\" does not exist in the system"
    );
    world.add("m", json!({"type": "picture", "lock_user": "other"}));
    assert_eq!(publish(&world, json!({})), "['m: packaged item is locked by another user']");
    world.add("m", json!({"type": "picture", "lock_user": "ed"}));
    let sun = json!({"featuremedia": {"_id": "m", "type": "picture", "headline": "Sun"}});
    assert_eq!(
        publish(&world, json!({"associations": sun})),
        "['Sun: packaged item is locked by you. Unlock it and try again']"
    );
}

#[test]
fn related_items_that_are_not_out() {
    let mut world =
        World::with(json!({"associations": {"related--1": {"_id": "b", "type": "text", "order": 1}}}));
    world.add("b", json!({}));
    let warning = "{\"warnings\": [\"There are unpublished related items that won't be sent out as related items. \
        Do you want to publish the article anyway?\"]}";
    assert_eq!(publish(&world, json!({})), warning);
    let none = object(json!({}));
    let confirmed = Edit { is_confirmed: true, ..edit(&none) };
    assert!(world.decide("a", &Command::Publish(confirmed)).is_ok());
    world.add("b", json!({"state": "published"}));
    assert_eq!(publish(&world, json!({})), "");
}

#[test]
fn packages() {
    let groups = |ids: &[&str]| {
        let refs: Vec<Value> = ids.iter().map(|id| json!({"residRef": id})).collect();
        json!([{"id": "root", "refs": [{"idRef": "main"}]}, {"id": "main", "refs": refs}])
    };
    let mut world = World::with(json!({"type": "composite", "groups": groups(&[])}));
    assert_eq!(publish(&world, json!({})), "400: Empty package cannot be published!");
    world.add("a", json!({"type": "composite", "groups": groups(&["b"])}));
    assert_eq!(publish(&world, json!({})), "400: Package item with id: b does not exist.");
    world.add("b", json!({"state": "killed"}));
    assert_eq!(publish(&world, json!({})), "['Item cannot contain associated killed item.']");
    world.add("b", json!({"abstract": "x".repeat(161)}));
    assert_eq!(publish(&world, json!({})), "['Associated item S H: ABSTRACT is too long']");
    world.add("b", json!({"flags": {"marked_for_not_publication": true}}));
    assert_eq!(
        publish(&world, json!({})),
        "400: Cannot publish an item which is marked as Not for Publication"
    );
    world.add("b", json!({}));
    world.add("a", json!({"type": "composite", "groups": groups(&["b"]), "embargo": LATER}));
    assert_eq!(publish(&world, json!({})), "['Package cannot have Embargo']");
    world.add("a", json!({"type": "composite", "state": "scheduled", "groups": groups(&["b"])}));
    assert_eq!(publish(&world, json!({})), "['Package cannot be scheduled']");
    world.add("a", json!({"type": "composite", "state": "published", "groups": groups(&["b"])}));
    assert_eq!(correct(&world, json!({"groups": groups(&[])})), "['Corrected package cannot be empty!']");
    world.add("a", json!({"type": "composite", "state": "corrected", "groups": groups(&["b"])}));
    world.add("b", json!({"state": "published"}));
    let kill_member = world.decide("b", &Command::Kill(edit(&object(json!({})))));
    let in_package = "400: This item is in a package. It needs to be removed before the item can be killed";
    assert_eq!(kill_member.unwrap_err().to_string(), in_package);
    assert!(world.decide("b", &Command::Unpublish(edit(&object(json!({}))))).is_ok());
    for state in ["killed", "recalled", "unpublished"] {
        world.add("a", json!({"type": "composite", "state": state, "groups": groups(&["b"])}));
        assert!(world.decide("b", &Command::Kill(edit(&object(json!({}))))).is_ok(), "{state}");
    }
}

#[test]
fn groups_of_a_package() {
    let mut world = World::new();
    world.add("b", json!({}));
    world.add("c", json!({"type": "composite", "groups": [{"id": "main", "refs": [{"residRef": "a"}]}]}));
    let check = |groups: Value, task: Value, expected: &str| {
        let package = object(json!({"_id": "a", "type": "composite", "groups": groups, "task": task}));
        let told =
            check_package(&world, &package).map_or_else(|refusal| refusal.to_string(), |()| String::new());
        assert_eq!(told, expected, "{groups}");
    };
    let main =
        |refs: Value| json!([{"id": "root", "refs": [{"idRef": "main"}]}, {"id": "main", "refs": refs}]);
    let desk = || json!({"desk": "sport"});
    check(main(json!([{"residRef": "b"}])), desk(), "");
    check(json!([]), desk(), "403: Root group is missing.");
    check(json!([{"id": "root"}, {"id": "root"}]), desk(), "403: Only one root group is allowed.");
    check(json!([{"id": "root"}, {"refs": []}]), desk(), "403: Group is missing id.");
    check(json!([{"id": "root"}, {"id": "x"}, {"id": "x"}]), desk(), "403: x group is added multiple times.");
    check(
        json!([{"id": "root", "refs": []}, {"id": "x"}]),
        desk(),
        "403: The number of groups and of referenced groups in the root group do not match.",
    );
    check(
        json!([{"id": "root", "refs": [{"idRef": "y"}]}, {"id": "x"}]),
        desk(),
        "403: Not all groups are referenced in the root group.",
    );
    check(
        main(json!([{"residRef": "b"}, {"residRef": "b"}])),
        desk(),
        "403: Content associated multiple times",
    );
    check(main(json!([{"residRef": "a"}])), desk(), "403: Trying to self reference as an association.");
    check(
        main(json!([{"residRef": "b"}])),
        json!({}),
        "403: Packages can not be created in the personal space.",
    );
    check(main(json!([{"residRef": "c"}])), desk(), "403: Trying to create a circular reference to: c");
    check(main(json!([{"residRef": "z"}])), desk(), "404: Invalid item reference: z");
}

#[test]
fn the_first_fault_in_order_is_told() {
    // Everything is wrong at once; each step takes the first fault away.
    let mut item = object(json!({
        "state": "draft", "flags": {"marked_for_not_publication": true}, "rewritten_by": "update",
        "headline": "x".repeat(65), "associations": {"related": {"_id": "m"}, "featuremedia": {"_id": "k"}},
    }));
    let mut updates = object(json!({"publish_schedule": "soon", "embargo": EARLIER}));
    let mut told = Vec::new();
    loop {
        let mut world = World::with(Value::from(item.clone()));
        world.add("m", json!({}));
        world.add("k", json!({"type": "picture", "state": "killed"}));
        world.add("update", json!({"state": "published"}));
        let text = publish(&world, Value::from(updates.clone()));
        let text = text.chars().take(30).collect::<String>();
        match told.len() {
            0 => item["state"] = json!("in_progress"),
            1 => item["associations"].as_object_mut().unwrap().retain(|key, _| key != "related"),
            2 => item["flags"] = json!({}),
            3 => updates.clear(),
            4 => item["rewritten_by"] = json!(null),
            5 => item["headline"] = json!("H"),
            6 => item["associations"] = json!({}),
            _ => {}
        }
        told.push(text.clone());
        if text.is_empty() {
            break;
        }
    }
    assert_eq!(
        told,
        [
            "412: Can't publish as item sta",
            "{\"warnings\": [\"There are unpub",
            "400: Cannot publish an item wh",
            "400: Schedule date is not reco",
            "400: Cannot publish the story ",
            "[['HEADLINE is too long']]",
            "['Item cannot contain associat",
            "",
        ]
    );
}
