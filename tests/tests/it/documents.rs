//! Documents one by one: tags, versions, the past, arrays, repeated requests.

use serde_json::{Value, json};

use crate::client::Client;
use crate::errors::problem;
use crate::program::Server;

/// A collection of a client's own.
pub(crate) async fn cars(admin: &Client) {
    let cars = json!({
        "name": "cars", "unique": [["plate"]], "indexes": [["brand"], ["price"]],
        "schema": {"plate": {"type": "string", "required": true}, "brand": {"type": "string"}, "price": {"type": "number"}},
    });
    admin.post("/api/collections", &cars).reply().await.expect(201);
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
async fn a_repeated_request_is_done_once() {
    let mut server = Server::start();
    let admin = Client::admin(&server).await;
    cars(&admin).await;
    let make = |key: &str, plate: &str| {
        let call = admin.post("/api/cars", &json!({"plate": plate}));
        call.header("idempotency-key", key)
    };
    let first = make("key-1", "A").reply().await.expect(201).json();
    for _ in 0..2 {
        assert_eq!(
            make("key-1", "A").reply().await.expect(201).json(),
            first,
            "the first answer is repeated"
        );
    }
    problem("the key with another body", &make("key-1", "B").reply().await, 422);
    let refused = make("key-2", "A").reply().await;
    problem("a plate that is taken", &refused, 409);
    make("key-3", "C").reply().await.expect(201);
    server.kill();
    server.launch();
    assert_eq!(make("key-1", "A").reply().await.expect(201).json(), first, "also after a crash");
    let path = format!("/api/cars/{}", first["_id"].as_str().expect("_id"));
    let etag = first["_etag"].as_str().expect("_etag");
    let change = || admin.patch(&path, etag, &json!({"price": 5})).header("idempotency-key", "key-4");
    let changed = change().reply().await.expect(200).json();
    // Without the key this would be 412: the tag is stale by now.
    assert_eq!(change().reply().await.expect(200).json(), changed);
    assert_eq!(admin.read("/api/cars").await["_meta"]["total"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_durability_is_read_back() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    cars(&admin).await;
    for (plate, durability) in [("A", "sync"), ("B", "buffered")] {
        let call = admin
            .post("/api/cars", &json!({"plate": plate}))
            .header("prefer", &format!("durability={durability}"));
        let made = call.reply().await.expect(201).json();
        let read = admin.read(&format!("/api/cars/{}", made["_id"].as_str().expect("_id"))).await;
        assert_eq!(read["_etag"], made["_etag"]);
    }
}
