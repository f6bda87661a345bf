//! Schemas, rules and messages.

use std::collections::BTreeMap;

use dateline_formats::Fields;
use serde_json::{Value, json};

use super::{Candidate, Rules, Verdict, check_profile, filter_document, shipped_validators, validate};

#[derive(Default)]
struct Site {
    profiles: BTreeMap<String, Value>,
    vocabularies: BTreeMap<String, Value>,
    validators: Vec<Value>,
    schemas: Fields,
    holds_auto_published: bool,
}

fn object(value: Value) -> Fields {
    value.as_object().unwrap().clone()
}

impl Site {
    fn with_profile(schema: Value) -> Self {
        let profiles = [("story".to_owned(), json!({"label": "Story", "schema": schema}))].into();
        Self { profiles, ..Self::default() }
    }

    fn vocabulary(mut self, id: &str, vocabulary: Value) -> Self {
        self.vocabularies.insert(id.to_owned(), vocabulary);
        self
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            profiles: &self.profiles,
            vocabularies: &self.vocabularies,
            validators: &self.validators,
            schemas: &self.schemas,
            holds_auto_published_to_profile: self.holds_auto_published,
            holds_media_to_profile: true,
            disallowed_characters: "@#",
        }
    }

    fn verdict(&self, act: &str, item: Value) -> Verdict {
        let item = object(item);
        let kind = item.get("type").and_then(Value::as_str).unwrap_or("text");
        let candidate = Candidate { act, kind, item: &item, is_embedded: false, names_headline: false };
        validate(&self.rules(), &candidate)
    }

    /// The messages about a story.
    fn errors(&self, mut item: Value) -> Vec<String> {
        item["profile"] = json!("story");
        self.verdict("publish", item).errors
    }
}

#[test]
fn where_a_schema_comes_from() {
    let limit = |length: u32| json!({"slugline": {"maxlength": length}});
    let long = |item: Value| {
        let mut item = item;
        item["slugline"] = json!("x".repeat(30));
        item["headline"] = json!("h");
        item
    };
    let mut site = Site::default();
    let is_refused = |site: &Site, act: &str, item: Value| !site.verdict(act, long(item)).errors.is_empty();
    assert!(is_refused(&site, "publish", json!({"type": "text"})), "the built-in one has 24");
    assert!(!is_refused(&site, "publish", json!({"type": "event"})), "there is none");
    site.validators = vec![json!({"act": "publish", "type": "text", "schema": limit(40)})];
    assert!(!is_refused(&site, "publish", json!({"type": "text"})));
    assert!(is_refused(&site, "correct", json!({"type": "text"})), "the row is for another act");
    site.schemas = object(json!({"text": limit(20)}));
    assert!(is_refused(&site, "publish", json!({"type": "text"})));
    site.profiles = [
        ("story".to_owned(), json!({"schema": limit(50)})),
        ("by-type".to_owned(), json!({"item_type": "picture", "schema": limit(50)})),
        ("video".to_owned(), json!({"schema": limit(50)})),
    ]
    .into();
    assert!(!is_refused(&site, "publish", json!({"type": "text", "profile": "story"})));
    assert!(is_refused(&site, "publish", json!({"type": "text", "profile": "gone"})));
    assert!(!is_refused(&site, "publish", json!({"type": "picture"})));
    assert!(!is_refused(&site, "publish", json!({"type": "video", "profile": "gone"})));
    assert!(is_refused(&site, "auto_publish", json!({"type": "text", "profile": "story"})));
    site.holds_auto_published = true;
    assert!(!is_refused(&site, "auto_publish", json!({"type": "text", "profile": "story"})));
}

