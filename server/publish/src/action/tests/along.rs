//! Media and related items that go along with a story.

use serde_json::json;

use super::super::{Command, ResendMedia, Target};
use super::metadata::some;
use super::world::{World, edit, object};
use crate::recipients::Action;

const LATER: &str = "2026-12-24T12:00:00+0000";

fn asked(production: &super::super::Production) -> Vec<&str> {
    production.requests.iter().map(|request| request.item.as_str()).collect()
}

#[test]
fn media_go_along() {
    let media = json!({"featuremedia": {"_id": "m", "type": "picture", "headline": "In this story", "genre": [1]},
        "related--1": {"_id": "r", "type": "text", "order": 1}});
    let mut world = World::with(json!({"associations": media}));
    world.settings.publishes_associated_items = true;
    world.add("m", json!({"type": "picture", "headline": "Sun", "genre": [2], "_current_version": 7}));
    world.add("r", json!({"headline": "Related"}));
    let production = world.publish("a", json!({}));
    let ids: Vec<&str> = production.requests.iter().map(|request| request.item.as_str()).collect();
    assert_eq!(ids, ["m", "r", "a"]);
    assert_eq!(
        some(&world.items["m"], &["state", "headline", "_current_version"]),
        json!({"state": "published", "headline": "In this story", "_current_version": 8})
    );
    assert_eq!(
        some(
            world.items["a"]["associations"]["featuremedia"].as_object().unwrap(),
            &["state", "_current_version", "genre"]
        ),
        json!({"state": "published", "_current_version": 8, "genre": [2]})
    );
    assert_eq!(
        world.items["a"]["associations"]["related--1"],
        json!({"_id": "r", "type": "text", "order": 1})
    );
    // What is out and has not changed stays as it is; what has changed is corrected.
    assert_eq!(world.correct("a", json!({})).requests.len(), 1);
    let mut media = world.items["a"]["associations"].clone();
    media["featuremedia"]["headline"] = json!("Moon");
    let production = world.correct("a", json!({"associations": media}));
    let actions: Vec<(&str, Action)> =
        production.requests.iter().map(|own| (own.item.as_str(), own.action)).collect();
    assert_eq!(actions, [("m", Action::Correct), ("a", Action::Correct)]);
    assert_eq!(world.items["m"]["headline"], "Moon");
}

#[test]
fn media_of_a_scheduled_story_are_scheduled() {
    let mut world = World::with(json!({"associations": {"featuremedia": {"_id": "m", "type": "picture"}}}));
    world.settings.publishes_associated_items = true;
    world.add("m", json!({"type": "picture"}));
    let production = world.publish("a", json!({"publish_schedule": LATER}));
    let due: Vec<bool> = production.requests.iter().map(|request| request.due.is_some()).collect();
    assert_eq!(due, [true, true]);
    assert_eq!(world.items["m"]["state"], "scheduled");
    let is_of = |target: &Target| matches!(target, Target::Item(_));
    assert!(!production.touched.iter().any(|touch| is_of(&touch.target)));
}

#[test]
fn media_are_not_scheduled_without_their_story() {
    let mut world = World::with(json!({"associations": {"featuremedia": {"_id": "m", "type": "picture"}}}));
    world.settings.publishes_associated_items = true;
    world.add("m", json!({"type": "picture"}));
    world.publish("a", json!({"publish_schedule": LATER}));
    let none = object(json!({}));
    let production = world.run("a", &Command::Deschedule(edit(&none))).unwrap();
    assert_eq!(production.retracted, ["m", "a"]);
    assert_eq!(world.items["m"]["state"], "in_progress");
    assert_eq!(world.items["a"]["associations"]["featuremedia"]["state"], "in_progress");
    assert!(world.rows.is_empty());
}

#[test]
fn related_items_are_named_only() {
    let related = json!({"related--1": {"_id": "r", "type": "text", "headline": "x"}, "related--2": null});
    let mut world = World::with(json!({"associations": related}));
    world.add("r", json!({"state": "published"}));
    assert_eq!(asked(&world.publish("a", json!({}))), ["a"]);
    let named = json!({"related--1": {"_id": "r", "type": "text", "order": 1}, "related--2": null});
    assert_eq!(world.items["a"]["associations"], named);
}

#[test]
fn media_that_are_out_go_out_once_more() {
    let story = |setting: ResendMedia, update: bool| {
        let media =
            json!({"featuremedia": {"_id": "m", "type": "picture"}, "two": {"_id": "t", "type": "text"}});
        let mut world =
            World::with(json!({"associations": media, "rewrite_of": if update { "b" } else { "" }}));
        world.settings.resends_media = setting;
        world.add("b", json!({"state": "published"}));
        world.add("m", json!({"type": "picture", "state": "published"}));
        world.add("t", json!({"state": "published"}));
        for id in ["m", "t"] {
            world.add_row(id, json!({"_current_version": 3}));
        }
        world
    };
    let check = |setting: ResendMedia, update: bool, first: &[&str], correction: &[&str]| {
        let mut world = story(setting, update);
        let production = world.publish("a", json!({}));
        assert_eq!(asked(&production), first, "{setting:?} {update}");
        assert_eq!(production.snapshots.len(), 1, "the medium has no new row");
        assert_eq!(asked(&world.correct("a", json!({}))), correction, "{setting:?} {update}");
    };
    check(ResendMedia::Never, false, &["a"], &["a"]);
    check(ResendMedia::New, false, &["m", "a"], &["a"]);
    check(ResendMedia::New, true, &["a"], &["a"]);
    check(ResendMedia::Updates, true, &["m", "a"], &["a"]);
    check(ResendMedia::Always, true, &["m", "a"], &["m", "a"]);
    let mut changed = story(ResendMedia::New, false);
    changed.add("m", json!({"type": "picture", "state": "published", "_current_version": 4}));
    assert_eq!(asked(&changed.publish("a", json!({}))), ["a"], "its current version is not out");
    let mut withdrawn = story(ResendMedia::New, false);
    withdrawn.rows[0].insert("state".to_owned(), "unpublished".into());
    assert_eq!(asked(&withdrawn.publish("a", json!({}))), ["a"]);
}

#[test]
fn a_medium_that_is_a_member_too_goes_out_once() {
    let list = json!([{"id": "main", "refs": [{"residRef": "b"}, {"residRef": "m"}]}]);
    let mut world = World::with(json!({"type": "composite", "groups": list}));
    world.add("b", json!({"associations": {"featuremedia": {"_id": "m", "type": "picture"}}}));
    world.add("m", json!({"type": "picture", "state": "correction"}));
    world.add_row("m", json!({"_current_version": 3, "state": "being_corrected"}));
    let production = world.publish("a", json!({}));
    assert_eq!(asked(&production), ["b", "m", "a"]);
    assert_eq!(production.requests[1].version, 4);
}

#[test]
fn how_the_setting_is_written() {
    let all = ["new", "updates", "corrections", "never", ""].map(ResendMedia::named);
    use ResendMedia::{Always, Never, New, Updates};
    assert_eq!(all, [New, Updates, Always, Never, Never]);
}

#[test]
fn an_update_may_name_a_medium_by_its_id_alone() {
    let mut world = World::with(json!({}));
    world.add("m", json!({"type": "picture", "abstract": "x".repeat(161)}));
    let updates = object(json!({"associations": {"featuremedia": {"_id": "m"}}}));
    let refusal = world.decide("a", &Command::Publish(edit(&updates))).unwrap_err();
    assert_eq!(refusal.message(), "['Associated item S m: ABSTRACT is too long']");
}
