//! Spiking: an item is thrown away, and may be brought back until it expires.

use dateline_formats::{Fields, Item};
use serde_json::{Value, json};

use super::draft::{Draft, fields, id_of, is_package, merged};
use super::producer::Producer;
use super::production::Target;
use super::publish_action::PublishAction;
use super::refusal::Refusal;
use super::state::State;
use super::{expiry, groups, members, metadata, rewrite};

/// Links to other items that do not survive.
const LINKS: [&str; 8] = [
    "rewrite_of",
    "rewritten_by",
    "rewrite_sequence",
    "anpa_take_key",
    "broadcast",
    "translated_from",
    "translation_id",
    "translations",
];

fn check(producer: &Producer<'_>, action: PublishAction, original: &Fields) -> Result<(), Refusal> {
    let state = State::named(Item::from(original).text("state"));
    if state.is_some_and(|state| action.is_allowed(state, producer.context.settings)) {
        return Ok(());
    }
    Err(Refusal::transition("Workflow transition is invalid."))
}

/// Throws an item away. `event_id` is the id of the event it is then about: of none that others are about.
pub(super) fn spike(producer: &mut Producer<'_>, original: &Fields, event_id: &str) -> Result<(), Refusal> {
    let item = Item::from(original);
    if item.objects("linked_in_packages").any(|link| link.has("package")) {
        return Err(Refusal::bad_request(format!(
            "The item \"{}\" is in a package it needs to be removed before the item can be spiked",
            item.text("slugline")
        )));
    }
    check(producer, PublishAction::Spike, original)?;
    rewrite::forget_update(producer, original);
    forget_translations(producer, original);
    let mut updates = fields([
        ("revert_state", item.text("state").into()),
        ("expiry", expiry::of_spiked(producer.context, original)),
        ("event_id", event_id.into()),
    ]);
    for field in LINKS.into_iter().chain(["highlights", "marked_for_user"]) {
        if original.contains_key(field) {
            updates.insert(field.to_owned(), Value::Null);
        }
    }
    if is_package(original) {
        for member in groups::members(original) {
            members::unlink(producer, &member, id_of(original));
        }
        updates.insert("deleted_groups".to_owned(), original.get("groups").cloned().unwrap_or_default());
        updates.insert("groups".to_owned(), json!([]));
    }
    finish(producer, PublishAction::Spike, State::Spiked.name(), original, updates, "item:spike");
    Ok(())
}

/// Brings an item back, to a desk if one is given, else to where it was.
pub(super) fn unspike(
    producer: &mut Producer<'_>,
    original: &Fields,
    desk: Option<&str>,
    stage: Option<&str>,
) -> Result<(), Refusal> {
    check(producer, PublishAction::Unspike, original)?;
    let mut updates = fields([("revert_state", Value::Null)]);
    let mut task = original.get("task").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(desk) = desk {
        task.insert("desk".to_owned(), desk.into());
    }
    let desk = Item::from(&task).text("desk").to_owned();
    let incoming = producer.context.archive.desk(&desk).and_then(|desk| desk.get("incoming_stage").cloned());
    if let Some(stage) = stage.map(Value::from).or(incoming) {
        task.insert("stage".to_owned(), stage);
    }
    updates.insert("task".to_owned(), task.into());
    if is_package(original) {
        let list = original.get("deleted_groups").cloned().unwrap_or_default();
        let restored = fields([("groups", list.clone())]);
        for member in groups::members(&restored) {
            members::relink(producer, &member, id_of(original));
        }
        updates.extend(fields([("groups", list), ("deleted_groups", Value::Null)]));
    }
    let before = Item::from(original).text("revert_state");
    let state = if before.is_empty() { State::InProgress.name() } else { before };
    let kept_until = expiry::in_production(producer.context, &merged(original, &updates));
    updates.insert("expiry".to_owned(), kept_until);
    finish(producer, PublishAction::Unspike, state, original, updates, "item:unspike");
    Ok(())
}

fn finish(
    producer: &mut Producer<'_>,
    action: PublishAction,
    state: &str,
    original: &Fields,
    updates: Fields,
    event: &'static str,
) {
    let mut draft = Draft { action, original: original.clone(), updates };
    metadata::stamp(producer.context, &mut draft);
    metadata::unlock(&mut draft);
    draft.set("state", state);
    let item = draft.merged();
    producer.record(&item, action.operation(), &draft.updates);
    producer.notify(event, id_of(original), []);
    producer.out.versions.push(item);
}

/// Takes the item out of the translations of the one it was translated from, and those of it lose where they are from.
fn forget_translations(producer: &mut Producer<'_>, original: &Fields) {
    let item = Item::from(original);
    if let Some(source) = producer.item(item.text("translated_from")) {
        let left: Vec<Value> = Item::from(&source)
            .list("translations")
            .filter(|own| own.as_str() != Some(id_of(original)))
            .cloned()
            .collect();
        producer.touch(Target::Item(id_of(&source).to_owned()), fields([("translations", left.into())]));
    }
    for translation in item.list("translations").filter_map(Value::as_str) {
        if let Some(translation) = producer.item(translation) {
            let nothing = fields([("translated_from", Value::Null), ("translation_id", Value::Null)]);
            producer.touch(Target::Item(id_of(&translation).to_owned()), nothing);
        }
    }
}
