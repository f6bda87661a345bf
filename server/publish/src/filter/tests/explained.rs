//! Explanations.

use serde_json::{Value, json};

use super::{Part, catalog_of, condition, filter, permitting, question};

fn catalog() -> super::Catalog {
    let mut global = filter(&[(&["sport"], &[])]);
    global["is_global"] = true.into();
    global["name"] = "No sport".into();
    let mut weather = filter(&[(&["storm"], &["urgent"])]);
    weather["name"] = "Weather".into();
    catalog_of(&[
        (Part::Condition, "storm", condition("slugline", "like", "storm")),
        (Part::Condition, "u", condition("urgency", "lt", "3")),
        (Part::Condition, "sport", condition("anpa_category", "in", "s")),
        (Part::Filter, "urgent", filter(&[(&["u"], &[])])),
        (Part::Filter, "weather", weather),
        (Part::Filter, "no-sport", global),
        (
            Part::Product,
            "p",
            json!({"name": "News", "content_filter": permitting("weather")["content_filter"]}),
        ),
        (Part::Product, "q", json!({"name": "Rest", "content_filter": {"filter_id": "weather"}})),
        (
            Part::Subscriber,
            "s",
            json!({"name": "S", "subscriber_type": "wire", "is_active": true, "products": ["p"]}),
        ),
    ])
}

#[test]
fn every_step_is_told() {
    let item = json!({"slugline": "Storm Ada", "urgency": 5});
    let explanation = catalog().explain(question(&item), "s").unwrap().unwrap();
    let told = explanation.to_json();
    assert_eq!(told["accepted"], false);
    assert_eq!(told["reason"], "none of its products accepts the item");
    let checks: Vec<&str> =
        told["steps"].as_array().unwrap().iter().map(|step| step["check"].as_str().unwrap()).collect();
    assert_eq!(checks, ["active", "media", "targets", "global_filter", "product"]);
    let product = &told["steps"][4];
    assert_eq!((&product["id"], &product["passed"]), (&json!("p"), &json!(false)));
    let statement = &product["steps"][1]["steps"][0];
    assert_eq!(statement["passed"], false);
    assert_eq!(statement["steps"][0]["passed"], true);
    assert_eq!(
        statement["steps"][0]["text"],
        "'slugline like': slugline like 'storm'; the item has 'Storm Ada'"
    );
    let inner = &statement["steps"][1];
    assert_eq!(
        (&inner["check"], &inner["id"], &inner["passed"]),
        (&json!("filter"), &json!("urgent"), &json!(false))
    );
    assert_eq!(inner["steps"][0]["steps"][0]["text"], "'urgency lt': urgency lt '3'; the item has '5'");
    assert!(catalog().explain(question(&item), "nobody").unwrap().is_none());
}

#[test]
fn the_reason_is_that_of_the_decision() {
    let check = |item: Value, accepted: bool, reason: &str| {
        let explanation = catalog().explain(question(&item), "s").unwrap().unwrap();
        assert_eq!((explanation.accepted, explanation.reason.as_str()), (accepted, reason), "{item}");
        let all = catalog().explain_all(question(&item)).unwrap();
        assert_eq!(all, [explanation]);
    };
    check(json!({"slugline": "storm", "urgency": 1}), true, "accepted by 'News'");
    check(
        json!({"slugline": "storm", "urgency": 1, "anpa_category": [{"qcode": "S"}]}),
        false,
        "global filter 'No sport' matches the item",
    );
    check(
        json!({"type": "picture"}),
        false,
        "the item goes to digital subscribers, and this one is of type 'wire'",
    );
    check(json!({"target_subscribers": ["x"]}), false, "the item is meant for others");
    check(json!({"target_subscribers": ["s"]}), true, "the item names the subscriber");
}

#[test]
fn long_values_are_cut() {
    let item = json!({"slugline": "ä".repeat(500)});
    let explanation = catalog().explain(question(&item), "s").unwrap().unwrap();
    assert!(explanation.to_json().to_string().len() < 3_000);
}

#[test]
fn products_are_tested_one_by_one() {
    let item = json!({"slugline": "calm"});
    let tested = catalog().test_products(question(&item)).unwrap();
    let of =
        |id: &str| tested.iter().find(|own| own.product == id).map(|own| (own.matched, own.reason.as_str()));
    assert_eq!(of("p"), Some((false, "Story does not match the filter: Weather")));
    assert_eq!(of("q"), Some((true, "")));

    let regions = catalog_of(&[
        (Part::Product, "none", json!({"name": "None"})),
        (Part::Product, "vic", json!({"name": "Vic", "geo_restrictions": "VIC"})),
    ]);
    let check = |item: Value, id: &str, matched: bool, reason: &str| {
        let tested = regions.test_products(question(&item)).unwrap();
        let own = tested.iter().find(|own| own.product == id).unwrap();
        assert_eq!((own.matched, own.reason.as_str()), (matched, reason));
    };
    let to_nsw = json!({"target_regions": [{"qcode": "NSW", "allow": true}]});
    check(to_nsw.clone(), "none", false, "Story has target_region");
    check(to_nsw, "vic", false, "Story has target_region Product has target_region");
    check(json!({}), "vic", false, " Product has target_region");
    check(json!({}), "none", true, "");
}
