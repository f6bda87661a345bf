use serde_json::{Value, json};

use super::*;

fn fields(value: Value) -> Fields {
    value.as_object().cloned().unwrap()
}

/// Null for an item that stays as it is.
fn check(name: &str, item: Value, desk: Value, expected: Value) {
    let found = built_in(name).unwrap().run(&fields(item.clone()), desk.as_object());
    let found = match found {
        Ok(Outcome::Changed(item)) => Value::Object(item),
        Ok(Outcome::Unchanged) => Value::Null,
        Ok(Outcome::Stopped(reason)) => json!({"stopped": reason}),
        Err(reason) => json!({"refused": reason}),
    };
    assert_eq!(found, expected, "{name} {item}");
}

#[test]
fn built_in_macros() {
    let nowhere = json!(null);
    check(
        "Populate_Abstract",
        json!({"body_html": "<p> </p><p>A <b>bridge</b> &amp; more.</p><p>Two.</p>"}),
        nowhere.clone(),
        json!({"body_html": "<p> </p><p>A <b>bridge</b> &amp; more.</p><p>Two.</p>", "abstract": "<p>A bridge &amp; more.</p>"}),
    );
    check(
        "Populate_Abstract",
        json!({"abstract": "own", "body_html": "<p>b</p>"}),
        nowhere.clone(),
        json!(null),
    );
    check("Populate_Abstract", json!({"headline": "H"}), nowhere.clone(), json!(null));
    check(
        "Clean_Markup",
        json!({"body_html": "<p onclick='x'>a<script>b</script></p>", "headline": "H"}),
        nowhere.clone(),
        json!({"body_html": "<p>a</p>", "headline": "H"}),
    );
    check("Clean_Markup", json!({"body_html": "<p>a</p>"}), nowhere.clone(), json!(null));
    let desk =
        json!({"_id": "d", "source": "Wire", "desk_language": "no", "default_content_profile": "story"});
    check(
        "Desk_Defaults",
        json!({"type": "text", "source": "x"}),
        desk.clone(),
        json!({"type": "text", "source": "Wire", "language": "no", "profile": "story"}),
    );
    check("Desk_Defaults", json!({"type": "picture", "source": "Wire", "language": "no"}), desk, json!(null));
    check("Desk_Defaults", json!({}), nowhere.clone(), json!(null));
    check(
        "Skip_Withdrawn",
        json!({"pubstatus": "canceled"}),
        nowhere.clone(),
        json!({"stopped": "the item was withdrawn"}),
    );
    check("Skip_Withdrawn", json!({"pubstatus": "usable"}), nowhere.clone(), json!(null));
    check(AUTO_PUBLISH, json!({}), nowhere, json!({"refused": "it is for internal destinations only"}));
    assert!(BUILT_IN.is_sorted_by(|one, other| one.name < other.name));
}

#[test]
fn a_long_paragraph_ends_with_a_word() {
    let body = format!("<p>{}</p>", "word ".repeat(200));
    let found =
        built_in("Populate_Abstract").unwrap().run(&fields(json!({"body_html": body})), None).unwrap();
    let Outcome::Changed(item) = found else { panic!("it has an abstract") };
    let text = item["abstract"].as_str().unwrap();
    assert!(text.ends_with("word…</p>") && text.len() < 520, "{text}");
}

#[test]
fn some_members_are_not_a_macros_to_change() {
    let mut item = fields(
        json!({"_id": "a", "guid": "a", "state": "routed", "lock_user": "u", "headline": "H", "slugline": "s"}),
    );
    let changed = json!({
        "_id": "b", "guid": "b", "state": "published", "headline": "N", "_etag": "x", "family_id": "f", "ednote": "e",
        "_current_version": 9,
    });
    assert_eq!(Outcome::Changed(fields(changed)).onto(&mut item), None);
    let expected =
        json!({"_id": "a", "guid": "a", "state": "routed", "lock_user": "u", "headline": "N", "ednote": "e"});
    assert_eq!(Value::Object(item.clone()), expected);
    assert_eq!(Outcome::Stopped("no".to_owned()).onto(&mut item), Some("no".to_owned()));
    assert_eq!(Outcome::Unchanged.onto(&mut item), None);
    assert_eq!(Value::Object(item), expected);
}
