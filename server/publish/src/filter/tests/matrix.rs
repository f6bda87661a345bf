//! Every operator on every kind of field.

use serde_json::{Map, Value, json};

use super::super::Truth;
use super::super::plain::Plain;
use super::super::targets::Targets;
use super::super::view::View;
use super::{Part, catalog_of, condition, fields, now, question};

/// One letter each: T, F, or `!` for what cannot be judged.
const OPERATORS: [&str; 14] = [
    "in",
    "nin",
    "like",
    "notlike",
    "startswith",
    "endswith",
    "match",
    "eq",
    "ne",
    "lt",
    "lte",
    "gt",
    "gte",
    "exists",
];

fn judge(field: &str, operator: &str, value: &str, item: &Value) -> Truth {
    let catalog = catalog_of(&[(Part::Condition, "c", condition(field, operator, value))]);
    let view = View::new(&catalog.fields, item, now());
    let plain = Plain { catalog: &catalog, view, targets: Targets::default(), question: question(item) };
    plain.condition(catalog.conditions.find("c").unwrap())
}

fn row(field: &str, value: &str, item: &Value) -> String {
    let letter = |operator: &&str| match judge(field, operator, value, item) {
        Truth::True => 'T',
        Truth::False => 'F',
        Truth::Unknown => '!',
    };
    OPERATORS.iter().map(letter).collect()
}

fn item() -> Value {
    json!({
        "anpa_category": [{"qcode": "a"}, {"qcode": "b", "name": "B"}],
        "urgency": 3,
        "priority": "6",
        "genre": [{"qcode": "Article"}],
        "subject": [{"qcode": "15000000"}, {"qcode": "glad", "scheme": "mood"}],
        "keywords": ["Storm", "rain"],
        "slugline": "Storm Warning",
        "source": "AAP",
        "headline": "<b>Big</b> &amp; bad",
        "ednote": " 7 ",
        "type": "text",
        "body_html": "<p>Rain</p>\n<p>no</p>",
        "task": {"desk": "d1", "stage": "s1"},
        "flags": {"marked_for_sms": true},
        "place": [{"qcode": "NSW", "location": {"lat": -33.8, "lon": 151.2}}],
        "ingest_provider": "p1",
        "embargo": "2026-11-29T00:00:00+0000",
        "schedule_settings": {"utc_embargo": "2026-11-29T00:00:00+0000"},
        "associations": {"featuremedia": {"_id": "m1"}},
        "agendas": ["g1"],
        "profile": "snap",
        "language": "en-AU",
        "extra": {"city": "<p>Oslo</p>"},
        "anpa_take_key": "update",
    })
}

