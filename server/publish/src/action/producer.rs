//! The producer: takes an item through an action, with all that goes along.

use std::collections::BTreeSet;

use dateline_formats::{Fields, Item};
use serde_json::{Value, json};

use super::context::Context;
use super::draft::{Draft, fields, id_of, merged, version_of, without_system};
use super::limits::{ITEMS_MAX, PACKAGE_DEPTH_MAX};
use super::production::{Left, Notice, Production, Request, Target, Touch};
use super::publish_action::PublishAction;
use super::refusal::Refusal;
use super::times::{self, Wall};
use super::{associations, checks, correct, media, members, metadata, snapshot, withdraw};

/// An action under way. Later steps see what earlier ones have changed.
pub(super) struct Producer<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) out: Production,
    /// Ids of items that were taken up; each goes through once.
    taken_up: BTreeSet<String>,
    /// Items that are being published, one for the sake of another.
    depth: usize,
    /// Whether somebody has read the warnings.
    pub(super) is_confirmed: bool,
}

/// How an item came to be published.
#[derive(Clone, Copy, Default)]
pub(super) struct Cause<'a> {
    /// The package of which it is a member.
    pub(super) package: Option<&'a str>,
    /// The desk through which a personal item goes out.
    pub(super) desk: Option<&'a str>,
}

