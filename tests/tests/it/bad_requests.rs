//! Requests a client can get wrong around a good body: versions, questions, addresses, rights.

use serde_json::json;

use crate::bad_input::{Ground, ID_BYTES_MAX, head};
use crate::client::{Client, query};
use crate::errors::{problem, problem_of};
use crate::program::PASSWORD;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preconditions_and_versions() {
    let ground = Ground::new().await;
    let admin = &ground.admin;
    let change = json!({"doors": 4});
    let whole = json!({"plate": "A 1", "doors": 4});
    for (method, body) in [("PATCH", Some(&change)), ("PUT", Some(&whole)), ("DELETE", None)] {
        let call = || {
            let call = admin.call(method, "/api/cars/one");
            if let Some(body) = body { call.json(body) } else { call }
        };
        problem(&format!("{method} without If-Match"), &call().reply().await, 428);
        for stale in ["1.1", "zz.zz", "nonsense"] {
            problem(&format!("{method} with {stale}"), &call().if_match(stale).reply().await, 412);
        }
        let elsewhere = admin.call(method, "/api/cars/nowhere");
        let elsewhere = if let Some(body) = body { elsewhere.json(body) } else { elsewhere };
        problem(&format!("{method} of nothing"), &elsewhere.if_match("1.1").reply().await, 404);
    }
    problem("creating over", &admin.put_new("/api/cars/one", &whole).reply().await, 412);
    for version in ["0", "2", "x", "-1"] {
        let reply = admin.get(&format!("/api/cars/one?version={version}")).reply().await;
        let status = if matches!(version, "x" | "-1") && reply.status == 400 { 400 } else { 404 };
        problem(&format!("version {version}"), &reply, status);
    }
    let long = "a".repeat(ID_BYTES_MAX + 1);
    problem_of(
        "an id too long",
        &admin.put_new(&format!("/api/cars/{long}"), &json!({"plate": "B"})).reply().await,
        400,
        "_id",
    );
    problem("an id with NUL", &admin.put_new("/api/cars/a%00b", &json!({"plate": "B"})).reply().await, 400);
    let reply = admin.get(&format!("/api/cars/{long}")).reply().await;
    assert!(matches!(reply.status, 400 | 404), "reading an id too long: {}", reply.text());
    ground.untouched().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_that_make_no_sense() {
    let ground = Ground::new().await;
    let cases: [(&str, &str, &str, u16); 27] = [
        ("/api/cars", "where", "{\"plate\":", 400),
        ("/api/cars", "where", "[1]", 400),
        ("/api/cars", "where", "{\"plate\":{\"$like\":\"A\"}}", 400),
        ("/api/cars", "where", "{\"$or\":5}", 400),
        ("/api/cars", "where", "{\"plate\":{\"$in\":\"A\"}}", 400),
        ("/api/cars", "where", "{\"plate\":{\"$regex\":\"(\"}}", 400),
        ("/api/cars", "max_results", "many", 400),
        ("/api/cars", "max_results", "-1", 400),
        ("/api/cars", "page", "0", 400),
        ("/api/cars", "page", "x", 400),
        ("/api/cars", "projection", "{\"plate\":", 400),
        ("/api/cars", "cursor", "nonsense", 400),
        ("/api/cars", "cursor", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", 400),
        ("/api/cars", "as_of", "yesterday", 400),
        ("/api/ads", "near", "13.4,95,100", 400),
        ("/api/ads", "near", "13.4", 400),
        ("/api/ads", "bbox", "1,2,3", 400),
        ("/api/ads", "q", "\"open", 400),
        ("/api/positions", "near", "x,y,z", 400),
        ("/api/positions", "polygon", "{\"type\":\"Point\"}", 400),
        ("/api/fences", "contains", "13.4", 400),
        ("/api/fences", "contains", "13.4,99", 400),
        ("/api/changes", "since", "x", 400),
        ("/api/changes", "since", "99999999", 410),
        ("/api/changes", "limit", "0", 400),
        ("/api/changes", "include", "everything", 400),
        ("/api/stream", "topics", "gossip", 400),
    ];
    for (path, name, value, status) in cases {
        let reply = ground.admin.get(&format!("{path}?{}", query(&[(name, value)]))).reply().await;
        let body = problem(&format!("{path} {name}={value}"), &reply, status);
        assert!(body.to_string().contains(name), "{path} {name}={value}: the parameter is not named: {body}");
        if status == 410 {
            assert!(body["floor"].is_u64(), "{body}");
        }
    }
    let unknown = ground.admin.get("/api/changes?collections=nothing").reply().await;
    problem("changes of an unknown collection", &unknown, 404);
    ground.untouched().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_methods_and_rights() {
    let ground = Ground::new().await;
    let admin = &ground.admin;
    let user = json!({"username": "reader", "password": "a long enough phrase 9"});
    admin.post("/api/users", &user).reply().await.expect(201);
    let reader = admin.signed_in("reader", "a long enough phrase 9").await;
    let (head, etag) = (head(admin).await, ground.car_etag.clone());
    let stranger = Client::stranger(&ground.server);
    for path in [
        "/api/ads",
        "/api/ads/one",
        "/api/changes",
        "/api/stream",
        "/api/users",
        "/api/positions",
        "/api/sessions",
    ] {
        problem(&format!("{path} by a stranger"), &stranger.get(path).reply().await, 401);
        let forged = stranger.with_token("0123456789abcdef0123456789abcdef");
        problem(&format!("{path} by a forger"), &forged.get(path).reply().await, 401);
    }
    for (username, password) in [("admin", "wrong"), ("nobody", PASSWORD), ("admin", "")] {
        let reply =
            stranger.post("/api/auth", &json!({"username": username, "password": password})).reply().await;
        let status = if password.is_empty() && reply.status == 400 { 400 } else { 401 };
        problem(&format!("signing in as {username}"), &reply, status);
    }
    let reply = stranger.post("/api/auth", &json!({"username": 5})).reply().await;
    assert!((400..=422).contains(&reply.status), "{}", reply.text());
    let refused = [
        ("POST", "/api/users", json!({"username": "x", "password": "another long phrase 9"})),
        ("POST", "/api/collections", json!({"name": "mine"})),
        ("POST", "/api/cars", json!({"plate": "B"})),
        ("DELETE", "/api/cars/one", json!({})),
    ];
    for (method, path, body) in refused {
        let reply = reader.call(method, path).json(&body).if_match(&etag).reply().await;
        problem(&format!("{method} {path} by a reader"), &reply, 403);
    }
    for path in [
        "/api/nothing",
        "/api/ads/nowhere",
        "/api/positions/nowhere",
        "/api/adlists/nowhere/matches",
        "/nowhere",
        "/api/auth/nowhere",
    ] {
        problem(path, &admin.get(path).reply().await, 404);
    }
    for (method, path) in [
        ("DELETE", "/api/changes"),
        ("PATCH", "/api/ads"),
        ("POST", "/api/ads/one"),
        ("PUT", "/api/positions"),
        ("POST", "/livez"),
    ] {
        let reply = admin.call(method, path).json(&json!({})).reply().await;
        problem(&format!("{method} {path}"), &reply, 405);
        assert!(
            reply.header("allow").is_some_and(|allow| allow.contains("GET")),
            "{method} {path}: {:?}",
            reply.headers
        );
    }
    let asked = stranger.get("/api/ads").header("accept", "application/problem+json").reply().await;
    assert_eq!(asked.header("content-type"), Some("application/problem+json"));
    // A user document and two sessions are all that was written; readers of the log see the former.
    let page = admin.read(&format!("/api/changes?since={head}")).await;
    assert_eq!(page["changes"], json!([]), "a refused request left something behind");
}
