//! Which events a deed must cause: the difference of two states, with its reason.

use std::collections::BTreeSet;

use super::oracle::{State, World};
use super::story::Deed;

/// (kind, fence or list, device or ad, event, reason)
pub(crate) type Expected = (&'static str, String, String, &'static str, &'static str);

pub(crate) fn expected(before: &World, deed: &Deed, was: &State, is: &State) -> Vec<Expected> {
    let mut events = all(before, deed, was, is);
    let doubtful = |event: &Expected| {
        let pair = (event.1.clone(), event.2.clone());
        was.doubt.contains(&pair) || is.doubt.contains(&pair)
    };
    events.retain(|event| !doubtful(event));
    events
}

fn all(before: &World, deed: &Deed, was: &State, is: &State) -> Vec<Expected> {
    let mut events = Vec::new();
    let (fence_enter, fence_exit) = match deed {
        Deed::Fix { .. } => (Some("update:pos"), "update:pos"),
        Deed::Put { collection: "fences", id, body } => {
            match (before.fences.contains_key(id), body["initial"] == true) {
                (true, _) => (Some("fence_changed"), "fence_changed"),
                (false, true) => (Some("initial"), "initial"),
                (false, false) => (None, "initial"),
            }
        }
        Deed::Delete { collection: "fences", .. } => (None, "fence_removed"),
        _ => (None, "deleted"),
    };
    differ("fence", &was.inside, &is.inside, fence_enter, fence_exit, &mut events);
    let (enter, exit) = match deed {
        Deed::Fix { .. } => (Some("update:pos"), "update:pos"),
        Deed::Put { collection: "ads", id, body } => {
            let was_live = before.ads.get(id).is_some_and(|ad| ad["active"] != false);
            let enter = if was_live { "changed" } else { "new:ad" };
            (Some(enter), if body["active"] == false { "removed" } else { "changed" })
        }
        Deed::Put { collection: "adlists", id, body } => {
            let Some(earlier) = before.lists.get(id) else {
                return events;
            };
            if owner(earlier) != owner(body) && body["active"] != false {
                let of_list = |pair: &&(String, String)| pair.0 == *id;
                events.extend(
                    was.members.iter().filter(of_list).map(|pair| told("match", pair, "exit", "changed")),
                );
                events.extend(
                    is.members.iter().filter(of_list).map(|pair| told("match", pair, "enter", "changed")),
                );
                return events;
            }
            (Some("changed"), if body["active"] == false { "removed" } else { "changed" })
        }
        _ => (None, "removed"),
    };
    differ("match", &was.members, &is.members, enter, exit, &mut events);
    events
}

fn owner(list: &serde_json::Value) -> String {
    format!(
        "{}/{}",
        list["device"],
        if list["device"].is_null() { &list["user"] } else { &serde_json::Value::Null }
    )
}

fn told(kind: &'static str, pair: &(String, String), event: &'static str, reason: &'static str) -> Expected {
    (kind, pair.0.clone(), pair.1.clone(), event, reason)
}

fn differ(
    kind: &'static str,
    was: &BTreeSet<(String, String)>,
    is: &BTreeSet<(String, String)>,
    enter: Option<&'static str>,
    exit: &'static str,
    events: &mut Vec<Expected>,
) {
    events.extend(was.difference(is).map(|pair| told(kind, pair, "exit", exit)));
    if let Some(reason) = enter {
        events.extend(is.difference(was).map(|pair| told(kind, pair, "enter", reason)));
    }
}
