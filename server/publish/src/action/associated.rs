//! What is wrong with items that go along with another: associated items, and members of a package.

use std::borrow::Cow;
use std::collections::BTreeSet;

use dateline_formats::{Fields, Item};
use serde_json::Value;

use super::draft::{Draft, id_of, is_package, merged};
use super::groups;
use super::limits::PACKAGE_DEPTH_MAX;
use super::producer::Producer;
use super::publish_action::PublishAction;
use super::times::Wall;
use crate::validate::{Candidate, is_related_content, validate};

/// Messages about all that would go out with the item.
pub(super) fn faults(producer: &Producer<'_>, draft: &Draft) -> Vec<String> {
    let schedule = Wall::Schedule.instant(&draft.updates).or_else(|| Wall::Schedule.instant(&draft.original));
    let seen = BTreeSet::from([draft.id().to_owned()]);
    let mut inspection = Inspection { producer, action: draft.action, schedule, seen, messages: Vec::new() };
    inspection.inspect(&draft.original, Some(&draft.updates), PACKAGE_DEPTH_MAX);
    inspection.messages
}

struct Inspection<'a> {
    producer: &'a Producer<'a>,
    action: PublishAction,
    schedule: Option<jiff::Timestamp>,
    /// Packages whose members were looked at: they may be nested in each other in more ways than can be followed.
    seen: BTreeSet<String>,
    messages: Vec<String>,
}

/// Something that goes along.
struct Along<'a> {
    /// As it stands in the item, if it does.
    embedded: Option<&'a Fields>,
    /// As it is in production, if it is there.
    stored: Option<Fields>,
    /// Whether it goes its own way.
    is_related: bool,
}

impl Inspection<'_> {
    fn inspect(&mut self, item: &Fields, updates: Option<&Fields>, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        let associations = associations_of(item, updates);
        for (key, association) in &associations {
            let along = match association {
                Value::Object(embedded) if !id_of(embedded).is_empty() => Along {
                    embedded: Some(embedded),
                    stored: self.producer.item(id_of(embedded)),
                    is_related: is_related_content(&self.producer.context.rules, key),
                },
                Value::String(id) => {
                    Along { embedded: None, stored: self.producer.item(id), is_related: false }
                }
                _ => continue,
            };
            self.inspect_one(&along, is_package(item), depth);
        }
        let goes_out = matches!(self.action, PublishAction::Publish | PublishAction::Schedule);
        if is_package(item) && goes_out {
            for member in groups::members(item) {
                let along = Along { embedded: None, stored: self.producer.item(&member), is_related: false };
                self.inspect_one(&along, true, depth);
            }
        }
    }

    fn inspect_one(&mut self, along: &Along<'_>, is_in_package: bool, depth: usize) {
        let Some(current) = along.stored.as_ref().or(along.embedded) else {
            return;
        };
        let document = along.embedded.unwrap_or(current);
        if is_in_package && self.seen.insert(id_of(current).to_owned()) {
            self.inspect(document, None, depth);
        }
        let state = match Item::from(current).text("state") {
            "" => "published",
            state => state,
        };
        match (state, self.schedule) {
            ("killed" | "recalled" | "spiked", _) | ("scheduled", None) => {
                self.messages.push(format!("Item cannot contain associated {state} item."));
            }
            ("scheduled", Some(own)) if Wall::Schedule.instant(current).is_some_and(|due| own < due) => {
                self.messages.push("Associated item is scheduled later than current item.".to_owned());
            }
            _ => {}
        }
        if Item::from(document).has("embargo") {
            self.messages.push("Item cannot have associated items with Embargo".to_owned());
        }
        if !matches!(state, "published" | "corrected") {
            self.validate(along, document);
        }
        self.inspect_lock(current, document);
    }

    /// What goes out must be valid. Related items that stay behind need not be; of those that go along, the item names
    /// little more than the id, so they are judged as they are in production.
    fn validate(&mut self, along: &Along<'_>, document: &Fields) {
        let context = self.producer.context;
        if along.is_related && !context.settings.publishes_associated_items {
            return;
        }
        let item = match &along.stored {
            Some(stored) if along.is_related => Cow::Owned(merged(stored, document)),
            _ => Cow::Borrowed(document),
        };
        let candidate = Candidate {
            act: self.action.act(),
            kind: Item::from(&*item).text("type"),
            item: &item,
            is_embedded: along.embedded.is_some(),
            names_headline: true,
        };
        let slugline = Item::from(&*item).text("slugline");
        let errors = validate(&context.rules, &candidate).errors;
        self.messages.extend(errors.into_iter().map(|error| format!("Associated item {slugline} {error}")));
    }

    /// Who holds the lock is compared with who acts.
    ///
    /// Superdesk compares with who has locked the item that is published, so that who has let go of that one first is told
    /// that another holds the lock.
    fn inspect_lock(&mut self, current: &Fields, document: &Fields) {
        let context = self.producer.context;
        let holder = Item::from(current).text("lock_user");
        if !context.settings.publishes_associated_items || holder.is_empty() {
            return;
        }
        let item = Item::from(document);
        let headline = if item.has("headline") { item.text("headline") } else { id_of(document) };
        self.messages.push(if holder == context.editor.id {
            format!("{headline}: packaged item is locked by you. Unlock it and try again")
        } else {
            format!("{headline}: packaged item is locked by another user")
        });
    }
}

/// The associations as they will be.
fn associations_of(item: &Fields, updates: Option<&Fields>) -> Fields {
    let of = |item: &Fields| item.get("associations").and_then(Value::as_object).cloned().unwrap_or_default();
    match updates {
        Some(updates) => merged(&of(item), &of(updates)),
        None => of(item),
    }
}
