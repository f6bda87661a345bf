//! GET of a document beside bare hyper with the same bytes; positions through HTTP and through the engine; lists with
//! and without indexes.
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dateline_benches::http::{Client, Fixed, Server};
use dateline_engine::Durability;
use dateline_geo::Fix;
use serde_json::{Value, json};

fn document(criterion: &mut Criterion) {
    let server = Server::start();
    let mut client = Client::connect(server.address);
    let body = json!({"title": "A bench document", "text": "x".repeat(900), "location": {"type": "Point", "coordinates": [13.4, 52.5]}});
    let created =
        client.send("POST", "/api/ads", "application/json", &server.token, body.to_string().as_bytes());
    let created: Value = serde_json::from_slice(&created).expect("a document");
    let path = format!("/api/ads/{}", created["_id"].as_str().expect("an id"));
    let bytes = client.send("GET", &path, "application/json", &server.token, b"");
    let fixed = Fixed::start(bytes);
    let mut plain = Client::connect(fixed.address);

    let mut group = criterion.benchmark_group("http-get");
    group.throughput(Throughput::Elements(1));
    group.bench_function("dateline", |bencher| {
        bencher.iter(|| black_box(client.send("GET", &path, "application/json", &server.token, b"")));
    });
    group.bench_function("hyper", |bencher| {
        bencher.iter(|| black_box(plain.send("GET", &path, "application/json", &server.token, b"")));
    });
    group.finish();
}

const BATCH: usize = 500;

fn fixes(round: u64) -> Vec<Value> {
    (0..BATCH as u64)
        .map(|n| {
            let device = (round * BATCH as u64 + n) % 100_000;
            let step = f64::from(u32::try_from(round % 1_000).unwrap_or(0)) * 1e-5;
            json!({"device": format!("device-{device}"), "lon": 13.0 + step, "lat": 52.0 + step})
        })
        .collect()
}

fn positions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("positions");
    group.throughput(Throughput::Elements(BATCH as u64)).measurement_time(Duration::from_secs(8));
    let server = Server::start();
    let mut round = 0;
    for (name, durability) in [("sync", Durability::Sync), ("buffered", Durability::Buffered)] {
        group.bench_function(BenchmarkId::new("engine", name), |bencher| {
            bencher.iter_custom(|rounds| {
                let batches: Vec<Vec<Fix>> = (0..rounds)
                    .map(|_| {
                        round += 1;
                        let now = server.app.store().now();
                        fixes(round).iter().map(|fix| Fix::parse(fix, now).expect("a fix")).collect()
                    })
                    .collect();
                let started = Instant::now();
                let mut last = None;
                for batch in &batches {
                    let (sender, receiver) = std::sync::mpsc::channel();
                    server.app.geo().submit(batch, durability, move |result| drop(sender.send(result)));
                    last = Some(receiver.recv().expect("an answer").expect("accepted"));
                }
                let tail = last.expect("at least one batch").tail;
                assert!(server.app.geo().wait_for(tail, Duration::from_secs(60)), "the matcher keeps up");
                started.elapsed()
            });
        });
    }
    // The server has closed a connection that was silent for so long.
    let mut client = Client::connect(server.address);
    group.bench_function(BenchmarkId::new("http", "sync"), |bencher| {
        bencher.iter_custom(|rounds| {
            let bodies: Vec<Vec<u8>> = (0..rounds)
                .map(|_| {
                    round += 1;
                    Value::from(fixes(round)).to_string().into_bytes()
                })
                .collect();
            let started = Instant::now();
            for body in &bodies {
                black_box(client.send("POST", "/api/positions", "application/json", &server.token, body));
            }
            let tail = server.app.store().watermark().durable();
            assert!(server.app.geo().wait_for(tail, Duration::from_secs(60)), "the matcher keeps up");
            started.elapsed()
        });
    });
    group.finish();
}

const LISTED: usize = 50_000;

/// Pages of 25 of 50,000 documents, from a collection with indexes and from the same one without.
fn lists(criterion: &mut Criterion) {
    let server = Server::start();
    let mut client = Client::connect(server.address);
    let mut post = |path: &str, body: Value| {
        let body = body.to_string();
        client.send("POST", path, "application/json", &server.token, body.as_bytes());
    };
    let indexes = json!([["brand", "price"], {"fields": ["price"], "type": "number"}, ["year"]]);
    for (name, indexes) in [("indexed", indexes), ("scanned", json!([]))] {
        post("/api/collections", json!({"name": name, "indexes": indexes}));
        let car = |n: usize| {
            json!({"_id": format!("car-{n:06}"), "brand": format!("brand-{}", n % 40), "year": 1950 + n * 7 % 75,
                "price": n * 7_919 % 100_003, "text": "x".repeat(300)})
        };
        for first in (0..LISTED).step_by(500) {
            post(&format!("/api/{name}"), (first..first + 500).map(car).collect());
        }
    }
    let mut group = criterion.benchmark_group("list");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    // `{"brand": "brand-7"}` by price; prices of 100 to 150; everything by price.
    let queries = [
        ("equal-sorted", "where=%7B%22brand%22%3A%22brand-7%22%7D&sort=-price"),
        ("range", "where=%7B%22price%22%3A%7B%22%24gte%22%3A100%2C%22%24lt%22%3A150%7D%7D"),
        ("sorted", "sort=price"),
    ];
    for (case, query) in queries {
        let mut answers = Vec::new();
        for name in ["indexed", "scanned"] {
            let path = format!("/api/{name}?{query}");
            // The server closes a connection that was silent for too long.
            let mut client = Client::connect(server.address);
            let answer = client.send("GET", &path, "application/json", &server.token, b"");
            let answer: Value = serde_json::from_slice(&answer).expect("a list");
            let items = answer["_items"].as_array().expect("items");
            answers.push(items.iter().map(|item| item["_id"].clone()).collect::<Vec<_>>());
            group.bench_function(BenchmarkId::new(name, case), |bencher| {
                bencher.iter(|| {
                    black_box(client.send("GET", &path, "application/json", &server.token, b""));
                });
            });
        }
        assert!(!answers[0].is_empty() && answers[0] == answers[1], "both find the same");
    }
    group.finish();
}

criterion_group!(benches, document, positions, lists);
criterion_main!(benches);
