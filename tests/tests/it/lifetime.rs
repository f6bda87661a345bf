//! How long things are kept: ends of documents, versions, tombstones, and what the past answers afterwards.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::errors::problem;
use crate::program::Server;

/// Asks again until it holds.
async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !ask().await {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_ends_and_the_log_says_so() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let definition = json!({"name": "codes", "unique": [["code"]], "expire_after_s": 1.2});
    admin.post("/api/collections", &definition).reply().await.expect(201);
    let code = admin.post("/api/codes", &json!({"code": "A"})).reply().await.expect(201).json();
    let (path, seq) = (format!("/api/codes/{}", code["_id"].as_str().expect("_id")), &code["_seq"]);
    problem("held", &admin.post("/api/codes", &json!({"code": "A"})).reply().await, 409);
    until("it ends", async || admin.get(&path).reply().await.status == 404).await;
    admin.post("/api/codes", &json!({"code": "A"})).reply().await.expect(201);
    let changes = format!("/api/changes?collections=codes&since={}", seq.as_u64().expect("_seq") - 1);
    until("the log says so", async || {
        let changes = admin.read(&changes).await;
        let ops: Vec<&Value> =
            changes["changes"].as_array().expect("changes").iter().map(|change| &change["op"]).collect();
        ops.starts_with(&[&json!("put"), &json!("expire")])
    })
    .await;
    assert_eq!(admin.read(&format!("{path}?as_of={seq}")).await["code"], "A", "the past stays");
    assert_eq!(admin.read(&format!("/api/codes?as_of={seq}")).await["_items"][0]["code"], "A");
    let metrics = admin.get("/metrics").reply().await.expect(200);
    assert!(metrics.text().contains("dateline_documents_expired_total"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_versions_go_and_their_past_is_refused() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let definition = json!({"name": "cars", "versions": {"keep": 2}});
    admin.post("/api/collections", &definition).reply().await.expect(201);
    let mut car = admin.post("/api/cars", &json!({"n": 0})).reply().await.expect(201).json();
    let path = format!("/api/cars/{}", car["_id"].as_str().expect("_id"));
    let first = car["_seq"].as_u64().expect("_seq");
    for n in 1..5 {
        let etag = car["_etag"].as_str().expect("_etag").to_owned();
        car = admin.patch(&path, &etag, &json!({"n": n})).reply().await.expect(200).json();
    }
    until("three versions go", async || {
        admin.read(&format!("{path}?version=all")).await["_items"].as_array().map(Vec::len) == Some(2)
    })
    .await;
    for gone in [format!("{path}?as_of={first}"), format!("/api/cars?as_of={first}")] {
        let body = problem("below the floor", &admin.get(&gone).reply().await, 410);
        let detail = body["detail"].as_str().expect("detail");
        assert!(
            body["type"].as_str().expect("type").ends_with("gone") && detail.contains("whole from"),
            "{body}"
        );
    }
    let before = car["_seq"].as_u64().expect("_seq") - 1;
    assert_eq!(admin.read(&format!("{path}?as_of={before}")).await["n"], 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_rule_is_taken_by_a_live_collection() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let mut definition =
        admin.post("/api/collections", &json!({"name": "cars"})).reply().await.expect(201).json();
    let mut car = admin.post("/api/cars", &json!({"n": 0})).reply().await.expect(201).json();
    let path = format!("/api/cars/{}", car["_id"].as_str().expect("_id"));
    let first = car["_seq"].as_u64().expect("_seq");
    for n in 1..5 {
        let etag = car["_etag"].as_str().expect("_etag").to_owned();
        car = admin.patch(&path, &etag, &json!({"n": n})).reply().await.expect(200).json();
    }
    let mut alter = async |changes: Value, status: u16| {
        let etag = definition["_etag"].as_str().expect("_etag").to_owned();
        let reply = admin.patch("/api/collections/cars", &etag, &changes).reply().await.expect(status);
        if status == 200 {
            definition = admin.read("/api/collections/cars").await;
        }
        (reply.json(), definition.clone())
    };
    let (_, told) = alter(json!({"versions": {"keep": 2}}), 200).await;
    assert_eq!(told["versions"], json!({"keep": 2}));
    until("three versions go", async || {
        admin.read(&format!("{path}?version=all")).await["_items"].as_array().map(Vec::len) == Some(2)
    })
    .await;
    let past = format!("{path}?as_of={first}");
    problem("below the floor", &admin.get(&past).reply().await, 410);
    alter(json!({"versions": {"keep": 100}}), 200).await;
    problem("what is gone is gone", &admin.get(&past).reply().await, 410);
    let (refused, told) = alter(json!({"versions": {"keep": 0}}), 400).await;
    assert!(refused["errors"]["versions"]["keep"].is_string() || refused.to_string().contains("versions"));
    assert_eq!(told["versions"], json!({"keep": 100}), "the rule stays as it was");
    alter(json!({"expire_after_s": 0.5}), 200).await;
    let short = admin.post("/api/cars", &json!({"n": 9})).reply().await.expect(201).json();
    let short = format!("/api/cars/{}", short["_id"].as_str().expect("_id"));
    until("it ends", async || admin.get(&short).reply().await.status == 404).await;
    assert_eq!(admin.read(&path).await["n"], 4, "it was written before and has no end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_is_dropped_and_its_name_used_again() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let definition = json!({"name": "cars", "unique": [["plate"]], "search": true, "expire_after_s": 3600});
    let define = async || admin.post("/api/collections", &definition).reply().await;
    let tag = define().await.expect(201).json()["_etag"].as_str().expect("_etag").to_owned();
    let cars: Vec<Value> = (0..300).map(|n| json!({"plate": format!("P{n}"), "note": "red"})).collect();
    admin.post("/api/cars", &Value::Array(cars)).reply().await.expect(201);
    let first = admin.read("/api/cars?max_results=1").await["_seq"].as_u64().expect("_seq");
    assert_eq!(admin.read(&format!("/api/cars?q=red&min_seq={first}")).await["_meta"]["total"], 300);

    let path = "/api/collections/cars";
    problem("no If-Match", &admin.call("DELETE", path).reply().await, 428);
    problem("another version", &admin.delete(path, "9-9").reply().await, 412);
    problem("built in", &admin.delete("/api/collections/ads", &tag).reply().await, 404);
    admin.read("/api/cars").await;
    admin.delete(path, &tag).reply().await.expect(204);
    for gone in ["/api/cars", path, "/api/cars?q=red"] {
        problem(gone, &admin.get(gone).reply().await, 404);
    }
    problem("a write", &admin.post("/api/cars", &json!({})).reply().await, 404);
    let changes = admin.read(&format!("/api/changes?since={first}&limit=100")).await;
    let told: Vec<_> = changes["changes"].as_array().expect("changes").iter().collect();
    assert!(told.iter().all(|change| change["collection"] != "cars"), "{changes}");
    assert!(told.iter().any(|change| change["collection"] == "collections" && change["op"] == "delete"));

    define().await.expect(201);
    assert_eq!(admin.read("/api/cars").await["_meta"]["total"], 0);
    admin.post("/api/cars", &json!({"_id": "new", "plate": "P7", "note": "red"})).reply().await.expect(201);
    let seq = admin.read("/api/cars").await["_seq"].as_u64().expect("_seq");
    let found = admin.read(&format!("/api/cars?q=red&min_seq={seq}")).await;
    assert_eq!((&found["_meta"]["total"], &found["_items"][0]["_id"]), (&json!(1), &json!("new")));
    problem("another cars", &admin.get(&format!("/api/cars?as_of={first}")).reply().await, 410);
    // Log, documents and index agree.
    let report = admin.read("/api/verify").await;
    assert_eq!(report["ok"], true, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_times_to_keep_name_their_member() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let bad = [
        (json!({"expire_after_s": 0}), "expire_after_s"),
        (json!({"expire_after_s": "soon"}), "expire_after_s"),
        (json!({"tombstones_for_s": -1}), "tombstones_for_s"),
        (json!({"versions": 3}), "versions"),
        (json!({"versions": {"keep": 0}}), "versions"),
        (json!({"versions": {"for_s": 1e12}}), "versions"),
        (json!({"versions": {"most": 3}}), "versions"),
    ];
    for (mut definition, member) in bad {
        definition["name"] = json!("x");
        let body = problem(member, &admin.post("/api/collections", &definition).reply().await, 400);
        assert!(!body["_issues"][member].is_null(), "{definition}: {body}");
    }
}
