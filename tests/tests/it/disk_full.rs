//! A disk without room: growth is refused early, and a disk that fills up all the same loses nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Lost};
use crate::errors;
use crate::program::{Server, run};
use crate::small_disk::SmallDisk;

async fn collection(client: &Client) {
    let notes = json!({"name": "notes", "schema": {"text": {"type": "string"}}});
    client.post("/api/collections", &notes).reply().await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn growth_is_refused_while_there_is_little_room() {
    let Some(disk) = SmallDisk::mount(256) else { return };
    let mut server = Server::idle_in(disk.path());
    server.expect_complaints(&["the disk is nearly full"]);
    server.launch();
    let admin = Client::admin(&server).await;
    collection(&admin).await;
    let first = admin.put_new("/api/notes/first", &json!({"text": "a"})).reply().await.expect(201);
    let job = admin.post("/api/jobs", &json!({"lane": "mail", "payload": 1})).reply().await.expect(201);
    let ready = admin.read("/readyz?verbose").await;
    assert_eq!((&ready["status"], &ready["checks"]["disk"]["ok"]), (&json!("ok"), &json!(true)), "{ready}");

    disk.fill_to(6 << 10);
    // Room is looked at four times a second.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let refused = admin.put_new("/api/notes/second", &json!({"text": "b"})).reply().await;
    let body = errors::problem("growth", &refused, 503);
    assert_eq!(body["type"], "read-only", "{body}");
    assert!(body["detail"].as_str().is_some_and(|detail| detail.contains("in reserve")), "{body}");
    assert!(refused.header("retry-after").is_some(), "Retry-After");
    for (path, body) in [
        ("/api/notes", json!([{"text": "c"}])),
        ("/api/jobs", json!({"lane": "mail", "payload": 2})),
        ("/api/positions", json!([{"device": "d", "lon": 1, "lat": 1}])),
        ("/api/collections", json!({"name": "more", "schema": {}})),
    ] {
        let refused = admin.post(path, &body).reply().await;
        assert_eq!(errors::problem(path, &refused, 503)["type"], "read-only");
    }
    // What makes room goes on, and whoever makes it may sign in.
    let other = Client::admin(&server).await;
    assert_eq!(other.read("/api/notes/first").await["text"], "a");
    let leased = other.post("/api/jobs/lease", &json!({"lane": "mail"})).reply().await.expect(200).json();
    let ack = json!({"lease": leased["jobs"][0]["lease"]});
    other.post(&format!("/api/jobs/{}/ack", job.field("_id")), &ack).reply().await.expect(204);
    other.delete("/api/notes/first", &first.etag()).reply().await.expect(204);
    let ready = other.get("/readyz?verbose").reply().await.expect(200).json();
    assert_eq!((&ready["status"], &ready["checks"]["disk"]["ok"]), (&json!("read-only"), &json!(false)));
    let figures = other.get("/metrics").reply().await.text();
    assert!(figures.contains("dateline_disk_short 1"), "dateline_disk_short");

    disk.empty();
    let deadline = Instant::now() + Duration::from_secs(5);
    while admin.put_new("/api/notes/second", &json!({"text": "b"})).reply().await.status != 201 {
        assert!(Instant::now() < deadline, "there is room again, and growth is refused");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(admin.read("/readyz?verbose").await["status"], "ok");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_loses_nothing() {
    let Some(disk) = SmallDisk::mount(256) else { return };
    let mut server = Server::idle_in(disk.path());
    // Everything below may complain of such a disk; only a panic is wrong.
    server.expect_complaints(&[""]);
    server.flags(&["--set", "engine.disk_reserve_bytes=0", "--set", "engine.memtable_bytes=16777216"]);
    server.launch();
    let admin = Client::admin(&server).await;
    collection(&admin).await;
    disk.fill_to(24 << 10);
    let text = |n: u64| format!("{n:08}").repeat(4 << 10);
    let (mut stored, mut answers) = (Vec::new(), Vec::new());
    for n in 0..20_000 {
        let body = json!({"text": text(n)});
        match admin.put_new(&format!("/api/notes/n{n}"), &body).attempt().await {
            Ok(reply) if reply.status == 201 => stored.push(n),
            Ok(reply) => answers.push(reply),
            Err(Lost(reason)) => panic!("the program is gone: {reason}"),
        }
        if answers.len() >= 5 {
            break;
        }
    }
    assert!(stored.len() > 50, "only {} were stored", stored.len());
    let kinds: Vec<Value> =
        answers.iter().map(|reply| errors::problem("full", reply, 503)["type"].clone()).collect();
    assert!(kinds.iter().all(|kind| kind == "engine-stopped"), "{kinds:?}");
    // Reading goes on.
    let last = stored.last().expect("some");
    assert_eq!(admin.read(&format!("/api/notes/n{last}")).await["text"], text(*last));
    assert_eq!(admin.get("/readyz").unsigned().reply().await.status, 503);
    server.kill();
    disk.empty();
    server.launch();
    let admin = Client::admin(&server).await;
    for n in &stored {
        assert_eq!(admin.read(&format!("/api/notes/n{n}")).await["text"], text(*n), "n{n} was acknowledged");
    }
    eprintln!("disk full: {} documents of 32 KiB kept", stored.len());
    admin.put_new("/api/notes/after", &json!({"text": "there is room"})).reply().await.expect(201);
    server.stop();
    let data = server.data();
    let verified = run(&["verify", "--data", data.to_str().expect("a UTF-8 path")]);
    assert_eq!(verified.code, Some(0), "verify: {}\n{}", verified.stdout, verified.stderr);
}