#[test]
fn every_operator_on_a_field_that_is_there() {
    let item = item();
    // in nin like notlike startswith endswith match | eq ne | lt lte gt gte | exists
    let check = |field: &str, value: &str, expected: &str| {
        assert_eq!(row(field, value, &item), expected.replace(' ', ""), "{field} {value:?}");
    };
    check("anpa_category", "A", "TFFTFFT FT FFFF F");
    check("anpa_category", "c,b", "TFFTFFT FT FFFF F");
    check("anpa_category", "c, b", "FTFTFFF FT FFFF F");
    check("anpa_category", ",b", "FTFTFFF FT FFFF F");
    check("anpa_category", " b ", "TFFTFFT FT FFFF F");
    check("genre", "article", "TFFTFFT FT FFFF F");
    check("subject", "15000000", "TFFTFFT FT FFFF F");
    check("subject", "true", "FTFTFFF FT FFFF T");
    check("keywords", "RAIN,sun", "TFFTFFT FT FFFF F");
    check("keywords", "rai", "FTFTFFF FT FFFF F");
    check("place", "nsw", "TFFTFFT FT FFFF F");
    check("agendas", "g1", "TFFTFFT FT FFFF F");
    check("urgency", "3", "TFTFTTT TF FTFT F");
    check("urgency", "2, 3", "TFFTFFT !! !!!! F");
    check("urgency", "4", "FTFTFFF FT TTFF F");
    check("urgency", "1", "FTFTFFF FT FFTT T");
    check("urgency", "x", "!!FTFF! !! !!!! F");
    check("priority", "06", "TFFTFFT TF FTFT F");
    check("slugline", "storm warning", "TFTFTTT TF FTFT F");
    check("slugline", " STORM WARNING ", "TFFTFFT TF FTFT F");
    check("slugline", "storm", "FTTFTFF FT FFTT F");
    check("slugline", "warn.*", "FTTFFTF FT TTFF F");
    check("slugline", "x|storm", "FTTFTFF FT TTFF F");
    check("slugline", "(", "FT!!!!F FT FFTT F");
    check("source", "aap", "TFTFTTT TF FTFT F");
    check("source", "no", "FTFTFFF FT TTFF F");
    check("headline", "Big & bad", "TFTFTTT TF FTFT F");
    check("headline", "<b>", "FTFTFFF FT FFTT F");
    check("ednote", "7", "TFTFTTT TF FTFT F");
    check("type", "text", "TFTFTTT TF FTFT F");
    check("type", "picture,text", "TFFTFFT FT FFTT F");
    check("body_html", "rain", "FTTFTFF FT FFTT F");
    check("body_html", "rain.*no", "FTFTFFF FT TTFF F");
    check("body_html", "NO", "FTTFFTF FT FFTT F");
    check("desk", "D1", "TFTFTTT TF FTFT F");
    check("stage", "s1", "TFTFTTT TF FTFT F");
    check("ingest_provider", "p1", "TFTFTTT TF FTFT F");
    check("profile", "snap", "TFTFTTT TF FTFT F");
    // Of flags any text in a list is yes.
    check("sms", "true", "TFTFTTT TF FTFT T");
    check("sms", "false", "TFFTFFT FT FFTT F");
    check("sms", "", "FTTFTTF FT FFTT F");
    check("embargo", "true", "TFTFTTT TF FTFT T");
    check("embargo", "no", "TFFTFFT FT FFTT F");
    check("featuremedia", "true", "FTFTFFF FT TTFF T");
    check("featuremedia", "m1", "FTTFTTF TF FTFT F");
    check("city", "oslo", "TFTFTTT TF FTFT F");
    check("languages", "en-au", "TFTFTTT TF FTFT F");
    // Once a subject is of the scheme, all subjects count.
    check("mood", "glad", "TFFTFFT FT FFFF F");
    check("mood", "15000000", "TFFTFFT FT FFFF F");
    check("mood", "sad", "FTFTFFF FT FFFF F");
    check("location", "nsw", "FTFTFFF FT FFFF F");
    check("location", "true", "FTFTFFF FT FFFF T");
    for field in ["anpa_take_key", "nonsense", "constructor", ""] {
        check(field, "update", "!!!!!!! !! !!!! !");
    }
}

#[test]
fn every_operator_on_a_field_that_is_not_there() {
    // Those are of the item as a whole, or of nothing.
    let is_read = |field: &String| !matches!(field.as_str(), "fulltext" | "anpa_take_key");
    let fields: Vec<String> = fields().into_iter().filter(is_read).collect();
    assert_eq!(fields.len(), 25);
    let nulls: Map<_, _> = fields.iter().map(|field| (field.clone(), Value::Null)).collect();
    let nulls = Value::from(nulls);
    let other_scheme = json!({
        "subject": null, "task": {"user": "u"}, "flags": {}, "extra": {"town": "x"}, "language": null,
        "associations": {"featuremedia": null}, "embargo": "", "place": null,
    });
    for field in &fields {
        for item in [&json!({}), &nulls, &other_scheme] {
            assert_eq!(row(field, "1", item), "FTFTFFFFTFFFFF", "{field} in {item}");
            // What is not there is equal to no, and its absence is what `exists` with no wants.
            let no = row(field, "0", item);
            assert_eq!(no, "FTFTFFFTTFFFFT", "{field} in {item}");
        }
        let word = judge(field, "eq", "No", &json!({}));
        let expected =
            if matches!(field.as_str(), "urgency" | "priority") { Truth::Unknown } else { Truth::True };
        assert_eq!(word, expected, "{field}");
    }
}

