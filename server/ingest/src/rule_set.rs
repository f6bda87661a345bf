//! Rule sets: texts of a provider's bodies that are replaced, one after the other.

use dateline_formats::{Fields, Item};
use serde_json::Value;

/// Replaces in `body_html`. A rule without a text to look for does nothing.
pub fn apply(rule_set: &Fields, item: &mut Fields) {
    let Some(Value::String(body)) = item.get_mut("body_html") else { return };
    for rule in Item::from(rule_set).objects("rules") {
        let old = rule.text("old");
        // Rules may not make a text of any size.
        if !old.is_empty() && body.len() <= crate::limits::DOCUMENT_BYTES_MAX {
            *body = body.replace(old, rule.text("new"));
        }
    }
}

/// What is wrong with the rules of a set about to be stored; those without a new text get an empty one.
///
/// # Errors
/// A sentence for the person who saves.
pub fn check(rule_set: &mut Fields) -> Result<(), String> {
    let Some(rules) = rule_set.get_mut("rules").and_then(Value::as_array_mut) else { return Ok(()) };
    for rule in rules {
        let Some(rule) = rule.as_object_mut() else { return Err("A rule must be an object".to_owned()) };
        if Item::from(&*rule).text("old").is_empty() {
            return Err("A rule must have an old text".to_owned());
        }
        if rule.get("new").is_none_or(Value::is_null) {
            rule.insert("new".to_owned(), "".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_work_one_after_the_other() {
        let mut set = json!({"rules": [{"old": "a", "new": "b"}, {"old": "bb", "new": null}]});
        let set = set.as_object_mut().unwrap();
        check(set).unwrap();
        assert_eq!(set["rules"][1]["new"], "");
        let mut item = json!({"body_html": "abc", "headline": "a"}).as_object().cloned().unwrap();
        apply(set, &mut item);
        assert_eq!(Value::Object(item), json!({"body_html": "c", "headline": "a"}));
        assert!(check(json!({"rules": [{"new": "b"}]}).as_object_mut().unwrap()).is_err());
    }
}
