//! Rows of the publish queue and the jobs that send them: one each, and neither without the other. Actions under a key.

use serde_json::{Value, json};

use crate::client::Client;
use crate::publishing::{encoded, make, newsroom, settled, story};
use crate::receiver::Receiver;

/// A subscriber whose only destination is this path of the receiver.
async fn subscriber(admin: &Client, receiver: &Receiver, path: &str) -> Value {
    let product = make(admin, "products", json!({"name": "all"})).await;
    make(admin, "subscribers", json!({
        "name": "Daily", "subscriber_type": "digital", "is_active": true, "products": [product["_id"]],
        "destinations": [
            {"name": "web", "format": "ninjs", "delivery_type": "http_push", "config": {"resource_url": receiver.url(path)}},
        ],
    }))
    .await
}

/// Unfinished jobs of the lane of deliveries.
async fn jobs(admin: &Client) -> Vec<Value> {
    let list = admin.read("/api/jobs?lane=transmit").await;
    list["_items"].as_array().cloned().unwrap_or_default()
}

async fn state(admin: &Client, row: &str) -> String {
    let row = admin.read(&format!("/api/publish_queue/{row}")).await;
    row["state"].as_str().expect("a state").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_and_its_job_begin_and_end_together() {
    let receiver = Receiver::start().await;
    let files = tempfile::tempdir().expect("a folder");
    let (_server, admin) = newsroom(&receiver, files.path()).await;
    subscriber(&admin, &receiver, "/web").await;
    let told = |action: &str, row: &str| {
        let (admin, path) = (admin.clone(), format!("/api/publish_queue/{row}/{action}"));
        async move { admin.post(&path, &json!({})).reply().await }
    };
    admin.post("/api/queues/transmit/pause", &json!({})).reply().await.expect(200);
    let item = story(&admin, "A bridge opens").await;
    crate::publishing::act(&admin, "publish", &item, json!({})).await.expect(200);
    let id = item["_id"].as_str().expect("an id");
    let rows = settled(&admin, id, 1, &["pending"]).await;
    let row = rows[0]["_id"].as_str().expect("an id").to_owned();
    let first = jobs(&admin).await;
    assert_eq!(first.len(), 1, "{first:#?}");

    told("cancel", &row).await.expect(200);
    assert!(jobs(&admin).await.is_empty(), "the job of a cancelled row is gone");
    told("cancel", &row).await.expect(200);
    told("retry", &row).await.expect(200);
    let second = jobs(&admin).await;
    assert_eq!(second.len(), 1, "{second:#?}");
    assert_ne!(first[0]["_id"], second[0]["_id"]);

    let job = second[0]["_id"].as_str().expect("an id");
    admin.call("DELETE", &format!("/api/jobs/{job}")).reply().await.expect(204);
    assert_eq!(state(&admin, &row).await, "canceled", "the row of a cancelled job ends with it");
    told("retry", &row).await.expect(200);
    let purged = admin.post("/api/queues/transmit/purge", &json!({"state": "ready"})).reply().await;
    assert_eq!(purged.expect(200).json()["purged"], 1);
    assert_eq!(state(&admin, &row).await, "canceled");

    // A failing destination: whoever asks for another attempt does not wait for the next one.
    receiver.answer("/web", 500);
    told("retry", &row).await.expect(200);
    admin.post("/api/queues/transmit/resume", &json!({})).reply().await.expect(200);
    settled(&admin, id, 1, &["retrying"]).await;
    receiver.answer("/web", 200);
    told("retry", &row).await.expect(200);
    let sent = settled(&admin, id, 1, &["success"]).await;
    assert_eq!(sent[0]["retry_attempt"], 0, "{sent:#?}");
    assert!(jobs(&admin).await.is_empty());

    let replayed = told("replay", &row).await.expect(201).json();
    assert_eq!(replayed["replay_of"], json!(row));
    settled(&admin, id, 2, &["success"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_under_a_key_takes_effect_once() {
    let receiver = Receiver::start().await;
    let files = tempfile::tempdir().expect("a folder");
    let (_server, admin) = newsroom(&receiver, files.path()).await;
    let item = story(&admin, "A bridge opens").await;
    let id = item["_id"].as_str().expect("an id");
    let path = format!("/api/archive/publish/{}", encoded(id));
    let tag = item["_etag"].as_str().expect("a tag");
    let publish = |headline: &str| {
        let request = admin.patch(&path, tag, &json!({"headline": headline}));
        async move { request.header("idempotency-key", "once").reply().await }
    };
    let first = publish("Open").await.expect(200);
    let again = publish("Open").await.expect(200);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(first.json()["_etag"], again.json()["_etag"]);
    assert_eq!(publish("Other").await.status, 422, "another request under the same key");

    let path = format!("/api/archive/{}/rewrite", encoded(id));
    let rewrite = || {
        let request = admin.post(&path, &json!({}));
        async move { request.header("idempotency-key", "update").reply().await }
    };
    let (first, again) = (rewrite().await.expect(201).json(), rewrite().await.expect(201).json());
    assert_eq!((&first["_id"], &first["rewrite_of"]), (&again["_id"], &json!(id)), "{again}");
    let wanted = json!({"rewrite_of": id}).to_string();
    let updates = admin.read(&format!("/api/archive?{}", crate::client::query(&[("where", &wanted)]))).await;
    assert_eq!(updates["_items"].as_array().map(Vec::len), Some(1), "{updates}");
}
