//! Routing schemes: rules that say where ingested items go.
//!
//! Rules are asked in their order. One takes an item when its schedule holds the time, its handler the type, and its
//! filter the item; then it may say that no later one is asked.

mod check;
mod macros;
mod schedule;

pub use crate::fetched::with_defaults;
pub use check::check;
pub use macros::macros;

use dateline_formats::{Fields, Item};
use jiff::Timestamp;
use schedule::Schedule;
use serde_json::Value;

/// Something a rule does with an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A new item on a desk.
    Fetch(Target),
    /// The same, and it is published.
    Publish {
        /// Where.
        target: Target,
        /// `target_subscribers` of the new item.
        subscribers: Vec<Value>,
        /// `target_types` of the new item.
        types: Vec<Value>,
    },
}

/// A desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its id.
    pub desk: String,
    /// The stage; none: where the desk has what comes in.
    pub stage: Option<String>,
    /// The macro that the new item goes through.
    pub macro_name: Option<String>,
}

/// What a rule said to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It took it.
    Taken,
    /// It is not its time.
    NotScheduled,
    /// Its handler knows no items of this type.
    NotHandled,
    /// Its filter does not match.
    NotMatched,
}

/// What a scheme does with an item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routed {
    /// In order.
    pub steps: Vec<Step>,
    /// Rules that were asked, and what they said.
    pub verdicts: Vec<(String, Verdict)>,
}

/// The handler there is.
pub const HANDLER: &str = "desk_fetch_publish";

/// Asks the rules of a scheme. `matches` answers for a content filter.
///
/// # Errors
/// What `matches` fails with.
pub fn route<E>(
    scheme: &Fields,
    item: &Fields,
    now: Timestamp,
    mut matches: impl FnMut(&str) -> Result<bool, E>,
) -> Result<Routed, E> {
    let mut routed = Routed::default();
    for rule in Item::from(scheme).objects("rules") {
        let filter = rule.text("filter");
        let verdict = if !is_scheduled(rule, now) {
            Verdict::NotScheduled
        } else if !handles(rule, item) {
            Verdict::NotHandled
        } else if !filter.is_empty() && !matches(filter)? {
            Verdict::NotMatched
        } else {
            Verdict::Taken
        };
        routed.verdicts.push((rule.text("name").to_owned(), verdict));
        if verdict != Verdict::Taken {
            continue;
        }
        let Some(actions) = rule.object("actions") else { continue };
        steps(actions, item, &mut routed.steps);
        if actions.has("exit") {
            break;
        }
    }
    Ok(routed)
}

/// Whether each rule is in its time, in order.
#[must_use]
pub fn scheduled(scheme: &Fields, now: Timestamp) -> Vec<bool> {
    Item::from(scheme).objects("rules").map(|rule| is_scheduled(rule, now)).collect()
}

fn is_scheduled(rule: Item<'_>, now: Timestamp) -> bool {
    let Some(given) = rule.object("schedule") else { return true };
    // What was saved unchecked and cannot be read holds no time.
    Schedule::read(given).is_ok_and(|schedule| schedule.holds(now))
}

fn handles(rule: Item<'_>, item: &Fields) -> bool {
    let is_known = matches!(rule.text("handler"), "" | HANDLER);
    let kind = Item::from(item).text("type");
    is_known
        && matches!(kind, "text" | "preformatted" | "composite" | "picture" | "audio" | "video" | "graphic")
}

fn steps(actions: Item<'_>, item: &Fields, out: &mut Vec<Step>) {
    let task =
        Item::from(item).object("task").filter(|task| actions.has("preserve_desk") && task.has("desk"));
    let preserved = task.map(target);
    out.extend(preserved.clone().map(Step::Fetch));
    let fetched = actions.objects("fetch").map(target);
    out.extend(
        fetched.filter(|own| preserved.as_ref().is_none_or(|kept| kept.desk != own.desk)).map(Step::Fetch),
    );
    out.extend(actions.objects("publish").map(|publish| Step::Publish {
        target: target(publish),
        subscribers: publish.list("target_subscribers").cloned().collect(),
        types: publish.list("target_types").cloned().collect(),
    }));
}

fn target(action: Item<'_>) -> Target {
    let text = |field: &str| Some(action.text(field).to_owned()).filter(|text| !text.is_empty());
    Target { desk: action.text("desk").to_owned(), stage: text("stage"), macro_name: text("macro") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn desks(scheme: Value, item: Value) -> (Vec<String>, Vec<Verdict>) {
        let now = "2026-01-05T12:00:00Z".parse().unwrap();
        let routed = route(scheme.as_object().unwrap(), item.as_object().unwrap(), now, |filter| {
            if filter == "broken" { Err(filter.to_owned()) } else { Ok(filter == "yes") }
        });
        let routed = routed.unwrap();
        let desks = routed.steps.iter().map(|step| match step {
            Step::Fetch(target) => {
                format!("fetch {}/{}", target.desk, target.stage.as_deref().unwrap_or("-"))
            }
            Step::Publish { target, .. } => {
                format!("publish {} {}", target.desk, target.macro_name.as_deref().unwrap_or("-"))
            }
        });
        (desks.collect(), routed.verdicts.into_iter().map(|(_, verdict)| verdict).collect())
    }

    #[test]
    fn rules_are_asked_in_order() {
        let scheme = json!({"rules": [
            {"name": "night", "schedule": {"hour_of_day_from": "20:00:00"}, "actions": {"fetch": [{"desk": "n"}]}},
            {"name": "sport", "filter": "no", "actions": {"fetch": [{"desk": "s"}]}},
            {"name": "other", "handler": "planning", "actions": {"fetch": [{"desk": "o"}]}},
            {"name": "all", "filter": "yes", "actions": {
                "fetch": [{"desk": "a", "stage": "1"}, {"desk": "b"}], "publish": [{"desk": "c", "macro": "m"}], "exit": true}},
            {"name": "never", "filter": "broken", "actions": {"fetch": [{"desk": "z"}]}},
        ]});
        let (steps, verdicts) = desks(scheme.clone(), json!({"type": "text"}));
        assert_eq!(steps, ["fetch a/1", "fetch b/-", "publish c m"]);
        use Verdict::*;
        assert_eq!(verdicts, [NotScheduled, NotMatched, NotHandled, Taken]);
        let (steps, _) = desks(scheme, json!({"type": "planning"}));
        assert!(steps.is_empty());
    }

    #[test]
    fn a_desk_may_be_kept() {
        let scheme = json!({"rules": [{"name": "n", "filter": null, "actions": {
            "fetch": [{"desk": "a"}, {"desk": "b"}], "preserve_desk": true}}]});
        let item = json!({"type": "text", "task": {"desk": "a", "stage": "own"}});
        assert_eq!(desks(scheme.clone(), item).0, ["fetch a/own", "fetch b/-"]);
        assert_eq!(desks(scheme, json!({"type": "text"})).0, ["fetch a/-", "fetch b/-"]);
    }
}
