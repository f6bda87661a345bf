//! Kills in the text archive.

use serde_json::{Value, json};

use super::super::{Command, State};
use super::world::{World, edit, object};
use crate::recipients::Action;

fn row(fields: Value) -> dateline_formats::Fields {
    let mut row = object(json!({
        "_id": "row", "archived_id": "a:4", "item_id": "a", "guid": "a", "type": "text", "state": "corrected",
        "headline": "H", "slugline": "S", "unique_name": "#a", "_current_version": 4, "queue_state": "queued",
        "last_published_version": true, "publish_sequence_no": 8, "versioncreated": "2015-01-30T10:20:00+0000",
    }));
    row.extend(object(fields));
    row
}

fn told(world: &World, fields: Value) -> String {
    let updates = object(json!({}));
    let told = super::super::produce(&world.context(), &row(fields), &Command::KillArchived(edit(&updates)));
    told.map_or_else(|refusal| refusal.to_string(), |_| String::new())
}

#[test]
fn what_cannot_be_killed() {
    let mut world = World::new();
    assert_eq!(told(&world, json!({})), "");
    assert_eq!(
        told(&world, json!({"type": "picture"})),
        "400: Only Text articles are allowed to be Killed in Archived repo"
    );
    assert_eq!(
        told(&world, json!({"genre": [{"qcode": "Broadcast Script"}]})),
        "400: Killing of Broadcast Items isn't allowed in Archived repo"
    );
    assert_eq!(
        told(&world, json!({"linked_in_packages": [{"package": "p"}]})),
        "400: Can't kill as article is part of a Package"
    );
    assert_eq!(told(&world, json!({"state": "killed"})), "412: Can't kill as item state is killed");
    world.add("a", json!({}));
    assert_eq!(told(&world, json!({})), "400: Can't Kill as article is still available in production");
}

#[test]
fn a_story_comes_back_to_be_killed() {
    let mut world = World::new();
    let updates = object(json!({"body_html": "<p>Wrong.</p>"}));
    let command = Command::KillArchived(edit(&updates));
    let production = super::super::produce(&world.context(), &row(json!({})), &command).unwrap();
    world.apply(&production);
    let item = &world.items["a"];
    assert_eq!((&item["_id"], &item["_current_version"]), (&json!("a"), &json!(5)));
    assert_eq!(world.state("a"), State::Killed);
    for field in ["archived_id", "item_id", "queue_state", "publish_sequence_no"] {
        assert!(!item.contains_key(field), "{field}");
    }
    assert_eq!(
        item["body_html"],
        "<p>Please kill story slugged S headlined H at 30 Jan 2015 10:20 UTC.</p><p>Wrong.</p>"
    );
    assert_eq!(world.rows[0]["item_id"], "a");
    assert_eq!(production.unarchived, ["a"]);
    assert_eq!(production.requests[0].action, Action::Kill);
    let events: Vec<&str> = production.notices.iter().map(|notice| notice.event).collect();
    assert_eq!(events, ["item:publish", "item:deleted:archived"]);
}
