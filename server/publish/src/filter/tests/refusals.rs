//! The words in which things are refused.

use serde_json::{Value, json};

use super::super::{Catalog, Refusal};
use super::{Part, catalog_of, condition, filter, permitting};

fn message(result: Result<(), Refusal>) -> Option<String> {
    result.err().map(|refusal| refusal.message)
}

fn named(name: &str, mut document: Value) -> Value {
    document["name"] = name.into();
    document
}

#[test]
fn conditions() {
    let catalog = catalog_of(&[
        (Part::Condition, "1", named("Track", condition("slugline", "in", "jump,track"))),
        (Part::Condition, "2", named("Urgent", condition("urgency", "lt", "3"))),
        (Part::Filter, "f", named("A", filter(&[(&["1"], &[])]))),
        (Part::Filter, "g", named("B", filter(&[(&["2"], &[]), (&["1", "2"], &[])]))),
    ]);
    let check = |id: &str, document: Value, expected: Option<&str>| {
        assert_eq!(message(catalog.check_condition(id, &document)).as_deref(), expected, "{document}");
    };
    let identical = Some("Filter condition:Track has identical settings");
    check("3", condition("slugline", "in", "JUMP,TRACK"), identical);
    check("3", condition("slugline", "in", "track,jump"), identical);
    // The characters are compared, not the parts.
    check("3", condition("slugline", "in", "tump,jrack"), identical);
    check("3", condition("slugline", "nin", "jump,track"), None);
    check("3", condition("slugline", "in", "jump"), None);
    check("1", condition("slugline", "in", "track,jump"), None);
    check(
        "3",
        named("X", condition("nonsense", "in", "a")),
        Some("Filter condition:X has unidentified field: nonsense"),
    );
    check(
        "3",
        named("X", condition("slugline", "is", "a")),
        Some("Filter condition:X has unidentified operator: is"),
    );
    check("3", condition("anpa_take_key", "in", "update"), None);
    check("3", condition("city", "like", "oslo"), None);
    check("3", condition("mood", "in", "glad"), None);
    check("3", condition("location", "near", "1,2,3"), None);
    for (field, operator, value, why) in [
        ("urgency", "in", "1,x", "'x' is not a whole number"),
        ("urgency", "eq", "", "'' is not a whole number"),
        ("location", "near", "1,2", "expected numbers"),
        ("slugline", "near", "1,2,3", "operator near does not apply to field slugline"),
    ] {
        let expected = format!("Filter condition:X has an invalid value: {why}");
        check("3", named("X", condition(field, operator, value)), Some(&expected));
    }
    let refusal = catalog.check_condition("3", &condition("slugline", "like", "(")).unwrap_err();
    assert_eq!(refusal.fields, ["value"]);
    assert!(refusal.message.contains("unclosed group"), "{}", refusal.message);

    let removal = |id: &str| message(catalog.check_condition_removal(id));
    assert_eq!(removal("1").unwrap(), "Filter condition has been referenced in content filter: A,B");
    assert_eq!(removal("2").unwrap(), "Filter condition has been referenced in content filter: B");
    assert_eq!(removal("3"), None);
}

#[test]
fn content_filters() {
    let catalog = catalog_of(&[
        (Part::Filter, "a", named("A", filter(&[(&["c"], &["b"])]))),
        (Part::Filter, "b", named("B", filter(&[(&["c"], &[])]))),
        (Part::Filter, "used", named("U", filter(&[(&["c"], &[])]))),
        (Part::Product, "p", permitting("used")),
        (Part::Product, "q", permitting("used")),
        (Part::Subscriber, "1", json!({"name": "One", "products": ["p"]})),
        (Part::Subscriber, "2", json!({"name": "Two", "api_products": ["q"]})),
        (Part::Subscriber, "3", json!({"name": "Three", "products": []})),
    ]);
    let check = |id: &str, document: Value, expected: Option<&str>| {
        assert_eq!(message(catalog.check_filter(id, &document)).as_deref(), expected, "{document}");
    };
    check("n", filter(&[(&["c"], &[])]), None);
    check(
        "n",
        filter(&[(&["c"], &[]), (&[], &[])]),
        Some("Filter statement 2 does not have a filter condition"),
    );
    check("n", json!({"content_filter": [{}]}), Some("Filter statement 1 does not have a filter condition"));
    check(
        "n",
        json!({"content_filter": [{"expression": {}}]}),
        Some("Filter statement 1 does not have a filter condition"),
    );
    let circle = |name: &str| format!("Circular dependency error in content filters:{name}");
    check("b", named("B", filter(&[(&[], &["a"])])), Some(&circle("B")));
    check("b", named("B", filter(&[(&["c"], &[]), (&["c"], &["b"])])), Some(&circle("B")));
    check("c", named("C", filter(&[(&[], &["a", "b"])])), None);

    let removal = |id: &str, schemes: &[&str]| message(catalog.check_filter_removal(id, schemes));
    assert_eq!(removal("used", &[]).unwrap(), "Content filter has been referenced by subscriber(s) One,Two");
    assert_eq!(
        removal("b", &["R", "S"]).unwrap(),
        "Content filter has been referenced by routing scheme(s) R,S"
    );
    assert_eq!(removal("b", &[]).unwrap(), "Content filter has been referenced in A");
    assert_eq!(removal("a", &[]), None);
    assert_eq!(removal("gone", &[]), None);
}