#[test]
fn rows_for_what_is_embedded() {
    let site = Site {
        validators: vec![
            json!({"act": "publish", "type": "picture", "embedded": true, "schema": {"slugline": {"required": true}}}),
            json!({"act": "publish", "type": "picture", "schema": {"headline": {"required": true}}}),
        ],
        ..Site::default()
    };
    let item = Fields::new();
    let errors = |is_embedded| {
        let candidate =
            Candidate { act: "publish", kind: "picture", item: &item, is_embedded, names_headline: false };
        validate(&site.rules(), &candidate).errors
    };
    assert_eq!(errors(true), ["SLUGLINE is a required field"]);
    assert_eq!(errors(false), ["HEADLINE is a required field"]);
}

#[test]
fn each_rule_and_its_message() {
    let check = |rule: Value, value: Value, expected: &str| {
        let site = Site::with_profile(json!({"headline": rule}));
        let item = if value == json!("absent") { json!({}) } else { json!({"headline": value}) };
        assert_eq!(site.errors(item).join("; "), expected, "{rule} {value}");
    };
    check(json!({"required": true}), json!("absent"), "HEADLINE is a required field");
    check(json!({"required": true}), json!(null), "HEADLINE is a required field");
    check(json!({"required": true}), json!(""), "HEADLINE empty values not allowed");
    check(json!({"required": true}), json!("<p></p>"), "HEADLINE is a required field");
    check(json!({"required": true}), json!([]), "HEADLINE is a required field");
    check(json!({"required": true}), json!("x"), "");
    check(json!({"required": false}), json!("absent"), "");
    check(json!({"nullable": true, "type": "string"}), json!(null), "");
    check(json!({"required": true, "minlength": 1}), json!(""), "HEADLINE is a required field");
    check(json!({"minlength": 2}), json!("x"), "HEADLINE is too short");
    check(json!({"maxlength": 3}), json!("<p>1234</p>"), "HEADLINE is too long");
    check(json!({"maxlength": 4}), json!("<p>12&amp;4</p>"), "");
    check(json!({"maxlength": null}), json!("1234"), "");
    check(json!({"type": "string"}), json!(7), "HEADLINE must be of string type");
    check(json!({"type": "integer", "min": 1, "max": 5}), json!(0), "HEADLINE min value is 1");
    check(json!({"type": "integer", "min": 1, "max": 5}), json!(6), "HEADLINE max value is 5");
    check(json!({"type": ["string", "list"]}), json!([]), "");
    check(json!({"type": "list"}), json!({}), "HEADLINE must be of list type");
    check(json!({"type": "text"}), json!(""), "HEADLINE must be of text type");
    check(json!({"type": "date"}), json!("2026-11-28T12:00:00+0000"), "");
    check(json!({"type": "date"}), json!("soon"), "HEADLINE must be of date type");
    for kind in ["media", "related_content", "embed", "custom", "picture", "any"] {
        check(json!({"type": kind}), json!(7), "");
    }
    check(json!({"allowed": ["A", "C"]}), json!("B"), "HEADLINE unallowed value B");
    check(json!({"regex": "[a-z]+"}), json!("a1"), "HEADLINE value does not match regex '[a-z]+'");
    check(json!({"regex": "("}), json!("a"), "HEADLINE value does not match regex '('");
    check(json!({"validate_characters": true}), json!("a@b"), "HEADLINE contains invalid characters");
    check(json!({"validate_characters": false}), json!("a@b"), "");
    check(json!({"schema": {"a": {"required": true}}}), json!({"b": 1}), "HEADLINE is a required field");
    check(json!({"schema": {"a": {"required": true}}}), json!({"a": 1}), "");
    let each = json!({"schema": {"type": "string"}});
    check(each, json!(["a", 1]), "HEADLINE is a required field");
    for ignored in ["enabled", "readonly", "place", "genre", "anpa_category", "subject", "company_codes"] {
        check(json!({ignored: true}), json!("x"), "");
    }
    check(json!(null), json!(7), "");
}

