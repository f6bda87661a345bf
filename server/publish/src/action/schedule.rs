//! The two ends of a schedule: it is given up, or it falls due.

use dateline_formats::{Fields, Item, wire_time};
use serde_json::Value;

use super::draft::{Draft, fields, id_of, version_of};
use super::producer::Producer;
use super::production::{Request, Target};
use super::publish_action::PublishAction;
use super::refusal::Refusal;
use super::snapshot;
use super::state::State;
use crate::recipients;

fn check_scheduled(original: &Fields) -> Result<(), Refusal> {
    if Item::from(original).text("state") == State::Scheduled.name() {
        return Ok(());
    }
    Err(Refusal::transition("Workflow transition is invalid."))
}

/// Gives a schedule up: the item is worked on again, and its row goes. The time itself stays in the item until another
/// update clears it (clients know it so).
pub(super) fn give_up(
    producer: &mut Producer<'_>,
    original: &Fields,
    updates: &Fields,
) -> Result<(), Refusal> {
    check_scheduled(original)?;
    let action = PublishAction::Deschedule;
    let mut draft = Draft { action, original: original.clone(), updates: updates.clone() };
    for field in ["publish_schedule", "schedule_settings"] {
        draft.updates.shift_remove(field);
    }
    draft.updates.extend(fields([
        ("state", State::InProgress.name().into()),
        ("operation", action.operation().into()),
        ("firstpublished", Value::Null),
        ("versioncreated", wire_time(producer.context.now).into()),
        ("_current_version", version_of(original).saturating_add(1).into()),
    ]));
    if !producer.context.editor.id.is_empty() {
        draft.set("version_creator", producer.context.editor.id);
    }
    let item = draft.merged();
    producer.record(&item, action.operation(), &draft.updates);
    producer.out.retracted.push(id_of(original).to_owned());
    producer.out.versions.push(item);
    Ok(())
}

/// A schedule falls due: the item and its row are out, and the exchange is asked.
pub(super) fn fall_due(producer: &mut Producer<'_>, original: &Fields) -> Result<(), Refusal> {
    check_scheduled(original)?;
    let id = id_of(original);
    let version = version_of(original).saturating_add(1);
    let update = fields([
        ("state", State::Published.name().into()),
        ("versioncreated", wire_time(producer.context.now).into()),
        ("_current_version", version.into()),
    ]);
    if let Some(row) = snapshot::last(&producer.context.archive.snapshots(id)) {
        producer.touch(Target::Snapshot(id_of(row).to_owned()), update.clone());
    }
    let item = super::draft::merged(original, &update);
    producer.record(&item, PublishAction::Publish.operation(), &update);
    let package = Item::from(&item).text("published_in_package");
    producer.out.requests.push(Request {
        action: recipients::Action::Publish,
        item: id.to_owned(),
        version,
        due: None,
        package: Some(package.to_owned()).filter(|package| !package.is_empty()),
        chosen: Vec::new(),
    });
    producer.notify("item:publish", id, [("unique_name", Item::from(&item).text("unique_name").into())]);
    producer.out.versions.push(item);
    Ok(())
}
