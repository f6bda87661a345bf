//! Filters, products and subscribers, rule by rule.

use serde_json::{Value, json};

use super::super::{Catalog, Percolator, Truth};
use super::{Part, catalog_of, condition, filter, now, permitting, question, taken, texts};

/// What both evaluators say.
fn recipients(documents: &[(Part, &str, Value)], item: &Value) -> Vec<String> {
    let plain = catalog_of(documents).recipients(question(item)).unwrap();
    let fast = Percolator::new(catalog_of(documents)).recipients(question(item)).unwrap();
    assert_eq!(plain, fast);
    taken(&plain).into_iter().map(str::to_owned).collect()
}

fn subscriber(changes: Value) -> Value {
    let mut document = json!({"name": "S", "subscriber_type": "all", "is_active": true, "products": ["p"]});
    let members = document.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    document
}

fn matches(catalog: &Catalog, id: &str, item: &Value) -> Truth {
    catalog.matches(id, item, now())
}

#[test]
fn a_filter_is_an_or_of_ands() {
    let catalog = catalog_of(&[
        (Part::Condition, "storm", condition("slugline", "like", "storm")),
        (Part::Condition, "urgent", condition("urgency", "lt", "3")),
        (Part::Condition, "bad", condition("slugline", "like", "(")),
        (Part::Filter, "both", filter(&[(&["storm", "urgent"], &[])])),
        (Part::Filter, "either", filter(&[(&["storm"], &[]), (&["urgent"], &[])])),
        (Part::Filter, "nested", filter(&[(&["urgent"], &["either"])])),
        (Part::Filter, "dangling", filter(&[(&["gone"], &[])])),
        (Part::Filter, "dangling filter", filter(&[(&["storm"], &["gone"])])),
        (Part::Filter, "nothing", json!({"name": "nothing", "content_filter": []})),
        (Part::Filter, "empty", filter(&[(&["storm"], &[]), (&[], &[])])),
        (Part::Filter, "broken and", filter(&[(&["bad", "storm"], &[])])),
        (Part::Filter, "broken or", filter(&[(&["bad"], &[]), (&["storm"], &[])])),
        (Part::Filter, "circle", filter(&[(&[], &["circle 2"])])),
        (Part::Filter, "circle 2", filter(&[(&["storm"], &["circle"])])),
        (Part::Filter, "to circle", filter(&[(&["storm"], &[]), (&[], &["circle"])])),
    ]);
    let storm = json!({"slugline": "Storm", "urgency": 5});
    let urgent = json!({"slugline": "Calm", "urgency": 1});
    let check = |id: &str, on_storm: Truth, on_urgent: Truth| {
        assert_eq!(
            (matches(&catalog, id, &storm), matches(&catalog, id, &urgent)),
            (on_storm, on_urgent),
            "{id}"
        );
    };
    let (no, unknown, yes) = (Truth::False, Truth::Unknown, Truth::True);
    check("both", no, no);
    check("either", yes, yes);
    check("nested", no, yes);
    check("dangling", no, no);
    check("dangling filter", yes, no);
    check("gone", yes, yes);
    check("nothing", no, no);
    check("empty", yes, unknown);
    check("broken and", unknown, no);
    check("broken or", yes, unknown);
    check("circle", unknown, unknown);
    check("to circle", unknown, unknown);
    assert_eq!(matches(&catalog, "both", &json!({"slugline": "storm", "urgency": 2})), yes);
}

#[test]
fn too_much_nesting_is_not_judged() {
    let mut catalog = super::catalog();
    catalog.set(Part::Condition, "c", Some(&condition("type", "eq", "text")));
    catalog.set(Part::Filter, "0", Some(&filter(&[(&["c"], &[])])));
    for level in 1..40 {
        let inner = (level - 1).to_string();
        // Written out, this doubles with each level.
        let twice = filter(&[(&["c"], &[inner.as_str()]), (&[], &[inner.as_str()])]);
        catalog.set(Part::Filter, &level.to_string(), Some(&twice));
    }
    let item = json!({"type": "picture"});
    assert_eq!(matches(&catalog, "5", &item), Truth::False);
    assert_eq!(matches(&catalog, "39", &item), Truth::Unknown);
    let percolator = Percolator::new(catalog);
    assert!(percolator.recipients(question(&item)).unwrap().taken.is_empty());
}

