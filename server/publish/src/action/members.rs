//! Members of a package go out with it, and it shows what they are.

use dateline_formats::{Fields, Item};
use serde_json::{Value, json};

use super::draft::{Draft, fields, id_of, version_of};
use super::groups;
use super::producer::{Cause, Producer};
use super::production::Target;
use super::publish_action::PublishAction;
use super::refusal::Refusal;
use super::state::State;

/// Publishes members that are not out, and links and unlinks those that a correction has added and removed.
///
/// Members of a package with a schedule get its schedule; in Superdesk they go out at once, before their package.
pub(super) fn publish(producer: &mut Producer<'_>, draft: &mut Draft) -> Result<(), Refusal> {
    if draft.action.is_withdrawal() {
        return Ok(());
    }
    let before = groups::members(&draft.original);
    let mut list = draft.get("groups").cloned().unwrap_or(Value::Null);
    let now = groups::members(&fields([("groups", list.clone())]));
    let is_correction = draft.action == PublishAction::Correct;
    for id in before.iter().filter(|id| is_correction && !now.contains(id)) {
        unlink(producer, id, draft.id());
    }
    for id in &now {
        if is_correction && !before.contains(id) {
            link(producer, id, draft.id());
        }
        let missing = || Refusal::bad_request(format!("Package item with id: {id} does not exist."));
        let mut member = producer.item(id).ok_or_else(missing)?;
        let is_out = State::named(Item::from(&member).text("state")).is_some_and(State::is_published);
        if !is_out && !producer.is_taken_up(id) {
            let cause = Cause { package: Some(draft.id()), desk: None };
            member = producer.publish(PublishAction::Publish, member, inherited_schedule(draft), cause)?;
        }
        groups::set_in_references(&mut list, id, &shown(&member));
    }
    if !now.is_empty() {
        draft.set("groups", list);
    }
    Ok(())
}

/// The schedule that goes over to what goes along.
pub(super) fn inherited_schedule(draft: &Draft) -> Fields {
    if draft.action != PublishAction::Schedule {
        return Fields::new();
    }
    let field = |name: &'static str| Some((name, draft.get(name)?.clone()));
    let inherited = ["publish_schedule", "schedule_settings"].into_iter().filter_map(field);
    inherited.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The updates that let a package show a member as it is.
pub(super) fn with_member(package: &Fields, member: &Fields) -> Fields {
    let mut list = package.get("groups").cloned().unwrap_or(Value::Null);
    let mut shown = shown(member);
    let view = Item::from(member);
    for field in ["headline", "slugline"] {
        if view.has(field) {
            shown.insert(field.to_owned(), view.text(field).into());
        }
    }
    groups::set_in_references(&mut list, id_of(member), &shown);
    fields([("groups", list)])
}

/// What references say of a member that can change.
fn shown(member: &Fields) -> Fields {
    let mut shown = fields([("_current_version", version_of(member).into())]);
    if let Some(associations) = member.get("associations").filter(|_| Item::from(member).has("associations"))
    {
        shown.insert("associations".to_owned(), associations.clone());
    }
    shown
}

/// The packages that a member is in, without one.
fn links_without(member: &Fields, package: &str) -> Vec<Value> {
    let links = member.get("linked_in_packages").and_then(Value::as_array).into_iter().flatten();
    let is_other = |link: &&Value| link.get("package").and_then(Value::as_str) != Some(package);
    links.filter(is_other).cloned().collect()
}

/// A member that a correction has added goes out with the package from now on.
fn link(producer: &mut Producer<'_>, member: &str, package: &str) {
    relink(producer, member, package);
    let update = fields([("published_in_package", package.into())]);
    producer.touch(Target::Item(member.to_owned()), update);
}

/// Tells a member of a package that it is in it.
pub(super) fn relink(producer: &mut Producer<'_>, member: &str, package: &str) {
    if let Some(item) = producer.item(member) {
        let mut links = links_without(&item, package);
        links.push(json!({"package": package}));
        producer.touch(Target::Item(member.to_owned()), fields([("linked_in_packages", links.into())]));
    }
}

/// Tells an item that it is no longer in a package.
pub(super) fn unlink(producer: &mut Producer<'_>, member: &str, package: &str) {
    if let Some(item) = producer.item(member) {
        let links = links_without(&item, package);
        producer.touch(Target::Item(member.to_owned()), fields([("linked_in_packages", links.into())]));
    }
}
