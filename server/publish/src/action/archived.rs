//! Kills in the text archive: a story that is no longer in production comes back to be killed.

use dateline_formats::{Fields, Item};

use super::draft::id_of;
use super::producer::{Cause, Producer};
use super::publish_action::PublishAction;
use super::refusal::Refusal;
use super::resend::is_broadcast;

/// What a row of the archive has and an item has not.
const OF_ROWS: [&str; 9] = [
    "_id",
    "_etag",
    "archived_id",
    "item_id",
    "publish_sequence_no",
    "queue_state",
    "error_message",
    "last_published_version",
    "moved_to_legal",
];

pub(super) fn kill(producer: &mut Producer<'_>, row: &Fields, updates: &Fields) -> Result<(), Refusal> {
    let view = Item::from(row);
    let id = view.text("item_id");
    if view.text("type") != "text" {
        return Err(Refusal::bad_request("Only Text articles are allowed to be Killed in Archived repo"));
    }
    if is_broadcast(row) {
        return Err(Refusal::bad_request("Killing of Broadcast Items isn't allowed in Archived repo"));
    }
    if producer.item(id).is_some() {
        return Err(Refusal::bad_request("Can't Kill as article is still available in production"));
    }
    if view.objects("linked_in_packages").any(|link| link.has("package")) {
        return Err(Refusal::bad_request("Can't kill as article is part of a Package"));
    }
    let kept = row.iter().filter(|(field, _)| !OF_ROWS.contains(&field.as_str()));
    let mut item: Fields = kept.map(|(field, value)| (field.clone(), value.clone())).collect();
    item.insert("_id".to_owned(), id.into());
    let item = producer.publish(PublishAction::Kill, item, updates.clone(), Cause::default())?;
    producer.out.unarchived.push(id_of(&item).to_owned());
    producer.notify("item:deleted:archived", id_of(&item), []);
    Ok(())
}
