//! `POST /api/bulk`: a line of status for each line, in order; one transaction when asked.

use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::documents::cars;
use crate::program::Server;

async fn send(admin: &Client, path: &str, key: Option<&str>, lines: &[Value]) -> Reply {
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let call = admin.call("POST", path).raw("application/x-ndjson", body);
    match key {
        Some(key) => call.header("idempotency-key", key).reply().await,
        None => call.reply().await,
    }
}

fn answers(reply: &Reply) -> Vec<Value> {
    reply.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn statuses(reply: &Reply) -> Vec<u64> {
    answers(reply).iter().map(|line| line["status"].as_u64().expect("a status")).collect()
}

fn create(plate: &str) -> Value {
    json!({"op": "create", "resource": "cars", "doc": {"_id": plate, "plate": plate, "price": 1}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_is_answered_for_itself() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    cars(&admin).await;
    let lines = [
        create("A"),
        create("A"),
        json!({"op": "create", "resource": "cars", "doc": {"price": 1}}),
        json!({"op": "patch", "resource": "cars", "_id": "A", "if_match": "*", "doc": {"price": 2}}),
        json!({"op": "patch", "resource": "cars", "_id": "A", "if_match": "*", "doc": {"price": 3}}),
        json!({"op": "patch", "resource": "cars", "_id": "A", "doc": {"price": 4}}),
        json!({"op": "patch", "resource": "cars", "_id": "B", "if_match": "*", "doc": {"price": 4}}),
        json!({"op": "create", "resource": "nothing", "doc": {}}),
        json!({"op": "upsert", "resource": "cars", "doc": {}}),
        json!({"op": "create", "resource": "collections", "doc": {"name": "vans"}}),
        json!({"op": "create", "resource": "vans", "_id": "V", "doc": {"seats": 9}}),
        json!({"op": "delete", "resource": "vans", "_id": "V", "if_match": "*"}),
    ];
    let reply = send(&admin, "/api/bulk", None, &lines).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(statuses(&reply), [201, 409, 400, 200, 200, 428, 404, 404, 400, 201, 201, 204]);
    let told = answers(&reply);
    for (index, line) in told.iter().enumerate() {
        assert_eq!(line["index"], index, "{line}");
    }
    assert_eq!((&told[2]["_issues"]["plate"].is_null(), &told[4]["_version"]), (&false, &json!(3)));
    let stored = admin.read("/api/cars/A").await;
    assert_eq!((&stored["price"], &stored["_etag"]), (&json!(3), &told[4]["_etag"]));
    admin.get("/api/vans/V").reply().await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_transaction_stores_all_or_nothing() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    cars(&admin).await;
    send(&admin, "/api/bulk", None, &[create("A")]).await.expect(200);
    let swap = |price: u64, plate: &str| {
        [
            json!({"op": "patch", "resource": "cars", "_id": "A", "if_match": "*", "doc": {"price": price}}),
            json!({"op": "create", "resource": "ads", "_id": format!("ad-{plate}"), "doc": {
                "title": "Car", "location": {"type": "Point", "coordinates": [1, 2]}}}),
            create(plate),
        ]
    };
    let failed = send(&admin, "/api/bulk?atomic=true", None, &swap(7, "A")).await.expect(400).json();
    assert!(failed["_message"].as_str().is_some_and(|text| text.contains("line 2")), "{failed}");
    assert_eq!(admin.read("/api/cars/A").await["price"], 1);
    admin.get("/api/ads/ad-A").reply().await.expect(404);
    // A unique key that is held is found at the commit itself.
    let mut taken = swap(7, "C");
    taken[2] = json!({"op": "create", "resource": "cars", "doc": {"_id": "C", "plate": "A"}});
    assert!([400, 409].contains(&send(&admin, "/api/bulk?atomic=true", None, &taken).await.status));
    admin.get("/api/ads/ad-C").reply().await.expect(404);

    let done = send(&admin, "/api/bulk?atomic=true", Some("swap-1"), &swap(7, "B")).await.expect(200);
    assert_eq!(statuses(&done), [200, 201, 201]);
    let seqs: Vec<u64> = answers(&done).iter().filter_map(|line| line["_seq"].as_u64()).collect();
    let changes = admin.read(&format!("/api/changes?since={}", seqs[0] - 1)).await;
    let group = changes["changes"][0]["group_last"].as_u64().expect("a group");
    assert!(seqs.iter().all(|seq| *seq <= group), "{seqs:?} are one group up to {group}");

    let again = send(&admin, "/api/bulk?atomic=true", Some("swap-1"), &swap(7, "B")).await.expect(200);
    assert_eq!(answers(&again), answers(&done));
    send(&admin, "/api/bulk?atomic=true", Some("swap-1"), &swap(8, "D")).await.expect(422);
    for (lines, word) in [
        (vec![create("E"), create("E")], "same document"),
        (vec![json!({"op": "create", "resource": "collections", "doc": {"name": "x"}})], "alone"),
    ] {
        let refused = send(&admin, "/api/bulk?atomic=true", None, &lines).await.expect(400);
        assert!(refused.text().contains(word), "{}", refused.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_broke_off_goes_on_under_its_key() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    cars(&admin).await;
    let lines: Vec<Value> = (0..600).map(|n| create(&format!("P{n}"))).collect();
    send(&admin, "/api/bulk", Some("load"), &lines[..300]).await.expect(200);
    let whole = send(&admin, "/api/bulk", Some("load"), &lines).await.expect(200);
    assert!(statuses(&whole).iter().all(|status| *status == 201), "{}", whole.text());
    assert_eq!(admin.read_all("cars").await.len(), 600);
    let other: Vec<Value> = (0..2).map(|n| create(&format!("Q{n}"))).collect();
    assert_eq!(statuses(&send(&admin, "/api/bulk", Some("load"), &other).await), [422, 422]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_bulk_request_is_refused() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    admin.call("POST", "/api/bulk").raw("application/x-ndjson", " \n\n").reply().await.expect(400);
    admin
        .call("POST", "/api/bulk?atomic=perhaps")
        .raw("application/x-ndjson", "{}")
        .reply()
        .await
        .expect(400);
    let many = "\n{}".repeat(100_001);
    admin.call("POST", "/api/bulk").raw("application/x-ndjson", many).reply().await.expect(413);
    let rubbish = admin.call("POST", "/api/bulk").raw("application/x-ndjson", "{\n[1]\nnull\n\u{7f}");
    assert_eq!(statuses(&rubbish.reply().await.expect(200)), [400, 400, 400, 400]);
    // Rights are those of each line.
    let stranger = Client::stranger(&server);
    stranger.call("POST", "/api/bulk").raw("application/x-ndjson", "{}").reply().await.expect(401);
}
