//! The copy that goes out by itself: what is done with it when something is done with its source.

use dateline_formats::{Fields, Item};
use serde_json::Value;

use super::event::Event;
use crate::action::{Command, Edit, State, said_with_withdrawal};

/// Members that a copy has of its own. Everything else is content.
const OWN: [&str; 49] = [
    "guid",
    "uri",
    "family_id",
    "unique_id",
    "unique_name",
    "original_id",
    "event_id",
    "processed_from",
    "type",
    "task",
    "state",
    "revert_state",
    "operation",
    "pubstatus",
    "source",
    "sign_off",
    "expiry",
    "firstcreated",
    "versioncreated",
    "firstpublished",
    "original_creator",
    "version_creator",
    "publish_schedule",
    "schedule_settings",
    "embargo",
    "lock_user",
    "lock_session",
    "lock_time",
    "lock_action",
    "rewrite_of",
    "rewritten_by",
    "rewrite_sequence",
    "correction_sequence",
    "published_in_package",
    "linked_in_packages",
    "highlights",
    "marked_for_user",
    "previous_marked_user",
    "translation_id",
    "translations",
    "auto_publish",
    "word_count",
    "ingest_id",
    "ingest_version",
    "moved_to_legal",
    "archived",
    "item_id",
    "queue_state",
    "last_published_version",
];
/// What a withdrawal may change of the content.
const OF_WITHDRAWAL: [&str; 6] = ["headline", "slugline", "abstract", "ednote", "urgency", "priority"];

