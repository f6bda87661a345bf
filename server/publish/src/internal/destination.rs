//! A desk that gets copies of what others publish.

use dateline_formats::{Fields, Item};
use serde_json::Value;

use super::event::{Event, Phase};
use crate::macros::AUTO_PUBLISH;

/// A row of `internal_destinations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether anything is sent there.
    pub is_active: bool,
    /// The content filter that an item must match; none: every item does.
    pub filter: Option<String>,
    /// The desk.
    pub desk: String,
    /// Its stage; none: where the desk has what comes in.
    pub stage: Option<String>,
    /// The macro that a copy goes through.
    pub macro_name: Option<String>,
    /// Whether scheduled items are sent when their time comes; else when they are scheduled.
    pub sends_after_schedule: bool,
}

impl Destination {
    /// Reads a stored row. What is missing is as if it were empty.
    #[must_use]
    pub fn read(id: &str, row: &Value) -> Self {
        let text = |field: &str| {
            let text = row.get(field).and_then(Value::as_str).unwrap_or_default();
            Some(text.to_owned()).filter(|text| !text.is_empty())
        };
        let is_on = |field: &str| row.get(field) == Some(&Value::Bool(true));
        Self {
            id: id.to_owned(),
            name: text("name").unwrap_or_default(),
            is_active: is_on("is_active"),
            filter: text("filter"),
            desk: text("desk").unwrap_or_default(),
            stage: text("stage"),
            macro_name: text("macro"),
            sends_after_schedule: is_on("send_after_schedule"),
        }
    }

    /// Whether its copies go out by themselves.
    #[must_use]
    pub fn publishes(&self) -> bool {
        self.macro_name.as_deref() == Some(AUTO_PUBLISH)
    }

    /// Whether it is told of a version of an item. Where a copy that goes out by itself is there (`has_follower`), it is
    /// told of all that becomes of the item; else of what it takes. `matches` answers for a content filter.
    ///
    /// # Errors
    /// What `matches` fails with.
    pub fn takes<E>(
        &self,
        item: &Fields,
        event: Event,
        phase: Phase,
        has_follower: bool,
        matches: impl FnOnce(&str) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let is_time = match phase {
            Phase::Now => true,
            Phase::Scheduled => !self.sends_after_schedule,
            Phase::Due => self.sends_after_schedule,
        };
        if !self.is_active || !is_time {
            return Ok(false);
        }
        if self.publishes() && has_follower {
            return Ok(true);
        }
        let task = Item::from(item).object("task");
        let is_there = task.is_some_and(|task| task.text("desk") == self.desk);
        let is_told = match event {
            Event::Publish | Event::Correct => true,
            // A copy that goes out by itself is only taken back when there is one.
            Event::Kill | Event::Takedown => !self.publishes(),
            Event::Unpublish | Event::Deschedule => false,
        };
        if is_there || !is_told {
            return Ok(false);
        }
        self.filter.as_deref().map_or(Ok(true), matches)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn destination(more: Value) -> Destination {
        let mut row = json!({"name": "n", "is_active": true, "desk": "b"});
        row.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        Destination::read("d", &row)
    }

    #[test]
    fn a_destination_takes_what_it_says() {
        let check = |more: Value, desk: &str, event, phase, expected: bool| {
            let item = json!({"task": {"desk": desk}}).as_object().cloned().unwrap();
            let takes = destination(more.clone()).takes(&item, event, phase, false, |filter| match filter {
                "broken" => Err(filter.to_owned()),
                filter => Ok(filter == "yes"),
            });
            assert_eq!(takes, Ok(expected), "{more} {desk} {event:?} {phase:?}");
        };
        let plain = || json!({});
        check(plain(), "a", Event::Publish, Phase::Now, true);
        check(plain(), "b", Event::Publish, Phase::Now, false);
        check(json!({"is_active": false}), "a", Event::Publish, Phase::Now, false);
        check(json!({"is_active": null}), "a", Event::Publish, Phase::Now, false);
        for (filter, expected) in
            [(json!("yes"), true), (json!("no"), false), (json!(null), true), (json!(""), true)]
        {
            check(json!({"filter": filter}), "a", Event::Correct, Phase::Now, expected);
        }
        for (event, expected) in [
            (Event::Correct, true),
            (Event::Kill, true),
            (Event::Takedown, true),
            (Event::Unpublish, false),
            (Event::Deschedule, false),
        ] {
            check(plain(), "a", event, Phase::Now, expected);
        }
        check(json!({"macro": AUTO_PUBLISH}), "a", Event::Kill, Phase::Now, false);
        check(json!({"macro": AUTO_PUBLISH}), "a", Event::Correct, Phase::Now, true);
        for (after, phase, expected) in [
            (false, Phase::Scheduled, true),
            (false, Phase::Due, false),
            (true, Phase::Scheduled, false),
            (true, Phase::Due, true),
            (true, Phase::Now, true),
        ] {
            check(json!({"send_after_schedule": after}), "a", Event::Publish, phase, expected);
        }
        let follows = |more: Value, event, phase| {
            let never = |_: &str| Err("nobody asks".to_owned());
            destination(more).takes(&Fields::new(), event, phase, true, never)
        };
        let own = json!({"macro": AUTO_PUBLISH, "filter": "no"});
        assert_eq!(follows(own.clone(), Event::Kill, Phase::Now), Ok(true));
        assert_eq!(follows(own.clone(), Event::Deschedule, Phase::Now), Ok(true));
        assert_eq!(follows(own, Event::Publish, Phase::Due), Ok(false));
        // Nobody asks a filter for what is not sent anyway.
        check(json!({"filter": "broken"}), "b", Event::Publish, Phase::Now, false);
    }

    #[test]
    fn names_lead_back() {
        for event in ["publish", "correct", "kill", "takedown", "unpublish", "deschedule"] {
            assert_eq!(Event::named(event).unwrap().name(), event);
        }
        for phase in [Phase::Now, Phase::Scheduled, Phase::Due] {
            assert_eq!(Phase::named(phase.name()), Some(phase));
        }
        assert_eq!((Event::named("resend"), Phase::named("")), (None, None));
    }
}
