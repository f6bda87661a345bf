//! The percolator beside the plain evaluator, over random catalogs, changes and items.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::super::tests::{catalog, condition, fields, filter, now, permitting};
use super::super::{Operator, Part, Question, TargetMedia};
use super::{Change, Percolator};

fn rounds(default: u64) -> u64 {
    std::env::var("FILTER_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn seed() -> u64 {
    let seed =
        std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("run again with SEED={seed}");
    seed
}

const WORDS: [&str; 15] = [
    "storm",
    "Storm Ada",
    "rain",
    "Rain-A",
    "no",
    "a",
    "b",
    "15000000",
    "glad",
    "Straße",
    "STRASSE",
    "\u{212a}iel",
    "kiel",
    "Größe",
    "",
];
const VALUES: [&str; 31] = [
    "storm",
    "STORM",
    "rain|sun",
    "a",
    "b,a",
    "a, b",
    ",a",
    "no",
    "false",
    "true",
    "1",
    "3",
    "5,3",
    "x",
    "(",
    "s.orm",
    "(storm|rain) ?ada",
    "straße",
    "kiel",
    "größe",
    "",
    "a+",
    "glad",
    "15000000",
    "rain-a",
    "storm ada",
    "^a",
    "ada$",
    ".",
    "d1",
    "NSW,VIC",
];
/// Fields of text and places are asked for more often.
static FIELDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let more = ["slugline", "headline", "body_html", "nonsense", "location", "location"].map(str::to_owned);
    fields().into_iter().chain(more).collect()
});

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

fn id(rng: &mut Rng, kind: &str, count: usize) -> String {
    format!("{kind}{}", rng.usize(..count))
}

fn ids(rng: &mut Rng, kind: &str, count: usize, most: usize) -> Vec<String> {
    (0..rng.usize(..=most)).map(|_| id(rng, kind, count)).collect()
}

fn random_condition(rng: &mut Rng) -> Value {
    let field = FIELDS[rng.usize(..FIELDS.len())].as_str();
    let operator = match field {
        "location" => pick(rng, &["within", "near", "exists"]),
        "fulltext" => "query",
        _ => Operator::ALL[rng.usize(..Operator::ALL.len())].1,
    };
    let value = match operator {
        "within" => pick(rng, &["0,0,10,10", "5,5,20,20", "-180,-90,180,90", "8,8,8,8", "bad"]),
        "near" => pick(rng, &["5,5,3", "15,15,5"]),
        _ => pick(rng, &VALUES),
    };
    condition(field, operator, value)
}

fn random_filter(rng: &mut Rng) -> Value {
    let mut document = Map::new();
    document.insert("name".into(), "f".into());
    let statements: Vec<Value> = (0..rng.usize(..=3))
        .map(|_| {
            let nested = if rng.u8(..3) == 0 { ids(rng, "f", 14, 2) } else { Vec::new() };
            json!({"expression": {"fc": ids(rng, "c", 40, 3), "pf": nested}})
        })
        .collect();
    document.insert("content_filter".into(), statements.into());
    // One in eight says nothing, and so is global.
    if rng.u8(..8) > 0 {
        document.insert("is_global".into(), (rng.u8(..8) == 0).into());
    }
    document.into()
}

fn random_product(rng: &mut Rng) -> Value {
    let filter = match rng.u8(..6) {
        0 => Value::Null,
        1 => json!({"filter_id": null}),
        2 | 3 => json!({"filter_id": id(rng, "f", 16), "filter_type": "blocking"}),
        _ => json!({"filter_id": id(rng, "f", 16), "filter_type": "permitting"}),
    };
    let region = if rng.u8(..4) == 0 { json!(pick(rng, &["NSW", "VIC"])) } else { Value::Null };
    let codes = ids(rng, "code", 5, 3).join(",");
    json!({"name": "p", "content_filter": filter, "geo_restrictions": region, "codes": codes})
}

fn random_subscriber(rng: &mut Rng) -> Value {
    let off: Map<String, Value> =
        ids(rng, "f", 14, 2).into_iter().map(|filter| (filter, rng.bool().into())).collect();
    json!({
        "name": "s",
        "subscriber_type": pick(rng, &["wire", "digital", "all"]),
        "is_active": rng.u8(..6) > 0,
        "products": ids(rng, "p", 14, 3),
        "api_products": ids(rng, "p", 14, 2),
        "codes": ids(rng, "code", 5, 2).join(","),
        "global_filters": off,
    })
}

