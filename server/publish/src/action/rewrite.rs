//! Updates: a new story that goes on from one that is out, or is being written.

use dateline_formats::{Fields, Item, wire_time};
use serde_json::{Value, json};

use super::draft::{fields, id_of, merged, version_of};
use super::producer::Producer;
use super::production::Target;
use super::publish_action::PublishAction;
use super::refusal::Refusal;
use super::resend::is_broadcast;
use super::state::State;

/// A request for an update.
#[derive(Clone, Copy, Debug)]
pub struct Rewrite<'a> {
    /// The id of the new story, if one is made.
    pub id: &'a str,
    /// A story that becomes the update; none: a new one is made.
    pub update: Option<&'a Fields>,
    /// The desk for a new story; none: that of the original.
    pub desk: Option<&'a str>,
}

/// What every update has of its story.
const SHARED: [&str; 7] = ["family_id", "event_id", "language", "place", "organisation", "person", "uri"];
/// What an update has of its story, below what it has itself.
const MERGED: [&str; 3] = ["flags", "associations", "extra"];
/// What a new story has of the original beside.
const COPIED: [&str; 7] = [
    "ingest_provider",
    "source",
    "profile",
    "keywords",
    "target_regions",
    "target_types",
    "target_subscribers",
];
/// What it has where no profile says what stories have.
const USUAL: [&str; 13] = [
    "abstract",
    "anpa_category",
    "pubstatus",
    "slugline",
    "urgency",
    "subject",
    "priority",
    "byline",
    "dateline",
    "headline",
    "genre",
    "body_footer",
    "company_codes",
];

/// Makes an update of `original`.
pub(super) fn rewrite(
    producer: &mut Producer<'_>,
    original: &Fields,
    request: Rewrite<'_>,
) -> Result<(), Refusal> {
    check_original(producer, original)?;
    if let Some(update) = request.update {
        check_update(original, update)?;
    }
    let (item, link) = match request.update {
        Some(update) => adopted(producer, original, update),
        None => created(producer, original, request),
    };
    let id = id_of(&item).to_owned();
    producer.record(&item, "link", &link);
    let mark = fields([("rewritten_by", id.into())]);
    for target in [Target::Item(id_of(original).to_owned()), Target::Snapshots(id_of(original).to_owned())] {
        producer.touch(target, mark.clone());
    }
    producer.record(original, PublishAction::Rewrite.operation(), &mark);
    producer.out.versions.push(item);
    Ok(())
}

fn check_original(producer: &Producer<'_>, original: &Fields) -> Result<(), Refusal> {
    let item = Item::from(original);
    let settings = producer.context.settings;
    if item.has("embargo") {
        return Err(Refusal::bad_request("Rewrite of an Item having embargo isn't possible"));
    }
    if !item.has("event_id") {
        return Err(Refusal::not_found("Event id does not exist"));
    }
    if item.has("rewritten_by") && !settings.allows_multiple_updates {
        return Err(Refusal::bad_request("Article has been rewritten before !"));
    }
    let state = State::named(item.text("state"));
    if !state.is_some_and(|state| PublishAction::Rewrite.is_allowed(state, settings)) {
        return Err(Refusal::transition("Workflow transition is invalid."));
    }
    let is_out = state.is_some_and(State::is_published);
    if item.has("rewrite_of") && !is_out && !settings.allows_multiple_updates {
        return Err(Refusal::bad_request("Rewrite is not published. Cannot rewrite the story again."));
    }
    Ok(())
}

fn check_update(original: &Fields, update: &Fields) -> Result<(), Refusal> {
    let (story, item) = (Item::from(original), Item::from(update));
    if item.has("rewrite_of") {
        return Err(Refusal::bad_request("Rewrite story has been used as update before !"));
    }
    if matches!(item.text("state"), "published" | "corrected" | "killed" | "scheduled" | "spiked") {
        return Err(Refusal::transition("Workflow transition is invalid."));
    }
    if !matches!(item.text("type"), "text" | "preformatted") {
        return Err(Refusal::bad_request("Rewrite story can only be text or pre-formatted !"));
    }
    if is_broadcast(update) {
        return Err(Refusal::bad_request("Broadcast cannot be a update story !"));
    }
    if story.has("profile") && story.text("profile") != item.text("profile") {
        return Err(Refusal::bad_request("Rewrite item content profile does not match with Original item."));
    }
    Ok(())
}

/// What both kinds of updates get.
fn shared(producer: &Producer<'_>, original: &Fields, own: &Fields) -> Fields {
    let mut rewrite = copied(original, &SHARED);
    let object = |item: &Fields, field: &str| item.get(field).and_then(Value::as_object).cloned();
    for field in MERGED {
        let of_story = object(original, field).unwrap_or_default();
        let both = merged(&of_story, &object(own, field).unwrap_or_default());
        if !both.is_empty() {
            rewrite.insert(field.to_owned(), both.into());
        }
    }
    // A short message goes out for the story it was written for.
    if let Some(sms) = rewrite.get_mut("flags").and_then(|flags| flags.get_mut("marked_for_sms")) {
        *sms = false.into();
    }
    let sequence = original.get("rewrite_sequence").and_then(Value::as_u64).unwrap_or(0).saturating_add(1);
    rewrite.extend(fields([
        ("rewrite_of", id_of(original).into()),
        ("rewrite_sequence", sequence.into()),
        ("anpa_take_key", take_key(sequence).into()),
        ("state", State::InProgress.name().into()),
        ("versioncreated", wire_time(producer.context.now).into()),
    ]));
    if let Some(priority) = producer.context.settings.priority_of_updates {
        rewrite.insert("priority".to_owned(), priority.into());
    }
    if !producer.context.editor.id.is_empty() {
        rewrite.insert("version_creator".to_owned(), producer.context.editor.id.into());
    }
    rewrite
}