#[test]
fn nesting_has_bounds() {
    let mut catalog = super::catalog();
    for level in 0..60 {
        let inner = format!("{}", level + 1);
        catalog.set(Part::Filter, &level.to_string(), Some(&filter(&[(&["c"], &[&inner])])));
    }
    let refused = message(catalog.check_filter("n", &filter(&[(&[], &["0"])])));
    assert_eq!(refused.unwrap(), "Content filter nests more than 32 levels or 10000 conditions");
    assert_eq!(message(catalog.check_filter("n", &filter(&[(&[], &["40"])]))), None);
    // What is refused is what would not be judged.
    for level in [27, 28, 29] {
        let document = filter(&[(&[], &[&level.to_string()])]);
        let is_refused = catalog.check_filter("n", &document).is_err();
        catalog.set(Part::Filter, "n", Some(&document));
        assert_eq!(catalog.is_tangled(catalog.filters.find("n").unwrap()), is_refused, "{level}");
        catalog.set(Part::Filter, "n", None);
    }
    let many: Vec<String> = (0..10_001).map(|number| format!("c{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(message(catalog.check_filter("n", &filter(&[(&many[1..], &[])]))), None);
    let refused = message(catalog.check_filter("n", &filter(&[(&many, &[])])));
    assert_eq!(refused.unwrap(), "Content filter nests more than 32 levels or 10000 conditions");
}

#[test]
fn a_filter_does_not_take_those_that_nest_it_beyond_bounds() {
    let mut catalog = super::catalog();
    for level in 0..32 {
        let inner = format!("{}", level + 1);
        let document = named(&format!("F{level}"), filter(&[(&["c"], &[&inner])]));
        assert_eq!(message(catalog.check_filter(&level.to_string(), &document)), None);
        catalog.set(Part::Filter, &level.to_string(), Some(&document));
    }
    assert_eq!(message(catalog.check_filter("32", &filter(&[(&["c"], &[])]))), None);
    let refused = message(catalog.check_filter("32", &filter(&[(&["c"], &["gone"])])));
    assert_eq!(refused.unwrap(), "With it, content filter F0 nests more than 32 levels or 10000 conditions");
}

fn products() -> Catalog {
    catalog_of(&[
        (Part::Product, "d", json!({"name": "Direct", "product_type": "direct"})),
        (Part::Product, "a", json!({"name": "Api", "product_type": "api"})),
        (Part::Product, "b", json!({"name": "Both"})),
        (Part::Subscriber, "1", json!({"name": "One", "products": ["d", "b"]})),
        (Part::Subscriber, "2", json!({"name": "Two", "api_products": ["b"]})),
    ])
}

#[test]
fn held_products() {
    let catalog = products();
    let removal = |id: &str| message(catalog.check_product_removal(id));
    assert_eq!(removal("b").unwrap(), "Product is used by the subscriber(s): One, Two");
    assert_eq!(removal("d").unwrap(), "Product is used by the subscriber(s): One");
    assert_eq!(removal("a"), None);
    let refusal = catalog.check_product("d", &json!({"product_type": "api"})).unwrap_err();
    assert_eq!(refusal.fields, ["product_type"]);
    assert_eq!(refusal.message, "Product is used by the subscriber(s): One");
    assert_eq!(catalog.check_product("d", &json!({"product_type": "direct", "codes": "x"})), Ok(()));
    assert_eq!(catalog.check_product("a", &json!({"product_type": "both"})), Ok(()));
    assert_eq!(catalog.check_product("new", &json!({"product_type": "api"})), Ok(()));
}

#[test]
fn subscribers() {
    let catalog = products();
    let check = |document: Value, fields: &[&str], expected: &str| {
        let refusal = catalog.check_subscriber(&document).err();
        let (found, message) = refusal.map(|own| (own.fields, own.message)).unwrap_or_default();
        assert_eq!((found.as_slice(), message.as_str()), (fields, expected), "{document}");
    };
    let to = json!([{"name": "d", "format": "ninjs", "delivery_type": "ftp"}]);
    check(json!({"destinations": to}), &[], "");
    check(json!({"api_products": ["b"]}), &[], "");
    check(json!({"is_active": false}), &[], "");
    let nowhere = "At least one destination or one API Product should be specified";
    check(json!({}), &["destinations", "api_products"], nowhere);
    check(json!({"is_active": true, "destinations": []}), &["destinations", "api_products"], nowhere);
    check(
        json!({"products": ["d"], "api_products": ["b"]}),
        &["destinations"],
        "Destinations not specified.",
    );
    check(
        json!({"destinations": to, "products": ["d", "b", "a"]}),
        &["products"],
        "Invalid Product Type. Products Api.",
    );
    check(
        json!({"api_products": ["d", "a", "b"]}),
        &["api_products"],
        "Invalid Product Type. API Products Direct.",
    );
    let numbers =
        |min: i64, max: i64| json!({"destinations": to, "sequence_num_settings": {"min": min, "max": max}});
    check(numbers(1, 2), &[], "");
    check(
        numbers(0, 2),
        &["sequence_num_settings.min"],
        "Value of Minimum in Sequence Number Settings should be greater than 0",
    );
    check(
        numbers(2, 2),
        &["sequence_num_settings.min"],
        "Value of Minimum in Sequence Number Settings should be less than the value of Maximum",
    );
}

#[test]
fn similar_conditions_lead_to_subscribers() {
    let catalog = catalog_of(&[
        (Part::Condition, "in", condition("slugline", "in", "Storm,rain")),
        (Part::Condition, "nin", condition("slugline", "nin", "sun")),
        (Part::Condition, "nin storm", condition("slugline", "nin", "storm")),
        (Part::Condition, "like", condition("slugline", "like", "storm")),
        (Part::Condition, "provider", condition("ingest_provider", "eq", "p1")),
        (Part::Filter, "inner", filter(&[(&["in"], &[])])),
        (Part::Filter, "outer", filter(&[(&[], &["inner"])])),
        (Part::Filter, "other", filter(&[(&["like"], &[])])),
        (Part::Product, "p", permitting("outer")),
        (Part::Product, "q", permitting("other")),
        (Part::Subscriber, "s", json!({"name": "S", "api_products": ["p"]})),
        (Part::Subscriber, "t", json!({"name": "T", "products": ["q"]})),
    ]);
    let similar = catalog.similar(&condition("slugline", "in", "storm"));
    assert_eq!(similar.conditions, ["in", "nin"]);
    assert_eq!(similar.filters, ["inner", "outer"]);
    assert_eq!(similar.products, ["p"]);
    assert_eq!(similar.subscribers, ["s"]);
    assert_eq!(catalog.similar(&condition("slugline", "like", "STORM")).conditions, ["like"]);
    assert_eq!(catalog.similar(&condition("ingest_provider", "eq", "p1")).conditions, ["provider"]);
    assert_eq!(catalog.similar(&condition("ingest_provider", "eq", "p")).conditions, [""; 0]);
}

#[test]
fn fields_are_offered_with_their_operators() {
    let offered = super::catalog().offered();
    let of = |field: &str| {
        let own = offered.iter().find(|own| own.field == field).unwrap();
        own.operators.iter().map(|operator| operator.name()).collect::<Vec<_>>().join(",")
    };
    assert_eq!(of("urgency"), "in,nin,eq,ne,lt,lte,gt,gte");
    assert_eq!(of("body_html"), "in,nin,like,notlike,startswith,endswith");
    assert_eq!(of("place"), "match,in,nin");
    assert_eq!(of("featuremedia"), "exists");
    assert_eq!(of("city"), "in,nin,eq,ne,like,notlike,startswith,endswith");
    assert_eq!(of("mood"), "in,nin");
    assert_eq!(of("languages"), "in,nin");
}
