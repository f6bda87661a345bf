//! The resources as a client sees them: documents, versions, lists, search, sign-in, rights, operations.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::client::{Client, next_cursor, query};
use crate::errors::{problem, problem_of};
use crate::program::Server;

async fn cars(admin: &Client) {
    let cars = json!({
        "name": "cars", "unique": [["plate"]], "indexes": [["brand"], ["price"]],
        "schema": {"plate": {"type": "string", "required": true}, "brand": {"type": "string"}, "price": {"type": "number"}},
    });
    admin.post("/api/collections", &cars).reply().await.expect(201);
}

fn ids(list: &Value) -> Vec<&str> {
    let items = list["_items"].as_array().unwrap_or_else(|| panic!("no _items in {list}"));
    items.iter().filter_map(|item| item["_id"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_described() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let description = Client::stranger(&server).get("/openapi.json").reply().await.expect(200).json();
    assert!(
        description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")),
        "{}",
        description["openapi"]
    );
    let paths = description["paths"].as_object().expect("paths");
    let shape = |path: &str| {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let described = |method: &str, path: &str| {
        paths.iter().any(|(known, operations)| shape(known) == path && operations.get(method).is_some())
    };
    let routes = [
        "get /livez",
        "get /readyz",
        "get /metrics",
        "get /openapi.json",
        "post /api/auth",
        "post /api/auth_db",
        "get /api/auth/{}",
        "delete /api/auth/{}",
        "get /api/sessions",
        "get /api/changes",
        "get /api/stream",
        "post /api/positions",
        "get /api/positions",
        "get /api/positions/{}",
        "get /api/adlists/{}/matches",
        "get /api/fences",
        "get /api/devices/{}/fences",
        "get /api/explain/match",
        "get /api",
    ];
    for route in routes {
        let (method, path) = route.split_once(' ').expect("method and path");
        assert!(
            described(method, path) || described(method, &format!("{path}/")),
            "{route} is not in /openapi.json"
        );
    }
    for resource in ["users", "ads", "adlists", "fences", "devices", "collections"] {
        for (method, rest) in
            [("get", ""), ("post", ""), ("get", "/{}"), ("patch", "/{}"), ("put", "/{}"), ("delete", "/{}")]
        {
            let own = described(method, &format!("/api/{resource}{rest}"));
            assert!(
                own || described(method, &format!("/api/{{}}{rest}")),
                "{method} /api/{resource}{rest} is not in /openapi.json"
            );
        }
    }
    for resource in [
        "matches",
        "fence_events",
        "positions",
        "users",
        "ads",
        "adlists",
        "fences",
        "devices",
        "collections",
    ] {
        admin.get(&format!("/api/{resource}")).reply().await.expect(200);
    }
    // What is described exists, and every reference leads somewhere.
    for (path, operations) in paths {
        if operations.get("get").is_some() && !path.contains('{') && path != "/api/stream" {
            let reply = admin.get(path).reply().await;
            assert!(!matches!(reply.status, 404 | 405 | 500..), "{path} is described: {}", reply.text());
        }
    }
    let text = description.to_string();
    for (_, name) in text
        .match_indices("\"$ref\":\"#/components/schemas/")
        .map(|(at, found)| (at, &text[at + found.len()..]))
    {
        let name = name.split('"').next().expect("a name");
        assert!(!description["components"]["schemas"][name].is_null(), "no schema {name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_have_versions_and_tags() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    cars(&admin).await;
    let made = admin.post("/api/cars", &json!({"plate": "A 1", "price": 1})).reply().await.expect(201);
    let first = made.json();
    let id = first["_id"].as_str().expect("_id").to_owned();
    assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "a generated id: {id}");
    for name in ["_etag", "_created", "_updated", "_version", "_seq", "_status", "plate", "price"] {
        assert!(!first[name].is_null(), "no {name} in {first}");
    }
    assert_eq!((&first["_status"], &first["_version"]), (&json!("OK"), &json!(1)));
    let created = first["_created"].as_str().expect("_created");
    assert!(created.len() == 24 && created.ends_with("+0000"), "Eve's date: {created}");
    let path = format!("/api/cars/{id}");

    let read = admin.get(&path).reply().await.expect(200);
    let etag = read.header("etag").expect("an ETag").to_owned();
    assert_eq!(etag, format!("\"{}\"", first["_etag"].as_str().expect("_etag")));
    let links = read.json()["_links"]["self"]["href"].as_str().map(str::to_owned);
    assert_eq!(
        links.as_deref().map(|href| href.trim_start_matches('/').trim_start_matches("api/")),
        Some(&*format!("cars/{id}"))
    );
    for unchanged in [etag.clone(), "*".to_owned(), format!("\"other\", {etag}"), format!("W/{etag}")] {
        let reply = admin.get(&path).header("if-none-match", &unchanged).reply().await.expect(304);
        assert!(reply.body.is_empty() && reply.header("etag") == Some(&etag), "{unchanged}");
    }
    admin.get(&path).header("if-none-match", "\"other\"").reply().await.expect(200);
    let head = admin.call("HEAD", &path).reply().await.expect(200);
    assert!(head.body.is_empty() && head.header("etag") == Some(&etag));

    // The bare tag is taken too, and the answer is the new version.
    let bare = etag.trim_matches('"');
    let changed = admin
        .call("PATCH", &path)
        .json(&json!({"price": 2}))
        .header("if-match", bare)
        .reply()
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&changed["_version"], &changed["plate"], &changed["price"]),
        (&json!(2), &json!("A 1"), &json!(2))
    );
    assert!(changed["_seq"].as_u64() > first["_seq"].as_u64() && changed["_etag"] != first["_etag"]);
    assert_eq!(changed["_created"], first["_created"]);
    let second_etag = changed["_etag"].as_str().expect("_etag").to_owned();
    let minimal = admin
        .patch(&path, &second_etag, &json!({"price": 3}))
        .header("prefer", "return=minimal")
        .reply()
        .await
        .expect(200);
    let body = minimal.json();
    assert!(body["plate"].is_null() && body["_version"] == 3 && body["_etag"].is_string(), "{body}");
    let replaced = admin
        .call("PUT", &path)
        .json(&json!({"plate": "A 1"}))
        .if_match(&minimal.etag())
        .reply()
        .await
        .expect(200)
        .json();
    assert!(replaced["price"].is_null() && replaced["_version"] == 4, "{replaced}");

    for (version, price) in [(1, json!(1)), (2, json!(2)), (3, json!(3)), (4, Value::Null)] {
        let old = admin.read(&format!("{path}?version={version}")).await;
        assert_eq!((&old["_version"], &old["price"]), (&json!(version), &price), "{old}");
    }
    let all = admin.read(&format!("{path}?version=all")).await;
    let versions: Vec<u64> = all["_items"]
        .as_array()
        .expect("_items")
        .iter()
        .filter_map(|item| item["_version"].as_u64())
        .collect();
    assert!(versions == [1, 2, 3, 4] || versions == [4, 3, 2, 1], "{versions:?}");
    let at = changed["_seq"].as_u64().expect("_seq");
    assert_eq!(admin.read(&format!("{path}?as_of={at}")).await["price"], 2);
    assert_eq!(admin.read(&format!("{path}?as_of={}", at - 1)).await["price"], 1);
    assert_eq!(admin.read(&format!("/api/cars?as_of={at}")).await["_items"][0]["price"], 2);
    let before = first["_seq"].as_u64().expect("_seq") - 1;
    problem("before it was", &admin.get(&format!("{path}?as_of={before}")).reply().await, 404);

    let etag = replaced["_etag"].as_str().expect("_etag");
    let gone = admin.delete(&path, etag).reply().await.expect(204);
    assert!(gone.body.is_empty());
    problem("removed", &admin.get(&path).reply().await, 404);
    assert_eq!(admin.read(&format!("{path}?as_of={at}")).await["price"], 2, "the past stays");
    // The plate is free again, and so is the id.
    let again = admin.put_new(&path, &json!({"plate": "A 1"})).reply().await.expect(201).json();
    assert!(again["_etag"] != first["_etag"], "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arrays_answer_by_their_size() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    cars(&admin).await;
    let one = admin.post("/api/cars", &json!([{"plate": "A"}])).reply().await.expect(201).json();
    assert_eq!((&one["plate"], &one["_status"]), (&json!("A"), &json!("OK")));
    let two =
        admin.post("/api/cars", &json!([{"plate": "B"}, {"plate": "C"}])).reply().await.expect(201).json();
    assert_eq!(two["_status"], "OK");
    let plates: Vec<&str> =
        two["_items"].as_array().expect("_items").iter().filter_map(|item| item["plate"].as_str()).collect();
    assert_eq!(plates, ["B", "C"]);
    assert_eq!(two["_items"][0]["_seq"].as_u64().map(|seq| seq + 1), two["_items"][1]["_seq"].as_u64());
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_of_every_kind() {
    let mut server = Server::start();
    let stranger = Client::stranger(&server);
    let credentials = json!({"username": "admin", "password": crate::program::PASSWORD});
    let signed = stranger.post("/api/auth", &credentials).reply().await.expect(201);
    let session = signed.json();
    let (token, id) = (
        session["token"].as_str().expect("token").to_owned(),
        session["_id"].as_str().expect("_id").to_owned(),
    );
    assert!(session["user"].is_string() && session.get("password").is_none(), "{session}");
    let cookie = signed.header("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a cookie").to_owned();
    stranger.post("/api/auth_db", &credentials).reply().await.expect(201);

    let by = |header: &'static str, value: String| stranger.get("/api/ads").header(header, &value);
    by("authorization", format!("Bearer {token}")).reply().await.expect(200);
    by("authorization", format!("Basic {}", STANDARD.encode(format!("{token}:")))).reply().await.expect(200);
    by("cookie", cookie.clone()).reply().await.expect(200);
    problem("a cut token", &by("authorization", format!("Bearer {}", &token[1..])).reply().await, 401);

    // A cookie alone changes nothing from elsewhere.
    let ad = json!({"title": "x", "coords": [1, 2]});
    let host = stranger.url();
    let write = || stranger.post("/api/ads", &ad).header("cookie", &cookie);
    problem("from elsewhere", &write().header("origin", "https://evil.example").reply().await, 403);
    problem("from elsewhere", &write().header("sec-fetch-site", "cross-site").reply().await, 403);
    problem("without proof", &write().reply().await, 403);
    write().header("origin", &host).reply().await.expect(201);
    write().header("sec-fetch-site", "same-origin").reply().await.expect(201);

    let admin = stranger.with_token(&token);
    let sessions = admin.read("/api/sessions").await;
    assert!(sessions["_items"].as_array().is_some_and(|items| items.len() >= 2), "{sessions}");
    assert!(!sessions.to_string().contains(&token), "tokens are never shown again");

    let key = admin
        .post("/api/tokens", &json!({"name": "for a test", "scopes": ["read"]}))
        .reply()
        .await
        .expect(201)
        .json();
    let secret = key["token"].as_str().unwrap_or_else(|| panic!("no token in {key}")).to_owned();
    assert!(secret.starts_with("dl_"), "{secret}");
    let reader = stranger.with_token(&secret);
    reader.read("/api/ads").await;
    problem("a key that may only read", &reader.post("/api/ads", &ad).reply().await, 403);
    let mut changed = secret.clone().into_bytes();
    let last = changed.len() - 1;
    changed[last] = if changed[last] == b'a' { b'b' } else { b'a' };
    let forged = String::from_utf8(changed).expect("ASCII");
    problem("a forged key", &stranger.with_token(&forged).get("/api/ads").reply().await, 401);
    let tokens = admin.read("/api/tokens").await;
    assert!(!tokens.to_string().contains(&secret), "secrets are never shown again");

    // Sessions and keys outlive the program, however it ends.
    server.stop();
    server.launch();
    admin.read("/api/ads").await;
    server.kill();
    server.launch();
    admin.read("/api/ads").await;
    reader.read("/api/ads").await;

    let etag = admin.get(&format!("/api/auth/{id}")).reply().await.expect(200).etag();
    let out = admin.delete(&format!("/api/auth/{id}"), &etag).reply().await;
    assert!(matches!(out.status, 200 | 204), "signing out: {}", out.text());
    problem("after signing out", &admin.get("/api/ads").reply().await, 401);
    problem("the cookie after signing out", &by("cookie", cookie).reply().await, 401);
    let log = stranger
        .signed_in("admin", crate::program::PASSWORD)
        .await
        .read("/api/changes?since=0&limit=10000&include=doc")
        .await;
    assert!(!log.to_string().contains("argon2"), "no hash of a password is readable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_see_what_is_theirs() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let phrase = "a long enough phrase 9";
    let mut people = Vec::new();
    for name in ["ann", "bob"] {
        let user = admin
            .post("/api/users", &json!({"username": name, "password": phrase}))
            .reply()
            .await
            .expect(201)
            .json();
        assert!(user.get("password").is_none() && user["user_type"] == "user", "{user}");
        people.push((admin.signed_in(name, phrase).await, user["_id"].as_str().expect("_id").to_owned()));
    }
    let twice = admin.post("/api/users", &json!({"username": "ann", "password": phrase})).reply().await;
    problem_of("a name twice", &twice, 400, "username");
    assert_eq!(admin.read("/api/users/ann").await["_id"], json!(people[0].1), "users are found by name");
    for (index, (person, id)) in people.iter().enumerate() {
        let device = format!("phone-{index}");
        person.put_new(&format!("/api/devices/{device}"), &json!({"name": "mine"})).reply().await.expect(201);
        let list = json!({"name": "mine", "device": device, "area": {"around": {"radius_m": 1000}}});
        let list =
            person.put_new(&format!("/api/adlists/list-{index}"), &list).reply().await.expect(201).json();
        assert_eq!(list["user"], json!(id), "a list belongs to who made it");
        let taken = person
            .post("/api/positions", &json!({"device": device, "lon": 13.4, "lat": 52.5}))
            .reply()
            .await
            .expect(202)
            .json();
        assert_eq!(taken["accepted"], 1, "{taken}");
    }
    admin.put_new("/api/ads/one", &json!({"title": "one", "coords": [52.5, 13.4]})).reply().await.expect(201);
    let (ann, bob) = (&people[0].0, &people[1].0);
    let deadline = Instant::now() + Duration::from_secs(20);
    while admin.read("/api/matches").await["_meta"]["total"] != 2 {
        assert!(Instant::now() < deadline, "the matches do not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (index, (person, _)) in people.iter().enumerate() {
        let own = person.read("/api/matches").await;
        assert_eq!(
            (own["_meta"]["total"].as_u64(), &own["_items"][0]["adlist"]),
            (Some(1), &json!(format!("list-{index}")))
        );
        let log = person.read("/api/changes?since=0&limit=10000&include=doc").await;
        let foreign = format!("list-{}", 1 - index);
        assert!(
            log.to_string().contains(&format!("list-{index}")) && !log.to_string().contains(&foreign),
            "{log}"
        );
        assert_eq!(ids(&person.read("/api/adlists").await), [format!("list-{index}")]);
    }
    for (path, what) in [
        ("/api/adlists/list-1", "a list"),
        ("/api/adlists/list-1/matches", "matches"),
        ("/api/positions/phone-1", "a place"),
    ] {
        let reply = ann.get(path).reply().await;
        assert!(matches!(reply.status, 403 | 404), "{what} of another: {}", reply.text());
    }
    let etag = admin.get("/api/adlists/list-1").reply().await.expect(200).etag();
    let reply = ann.patch("/api/adlists/list-1", &etag, &json!({"active": false})).reply().await;
    assert!(matches!(reply.status, 403 | 404), "changing a list of another: {}", reply.text());
    let foreign = bob.post("/api/positions", &json!({"device": "phone-0", "lon": 1, "lat": 2})).reply().await;
    assert!(
        foreign.status == 403 || foreign.json()["accepted"] == 0,
        "moving a device of another: {}",
        foreign.text()
    );
    let reply = ann
        .patch(
            "/api/users/ann",
            &admin.get("/api/users/ann").reply().await.etag(),
            &json!({"user_type": "administrator"}),
        )
        .reply()
        .await;
    problem("making oneself administrator", &reply, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_can_look_inside() {
    let server = Server::start();
    let stranger = Client::stranger(&server);
    stranger.get("/livez").reply().await.expect(200);
    stranger.get("/readyz").reply().await.expect(200);
    let ready = stranger.get("/readyz?verbose").reply().await.expect(200).json();
    assert!(ready["seq"].is_u64() && ready["checks"].is_object(), "{ready}");
    let followers = ready["followers"].as_object().expect("followers");
    assert!(
        !followers.is_empty()
            && followers.values().all(|follower| follower["seq"].is_u64() && follower["lag"].is_u64()),
        "{ready}"
    );
    let metrics = stranger.get("/metrics").reply().await.expect(200);
    assert!(
        metrics.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text")),
        "{:?}",
        metrics.headers
    );
    let text = metrics.text();
    assert!(text.ends_with("# EOF\n") && text.contains("# TYPE"), "{text}");
    let page = stranger.get("/").header("accept", "text/html").reply().await.expect(200);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'self'"), "{policy}");
    stranger.get("/docs").reply().await.expect(200);
    let kind = stranger.get("/api/ads").reply().await.json()["type"].as_str().expect("type").to_owned();
    let slug = kind.rsplit('/').next().expect("a slug");
    stranger.get(&format!("/docs/problems/{slug}")).reply().await.expect(200);
    let reply = stranger.get("/api/ads").reply().await;
    assert!(
        reply.header("x-request-id").is_some() && reply.header("x-content-type-options") == Some("nosniff"),
        "{:?}",
        reply.headers
    );
}
