//! Packages and their members.

use serde_json::{Value, json};

use super::super::{Command, Target};
use super::world::{World, edit, object};

fn groups(ids: &[&str]) -> Value {
    let refs: Vec<Value> = ids.iter().map(|id| json!({"residRef": id, "headline": "H"})).collect();
    json!([{"id": "root", "refs": [{"idRef": "main"}]}, {"id": "main", "refs": refs}])
}

fn package(ids: &[&str]) -> World {
    let mut world = World::with(json!({"type": "composite", "groups": groups(ids)}));
    for id in ids {
        world.add(id, json!({"linked_in_packages": [{"package": "a"}]}));
    }
    world
}

fn asked(production: &super::super::Production) -> Vec<(&str, Option<&str>)> {
    let of_row = |id: &str| {
        let row = production.snapshots.iter().find(|row| row["item_id"] == json!(id))?;
        row.get("published_in_package")?.as_str()
    };
    production.requests.iter().map(|own| (own.item.as_str(), of_row(&own.item))).collect()
}

#[test]
fn members_go_out_first() {
    let mut world = package(&["b", "c"]);
    world.add("c", json!({"state": "published", "_current_version": 9, "associations": {"x": {"_id": "m"}}}));
    let production = world.publish("a", json!({}));
    assert_eq!(asked(&production), [("b", Some("a")), ("a", None)]);
    assert_eq!(world.items["b"]["published_in_package"], "a");
    assert_eq!(world.items["b"]["state"], "published");
    assert_eq!(
        world.items["a"]["groups"][1]["refs"],
        json!([
            {"residRef": "b", "headline": "H", "_current_version": 4},
            {"residRef": "c", "headline": "H", "_current_version": 9, "associations": {"x": {"_id": "m"}}},
        ])
    );
    assert_eq!(world.rows.len(), 2);
}

#[test]
fn packages_in_packages() {
    let mut world = package(&["b"]);
    world.add("b", json!({"type": "composite", "groups": groups(&["c"])}));
    world.add("c", json!({}));
    let production = world.publish("a", json!({}));
    assert_eq!(asked(&production), [("c", Some("b")), ("b", Some("a")), ("a", None)]);
}

#[test]
fn a_circle_ends() {
    let mut world = package(&["b"]);
    world.add("b", json!({"type": "composite", "groups": groups(&["a"])}));
    let production = world.publish("a", json!({}));
    assert_eq!(asked(&production), [("b", Some("a")), ("a", None)]);
}

#[test]
fn packages_in_each_other_are_looked_at_once() {
    // Written out, this is 4 to the power of the depth.
    let ids = ["a", "b", "c", "d", "e"];
    let mut world = World::new();
    for id in ids {
        let others: Vec<&str> = ids.into_iter().filter(|other| *other != id).collect();
        world.add(id, json!({"type": "composite", "groups": groups(&others)}));
    }
    let production = world.publish("a", json!({}));
    assert_eq!(production.versions.len(), 5);
    let package = object(json!({"_id": "z", "task": {"desk": "sport"}, "groups": groups(&ids)}));
    assert!(super::super::check_package(&world, &package).is_ok());
}

#[test]
fn nesting_is_bounded() {
    let mut world = World::new();
    for level in 0..40 {
        world.add(
            &format!("p{level}"),
            json!({"type": "composite", "groups": groups(&[&format!("p{}", level + 1)])}),
        );
    }
    world.add("p40", json!({}));
    let refusal = world.decide("p0", &Command::Publish(edit(&object(json!({}))))).unwrap_err();
    assert_eq!(refusal.to_string(), "400: Nested more than 16 levels.");
}

#[test]
fn members_of_a_scheduled_package_wait_with_it() {
    let mut world = package(&["b"]);
    let production = world.publish("a", json!({"publish_schedule": "2026-12-24T12:00:00+0000"}));
    assert!(production.requests.iter().all(|request| request.due.is_some()));
    assert_eq!(world.items["b"]["state"], "scheduled");
}

#[test]
fn members_of_a_package_are_not_scheduled_without_it() {
    let mut world = package(&["b", "c"]);
    world.add("c", json!({"state": "scheduled"}));
    world.publish("a", json!({"publish_schedule": "2026-12-24T12:00:00+0000"}));
    let none = object(json!({}));
    let production = world.run("a", &Command::Deschedule(edit(&none))).unwrap();
    assert_eq!(production.retracted, ["b", "a"]);
    let states = ["a", "b", "c"].map(|id| world.items[id]["state"].clone());
    assert_eq!(states, ["in_progress", "in_progress", "scheduled"], "the last has a schedule of its own");
}

#[test]
fn a_correction_adds_and_removes_members() {
    let mut world = package(&["b", "c"]);
    world.publish("a", json!({}));
    world.add("d", json!({}));
    let production = world.correct("a", json!({"groups": groups(&["c", "d"])}));
    assert_eq!(asked(&production), [("d", Some("a")), ("a", None)]);
    assert_eq!(world.items["b"]["linked_in_packages"], json!([]));
    assert_eq!(world.items["c"]["linked_in_packages"], json!([{"package": "a"}]));
    assert_eq!(world.items["d"]["linked_in_packages"], json!([{"package": "a"}]));
    assert_eq!(world.items["d"]["state"], "published");
}

#[test]
fn a_kill_of_a_package_leaves_its_members() {
    let mut world = package(&["b"]);
    world.publish("a", json!({}));
    let production = world.run("a", &Command::Kill(edit(&object(json!({}))))).unwrap();
    assert_eq!(asked(&production), [("a", None)]);
    assert_eq!(world.items["b"]["state"], "published");
}

#[test]
fn a_package_shows_its_member_as_it_is() {
    let mut world = package(&["b"]);
    world.publish("a", json!({}));
    let production = world.correct("b", json!({"headline": "New"}));
    assert_eq!(asked(&production), [("b", Some("a")), ("a", None)]);
    assert_eq!(
        world.items["a"]["groups"][1]["refs"][0],
        json!({"residRef": "b", "headline": "New", "slugline": "S", "_current_version": 5})
    );
    assert_eq!(world.items["a"]["state"], "corrected");
}

#[test]
fn a_package_that_cannot_be_corrected_holds_nothing_up() {
    let mut world = package(&["b"]);
    world.publish("a", json!({}));
    world.items["a"].get("state").unwrap();
    world.items.get_mut("a").unwrap().insert("headline".to_owned(), "x".repeat(65).into());
    let before = world.items["a"].clone();
    let production = world.correct("b", json!({}));
    assert_eq!(asked(&production), [("b", Some("a"))]);
    assert_eq!(production.left[0].package, "a");
    assert_eq!(production.left[0].refusal.message(), "[['HEADLINE is too long']]");
    assert_eq!(world.items["a"], before);
    let touches_package = |target: &Target| matches!(target, Target::Snapshots(id) if id == "a");
    assert!(!production.touched.iter().any(|touch| touches_package(&touch.target)));
}