impl<'a> Producer<'a> {
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { context, out: Production::default(), taken_up: BTreeSet::new(), depth: 0, is_confirmed: false }
    }

    /// An item as it is now.
    pub(super) fn item(&self, id: &str) -> Option<Fields> {
        if let Some(changed) = self.out.versions.iter().rfind(|item| id_of(item) == id) {
            return Some(changed.clone());
        }
        let mut item = self.context.archive.item(id)?;
        let is_of = |touch: &&Touch| matches!(&touch.target, Target::Item(own) if own == id);
        for touch in self.out.touched.iter().filter(is_of) {
            item = merged(&item, &touch.fields);
        }
        Some(item)
    }

    /// Sets fields of an item without a new version.
    pub(super) fn touch(&mut self, target: Target, fields: Fields) {
        if let Target::Item(id) = &target
            && let Some(changed) = self.out.versions.iter_mut().rfind(|item| id_of(item) == id)
        {
            changed.extend(fields);
            return;
        }
        self.out.touched.push(Touch { target, fields });
    }

    /// Publishes, corrects or withdraws an item, with what goes along; gives it as it is then.
    pub(super) fn publish(
        &mut self,
        action: PublishAction,
        original: Fields,
        updates: Fields,
        cause: Cause<'_>,
    ) -> Result<Fields, Refusal> {
        if self.depth >= PACKAGE_DEPTH_MAX {
            return Err(Refusal::bad_request(format!("Nested more than {PACKAGE_DEPTH_MAX} levels.")));
        }
        self.take_up(id_of(&original))?;
        self.depth += 1;
        let published = self.publish_taken_up(action, original, updates, cause);
        self.depth -= 1;
        published
    }

    fn publish_taken_up(
        &mut self,
        action: PublishAction,
        mut original: Fields,
        updates: Fields,
        cause: Cause<'_>,
    ) -> Result<Fields, Refusal> {
        if matches!(action, PublishAction::Kill | PublishAction::Takedown) {
            withdraw::check_packages(self, id_of(&original))?;
        }
        let mut updates = without_system(updates);
        associations::refresh(self, &mut original);
        associations::complete(self, &mut updates);
        let is_timed = action == PublishAction::Publish && times::is_set(&updates, Wall::Schedule);
        let action = if is_timed { PublishAction::Schedule } else { action };
        let mut draft = Draft { action, original, updates };
        checks::check(self, &draft)?;
        metadata::write(self.context, &mut draft, cause);
        match action {
            PublishAction::Correct => correct::write(self, &mut draft),
            PublishAction::Kill | PublishAction::Takedown | PublishAction::Unpublish => {
                withdraw::write(self, &mut draft);
            }
            _ => metadata::write_first(self.context, &mut draft),
        }
        if draft.is_package() {
            members::publish(self, &mut draft)?;
        } else if !action.is_withdrawal() {
            associations::publish(self, &mut draft)?;
        }
        media::resend(self, &mut draft);
        let item = self.finish(&draft);
        if action == PublishAction::Correct {
            self.correct_packages(&item);
        }
        Ok(item)
    }

    /// Whether an item goes through already.
    pub(super) fn is_taken_up(&self, id: &str) -> bool {
        self.taken_up.contains(id)
    }

    /// Notes that an item goes through.
    pub(super) fn take_up(&mut self, id: &str) -> Result<(), Refusal> {
        if self.taken_up.len() >= ITEMS_MAX {
            return Err(Refusal::bad_request(format!("More than {ITEMS_MAX} items would be published.")));
        }
        self.taken_up.insert(id.to_owned());
        Ok(())
    }

    /// Adds the item, its published row, its history, the request and the notice.
    fn finish(&mut self, draft: &Draft) -> Fields {
        let item = draft.merged();
        let id = draft.id();
        self.touch(Target::Snapshots(id.to_owned()), snapshot::no_longer_last());
        self.out.snapshots.push(snapshot::of(&item, self.context.now));
        self.record(&item, draft.action.operation(), &draft.updates);
        if let Some(action) = draft.action.requested() {
            let due =
                (draft.action == PublishAction::Schedule).then(|| Wall::Schedule.instant(&item)).flatten();
            let version = version_of(&item);
            // What was asked of an earlier version, as a medium of another item, is done with this one.
            self.out.requests.retain(|request| request.item != id);
            let request = Request { action, item: id.to_owned(), version, due, chosen: Vec::new() };
            self.out.requests.push(request);
        }
        self.announce(&item);
        self.out.versions.push(item.clone());
        item
    }

    /// Tells that an item goes out.
    pub(super) fn announce(&mut self, item: &Fields) {
        let view = Item::from(item);
        let desk = view.object("task").map(|task| task.text("desk")).unwrap_or_default();
        let more = [("unique_name", view.text("unique_name").into()), ("desk", desk.into())];
        self.notify("item:publish", id_of(item), more);
    }

    /// Adds a history row.
    pub(super) fn record(&mut self, item: &Fields, operation: &str, update: &Fields) {
        let user = self.context.editor.id;
        self.out.history.push(fields([
            ("item_id", id_of(item).into()),
            ("user_id", if user.is_empty() { Value::Null } else { user.into() }),
            ("operation", operation.into()),
            ("update", Value::from(update.clone())),
            ("version", version_of(item).into()),
        ]));
    }

    /// Adds an event of an item.
    pub(super) fn notify<const N: usize>(
        &mut self,
        event: &'static str,
        item: &str,
        more: [(&str, Value); N],
    ) {
        let mut extra = fields([("item", item.into())]);
        extra.extend(fields(more));
        extra.insert("user".to_owned(), json!(self.context.editor.id));
        self.out.notices.push(Notice { event, extra });
    }

    /// Packages that are out show the headline and slugline of their members, so they are corrected with them. One that
    /// cannot be is left as it is and told: it must not hold up the correction of its member.
    fn correct_packages(&mut self, item: &Fields) {
        let id = id_of(item);
        for package in self.context.archive.packages(id) {
            let state = Item::from(&package).text("state").to_owned();
            let package_id = id_of(&package).to_owned();
            if !matches!(state.as_str(), "published" | "corrected") || self.is_taken_up(&package_id) {
                continue;
            }
            let updates = members::with_member(&package, item);
            let before = (self.out.clone(), self.taken_up.clone());
            if let Err(refusal) = self.publish(PublishAction::Correct, package, updates, Cause::default()) {
                (self.out, self.taken_up) = before;
                self.out.left.push(Left { package: package_id, refusal });
            }
        }
    }
}
