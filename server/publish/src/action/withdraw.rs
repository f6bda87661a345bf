//! Kills and takedowns: what is out must not be used. Unpublishing takes it back without a word to anybody.

use std::collections::BTreeSet;

use dateline_formats::{Fields, Item, parse_time};
use jiff::fmt::strtime;
use serde_json::Value;

use super::context::Context;
use super::draft::{Draft, fields, id_of};
use super::producer::Producer;
use super::production::{Message, Target};
use super::publish_action::PublishAction;
use super::refusal::Refusal;
use super::snapshot;
use super::state::State;
use crate::filter::html;

/// An item stays in no package that is out.
pub(super) fn check_packages(producer: &Producer<'_>, id: &str) -> Result<(), Refusal> {
    let is_withdrawn =
        |package: &Fields| State::named(Item::from(package).text("state")).is_some_and(State::is_withdrawn);
    if producer.context.archive.packages(id).iter().all(is_withdrawn) {
        return Ok(());
    }
    Err(Refusal::bad_request(
        "This item is in a package. It needs to be removed before the item can be killed",
    ))
}

/// What a withdrawal writes beside the metadata of all actions.
pub(super) fn write(producer: &mut Producer<'_>, draft: &mut Draft) {
    let rows = producer.context.archive.snapshots(draft.id());
    if rows.iter().any(|row| Item::from(row).has("marked_for_user")) {
        let nobody = fields([("marked_for_user", Value::Null)]);
        producer.touch(Target::Snapshots(draft.id().to_owned()), nobody);
    }
    if draft.action == PublishAction::Unpublish {
        return;
    }
    tell_subscribers(producer, draft);
    let said = draft.updates.get("body_html").and_then(Value::as_str).unwrap_or_default();
    let body = format!("{}{said}", header(producer.context, draft, snapshot::last(&rows)));
    draft.set("body_html", body);
}

/// What was said in the body of a kill or takedown beside the paragraph that names the story.
#[must_use]
pub fn said_with_withdrawal(body: &str) -> &str {
    body.split_once("</p>").map_or("", |(_, said)| said)
}

/// The first paragraph of the body: which story of what time must not be used.
fn header(context: &Context<'_>, draft: &Draft, row: Option<&Fields>) -> String {
    let item = Item::from(&draft.original);
    let mut text = format!("Please {} story", draft.action.operation());
    for (word, value) in [
        ("slugged", html::text(item.text("slugline"))),
        ("headlined", html::text(item.text("headline"))),
        ("ex", city(&draft.original).into()),
    ] {
        if !value.is_empty() {
            text.push_str(&format!(" {word} {value}"));
        }
    }
    // The row knows when the story went out; the item when it was last worked on.
    let created = Item::from(row.unwrap_or(&draft.original)).text("versioncreated");
    if let Some(created) = parse_time(created) {
        let local = created.to_zoned(context.settings.time_zone.clone());
        let created = strtime::format("%d %b %Y %H:%M %Z", &local).unwrap_or_default();
        text.push_str(&format!(" at {created}"));
    }
    format!("<p>{}.</p>", html::escaped(&text))
}

/// The city of the dateline, else what its text begins with.
fn city(item: &Fields) -> String {
    let Some(dateline) = Item::from(item).object("dateline") else {
        return String::new();
    };
    let located = dateline.object("located").map(|located| located.text("city")).unwrap_or_default();
    match located {
        "" => dateline.text("text").split(',').next().unwrap_or_default().trim().to_owned(),
        city => city.to_owned(),
    }
}

/// All subscribers are told, also those that are not active: they may have the story.
fn tell_subscribers(producer: &mut Producer<'_>, draft: &Draft) {
    let subscribers = producer.context.archive.subscribers();
    let lists = subscribers.iter().map(|subscriber| Item::from(subscriber).text("email"));
    let addresses: BTreeSet<&str> =
        lists.flat_map(|list| list.split(',')).map(str::trim).filter(|address| !address.is_empty()).collect();
    if addresses.is_empty() {
        return;
    }
    let addresses = addresses.into_iter().map(str::to_owned).collect();
    let mut item = draft.original.clone();
    for field in ["headline", "body_html"] {
        item.insert(field.to_owned(), draft.updates.get(field).cloned().unwrap_or_default());
    }
    let desk = producer.context.desk_of(&draft.original);
    let desk_name = desk.as_ref().map(|desk| Item::from(desk).text("name")).unwrap_or_default();
    item.extend(fields([
        ("desk_name", desk_name.into()),
        ("city", city(&draft.original).into()),
        ("action", draft.action.operation().into()),
        ("item_id", id_of(&draft.original).into()),
    ]));
    producer.out.messages.push(Message::Withdrawn { addresses, item });
}
