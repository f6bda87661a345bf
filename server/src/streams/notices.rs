//! Notifications: what clients are told in a few words of a record of the log, by the names that newsroom clients know.
//!
//! ```text
//! {"event": name, "extra": {..}, "_created": time, "seq": sequence}
//! resource:created {resource, _id}      resource:updated {resource, _id, fields: {name: 1, "task.desk": 1}}
//! resource:deleted {resource, _id}      users {created | deleted: 1, user_id}      user {updated: 1, user_id}
//! user_disabled, user_inactivated, user_role_changed, user_type_changed, user_privileges_revoked {updated: 1, user_id}
//! role_privileges_revoked {updated: 1, role_id}
//! item:publish, item:lock, item:spike .. {item, user, ..}      publish_queue:update {queue_id, completed_at, state, error_message}
//! ingest:update {provider_id, run}
//! ```
//! They are functions of the log, so they have its ids and are resumed like everything else.

use std::borrow::Cow;

use dateline_engine::{Change, ChangeOp};
use serde_json::{Map, Value, json};

use crate::eve::date;
use crate::ingest;
use crate::publishing;

/// Whether anything is notified of documents of a collection. Events about places have topics of their own.
pub(crate) fn are_of(collection: &str) -> bool {
    !matches!(collection, "matches" | "fence_events")
}

/// What a document was before a change.
#[derive(Clone, Debug)]
pub(crate) enum Before {
    /// There was none.
    Nothing,
    /// There was one, of which nothing is kept.
    Forgotten,
    /// Its body.
    Body(Value),
}

/// What is notified of a change of a document; for a deletion `body` is what was deleted.
pub(crate) fn of(change: &Change, collection: &str, before: &Before, body: &Value) -> Vec<Value> {
    let id = change.id.as_str();
    let mut told: Vec<(Cow<'static, str>, Value)> = Vec::new();
    let (user, role) = (json!({"updated": 1, "user_id": id}), json!({"updated": 1, "role_id": id}));
    match change.op {
        ChangeOp::Put if matches!(before, Before::Nothing) => {
            told.extend(publishing::notices_of(collection, id, None, body));
            told.extend(ingest::notices_of(collection, id, None, body));
            told.push(("resource:created".into(), json!({"resource": collection, "_id": id})));
            if collection == "users" {
                told.push(("users".into(), json!({"created": 1, "user_id": id})));
            }
        }
        ChangeOp::Put => {
            let known = if let Before::Body(before) = before { Some(before) } else { None };
            told.extend(publishing::notices_of(collection, id, known, body));
            told.extend(ingest::notices_of(collection, id, known, body));
            let (before, fields) = match before {
                Before::Body(before) => (before, changed(before, body)),
                // What differs cannot be told.
                _ => (body, Map::new()),
            };
            if collection == "users" {
                let names = of_user(before, body);
                told.extend(names.into_iter().map(|name| (name.into(), user.clone())));
            }
            if collection == "roles" && has_less(before, body) {
                told.push(("role_privileges_revoked".into(), role));
            }
            told.push((
                "resource:updated".into(),
                json!({"resource": collection, "_id": id, "fields": fields}),
            ));
        }
        _ => {
            told.push(("resource:deleted".into(), json!({"resource": collection, "_id": id})));
            if collection == "users" {
                told.push(("users".into(), json!({"deleted": 1, "user_id": id})));
            }
        }
    }
    let (at, seq) = (date::format(change.at.get()), change.seq.get());
    let message = |(event, extra)| json!({"event": event, "extra": extra, "_created": at, "seq": seq});
    told.into_iter().map(message).collect()
}

/// Names of the members that differ; of objects the members inside, as `task.desk`. The system's are left out.
fn changed(before: &Value, after: &Value) -> Map<String, Value> {
    let mut fields = Map::new();
    let none = Map::new();
    let (before, after) = (before.as_object().unwrap_or(&none), after.as_object().unwrap_or(&none));
    for (name, was, is) in differing(before, after).filter(|(name, ..)| !name.starts_with('_')) {
        match (was.and_then(Value::as_object), is.and_then(Value::as_object)) {
            (Some(was), Some(is)) => {
                for (inner, ..) in differing(was, is) {
                    fields.insert(format!("{name}.{inner}"), 1.into());
                }
            }
            _ => drop(fields.insert(name.clone(), 1.into())),
        }
    }
    fields
}

type Differing<'a> = (&'a String, Option<&'a Value>, Option<&'a Value>);

fn differing<'a>(
    before: &'a Map<String, Value>,
    after: &'a Map<String, Value>,
) -> impl Iterator<Item = Differing<'a>> {
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
    let gone = gone.map(|(name, was)| (name, Some(was), None));
    let other = after.iter().map(|(name, is)| (name, before.get(name), Some(is)));
    other.filter(|(_, was, is)| was != is).chain(gone)
}

/// What has happened to a user, beside that something has.
fn of_user(before: &Value, after: &Value) -> Vec<&'static str> {
    // As they count where nothing is said.
    let flag = |body: &Value, name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(true);
    let differs = |name: &str| before.get(name) != after.get(name);
    let ended = |name: &str| flag(before, name) && !flag(after, name);
    let is_administrator = after.get("user_type").and_then(Value::as_str) == Some("administrator");
    let all = [
        ("user_disabled", ended("is_enabled")),
        ("user_inactivated", ended("is_active")),
        ("user_role_changed", differs("role")),
        ("user_type_changed", differs("user_type") && !is_administrator),
        ("user_privileges_revoked", has_less(before, after)),
        ("user", true),
    ];
    all.into_iter().filter(|(_, has_happened)| *has_happened).map(|(name, _)| name).collect()
}

