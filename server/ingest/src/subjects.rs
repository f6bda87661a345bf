//! Topics and categories of an item, by the vocabularies of the site.

use dateline_formats::{Fields, Item, Site};
use serde_json::{Value, json};

/// The seventeen topics of IPTC's subject codes, by their first two digits.
const TOPICS: [&str; 17] = [
    "arts, culture and entertainment",
    "crime, law and justice",
    "disaster and accident",
    "economy, business and finance",
    "education",
    "environmental issue",
    "health",
    "human interest",
    "labour",
    "lifestyle and leisure",
    "politics",
    "religion and belief",
    "science and technology",
    "social issue",
    "sport",
    "unrest, conflicts and war",
    "weather",
];

/// Brings categories and subjects of an item into the terms of the site.
pub(crate) fn settle(item: &mut Fields, site: &Site) {
    categories(item, site);
    with_parents(item, site);
    let has = |item: &Fields, field: &str| Item::from(item).has(field);
    if has(item, "subject") && !has(item, "anpa_category") {
        derive_category(item, site);
    } else if has(item, "anpa_category") && !has(item, "subject") {
        derive_subject(item, site);
    }
}

fn rows<'a>(site: &'a Site, vocabulary: &str) -> impl Iterator<Item = Item<'a>> + use<'a> {
    let found = site.vocabularies.get(vocabulary).and_then(Item::of);
    let rows = found.into_iter().flat_map(|found| found.objects("items"));
    rows.filter(|row| row.get("is_active") != Some(&Value::Bool(false)))
}

/// Each with the code and name of its row; what the vocabulary does not have is left out. A site without one keeps all.
fn categories(item: &mut Fields, site: &Site) {
    if !site.vocabularies.contains_key("categories") {
        return;
    }
    let known = |found: Item<'_>| {
        let code = found.scalar("qcode");
        let row = rows(site, "categories").find(|row| row.scalar("qcode").eq_ignore_ascii_case(&code))?;
        Some(json!({"qcode": row.scalar("qcode"), "name": row.text("name"), "scheme": "categories"}))
    };
    let mapped: Vec<Value> = Item::from(&*item).objects("anpa_category").filter_map(known).collect();
    if item.contains_key("anpa_category") {
        item.insert("anpa_category".to_owned(), mapped.into());
    }
}

/// A code of eight digits stands below NN000000 and NNNNN000: those are added where they are missing.
fn with_parents(item: &mut Fields, site: &Site) {
    let mut found: Vec<Value> = Item::from(&*item).list("subject").cloned().collect();
    let codes: Vec<String> =
        Item::from(&*item).objects("subject").map(|subject| subject.scalar("qcode")).collect();
    let has = |found: &[Value], code: &str| {
        found.iter().any(|own| own.get("qcode").and_then(Value::as_str) == Some(code))
    };
    let mut changed = false;
    for code in codes.iter().filter(|code| code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()))
    {
        let (topic, matter) = (code.get(..2).unwrap_or_default(), code.get(..5).unwrap_or_default());
        for parent in [format!("{topic}000000"), format!("{matter}000")] {
            if !has(&found, &parent) {
                found.push(json!({"qcode": parent, "name": name_of(&parent, site)}));
                changed = true;
            }
        }
    }
    // A sender that gives codes alone leaves the names to us.
    for own in found.iter_mut().filter(|own| own.get("name") == own.get("qcode")) {
        let code = own.get("qcode").and_then(Value::as_str).unwrap_or_default();
        let name = name_of(code, site);
        if name != code {
            own["name"] = name.into();
            changed = true;
        }
    }
    if changed {
        item.insert("subject".to_owned(), found.into());
    }
}

fn name_of(code: &str, site: &Site) -> String {
    let vocabularies = ["subject_codes", "subjectcodes", "subject"];
    let row =
        vocabularies.into_iter().flat_map(|name| rows(site, name)).find(|row| row.scalar("qcode") == code);
    if let Some(row) = row.filter(|row| row.has("name")) {
        return row.text("name").to_owned();
    }
    let topic = code.strip_suffix("000000").and_then(|topic| topic.parse::<usize>().ok()?.checked_sub(1));
    topic.and_then(|topic| TOPICS.get(topic)).map_or_else(|| code.to_owned(), |name| (*name).to_owned())
}

fn derive_category(item: &mut Fields, site: &Site) {
    let codes: Vec<String> =
        Item::from(&*item).objects("subject").map(|subject| subject.scalar("qcode")).collect();
    let row = rows(site, "iptc_category_map").find(|row| codes.contains(&row.scalar("subject")));
    if let Some(row) = row {
        item.insert("anpa_category".to_owned(), json!([{"qcode": row.scalar("category")}]));
        categories(item, site);
    }
}

fn derive_subject(item: &mut Fields, site: &Site) {
    let codes: Vec<String> =
        Item::from(&*item).objects("anpa_category").map(|own| own.scalar("qcode")).collect();
    let row = rows(site, "categories").find(|row| row.has("subject") && codes.contains(&row.scalar("qcode")));
    if let Some(row) = row {
        let code = row.scalar("subject");
        item.insert("subject".to_owned(), json!([{"qcode": code, "name": name_of(&code, site)}]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let mut site = Site::default();
        site.vocabularies.insert(
            "categories".to_owned(),
            json!({"items": [
                {"qcode": "i", "name": "International", "is_active": true, "subject": "11000000"},
                {"qcode": "S", "name": "Sport", "is_active": true},
                {"qcode": "x", "name": "Old", "is_active": false},
            ]}),
        );
        site.vocabularies.insert(
            "iptc_category_map".to_owned(),
            json!({"items": [{"subject": "15000000", "category": "s", "is_active": true}]}),
        );
        site
    }

    fn check(item: Value, expected: Value) {
        let mut item = item.as_object().cloned().unwrap();
        settle(&mut item, &site());
        assert_eq!(Value::Object(item), expected);
    }

    #[test]
    fn categories_are_those_of_the_site() {
        check(
            json!({"anpa_category": [{"qcode": "I"}, {"qcode": "x"}, {"qcode": "q"}, {"qcode": "s"}], "subject": [{"qcode": "a"}]}),
            json!({
                "anpa_category": [
                    {"qcode": "i", "name": "International", "scheme": "categories"},
                    {"qcode": "S", "name": "Sport", "scheme": "categories"},
                ],
                "subject": [{"qcode": "a"}],
            }),
        );
        let mut item = json!({"anpa_category": [{"qcode": "q"}]}).as_object().cloned().unwrap();
        settle(&mut item, &Site::default());
        assert_eq!(item["anpa_category"], json!([{"qcode": "q"}]));
    }

    #[test]
    fn subjects_get_their_parents_and_what_follows() {
        check(
            json!({"subject": [{"qcode": "15054001", "name": "cup"}]}),
            json!({
                "subject": [
                    {"qcode": "15054001", "name": "cup"}, {"qcode": "15000000", "name": "sport"},
                    {"qcode": "15054000", "name": "15054000"},
                ],
                "anpa_category": [{"qcode": "S", "name": "Sport", "scheme": "categories"}],
            }),
        );
        check(
            json!({"anpa_category": [{"qcode": "i"}]}),
            json!({
                "anpa_category": [{"qcode": "i", "name": "International", "scheme": "categories"}],
                "subject": [{"qcode": "11000000", "name": "politics"}],
            }),
        );
    }
}
