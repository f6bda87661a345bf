//! The macros that a scheme names.

use dateline_formats::{Fields, Item};

/// Each with the place of its action: names and numbers down from the scheme.
#[must_use]
pub fn macros(scheme: &Fields) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    for (rule_place, rule) in Item::from(scheme).objects("rules").enumerate() {
        let Some(actions) = rule.object("actions") else { continue };
        for kind in ["fetch", "publish"] {
            for (place, action) in actions.objects(kind).enumerate() {
                let name = action.text("macro");
                if !name.is_empty() {
                    let path =
                        ["rules", &rule_place.to_string(), "actions", kind, &place.to_string(), "macro"];
                    found.push((path.map(str::to_owned).to_vec(), name.to_owned()));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn macros_are_found_where_they_are() {
        let scheme = json!({"rules": [
            {"name": "a", "actions": {"exit": true}},
            {"name": "b", "actions": {"fetch": [{"desk": "d", "macro": null}], "publish": [{"desk": "d"}, {"desk": "e", "macro": "m"}]}},
        ]});
        let found = macros(scheme.as_object().unwrap());
        let found: Vec<(String, &str)> =
            found.iter().map(|(path, name)| (path.join("."), name.as_str())).collect();
        assert_eq!(found, [("rules.1.actions.publish.1.macro".to_owned(), "m")]);
    }
}