/// Whether a privilege that was held is held no more.
fn has_less(before: &Value, after: &Value) -> bool {
    let held = |body: &Value, name: &str| {
        let privilege = body.get("privileges").and_then(|privileges| privileges.get(name));
        privilege.is_some_and(|value| value == &json!(true) || value.as_u64().is_some_and(|value| value > 0))
    };
    let known = before.get("privileges").and_then(Value::as_object);
    known.is_some_and(|known| known.keys().any(|name| held(before, name) && !held(after, name)))
}

#[cfg(test)]
mod tests {
    use dateline_engine::{CollectionId, DocId, Epoch, Millis, Seq};

    use super::*;

    fn told(op: ChangeOp, collection: &str, before: Before, after: Value) -> Vec<(String, Value)> {
        let change = Change {
            seq: Seq::new(7),
            group_last: Seq::new(7),
            prev_seq: Seq::new(3),
            at: Millis::new(0),
            epoch: Epoch::new(1),
            collection: CollectionId::new(1),
            id: DocId::new("d").unwrap(),
            op,
        };
        let told = of(&change, collection, &before, &after);
        let split = |message: Value| {
            assert!(message["seq"] == 7 && message["_created"].is_string(), "{message}");
            (message["event"].as_str().unwrap().to_owned(), message["extra"].clone())
        };
        told.into_iter().map(split).collect()
    }

    fn names(op: ChangeOp, collection: &str, before: Before, after: Value) -> Vec<String> {
        told(op, collection, before, after).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn documents_are_created_updated_and_deleted() {
        let put = |before, after| told(ChangeOp::Put, "ads", before, after);
        let made = put(Before::Nothing, json!({"title": "a", "_version": 1}));
        assert_eq!(made, [("resource:created".to_owned(), json!({"resource": "ads", "_id": "d"}))]);
        let before = json!({"title": "a", "task": {"desk": 1, "stage": 2}, "old": 1, "_version": 1});
        let after = json!({"title": "b", "task": {"desk": 3, "stage": 2}, "new": null, "_version": 2});
        let fields = json!({"title": 1, "task.desk": 1, "old": 1, "new": 1});
        let expected = json!({"resource": "ads", "_id": "d", "fields": fields});
        assert_eq!(put(Before::Body(before), after), [("resource:updated".to_owned(), expected)]);
        let blind = put(Before::Forgotten, json!({"title": "b", "_version": 2}));
        let expected = json!({"resource": "ads", "_id": "d", "fields": {}});
        assert_eq!(blind, [("resource:updated".to_owned(), expected)]);
        for op in [ChangeOp::Delete, ChangeOp::Expire] {
            assert_eq!(
                names(op, "ads", Before::Body(json!({"a": 1})), json!({"a": 1})),
                ["resource:deleted"]
            );
        }
    }

    #[test]
    fn users_and_roles_are_told_of_in_their_own_words() {
        let user = |changes: &[(&str, Value)]| {
            let mut user = json!({"username": "ann", "user_type": "administrator", "role": "r", "privileges": {"a": 1, "b": 0}});
            changes.iter().for_each(|(name, value)| user[*name] = value.clone());
            user
        };
        let check = |changes: &[(&str, Value)], expected: &[&str]| {
            let mut all = names(ChangeOp::Put, "users", Before::Body(user(&[])), user(changes));
            assert_eq!(all.pop().as_deref(), Some("resource:updated"), "the last, which moves the place on");
            assert_eq!(all.pop().as_deref(), Some("user"));
            assert_eq!(all, expected, "{changes:?}");
        };
        check(&[("email", json!("x"))], &[]);
        check(&[("is_enabled", json!(false))], &["user_disabled"]);
        check(&[("is_active", json!(false))], &["user_inactivated"]);
        check(&[("is_enabled", json!(true))], &[]);
        check(&[("role", Value::Null)], &["user_role_changed"]);
        check(&[("user_type", json!("user"))], &["user_type_changed"]);
        check(&[("privileges", json!({"a": 0}))], &["user_privileges_revoked"]);
        check(&[("privileges", json!({}))], &["user_privileges_revoked"]);
        check(&[("privileges", json!({"a": 1, "c": 1}))], &[]);
        let before = Before::Body(json!({"privileges": {"a": 1}}));
        let all = names(ChangeOp::Put, "roles", before, json!({"privileges": {}}));
        assert_eq!(all, ["role_privileges_revoked", "resource:updated"]);
        assert_eq!(names(ChangeOp::Put, "users", Before::Nothing, user(&[])), ["resource:created", "users"]);
        assert_eq!(names(ChangeOp::Put, "users", Before::Forgotten, user(&[])), ["user", "resource:updated"]);
        assert_eq!(
            names(ChangeOp::Delete, "users", Before::Forgotten, user(&[])),
            ["resource:deleted", "users"]
        );
        assert!(!are_of("matches") && are_of("ads"));
    }
}
