//! Associated items: media and related items that stand in another item, under `associations`.

use dateline_formats::{Fields, Item};
use serde_json::Value;

use super::draft::{Draft, id_of, version_of};
use super::members::inherited_schedule;
use super::producer::{Cause, Producer};
use super::publish_action::PublishAction;
use super::refusal::Refusal;
use super::state::State;
use crate::validate::{DEFAULT_FIELDS, is_related_content};

/// Fields of a medium that a story may tell in its own way.
const OWN: [&str; 7] = [
    "headline",
    "byline",
    "usageterms",
    "alt_text",
    "description_text",
    "copyrightholder",
    "copyrightnotice",
];

/// Brings what stands in an item up to what is in production: a newer version there goes before, an older one fills
/// what is missing. Related items are names only, and stay so.
pub(super) fn refresh(producer: &Producer<'_>, item: &mut Fields) {
    for_each_medium(producer, item, |medium, stored| {
        let is_newer = version_of(stored) > version_of(medium);
        for field in shared_fields() {
            let is_wanted = is_newer || !medium.contains_key(field);
            if let Some(value) = stored.get(field).filter(|_| is_wanted) {
                medium.insert(field.to_owned(), value.clone());
            }
        }
    });
}

/// Fills what updates leave out of media. What they say is newer than anything in production.
pub(super) fn complete(producer: &Producer<'_>, updates: &mut Fields) {
    for_each_medium(producer, updates, |medium, stored| {
        for field in shared_fields().filter(|field| !medium.contains_key(*field)).collect::<Vec<_>>() {
            if let Some(value) = stored.get(field) {
                medium.insert(field.to_owned(), value.clone());
            }
        }
    });
}

/// Fields that a medium in a story has of the medium itself.
fn shared_fields() -> impl Iterator<Item = &'static str> {
    let shared = DEFAULT_FIELDS.into_iter().filter(|field| !OWN.contains(field));
    shared.chain(["type"])
}

/// Calls with each medium of an item and what is in production of it.
fn for_each_medium(producer: &Producer<'_>, item: &mut Fields, mut visit: impl FnMut(&mut Fields, &Fields)) {
    let associations = item.get_mut("associations").and_then(Value::as_object_mut);
    for (key, association) in associations.into_iter().flatten() {
        let Some(association) = association.as_object_mut() else {
            continue;
        };
        if is_related_content(&producer.context.rules, key) {
            continue;
        }
        if let Some(stored) = producer.item(id_of(association)) {
            visit(association, &stored);
        }
    }
}

/// Takes associated items along, if the site does so; else they are only marked.
pub(super) fn publish(producer: &mut Producer<'_>, draft: &mut Draft) -> Result<(), Refusal> {
    let of = |item: &Fields| item.get("associations").and_then(Value::as_object).cloned();
    let mut associations = of(&draft.original).unwrap_or_default();
    associations.extend(of(&draft.updates).unwrap_or_default());
    let takes_along = producer.context.settings.publishes_associated_items;
    let mut has_changed = false;
    for (key, association) in &mut associations {
        let Some(association) = association.as_object_mut().filter(|own| !id_of(own).is_empty()) else {
            continue;
        };
        let is_related = is_related_content(&producer.context.rules, key);
        if is_related {
            *association = named(association);
            has_changed = true;
        }
        let is_external = association.get("_fetchable") == Some(&Value::Bool(false));
        if takes_along && !is_external {
            let item = take_along(producer, draft, key, association)?;
            if is_related {
                continue;
            }
            mark(association, Item::from(&item).text("state"), Item::from(&item).text("operation"));
            association.insert("_current_version".to_owned(), version_of(&item).into());
        } else if !is_related {
            let state = draft.action.state().map(State::name).unwrap_or_default();
            mark(association, state, draft.action.operation());
        }
        has_changed = true;
    }
    if has_changed {
        draft.set("associations", associations);
    }
    Ok(())
}

/// A related item is named, and nothing more: readers find the rest where it is.
fn named(association: &Fields) -> Fields {
    let mut named: Fields = ["_id", "type"]
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), association.get(field)?.clone())))
        .collect();
    named.insert("order".to_owned(), association.get("order").cloned().unwrap_or_else(|| 1.into()));
    named
}

fn mark(association: &mut Fields, state: &str, operation: &str) {
    association.insert("state".to_owned(), state.into());
    association.insert("operation".to_owned(), operation.into());
}

/// Publishes what is not out; corrects what is out and was changed in this story. Gives it as it is then.
///
/// A correction in Superdesk corrects every medium that is published, whether it has changed or not, and none that was
/// corrected before.
fn take_along(
    producer: &mut Producer<'_>,
    draft: &Draft,
    key: &str,
    association: &Fields,
) -> Result<Fields, Refusal> {
    let id = id_of(association);
    let stored = producer.item(id).ok_or_else(|| {
        Refusal::bad_request(format!("Associated item \"{key}\" does not exist in the system"))
    })?;
    if producer.is_taken_up(id) {
        return Ok(stored);
    }
    let mut changes = changes(&stored, association);
    match State::named(Item::from(&stored).text("state")) {
        Some(State::Published | State::Corrected)
            if draft.action == PublishAction::Correct && !changes.is_empty() =>
        {
            producer.publish(PublishAction::Correct, stored, changes, Cause::default())
        }
        Some(state) if state.is_published() && state != State::Unpublished => Ok(stored),
        _ => {
            changes.extend(inherited_schedule(draft));
            producer.publish(PublishAction::Publish, stored, changes, Cause::default())
        }
    }
}

/// What the story says of a medium and the medium itself does not.
fn changes(stored: &Fields, association: &Fields) -> Fields {
    let fields = DEFAULT_FIELDS.iter().chain(&OWN);
    let changed = fields.filter_map(|field| {
        let value = association.get(*field).filter(|value| !value.is_null())?;
        (stored.get(*field) != Some(value)).then(|| ((*field).to_owned(), value.clone()))
    });
    changed.collect()
}