#[test]
fn odd_values_are_read_as_they_can_be() {
    let check = |field: &str, operator: &str, value: &str, item: Value, expected: bool| {
        assert_eq!(
            judge(field, operator, value, &item),
            expected.into(),
            "{field} {operator} {value:?} in {item}"
        );
    };
    check("mood", "in", "glad", json!({"subject": [{"qcode": "glad", "scheme": "other"}]}), false);
    check("mood", "nin", "glad", json!({"subject": [{"qcode": "glad", "scheme": "other"}]}), true);
    check("subject", "in", "1", json!({"subject": [{"name": "no code"}, {"qcode": 1}]}), true);
    check("subject", "nin", "1", json!({"subject": []}), true);
    check("genre", "in", "x", json!({"genre": {"qcode": "X"}}), true);
    check("urgency", "eq", "3", json!({"urgency": 3.9}), true);
    check("urgency", "in", "3", json!({"urgency": 3.0}), true);
    check("urgency", "lt", "3", json!({"urgency": "abc"}), false);
    check("urgency", "ne", "3", json!({"urgency": "abc"}), false);
    check("urgency", "ne", "3", json!({"urgency": [3]}), false);
    check("slugline", "ne", "a", json!({"slugline": ["a"]}), true);
    check("slugline", "in", "5", json!({"slugline": 5}), true);
    check("slugline", "like", "a", json!({"slugline": ["a"]}), false);
    check("slugline", "notlike", "a", json!({"slugline": {"a": "a"}}), true);
    check("slugline", "exists", "t", json!({"slugline": ""}), false);
    check("slugline", "exists", "t", json!({"slugline": "<p></p>"}), false);
    check("keywords", "exists", "yes", json!({"keywords": []}), false);
    check("sms", "eq", "true", json!({"flags": {"marked_for_sms": false}}), false);
    check("sms", "in", "true", json!({"flags": {"marked_for_sms": false}}), false);
    check("sms", "in", "none", json!({"flags": {"marked_for_sms": null}}), false);
    check("sms", "like", "none", json!({"flags": {"marked_for_sms": null}}), true);
    check("sms", "nin", "true", json!({"flags": {"marked_for_sms": null}}), true);
    check("desk", "eq", "none", json!({"task": {"desk": null}}), true);
    let embargo = |until: &str| json!({"embargo": "2026-11-28T11:00:00+0000", "schedule_settings": {"utc_embargo": until}});
    check("embargo", "eq", "true", embargo("2026-11-28T12:00:00+0000"), false);
    check("embargo", "eq", "true", embargo("2026-11-28T12:00:01+0000"), true);
    check("embargo", "eq", "true", embargo("2026-11-28T13:00:01Z"), true);
    check("embargo", "eq", "false", embargo("2026-11-28T11:00:00+0000"), true);
    check("embargo", "ne", "true", embargo("soon"), true);
}

#[test]
fn lent_operators_see_places_and_the_whole_item() {
    let check = |field: &str, operator: &str, value: &str, expected: Truth| {
        assert_eq!(judge(field, operator, value, &item()), expected, "{field} {operator} {value:?}");
    };
    check("location", "within", "150,-35,152,-33", Truth::True);
    check("location", "within", "0,0,10,10", Truth::False);
    check("location", "near", "151,-34,1", Truth::True);
    check("location", "near", "151,-34", Truth::Unknown);
    check("fulltext", "query", "bad", Truth::True);
    check("fulltext", "query", "good", Truth::False);
    check("fulltext", "within", "0,0,10,10", Truth::Unknown);
    check("headline", "query", "bad", Truth::Unknown);
    assert_eq!(judge("location", "within", "150,-35,152,-33", &json!({})), Truth::False);
}
