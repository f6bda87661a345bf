//! Lists: filtered, sorted, in pages, by place, by words.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, next_cursor, query};
use crate::documents::cars;
use crate::errors::{problem, problem_of};
use crate::program::Server;

/// The ids of a list's items, in their order.
pub(crate) fn ids(list: &Value) -> Vec<&str> {
    let items = list["_items"].as_array().unwrap_or_else(|| panic!("no _items in {list}"));
    items.iter().filter_map(|item| item["_id"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_filter_sort_and_page() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    cars(&admin).await;
    let brands = ["fiat", "skoda", "volvo"];
    let car = |n: usize| json!({"_id": format!("car-{n:03}"), "plate": format!("P{n:03}"), "brand": brands[n % 3], "price": (n * 37) % 50, "n": n});
    let all: Vec<Value> = (0..120).map(car).collect();
    admin.post("/api/cars", &json!(all)).reply().await.expect(201);
    let find = |parameters: Vec<(&'static str, String)>| {
        let admin = admin.clone();
        async move {
            let pairs: Vec<(&str, &str)> =
                parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            admin.read(&format!("/api/cars?{}", query(&pairs))).await
        }
    };
    type Keeps = fn(&Value) -> bool;
    let filters: [(Value, Keeps); 12] = [
        (json!({"brand": "fiat"}), |car| car["brand"] == "fiat"),
        (json!({"brand": {"$in": ["fiat", "volvo"]}}), |car| car["brand"] != "skoda"),
        (json!({"brand": {"$nin": ["fiat"]}}), |car| car["brand"] != "fiat"),
        (json!({"brand": {"$ne": "fiat"}, "price": {"$gt": 40}}), |car| {
            car["brand"] != "fiat" && car["price"].as_u64() > Some(40)
        }),
        (json!({"price": {"$gte": 10, "$lt": 20}}), |car| {
            (10..20).contains(&car["price"].as_u64().unwrap_or(0))
        }),
        (json!({"price": {"$lte": 3}}), |car| car["price"].as_u64() <= Some(3)),
        (json!({"$or": [{"n": 5}, {"n": 7}]}), |car| car["n"] == 5 || car["n"] == 7),
        (json!({"$and": [{"n": {"$gt": 5}}, {"n": {"$lt": 7}}]}), |car| car["n"] == 6),
        (json!({"n": {"$not": {"$gt": 3}}}), |car| car["n"].as_u64() <= Some(3)),
        (json!({"colour": {"$exists": true}}), |_| false),
        (json!({"plate": {"$regex": "^P00[1-3]"}}), |car| (1..=3).contains(&car["n"].as_u64().unwrap_or(0))),
        (json!({"_id": "car-009"}), |car| car["n"] == 9),
    ];
    for (filter, keeps) in filters {
        let found = find(vec![("where", filter.to_string()), ("max_results", "500".to_owned())]).await;
        let wanted: Vec<&str> =
            all.iter().filter(|car| keeps(car)).filter_map(|car| car["_id"].as_str()).collect();
        assert_eq!(ids(&found), wanted, "{filter}");
        assert_eq!(found["_meta"]["total"].as_u64(), Some(wanted.len() as u64), "{filter}");
    }
    let sorted = find(vec![("sort", "-price,n".to_owned()), ("max_results", "500".to_owned())]).await;
    let mut wanted = all.clone();
    wanted.sort_by_key(|car| (std::cmp::Reverse(car["price"].as_u64()), car["n"].as_u64()));
    assert_eq!(ids(&sorted), wanted.iter().filter_map(|car| car["_id"].as_str()).collect::<Vec<_>>());

    let page = find(vec![("max_results", "50".to_owned()), ("page", "3".to_owned())]).await;
    assert_eq!(ids(&page).len(), 20);
    assert_eq!(
        (&page["_meta"]["page"], &page["_meta"]["max_results"], &page["_meta"]["total"]),
        (&json!(3), &json!(50), &json!(120))
    );
    assert!(
        page["_seq"].as_u64() > Some(0)
            && page["_links"]["prev"].is_object()
            && page["_links"]["next"].is_null(),
        "{}",
        page["_links"]
    );
    assert_eq!(ids(&find(vec![]).await).len(), 25, "the usual size of a page");
    let bounded = find(vec![("max_results", "100000".to_owned())]).await;
    assert_eq!(ids(&bounded).len(), 120);
    assert!(bounded["_meta"]["max_results"].as_u64() <= Some(500), "{}", bounded["_meta"]);

    let shown =
        find(vec![("projection", json!({"plate": 1}).to_string()), ("max_results", "1".to_owned())]).await;
    let item = &shown["_items"][0];
    assert!(item["plate"].is_string() && item["brand"].is_null() && item["_id"].is_string(), "{item}");
    let hidden =
        find(vec![("projection", json!({"plate": 0}).to_string()), ("max_results", "1".to_owned())]).await;
    assert!(hidden["_items"][0]["plate"].is_null() && hidden["_items"][0]["brand"].is_string(), "{hidden}");

    // A cursor is stable under writes: what is changed, added or removed behind or before it moves nothing.
    let mut page = find(vec![("sort", "price".to_owned()), ("max_results", "30".to_owned())]).await;
    let mut seen: Vec<String> = ids(&page).into_iter().map(str::to_owned).collect();
    let mut round = 0;
    while let Some(cursor) = next_cursor(&page) {
        round += 1;
        let extra =
            json!({"_id": format!("extra-{round}"), "plate": format!("X{round}"), "price": round * 7});
        admin.post("/api/cars", &extra).reply().await.expect(201);
        let etag = admin.get("/api/cars/car-000").reply().await.expect(200).etag();
        admin.patch("/api/cars/car-000", &etag, &json!({"price": 49 - round})).reply().await.expect(200);
        page = find(vec![("sort", "price".to_owned()), ("max_results", "30".to_owned()), ("cursor", cursor)])
            .await;
        seen.extend(ids(&page).into_iter().map(str::to_owned));
    }
    let mut wanted = all.clone();
    wanted.sort_by_key(|car| (car["price"].as_u64(), car["n"].as_u64()));
    assert_eq!(seen, wanted.iter().filter_map(|car| car["_id"].as_str()).collect::<Vec<_>>());
    let other = admin.get(&format!("/api/ads?{}", query(&[("cursor", "AAAA")]))).reply().await;
    problem_of("a cursor of another list", &other, 400, "cursor");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_are_found() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let ads =
        [("a", 0.0, 0.0), ("b", 0.01, 0.0), ("c", 0.05, 0.0), ("d", 179.995, 10.0), ("e", -179.995, 10.0)];
    for (id, lon, lat) in ads {
        let body = json!({"title": id, "location": {"type": "Point", "coordinates": [lon, lat]}});
        admin.put_new(&format!("/api/ads/{id}"), &body).reply().await.expect(201);
    }
    let near = admin.read("/api/ads?near=0.001,0,2000").await;
    assert_eq!(ids(&near), ["a", "b"], "nearest first");
    let away_m = near["_items"][0]["distance_m"].as_f64().unwrap_or(-1.0);
    assert!((away_m - 111.19).abs() < 0.1, "{away_m}");
    let seam = admin.read("/api/ads?near=-180,10,1000").await;
    assert_eq!(ids(&seam).len(), 2, "{seam}");
    let mut boxed = ids(&admin.read("/api/ads?bbox=179,9,-179,11").await)
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    boxed.sort();
    assert_eq!(boxed, ["d", "e"]);
    assert_eq!(ids(&admin.read("/api/ads?bbox=-0.001,-1,0.02,1").await).len(), 2);

    let fixes = json!([{"device": "x", "lon": 0, "lat": 0}, {"device": "y", "lon": 0.01, "lat": 0}, {"device": "z", "lon": 50, "lat": 0}]);
    admin.post("/api/positions", &fixes).reply().await.expect(202);
    let found = admin
        .get("/api/positions?near=0,0,5000")
        .header("accept", "application/geo+json")
        .reply()
        .await
        .expect(200);
    assert_eq!(found.header("content-type"), Some("application/geo+json"));
    let found = found.json();
    assert_eq!(
        (&found["type"], found["features"].as_array().map(Vec::len)),
        (&json!("FeatureCollection"), Some(2))
    );
    assert_eq!(found["features"][0]["geometry"]["coordinates"], json!([0.0, 0.0]));
    let polygon =
        json!({"type": "Polygon", "coordinates": [[[49, -1], [51, -1], [51, 1], [49, 1], [49, -1]]]})
            .to_string();
    let inside = admin.read(&format!("/api/positions?{}", query(&[("polygon", &polygon)]))).await;
    assert_eq!(inside["_items"][0]["device"], "z", "{inside}");

    let list = json!({"name": "near x", "device": "x", "area": {"around": {"radius_m": 2000}}, "q": "-b"});
    admin.put_new("/api/adlists/l", &list).reply().await.expect(201);
    assert_eq!(ids(&admin.read("/api/adlists/l/matches").await), ["a"]);
    let why = admin.read("/api/explain/match?ad=a&adlist=l").await;
    assert!(
        why["matches"] == true && why["tests"].as_array().is_some_and(|tests| !tests.is_empty()),
        "{why}"
    );
    let why_not = admin.read("/api/explain/match?ad=c&adlist=l").await;
    assert_eq!(why_not["matches"], false);
    assert!(why_not.to_string().contains("2000"), "the numbers of the test are told: {why_not}");

    // An ad is never removed: it ends.
    let etag = admin.get("/api/ads/a").reply().await.expect(200).etag();
    admin.delete("/api/ads/a", &etag).reply().await.expect(204);
    assert_eq!(admin.read("/api/ads/a").await["active"], false);
    assert_eq!(ids(&admin.read("/api/adlists/l/matches").await), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_sees_what_was_written() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let texts = ["Red bicycle, hardly used", "Blue bicycles for rent", "A red sofa", "Port Said by night"];
    for (n, text) in texts.into_iter().enumerate() {
        let made = admin
            .put_new(&format!("/api/ads/{n}"), &json!({"title": text, "coords": [1, 2]}))
            .reply()
            .await
            .expect(201)
            .json();
        // Without a wait of any kind: the answer has seen the write.
        let seq = made["_seq"].to_string();
        let word = text.split(' ').next().expect("a word");
        let found = admin.read(&format!("/api/ads?{}", query(&[("q", word), ("min_seq", &seq)]))).await;
        assert!(ids(&found).contains(&&*n.to_string()), "{text}: {found}");
    }
    let cases: [(&str, &[&str]); 7] = [
        ("bicycle", &["0", "1"]),
        ("red bicycle", &["0"]),
        ("red -bicycle", &["2"]),
        ("\"port said\"", &["3"]),
        ("\"said port\"", &[]),
        ("title:sofa", &["2"]),
        ("nothing", &[]),
    ];
    for (q, wanted) in cases {
        let found = admin.read(&format!("/api/ads?{}", query(&[("q", q)]))).await;
        let mut got = ids(&found);
        got.sort_unstable();
        assert_eq!(got, wanted, "{q}");
        assert_eq!(found["_meta"]["total"].as_u64(), Some(wanted.len() as u64), "{q}");
    }
    let began = Instant::now();
    let late = admin.get("/api/ads?q=red&min_seq=99999999").reply().await;
    problem("a position far ahead", &late, 504);
    assert!(
        began.elapsed() > Duration::from_secs(3) && began.elapsed() < Duration::from_secs(12),
        "{:?}",
        began.elapsed()
    );
}
