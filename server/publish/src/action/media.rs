//! Media that are out already, and go out once more with a story: its subscribers may not have them.

use dateline_formats::{Fields, Item};
use serde_json::Value;

use super::draft::{Draft, id_of, version_of};
use super::producer::Producer;
use super::production::Request;
use super::publish_action::PublishAction;
use super::times::Wall;
use crate::recipients;

/// Asks for the media of a story that are out in their current version, each once: a mark in the story says that it was
/// done.
pub(super) fn resend(producer: &mut Producer<'_>, draft: &mut Draft) {
    let merged = draft.merged();
    let story = Item::from(&merged);
    let is_correction = draft.action == PublishAction::Correct;
    let setting = producer.context.settings.resends_media;
    if draft.action.is_withdrawal() || !setting.applies(is_correction, story.has("rewrite_of")) {
        return;
    }
    let Some(mut associations) = merged.get("associations").and_then(Value::as_object).cloned() else {
        return;
    };
    let due = (draft.action == PublishAction::Schedule).then(|| Wall::Schedule.instant(&merged)).flatten();
    let mut has_changed = false;
    for medium in associations.values_mut().filter_map(Value::as_object_mut) {
        let Some(version) = version_out(producer, medium) else {
            continue;
        };
        let id = id_of(medium).to_owned();
        producer.out.requests.push(Request {
            action: recipients::Action::Publish,
            item: id,
            version,
            due,
            chosen: Vec::new(),
        });
        medium.insert("is_queued".to_owned(), true.into());
        has_changed = true;
    }
    if has_changed {
        draft.set("associations", associations);
    }
}

/// The version of a medium that is out, if that is its current one and it was not sent with the story before.
fn version_out(producer: &Producer<'_>, medium: &Fields) -> Option<u64> {
    let id = id_of(medium);
    let is_asked = producer.out.requests.iter().any(|request| request.item == id);
    if Item::from(medium).has("is_queued") || is_asked || producer.is_taken_up(id) {
        return None;
    }
    let stored = producer.item(id)?;
    if !matches!(Item::from(&stored).text("type"), "picture" | "graphic" | "video" | "audio") {
        return None;
    }
    let version = version_of(&stored);
    let rows = producer.context.archive.snapshots(id);
    let row = rows.iter().rfind(|row| version_of(row) == version)?;
    let is_out =
        !matches!(Item::from(row).text("state"), "unpublished" | "killed" | "recalled" | "scheduled");
    is_out.then_some(version)
}