/// A story that becomes the update keeps its texts; subjects of both are united. With what is new in it.
fn adopted(producer: &Producer<'_>, original: &Fields, update: &Fields) -> (Fields, Fields) {
    let mut rewrite = shared(producer, original, update);
    let subjects: Vec<&Value> = Item::from(original).list("subject").collect();
    let is_new = |own: &&Value| !subjects.iter().any(|other| other.get("qcode") == own.get("qcode"));
    let mut united: Vec<Value> = Item::from(update).list("subject").filter(is_new).cloned().collect();
    united.extend(subjects.into_iter().cloned());
    rewrite.insert("subject".to_owned(), united.into());
    rewrite.insert("operation".to_owned(), "update".into());
    rewrite.insert("_current_version".to_owned(), version_of(update).saturating_add(1).into());
    (merged(update, &rewrite), rewrite)
}

/// A new story has the metadata of the original, and its body if that is out or will be. What all new items get, such
/// as `unique_id`, is added where items are created. With the link itself.
fn created(producer: &Producer<'_>, original: &Fields, request: Rewrite<'_>) -> (Fields, Fields) {
    let mut item = shared(producer, original, &Fields::new());
    item.extend(copied(original, &COPIED));
    let story = Item::from(original);
    let profile = producer.context.rules.profiles.get(story.text("profile"));
    let names: Vec<&str> = match profile.and_then(|profile| profile.get("schema")?.as_object()) {
        Some(schema) => schema.keys().map(String::as_str).collect(),
        None => USUAL.to_vec(),
    };
    // What was written above, and the body, are not the profile's to copy.
    let is_free = |name: &&str| *name != "body_html" && !item.contains_key(*name);
    let free: Vec<&str> = names.into_iter().filter(is_free).collect();
    item.extend(copied(original, &free));
    if matches!(story.text("state"), "published" | "corrected" | "scheduled") {
        item.extend(copied(original, &["body_html"]));
    }
    let own_desk = story.object("task").map(|task| task.text("desk")).unwrap_or_default();
    let desk = request.desk.filter(|desk| !desk.is_empty()).unwrap_or(own_desk);
    let stage = producer.context.archive.desk(desk).and_then(|desk| desk.get("working_stage").cloned());
    item.extend(fields([
        ("_id", request.id.into()),
        ("guid", request.id.into()),
        ("type", if story.has("type") { story.text("type") } else { "text" }.into()),
        ("operation", "create".into()),
        ("_current_version", 1.into()),
        ("firstcreated", wire_time(producer.context.now).into()),
        ("task", json!({"desk": desk, "stage": stage, "user": producer.context.editor.id})),
    ]));
    let link = fields([("rewrite_of", id_of(original).into())]);
    (item, link)
}

fn copied(original: &Fields, names: &[&str]) -> Fields {
    let of = |name: &&str| {
        let value = original.get(*name).filter(|_| Item::from(original).has(name))?;
        Some(((*name).to_owned(), value.clone()))
    };
    names.iter().filter_map(of).collect()
}

/// `update`, `2nd update`, `3rd update` ...
fn take_key(sequence: u64) -> String {
    if sequence <= 1 {
        return "update".to_owned();
    }
    let ending = match (sequence % 100, sequence % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{sequence}{ending} update")
}

/// Takes the link between a story and its update away. `event_id` is the id of the event the update is now about.
pub(super) fn unlink(producer: &mut Producer<'_>, update: &Fields, event_id: &str) -> Result<(), Refusal> {
    if !Item::from(update).has("rewrite_of") {
        return Err(Refusal::bad_request("Only updates can be unlinked!"));
    }
    forget_update(producer, update);
    let mut cleared = fields([("event_id", event_id.into())]);
    for field in ["rewrite_of", "anpa_take_key", "rewrite_sequence", "sequence"] {
        if Item::from(update).has(field) {
            cleared.insert(field.to_owned(), Value::Null);
        }
    }
    let id = id_of(update);
    producer.touch(Target::Item(id.to_owned()), cleared.clone());
    producer.record(update, PublishAction::Unlink.operation(), &cleared);
    producer.notify("item:unlink", id, []);
    Ok(())
}

/// The story is no longer said to be rewritten by this update.
pub(super) fn forget_update(producer: &mut Producer<'_>, update: &Fields) {
    let Some(story) = producer.item(Item::from(update).text("rewrite_of")) else {
        return;
    };
    if Item::from(&story).text("rewritten_by") != id_of(update) {
        return;
    }
    let story = id_of(&story).to_owned();
    let nobody = fields([("rewritten_by", Value::Null)]);
    producer.touch(Target::Item(story.clone()), nobody.clone());
    producer.touch(Target::Snapshots(story), nobody);
}

#[cfg(test)]
mod tests {
    use super::take_key;

    #[test]
    fn updates_are_counted() {
        let keys: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 22, 111, 112].map(take_key).into();
        assert_eq!(
            keys.join(","),
            "update,2nd update,3rd update,4th update,11th update,12th update,\
            13th update,21st update,22nd update,111th update,112th update"
        );
    }
}
