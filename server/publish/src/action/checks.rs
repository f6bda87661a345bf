//! What an item must satisfy to be published, corrected or withdrawn, in the order in which clients are told.

use dateline_formats::{Fields, Item};
use jiff::Timestamp;

use super::associated;
use super::draft::Draft;
use super::groups;
use super::producer::Producer;
use super::publish_action::PublishAction;
use super::refusal::{Reason, Refusal};
use super::state::State;
use super::times::{self, Wall};
use crate::validate::{Candidate, is_related_content, validate};

const UNPUBLISHED_RELATED: &str = "There are unpublished related items that won't be sent out as related items. \
    Do you want to publish the article anyway?";

pub(super) fn check(producer: &Producer<'_>, draft: &Draft) -> Result<(), Refusal> {
    check_transition(producer, draft)?;
    check_related(producer, draft)?;
    let merged = draft.merged();
    if Item::from(&merged).flag("marked_for_not_publication") {
        return Err(Refusal::bad_request("Cannot publish an item which is marked as Not for Publication"));
    }
    let now = producer.context.now;
    if is_publishing(draft) {
        check_schedule(&merged, now)?;
    }
    check_embargo(draft, &merged, now)?;
    if draft.action.is_withdrawal() && Item::from(&draft.updates).has("dateline") {
        return Err(Refusal::bad_request("Dateline can't be modified on kill or take down"));
    }
    if is_publishing(draft) {
        check_update(producer, &merged)?;
    }
    check_validators(producer, draft, &merged)?;
    let mut messages = associated::faults(producer, draft);
    if draft.is_package() {
        package_faults(draft, &mut messages);
    }
    if !messages.is_empty() {
        return Err(Refusal::of(Reason::Messages(messages)));
    }
    if draft.is_package() && is_publishing(draft) && groups::members(&merged).is_empty() {
        return Err(Refusal::bad_request("Empty package cannot be published!"));
    }
    Ok(())
}

fn is_publishing(draft: &Draft) -> bool {
    matches!(draft.action, PublishAction::Publish | PublishAction::Schedule)
}

/// Every type but text is told as a package is (clients know it so).
fn check_transition(producer: &Producer<'_>, draft: &Draft) -> Result<(), Refusal> {
    let original = Item::from(&draft.original);
    let name = original.text("state");
    let settings = producer.context.settings;
    if State::named(name).is_some_and(|state| draft.action.is_allowed(state, settings)) {
        return Ok(());
    }
    let act = draft.action.act();
    Err(Refusal::transition(match original.text("type") {
        "text" => format!("Can't {act} as item state is {name}"),
        _ => format!("Can't {act} as either package state or one of the items state is {name}"),
    }))
}

/// Related items that are not out do not go along; somebody has to know that.
fn check_related(producer: &Producer<'_>, draft: &Draft) -> Result<(), Refusal> {
    let is_silent = producer.is_confirmed
        || producer.context.settings.publishes_associated_items
        || !(is_publishing(draft) || draft.action == PublishAction::Correct);
    if is_silent {
        return Ok(());
    }
    let original = Item::from(&draft.original);
    let related =
        original.entries("associations").filter(|(key, _)| is_related_content(&producer.context.rules, key));
    for (_, association) in related {
        let found = producer.item(association.text("_id"));
        let item = found.as_ref().map_or(association, Item::from);
        if !State::named(item.text("state")).is_some_and(State::is_published) {
            return Err(Refusal::of(Reason::Warnings(vec![UNPUBLISHED_RELATED.to_owned()])));
        }
    }
    Ok(())
}

