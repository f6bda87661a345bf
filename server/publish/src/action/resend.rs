//! Resending: a version that is out goes once more, to chosen subscribers, whatever the filters say.

use dateline_formats::{Fields, Item};
use serde_json::{Value, json};

use super::draft::{fields, id_of, version_of};
use super::producer::Producer;
use super::production::Request;
use super::publish_action::PublishAction;
use super::refusal::Refusal;
use super::state::State;
use crate::recipients;

const BROADCAST_GENRE: &str = "Broadcast Script";

/// `chosen` are ids of subscribers, `version` is the version the editor has seen.
pub(super) fn resend(
    producer: &mut Producer<'_>,
    original: &Fields,
    chosen: &[String],
    version: Option<u64>,
) -> Result<(), Refusal> {
    let story = story_out(producer, original)?;
    check_story(producer, &story, version)?;
    check_chosen(producer, &story, chosen)?;
    let id = id_of(original);
    producer.record(original, PublishAction::Resend.operation(), &fields([("subscribers", json!(chosen))]));
    producer.out.requests.push(Request {
        action: recipients::Action::Resend,
        item: id.to_owned(),
        version: version_of(&story),
        due: None,
        chosen: chosen.to_vec(),
    });
    Ok(())
}

/// What is out; while it is corrected, that is the row that says so.
fn story_out(producer: &Producer<'_>, original: &Fields) -> Result<Fields, Refusal> {
    let is_in_correction = Item::from(original).text("state") == State::Correction.name();
    if !(producer.context.settings.has_corrections_workflow && is_in_correction) {
        return Ok(original.clone());
    }
    let mut rows = producer.context.archive.snapshots(id_of(original));
    let place = rows.iter().rposition(|row| Item::from(row).text("state") == State::BeingCorrected.name());
    place.map(|place| rows.swap_remove(place)).ok_or_else(|| Refusal::bad_request("Story couldn't be found!"))
}

fn check_story(producer: &Producer<'_>, story: &Fields, version: Option<u64>) -> Result<(), Refusal> {
    let item = Item::from(story);
    if !matches!(item.text("type"), "text" | "preformatted") {
        return Err(Refusal::bad_request("Only text stories can be resent!"));
    }
    let settings = producer.context.settings;
    let is_allowed = |state| PublishAction::Resend.is_allowed(state, settings);
    if !State::named(item.text("state")).is_some_and(is_allowed) {
        return Err(Refusal::bad_request("Only published, corrected or killed stories can be resent!"));
    }
    let newest = version_of(story);
    if version != Some(newest) {
        return Err(Refusal::bad_request(format!("Please use the newest version {newest} to resend!")));
    }
    if item.has("rewritten_by") {
        return Err(Refusal::bad_request("Updated story cannot be resent!"));
    }
    Ok(())
}

fn check_chosen(producer: &Producer<'_>, story: &Fields, chosen: &[String]) -> Result<(), Refusal> {
    if chosen.is_empty() {
        return Err(Refusal::bad_request("No subscribers selected!"));
    }
    let subscribers = producer.context.archive.subscribers();
    let is_meant = |subscriber: &&Fields| {
        Item::from(*subscriber).has("is_active") && chosen.iter().any(|id| id == id_of(subscriber))
    };
    let mut active = subscribers.iter().filter(is_meant).peekable();
    if active.peek().is_none() {
        return Err(Refusal::bad_request("No active subscribers found!"));
    }
    let is_broadcast = is_broadcast(story);
    let is_digital = |own: &Fields| matches!(Item::from(own).text("subscriber_type"), "digital" | "all");
    if is_broadcast && active.any(is_digital) {
        return Err(Refusal::bad_request("Only wire subscribers can receive broadcast stories!"));
    }
    Ok(())
}

/// Whether a story is a script for broadcast.
pub(super) fn is_broadcast(story: &Fields) -> bool {
    let mut genres = Item::from(story).list("genre");
    let is_of = |genre: &Value, key: &str| {
        genre.get(key).and_then(Value::as_str).is_some_and(|own| own.eq_ignore_ascii_case(BROADCAST_GENRE))
    };
    genres.any(|genre| is_of(genre, "qcode") || is_of(genre, "value"))
}
