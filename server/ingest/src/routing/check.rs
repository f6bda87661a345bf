//! Whether a routing scheme makes sense.

use super::schedule::Schedule;
use dateline_formats::{Fields, Item};
use serde_json::Value;

/// What a rule may say.
const MEMBERS: [&str; 5] = ["name", "handler", "filter", "actions", "schedule"];

/// Checks a scheme about to be stored; a schedule of nothing but a zone is taken out.
///
/// # Errors
/// The sentence for whoever saves it.
pub fn check(scheme: &mut Fields) -> Result<(), String> {
    let rules = scheme.get_mut("rules").and_then(Value::as_array_mut);
    let Some(rules) = rules.filter(|rules| !rules.is_empty()) else {
        return Err("A Routing Scheme must have at least one Rule".to_owned());
    };
    let mut names = Vec::new();
    for rule in rules {
        let Some(rule) = rule.as_object_mut() else {
            return Err("A routing rule has invalid fields".to_owned());
        };
        check_rule(rule)?;
        names.push(Item::from(&*rule).text("name").to_owned());
    }
    names.sort();
    match names.windows(2).any(|pair| pair.first() == pair.get(1)) {
        true => Err("Rule Names must be unique within a scheme".to_owned()),
        false => Ok(()),
    }
}

fn check_rule(rule: &mut Fields) -> Result<(), String> {
    let unknown: Vec<&str> = rule.keys().map(String::as_str).filter(|name| !MEMBERS.contains(name)).collect();
    if !unknown.is_empty() {
        return Err(format!("A routing rule has invalid fields {unknown:?}"));
    }
    let view = Item::from(&*rule);
    if view.text("name").trim().is_empty() {
        return Err("A routing rule must have a name".to_owned());
    }
    let actions = view.object("actions");
    let says = |name: &str| actions.is_some_and(|actions| actions.to_fields().contains_key(name));
    if !["fetch", "publish", "exit"].into_iter().any(says) {
        return Err("A routing rule must have actions".to_owned());
    }
    if !matches!(view.text("handler"), "" | super::HANDLER) {
        return Err(format!("There is no rule handler '{}'", view.text("handler")));
    }
    let named = actions
        .into_iter()
        .flat_map(|own| own.objects("fetch").chain(own.objects("publish")).collect::<Vec<_>>());
    for action in named {
        if action.text("desk").is_empty() {
            return Err("An action of a routing rule must have a desk".to_owned());
        }
    }
    check_schedule(rule)
}

fn check_schedule(rule: &mut Fields) -> Result<(), String> {
    let Some(schedule) = rule.get("schedule").filter(|schedule| !schedule.is_null()) else { return Ok(()) };
    let Some(given) = Item::of(schedule) else {
        return Err("Schedule when defined can't be empty.".to_owned());
    };
    let parts = ["day_of_week", "hour_of_day_from", "hour_of_day_to"];
    let says = |part: &&str| {
        given.get(part).is_some_and(|value| value != "" && value.as_array().is_none_or(|all| !all.is_empty()))
    };
    if !parts.iter().any(says) {
        if given.to_fields().is_empty() {
            return Err("Schedule when defined can't be empty.".to_owned());
        }
        Schedule::read(given)?;
        rule.insert("schedule".to_owned(), Value::Null);
        return Ok(());
    }
    Schedule::read(given).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sentences() {
        let said = |scheme: Value| check(&mut scheme.as_object().cloned().unwrap()).err().unwrap_or_default();
        let rule = |name: &str| json!({"name": name, "actions": {"exit": true}});
        let scheduled = |schedule: Value| json!({"rules": [{"name": "n", "actions": {"fetch": [{"desk": "d"}]}, "schedule": schedule}]});
        for (scheme, expected) in [
            (json!({"rules": [rule("a"), rule("b")]}), ""),
            (json!({}), "A Routing Scheme must have at least one Rule"),
            (json!({"rules": []}), "A Routing Scheme must have at least one Rule"),
            (
                json!({"rules": [{"name": "a", "actions": {"exit": true}, "x": 1}]}),
                "A routing rule has invalid fields [\"x\"]",
            ),
            (json!({"rules": [{"actions": {"exit": true}}]}), "A routing rule must have a name"),
            (
                json!({"rules": [{"name": "a", "actions": {"preserve_desk": true}}]}),
                "A routing rule must have actions",
            ),
            (json!({"rules": [{"name": "a"}]}), "A routing rule must have actions"),
            (json!({"rules": [rule("a"), rule("a")]}), "Rule Names must be unique within a scheme"),
            (
                json!({"rules": [{"name": "a", "actions": {"fetch": [{}]}}]}),
                "An action of a routing rule must have a desk",
            ),
            (scheduled(json!(null)), ""),
            (scheduled(json!({})), "Schedule when defined can't be empty."),
            (scheduled(json!({"day_of_week": ["mon", "SUN"]})), ""),
            (scheduled(json!({"day_of_week": ["day"]})), "Invalid values for day of week."),
            (scheduled(json!({"hour_of_day_from": "8"})), "Invalid value for from time."),
            (
                scheduled(json!({"hour_of_day_from": "", "hour_of_day_to": "08:00:00"})),
                "Invalid value for from time.",
            ),
            (
                scheduled(json!({"hour_of_day_from": "08:00:00", "hour_of_day_to": "24:00:00"})),
                "Invalid value for hour_of_day_to (expected %H:%M:%S).",
            ),
            (
                scheduled(json!({"hour_of_day_from": "08:00:00", "hour_of_day_to": "08:00:00"})),
                "From time should be less than To Time.",
            ),
            (
                scheduled(json!({"day_of_week": ["MON"], "time_zone": "Mars/Base"})),
                "Unknown time zone Mars/Base",
            ),
        ] {
            assert_eq!(said(scheme.clone()), expected, "{scheme}");
        }
        let mut zone = scheduled(json!({"time_zone": "Europe/Oslo"})).as_object().cloned().unwrap();
        check(&mut zone).unwrap();
        assert_eq!(zone["rules"][0]["schedule"], Value::Null);
    }
}
