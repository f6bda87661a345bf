//! Every action, with and without earlier deliveries.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::filter::{Change, NoLender, Part};

/// Wire `w` and digital `d` take storms, `all` takes everything, `off` is not active, `bare` has no products.
fn percolator() -> Percolator {
    let mut catalog = Catalog::new(Vec::new(), Arc::new(NoLender));
    let mut put = |part, id: &str, document: Value| catalog.set(part, id, Some(&document));
    put(Part::Condition, "storm", json!({"field": "slugline", "operator": "like", "value": "storm"}));
    put(
        Part::Filter,
        "f",
        json!({"is_global": false, "content_filter": [{"expression": {"fc": ["storm"]}}]}),
    );
    let storms = json!({"filter_id": "f", "filter_type": "permitting"});
    put(Part::Product, "storms", json!({"content_filter": storms, "codes": "st"}));
    put(Part::Product, "nsw", json!({"geo_restrictions": "NSW"}));
    put(Part::Product, "any", json!({"codes": "any"}));
    let mut subscriber = |id: &str, kind: &str, products: &[&str], active: bool| {
        let document = json!({
            "name": id, "subscriber_type": kind, "products": products, "is_active": active, "codes": "own",
        });
        put(Part::Subscriber, id, document);
    };
    subscriber("w", "wire", &["storms", "nsw"], true);
    subscriber("d", "digital", &["storms", "nsw"], true);
    subscriber("all", "all", &["any"], true);
    subscriber("off", "all", &["any"], false);
    subscriber("bare", "wire", &[], true);
    Percolator::new(catalog)
}

fn row(subscriber: &str, action: &str, codes: &[&str]) -> Delivery {
    Delivery {
        subscriber: subscriber.to_owned(),
        publishing_action: action.to_owned(),
        codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        ..Delivery::default()
    }
}

fn request<'a>(action: Action, item: &'a Value) -> Request<'a> {
    Request {
        action,
        item,
        now: Timestamp::UNIX_EPOCH,
        content_api: true,
        unpublish_to_matching: true,
        deliveries: &[],
        original_deliveries: &[],
        chosen: &[],
    }
}

fn codes(codes: &[Arc<str>]) -> Vec<&str> {
    codes.iter().map(|code| &**code).collect()
}

fn names(request: Request<'_>) -> Vec<String> {
    let found = recipients(&percolator(), request).unwrap();
    assert!(found.undecided.is_empty());
    found.list.into_iter().map(|recipient| recipient.subscriber.to_string()).collect()
}

#[test]
fn a_publish_asks_the_filters() {
    let check = |item: Value, expected: &[&str]| {
        assert_eq!(names(request(Action::Publish, &item)), expected, "{item}");
        // Rows of the item itself bind nobody when it is published again.
        let deliveries = [row("bare", "published", &[])];
        assert_eq!(names(Request { deliveries: &deliveries, ..request(Action::Publish, &item) }), expected);
    };
    check(json!({"type": "text", "slugline": "storm"}), &["all", "d", "w"]);
    check(json!({"type": "text", "slugline": "calm"}), &["all"]);
    check(json!({"type": "picture", "slugline": "storm"}), &["all", "d"]);
}

#[test]
fn an_update_also_goes_to_those_that_got_the_original() {
    let original = [
        row("bare", "published", &["old"]),
        row("bare", "corrected", &["new", "newer"]),
        row("w", "published", &["old"]),
        row("off", "published", &[]),
        row("d", "killed", &[]),
    ];
    let of = |kind: &str, rewrite_of: Value| {
        let item = json!({"type": kind, "slugline": "storm", "rewrite_of": rewrite_of});
        let request = Request { original_deliveries: &original, ..request(Action::Publish, &item) };
        recipients(&percolator(), request).unwrap().list
    };
    let list = of("text", json!("original"));
    let names: Vec<&str> = list.iter().map(|own| &*own.subscriber).collect();
    assert_eq!(names, ["all", "bare", "d", "w"]);
    assert_eq!(codes(&list[1].codes), ["new", "newer"]);
    assert_eq!(list[1].cause, Cause::OriginalBefore);
    // What matches now has the codes of now.
    assert_eq!(codes(&list[3].codes), ["own", "st"]);
    assert!(matches!(&list[3].cause, Cause::Matched { products, .. } if codes(products) == ["storms"]));
    assert_eq!(of("text", Value::Null).len(), 3);
    assert_eq!(of("preformatted", json!("original")).len(), 3);
}