#[test]
fn products_permit_or_block_and_have_regions() {
    let check = |product: Value, item: Value, accepted: bool| {
        let documents = [
            (Part::Condition, "c", condition("slugline", "eq", "storm")),
            (Part::Condition, "bad", condition("slugline", "like", "(")),
            (Part::Filter, "f", filter(&[(&["c"], &[])])),
            (Part::Product, "p", product.clone()),
            (Part::Subscriber, "s", subscriber(json!({}))),
        ];
        assert_eq!(recipients(&documents, &item) == ["s"], accepted, "{product} {item}");
    };
    let (storm, calm) = (json!({"slugline": "storm"}), json!({"slugline": "calm"}));
    let with =
        |filter: &str, kind: Value| json!({"content_filter": {"filter_id": filter, "filter_type": kind}});
    check(json!({}), calm.clone(), true);
    check(json!({"content_filter": null}), calm.clone(), true);
    check(with("f", "permitting".into()), storm.clone(), true);
    check(with("f", "permitting".into()), calm.clone(), false);
    check(with("f", "blocking".into()), storm.clone(), false);
    check(with("f", "blocking".into()), calm.clone(), true);
    check(with("f", Value::Null), storm.clone(), false);
    check(json!({"content_filter": {"filter_id": null, "filter_type": "permitting"}}), calm.clone(), true);
    // A filter that is not there matches.
    check(with("gone", "permitting".into()), calm.clone(), true);
    check(with("gone", "blocking".into()), calm.clone(), false);

    let to = |code: &str, allow: bool| json!({"target_regions": [{"qcode": code, "allow": allow}]});
    let region = |code: &str| json!({"geo_restrictions": code});
    check(region("NSW"), calm.clone(), false);
    check(json!({}), to("NSW", true), false);
    check(region("NSW"), to("NSW", true), true);
    check(region("VIC"), to("NSW", true), false);
    check(region("NSW"), to("NSW", false), false);
    check(region("VIC"), to("NSW", false), true);
    check(json!({"geo_restrictions": null}), json!({"target_regions": []}), true);
}

#[test]
fn items_name_subscribers_types_and_regions() {
    let check = |who: Value, item: Value, accepted: bool| {
        let documents = [
            (Part::Product, "p", json!({})),
            (Part::Product, "nsw", json!({"geo_restrictions": "NSW"})),
            (Part::Subscriber, "s", subscriber(who.clone())),
        ];
        assert_eq!(recipients(&documents, &item) == ["s"], accepted, "{who} {item}");
    };
    let wire = json!({"subscriber_type": "wire"});
    check(wire.clone(), json!({}), true);
    check(json!({"is_active": false}), json!({}), false);
    check(json!({"products": []}), json!({}), false);
    check(json!({"products": ["gone"]}), json!({}), false);
    check(wire.clone(), json!({"type": "picture"}), false);
    check(wire.clone(), json!({"type": "preformatted"}), true);
    check(json!({"subscriber_type": "digital"}), json!({"type": "picture"}), true);

    check(json!({"products": []}), json!({"target_subscribers": ["s"]}), true);
    check(json!({"products": []}), json!({"target_subscribers": [{"_id": "s", "name": "S"}]}), true);
    check(json!({"is_active": false}), json!({"target_subscribers": ["s"]}), false);
    check(json!({}), json!({"target_subscribers": ["other"]}), false);
    check(wire.clone(), json!({"target_types": [{"qcode": "wire", "allow": true}]}), true);
    check(wire.clone(), json!({"target_types": [{"qcode": "wire", "allow": false}]}), false);
    check(wire.clone(), json!({"target_types": [{"qcode": "digital", "allow": false}]}), true);
    check(
        wire.clone(),
        json!({"target_types": [{"qcode": "wire", "allow": true}], "target_subscribers": ["x"]}),
        true,
    );
    // Not named, but there are regions: then its products decide.
    let regional = json!({"target_subscribers": ["x"], "target_regions": [{"qcode": "NSW", "allow": true}]});
    check(json!({"products": ["nsw"]}), regional.clone(), true);
    check(json!({"products": ["p"]}), regional, false);
}

#[test]
fn a_region_without_a_code_is_a_fault_of_the_item() {
    let catalog = catalog_of(&[]);
    let item = json!({"target_regions": [{"name": "NSW"}]});
    let fault = catalog.recipients(question(&item)).unwrap_err();
    assert_eq!(fault.message, "Key is missing on article to be published: 'qcode'");
    assert_eq!(Percolator::new(catalog).recipients(question(&item)).unwrap_err(), fault);
}

#[test]
fn global_filters_block_unless_switched_off() {
    let check = |global: Value, who: Value, accepted: bool| {
        let mut filter = filter(&[(&["c"], &[])]);
        filter["is_global"] = global.clone();
        if global.is_null() {
            filter.as_object_mut().unwrap().remove("is_global");
        }
        let documents = [
            (Part::Condition, "c", condition("slugline", "eq", "storm")),
            (Part::Filter, "f", filter),
            (Part::Product, "p", json!({})),
            (Part::Subscriber, "s", subscriber(who.clone())),
        ];
        assert_eq!(
            recipients(&documents, &json!({"slugline": "Storm"})) == ["s"],
            accepted,
            "{global} {who}"
        );
        assert_eq!(recipients(&documents, &json!({"slugline": "calm"})), ["s"]);
    };
    check(json!(true), json!({}), false);
    check(json!(false), json!({}), true);
    // A filter that does not say counts as global.
    check(Value::Null, json!({}), false);
    check(json!(true), json!({"global_filters": {"f": false}}), true);
    check(json!(true), json!({"global_filters": {"f": true}}), false);
    check(json!(true), json!({"global_filters": {"g": false}}), false);
}