/// A schedule that was saved before counts as well: publishing after its time is refused until it is cleared.
fn check_schedule(merged: &Fields, now: Timestamp) -> Result<(), Refusal> {
    if !times::is_set(merged, Wall::Schedule) {
        return Ok(());
    }
    match Wall::Schedule.meant(merged) {
        // Nobody schedules for the first day of the epoch: a zero was read as a time.
        Some(due) if due.as_second() >= 365 * 86_400 => {
            if due < now {
                return Err(Refusal::bad_request("Schedule cannot be earlier than now"));
            }
            Ok(())
        }
        _ => Err(Refusal::bad_request("Schedule date is not recognized")),
    }
}

/// An embargo is looked at when it is set or changed.
fn check_embargo(draft: &Draft, merged: &Fields, now: Timestamp) -> Result<(), Refusal> {
    if !times::is_set(&draft.updates, Wall::Embargo) {
        return Ok(());
    }
    let is_changed = draft.updates.get("embargo") != draft.original.get("embargo");
    let item = Item::from(merged);
    if is_changed {
        let Some(end) = Wall::Embargo.meant(merged) else {
            return Err(Refusal::bad_request("Invalid Embargo"));
        };
        if times::is_set(merged, Wall::Schedule) || item.text("state") == State::Scheduled.name() {
            return Err(Refusal::bad_request("An item can't have both Publish Schedule and Embargo"));
        }
        if end <= now && !draft.action.is_withdrawal() {
            return Err(Refusal::bad_request("Embargo cannot be earlier than now"));
        }
        if item.has("rewrite_of") {
            return Err(Refusal::bad_request("Rewrites doesn't support Embargo"));
        }
        if draft.is_package() {
            return Err(Refusal::bad_request("A Package doesn't support Embargo"));
        }
    }
    if !is_publishing(draft) && !times::is_set(&draft.original, Wall::Embargo) {
        return Err(Refusal::bad_request("Embargo can't be set after publishing"));
    }
    Ok(())
}

/// A story and its update go out in their order.
fn check_update(producer: &Producer<'_>, merged: &Fields) -> Result<(), Refusal> {
    let item = Item::from(merged);
    let stored = |field: &str| producer.item(item.text(field)).filter(|_| item.has(field));
    let state = |item: &Fields| State::named(Item::from(item).text("state"));
    if stored("rewritten_by").as_ref().and_then(state).is_some_and(State::is_published) {
        return Err(Refusal::bad_request("Cannot publish the story after Update is published."));
    }
    if let Some(story) = stored("rewrite_of") {
        let own = Wall::Schedule.meant(merged).unwrap_or(producer.context.now);
        let is_late = state(&story) == Some(State::Scheduled)
            && Wall::Schedule.instant(&story).is_some_and(|due| due > own);
        if is_late || !state(&story).is_some_and(State::is_published) {
            return Err(Refusal::bad_request("Can't publish update until original story is published."));
        }
    }
    Ok(())
}

fn check_validators(producer: &Producer<'_>, draft: &Draft, merged: &Fields) -> Result<(), Refusal> {
    let is_automatic = Item::from(&draft.updates).has("auto_publish");
    let candidate = Candidate {
        act: if is_automatic { "auto_publish" } else { draft.action.act() },
        kind: Item::from(&draft.original).text("type"),
        item: merged,
        is_embedded: false,
        names_headline: false,
    };
    let verdict = validate(&producer.context.rules, &candidate);
    if verdict.errors.is_empty() {
        return Ok(());
    }
    Err(Refusal::of(Reason::Invalid { messages: verdict.errors, fields: verdict.fields }))
}

fn package_faults(draft: &Draft, messages: &mut Vec<String>) {
    let package = Item::from(&draft.original);
    let state = package.text("state");
    if matches!(state, "spiked" | "scheduled") {
        messages.push(format!("Package cannot be {state}"));
    }
    if package.has("embargo") {
        messages.push("Package cannot have Embargo".to_owned());
    }
    let is_emptied = draft.updates.contains_key("groups") && groups::members(&draft.updates).is_empty();
    if draft.action == PublishAction::Correct && is_emptied {
        messages.push("Corrected package cannot be empty!".to_owned());
    }
}
