//! The two ends of a schedule: it is given up, or it falls due.

use dateline_formats::{Fields, Item, wire_time};
use serde_json::Value;

use super::draft::{Draft, fields, id_of, merged, version_of, without_system};
use super::groups;
use super::metadata;
use super::producer::Producer;
use super::production::{Request, Target};
use super::publish_action::PublishAction;
use super::refusal::Refusal;
use super::snapshot;
use super::state::State;
use super::times::Wall;
use crate::recipients;

fn is_scheduled(item: &Fields) -> bool {
    Item::from(item).text("state") == State::Scheduled.name()
}

fn check_scheduled(original: &Fields) -> Result<(), Refusal> {
    if is_scheduled(original) {
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
    producer.take_up(id_of(original))?;
    let action = PublishAction::Deschedule;
    let updates = without_system(updates.clone());
    let mut draft = Draft { action, original: original.clone(), updates };
    for field in ["publish_schedule", "schedule_settings"] {
        draft.updates.shift_remove(field);
    }
    metadata::stamp(producer.context, &mut draft);
    draft.set("state", State::InProgress.name());
    draft.set("firstpublished", Value::Null);
    give_up_along(producer, &mut draft)?;
    let item = draft.merged();
    producer.record(&item, action.operation(), &draft.updates);
    producer.out.retracted.push(id_of(original).to_owned());
    producer.out.versions.push(item);
    Ok(())
}

/// What was scheduled with an item is not scheduled without it: media, where the site publishes them together, and
/// members of a package that are out through it alone.
///
/// Superdesk forgets the members.
fn give_up_along(producer: &mut Producer<'_>, draft: &mut Draft) -> Result<(), Refusal> {
    for id in groups::members(&draft.original) {
        let member = producer.item(&id).filter(|own| is_scheduled(own) && !producer.is_taken_up(&id));
        if let Some(member) = member.filter(|own| Item::from(own).text("published_in_package") == draft.id())
        {
            give_up(producer, &member, &Fields::new())?;
        }
    }
    let associations = draft.get("associations").and_then(Value::as_object).cloned();
    let Some(mut associations) =
        associations.filter(|_| producer.context.settings.publishes_associated_items)
    else {
        return Ok(());
    };
    for association in associations.values_mut().filter_map(Value::as_object_mut) {
        let id = id_of(association).to_owned();
        let stored = producer.item(&id).filter(|own| is_scheduled(own) && !producer.is_taken_up(&id));
        let Some(stored) = stored else {
            continue;
        };
        give_up(producer, &stored, &Fields::new())?;
        if association.contains_key("state") {
            association.insert("state".to_owned(), State::InProgress.name().into());
        }
    }
    draft.set("associations", associations);
    Ok(())
}

/// A schedule falls due: the item and its row are out, and the exchange is asked. What was withdrawn or put off since is
/// not due.
pub(super) fn fall_due(producer: &mut Producer<'_>, original: &Fields) -> Result<(), Refusal> {
    check_scheduled(original)?;
    if Wall::Schedule.instant(original).is_some_and(|due| due > producer.context.now) {
        return Err(Refusal::transition("Workflow transition is invalid."));
    }
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
    let item = merged(original, &update);
    producer.record(&item, PublishAction::Publish.operation(), &update);
    producer.out.requests.push(Request {
        action: recipients::Action::Publish,
        item: id.to_owned(),
        version,
        due: None,
        chosen: Vec::new(),
    });
    producer.announce(&item);
    producer.out.versions.push(item);
    Ok(())
}
