//! What fences tell beyond entering and leaving, as a client sees it.

use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::client::Client;
use crate::program::Server;

/// What a collection of events holds once it holds this many, by these members.
async fn told(admin: &Client, collection: &str, count: usize, members: &[&str]) -> Vec<Vec<String>> {
    let started = Instant::now();
    loop {
        let events = admin.read_all(collection).await;
        if events.len() >= count || started.elapsed() > Duration::from_secs(20) {
            let text = |event: &Value, name: &&str| event[*name].to_string().trim_matches('"').to_owned();
            return events
                .iter()
                .map(|event| members.iter().map(|name| text(event, name)).collect())
                .collect();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn around_zero(more: &Value) -> Value {
    let mut body = json!({"name": "f", "circle": {"center": [0, 0], "radius_m": 1000}});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    body
}

async fn make(admin: &Client, resource: &str, id: &str, body: &Value) -> Value {
    admin.put_new(&format!("/api/{resource}/{id}"), body).reply().await.expect(201).json()
}

async fn go(admin: &Client, position: &Value) {
    let taken = admin.post("/api/positions", position).reply().await.expect(202).json();
    assert_eq!(taken["accepted"], 1, "{taken}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_device_dwells_and_is_forgotten() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let rules = json!({"detect": ["enter", "exit", "dwell"], "dwell_s": 0.5});
    make(&admin, "fences", "f", &around_zero(&rules)).await;
    go(&admin, &json!({"device": "d", "lon": 0, "lat": 0, "ttl_s": 2})).await;
    let events = told(&admin, "fence_events", 3, &["event", "reason"]).await;
    assert_eq!(events, [["enter", "update:pos"], ["dwell", "clock"], ["exit", "expired"]]);
    assert_eq!(admin.get("/api/positions/d").reply().await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fences_and_lists_end_at_their_time() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    go(&admin, &json!({"device": "d", "lon": 0, "lat": 0})).await;
    let soon = (Timestamp::now() + 1500.milliseconds()).to_string();
    make(&admin, "fences", "f", &around_zero(&json!({"initial": true, "expires": soon}))).await;
    let cone = json!({"sector": {"center": [0, 0], "radius_m": 1000, "bearing": [315, 45]}, "buffer_m": 5});
    make(&admin, "adlists", "l", &json!({"name": "l", "device": "d", "area": cone, "expires": soon})).await;
    make(&admin, "ads", "north", &json!({"title": "a", "coords": [0.005, 0]})).await;
    make(&admin, "ads", "east", &json!({"title": "a", "coords": [0, 0.005]})).await;
    let events = told(&admin, "fence_events", 2, &["fence", "event", "reason"]).await;
    assert_eq!(events, [["f", "enter", "initial"], ["f", "exit", "fence_removed"]]);
    let matches = told(&admin, "matches", 2, &["ad", "event", "reason"]).await;
    assert_eq!(matches, [["north", "enter", "new:ad"], ["north", "exit", "expired"]]);
    assert_eq!(admin.get("/api/fences/f").reply().await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_are_judged_when_they_change() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let rules = json!({"where": {"state": {"$in": ["free", "idle"]}, "fields.seats": {"$gte": 4}}});
    make(&admin, "fences", "f", &around_zero(&rules)).await;
    let device = make(&admin, "devices", "van", &json!({"fields": {"state": "busy", "seats": 6}})).await;
    go(&admin, &json!({"device": "van", "lon": 0, "lat": 0})).await;
    let etag = device["_etag"].as_str().expect("_etag").to_owned();
    let changes = json!({"fields": {"state": "idle", "seats": 6}});
    admin.patch("/api/devices/van", &etag, &changes).reply().await.expect(200);
    go(&admin, &json!({"device": "van", "lon": 0, "lat": 0.001, "fields": {"state": "busy"}})).await;
    let events = told(&admin, "fence_events", 2, &["event", "reason"]).await;
    assert_eq!(events, [["enter", "changed"], ["exit", "update:pos"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_meet_by_the_api() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    make(&admin, "fences", "r", &json!({"name": "r", "roam": {"radius_m": 500}})).await;
    for (device, lon) in [("a", 179.999), ("b", -179.999), ("b", -179.0)] {
        go(&admin, &json!({"device": device, "lon": lon, "lat": 0})).await;
    }
    let events = told(&admin, "fence_events", 2, &["device", "other", "event"]).await;
    assert_eq!(events, [["b", "a", "near"], ["b", "a", "far"]]);
    assert_eq!(admin.read("/api/fences?contains=179.999,0").await["_items"], json!([]));
}
