//! A thousand who follow the log: each hears all of it, and together they cost one reading and one encoding.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::parts;
use crate::program::{PASSWORD, Server};
use crate::sse::{Id, Stream};

const READERS: usize = 1_000;
/// A user may have so many streams open.
const STREAMS_PER_USER: usize = 64;
const DOCUMENTS: usize = 60;
const SOON: Duration = Duration::from_secs(120);

/// A figure of `/metrics` by its whole name.
async fn figure(client: &Client, name: &str) -> u64 {
    let text = client.get("/metrics").reply().await.expect(200).text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// Follows the cars until the last one has come.
async fn follow(mut stream: Stream) -> Vec<(Option<Id>, Value)> {
    let mut heard = Vec::new();
    loop {
        let told = stream.next().await.expect("the stream goes on").expect("the stream goes on");
        match told.kind.as_str() {
            "change" => {
                let is_last = told.data["_id"] == "last";
                heard.push((told.id, told.data));
                if is_last {
                    return heard;
                }
            }
            "pos" => {}
            other => panic!("{other}: {}", told.data),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_readers_cost_one_reading_and_one_encoding() {
    let _turn = parts::heavy().await;
    let server = Server::start();
    let admin = Client::admin(&server).await;
    admin.post("/api/collections", &json!({"name": "cars"})).reply().await.expect(201);
    let mut people = Vec::new();
    for number in 0..READERS.div_ceil(STREAMS_PER_USER) {
        let name = format!("reader-{number}");
        let person = json!({"username": name, "password": PASSWORD, "user_type": "administrator"});
        admin.post("/api/users", &person).reply().await.expect(201);
        people.push(admin.signed_in(&name, PASSWORD).await);
    }
    let mut readers = JoinSet::new();
    for number in 0..READERS {
        let mut stream = Stream::open(&people[number / STREAMS_PER_USER], "changes:cars", None)
            .await
            .unwrap_or_else(|error| panic!("reader {number}: {error:?}"));
        stream.expect("hello", SOON).await;
        readers.spawn(follow(stream));
    }
    assert_eq!(figure(&admin, "dateline_streams").await, READERS as u64);
    const COSTS: [&str; 3] =
        ["dateline_stream_reads_total", "dateline_stream_encodings_total", "dateline_feed_ring_misses_total"];
    let costs = async || {
        let mut costs = [0; COSTS.len()];
        for (cost, name) in costs.iter_mut().zip(COSTS) {
            *cost = figure(&admin, name).await;
        }
        costs
    };
    let before = costs().await;

    // One at a time, two together, some large; one is changed and deleted.
    let began = Instant::now();
    let car = |number: usize| {
        let text = "x".repeat(if number % 20 == 7 { 50_000 } else { 300 });
        json!({"_id": format!("car-{number}"), "n": number, "text": text})
    };
    for number in (0..DOCUMENTS).step_by(3) {
        admin.post("/api/cars", &car(number)).reply().await.expect(201);
        admin.post("/api/cars", &json!([car(number + 1), car(number + 2)])).reply().await.expect(201);
    }
    let any = |call| admin.call(call, "/api/cars/car-1").header("if-match", "*");
    any("PATCH").json(&json!({"n": -1})).reply().await.expect(200);
    any("DELETE").reply().await.expect(204);
    admin.post("/api/cars", &json!({"_id": "last"})).reply().await.expect(201);
    let records = DOCUMENTS + 3;

    let heard = tokio::time::timeout(SOON, readers.join_all()).await.expect("every reader hears the last");
    eprintln!("{records} records to {READERS} readers in {:?}", began.elapsed());
    let first = &heard[0];
    assert_eq!(first.len(), records, "{first:?}");
    assert!(first.windows(2).all(|pair| pair[0].0 < pair[1].0), "in the order of the log");
    let ops: Vec<&str> = first.iter().filter_map(|(_, data)| data["op"].as_str()).collect();
    assert!(ops[..records - 2].iter().chain(&ops[records - 1..]).all(|op| *op == "put"), "{ops:?}");
    assert_eq!(ops[records - 2], "delete");
    for (number, (_, change)) in first[..DOCUMENTS].iter().enumerate() {
        assert_eq!(change["doc"]["text"], car(number)["text"], "record {number}");
    }
    for (number, other) in heard.iter().enumerate() {
        assert!(other == first, "reader {number} heard something else");
    }
    let after = costs().await;
    let spent: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!(spent, [records as u64, records as u64, 0], "{COSTS:?}");
}
