//! Named feeds over HTTP: what is shared, given out again, refused.

use std::collections::BTreeMap;

use dateline_engine::{Retention, TrimPolicy};
use serde_json::{Value, json};

use crate::testing::{Running, Seen, bearer};

const PASSWORD: &str = "correct horse";

struct Desk {
    server: Running,
    authorization: String,
}

impl Desk {
    async fn start() -> Self {
        let server = Running::start().await;
        server.add_user("admin", PASSWORD, "administrator").await;
        let session = server.sign_in("admin", PASSWORD).await;
        Self { server, authorization: bearer(&session["token"]) }
    }

    async fn post(&self, path: &str, body: &Value) -> Seen {
        self.server.post(path, &[("authorization", &self.authorization)], &body.to_string()).await
    }

    async fn feed(&self, body: &Value) -> Value {
        let seen = self.post("/api/feeds", body).await;
        assert_eq!(seen.status, 201, "{:?}", seen.body);
        seen.json()
    }

    async fn read(&self, name: &str, body: Value) -> Value {
        let seen = self.post(&format!("/api/feeds/{name}/read"), &body).await;
        assert_eq!(seen.status, 200, "{:?}", seen.body);
        seen.json()
    }

    async fn ack(&self, name: &str, lease: &Value) -> u16 {
        self.post(&format!("/api/feeds/{name}/ack"), &json!({"lease": lease})).await.status.as_u16()
    }

    async fn ad(&self, id: &str, price: u64, lon: f64) {
        let body = json!({"_id": id, "title": id, "price": price, "coords": [50.0, lon]});
        let seen = self.post("/api/ads", &body).await;
        assert_eq!(seen.status, 201, "{:?}", seen.body);
    }

    /// Reads and acknowledges until nothing is left; ids by partition.
    async fn drain(&self, name: &str) -> BTreeMap<u64, Vec<String>> {
        let mut seen: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        loop {
            let work = self.read(name, json!({"max": 3})).await;
            let changes = work["changes"].as_array().unwrap();
            if changes.is_empty() {
                return seen;
            }
            let ids = changes.iter().map(|change| change["_id"].as_str().unwrap().to_owned());
            seen.entry(work["partition"].as_u64().unwrap()).or_default().extend(ids);
            assert_eq!(self.ack(name, &work["lease"]).await, 204);
        }
    }
}

