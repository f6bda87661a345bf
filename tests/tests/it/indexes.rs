//! Indexes over HTTP: declared, changed on a live collection, watched while they are built, refused.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, next_cursor, query};
use crate::documents::cars;
use crate::errors::problem;
use crate::lists::ids;
use crate::program::Server;

/// The indexes of a collection once they all are as the test wants them.
async fn settled(admin: &Client, path: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let found = admin.read(path).await["_indexes"].as_array().cloned().expect("_indexes");
        if found.iter().all(&wanted) {
            return found;
        }
        assert!(Instant::now() < deadline, "indexes do not settle: {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn ready(index: &Value) -> bool {
    index["state"] == "ready"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_collection_gets_other_indexes() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    cars(&admin).await;
    let car = |n: usize| json!({"_id": format!("c{n:03}"), "plate": format!("P{n}"), "year": 1990 + n % 7, "price": n});
    admin.post("/api/cars", &json!((0..600).map(car).collect::<Vec<_>>())).reply().await.expect(201);
    let path = "/api/collections/cars";
    let etag = admin.get(path).reply().await.expect(200).etag();
    let change = json!({"indexes": [["brand"], {"fields": ["year", "price"], "type": "number"}]});
    assert_eq!(admin.patch(path, "0.0", &change).reply().await.status, 412);
    let changed = admin.patch(path, &etag, &change).reply().await.expect(200);
    // Writes go on meanwhile.
    for n in 600..640 {
        admin.post("/api/cars", &car(n)).reply().await.expect(201);
    }
    let found = settled(&admin, path, ready).await;
    let declared: Vec<&Value> = found.iter().map(|index| &index["index"]).collect();
    let typed = json!({"fields": ["year", "price"], "type": ["number", "number"]});
    assert_eq!(declared, [&json!(["plate"]), &json!(["brand"]), &typed]);
    let list = admin
        .read(&format!("/api/cars?{}", query(&[("where", r#"{"year": 1993}"#), ("max_results", "500")])))
        .await;
    assert_eq!(ids(&list).len(), (0..640).filter(|n| n % 7 == 3).count());
    let bad = admin.post("/api/cars", &json!({"plate": "Q", "year": "old"})).reply().await;
    let bad = problem("a kind", &bad, 400)["_issues"]["year"].clone();
    assert_eq!(bad, "must be a number, as its index is declared");
    // Restarted, changed back, and what cannot be changed is named.
    let etag = changed.etag();
    for (change, field) in [(json!({"search": true}), "search"), (json!({"name": "vans"}), "name")] {
        let refused = admin.patch(path, &etag, &change).reply().await;
        assert!(!problem(field, &refused, 400)["_issues"][field].is_null());
    }
    let mut whole = admin.read(path).await;
    whole["indexes"] = json!([]);
    admin.put(path, &etag, &whole).reply().await.expect(200);
    assert_eq!(settled(&admin, path, ready).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unique_index_names_what_is_in_its_way() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    admin.post("/api/collections", &json!({"name": "people"})).reply().await.expect(201);
    for (id, mail) in [("a", "Ann@x.org"), ("b", "ann@X.org"), ("c", "c@x.org")] {
        admin.post("/api/people", &json!({"_id": id, "mail": mail})).reply().await.expect(201);
    }
    let path = "/api/collections/people";
    let etag = admin.get(path).reply().await.expect(200).etag();
    let change = json!({"unique": [{"fields": ["mail"], "ignore_case": true}]});
    admin.patch(path, &etag, &change).reply().await.expect(200);
    let found = settled(&admin, path, |index| index["state"] == "unique_pending").await;
    assert_eq!(
        found[0]["violations"],
        json!([{"ids": ["b", "a"], "values": ["ann@x.org"], "why": "both have this value"}])
    );
    let etag = admin.get("/api/people/b").reply().await.expect(200).etag();
    admin.patch("/api/people/b", &etag, &json!({"mail": "b@x.org"})).reply().await.expect(200);
    settled(&admin, path, ready).await;
    let by_mail = query(&[("where", r#"{"mail": "Ann@x.org"}"#), ("explain", "true")]);
    let found = admin.read(&format!("/api/people?{by_mail}")).await;
    assert_eq!((ids(&found), &found["_explain"]["way"]), (vec!["a"], &json!("index")), "letters as they are");
    let taken = admin.post("/api/people", &json!({"mail": " ANN@X.ORG"})).reply().await;
    let taken = problem("taken", &taken, 409);
    assert!(taken["detail"].as_str().is_some_and(|text| text.contains("mail")), "{taken}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_of_the_schema_may_be_unique_without_regard_to_case() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let schema = json!({
        "mail": {"type": "string", "iunique": true},
        "label": {"type": "string", "iunique_per_parent": "desk"}, "desk": {"type": "string"},
    });
    admin.post("/api/collections", &json!({"name": "people", "schema": schema})).reply().await.expect(201);
    let post = |body: Value| {
        let admin = admin.clone();
        async move { admin.post("/api/people", &body).reply().await }
    };
    post(json!({"mail": "Straße@x.org", "label": "One", "desk": "a"})).await.expect(201);
    let taken = post(json!({"mail": "STRASSE@X.org"})).await;
    assert!(!problem("mail", &taken, taken.status)["_issues"]["mail"].is_null());
    let taken = post(json!({"label": "one ", "desk": "a"})).await;
    assert!(!problem("label", &taken, taken.status)["_issues"]["label"].is_null());
    post(json!({"label": "one", "desk": "b"})).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_declarations_name_the_place() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    for (indexes, path) in [
        (json!([{"fields": ["a"], "type": "colour"}]), "/indexes/0/type"),
        (json!([["a"], {"fields": ["b"], "kind": "text"}]), "/indexes/1/kind"),
        (json!([["a"], ["a"]]), "/indexes/1"),
        (json!([[]]), "/indexes/0"),
        (json!([["a.0"]]), "/indexes/0"),
        (json!([7]), "/indexes/0"),
    ] {
        let reply = admin.post("/api/collections", &json!({"name": "x", "indexes": indexes})).reply().await;
        let issues = problem("indexes", &reply, 400)["_issues"].clone();
        assert!(issues.pointer(path).is_some(), "{indexes}: {issues}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_tell_how_indexes_serve_them() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let definition = json!({"name": "houses", "indexes": [["town", "price"], ["year"], ["tags"]]});
    admin.post("/api/collections", &definition).reply().await.expect(201);
    let towns = ["oslo", "turku", "riga"];
    let house = |n: usize| {
        json!({"_id": format!("h{n:04}"), "town": towns[n % 3], "price": n * 37 % 1000,
            "year": 1900 + n % 100, "tags": [format!("t{}", n % 50), "all"], "n": n})
    };
    let all: Vec<Value> = (0..3_000).map(house).collect();
    for some in all.chunks(500) {
        admin.post("/api/houses", &json!(some)).reply().await.expect(201);
    }
    let list = |pairs: Vec<(&'static str, String)>| {
        let admin = admin.clone();
        async move {
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, &value[..])).collect();
            admin.read(&format!("/api/houses?{}&explain=true", query(&pairs))).await
        }
    };
    let filter = |filter: Value| ("where", filter.to_string());
    let sort = |sort: &str| ("sort", sort.to_owned());

    // In order, by a condition and without: only the page is looked at.
    let found = list(vec![filter(json!({"town": "oslo"})), sort("-price")]).await;
    let told = &found["_explain"];
    assert_eq!((&told["way"], &told["index"]), (&json!("index"), &json!(["town", "price"])));
    assert_eq!((&told["in_order"], &told["fields_used"]), (&json!(true), &json!(1)));
    assert!(ids(&found).is_sorted_by_key(|id| {
        let n: usize = id[1..].parse().unwrap_or_default();
        (std::cmp::Reverse(n * 37 % 1000), n)
    }));
    let found = list(vec![sort("year"), ("max_results", "5".to_owned())]).await;
    assert!(found["_explain"]["documents"].as_u64() < Some(1_100), "{}", found["_explain"]);
    assert_eq!(found["_meta"].get("total"), None, "3,000 are more than are counted for a page");
    let count = list(vec![sort("year"), ("max_results", "0".to_owned())]).await;
    assert_eq!(count["_meta"]["total"], 3_000);

    // Two ranges, a list, and what no index serves.
    let found = list(vec![filter(json!({"town": {"$in": ["oslo", "riga"]}, "price": {"$gte": 990}}))]).await;
    let told = &found["_explain"];
    assert_eq!((&told["ranges"], &told["fields_used"]), (&json!(2), &json!(2)), "{told}");
    assert_eq!(
        ids(&found).len(),
        all.iter()
            .filter(|house| { house["town"] != "turku" && house["price"].as_u64() >= Some(990) })
            .count()
    );
    let found = list(vec![filter(json!({"tags": "t7"}))]).await;
    assert_eq!((&found["_explain"]["documents"], &found["_meta"]["total"]), (&json!(60), &json!(60)));
    let found = list(vec![filter(json!({"n": {"$lt": 10}})), sort("town,price")]).await;
    assert_eq!(found["_explain"]["missing_index"], Value::Null, "the order is served: {found}");
    let found = list(vec![filter(json!({"n": 9, "year": {"$ne": 3}})), sort("n")]).await;
    assert_eq!(
        (&found["_explain"]["way"], &found["_explain"]["missing_index"]),
        (&json!("scan"), &json!(["n"]))
    );

    // The second page is read as of the first, by the same index, although it has changed since.
    let first = list(vec![sort("-year"), ("max_results", "40".to_owned())]).await;
    admin.post("/api/houses", &json!({"_id": "new", "year": 1999})).reply().await.expect(201);
    let etag = admin.get("/api/houses/h0099").reply().await.expect(200).etag();
    admin.patch("/api/houses/h0099", &etag, &json!({"year": 1998})).reply().await.expect(200);
    let cursor = ("cursor", next_cursor(&first).expect("more pages"));
    let second = list(vec![sort("-year"), ("max_results", "40".to_owned()), cursor]).await;
    assert_eq!(
        (&second["_explain"]["way"], &second["_explain"]["changed_since"]),
        (&json!("index"), &json!(2))
    );
    let mut wanted = all.clone();
    wanted.sort_by_key(|house| (std::cmp::Reverse(house["year"].as_u64()), house["n"].as_u64()));
    let wanted: Vec<&str> = wanted.iter().filter_map(|house| house["_id"].as_str()).collect();
    assert_eq!([ids(&first), ids(&second)].concat(), wanted[..80]);
    let bad = admin.get("/api/houses?explain=maybe").reply().await;
    assert_eq!(problem("explain", &bad, 400)["parameter"], "explain");
}
