//! What the formats write is read back to the same fields, as far as a format carries them.

use crate::{files, read};
use dateline_formats::{Fields, Item, plain_lines};
use serde_json::Value;

/// A field of the item as it should come back, or of the item that came back.
type Of = fn(Item<'_>) -> Value;

fn check(format: &str, key: &str, fields: &[(&str, Of)]) {
    let mut compared = 0;
    for (name, bytes) in files(&format!("golden/{format}")) {
        if name == "text-hostile" {
            // What is hostile in it is meant not to come back.
            continue;
        }
        let source =
            std::fs::read(format!("{}/../formats/tests/items/{name}.json", env!("CARGO_MANIFEST_DIR")));
        let source: Fields = serde_json::from_slice(&source.unwrap()).unwrap();
        for key in [Some(key), None] {
            let found = read(key, &bytes).unwrap_or_else(|error| panic!("{format} {name}: {error}"));
            // Associated items come before the one they belong to.
            let found = found.last().unwrap_or_else(|| panic!("{format} {name}: no item"));
            for (field, of) in fields {
                let expected = of(Item::from(&source));
                let back = of(Item::from(found));
                assert_eq!(back, expected, "{format} {name} {field}: {found:#?}");
                compared += usize::from(!expected.is_null());
            }
        }
    }
    assert!(compared > 30, "{format}: {compared} fields were compared");
}

/// A text as it is read, on one line, without what no item has.
fn line(item: Item<'_>, field: &str) -> Value {
    let text = plain_lines(field, item.text(field)).unwrap();
    let legal = |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    let text: String = text.chars().filter(legal).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { Value::Null } else { text.into() }
}

fn codes(item: Item<'_>, field: &str) -> Value {
    let codes = item.objects(field).map(|own| own.scalar("qcode")).filter(|code| !code.is_empty());
    let codes: Vec<String> = codes.collect();
    codes.into()
}

fn time(item: Item<'_>, field: &str) -> Value {
    item.date(field).unwrap().map(dateline_formats::wire_time).into()
}

fn version(item: Item<'_>) -> Value {
    let own = item.scalar("version");
    (if own.is_empty() { item.scalar("_current_version") } else { own }).into()
}

/// Items are told apart from those of this house by the names of their fields only.
fn kind(item: Item<'_>) -> Value {
    match item.text("type") {
        "preformatted" => "text".into(),
        kind => kind.into(),
    }
}

const GUID: (&str, Of) = ("guid", |item| item.text("guid").into());
const KIND: (&str, Of) = ("type", kind);
const VERSION: (&str, Of) = ("version", version);
const HEADLINE: (&str, Of) = ("headline", |item| {
    // A title stands above a headline.
    if item.has("title") { line(item, "title") } else { line(item, "headline") }
});
const SLUGLINE: (&str, Of) = ("slugline", |item| line(item, "slugline"));
const BYLINE: (&str, Of) = ("byline", |item| line(item, "byline"));
const EDNOTE: (&str, Of) = ("ednote", |item| line(item, "ednote"));
const URGENCY: (&str, Of) = ("urgency", |item| item.get("urgency").cloned().unwrap_or_default());
const SUBJECT: (&str, Of) = ("subject", |item| codes(item, "subject"));
const CATEGORY: (&str, Of) = ("anpa_category", |item| codes(item, "anpa_category"));
const GENRE: (&str, Of) = ("genre", |item| codes(item, "genre"));
const COMPANIES: (&str, Of) =
    ("company_codes", |item| item.get("company_codes").cloned().unwrap_or_default());
const KEYWORDS: (&str, Of) = ("keywords", |item| {
    item.get("keywords").cloned().filter(|all| all != &Value::Array(vec![])).unwrap_or_default()
});
const VERSIONCREATED: (&str, Of) = ("versioncreated", |item| time(item, "versioncreated"));
const FIRSTCREATED: (&str, Of) = ("firstcreated", |item| time(item, "firstcreated"));
const CITY: (&str, Of) = ("dateline", |item| {
    let located = item.object("dateline").and_then(|dateline| dateline.object("located"));
    located.map(|located| located.text("city").to_owned()).filter(|city| !city.is_empty()).into()
});
const DATELINE: (&str, Of) =
    ("dateline.text", |item| item.object("dateline").map(|own| line(own, "text")).unwrap_or_default());
const STATUS: (&str, Of) =
    ("pubstatus", |item| item.scalar("pubstatus").replace("cancelled", "canceled").into());

#[test]
fn ninjs() {
    let preserved: (&str, Of) = ("body_html as text", |item| {
        let lines = plain_lines("", item.text("body_html")).unwrap();
        let words: Vec<&str> = lines.split_whitespace().collect();
        words.first().copied().map(str::to_owned).into()
    });
    for format in ["ninjs", "newsroom-ninjs"] {
        check(
            format,
            "ninjs",
            &[GUID, KIND, VERSION, SLUGLINE, EDNOTE, URGENCY, SUBJECT, CATEGORY, GENRE, COMPANIES],
        );
    }
    check("ninjs", "ninjs", &[KEYWORDS, VERSIONCREATED, FIRSTCREATED, CITY, preserved]);
}

#[test]
fn nitf() {
    check(
        "nitf",
        "nitf",
        &[GUID, HEADLINE, BYLINE, EDNOTE, SUBJECT, COMPANIES, KEYWORDS, FIRSTCREATED, DATELINE],
    );
}

#[test]
fn newsml12() {
    check(
        "newsml12",
        "newsml12",
        &[
            KIND,
            VERSION,
            HEADLINE,
            BYLINE,
            EDNOTE,
            URGENCY,
            SUBJECT,
            CATEGORY,
            COMPANIES,
            VERSIONCREATED,
            FIRSTCREATED,
            CITY,
            DATELINE,
            STATUS,
        ],
    );
}

#[test]
fn newsmlg2() {
    check(
        "newsmlg2",
        "newsml2",
        &[
            GUID,
            KIND,
            VERSION,
            HEADLINE,
            BYLINE,
            SLUGLINE,
            EDNOTE,
            SUBJECT,
            CATEGORY,
            GENRE,
            COMPANIES,
            VERSIONCREATED,
            FIRSTCREATED,
            CITY,
            DATELINE,
            STATUS,
        ],
    );
}

#[test]
fn feeds() {
    let title: (&str, Of) = ("headline", |item| {
        let all = ["headline", "title", "name", "slugline"];
        all.into_iter().find(|field| item.has(field)).map(|field| line(item, field)).unwrap_or_default()
    });
    check("atom", "rss", &[title, VERSIONCREATED]);
    check("rss", "rss", &[title]);
}