fn ids(work: &Value) -> Vec<&str> {
    work["changes"].as_array().unwrap().iter().map(|change| change["_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn consumers_share_a_feed_and_lost_leases_come_again() {
    let desk = Desk::start().await;
    let made = desk.feed(&json!({"name": "work", "collections": ["ads"], "partitions": 2})).await;
    // Its own definition comes after where it begins.
    assert_eq!((made["lag"].as_u64(), made["positions"].as_array().unwrap().len()), (Some(1), 2));
    for n in 0..10 {
        desk.ad(&format!("a{n}"), n, 0.0).await;
    }
    let first = desk.read("work", json!({"max": 2, "lease_s": 1})).await;
    let second = desk.read("work", json!({"max": 100, "lease_s": 60})).await;
    assert_ne!(first["partition"], second["partition"]);
    assert_eq!(first["changes"][0]["doc"]["title"], first["changes"][0]["_id"], "documents come along");
    assert_eq!(ids(&desk.read("work", json!({})).await), [""; 0], "both partitions are out");
    // The first consumer dies; whoever waits gets its work, before anything later of that partition.
    let again = desk.read("work", json!({"max": 2, "wait_s": 10})).await;
    assert_eq!((ids(&again), &again["attempt"]), (ids(&first), &json!(2)));
    assert_eq!(desk.ack("work", &first["lease"]).await, 409, "it has passed to somebody else");
    assert_eq!(desk.ack("work", &again["lease"]).await, 204);
    assert_eq!(desk.ack("work", &again["lease"]).await, 204, "said twice");
    assert_eq!(desk.ack("work", &second["lease"]).await, 204);
    let rest = desk.drain("work").await;
    let seen = ids(&again).len() + ids(&second).len() + rest.values().map(Vec::len).sum::<usize>();
    assert_eq!(seen, 10, "{rest:?}");
    let shown = desk.server.get("/api/feeds", &[("authorization", &desk.authorization)]).await.json();
    assert_eq!(shown["_items"][0]["lag"], 0, "{shown}");
}

#[tokio::test]
async fn filters_pass_what_they_say_and_positions_move_all_the_same() {
    let desk = Desk::start().await;
    let dear =
        json!({"name": "dear", "collections": ["ads"], "where": {"price": {"$gte": 5}}, "partitions": 1});
    desk.feed(&dear).await;
    let here = json!({"name": "here", "collections": ["ads"], "bbox": [9, 49, 11, 51], "partitions": 1});
    desk.feed(&here).await;
    let near = json!({"center": [10, 50], "radius_m": 1000});
    desk.feed(&json!({"name": "near", "collections": ["ads"], "circle": near, "partitions": 1})).await;
    for n in 0..10 {
        desk.ad(&format!("a{n}"), n, n as f64 * 2.0 + 0.001).await;
    }
    let seen = desk.drain("dear").await;
    assert_eq!(seen[&0], ["a5", "a6", "a7", "a8", "a9"]);
    assert_eq!(desk.drain("here").await[&0], ["a5"]);
    assert_eq!(desk.drain("near").await[&0], ["a5"]);
}

#[tokio::test]
async fn a_reset_feed_begins_elsewhere_and_a_trimmed_one_is_gone() {
    let desk = Desk::start().await;
    desk.feed(&json!({"name": "work", "collections": ["ads"], "partitions": 1})).await;
    for n in 0..3 {
        desk.ad(&format!("a{n}"), n, 0.0).await;
    }
    let before = desk.read("work", json!({})).await;
    let reset = desk.post("/api/feeds/work/reset", &json!({"from": before["changes"][1]["seq"]})).await;
    assert_eq!(reset.status, 200, "{:?}", reset.body);
    assert_eq!(desk.ack("work", &before["lease"]).await, 409, "of another definition");
    assert_eq!(desk.drain("work").await[&0], ["a2"]);
    desk.post("/api/feeds/work/reset", &json!({"from": "earliest"})).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let lane = |hold_ms_max| Retention { keep_ms: 0, keep_bytes: u64::MAX, hold_ms_max };
    let policy = |hold| TrimPolicy { log: lane(hold), positions: lane(u64::MAX) };
    let store = desk.server.app.store();
    assert_eq!(store.trim(&policy(u64::MAX)).unwrap().records, 0, "the feed holds the log");
    assert!(store.trim(&policy(0)).unwrap().records > 0, "but not for ever");
    let gone = desk.post("/api/feeds/work/read", &json!({})).await;
    assert_eq!(gone.status, 410, "{:?}", gone.body);
    assert_eq!(desk.post("/api/feeds/work/reset", &json!({"from": 0})).await.status, 410);
    assert_eq!(desk.post("/api/feeds/work/reset", &json!({"from": "1-999999"})).await.status, 410);
    assert_eq!(desk.post("/api/feeds/work/reset", &json!({"from": "now"})).await.status, 200);
    desk.ad("b", 1, 0.0).await;
    assert_eq!(desk.drain("work").await[&0], ["b"]);
}

#[tokio::test]
async fn positions_survive_a_restart_and_leases_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let app = crate::app::App::builder().config(crate::testing::test_config()).data(dir.path()).open();
        Running::serve(app.unwrap(), crate::routes())
    };
    let server = open().await;
    server.add_user("admin", PASSWORD, "administrator").await;
    let session = server.sign_in("admin", PASSWORD).await;
    let mut desk = Desk { server, authorization: bearer(&session["token"]) };
    desk.feed(&json!({"name": "work", "collections": ["ads"], "partitions": 1})).await;
    for n in 0..4 {
        desk.ad(&format!("a{n}"), n, 0.0).await;
    }
    let done = desk.read("work", json!({"max": 2})).await;
    assert_eq!(desk.ack("work", &done["lease"]).await, 204);
    let open_lease = desk.read("work", json!({"max": 1, "lease_s": 3600})).await;
    assert_eq!(ids(&open_lease), ["a2"]);
    let app = desk.server.stop().await;
    app.stop();
    drop(app);
    desk.server = open().await;
    assert_eq!(desk.ack("work", &open_lease["lease"]).await, 409, "of another opening");
    assert_eq!(desk.drain("work").await[&0], ["a2", "a3"]);
}

