//! Metadata that every action writes, and those of a first publishing.

use dateline_formats::{Fields, Item, wire_time, word_count};
use serde_json::{Value, json};

use super::context::Context;
use super::draft::{Draft, version_of};
use super::producer::Cause;
use super::publish_action::PublishAction;
use super::times::{self, Wall};
use super::{expiry, sign_off};

/// The part that all actions of the publishing chain share.
pub(super) fn write(context: &Context<'_>, draft: &mut Draft, cause: Cause<'_>) {
    set_desk(draft, cause.desk);
    stamp(context, draft);
    let action = draft.action;
    if let Some(state) = action.state() {
        draft.set("state", state.name());
    }
    if let Some(pubstatus) = action.pubstatus() {
        draft.set("pubstatus", pubstatus);
    }
    if let Some(package) = cause.package {
        draft.set("published_in_package", package);
    }
    set_source(context, draft);
    unlock(draft);
    set_times(context, draft);
    let expiry = expiry::of_published(context, &draft.merged());
    draft.set("expiry", expiry);
}

/// What every new version has.
pub(super) fn stamp(context: &Context<'_>, draft: &mut Draft) {
    draft.set("_current_version", version_of(&draft.original).saturating_add(1));
    draft.set("operation", draft.action.operation());
    draft.set("versioncreated", wire_time(context.now));
    if !context.editor.id.is_empty() {
        draft.set("version_creator", context.editor.id);
    }
}

/// Lets go of the item.
pub(super) fn unlock(draft: &mut Draft) {
    for field in ["lock_user", "lock_session", "lock_time", "lock_action"] {
        if draft.original.contains_key(field) {
            draft.set(field, Value::Null);
        }
    }
}

/// What is written when an item goes out for the first time, or again.
pub(super) fn write_first(context: &Context<'_>, draft: &mut Draft) {
    if !Item::from(&draft.original).has("firstpublished") {
        let due = (draft.action == PublishAction::Schedule).then(|| Wall::Schedule.instant(&draft.merged()));
        draft.set("firstpublished", wire_time(due.flatten().unwrap_or(context.now)));
    }
    if let Some(marked) = draft.original.get("marked_for_user").filter(|marked| !marked.is_null()).cloned() {
        draft.set("previous_marked_user", marked);
        draft.set("marked_for_user", Value::Null);
    }
    sign(context, draft);
    count_words(draft);
}

/// Adds the editor to the signature, unless the updates have one.
pub(super) fn sign(context: &Context<'_>, draft: &mut Draft) {
    if Item::from(&draft.updates).has("sign_off") {
        return;
    }
    let before = Item::from(&draft.original).text("sign_off").to_owned();
    let signed = sign_off::signed(&before, context.editor.sign_off, context.settings.keeps_full_sign_off);
    if signed != before {
        draft.set("sign_off", signed);
    }
}

/// Counts the words of a body that changes.
pub(super) fn count_words(draft: &mut Draft) {
    let body = draft.updates.get("body_html").and_then(Value::as_str);
    if let Some(count) = body.and_then(word_count) {
        draft.set("word_count", count);
    }
}

/// An item that is on no desk goes out through the given one.
fn set_desk(draft: &mut Draft, desk: Option<&str>) {
    let Some(desk) = desk.filter(|desk| !desk.is_empty()) else {
        return;
    };
    let mut task = draft.get("task").and_then(Value::as_object).cloned().unwrap_or_default();
    if !Item::from(&task).has("desk") {
        task.insert("desk".to_owned(), desk.into());
        draft.set("task", task);
    }
}

/// What came from a feed keeps the source it came with.
fn set_source(context: &Context<'_>, draft: &mut Draft) {
    if Item::from(&draft.original).has("ingest_provider") {
        return;
    }
    let desk = context.desk_of(&draft.merged());
    let own = desk.as_ref().map(|desk| Item::from(desk).text("source")).filter(|source| !source.is_empty());
    draft.set("source", own.unwrap_or(&context.settings.default_source));
}

/// A schedule stays as long as it is ahead; an embargo as long as it runs, and never after a withdrawal.
fn set_times(context: &Context<'_>, draft: &mut Draft) {
    let merged = draft.merged();
    let settings = times::schedule_settings(&merged);
    match draft.action {
        PublishAction::Schedule => draft.set("schedule_settings", settings),
        PublishAction::Publish if times::is_set(&merged, Wall::Embargo) => keep_embargo(draft, settings),
        PublishAction::Correct if times::is_set(&merged, Wall::Embargo) => {
            if Wall::Embargo.meant(&merged).is_some_and(|end| end < context.now) {
                draft.set("embargo", Value::Null);
                clear(draft);
            } else {
                keep_embargo(draft, settings);
            }
        }
        PublishAction::Publish | PublishAction::Correct => clear(draft),
        _ => {
            draft.set("embargo", Value::Null);
            clear(draft);
        }
    }
}

fn keep_embargo(draft: &mut Draft, mut settings: Fields) {
    settings.shift_remove("utc_publish_schedule");
    draft.set("publish_schedule", Value::Null);
    draft.set("schedule_settings", settings);
}

fn clear(draft: &mut Draft) {
    draft.set("publish_schedule", Value::Null);
    draft.set("schedule_settings", json!({}));
}
