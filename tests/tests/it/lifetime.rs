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