#[test]
fn faults_are_told_by_field_too() {
    let site = Site::with_profile(json!({
        "subject": {"type": "list", "required": true, "schema": {"type": "dict", "schema": {"qcode": {"required": true}}}},
        "headline": {"maxlength": 3, "allowed": []},
    }));
    let verdict = site.verdict(
        "publish",
        json!({"profile": "story", "headline": "long", "subject": [{"qcode": "1"}, {"name": "x"}]}),
    );
    assert_eq!(
        Value::from(verdict.fields),
        json!({
            "headline": ["unallowed value long", "max length is 3"],
            "subject": {"1": {"qcode": "required field"}},
        })
    );
    assert_eq!(verdict.errors, ["HEADLINE is a required field", "SUBJECT is a required field"]);
}

#[test]
fn labels() {
    let site = Site::with_profile(json!({
        "anpa_category": {"required": true}, "body_html": {"required": true}, "feature_media": {"required": true},
        "ednote": {"minlength": 3}, "place": {"required": true}, "subject": {"required": true},
        "anpa_take_key": {"minlength": 1},
    }))
    .vocabulary("categories", json!({"display_name": "ANPA Category"}))
    .vocabulary("place", json!({"display_name": "Place of news"}))
    .vocabulary("topics", json!({"display_name": "Topics", "schema_field": "subject"}));
    assert_eq!(
        site.errors(json!({"ednote": "x", "anpa_take_key": ""})),
        [
            "ANPA CATEGORY is a required field",
            "ANPA_TAKE_KEY is a required field",
            "BODY HTML is a required field",
            "ED. NOTE is too short",
            "FEATURE MEDIA is a required field",
            "PLACE OF NEWS is a required field",
            "TOPICS is a required field",
        ]
    );
}

#[test]
fn vocabularies_as_fields() {
    let site = Site::with_profile(json!({
        "city": {"required": true, "maxlength": 3}, "mood": {"required": true}, "day": {"required": true},
        "gone": {"required": true},
    }))
    .vocabulary("city", json!({"field_type": "text", "display_name": "City"}))
    .vocabulary("mood", json!({"field_type": "custom", "display_name": "Mood"}))
    .vocabulary("day", json!({"field_type": "date", "display_name": "Day"}));
    assert_eq!(
        site.errors(json!({"gone": "x"})),
        ["City is a required field", "Day is a required field", "Mood is a required field"]
    );
    let item = json!({"gone": "x", "extra": {"city": "<p>Oslo</p>", "day": "soon"},
        "subject": [{"scheme": "mood", "qcode": "glad"}]});
    assert_eq!(site.errors(item), ["City max length is 3", "Day must be of date type"]);
    let item = json!({"gone": "x", "extra": {"city": "<p>Ely</p>", "day": "2026-11-28T12:00:00+0000"},
        "subject": [{"scheme": "mood", "qcode": "glad"}]});
    assert!(site.errors(item).is_empty());
}

#[test]
fn subjects() {
    let site = Site::with_profile(json!({"subject": {"type": "list", "required": true,
        "mandatory_in_list": {"scheme": {"mood": {"required": true}, "old": "old", "free": {"required": false}, "no": null}},
        "schema": {"type": "dict", "schema": {"scheme": {"type": "string", "nullable": true, "allowed": ["mood"]}}}}}))
    .vocabulary("topics", json!({"schema_field": "subject"}))
    .vocabulary("mood", json!({"display_name": "Mood"}));
    let errors = |subjects: Value| site.errors(json!({"subject": subjects}));
    let missing = ["MOOD is a required field", "OLD is a required field"];
    assert_eq!(
        errors(json!([])),
        [&missing[..], &["TOPICS is a required field"]]
            .concat()
            .iter()
            .map(|text| text.replace("TOPICS", "SUBJECT"))
            .collect::<Vec<_>>()
    );
    let schemes = |schemes: &[&str]| -> Value {
        schemes.iter().map(|scheme| json!({"qcode": "1", "scheme": scheme})).collect::<Vec<_>>().into()
    };
    assert_eq!(errors(schemes(&["mood", "old"])), ["SUBJECT is a required field"]);
    assert!(errors(schemes(&["mood", "old", "topics"])).is_empty());
    assert!(errors(schemes(&["mood", "old", "subject_custom"])).is_empty());
    assert!(errors(json!([{"scheme": "mood"}, {"scheme": "old"}, {"qcode": "1"}])).is_empty());
}

