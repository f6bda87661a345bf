//! Sockets whose clients do not take what is sent.

use std::time::Duration;

use serde_json::json;

use super::{id_of, with_flags};
use crate::parts;
use crate::ws::{SOON, Socket};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_takes_nothing_is_cut_off_and_the_others_go_on() {
    const DOCUMENTS: usize = 500;
    let _turn = parts::heavy().await;
    let (_server, admin) = with_flags(&["limits.socket_stall_s=1"]).await;
    admin.post("/api/collections", &json!({"name": "cars"})).reply().await.expect(201);
    let (mut stalled, mut reading) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut socket = Socket::open(&admin).await;
        socket.subscribe(1, &["changes:cars"], json!({})).await;
        stalled.push(socket);
    }
    // A credit holds back as well, and is no fault.
    let mut patient = Socket::open(&admin).await;
    patient.subscribe(1, &["changes:cars"], json!({"credit": 1})).await;
    for _ in 0..2 {
        let mut socket = Socket::open(&admin).await;
        socket.subscribe(1, &["changes:cars"], json!({})).await;
        reading.push(tokio::spawn(async move {
            let mut seqs = Vec::new();
            while seqs.len() < DOCUMENTS {
                seqs.push(socket.expect("change").await["data"]["seq"].as_u64().expect("seq"));
            }
            seqs
        }));
    }
    let text = "x".repeat(64 << 10);
    for n in 0..DOCUMENTS {
        admin.post("/api/cars", &json!({"_id": format!("car-{n}"), "text": text})).reply().await.expect(201);
    }
    let mut heard = Vec::new();
    for task in reading {
        heard.push(tokio::time::timeout(SOON, task).await.expect("it hears all").expect("a reader"));
    }
    assert!(heard[0] == heard[1] && heard[0].windows(2).all(|pair| pair[0] < pair[1]));
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        let open = admin.read("/api/admin/connections").await["_meta"]["total"].clone();
        if open == 1 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{open} are open");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(patient.ask(&json!({"op": "ping"})).await["op"], "ok");
    // It comes back with the last id that it has, and misses nothing.
    let mut cut = stalled.pop().expect("a socket");
    let (mut seqs, mut last) = (Vec::new(), String::new());
    while let Some(event) = cut.event().await {
        if event["type"] == "change" {
            last = id_of(&event);
            seqs.push(event["data"]["seq"].as_u64().expect("seq"));
        }
    }
    assert!(!seqs.is_empty() && seqs.len() < DOCUMENTS, "{} before it was cut off", seqs.len());
    let mut socket = Socket::open(&admin).await;
    socket.subscribe(1, &["changes:cars"], json!({"last_event_id": last})).await;
    while seqs.len() < DOCUMENTS {
        seqs.push(socket.expect("change").await["data"]["seq"].as_u64().expect("seq"));
    }
    assert!(seqs == heard[0], "lost or repeated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_one_that_takes_a_little_is_told_before_it_is_cut_off() {
    let _turn = parts::heavy().await;
    let (_server, admin) = with_flags(&["limits.socket_stall_s=1"]).await;
    admin.post("/api/collections", &json!({"name": "cars"})).reply().await.expect(201);
    let mut socket = Socket::open(&admin).await;
    socket.subscribe(1, &["changes:cars"], json!({})).await;
    let text = "x".repeat(64 << 10);
    for n in 0..400 {
        admin.post("/api/cars", &json!({"_id": format!("car-{n}"), "text": text})).reply().await.expect(201);
    }
    // Given up, but still listened to for a while.
    let deadline = tokio::time::Instant::now() + SOON;
    while admin.read("/api/admin/connections").await["_items"][0]["closing"] != "slow" {
        assert!(tokio::time::Instant::now() < deadline, "it is not given up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(socket.end().await, (4408, "slow".to_owned()));
}