#[test]
fn a_correction_goes_to_those_that_have_it_and_those_that_match() {
    let calm = json!({"type": "text", "slugline": "calm"});
    let storm = json!({"type": "text", "slugline": "storm"});
    let regional =
        json!({"type": "text", "slugline": "storm", "target_regions": [{"qcode": "NSW", "allow": true}]});
    let check = |item: &Value, deliveries: &[Delivery], expected: &[&str]| {
        assert_eq!(
            names(Request { deliveries, ..request(Action::Correct, item) }),
            expected,
            "{item} {deliveries:?}"
        );
    };
    check(&storm, &[], &[]);
    check(&storm, &[row("off", "published", &[])], &[]);
    check(&storm, &[row("bare", "killed", &[])], &[]);
    check(&calm, &[row("w", "published", &[])], &["all", "w"]);
    check(&storm, &[row("bare", "corrected", &[])], &["all", "bare", "d", "w"]);
    // A digital one must have had it.
    check(&regional, &[row("bare", "published", &[])], &["bare", "w"]);
    check(&regional, &[row("d", "published", &[])], &["d", "w"]);
}

#[test]
fn it_is_open_only_for_those_that_nothing_else_decides() {
    let mut percolator = percolator();
    let broken = json!({"field": "slugline", "operator": "like", "value": "("});
    let regional = json!({"geo_restrictions": "NSW", "content_filter": {"filter_id": "f"}});
    percolator.apply(&[
        Change { part: Part::Condition, id: "storm".to_owned(), document: Some(broken) },
        Change { part: Part::Product, id: "nsw".to_owned(), document: Some(regional) },
    ]);
    let check = |request: Request<'_>, expected: &[&str], undecided: &[&str]| {
        let found = recipients(&percolator, request).unwrap();
        let names: Vec<&str> = found.list.iter().map(|own| &*own.subscriber).collect();
        let open: Vec<&str> = found.undecided.iter().map(|own| &*own.subscriber).collect();
        assert_eq!((names.as_slice(), open.as_slice()), (expected, undecided), "{:?}", request.action);
    };
    let item = json!({"type": "text", "slugline": "storm", "rewrite_of": "original"});
    check(request(Action::Publish, &item), &["all"], &["d", "w"]);
    let rows = [row("d", "published", &[])];
    check(Request { original_deliveries: &rows, ..request(Action::Publish, &item) }, &["all", "d"], &["w"]);
    check(Request { deliveries: &rows, ..request(Action::Correct, &item) }, &["all", "d"], &["w"]);
    check(Request { deliveries: &rows, ..request(Action::Kill, &item) }, &["d"], &[]);
    let regional = json!({"type": "text", "target_regions": [{"qcode": "NSW", "allow": true}]});
    check(request(Action::Publish, &regional), &[], &["d", "w"]);
    let rows = [row("bare", "published", &[])];
    check(Request { deliveries: &rows, ..request(Action::Correct, &regional) }, &["bare"], &["w"]);
}

#[test]
fn what_is_taken_back_is_taken_back_where_it_went() {
    let storm = json!({"type": "text", "slugline": "storm"});
    for action in [Action::Kill, Action::Takedown, Action::Unpublish] {
        let check = |deliveries: &[Delivery], unpublish_to_matching: bool, expected: &[&str]| {
            let request = Request { deliveries, unpublish_to_matching, ..request(action, &storm) };
            assert_eq!(names(request), expected, "{action:?} {deliveries:?}");
        };
        check(&[row("bare", "published", &[])], true, &["bare"]);
        check(&[row("bare", "corrected", &[]), row("off", "published", &[])], false, &["bare"]);
        check(&[], true, &["all", "d", "w"]);
        check(&[], false, &[]);
        check(&[row("off", "published", &[])], true, &["all", "d", "w"]);
    }
}