fn change(rng: &mut Rng) -> Change {
    let (part, kind, count) = match rng.u8(..10) {
        0..=3 => (Part::Condition, "c", 36),
        4..=6 => (Part::Filter, "f", 14),
        7 => (Part::Product, "p", 12),
        _ => (Part::Subscriber, "s", 16),
    };
    let document = (rng.u8(..6) > 0).then(|| match part {
        Part::Condition => random_condition(rng),
        Part::Filter => random_filter(rng),
        Part::Product => random_product(rng),
        Part::Subscriber => random_subscriber(rng),
    });
    Change { part, id: id(rng, kind, count), document }
}

fn item(rng: &mut Rng) -> Value {
    let mut item = Map::new();
    let mut put = |rng: &mut Rng, key: &str, value: Value| {
        match rng.u8(..8) {
            0 | 1 => None,
            2 => item.insert(key.to_owned(), Value::Null),
            _ => item.insert(key.to_owned(), value),
        };
    };
    let codes = |rng: &mut Rng| -> Value {
        let entry = |rng: &mut Rng| match rng.u8(..6) {
            0 => json!({"name": "no code"}),
            1 => json!({"qcode": 15_000_000}),
            2 => json!({"qcode": pick(rng, &WORDS), "scheme": "mood"}),
            3 => json!({"qcode": "NSW", "location": {"lat": rng.u8(..20), "lon": rng.u8(..20)}}),
            _ => json!({"qcode": pick(rng, &WORDS)}),
        };
        (0..rng.usize(..3)).map(|_| entry(rng)).collect()
    };
    let text = |rng: &mut Rng| -> Value {
        let words: Vec<&str> = (0..rng.usize(..5)).map(|_| pick(rng, &WORDS)).collect();
        match rng.u8(..8) {
            0 => json!(rng.i8(..8)),
            1 => json!(words),
            2 => format!("<p>{}</p>\n<p>&amp;</p>", words.join("</b> ")).into(),
            3 => pick(rng, &WORDS).into(),
            _ => words.join(" ").into(),
        }
    };
    for key in ["anpa_category", "genre", "subject", "place"] {
        let value = codes(rng);
        put(rng, key, value);
    }
    for key in [
        "slugline",
        "source",
        "headline",
        "ednote",
        "body_html",
        "ingest_provider",
        "profile",
        "language",
        "keywords",
    ] {
        let value = text(rng);
        put(rng, key, value);
    }
    for key in ["urgency", "priority"] {
        let value = if rng.u8(..4) == 0 { text(rng) } else { json!(rng.u8(..6)) };
        put(rng, key, value);
    }
    let value = pick(rng, &["text", "preformatted", "text", "picture"]).into();
    put(rng, "type", value);
    let value = json!({"desk": pick(rng, &["d1", "d2"]), "stage": null});
    put(rng, "task", value);
    let flag = [Value::Bool(true), Value::Bool(false), Value::Null][rng.usize(..3)].clone();
    let value = json!({"marked_for_sms": flag});
    put(rng, "flags", value);
    let value = json!({"city": text(rng)});
    put(rng, "extra", value);
    let value = json!({"located": {"location": {"lat": rng.u8(..20), "lon": rng.u8(..20)}}});
    put(rng, "dateline", value);
    put(rng, "embargo", "2026-11-28T11:00:00+0000".into());
    let value = json!({"utc_embargo": pick(rng, &["2026-11-28T11:00:00+0000", "2026-11-28T13:00:00+0000"])});
    put(rng, "schedule_settings", value);
    put(rng, "associations", json!({"featuremedia": {"_id": "m1"}}));
    if rng.u8(..4) == 0 {
        let value = ids(rng, "s", 16, 3);
        put(rng, "target_subscribers", value.into());
    }
    for (key, codes) in [("target_types", ["wire", "digital"]), ("target_regions", ["NSW", "VIC"])] {
        if rng.u8(..5) == 0 {
            let value = json!([{"qcode": pick(rng, &codes), "allow": rng.bool()}]);
            put(rng, key, value);
        }
    }
    item.into()
}