#[test]
fn keys_that_must_be_there() {
    let site = Site::with_profile(json!({"dateline": {"mandatory_in_dictionary": ["located", "date"]}}));
    assert_eq!(site.errors(json!({"dateline": {"date": "x"}})), ["LOCATED is a required field"]);
}

#[test]
fn what_is_pardoned() {
    let site = Site::with_profile(json!({"dateline": {"required": true}, "headline": {"required": true}}));
    let errors = |act: &str| site.verdict(act, json!({"profile": "story"})).errors;
    assert_eq!(errors("publish"), ["DATELINE is a required field", "HEADLINE is a required field"]);
    assert_eq!(errors("correct"), ["HEADLINE is a required field"]);
    assert_eq!(errors("kill"), ["DATELINE is a required field"]);
}

#[test]
fn short_messages() {
    let site = Site::with_profile(json!({"sms": {"required": true, "maxlength": 3}}));
    assert!(site.errors(json!({})).is_empty());
    assert!(site.errors(json!({"sms_message": "long"})).is_empty());
    let marked = |message: &str| json!({"flags": {"marked_for_sms": true}, "sms_message": message});
    assert_eq!(site.errors(marked("long")), ["SMS is too long"]);
    assert!(site.errors(marked("abc")).is_empty());
    assert_eq!(
        Site::with_profile(json!({"sms": {"required": true}})).errors(marked("")),
        ["SMS empty values not allowed"]
    );
}

#[test]
fn media() {
    let mut site = Site::with_profile(json!({
        "feature_media": {"required": true}, "media_description": {"required": true}, "gallery": {"required": true},
    }));
    assert_eq!(
        site.errors(json!({"associations": {}})),
        [
            "FEATURE MEDIA is a required field",
            "GALLERY is a required field",
            "MEDIA DESCRIPTION is a required field",
        ]
    );
    let media = json!({"associations": {
        "featuremedia": {"type": "picture", "description_text": "d", "headline": "long"},
        "gallery--1": {"type": "picture"}, "inline": {"type": "text"}, "gone": null,
    }});
    assert!(site.errors(media.clone()).is_empty());
    let schema = json!({"headline": {"maxlength": 3}, "byline": {"required": true}});
    site.profiles.insert("picture".to_owned(), json!({"schema": schema}));
    // What is a field of its own is not looked at a second time.
    assert_eq!(site.errors(media), ["MEDIA'S BYLINE is a required field", "MEDIA'S HEADLINE is too long"]);
}

#[test]
fn messages_with_a_headline() {
    let site = Site::with_profile(json!({"slugline": {"required": true}}));
    let errors = |item: Value| {
        let item = object(item);
        let candidate =
            Candidate { act: "publish", kind: "text", item: &item, is_embedded: false, names_headline: true };
        validate(&site.rules(), &candidate).errors
    };
    assert_eq!(
        errors(json!({"profile": "story", "_id": "a", "headline": "H"})),
        ["H: SLUGLINE is a required field"]
    );
    assert_eq!(errors(json!({"profile": "story", "_id": "a"})), ["a: SLUGLINE is a required field"]);
}

#[test]
fn shipped_rows() {
    let site = Site { validators: shipped_validators(), ..Site::default() };
    let item = json!({"type": "text", "headline": "x".repeat(43), "slugline": "s", "urgency": 6, "pubstatus": "withheld",
        "anpa_category": [], "subject": [{"qcode": "1"}]});
    assert_eq!(
        site.verdict("publish", item.clone()).errors,
        [
            "ANPA_CATEGORY is a required field",
            "HEADLINE is too long",
            "PUBSTATUS unallowed value withheld",
            "URGENCY max value is 5",
        ]
    );
    assert!(site.verdict("kill", json!({"type": "text"})).errors.is_empty());
    assert!(site.verdict("publish", json!({"type": "picture"})).errors.is_empty());
}

