//! Which events a deed must cause: the difference of two states, with its reason.

use super::oracle::{State, World};
use super::story::Deed;

/// (kind, fence or list, device or ad, event, reason, time of a fence's event)
pub(crate) type Expected = (&'static str, String, String, &'static str, &'static str, u64);

/// What lists and fences must tell; `told` is what the watch over fences said.
pub(crate) fn expected(
    before: &World,
    deed: &Deed,
    was: &State,
    is: &State,
    told: Vec<Expected>,
) -> Vec<Expected> {
    let mut events = matches(before, deed, was, is);
    events.extend(told);
    let doubtful = |event: &Expected| {
        let pair = (event.1.clone(), event.2.clone());
        was.doubt.contains(&pair) || is.doubt.contains(&pair)
    };
    events.retain(|event| !doubtful(event));
    events
}

fn matches(before: &World, deed: &Deed, was: &State, is: &State) -> Vec<Expected> {
    let mut events = Vec::new();
    let (enter, exit) = match deed {
        Deed::Fix { .. } => (Some("update:pos"), "update:pos"),
        Deed::Tick { .. } => (None, "expired"),
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
                events.extend(was.members.iter().filter(of_list).map(|pair| told(pair, "exit", "changed")));
                events.extend(is.members.iter().filter(of_list).map(|pair| told(pair, "enter", "changed")));
                return events;
            }
            (Some("changed"), if body["active"] == false { "removed" } else { "changed" })
        }
        _ => (None, "removed"),
    };
    events.extend(was.members.difference(&is.members).map(|pair| told(pair, "exit", exit)));
    if let Some(reason) = enter {
        events.extend(is.members.difference(&was.members).map(|pair| told(pair, "enter", reason)));
    }
    events
}

fn told(pair: &(String, String), event: &'static str, reason: &'static str) -> Expected {
    ("match", pair.0.clone(), pair.1.clone(), event, reason, 0)
}

fn owner(list: &serde_json::Value) -> String {
    format!(
        "{}/{}",
        list["device"],
        if list["device"].is_null() { &list["user"] } else { &serde_json::Value::Null }
    )
}