/// Both evaluators, and both over a catalog that was read anew, must agree.
fn compare(percolator: &Percolator, fresh: Option<&Percolator>, rng: &mut Rng) -> (usize, usize) {
    let item = item(rng);
    let media = [TargetMedia::Any, TargetMedia::Digital, TargetMedia::of_item(&item)][rng.usize(..3)];
    let question = Question { item: &item, now: now(), media, content_api: rng.bool() };
    let plain = percolator.catalog().recipients(question).unwrap();
    assert_eq!(percolator.recipients(question).unwrap(), plain, "{item:#}");
    if let Some(fresh) = fresh {
        assert_eq!(fresh.recipients(question).unwrap(), plain, "read anew: {item:#}");
    }
    for explanation in percolator.catalog().explain_all(question).unwrap() {
        let is_taken = plain.taken.iter().any(|taken| *taken.subscriber == *explanation.subscriber);
        assert_eq!(explanation.accepted, is_taken, "{explanation:#?}");
    }
    (plain.taken.len(), plain.undecided.len())
}

#[test]
fn random_catalogs_and_changes_agree_with_the_plain_evaluator() {
    let mut rng = Rng::with_seed(seed());
    let (mut taken, mut undecided) = (0, 0);
    for _ in 0..rounds(60) {
        let mut documents: BTreeMap<(u8, String), Value> = BTreeMap::new();
        let mut percolator = Percolator::new(catalog());
        for step in 0..40_u32 {
            let count = if step == 0 { 80 } else { [1, 1, 1, 6][rng.usize(..4)] };
            let changes: Vec<Change> = (0..count).map(|_| change(&mut rng)).collect();
            for Change { part, id, document } in &changes {
                let key = (*part as u8, id.clone());
                match document {
                    Some(document) => documents.insert(key, document.clone()),
                    None => documents.remove(&key),
                };
            }
            percolator.apply(&changes);
            let fresh = step.is_multiple_of(8).then(|| {
                let mut fresh = catalog();
                for ((part, id), document) in &documents {
                    let parts = [Part::Condition, Part::Filter, Part::Product, Part::Subscriber];
                    fresh.set(parts[usize::from(*part)], id, Some(document));
                }
                Percolator::new(fresh)
            });
            for _ in 0..4 {
                let counts = compare(&percolator, fresh.as_ref(), &mut rng);
                taken += counts.0;
                undecided += counts.1;
            }
        }
    }
    // Else it compares nothing with nothing.
    assert!(taken > 1_000 || rounds(60) < 60, "{taken} taken");
    assert!(undecided > 100 || rounds(60) < 60, "{undecided} undecided");
}

fn put(part: Part, id: &str, document: Value) -> Change {
    Change { part, id: id.to_owned(), document: Some(document) }
}

fn remove(part: Part, id: &str) -> Change {
    Change { part, id: id.to_owned(), document: None }
}

fn gets(percolator: &Percolator, item: &Value) -> bool {
    let question = Question { item, now: now(), media: TargetMedia::Any, content_api: false };
    let answer = percolator.recipients(question).unwrap();
    assert_eq!(answer, percolator.catalog().recipients(question).unwrap());
    !answer.taken.is_empty()
}

#[test]
fn a_change_reaches_through_nested_filters() {
    let mut percolator = Percolator::new(catalog());
    // What refers comes before what it refers to.
    percolator.apply(&[
        put(Part::Subscriber, "s", json!({"is_active": true, "products": ["p"]})),
        put(Part::Product, "p", permitting("outer")),
    ]);
    let (storm, calm) = (json!({"slugline": "storm"}), json!({"slugline": "calm"}));
    assert!(gets(&percolator, &calm), "a filter that is not there matches");
    percolator.apply(&[put(Part::Filter, "outer", filter(&[(&[], &["inner"])]))]);
    assert!(gets(&percolator, &calm));
    percolator.apply(&[put(Part::Filter, "inner", filter(&[(&["c"], &[])]))]);
    assert!(!gets(&percolator, &storm));
    percolator.apply(&[put(Part::Condition, "c", condition("slugline", "like", "storm"))]);
    assert!(gets(&percolator, &storm) && !gets(&percolator, &calm));
    percolator.apply(&[put(Part::Condition, "c", condition("slugline", "eq", "calm"))]);
    assert!(!gets(&percolator, &storm) && gets(&percolator, &calm));
    percolator.apply(&[put(Part::Condition, "c", condition("slugline", "notlike", "calm"))]);
    assert!(gets(&percolator, &storm) && !gets(&percolator, &calm));
    percolator.apply(&[remove(Part::Condition, "c")]);
    assert!(!gets(&percolator, &storm));
    percolator.apply(&[remove(Part::Filter, "inner")]);
    assert!(gets(&percolator, &storm));
    percolator.apply(&[put(Part::Filter, "inner", filter(&[(&[], &["outer"])]))]);
    assert!(!gets(&percolator, &storm), "a circle is not judged");
    percolator.apply(&[put(Part::Filter, "inner", filter(&[]))]);
    assert!(!gets(&percolator, &storm));
    percolator.apply(&[remove(Part::Filter, "inner"), remove(Part::Subscriber, "s")]);
    assert!(!gets(&percolator, &storm));
}