/// What is done with the copy.
#[derive(Clone, Debug, PartialEq)]
pub enum Follow {
    /// It is made, and published with these updates.
    Make(Fields),
    /// An action, with these updates.
    Act(Event, Fields),
    /// Not now: what is under way with the copy comes first.
    Wait(&'static str),
    /// Nothing; why.
    Leave(String),
}

/// Decides what is done with the copy, as it is stored or missing, when `event` was done with its source.
#[must_use]
pub fn follow(event: Event, source: &Fields, copy: Option<&Fields>) -> Follow {
    let Some(copy) = copy else {
        return match event {
            Event::Publish | Event::Correct => Follow::Make(times(source)),
            _ => Follow::Leave("there is no copy".to_owned()),
        };
    };
    let state = State::named(Item::from(copy).text("state"));
    match event {
        Event::Publish | Event::Correct => go_out(state, source, copy),
        Event::Kill | Event::Takedown => Follow::Act(event, withdrawn(source, copy)),
        Event::Unpublish => Follow::Act(event, automatic(Fields::new())),
        Event::Deschedule if state == Some(State::Scheduled) => {
            Follow::Act(event, Fields::from_iter([("publish_schedule".to_owned(), Value::Null)]))
        }
        Event::Deschedule => Follow::Leave("the copy is not scheduled".to_owned()),
    }
}

/// A version of the source that is out.
fn go_out(state: Option<State>, source: &Fields, copy: &Fields) -> Follow {
    use State::{
        Corrected, Correction, Fetched, InProgress, Published, Routed, Scheduled, Submitted, Unpublished,
    };
    let content = content(source, copy);
    match state {
        Some(Published | Corrected | Correction) if content.is_empty() => {
            Follow::Leave("nothing is new".to_owned())
        }
        Some(Published | Corrected | Correction) => Follow::Act(Event::Correct, automatic(content)),
        Some(Routed | Fetched | Submitted | InProgress | Unpublished) => {
            let mut updates = times(source);
            if Item::from(copy).has("publish_schedule") {
                // A schedule that was given up stays in an item until somebody clears it.
                updates.entry("publish_schedule").or_insert(Value::Null);
            }
            updates.extend(content);
            Follow::Act(Event::Publish, updates)
        }
        Some(Scheduled) => Follow::Wait("the copy is scheduled"),
        Some(state) => Follow::Leave(format!("the copy is {}", state.name())),
        None => Follow::Leave("the copy has no state".to_owned()),
    }
}

/// Content of the source that the copy does not have.
fn content(source: &Fields, copy: &Fields) -> Fields {
    let is_content = |field: &str| !field.starts_with('_') && !OWN.contains(&field);
    let new = source.iter().filter(|(field, value)| is_content(field) && copy.get(*field) != Some(*value));
    new.map(|(field, value)| (field.clone(), value.clone())).collect()
}

/// The schedule of a source that waits for its time, and its embargo: the copy has the same.
fn times(source: &Fields) -> Fields {
    let item = Item::from(source);
    let fields: &[&str] = match (item.text("state") == State::Scheduled.name(), item.has("embargo")) {
        (true, _) => &["publish_schedule", "schedule_settings"],
        (false, true) => &["embargo", "schedule_settings"],
        (false, false) => &[],
    };
    let set = fields.iter().filter_map(|field| Some(((*field).to_owned(), source.get(*field)?.clone())));
    automatic(set.collect())
}

/// What a kill says of the source, it says of the copy; the paragraph that names the story is the copy's own.
fn withdrawn(source: &Fields, copy: &Fields) -> Fields {
    let new = OF_WITHDRAWAL.iter().filter_map(|field| {
        let value = source.get(*field)?;
        (copy.get(*field) != Some(value)).then(|| ((*field).to_owned(), value.clone()))
    });
    let mut updates: Fields = new.collect();
    let said = said_with_withdrawal(Item::from(source).text("body_html"));
    if !said.is_empty() {
        updates.insert("body_html".to_owned(), said.into());
    }
    automatic(updates)
}

/// Held to the validators of what nobody looks at.
fn automatic(mut updates: Fields) -> Fields {
    updates.insert("auto_publish".to_owned(), Value::Bool(true));
    updates
}

impl Follow {
    /// What the producer is asked.
    #[must_use]
    pub fn command(&self) -> Option<Command<'_>> {
        let (event, updates) = match self {
            Self::Make(updates) => (Event::Publish, updates),
            Self::Act(event, updates) => (*event, updates),
            Self::Wait(_) | Self::Leave(_) => return None,
        };
        let edit = Edit { updates, desk: None, is_confirmed: true };
        Some(match event {
            Event::Publish => Command::Publish(edit),
            Event::Correct => Command::Correct(edit),
            Event::Kill => Command::Kill(edit),
            Event::Takedown => Command::Takedown(edit),
            Event::Unpublish => Command::Unpublish(edit),
            Event::Deschedule => Command::Deschedule(edit),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        value.as_object().cloned().unwrap()
    }

    fn check(event: Event, source: Value, copy: Value, expected: Follow) {
        let copy_fields = copy.as_object().cloned();
        assert_eq!(
            follow(event, &fields(source.clone()), copy_fields.as_ref()),
            expected,
            "{event:?} {source} {copy}"
        );
    }

    fn act(event: Event, updates: Value) -> Follow {
        Follow::Act(event, fields(updates))
    }

    #[test]
    fn a_copy_is_made_once_and_corrected_then() {
        let source =
            json!({"_id": "a", "state": "published", "headline": "H", "guid": "a", "task": {"desk": "x"}});
        check(
            Event::Publish,
            source.clone(),
            json!(null),
            Follow::Make(fields(json!({"auto_publish": true}))),
        );
        check(
            Event::Correct,
            source.clone(),
            json!(null),
            Follow::Make(fields(json!({"auto_publish": true}))),
        );
        let out =
            |state: &str| json!({"state": state, "headline": "old", "guid": "b", "task": {"desk": "y"}});
        let updates = json!({"headline": "H", "auto_publish": true});
        for state in ["published", "corrected", "correction"] {
            check(Event::Correct, source.clone(), out(state), act(Event::Correct, updates.clone()));
        }
        for state in ["routed", "in_progress", "unpublished"] {
            check(Event::Correct, source.clone(), out(state), act(Event::Publish, updates.clone()));
        }
        let given_up =
            json!({"state": "in_progress", "headline": "H", "publish_schedule": "2030-01-01T00:00:00+0000"});
        let updates = json!({"auto_publish": true, "publish_schedule": null});
        check(Event::Publish, source.clone(), given_up, act(Event::Publish, updates));
        let same = json!({"state": "published", "headline": "H"});
        check(Event::Correct, source.clone(), same, Follow::Leave("nothing is new".to_owned()));
        check(Event::Correct, source.clone(), out("scheduled"), Follow::Wait("the copy is scheduled"));
        check(Event::Publish, source, out("killed"), Follow::Leave("the copy is killed".to_owned()));
    }

    #[test]
    fn times_go_along() {
        let at = "2030-01-01T00:00:00+0000";
        let settings = json!({"time_zone": "Europe/Oslo"});
        let scheduled = json!({"state": "scheduled", "publish_schedule": at, "schedule_settings": settings});
        let updates = json!({"publish_schedule": at, "schedule_settings": settings, "auto_publish": true});
        check(Event::Publish, scheduled.clone(), json!(null), Follow::Make(fields(updates)));
        let mut due = scheduled;
        due["state"] = "published".into();
        check(Event::Publish, due, json!(null), Follow::Make(fields(json!({"auto_publish": true}))));
        let kept = json!({"state": "published", "embargo": at, "schedule_settings": settings});
        let updates = json!({"embargo": at, "schedule_settings": settings, "auto_publish": true});
        check(Event::Publish, kept, json!(null), Follow::Make(fields(updates)));
    }

    #[test]
    fn a_copy_is_taken_back_with_its_source() {
        let source = json!({
            "state": "killed", "headline": "KILL", "slugline": "s", "dateline": {"text": "new"},
            "body_html": "<p>Please kill story slugged s.</p><p>It was wrong.</p>",
        });
        let copy = json!({"state": "published", "headline": "H", "slugline": "s"});
        let updates = json!({"headline": "KILL", "body_html": "<p>It was wrong.</p>", "auto_publish": true});
        check(Event::Kill, source.clone(), copy.clone(), act(Event::Kill, updates));
        check(Event::Kill, source.clone(), json!(null), Follow::Leave("there is no copy".to_owned()));
        check(
            Event::Unpublish,
            source.clone(),
            copy.clone(),
            act(Event::Unpublish, json!({"auto_publish": true})),
        );
        check(Event::Deschedule, source.clone(), copy, Follow::Leave("the copy is not scheduled".to_owned()));
        let waiting = json!({"state": "scheduled"});
        check(Event::Deschedule, source, waiting, act(Event::Deschedule, json!({"publish_schedule": null})));
    }
}
