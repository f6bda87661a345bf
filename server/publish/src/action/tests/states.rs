//! Every action from every state.

use dateline_formats::Fields;
use serde_json::json;

use super::super::{Command, PublishAction, Refusal, Rewrite, Settings, State};
use super::world::{World, edit, object};

/// Which states an action is allowed from, in the order of [`State::ALL`]: one letter each.
const TABLE: [(PublishAction, &str); 14] = [
    // draft ingested routed fetched submitted in_progress | spiked | published killed corrected scheduled |
    // recalled unpublished correction being_corrected
    (PublishAction::Publish, "--yyyy - ---y -yy-"),
    (PublishAction::Schedule, "--yyyy - ---- ----"),
    (PublishAction::Deschedule, "------ - ---y ----"),
    (PublishAction::Correct, "------ - y-y- --y-"),
    (PublishAction::Correction, "------ - y-y- --yy"),
    (PublishAction::CancelCorrection, "------ - y-y- --yy"),
    (PublishAction::Kill, "------ - y-yy --y-"),
    (PublishAction::Takedown, "------ - y-yy --y-"),
    (PublishAction::Unpublish, "------ - y-yy --y-"),
    (PublishAction::Resend, "------ - yyy- ---y"),
    (PublishAction::Rewrite, "yyyyyy - y-y- yyyy"),
    (PublishAction::Unlink, "yyyyyy y yyyy yyyy"),
    (PublishAction::Spike, "yyyyyy - ---- yyyy"),
    (PublishAction::Unspike, "------ y ---- ----"),
];

fn run(world: &World, action: PublishAction) -> Result<(), Refusal> {
    let none = Fields::new();
    let later = object(json!({"publish_schedule": "2026-12-24T12:00:00+0000"}));
    let somebody = ["s1".to_owned()];
    let command = match action {
        PublishAction::Publish => Command::Publish(edit(&none)),
        PublishAction::Schedule => Command::Publish(edit(&later)),
        PublishAction::Deschedule => Command::Deschedule(edit(&none)),
        PublishAction::Correct => Command::Correct(edit(&none)),
        PublishAction::Correction => Command::Correction,
        PublishAction::CancelCorrection => Command::CancelCorrection,
        PublishAction::Kill => Command::Kill(edit(&none)),
        PublishAction::Takedown => Command::Takedown(edit(&none)),
        PublishAction::Unpublish => Command::Unpublish(edit(&none)),
        PublishAction::Resend => Command::Resend { subscribers: &somebody, version: Some(3) },
        PublishAction::Rewrite => Command::Rewrite(Rewrite { id: "new", update: None, desk: None }),
        PublishAction::Unlink => Command::Unlink { event_id: "e2" },
        PublishAction::Spike => Command::Spike { event_id: "e2" },
        PublishAction::Unspike => Command::Unspike { desk: None, stage: None },
    };
    world.decide("a", &command).map(|_| ())
}

fn world(action: PublishAction, state: State) -> World {
    let mut world = World::with(json!({"state": state.name()}));
    world.subscribers = vec![object(json!({"_id": "s1", "is_active": true}))];
    if action == PublishAction::Unlink {
        world.items["a"].get("rewrite_of").cloned().unwrap_or_default();
        world.add("a", json!({"state": state.name(), "rewrite_of": "b"}));
    }
    world
}

#[test]
fn each_action_from_each_state() {
    for (action, row) in TABLE {
        let letters: Vec<char> = row.chars().filter(|c| *c != ' ').collect();
        assert_eq!(letters.len(), State::ALL.len(), "{action:?}");
        for ((state, name), letter) in State::ALL.into_iter().zip(letters) {
            let is_allowed = letter == 'y';
            let done = run(&world(action, state), action);
            assert_eq!(action.is_allowed(state, &Settings::default()), is_allowed, "{action:?} from {name}");
            assert_eq!(done.is_ok(), is_allowed, "{action:?} from {name}: {done:?}");
            let Err(refusal) = done else {
                continue;
            };
            let told = |act: &str| format!("412: Can't {act} as item state is {name}");
            let expected = match action {
                PublishAction::Publish | PublishAction::Schedule => told("publish"),
                PublishAction::Correct => told("correct"),
                // Clients know all three as a kill.
                PublishAction::Kill | PublishAction::Takedown | PublishAction::Unpublish => told("kill"),
                PublishAction::Resend => {
                    "400: Only published, corrected or killed stories can be resent!".to_owned()
                }
                _ => "412: Workflow transition is invalid.".to_owned(),
            };
            assert_eq!(refusal.to_string(), expected, "{action:?} from {name}");
        }
    }
}

#[test]
fn the_table_has_every_action() {
    let listed: Vec<PublishAction> = TABLE.into_iter().map(|(action, _)| action).collect();
    assert_eq!(listed, PublishAction::ALL);
}

#[test]
fn what_an_action_is_called() {
    let told = PublishAction::ALL.map(|action| {
        let state = action.state().map_or("-", State::name);
        format!("{} {} {state} {}", action.privilege(), action.operation(), action.pubstatus().unwrap_or("-"))
    });
    assert_eq!(
        told,
        [
            "publish publish published usable",
            "publish publish scheduled usable",
            "archive deschedule in_progress -",
            "correct correct corrected usable",
            "correct correction correction -",
            "correct cancel_correction - -",
            "kill kill killed canceled",
            "takedown takedown recalled canceled",
            "unpublish unpublish unpublished canceled",
            "resend resend - -",
            "rewrite rewrite - -",
            "rewrite unlink - -",
            "spike spike spiked -",
            "unspike unspike - -",
        ]
    );
}

#[test]
fn scheduled_items_may_be_updated_where_the_site_says_so() {
    let mut world = world(PublishAction::Rewrite, State::Scheduled);
    assert!(run(&world, PublishAction::Rewrite).is_err());
    assert!(run(&world, PublishAction::Correction).is_err());
    world.settings.allows_updating_scheduled_items = true;
    assert!(run(&world, PublishAction::Rewrite).is_ok());
    assert!(run(&world, PublishAction::Correction).is_ok());
}

#[test]
fn all_types_but_text_are_told_as_packages() {
    for kind in ["picture", "composite", "preformatted"] {
        let world = World::with(json!({"type": kind, "state": "draft"}));
        assert_eq!(
            run(&world, PublishAction::Publish).unwrap_err().to_string(),
            "412: Can't publish as either package state or one of the items state is draft"
        );
    }
}