#[test]
fn only_what_may_match_comes_up() {
    let mut changes = Vec::new();
    for number in 0..200 {
        let (s, h, f) = (format!("s{number}"), format!("h{number}"), format!("f{number}"));
        let slugline = condition("slugline", "eq", &format!("story {number}"));
        let headline = condition("headline", "like", &format!("word{number}"));
        changes.push(put(Part::Condition, &s, slugline));
        changes.push(put(Part::Condition, &h, headline));
        let own = filter(&[(&[&s, "urgent"], &[]), (&[&h, "not sport"], &[])]);
        changes.push(put(Part::Filter, &f, own));
        changes.push(put(Part::Filter, &format!("n{number}"), filter(&[(&["urgent"], &[&f])])));
    }
    changes.push(put(Part::Condition, "urgent", condition("urgency", "lt", "3")));
    changes.push(put(Part::Condition, "not sport", condition("anpa_category", "nin", "s")));
    let mut percolator = Percolator::new(catalog());
    percolator.apply(&changes);
    assert!(percolator.keys.always().is_empty());
    let condition = |id: &str| percolator.catalog.conditions.find(id).unwrap();
    assert_eq!(percolator.keys.keyed_by(condition("s7")).len(), 2, "its filter and the one that nests it");
    assert!(percolator.keys.keyed_by(condition("urgent")).is_empty());
    assert!(percolator.keys.keyed_by(condition("not sport")).is_empty());
}

#[test]
fn a_filter_that_was_judged_within_another_brings_its_own_products() {
    let mut percolator = Percolator::new(catalog());
    percolator.apply(&[
        put(Part::Condition, "c", condition("slugline", "eq", "storm")),
        put(Part::Filter, "outer", filter(&[(&["c"], &["inner"])])),
    ]);
    // The condition is the key of both; the outer one, keyed before, comes up first.
    percolator.apply(&[
        put(Part::Filter, "inner", filter(&[(&["c"], &[])])),
        put(Part::Product, "p", permitting("inner")),
        put(Part::Subscriber, "s", json!({"is_active": true, "products": ["p"]})),
    ]);
    assert!(gets(&percolator, &json!({"slugline": "storm"})));
    assert!(!gets(&percolator, &json!({"slugline": "calm"})));
}

#[test]
fn what_is_removed_leaves_no_offer_behind() {
    let changes = [
        put(Part::Filter, "f", json!({"content_filter": []})),
        put(Part::Product, "p", permitting("f")),
        put(Part::Product, "q", json!({})),
        put(Part::Subscriber, "s", json!({"is_active": true, "products": ["p", "q"], "api_products": ["p"]})),
    ];
    let mut percolator = Percolator::new(catalog());
    let counts = |percolator: &Percolator| {
        let (catalog, offers) = (&percolator.catalog, &percolator.offers);
        let (filter, product) = (catalog.filters.find("f").unwrap(), catalog.products.find("p").unwrap());
        let (holders, api_holders) = (offers.holders(product), offers.api_holders(product));
        [percolator.keys.global(), offers.permitting(filter), offers.open(), holders, api_holders]
            .map(<[_]>::len)
    };
    for _ in 0..2 {
        percolator.apply(&changes);
        // Put once more, it still stands there once.
        percolator.apply(&changes);
        assert_eq!(counts(&percolator), [1; 5]);
        let removals: Vec<Change> = changes.iter().map(|change| remove(change.part, &change.id)).collect();
        percolator.apply(&removals);
        assert_eq!(counts(&percolator), [0; 5]);
    }
}