#[test]
fn formats_see_what_the_profile_has() {
    let site = Site::with_profile(json!({"headline": {}, "abstract": {"maxlength": 3}, "byline": null}));
    let filtered = |item: Value| Value::from(filter_document(&site.rules(), &object(item)));
    let item = json!({"headline": "h", "abstract": "a", "byline": "b", "slugline": "s", "place": [], "own": 1,
        "language": "en", "profile": "story", "renditions": {"original": {}, "crop": null}});
    assert_eq!(
        filtered(item),
        json!({"headline": "h", "abstract": "a", "place": [], "own": 1, "language": "en", "profile": "story",
            "renditions": {"original": {}}})
    );
    assert_eq!(
        filtered(json!({"byline": "b", "profile": "gone"})),
        json!({"byline": "b", "profile": "gone"})
    );
}

#[test]
fn one_profile_for_each_type_but_text() {
    let profiles =
        [("p".to_owned(), json!({"item_type": "picture"})), ("t".to_owned(), json!({"item_type": "text"}))];
    let site = Site { profiles: profiles.into(), ..Site::default() };
    let check = |id: &str, kind: Value| {
        let told = check_profile(&site.rules(), id, &json!({"item_type": kind}));
        told.map_or_else(|refusal| refusal.to_string(), |()| String::new())
    };
    assert_eq!(check("q", json!("picture")), "400: Only 1 instance is allowed.");
    assert_eq!(check("p", json!("picture")), "");
    assert_eq!(check("q", json!("video")), "");
    assert_eq!(check("q", json!("text")), "");
    assert_eq!(check("q", json!(null)), "");
}

fn random_value(rng: &mut fastrand::Rng, depth: u8) -> Value {
    let member = |rng: &mut fastrand::Rng| KEYS[rng.usize(..KEYS.len())].to_owned();
    match rng.u8(..if depth == 0 { 7 } else { 9 }) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => rng.i32(-2..9).into(),
        3 => "".into(),
        4 => "<p>text &amp; more</p>".into(),
        5 => "2026-11-28T12:00:00+0000".into(),
        6 => "string".into(),
        7 => (0..rng.u8(..3)).map(|_| random_value(rng, depth - 1)).collect(),
        _ => Value::Object((0..rng.u8(..4)).map(|_| (member(rng), random_value(rng, depth - 1))).collect()),
    }
}

const KEYS: [&str; 27] = [
    "headline",
    "subject",
    "extra",
    "associations",
    "sms",
    "flags",
    "marked_for_sms",
    "featuremedia",
    "feature_media",
    "schema",
    "type",
    "required",
    "nullable",
    "empty",
    "minlength",
    "maxlength",
    "min",
    "max",
    "allowed",
    "regex",
    "mandatory_in_list",
    "mandatory_in_dictionary",
    "validate_characters",
    "media_metadata",
    "scheme",
    "qcode",
    "city",
];

/// Whatever schemas and items hold, there is an answer, and messages come from faults. `SEED` and `CASES` replay.
#[test]
fn any_schema_and_any_item() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("run again with SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..number("CASES").unwrap_or(3_000) {
        let mut keep = rng.fork();
        let mut object_of = |depth: u8| -> Fields {
            KEYS.iter()
                .filter(|_| keep.bool())
                .map(|key| ((*key).to_owned(), random_value(&mut rng, depth)))
                .collect()
        };
        let (schema, mut item) = (object_of(4), object_of(3));
        let site = Site::with_profile(Value::from(schema)).vocabulary("city", json!({"field_type": "text"}));
        item.insert("profile".to_owned(), json!("story"));
        let verdict = site.verdict("publish", Value::from(item.clone()));
        assert_eq!(verdict.errors.is_empty(), verdict.fields.is_empty(), "{item:?}");
        assert_eq!(verdict, site.verdict("publish", Value::from(item)));
    }
}
