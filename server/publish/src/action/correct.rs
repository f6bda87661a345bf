//! Corrections: a new version of what is out. With the corrections workflow one is begun first, and may be given up.

use std::collections::BTreeSet;

use dateline_formats::{Fields, Item};
use serde_json::{Value, json};

use super::draft::{Draft, fields, id_of, merged};
use super::metadata;
use super::producer::Producer;
use super::production::{Message, Target};
use super::publish_action::PublishAction;
use super::refusal::Refusal;
use super::snapshot;
use super::state::State;

/// What a correction writes beside the metadata of all actions.
pub(super) fn write(producer: &mut Producer<'_>, draft: &mut Draft) {
    let sequence = draft.original.get("correction_sequence").and_then(Value::as_u64).unwrap_or(1);
    draft.set("correction_sequence", sequence.saturating_add(1));
    metadata::sign(producer.context, draft);
    metadata::count_words(draft);
    forget_queued(draft);
    if producer.context.settings.has_corrections_workflow {
        close_rows(producer, &draft.original);
    }
    tell_translators(producer, &draft.original);
}

/// Media that were sent along with an earlier version may be sent with this one.
fn forget_queued(draft: &mut Draft) {
    let Some(associations) = draft.get("associations").and_then(Value::as_object).cloned() else {
        return;
    };
    let mut associations = associations;
    let mut has_changed = false;
    for association in associations.values_mut().filter_map(Value::as_object_mut) {
        has_changed |= association.shift_remove("is_queued").is_some();
    }
    if has_changed {
        draft.set("associations", associations);
    }
}

/// Rows that were waiting for the correction are again what they were.
fn close_rows(producer: &mut Producer<'_>, original: &Fields) {
    for row in producer.context.archive.snapshots(id_of(original)) {
        let view = Item::from(&row);
        if view.text("state") == State::BeingCorrected.name() {
            let fields = fields([("state", state_of_row(&row).name().into())]);
            producer.touch(Target::Snapshot(id_of(&row).to_owned()), fields);
        }
    }
}

fn state_of_row(row: &Fields) -> State {
    if Item::from(row).has("correction_sequence") { State::Corrected } else { State::Published }
}

/// Those who wrote translations of the story are told that it has changed.
fn tell_translators(producer: &mut Producer<'_>, original: &Fields) {
    let guid = Item::from(original).text("guid");
    if guid.is_empty() {
        return;
    }
    let translations = producer.context.archive.translations(guid);
    let others = translations.iter().filter(|row| Item::from(*row).text("item_id") != id_of(original));
    let names =
        others.flat_map(|row| ["original_creator", "version_creator"].map(|by| Item::from(row).text(by)));
    let users: BTreeSet<&str> = names.filter(|user| !user.is_empty()).collect();
    if !users.is_empty() {
        let users = users.into_iter().map(str::to_owned).collect();
        producer.out.messages.push(Message::TranslationChanged { users, item: original.clone() });
    }
}

/// Begins a correction, or gives it up. No version is made: the item is worked on, and its last row says so.
pub(super) fn begin_or_cancel(
    producer: &mut Producer<'_>,
    action: PublishAction,
    original: &Fields,
) -> Result<(), Refusal> {
    let state = State::named(Item::from(original).text("state"));
    let is_allowed = |state| action.is_allowed(state, producer.context.settings);
    if !state.is_some_and(is_allowed) {
        return Err(Refusal::transition("Workflow transition is invalid."));
    }
    let is_begun = action == PublishAction::Correction;
    let state = if is_begun { State::Correction } else { state_of_row(original) };
    let mut update = fields([("state", state.name().into()), ("operation", action.operation().into())]);
    if Item::from(original).has("publish_schedule") {
        update.extend(fields([("publish_schedule", Value::Null), ("schedule_settings", json!({}))]));
    }
    let id = id_of(original);
    if let Some(row) = row_at_work(&producer.context.archive.snapshots(id), is_begun) {
        let row_update = if is_begun {
            let name = State::BeingCorrected.name();
            fields([("state", name.into()), ("operation", name.into())])
        } else {
            let state = state_of_row(row);
            let operation = if state == State::Corrected { "correct" } else { action.operation() };
            fields([("state", state.name().into()), ("operation", operation.into())])
        };
        producer.touch(Target::Snapshot(id_of(row).to_owned()), row_update);
    }
    producer.touch(Target::Item(id.to_owned()), update.clone());
    producer.record(&merged(original, &update), PublishAction::Correction.operation(), &update);
    producer.notify("item:correction", id, []);
    Ok(())
}

/// The row that is worked on.
///
/// When a correction begins after the first publishing, Superdesk marks whichever row of the item it finds. The last one
/// is meant.
fn row_at_work(rows: &[Fields], is_begun: bool) -> Option<&Fields> {
    if is_begun {
        return snapshot::last(rows);
    }
    rows.iter().rfind(|row| Item::from(*row).text("state") == State::BeingCorrected.name())
}
