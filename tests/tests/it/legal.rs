//! The legal archive from outside: what went out is there under its names, once, whatever happens to the program.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, query};
use crate::plan::seed;
use crate::program::{PASSWORD, Server};
use crate::publishing::{act, encoded, make, settled, story};
use crate::receiver::Receiver;

const ON: [&str; 2] = ["--set", "superdesk.LEGAL_ARCHIVE=true"];

/// A program that may reach the receiver.
fn set(server: &mut Server, receiver: &Receiver, flags: &[&str]) {
    let allow = format!("egress.allow={}", receiver.address());
    server.flags(&[&["--set", &allow], flags].concat());
}

async fn subscriber(admin: &Client, receiver: &Receiver) -> Value {
    let product = make(admin, "products", json!({"name": "all", "codes": "all"})).await;
    make(
        admin,
        "subscribers",
        json!({
            "name": "Daily", "is_active": true, "subscriber_type": "all", "products": [product["_id"]],
            "destinations": [{"name": "web", "format": "ninjs", "delivery_type": "http_push",
                "config": {"resource_url": receiver.url("/web")}}],
        }),
    )
    .await
}

/// Waits until a list has so many documents.
async fn listed(client: &Client, path: &str, wanted: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let list = client.read(path).await;
        let found = list["_items"].as_array().cloned().unwrap_or_default();
        if found.len() >= wanted {
            return found;
        }
        assert!(Instant::now() < deadline, "{path}: {} of {wanted}: {list:#}", found.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn of_item(resource: &str, item: &Value) -> String {
    let wanted = json!({"item_id": item["_id"]}).to_string();
    format!("/api/{resource}?max_results=500&{}", query(&[("where", &wanted)]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_out_stays_under_its_names() {
    let receiver = Receiver::start().await;
    let mut server = Server::idle();
    set(&mut server, &receiver, &ON);
    server.launch();
    let admin = Client::admin(&server).await;
    let daily = subscriber(&admin, &receiver).await;
    let desk = make(&admin, "desks", json!({"name": "Sport", "source": "sport"})).await;
    let item = story(&admin, "A bridge opens").await;
    let path = format!("/api/archive/{}", encoded(item["_id"].as_str().expect("an id")));
    let task = json!({"task": {"desk": desk["_id"], "stage": desk["incoming_stage"]}});
    let etag = item["_etag"].as_str().expect("an etag");
    let item = admin.patch(&path, etag, &task).reply().await.expect(200).json();
    let id = item["_id"].as_str().expect("an id").to_owned();
    let published = act(&admin, "publish", &item, json!({})).await.expect(200).json();
    let corrected =
        act(&admin, "correct", &published, json!({"headline": "A bridge opened"})).await.expect(200).json();
    settled(&admin, &id, 2, &["success"]).await;

    let archived = format!("/api/legal_archive/{}", encoded(&id));
    let versions = listed(&admin, &format!("{archived}?version=all"), 2).await;
    let numbers: Vec<&Value> = versions.iter().map(|own| &own["_current_version"]).collect();
    assert_eq!(numbers, [&published["_current_version"], &corrected["_current_version"]]);
    let last = admin.read(&archived).await;
    assert_eq!((&last["headline"], &last["task"]["desk"]), (&json!("A bridge opened"), &json!("Sport")));
    assert_eq!(last["version_creator"], "admin", "{last:#}");
    assert_eq!(last["state"], "corrected");

    let rows = listed(&admin, &of_item("legal_publish_queue", &item), 2).await;
    for row in &rows {
        assert_eq!((&row["subscriber_id"], &row["_subscriber_id"]), (&json!("Daily"), &daily["_id"]));
        assert!(row["state"] == "success" && row["receipt"]["bytes"].is_u64(), "{row:#}");
    }
    let kept = admin.read(&of_item("archive_history", &item)).await;
    let kept = kept["_items"].as_array().map_or(0, Vec::len);
    let records = listed(&admin, &of_item("legal_archive_history", &item), kept).await;
    assert!(kept >= 2 && records.len() == kept, "{records:#?}");

    let etag = last["_etag"].as_str().expect("an etag");
    assert_eq!(admin.delete(&archived, etag).reply().await.status, 405);
    assert_eq!(admin.patch(&archived, etag, &json!({"headline": "x"})).reply().await.status, 405);
    let user =
        json!({"username": "ann", "password": PASSWORD, "email": "ann@example.com", "user_type": "user"});
    make(&admin, "users", user).await;
    let ann = admin.signed_in("ann", PASSWORD).await;
    for path in [&archived, "/api/legal_archive", "/api/legal_publish_queue", "/api/legal_archive_history"] {
        assert_eq!(ann.get(path).reply().await.status, 403, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_loses_and_repeats_nothing_over_kills() {
    let mut rng = fastrand::Rng::with_seed(seed("legal"));
    let receiver = Receiver::start().await;
    // Switched on after the first story.
    let mut server = Server::idle();
    set(&mut server, &receiver, &[]);
    server.launch();
    let admin = Client::admin(&server).await;
    subscriber(&admin, &receiver).await;
    let mut items = Vec::new();
    let early = story(&admin, "early").await;
    items.push(act(&admin, "publish", &early, json!({})).await.expect(200).json());
    server.stop();
    set(&mut server, &receiver, &ON);
    for round in 0..4 {
        server.launch();
        let admin = Client::admin(&server).await;
        for number in 0..6 {
            let item = story(&admin, &format!("{round}-{number}")).await;
            items.push(act(&admin, "publish", &item, json!({})).await.expect(200).json());
        }
        let corrected = items.len() - 1 - rng.usize(0..5);
        let change = json!({"headline": format!("corrected in {round}")});
        items[corrected] = act(&admin, "correct", &items[corrected], change).await.expect(200).json();
        tokio::time::sleep(Duration::from_millis(rng.u64(0..200))).await;
        server.kill();
    }
    server.launch();
    let admin = Client::admin(&server).await;
    for item in &items {
        let id = item["_id"].as_str().expect("an id");
        let versions = if item["state"] == "corrected" { 2 } else { 1 };
        settled(&admin, id, versions, &["success"]).await;
        let rows = listed(&admin, &of_item("legal_publish_queue", item), versions).await;
        assert_eq!(rows.len(), versions, "{rows:#?}");
        let path = format!("/api/legal_archive/{}?version=all", encoded(id));
        let kept = listed(&admin, &path, versions).await;
        assert_eq!(kept.len(), versions, "{kept:#?}");
        assert_eq!(kept.last().map(|own| &own["_current_version"]), Some(&item["_current_version"]));
    }
}