#[test]
fn a_resend_goes_to_the_chosen() {
    let picture = json!({"type": "picture", "target_subscribers": ["w"]});
    let chosen = ["w", "off", "bare", "gone", "w"].map(str::to_owned);
    let found =
        recipients(&percolator(), Request { chosen: &chosen, ..request(Action::Resend, &picture) }).unwrap();
    let list: Vec<(&str, Vec<&str>)> =
        found.list.iter().map(|own| (&*own.subscriber, codes(&own.codes))).collect();
    assert_eq!(list, [("bare", vec!["own"]), ("w", vec!["own", "st"])]);
}

#[test]
fn rows_tell_the_codes_the_content_api_and_associations() {
    let item = json!({"type": "text", "slugline": "calm", "associations": {
        "featuremedia": {"_id": "pic", "type": "picture"}, "gone": null,
        "related": {"_id": "story", "type": "text", "slugline": "storm"},
    }});
    let deliveries = [
        Delivery { associated_items: vec!["old".to_owned()], ..row("w", "published", &["a"]) },
        Delivery { is_content_api: true, ..row("w", "corrected", &["b"]) },
    ];
    let request = Request { deliveries: &deliveries, ..request(Action::Correct, &item) };
    let list = recipients(&percolator(), request).unwrap().list;
    let of = |id: &str| list.iter().find(|own| *own.subscriber == *id).unwrap();
    assert_eq!(codes(&of("w").codes), ["b"]);
    assert!(of("w").is_api_enabled);
    assert_eq!(of("w").associations, BTreeSet::from(["old".to_owned(), "story".to_owned()]));
    assert_eq!(of("all").associations, BTreeSet::from(["pic".to_owned(), "story".to_owned()]));
    assert_eq!(of("w").cause, Cause::Before);
}

#[test]
fn a_package_goes_to_those_that_have_members_of_it() {
    let percolator = percolator();
    let shares_of = |members: &[Member<'_>]| {
        let shares = shares(percolator.catalog(), members);
        let told =
            shares.into_iter().map(|share| (share.subscriber, share.members.into_iter().collect::<Vec<_>>()));
        told.map(|(subscriber, members)| format!("{subscriber}: {}", members.join(" "))).collect::<Vec<_>>()
    };
    let member =
        |id: &'static str, deliveries| Member { id, state: "published", deliveries, is_removed: false };
    let (first, second) = (
        [row("w", "published", &["a"]), row("off", "published", &[]), row("d", "corrected", &[])],
        [row("w", "published", &["b"]), row("all", "published", &[])],
    );
    assert_eq!(shares_of(&[member("1", &first), member("2", &second)]), ["all: 2", "w: 1 2"]);
    let removed = Member { is_removed: true, ..member("2", &second) };
    assert_eq!(shares_of(&[member("1", &first), removed]), ["all: ", "w: 1"]);
    assert!(shares_of(&[]).is_empty());
    let last = shares(percolator.catalog(), &[member("1", &first), member("2", &second)]).remove(1);
    assert_eq!(codes(&last.codes), ["b"]);
    assert!(!last.is_api_enabled);
}

#[test]
fn a_share_has_no_empty_groups() {
    let reference = |id: &str| json!({"residRef": id, "type": "text"});
    let package = json!({"_id": "p", "groups": [
        {"id": "root", "refs": [{"idRef": "main"}, {"idRef": "side"}]},
        {"id": "main", "refs": [reference("1"), reference("2")]},
        {"id": "side", "refs": [reference("3")]},
    ]});
    let share = |members: &[&str]| share_of(&package, &members.iter().map(|id| (*id).to_owned()).collect());
    assert_eq!(share(&["1", "2", "3"]).as_ref(), Some(&package));
    let expected = json!({"_id": "p", "groups": [
        {"id": "root", "refs": [{"idRef": "main"}]},
        {"id": "main", "refs": [reference("2")]},
    ]});
    assert_eq!(share(&["2", "4"]), Some(expected));
    assert_eq!(share(&["4"]), None);
    assert_eq!(share(&[]), None);
    assert_eq!(share_of(&json!({}), &BTreeSet::new()), None);
}