#[test]
fn codes_and_products_are_told() {
    let documents = [
        (Part::Product, "p", json!({"codes": "a, b,,"})),
        (Part::Product, "q", json!({"codes": "b,c"})),
        (Part::Product, "r", json!({"codes": "z", "geo_restrictions": "NSW"})),
        (
            Part::Subscriber,
            "s",
            subscriber(json!({"codes": " x ,a,x", "products": ["p", "r"], "api_products": ["q"]})),
        ),
    ];
    let item = json!({});
    for content_api in [true, false] {
        let question = super::Question { content_api, ..question(&item) };
        let plain = catalog_of(&documents).recipients(question).unwrap();
        assert_eq!(plain, Percolator::new(catalog_of(&documents)).recipients(question).unwrap());
        let taken = &plain.taken[0];
        let expected: &[&str] = if content_api { &["x", "a", "b", "c"] } else { &["x", "a", "b"] };
        assert_eq!(texts(&taken.codes), expected);
        assert_eq!(texts(&taken.products), ["p"]);
        assert_eq!(taken.is_api_enabled(), content_api);
    }
}

#[test]
fn what_a_broken_filter_leaves_open_is_told() {
    let check = |who: Value, expected: &[&str], undecided: &[&str]| {
        let mut broken_global = filter(&[(&["bad", "storm"], &[])]);
        broken_global["is_global"] = true.into();
        let documents = [
            (Part::Condition, "bad", condition("slugline", "like", "(")),
            (Part::Condition, "storm", condition("slugline", "like", "storm")),
            (Part::Filter, "broken", filter(&[(&["bad"], &[])])),
            (Part::Filter, "global", broken_global),
            (Part::Product, "p", permitting("broken")),
            (Part::Product, "blocking", json!({"content_filter": {"filter_id": "broken"}})),
            (Part::Product, "open", json!({})),
            (Part::Subscriber, "s", subscriber(who.clone())),
        ];
        for (item, expected, undecided) in [
            (json!({"slugline": "calm"}), expected, undecided),
            (json!({"slugline": "calm", "target_subscribers": ["x"]}), &[][..], &[][..]),
        ] {
            let plain = catalog_of(&documents).recipients(question(&item)).unwrap();
            assert_eq!(plain, Percolator::new(catalog_of(&documents)).recipients(question(&item)).unwrap());
            assert_eq!(taken(&plain), expected, "{who}");
            let broken: Vec<&str> = plain.undecided.iter().flat_map(|own| texts(&own.filters)).collect();
            assert_eq!(broken, undecided, "{who}");
        }
        // Now the global filter cannot be judged either.
        let storm = json!({"slugline": "storm"});
        let plain = catalog_of(&documents).recipients(question(&storm)).unwrap();
        assert!(plain.taken.is_empty());
        assert_eq!(plain, Percolator::new(catalog_of(&documents)).recipients(question(&storm)).unwrap());
    };
    check(json!({"products": ["open"]}), &["s"], &[]);
    check(json!({"products": ["p"]}), &[], &["broken"]);
    check(json!({"products": ["blocking"]}), &[], &["broken"]);
    check(json!({"products": ["p", "open"]}), &["s"], &[]);
    check(json!({"products": []}), &[], &[]);
}

#[test]
fn some_filters_serve_other_ends() {
    let with = |key: &str| {
        let mut filter = filter(&[(&["c"], &[])]);
        filter[key] = true.into();
        let catalog = catalog_of(&[
            (Part::Condition, "c", condition("slugline", "eq", "storm")),
            (Part::Filter, "f", filter),
        ]);
        let item = |slugline: &str| json!({"slugline": slugline});
        let (storm, calm) = (item("storm"), item("calm"));
        let of = |item: &Value| {
            let (api, archive) = (catalog.blocks_api(item, now()), catalog.blocks_archive(item, now()));
            (api == Truth::True, archive == Truth::True)
        };
        (of(&storm), of(&calm))
    };
    assert_eq!(with("api_block"), ((true, false), (false, false)));
    assert_eq!(with("is_archived_filter"), ((false, true), (false, false)));
    assert_eq!(with("is_global"), ((false, false), (false, false)));
}
