//! Attachments: in and out whole, by ranges, in pieces, over a kill; what is refused.

use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::program::Server;

/// More than two chunks, none like another.
fn bytes(length: u32) -> Vec<u8> {
    (0..length.div_ceil(4)).flat_map(u32::to_le_bytes).take(length as usize).collect()
}

async fn store(client: &Client, body: Vec<u8>) -> Value {
    client.call("POST", "/api/blobs?name=a.bin").raw("image/png", body).reply().await.expect(201).json()
}

async fn read(client: &Client, id: &str, range: &str) -> Reply {
    client.get(&format!("/api/blobs/{id}/raw")).header("range", range).reply().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_come_back_whole_and_by_ranges() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let sent = bytes(700_001);
    let blob = store(&admin, sent.clone()).await;
    let id = blob["_id"].as_str().expect("an id");
    assert_eq!(
        (&blob["length"], &blob["media_type"], &blob["name"]),
        (&json!(700_001), &json!("image/png"), &json!("a.bin"))
    );
    let whole = admin.get(&format!("/api/blobs/{id}/raw")).reply().await.expect(200);
    assert!(whole.body[..] == sent[..], "the bytes are those that were sent");
    assert_eq!(whole.header("content-type"), Some("image/png"));
    assert!(whole.header("content-disposition").is_some_and(|told| told.starts_with("attachment")));
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=262143-262144", 262_143, 262_145),
        ("bytes=700000-", 700_000, 700_001),
        ("bytes=-5", 699_996, 700_001),
        ("bytes=10-9000000", 10, 700_001),
    ] {
        let part = read(&admin, id, range).await.expect(206);
        assert!(part.body[..] == sent[from..to], "{range}");
        let told = format!("bytes {from}-{}/700001", to - 1);
        assert_eq!(part.header("content-range"), Some(&*told), "{range}");
    }
    let beyond = read(&admin, id, "bytes=700001-").await.expect(416);
    assert_eq!(beyond.header("content-range"), Some("bytes */700001"));
    assert_eq!(read(&admin, id, "bytes=rubbish").await.expect(200).body.len(), 700_001);
    let etag = whole.header("etag").expect("a tag").to_owned();
    let raw = format!("/api/blobs/{id}/raw");
    admin.get(&raw).header("if-none-match", &etag).reply().await.expect(304);
    admin.get(&raw).header("range", "bytes=0-0").header("if-range", "\"other\"").reply().await.expect(200);
    admin.get(&raw).header("range", "bytes=0-0").header("if-range", &etag).reply().await.expect(206);
    // A removed blob is gone at once; the generic routes know it.
    let etag = admin.get(&format!("/api/blobs/{id}")).reply().await.expect(200).etag();
    admin.delete(&format!("/api/blobs/{id}"), &etag).reply().await.expect(204);
    admin.get(&raw).reply().await.expect(404);
    let empty = store(&admin, Vec::new()).await;
    let empty = admin.get(&format!("/api/blobs/{}/raw", empty["_id"].as_str().expect("an id"))).reply().await;
    assert!(empty.expect(200).body.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_after_a_kill() {
    let mut server = Server::start();
    let admin = Client::admin(&server).await;
    let sent = bytes(1_000_003);
    let upload = admin.post("/api/uploads", &json!({"name": "b.bin"})).reply().await.expect(201).json();
    let id = upload["_id"].as_str().expect("an id").to_owned();
    let path = format!("/api/uploads/{id}");
    let piece = |from: usize, to: usize| {
        let call = admin.call("PATCH", &path).raw("application/offset+octet-stream", sent[from..to].to_vec());
        call.header("upload-offset", &from.to_string())
    };
    let told = piece(0, 300_000).reply().await.expect(204);
    assert_eq!(told.header("upload-offset"), Some("300000"));
    let wrong = piece(10, 20).reply().await.expect(409).json();
    assert_eq!(wrong["offset"], 300_000);
    server.kill();
    server.launch();
    assert_eq!(admin.read(&path).await["offset"], 300_000);
    piece(300_000, 300_001).reply().await.expect(204);
    piece(300_001, 1_000_003).reply().await.expect(204);
    let wrong = json!({"sha256": "00".repeat(32)});
    admin.post(&format!("{path}/finish"), &wrong).reply().await.expect(400);
    let blob = admin.post(&format!("{path}/finish"), &json!({})).reply().await.expect(201).json();
    assert_eq!((&blob["_id"], &blob["length"]), (&json!(id), &json!(1_000_003)));
    let whole = admin.get(&format!("/api/blobs/{id}/raw")).reply().await.expect(200);
    assert!(whole.body[..] == sent[..], "the bytes are those that were sent");
    assert_eq!(store(&admin, sent).await["sha256"], blob["sha256"]);
    admin.get(&path).reply().await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let post = |path: &'static str| admin.call("POST", path).raw("image/png", "abc");
    let digest = "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:";
    post("/api/blobs").header("content-digest", digest).reply().await.expect(201);
    let other = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    post("/api/blobs").header("content-digest", other).reply().await.expect(400);
    post("/api/blobs").header("content-digest", "sha-256=abc").reply().await.expect(400);
    post("/api/blobs?name=..%2Fetc").reply().await.expect(400);
    post("/api/blobs?name=a%0d%0ab").reply().await.expect(400);
    assert_eq!(admin.read_all("blobs").await.len(), 1, "only the good one was stored");
    admin.post("/api/uploads", &json!({"size": 1})).reply().await.expect(400);
    let patch = admin.call("PATCH", "/api/uploads/none").raw("application/offset+octet-stream", "abc");
    patch.header("upload-offset", "0").reply().await.expect(404);
    admin.get("/api/blob_manifests").reply().await.expect(403);
    post("/api/blobs").unsigned().reply().await.expect(401);
}