#[tokio::test]
async fn bad_requests_name_what_is_wrong_and_owners_keep_to_themselves() {
    let desk = Desk::start().await;
    let check = async |body: Value, status: u16, field: &str| {
        let seen = desk.post("/api/feeds", &body).await;
        assert_eq!(seen.status.as_u16(), status, "{body}: {:?}", seen.body);
        assert!(String::from_utf8_lossy(&seen.body).contains(field), "{body}: {:?}", seen.body);
    };
    let with = |name: &str, value: Value| {
        let mut body = json!({"name": "f", "collections": ["ads"]});
        body[name] = value;
        body
    };
    check(with("name", json!("A b")), 400, "name").await;
    check(with("collections", json!([])), 400, "collections").await;
    check(with("collections", json!(["nowhere"])), 404, "nowhere").await;
    check(with("collections", json!(["api_keys"])), 403, "api_keys").await;
    check(with("where", json!({"price": {"$near": 1}})), 400, "where").await;
    check(with("where", json!("x")), 400, "where").await;
    check(with("bbox", json!([1, 2, 3])), 400, "bbox").await;
    check(with("bbox", json!([0, 95, 1, 99])), 400, "bbox").await;
    check(json!({"name": "f", "collections": ["users"], "bbox": [0, 0, 1, 1]}), 400, "geo").await;
    check(with("partitions", json!(65)), 400, "partitions").await;
    check(with("from", json!("then")), 400, "from").await;
    check(with("from", json!(99_999_999)), 410, "future").await;
    check(with("from", json!("99-1")), 410, "epoch").await;
    check(with("colections", json!(1)), 400, "colections").await;
    desk.feed(&json!({"name": "f", "collections": ["ads"]})).await;
    check(json!({"name": "f", "collections": ["ads"]}), 409, "").await;
    for body in [json!({"max": 0}), json!({"wait_s": 61}), json!({"lease_s": 0}), json!({"limit": 1})] {
        assert_eq!(desk.post("/api/feeds/f/read", &body).await.status, 400, "{body}");
    }
    for lease in [json!("x"), json!("1-2-3"), json!(7), Value::Null] {
        assert_eq!(desk.ack("f", &lease).await, 400, "{lease}");
    }
    assert_eq!(desk.ack("f", &json!("1-1-0-1")).await, 409);
    assert_eq!(desk.post("/api/feeds/none/read", &json!({})).await.status, 404);

    desk.server.add_user("ann", PASSWORD, "user").await;
    let session = desk.server.sign_in("ann", PASSWORD).await;
    let ann = bearer(&session["token"]);
    let other = desk.server.post("/api/feeds/f/read", &[("authorization", &ann)], "{}").await;
    assert_eq!(other.status, 404, "{:?}", other.body);
    let own = json!({"name": "g", "collections": ["ads"]}).to_string();
    assert_eq!(desk.server.post("/api/feeds", &[("authorization", &ann)], &own).await.status, 201);
    assert_eq!(
        desk.post("/api/feeds/g/read", &json!({})).await.status,
        403,
        "an administrator sees, no more"
    );
    let metrics = desk.server.get("/metrics", &[]).await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    for figure in [
        "dateline_feed_lag{feed=\"f\"} ",
        "dateline_feed_leases{feed=\"f\"} 0",
        "dateline_feed_ring_hits",
        "dateline_log_floor 0",
    ] {
        assert!(metrics.contains(figure), "{figure} in {metrics}");
    }
}
